"""What the things of SageMaker point to, as their Describe answers say it: models, images, data, roles, keys."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lineal.core.config_item import Relationship
from lineal.sources.items_reading import Asker, Body

IMAGE: Final = "Image"
DATA: Final = "S3"
ROLE: Final = "AWS::IAM::Role"
KEY: Final = "AWS::KMS::Key"
_MODEL: Final = "AWS::SageMaker::Model"
_PACKAGE: Final = "AWS::SageMaker::ModelPackage"
# Members by which a job names what it reads and writes, whatever they stand in.
_URIS: Final = {
    "S3Uri": "data", "S3OutputPath": "output", "S3ModelArtifacts": "model data", "ModelDataUrl": "model data",
    "KmsKeyId": "key", "VolumeKmsKeyId": "key", "DataCapturedDestinationS3Uri": "capture", "ConfigUri": "data",
    "RecordPreprocessorSourceUri": "code", "PostAnalyticsProcessorSourceUri": "code",
}  # fmt: skip


def join_model(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield what a model is made of: images, data, packages, the role it runs as."""
    yield from asker.join("role", ROLE, body.get("ExecutionRoleArn"))
    for container in (body.get("PrimaryContainer"), *(body.get("Containers") or ())):
        yield from _container(asker, container or {})


def join_config(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield what an endpoint configuration serves, where it keeps what passes through, and its key."""
    for name, how in (("ProductionVariants", "serves"), ("ShadowProductionVariants", "shadows")):
        for variant in body.get(name) or ():
            yield from asker.join(how, _MODEL, variant.get("ModelName"))
    yield from asker.join("role", ROLE, body.get("ExecutionRoleArn"))
    yield from asker.join("key", KEY, body.get("KmsKeyId"))
    yield from place("capture", (body.get("DataCaptureConfig") or {}).get("DestinationS3Uri"))
    yield from uris(asker, body.get("AsyncInferenceConfig"))


def join_endpoint(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield the configuration of an endpoint, and the images that it runs."""
    yield from asker.join("configuration", "AWS::SageMaker::EndpointConfig", body.get("EndpointConfigName"))
    for name in ("ProductionVariants", "ShadowProductionVariants"):
        for variant in body.get(name) or ():
            for image in variant.get("DeployedImages") or ():
                yield from image_of("runs", image.get("ResolvedImage") or image.get("SpecifiedImage"))


def join_package(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield the group of a model package, and what the package holds."""
    yield from asker.join("group", "AWS::SageMaker::ModelPackageGroup", body.get("ModelPackageGroupName"))
    specifications = (body.get("InferenceSpecification"), *(body.get("AdditionalInferenceSpecifications") or ()))
    for each in specifications:
        for container in (each or {}).get("Containers") or ():
            yield from _container(asker, container)
    yield from place("source", body.get("SourceUri"))
    for algorithm in (body.get("SourceAlgorithmSpecification") or {}).get("SourceAlgorithms") or ():
        yield from place("model data", algorithm.get("ModelDataUrl"))
    yield from uris(asker, body.get("ModelMetrics"))


def join_pipeline(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield the role of a pipeline."""
    yield from asker.join("role", ROLE, body.get("RoleArn"))


def join_job(asker: Asker, body: Body) -> Iterator[Relationship]:
    """Yield what a job ran as and on what, and what it read and wrote."""
    yield from asker.join("role", ROLE, body.get("RoleArn"))
    yield from asker.join("model", _MODEL, body.get("ModelName"))
    for holder, name in (("AlgorithmSpecification", "TrainingImage"), ("AppSpecification", "ImageUri")):
        yield from image_of("image", (body.get(holder) or {}).get(name))
    yield from uris(asker, body)


def image_of(how: str, uri: object) -> Iterator[Relationship]:
    """Yield how something is joined to an image, if it names one."""
    if isinstance(uri, str) and uri:
        yield Relationship(IMAGE, uri, how)


def uris(asker: Asker, value: Any) -> Iterator[Relationship]:
    """Yield the data and keys that are named anywhere in `value`."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name not in _URIS:
                yield from uris(asker, each)
            elif _URIS[name] == "key":
                yield from asker.join("key", KEY, each)
            else:
                yield from place(_URIS[name], each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from uris(asker, each)


def _container(asker: Asker, container: Mapping[str, Any]) -> Iterator[Relationship]:
    image, digest = str(container.get("Image") or ""), str(container.get("ImageDigest") or "")
    yield from image_of("image", image)
    if digest.startswith("sha256:") and "@" not in image and image:
        path, _, name = image.rpartition("/")
        yield from image_of("image", f"{path}/{name.partition(':')[0]}@{digest}".lstrip("/"))
    yield from asker.join("package", _PACKAGE, container.get("ModelPackageName"))
    yield from place("model data", container.get("ModelDataUrl"))
    sources = [container.get("ModelDataSource"), *(container.get("AdditionalModelDataSources") or ())]
    for each in sources:
        yield from place("model data", ((each or {}).get("S3DataSource") or {}).get("S3Uri"))


def place(how: str, uri: object) -> Iterator[Relationship]:
    """Yield how something is joined to a place in S3, if it names one."""
    if isinstance(uri, str) and uri.startswith("s3://"):
        yield Relationship(DATA, uri, how)
