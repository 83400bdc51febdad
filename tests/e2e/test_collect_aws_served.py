"""What serves and watches models beside endpoints: collected, explained, judged by rules, on the command line.

SageMaker is what moto plays, with a store of what moto lacks; the trail around it is synthetic.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import aws_estate as estate
import aws_things as things
import pytest
from aws_things import PREFIX, ROLE
from commandline import Place, make_place

from lineal import wiring
from servers import sagemaker_things
from servers.cloud_patches import Backends
from servers.cloud_people import autoscaling, person
from servers.cloud_trail import CloudTrail, trail_server
from servers.moto import ACCOUNT, REGION

START: Final = datetime(2026, 10, 5, 8, tzinfo=UTC)
ANN = person("ann")
SHADOW: Final = "inference-experiment/shadow"
LOOSE: Final = "feature-group/loose"
MANAGED: Final = {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 4}
# Every SageMaker rule that AWS manages (anchor, 1.5), and those its documentation has beside.
RULES: Final = frozenset(
    f"SAGEMAKER_{name}"
    for name in (
        "APP_IMAGE_CONFIG_TAGGED", "DATA_QUALITY_JOB_ISOLATION", "DOMAIN_IN_VPC", "DOMAIN_TAGGED",
        "ENDPOINT_CONFIGURATION_KMS_KEY_CONFIGURED", "ENDPOINT_CONFIG_PROD_INSTANCE_COUNT", "FEATURE_GROUP_TAGGED",
        "FEATUREGROUP_ONLINE_STORE_ENCRYPTION", "IMAGE_DESCRIPTION", "IMAGE_TAGGED", "MODEL_IN_VPC",
        "MODEL_ISOLATION_ENABLED", "MODEL_MULTICONTAINER_PRIVATE_REGISTRY", "MODEL_PRIVATE_REGISTRY_REQUIRED",
        "MODEL_QUALITY_JOB_DEFINITION_ISOLATION", "NOTEBOOK_INSTANCE_INSIDE_VPC",
        "NOTEBOOK_INSTANCE_KMS_KEY_CONFIGURED", "NOTEBOOK_INSTANCE_PLATFORM_VERSION",
        "NOTEBOOK_INSTANCE_ROOT_ACCESS_CHECK", "NOTEBOOK_NO_DIRECT_INTERNET_ACCESS",
    )
)  # fmt: skip


@dataclass
class World:
    """A day in an account, seen three times; `said` is what each command printed as JSON."""

    trail: CloudTrail
    place: Place
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        return {**self.trail.moto.environment(), "AWS_MAX_ATTEMPTS": "1"}

    def ask(self, *words: str, status: int = 0) -> Any:
        done = self.place.within(*words, "--json", env=self.env)
        assert done.status == status, done.err
        return done.json()

    def look(self, *more: str) -> Any:
        self.trail.advance(minutes=5)
        return self.ask("collect", "aws", "--region", REGION, "--only", "AWS::SageMaker::*", *more)

    def explained(self, resource: str) -> list[dict[str, Any]]:
        every = self.said["explain"]["judgements"]
        return [each for each in every if each["resource"] == PREFIX + resource and each["subject"] == "change"]

    def verdicts(self, resource: str) -> dict[str, str]:
        """Return the verdict of every field that changed."""
        found = [one for each in self.explained(resource) for one in each["fields"]]
        return {".".join(each["path"]): each["verdict"] for each in found}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, trail_server(START) as trail:
        patch.setattr(wiring, "now", trail.clock.spell)
        found = World(trail, make_place(tmp_path_factory.mktemp("served")))
        _build(trail)
        patch.setattr(sagemaker_things, "PAGE", 2)
        patch.setattr(sagemaker_things, "FEATURES", 2)
        found.said["first"] = found.look()
        found.said["again"] = found.look()
        patch.setattr(sagemaker_things, "PAGE", 100)
        _approve(found)
        _change(trail)
        found.said["second"] = found.look()
        _refuse_and_delete(found)
        trail.advance(hours=2)
        found.ask("collect", "cloudtrail", "--lookup", "--region", REGION)
        found.said["explain"] = found.ask("explain")
        yield found


def _build(trail: CloudTrail) -> None:
    """Make everything twice: as the rules want it, and as they do not."""
    moto, client = trail.moto, trail.moto.client("sagemaker")
    estate.models(moto, 4)
    things.things(moto)
    for name in ("Scaled", "Hidden", "Gone", "Slow"):
        things.component(moto, name)
    for kind in ("DataQuality", "ModelQuality"):
        things.definition(moto, kind, f"{kind}-open", isolated=False)
    things.schedule(moto, "Broken")
    things.features(moto, "Loose", OnlineStoreConfig={"EnableOnlineStore": True}, Tags=[])
    bad = {"DirectInternetAccess": "Enabled", "RootAccess": "Enabled", "PlatformIdentifier": "notebook-al1-v1"}
    client.create_notebook_instance(NotebookInstanceName="Loose", InstanceType="ml.t3.medium", RoleArn=ROLE, **bad)
    things.domain(moto, "Loose", AppNetworkAccessType="PublicInternetOnly", Tags=[])
    client.create_image(ImageName="loose", RoleArn=ROLE)
    client.create_app_image_config(AppImageConfigName="loose", KernelGatewayImageConfig=things.APP_IMAGE)
    variant = {"VariantName": "all", "ModelName": "Model-0", "InitialInstanceCount": 2, "InstanceType": "ml.m5.large"}
    client.create_endpoint_config(EndpointConfigName="Good", ProductionVariants=[variant], KmsKeyId=things.KEY)
    private = {"Image": things.IMAGE, "ImageConfig": {"RepositoryAccessMode": "Vpc"}}
    good = {"EnableNetworkIsolation": True, "VpcConfig": {"Subnets": ["subnet-0a"], "SecurityGroupIds": ["sg-0a"]}}
    client.create_model(ModelName="Good", ExecutionRoleArn=ROLE, PrimaryContainer=private, **good)
    client.create_model(ModelName="Several", ExecutionRoleArn=ROLE, Containers=[private, private], **good)
    client.create_model(ModelName="Open", ExecutionRoleArn=ROLE, Containers=[{"Image": things.IMAGE}])
    moto.sagemaker()._models["Good"].enable_network_isolation = True  # moto does not take it from the request
    kept = Backends().endpoint("Endpoint-1")
    kept.production_variants[0]["ManagedInstanceScaling"] = MANAGED


def _approve(world: World) -> None:
    world.ask(
        "approve", "change", "AWS::SageMaker::InferenceComponent/Scorer", "--ticket", "CHG-1", "--reason", "release",
        "--from", "2026-10-05T08:10:00Z", "--to", "2026-10-05T12:00:00Z", "--action", "UpdateInferenceComponent",
        "--as", "bo",
    )  # fmt: skip


def _change(trail: CloudTrail) -> None:
    ann = trail.client("sagemaker", ANN)
    ann.update_inference_component(
        InferenceComponentName="Scorer",
        Specification={"ModelName": "Model-1", "ComputeResourceRequirements": things.RESOURCES},
        RuntimeConfig={"CopyCount": 3},
    )
    trail.client("sagemaker", autoscaling()).update_inference_component_runtime_config(
        InferenceComponentName="Scaled", DesiredRuntimeConfig={"CopyCount": 5}
    )
    trail.moto.thing("InferenceComponent", "Hidden")["RuntimeConfig"]["DesiredCopyCount"] = 9
    ann.stop_monitoring_schedule(MonitoringScheduleName="Hourly")
    ann.update_feature_group(
        FeatureGroupName="Customers", FeatureAdditions=[{"FeatureName": "age", "FeatureType": "Integral"}]
    )
    ann.update_notebook_instance(NotebookInstanceName="Lab", RootAccess="Enabled", LifecycleConfigName="other")
    ann.stop_notebook_instance(NotebookInstanceName="Lab")
    ann.update_domain(DomainId="d-studio", DomainSettingsForUpdate={"SecurityGroupIds": ["sg-0b"]})
    ann.update_model_card(ModelCardName="Risk-card", ModelCardStatus="Approved")
    ann.stop_inference_experiment(Name="Shadow", ModelVariantActions={"now": "Retain"}, DesiredState="Cancelled")
    ann.update_image(ImageName="risk", DeleteProperties=["Description"])
    ann.update_app_image_config(
        AppImageConfigName="risk-app", KernelGatewayImageConfig={"KernelSpecs": [{"Name": "other"}]}
    )
    ann.delete_inference_component(InferenceComponentName="Gone")
    # One that takes its time to go: it is Deleting when somebody looks.
    trail.note("sagemaker.amazonaws.com", "DeleteInferenceComponent", {"inferenceComponentName": "Slow"}, ANN)
    trail.moto.thing("InferenceComponent", "Slow")["InferenceComponentStatus"] = "Deleting"
    # By themselves, with no call: a schedule and endpoints fail, instances are added and taken away.
    trail.moto.thing("MonitoringSchedule", "Broken")["MonitoringScheduleStatus"] = "Failed"
    backends = Backends()
    backends.endpoint("Endpoint-1").production_variants[0] |= {"DesiredInstanceCount": 3, "CurrentInstanceCount": 3}
    for name in ("Endpoint-2", "Endpoint-3"):
        failed = backends.endpoint(name)
        failed.endpoint_status, failed.failure_reason = "Failed", "it did not pass the ping health check"
    backends.endpoint("Endpoint-3").production_variants = None


def _refuse_and_delete(world: World) -> None:
    """Take two things away, of which one may not be listed."""
    trail, client = world.trail, world.trail.client("sagemaker", ANN)
    del sagemaker_things.things(ACCOUNT, REGION)["InferenceComponent", "Slow"]
    client.delete_feature_group(FeatureGroupName="Loose")
    client.delete_monitoring_schedule(MonitoringScheduleName="Broken")
    trail.refused[("sagemaker", "ListFeatureGroups", REGION)] = "AccessDeniedException"
    trail.refused[("sagemaker", "DescribeDomain", REGION)] = "AccessDeniedException"
    world.said["third"] = world.look()
    trail.refused.clear()


def test_everything_is_seen_page_by_page_and_recorded_once(world: World) -> None:
    first, again = world.said["first"], world.said["again"]
    assert (first["gaps"], again["gaps"]) == ([], [])
    assert first["seen"] == first["recorded"] == again["seen"]
    assert again["recorded"] == 0
    shown = world.ask("show", "--at", "2026-10-05T08:06:00Z", "--type", "AWS::SageMaker::InferenceComponent")
    assert {each["name"] for each in shown["resources"]} == {"Scorer", "Scaled", "Hidden", "Gone", "Slow"}
    features = world.ask("show", f"{PREFIX}feature-group/customers", "--at", "2026-10-05T08:06:00Z")["item"]
    assert [each["FeatureName"] for each in features["configuration"]["FeatureDefinitions"]] == ["f0", "f1", "f2"]
    assert "NextToken" not in features["configuration"]
    assert features["tags"] == {"team": "risk"}


def test_what_points_where_is_said_by_keys(world: World) -> None:
    role, key = ["AWS::IAM::Role", "arn:aws:iam::123456789012:role/runner", "role"], "AWS::KMS::Key"
    endpoint = ["AWS::SageMaker::Endpoint", f"{PREFIX}endpoint/endpoint-0"]
    kept = ["S3", "s3://artifacts-bucket/shadow", "capture"]
    wanted = {
        "inference-component/scaled": [
            [*endpoint, "endpoint"], ["AWS::SageMaker::Model", f"{PREFIX}model/model-0", "serves"],
        ],
        "monitoring-schedule/hourly": [
            ["AWS::SageMaker::DataQualityJobDefinition", f"{PREFIX}data-quality-job-definition/dataquality-1",
             "definition"],
        ],
        "data-quality-job-definition/dataquality-1": [role, [*endpoint, "watches"], [key, things.KEY, "key"]],
        "feature-group/customers": [role, [key, things.KEY, "key"], ["S3", "s3://artifacts-bucket/features", "store"]],
        "domain/d-studio": [
            role, ["AWS::SageMaker::Image", f"{PREFIX}image/risk", "image"],
            ["AWS::SageMaker::AppImageConfig", f"{PREFIX}app-image-config/risk-app", "app"],
        ],
        "model-card/risk-card": [["AWS::SageMaker::Model", f"{PREFIX}model/model-0", "describes"]],
        "inference-experiment/shadow": [[*endpoint, "endpoint"], role, kept],
        "notebook-instance/lab": [role, [key, things.KEY, "key"]],
        "image/risk": [role],
    }  # fmt: skip
    for name, joined in wanted.items():
        told = world.ask("show", PREFIX + name)["item"]["relationships"]
        found = [[each["type"], each["key"], each["name"]] for each in told]
        assert [each for each in joined if each not in found] == [], name


def test_a_component_is_changed_by_a_person_by_autoscaling_and_behind_the_trail(world: World) -> None:
    copies = "RuntimeConfig.DesiredCopyCount"
    approved = world.verdicts("inference-component/scorer")
    assert approved == {"Specification.ModelName": "APPROVED", copies: "APPROVED"}
    assert world.verdicts("inference-component/scaled") == {copies: "SERVICE_MANAGED"}
    assert world.verdicts("inference-component/hidden") == {copies: "UNEXPLAINED"}
    for name in ("gone", "slow"):  # that was Deleting when somebody looked after the call
        (gone,) = world.explained(f"inference-component/{name}")
        assert gone["verdict"] == "ATTRIBUTED_UNAPPROVED", name
        assert "DeleteInferenceComponent" in gone["why"]
    assert [each["code"] for each in world.said["second"]["gaps"]] == ["aws.settling"]


@pytest.mark.parametrize(
    ("resource", "fields"),
    [
        ("monitoring-schedule/hourly", ["MonitoringScheduleStatus"]),
        ("feature-group/customers", ["FeatureDefinitions.age"]),
        ("notebook-instance/lab", ["NotebookInstanceLifecycleConfigName", "RootAccess"]),
        ("domain/d-studio", ["DomainSettings"]),
        ("model-card/risk-card", ["ModelCardStatus"]),
        ("inference-experiment/shadow", ["Status"]),
        ("image/risk", ["Description"]),
        (
            "app-image-config/risk-app",
            ["KernelGatewayImageConfig.KernelSpecs.other", "KernelGatewayImageConfig.KernelSpecs.python3"],
        ),
    ],
)
def test_what_a_person_did_is_theirs(world: World, resource: str, fields: list[str]) -> None:
    assert world.verdicts(resource) == dict.fromkeys(fields, "ATTRIBUTED_UNAPPROVED")


def test_no_call_that_did_something_is_said_to_have_done_nothing(world: World) -> None:
    idle = [each for each in world.said["explain"]["judgements"] if each["verdict"] == "EVENT_WITHOUT_EFFECT"]
    assert [each["why"] for each in idle] == []


def test_what_a_service_does_without_a_call_is_its_own(world: World) -> None:
    count = "ProductionVariants.all.DesiredInstanceCount"
    assert world.verdicts("endpoint/endpoint-1") == {count: "SERVICE_MANAGED"}
    (change,) = world.explained("endpoint/endpoint-1")
    assert "the service itself" in change["why"]
    assert any("ManagedInstanceScaling" in note for note in change["notes"])
    assert world.verdicts("monitoring-schedule/broken") == {
        "MonitoringScheduleStatus": "SERVICE_MANAGED",
        "": "ATTRIBUTED_UNAPPROVED",
    }
    assert world.verdicts("endpoint/endpoint-3") == {"ProductionVariants": "SERVICE_MANAGED"}


def test_an_endpoint_that_fails_is_seen_and_nobody_is_blamed(world: World) -> None:
    for name in ("endpoint-2", "endpoint-3"):
        rows = world.ask("timeline", f"{PREFIX}endpoint/{name}", "--no-follow")["rows"]
        (failed,) = [row for row in rows if row["kind"] == "seen" and "Failed" in row["what"]]
        assert failed["what"] == "state InService -> Failed: it did not pass the ping health check"
        assert failed["since"] < failed["time"]
        assert failed["verdict"] is None
    assert world.explained("endpoint/endpoint-2") == []
    assert world.ask("show", f"{PREFIX}endpoint/endpoint-2")["item"]["configuration"]["EndpointStatus"] == "Failed"
    lab = world.ask("timeline", f"{PREFIX}notebook-instance/lab", "--no-follow")["rows"]
    assert [row["kind"] for row in lab if row["time"] == lab[-1]["time"]] == ["change"], "one row for one thing"


def test_the_timeline_of_an_endpoint_has_what_runs_on_it_and_what_watches_it(world: World) -> None:
    found = world.ask("timeline", f"{PREFIX}endpoint/endpoint-0")
    depths = {each["name"]: each["depth"] for each in found["things"]}
    assert (depths["Scorer"], depths["Gone"], depths["Model-1"]) == (1, 1, 2)
    assert depths["Shadow"] == 1
    stopped = [row for row in found["rows"] if row["name"] == "Scorer" and row["kind"] == "change"]
    assert [row["verdict"] for row in stopped] == ["APPROVED"]
    then = world.ask("timeline", f"{PREFIX}endpoint/endpoint-0", "--at", "2026-10-05T08:00:30Z")["things"]
    assert "Scorer" not in {each["name"] for each in then}


def test_a_type_that_may_not_be_listed_is_a_gap_and_nothing_of_it_is_gone(world: World) -> None:
    told = {(each["code"], each["about"]) for each in world.said["third"]["gaps"]}
    domains = {
        ("aws.denied", f"arn:aws:sagemaker:{REGION}:123456789012:domain/d-{each}") for each in ("studio", "loose")
    }
    assert told == {("aws.denied", "AWS::SageMaker::FeatureGroup"), *domains}
    assert world.ask("show", f"{PREFIX}feature-group/loose")["state"] == "there"
    assert world.ask("show", f"{PREFIX}domain/d-loose")["state"] == "there"
    assert world.ask("show", f"{PREFIX}monitoring-schedule/broken")["state"] == "gone"
    assert world.ask("show", f"{PREFIX}inference-component/gone")["state"] == "gone"


def test_every_managed_rule_about_sagemaker_says_what_holds(world: World) -> None:
    words = [word for rule in sorted(RULES) for word in ("--rule", rule)]
    at = "2026-10-05T08:06:00Z"
    found = world.ask("check", "--rules", "aws-managed", *words, "--at", at, "--severity", "informational", status=1)
    states: dict[str, set[str]] = {}
    for each in found["rules"]["conclusions"]:
        states.setdefault(each["rule"], set()).add(each["state"])
    assert states.keys() == set(RULES)
    for rule, said in states.items():
        assert {"COMPLIANT", "NON_COMPLIANT"} <= said, rule
        assert "INSUFFICIENT_DATA" not in said, rule


def test_what_ends_nowhere_or_is_not_offered_there_is_a_gap_and_the_next_look_is_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = ("collect", "aws", "--region", REGION, "--only", "*FeatureGroup", "--only", "*InferenceExperiment")
    world.trail.moto.client("sagemaker").delete_inference_experiment(Name="Shadow")
    world.trail.refused["sagemaker", "ListInferenceExperiments", REGION] = "UnknownOperationException"
    with monkeypatch.context() as patch:
        patch.setattr(sagemaker_things, "FEATURES", 0)  # each page names another, and that is the same
        found = world.ask(*only)
    world.trail.refused.clear()
    assert {(each["code"], each["about"].rpartition(":")[2]) for each in found["gaps"]} == {
        ("aws.failed", "feature-group/Customers"),
        ("aws.unknown_operation", "InferenceExperiment"),
    }
    there = {name: world.ask("show", PREFIX + name)["state"] for name in (SHADOW, LOOSE)}
    assert there == {SHADOW: "there", LOOSE: "there"}
    assert world.ask(*only)["gaps"] == []
    gone = {name: world.ask("show", PREFIX + name)["state"] for name in (SHADOW, LOOSE)}
    assert gone == {SHADOW: "gone", LOOSE: "gone"}


def test_the_ledger_holds_and_can_be_rebuilt(world: World) -> None:
    assert world.place.within("verify").status == 0
    assert world.place.within("rebuild").status == 0
