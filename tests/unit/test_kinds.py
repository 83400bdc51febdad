"""The table of types: its paths are paths of what the services really say, and no moment or status is forgotten."""

from collections.abc import Iterator
from typing import Any, Final

import botocore.session
import pytest

from lineal.change import kinds
from lineal.change.kinds import Node, kind_of, managers_of, split_path

# Where the members of an answer stand in the configuration of an item; "" for the whole of it.
SAGEMAKER: Final = {
    "Endpoint": "DescribeEndpointOutput",
    "EndpointConfig": "DescribeEndpointConfigOutput",
    "Model": "DescribeModelOutput",
    "ModelPackage": "DescribeModelPackageOutput",
    "ModelPackageGroup": "DescribeModelPackageGroupOutput",
    "Pipeline": "DescribePipelineResponse",
    "TrainingJob": "DescribeTrainingJobResponse",
    "ProcessingJob": "DescribeProcessingJobResponse",
    "TransformJob": "DescribeTransformJobResponse",
    "InferenceComponent": "DescribeInferenceComponentOutput",
    "FeatureGroup": "DescribeFeatureGroupResponse",
    "MonitoringSchedule": "DescribeMonitoringScheduleResponse",
    "NotebookInstance": "DescribeNotebookInstanceOutput",
    "DataQualityJobDefinition": "DescribeDataQualityJobDefinitionResponse",
    "ModelQualityJobDefinition": "DescribeModelQualityJobDefinitionResponse",
    "ModelBiasJobDefinition": "DescribeModelBiasJobDefinitionResponse",
    "ModelExplainabilityJobDefinition": "DescribeModelExplainabilityJobDefinitionResponse",
    "Domain": "DescribeDomainResponse",
    "ModelCard": "DescribeModelCardResponse",
    "InferenceExperiment": "DescribeInferenceExperimentResponse",
    "Image": "DescribeImageResponse",
    "AppImageConfig": "DescribeAppImageConfigResponse",
}
SHAPES: Final[dict[str, dict[str, tuple[str, str]]]] = {
    **{f"AWS::SageMaker::{name}": {"": ("sagemaker", shape)} for name, shape in SAGEMAKER.items()},
    "AWS::CodePipeline::Pipeline": {"": ("codepipeline", "GetPipelineOutput")},
    "AWS::CodeBuild::Project": {"": ("codebuild", "Project")},
    "AWS::CloudFormation::Stack": {
        "stack": ("cloudformation", "Stack"),
        "resources.*": ("cloudformation", "StackResourceSummary"),
        "drift.resources.*": ("cloudformation", "StackResourceDrift"),
    },
    "AWS::ECR::Repository": {"repository": ("ecr", "Repository")},
    "AWS::ECR::Image": {"": ("ecr", "ImageDetail")},
    "AWS::IAM::Role": {"Role": ("iam", "Role"), "AttachedPolicies.*": ("iam", "AttachedPolicy")},
    "AWS::IAM::Policy": {"": ("iam", "Policy"), "Policy": ("iam", "Policy")},
    "AWS::CloudTrail::Trail": {"": ("cloudtrail", "Trail")},
    "AWS::Config::ConfigurationRecorder": {"": ("config", "ConfigurationRecorder")},
    "AWS::ApplicationAutoScaling::ScalableTarget": {
        "": ("application-autoscaling", "ScalableTarget"),
        "ScalingPolicies.*": ("application-autoscaling", "ScalingPolicy"),
    },
    "AWS::KMS::Key": {"": ("kms", "KeyMetadata")},
    "AWS::Lambda::Function": {"": ("lambda", "FunctionConfiguration")},
}
# Statuses and moments that count: somebody decides them, or they say that something was done.
COUNTED: Final = {
    "AWS::SageMaker::ModelPackage": {"ModelApprovalStatus", "ModelCard.ModelCardStatus", "ModelLifeCycle.StageStatus"},
    "AWS::SageMaker::MonitoringSchedule": {"MonitoringScheduleStatus"},
    "AWS::SageMaker::ModelCard": {"ModelCardStatus"},
    "AWS::SageMaker::InferenceExperiment": {"Status", "Schedule.StartTime", "Schedule.EndTime"},  # when it is to run
    "AWS::SageMaker::Domain": {  # ENABLED or DISABLED
        "DefaultUserSettings.RStudioServerProAppSettings.AccessStatus",
        "DefaultUserSettings.CanvasAppSettings.TimeSeriesForecastingSettings.Status",
        "DefaultUserSettings.CanvasAppSettings.ModelRegisterSettings.Status",
        "DefaultUserSettings.CanvasAppSettings.IdentityProviderOAuthSettings.*.Status",
        "DefaultUserSettings.CanvasAppSettings.DirectDeploySettings.Status",
        "DefaultUserSettings.CanvasAppSettings.KendraSettings.Status",
        "DefaultUserSettings.CanvasAppSettings.EmrServerlessSettings.Status",
        "DomainSettings.TrustedIdentityPropagationSettings.Status",
        "DomainSettings.AmazonQSettings.Status",
    },
    "AWS::SageMaker::Endpoint": {
        "ProductionVariants.*.ManagedInstanceScaling.Status",  # ENABLED or DISABLED
        "ShadowProductionVariants.*.ManagedInstanceScaling.Status",
    },
    "AWS::SageMaker::EndpointConfig": {
        "ProductionVariants.*.ManagedInstanceScaling.Status",
        "ShadowProductionVariants.*.ManagedInstanceScaling.Status",
    },
    "AWS::CodeBuild::Project": {
        "webhook.lastModifiedSecret",
        "source.reportBuildStatus",  # true or false
        "secondarySources.*.reportBuildStatus",
        "logsConfig.cloudWatchLogs.status",  # ENABLED or DISABLED
        "logsConfig.s3Logs.status",
    },
    "AWS::CloudFormation::Stack": {"drift.resources.*.StackResourceDriftStatus"},
    "AWS::ECR::Image": {"imageStatus"},
    "AWS::KMS::Key": {"DeletionDate", "ValidTo"},
}
# What a table says of fields that no answer of the service itself has: words of AWS Config, and status beside a trail.
ELSEWHERE: Final = {
    "AWS::CloudTrail::Trail": {"cloudtrail": "GetTrailStatusResponse"},
    "AWS::Config::ConfigurationRecorder": {"config": "ConfigurationRecorderStatus"},
}


@pytest.fixture(scope="module")
def models() -> Any:
    session = botocore.session.get_session()
    held: dict[str, Any] = {}

    def shape(service: str, name: str) -> Any:
        if service not in held:
            held[service] = session.get_service_model(service)
        return held[service].shape_for(name)

    return shape


def members(shape: Any, path: tuple[str, ...] = (), seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """Yield the path of everything in a shape, with its type."""
    yield ".".join(path), shape.type_name
    if shape.name in seen:
        return
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from members(member, (*path, name), seen | {shape.name})
    elif shape.type_name in {"list", "map"}:
        inner = shape.member if shape.type_name == "list" else shape.value
        yield from members(inner, (*path, "*"), seen)


def said(models: Any, kind: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for where, (service, name) in SHAPES[kind].items():
        for path, type_name in members(models(service, name)):
            found[".".join(filter(None, (where, path)))] = type_name
    return found


def at(root: Node, path: str) -> Node | None:
    node: Node | None = root
    for name in path.split("."):
        if node is None or node.volatile:
            return node
        node = node.children.get(name, node.every)
    return node


@pytest.mark.parametrize("kind", SHAPES)
def test_every_path_of_the_table_is_one_that_the_service_says(models: Any, kind: str) -> None:
    known = set(said(models, kind))
    prefixes = {path.split(".")[0] for path in known}
    for service, name in ELSEWHERE.get(kind, {}).items():
        known |= {path for path, _ in members(models(service, name))}
    entry = kinds._entries()[kind]
    fields = [path for name in ("volatile", "keys", "sets", "ordered", "texts") for path in entry.get(name, ())]
    assert [
        path for path in fields if path.split(".")[0] in prefixes and not fits(path, known) and not deeper(path)
    ] == []
    for path, keys in entry.get("keys", {}).items():
        if path in known:
            assert [key for key in keys.split(",") if f"{path}.*.{key}" not in known] == [], path
    for manager in kind_of(kind).managers:
        for path in map(".".join, manager.paths):
            assert path.startswith("imageTags") or any(each.startswith(path.removesuffix("*")) for each in known), path


def fits(path: str, known: set[str]) -> bool:
    parts = path.split(".")
    return path in known or any(
        len(each) == len(parts) and all(want in ("*", have) for want, have in zip(parts, each, strict=True))
        for each in (one.split(".") for one in known)
    )


def deeper(path: str) -> bool:
    """Return whether a path leads into a document that the service gives as text."""
    documents = ("AssumeRolePolicyDocument", "PipelineDefinition.", "AttachedPolicies.*.Document")
    return any(each in path for each in documents) or path == "AttachedPolicies"


@pytest.mark.parametrize("kind", SHAPES)
def test_no_moment_and_no_status_is_forgotten(models: Any, kind: str) -> None:
    root = kind_of(kind).root
    counted = COUNTED.get(kind, set())
    forgotten = [
        path
        for path, type_name in said(models, kind).items()
        if (type_name == "timestamp" or path.endswith(("Status", "status", "StatusReason", "StatusMessage")))
        and type_name not in {"structure", "list", "map"}
        and not getattr(at(root, path), "volatile", False)
        and path not in counted
    ]
    assert forgotten == []
    assert [path for path in counted if getattr(at(root, path), "volatile", False)] == []


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("AWS::SageMaker::ModelPackage", "ModelApprovalStatus"),
        ("AWS::SageMaker::ModelPackage", "ApprovalDescription"),
        ("AWS::SageMaker::Endpoint", "EndpointConfigName"),
        ("AWS::SageMaker::Endpoint", "ProductionVariants.*.DesiredInstanceCount"),
        ("AWS::SageMaker::Endpoint", "ProductionVariants.*.DeployedImages.*.ResolvedImage"),
        ("AWS::CodeBuild::Project", "webhook.lastModifiedSecret"),
        ("AWS::CloudTrail::Trail", "IsLogging"),
        ("AWS::Config::ConfigurationRecorder", "recording"),
        ("AWS::ECR::Image", "imageTags"),
        ("AWS::ECR::Repository", "imageTags.latest"),
        ("AWS::IAM::Role", "Role.RoleId"),
        ("Kubernetes::apps/Deployment", "spec.replicas"),
        ("File::yaml", "LastModifiedTime"),
        ("File::yaml", "status"),
    ],
)
def test_what_somebody_decides_counts(kind: str, path: str) -> None:
    assert not getattr(at(kind_of(kind).root, path), "volatile", False)


def test_every_volatile_field_has_a_reason_and_every_entry_a_source() -> None:
    for name, entry in kinds._entries().items():
        assert len(entry["source"]) > 10, name
        assert all(isinstance(why, str) and why for why in entry.get("volatile", {}).values()), name
        assert all(
            each["source"] and (each.get("principals") or each.get("via") or each.get("unasked"))
            for each in entry.get("managed", ())
        )


def test_a_service_manages_its_own_fields_alone() -> None:
    found = managers_of("AWS::SageMaker::Endpoint", ("ProductionVariants", "AllTraffic", "DesiredInstanceCount"))
    assert [each.actions for each in found if each.unasked is None] == [("UpdateEndpointWeightsAndCapacities",)]
    for path in (("ProductionVariants", "AllTraffic"), ("EndpointConfigName",), ("ProductionVariants", "A", "Desired")):
        assert [each for each in managers_of("AWS::SageMaker::Endpoint", path) if each.unasked is None] == []
    assert managers_of("AWS::SageMaker::EndpointConfig", ("ProductionVariants", "a", "DesiredInstanceCount")) == ()
    assert len(managers_of("Kubernetes::apps/Deployment", ("spec", "replicas"))) == 1


def test_the_words_of_aws_config_begin_with_small_letters() -> None:
    function = kind_of("AWS::Lambda::Function").root
    assert function.children["revisionId"].volatile
    assert function.children["RevisionId"].volatile
    variants = kind_of("AWS::SageMaker::EndpointConfig").root
    assert variants.children["ProductionVariants"].keys == ("VariantName",)
    assert variants.children["productionVariants"].keys == ("variantName",)
    assert "Status" not in kind_of("Kubernetes::v1/Pod").root.children


def test_entries_of_wider_patterns_hold_for_a_type_too_and_names_may_have_dots() -> None:
    assert at(kind_of("AWS::SageMaker::Unheard").root, "FailureReason") is not None
    assert kind_of("AWS::SageMaker::Unheard").auto == kind_of("").auto
    assert split_path(r"a.b\.c/d.*") == ("a", "b.c/d", "*")
    annotations = at(kind_of("Kubernetes::v1/Pod").root, "metadata.annotations")
    assert annotations is not None
    assert annotations.children["deployment.kubernetes.io/revision"].volatile


def test_what_is_said_of_every_element_is_found_for_those_with_a_name_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = {
        "X": {"volatile": {"a.*.b": "x", "a.c.d": "x", "a.*.e.f": "x"}, "keys": {"a.*": "n"}, "sets": ["a.c.s"]},
    }
    monkeypatch.setattr(kinds, "_entries", lambda: entries)
    kinds.kind_of.cache_clear()
    try:
        root = kind_of("X").root
        assert {path for path in ("a.c.b", "a.c.d", "a.z.b", "a.c.e.f", "a.z.d") if at(root, path)} == {
            "a.c.b", "a.c.d", "a.z.b", "a.c.e.f",
        }  # fmt: skip
        assert at(root, "a.c") == at(root, "a.c")
        assert getattr(at(root, "a.c"), "keys", None) == ("n",)
    finally:
        kinds.kind_of.cache_clear()


def test_an_entry_with_a_word_that_none_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "TABLE", b"X: {volatil: {a: b}}")
    kinds._entries.cache_clear()
    try:
        with pytest.raises(ValueError, match="volatil"):
            kinds._entries()
    finally:
        monkeypatch.undo()
        kinds._entries.cache_clear()
