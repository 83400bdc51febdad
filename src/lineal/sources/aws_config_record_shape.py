"""Records of AWS Config in the words of the service itself, where nothing is lost by that.

A record that says all that the service says of a resource becomes an item of the shape ``api``, and is compared with
what was asked of the service. One that leaves something out stays in the words of AWS Config: a field that it does not
record would look like a change. So it is for most types:

- CodeBuild projects: values of environment variables are masked, subnets are spelled differently.
- CloudFormation stacks: there is no template. ECR repositories: no tags of images. IAM roles: no longest session.

Sources: awslabs/aws-config-resource-schema for what AWS Config records; botocore's models of DescribeModel,
DescribeEndpointConfig and GetPipeline for what these say.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.plain import plain
from lineal.core.resource import key_of
from lineal.sources.aws_config_record import SUPPLEMENT, read_moment

_MODEL: Final = frozenset(
    "ModelName PrimaryContainer Containers InferenceExecutionConfig ExecutionRoleArn VpcConfig EnableNetworkIsolation "  # noqa: SIM905
    "CreationTime ModelArn".split()
)
_CONTAINER: Final = frozenset(
    "ContainerHostname Image ImageConfig Mode ModelDataUrl ModelDataSource AdditionalModelDataSources Environment "  # noqa: SIM905
    "ModelPackageName InferenceSpecificationName MultiModelConfig".split()
)
_ENDPOINT_CONFIG: Final = frozenset(
    "EndpointConfigName EndpointConfigArn ProductionVariants DataCaptureConfig KmsKeyId CreationTime "  # noqa: SIM905
    "AsyncInferenceConfig ExplainerConfig ShadowProductionVariants ExecutionRoleArn VpcConfig "
    "EnableNetworkIsolation MetricsConfig".split()
)
_VARIANT: Final = frozenset(
    "VariantName ModelName InitialInstanceCount InstanceType InitialVariantWeight AcceleratorType CoreDumpConfig "  # noqa: SIM905
    "ServerlessConfig VolumeSizeInGB ModelDataDownloadTimeoutInSeconds ContainerStartupHealthCheckTimeoutInSeconds "
    "EnableSSMAccess ManagedInstanceScaling RoutingConfig InferenceAmiVersion CapacityReservationConfig".split()
)
# What CloudFormation's handlers, by which AWS Config reads newer types, say beside what the service says.
_HANDLER: Final = frozenset({"Id", "Tags"})
_PIPELINE: Final = frozenset({"pipeline", "metadata"})
_PIPELINE_ALWAYS: Final = frozenset({"name", "roleArn", "stages", "version", "pipelineType", "executionMode"})
_MOMENTS: Final = ("created", "updated", "pollingDisabledAt")


def as_api(item: ConfigItem) -> ConfigItem:
    """Return a record of AWS Config in the service's own words if it says all that the service says, else as it is."""
    make = _MAKERS.get(item.resource.type)
    said = item.configuration
    if make is None or item.status != "ok":
        return item
    found = make(_without_nulls(said), item)
    if found is None:
        return item
    # What supplements a record counts in the words of AWS Config; beside the service's own it is a note.
    extra = {"supplementaryConfiguration" if name == SUPPLEMENT else name: each for name, each in item.extra.items()}
    tags = item.tags or _tags(said.get("Tags"))
    pointers = dict.fromkeys((*item.relationships, *_pointers(found, item)))
    return replace(item, shape="api", configuration=found, tags=tags, relationships=tuple(pointers), extra=extra)


def _model(said: dict[str, Any], item: ConfigItem) -> dict[str, Any] | None:
    several = said.get("Containers", [])
    first = [said["PrimaryContainer"]] if "PrimaryContainer" in said else []
    if not (first or several) or not _fits(several, _CONTAINER) or not _fits(first, _CONTAINER):
        return None
    named = {"ModelName": item.resource.name, **_bare(said)}
    if "EnableNetworkIsolation" not in named or not named.keys() <= _MODEL:
        return None
    return _stamped(named, "ModelArn", item)


def _endpoint_config(said: dict[str, Any], item: ConfigItem) -> dict[str, Any] | None:
    found = {"EndpointConfigName": item.resource.name, **_bare(said)}
    variants = found.get("ProductionVariants")
    if not isinstance(variants, list) or not variants or not found.keys() <= _ENDPOINT_CONFIG:
        return None
    for field in ("ProductionVariants", "ShadowProductionVariants"):
        if not _fits(found.get(field, []), _VARIANT):
            return None
        if field in found:
            found[field] = [_weigh(each) for each in found[field]]
    return _stamped(found, "EndpointConfigArn", item)


def _fits(listed: Any, fields: frozenset[str]) -> bool:
    """Return whether something is a list of objects that have no field but these."""
    return isinstance(listed, list) and all(isinstance(each, dict) and each.keys() <= fields for each in listed)


def _weigh(variant: Mapping[str, Any]) -> dict[str, Any]:
    """Return a variant whose weight is a decimal, as the service gives it: 1 and 1.0 are one weight."""
    weight = variant.get("InitialVariantWeight")
    try:
        return {**variant, "InitialVariantWeight": plain(float(weight))} if weight is not None else dict(variant)
    except (TypeError, ValueError):
        return dict(variant)


def _pipeline(said: dict[str, Any], _item: ConfigItem) -> dict[str, Any] | None:
    pipeline, metadata = said.get("pipeline"), said.get("metadata", {})
    if not isinstance(pipeline, dict) or not isinstance(metadata, dict) or not said.keys() <= _PIPELINE:
        return None
    if not pipeline.keys() >= _PIPELINE_ALWAYS:
        return None
    moments = {name: read_moment(metadata[name]) or metadata[name] for name in _MOMENTS if name in metadata}
    return {"pipeline": pipeline, "metadata": {**metadata, **moments}}


def _bare(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in _HANDLER}


def _stamped(found: dict[str, Any], arn: str, item: ConfigItem) -> dict[str, Any]:
    """Return what was found with the name and moment that the service says beside it."""
    stamps: dict[str, Any] = {arn: item.extra.get("arn", item.resource.key)}
    if item.created is not None:
        stamps["CreationTime"] = item.created
    return {**stamps, **found}


def _pointers(found: Mapping[str, Any], item: ConfigItem) -> Iterator[Relationship]:
    """Yield what the service's own words point to, as it is recorded of what the service was asked."""
    containers = [found["PrimaryContainer"]] if "PrimaryContainer" in found else []
    for each in [*containers, *found.get("Containers", [])]:
        if isinstance(each.get("Image"), str):
            yield Relationship("Image", each["Image"], "image")
        if isinstance(each.get("ModelDataUrl"), str):
            yield Relationship("S3", each["ModelDataUrl"], "model data")
        if isinstance(each.get("ModelPackageName"), str):
            yield Relationship("AWS::SageMaker::ModelPackage", key_of(each["ModelPackageName"]), "package")
    for each in found.get("ProductionVariants", []):
        if isinstance(each.get("ModelName"), str):
            kind = "AWS::SageMaker::Model"
            stem = item.resource.key.partition(":endpoint-config/")[0]
            yield Relationship(kind, f"{stem}:model/{each['ModelName'].lower()}", "serves")
    role = found.get("ExecutionRoleArn") or found.get("pipeline", {}).get("roleArn")
    if isinstance(role, str):
        yield Relationship("AWS::IAM::Role", key_of(role), "role")


def _tags(value: Any) -> dict[str, str]:
    pairs = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    return {str(each.get("Key")): str(each.get("Value", "")) for each in pairs}


def _without_nulls(value: Any) -> Any:
    """Return a document without what is null in it: AWS Config writes null where the service says nothing."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


_MAKERS: Final[dict[str, Callable[[dict[str, Any], ConfigItem], dict[str, Any] | None]]] = {
    "AWS::CodePipeline::Pipeline": _pipeline,
    "AWS::SageMaker::EndpointConfig": _endpoint_config,
    "AWS::SageMaker::Model": _model,
}
