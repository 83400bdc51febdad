"""Which things of SageMaker the tests keep beside moto, and how a request to make or change one becomes its answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Body = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Noun:
    """One kind of thing: how operations call it, and how what is asked for (`made`, `changed`) becomes what is told.

    `renamed` are members of a summary in a list that are called otherwise in the whole answer; `moved` are states by
    operation (``Stop…``).
    """

    word: str
    path: str
    listing: str
    key: str
    name: str = ""
    arn: str = ""
    state: str = ""
    settled: str = ""
    made: Callable[[Body, Body], None] = lambda _told, _asked: None
    changed: Callable[[Body, Body], None] = lambda told, asked: told.update(asked)
    renamed: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)

    @property
    def named(self) -> str:
        """The member that says its name."""
        return self.name or f"{self.word}Name"

    @property
    def spelled(self) -> str:
        """The member that says its ARN."""
        return self.arn or f"{self.word}Arn"


def _component(told: Body, asked: Body) -> None:
    """Tell the image that runs, and the copies, as DescribeInferenceComponent does."""
    container = (asked.get("Specification") or {}).get("Container")
    if container is not None:
        rest = {name: value for name, value in container.items() if name != "Image"}
        images = {"DeployedImage": {"SpecifiedImage": container["Image"]}} if "Image" in container else {}
        told["Specification"] = {**asked["Specification"], "Container": {**rest, **images}}
    elif "Specification" in asked:
        told["Specification"] = asked["Specification"]
    runtime = asked.get("RuntimeConfig") or asked.get("DesiredRuntimeConfig")
    if runtime is not None:
        told["RuntimeConfig"] = {
            "DesiredCopyCount": runtime["CopyCount"],
            "CurrentCopyCount": runtime["CopyCount"],
        }
    if "DeploymentConfig" in asked:
        told["LastDeploymentConfig"] = asked["DeploymentConfig"]
    for name in ("DesiredRuntimeConfig", "DeploymentConfig"):
        told.pop(name, None)


def _component_made(told: Body, asked: Body) -> None:
    _component(told, asked)
    told["EndpointArn"] = _beside(told["InferenceComponentArn"], "endpoint", asked["EndpointName"])


def _schedule(told: Body, asked: Body) -> None:
    config = told["MonitoringScheduleConfig"] = asked["MonitoringScheduleConfig"]
    told["MonitoringType"] = config.get("MonitoringType", "DataQuality")
    told["MonitoringScheduleStatus"] = "Scheduled"
    inputs = (config.get("MonitoringJobDefinition") or {}).get("MonitoringInputs") or ()
    for each in inputs:
        told["EndpointName"] = each["EndpointInput"]["EndpointName"]


def _experiment(told: Body, asked: Body) -> None:
    told.update(asked)
    told["ModelVariants"] = [{**each, "Status": "InService"} for each in told["ModelVariants"]]
    if "EndpointName" in asked:
        told["EndpointMetadata"] = {"EndpointName": told.pop("EndpointName"), "EndpointStatus": "InService"}


def _features(told: Body, asked: Body) -> None:
    told["FeatureDefinitions"] = [*told["FeatureDefinitions"], *asked.get("FeatureAdditions", ())]
    told["OnlineStoreConfig"] = {**told.get("OnlineStoreConfig", {}), **asked.get("OnlineStoreConfig", {})}
    told.update({name: asked[name] for name in ("ThroughputConfig",) if name in asked})


def _notebook(told: Body, asked: Body) -> None:
    for name, held in (
        ("LifecycleConfigName", "NotebookInstanceLifecycleConfigName"),
        ("SecurityGroupIds", "SecurityGroups"),
    ):
        if name in told:
            told[held] = told.pop(name)
    told |= {"DirectInternetAccess": "Enabled", "RootAccess": "Enabled", "PlatformIdentifier": "notebook-al2-v3"} | told


def _notebook_changed(told: Body, asked: Body) -> None:
    given = dict(asked)
    if given.pop("DisassociateLifecycleConfig", False):
        told.pop("NotebookInstanceLifecycleConfigName", None)
    told.update(given)
    _notebook(told, asked)


def _domain(told: Body, asked: Body) -> None:
    settings = asked.get("DomainSettingsForUpdate")
    told.update({name: value for name, value in asked.items() if name != "DomainSettingsForUpdate"})
    if settings is not None:
        told["DomainSettings"] = {**told.get("DomainSettings", {}), **settings}


def _domain_made(told: Body, _asked: Body) -> None:
    told["Url"] = f"https://{told['DomainId']}.studio.example"
    told.setdefault("AppNetworkAccessType", "PublicInternetOnly")


def _card(told: Body, asked: Body) -> None:
    told.update(asked)
    told["ModelCardVersion"] = told.get("ModelCardVersion", 0) + 1
    told.setdefault("CreatedBy", {})


def _image(told: Body, asked: Body) -> None:
    given = dict(asked)
    for name in given.pop("DeleteProperties", ()):
        told.pop(name, None)
    told.update(given)


def _beside(arn: str, word: str, name: str) -> str:
    return f"{arn.rpartition(':')[0]}:{word}/{name}"


def _definition(kind: str) -> Noun:
    def made(told: Body, asked: Body) -> None:
        given = asked[f"{kind}JobInput"].get("EndpointInput") or {}
        told["EndpointName"] = given.get("EndpointName", "")

    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in kind).lstrip("-")
    return Noun(
        word=f"{kind}JobDefinition",
        path=f"{words}-job-definition",
        listing=f"List{kind}JobDefinitions",
        key="JobDefinitionSummaries",
        name="JobDefinitionName",
        arn="JobDefinitionArn",
        made=made,
        renamed={
            "MonitoringJobDefinitionName": "JobDefinitionName",
            "MonitoringJobDefinitionArn": "JobDefinitionArn",
        },
    )


NOUNS: Final = (
    Noun(
        word="InferenceComponent",
        path="inference-component",
        listing="ListInferenceComponents",
        key="InferenceComponents",
        state="InferenceComponentStatus",
        settled="InService",
        made=_component_made,
        changed=_component,
    ),
    Noun(
        word="MonitoringSchedule",
        path="monitoring-schedule",
        listing="ListMonitoringSchedules",
        key="MonitoringScheduleSummaries",
        state="MonitoringScheduleStatus",
        settled="Scheduled",
        made=_schedule,
        changed=_schedule,
        moved={"StartMonitoringSchedule": "Scheduled", "StopMonitoringSchedule": "Stopped"},
    ),
    *(_definition(each) for each in ("DataQuality", "ModelQuality", "ModelBias", "ModelExplainability")),
    Noun(
        word="FeatureGroup",
        path="feature-group",
        listing="ListFeatureGroups",
        key="FeatureGroupSummaries",
        state="FeatureGroupStatus",
        settled="Created",
        changed=_features,
    ),
    Noun(
        word="NotebookInstance",
        path="notebook-instance",
        listing="ListNotebookInstances",
        key="NotebookInstances",
        state="NotebookInstanceStatus",
        settled="InService",
        made=_notebook,
        changed=_notebook_changed,
        moved={"StartNotebookInstance": "InService", "StopNotebookInstance": "Stopped"},
    ),
    Noun(
        word="Domain",
        path="domain",
        listing="ListDomains",
        key="Domains",
        name="DomainId",
        state="Status",
        settled="InService",
        made=_domain_made,
        changed=_domain,
    ),
    Noun(
        word="ModelCard",
        path="model-card",
        listing="ListModelCards",
        key="ModelCardSummaries",
        made=_card,
        changed=_card,
    ),
    Noun(
        word="InferenceExperiment",
        path="inference-experiment",
        listing="ListInferenceExperiments",
        key="InferenceExperiments",
        name="Name",
        arn="Arn",
        state="Status",
        settled="Running",
        made=_experiment,
        changed=_experiment,
        moved={"StartInferenceExperiment": "Running", "StopInferenceExperiment": "Completed"},
    ),
    Noun(
        word="Image",
        path="image",
        listing="ListImages",
        key="Images",
        state="ImageStatus",
        settled="CREATED",
        changed=_image,
    ),
    Noun(
        word="AppImageConfig",
        path="app-image-config",
        listing="ListAppImageConfigs",
        key="AppImageConfigs",
    ),
)
"""The things, as ``Describe<word>`` tells them."""
