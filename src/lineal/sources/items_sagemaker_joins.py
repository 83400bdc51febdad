"""What things of SageMaker beside endpoints point to, as their Describe answers say it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lineal.core.config_item import Relationship
from lineal.sources.items_reading import Asker, Body
from lineal.sources.items_sagemaker_uses import KEY, ROLE, image_of, place, uris

ENDPOINT: Final = "AWS::SageMaker::Endpoint"
_MODEL: Final = "AWS::SageMaker::Model"
_COMPONENT: Final = "AWS::SageMaker::InferenceComponent"
_IMAGE: Final = "AWS::SageMaker::Image"
_APP_IMAGE: Final = "AWS::SageMaker::AppImageConfig"


def join_component(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield the endpoint on which an inference component runs, its model or image, and what it is based on."""
    yield from asker.join("endpoint", ENDPOINT, body.get("EndpointName"))
    for each in (body.get("Specification"), *(body.get("Specifications") or ())):
        said = each or {}
        container = said.get("Container") or {}
        image = container.get("DeployedImage") or {}
        yield from asker.join("serves", _MODEL, said.get("ModelName"))
        yield from asker.join("base", _COMPONENT, said.get("BaseInferenceComponentName"))
        yield from image_of("runs", image.get("ResolvedImage") or image.get("SpecifiedImage"))
        yield from place("model data", container.get("ArtifactUrl"))


def join_schedule(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield the endpoint that a schedule watches, the definition of its jobs, or what they are if it says so itself."""
    config = body.get("MonitoringScheduleConfig") or {}
    kind = config.get("MonitoringType") or body.get("MonitoringType")
    yield from asker.join("watches", ENDPOINT, body.get("EndpointName"))
    if kind:
        yield from asker.join(
            "definition", f"AWS::SageMaker::{kind}JobDefinition", config.get("MonitoringJobDefinitionName")
        )
    inline = config.get("MonitoringJobDefinition") or {}
    yield from asker.join("role", ROLE, inline.get("RoleArn"))
    yield from image_of("image", (inline.get("MonitoringAppSpecification") or {}).get("ImageUri"))
    for each in inline.get("MonitoringInputs") or ():
        yield from asker.join("watches", ENDPOINT, (each.get("EndpointInput") or {}).get("EndpointName"))
    yield from uris(asker, inline)


def join_definition(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield what jobs of a definition watch, run as and on, compare with, and write."""
    yield from asker.join("role", ROLE, body.get("RoleArn"))
    for name, value in body.items():
        if name.endswith("JobInput"):
            yield from asker.join("watches", ENDPOINT, (value.get("EndpointInput") or {}).get("EndpointName"))
        elif name.endswith("AppSpecification"):
            yield from image_of("image", value.get("ImageUri"))
    yield from uris(asker, body)


def join_features(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield the role of a feature group, its keys, and where its offline store is."""
    yield from asker.join("role", ROLE, body.get("RoleArn"))
    online = (body.get("OnlineStoreConfig") or {}).get("SecurityConfig") or {}
    offline = (body.get("OfflineStoreConfig") or {}).get("S3StorageConfig") or {}
    for each in (online, offline):
        yield from asker.join("key", KEY, each.get("KmsKeyId"))
    yield from place("store", offline.get("ResolvedOutputS3Uri") or offline.get("S3Uri"))


def join_notebook(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield the role of a notebook instance, its key, and what it runs when it starts."""
    yield from asker.join("role", ROLE, body.get("RoleArn"))
    yield from asker.join("key", KEY, body.get("KmsKeyId"))
    lifecycle = "AWS::SageMaker::NotebookInstanceLifecycleConfig"
    yield from asker.join("runs", lifecycle, body.get("NotebookInstanceLifecycleConfigName"))


def join_domain(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield the key of a domain, and the roles and images that its settings name."""
    yield from asker.join("key", KEY, body.get("KmsKeyId") or body.get("HomeEfsFileSystemKmsKeyId"))
    for name in ("DefaultUserSettings", "DefaultSpaceSettings", "DomainSettings"):
        yield from _settings(asker, body.get(name))


def _settings(asker: Asker, value: Any) -> Iterator[Relationship]:
    for name, each in value.items() if isinstance(value, Mapping) else ():
        if name.endswith(("ExecutionRole", "RoleArn")):
            yield from asker.join("role", ROLE, each)
        elif name == "CustomImages":
            for image in each or ():
                yield from asker.join("image", _IMAGE, image.get("ImageName"))
                yield from asker.join("app", _APP_IMAGE, image.get("AppImageConfigName"))
        elif isinstance(each, Mapping):
            yield from _settings(asker, each)


def join_card(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield the key of a model card, and the model or package that it describes, where it names one by its ARN."""
    yield from asker.join("key", KEY, (body.get("SecurityConfig") or {}).get("KmsKeyId"))
    content = body.get("Content")
    for section, name, kind in (
        ("model_overview", "model_id", _MODEL),
        ("model_package_details", "model_package_arn", "AWS::SageMaker::ModelPackage"),
    ):
        said = content.get(section) if isinstance(content, Mapping) else None
        named = said.get(name) if isinstance(said, Mapping) else None
        if isinstance(named, str) and named.startswith("arn:"):
            yield from asker.join("describes", kind, named)


def join_experiment(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield the endpoint on which an experiment runs, the models it compares, its role and what it keeps."""
    yield from asker.join("endpoint", ENDPOINT, (body.get("EndpointMetadata") or {}).get("EndpointName"))
    for each in body.get("ModelVariants") or ():
        yield from asker.join("serves", _MODEL, each.get("ModelName"))
    yield from asker.join("role", ROLE, body.get("RoleArn"))
    kept = body.get("DataStorageConfig") or {}
    for key in (body.get("KmsKey"), kept.get("KmsKey")):
        yield from asker.join("key", KEY, key)
    yield from place("capture", kept.get("Destination"))


def join_image(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield the role of an image of Studio."""
    yield from asker.join("role", ROLE, body.get("RoleArn"))
