"""What serves and watches models beside endpoints, told by boto3 calls: one of each kind."""

import json
from typing import Any

from servers.moto import ACCOUNT, REGION, Moto

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/scoring/serve"
DIGEST = "sha256:" + "ab" * 32
PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service/runner"
BUCKET = "artifacts-bucket"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-0000-4000-8000-000000000000"
TAGS = [{"Key": "team", "Value": "risk"}]
CLUSTER = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
CARD = {"model_overview": {"model_id": f"{PREFIX}model/Model-0", "model_name": "risk"}}
RESOURCES = {"NumberOfCpuCoresRequired": 1.0, "MinMemoryRequiredInMb": 1024}
APP_IMAGE = {"KernelSpecs": [{"Name": "python3"}]}


def component(moto: Any, name: str = "Scorer", endpoint: str = "Endpoint-0", serves: str = "Model-0") -> None:
    """Let a model be served on an endpoint, in two copies."""
    moto.client("sagemaker").create_inference_component(
        InferenceComponentName=name,
        EndpointName=endpoint,
        VariantName="all",
        Specification={"ModelName": serves, "ComputeResourceRequirements": RESOURCES},
        RuntimeConfig={"CopyCount": 2},
        Tags=TAGS,
    )


def _input(kind: str, endpoint: str) -> dict[str, Any]:
    truth = {"GroundTruthS3Input": {"S3Uri": f"s3://{BUCKET}/truth"}} if kind.startswith("Model") else {}
    if kind == "ModelExplainability":
        truth = {}
    return {"EndpointInput": {"EndpointName": endpoint, "LocalPath": "/opt/ml/processing/input"}, **truth}


def _specification(kind: str) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if kind in {"ModelBias", "ModelExplainability"}:
        more = {"ConfigUri": f"s3://{BUCKET}/{kind}.json"}
    if kind == "ModelQuality":
        more = {"ProblemType": "BinaryClassification"}
    return {"ImageUri": f"{IMAGE}@{DIGEST}", **more}


def definition(moto: Any, kind: str, name: str = "", *, endpoint: str = "Endpoint-0", isolated: bool = True) -> None:
    """Define jobs that watch an endpoint: DataQuality, ModelQuality, ModelBias or ModelExplainability."""
    output = {"S3Output": {"S3Uri": f"s3://{BUCKET}/watched", "LocalPath": "/out"}}
    given = {
        "JobDefinitionName": name or f"{kind}-1",
        f"{kind}AppSpecification": _specification(kind),
        f"{kind}JobInput": _input(kind, endpoint),
        f"{kind}JobOutputConfig": {"MonitoringOutputs": [output], "KmsKeyId": KEY},
        "JobResources": {"ClusterConfig": CLUSTER},
        "NetworkConfig": {"EnableNetworkIsolation": isolated},
        "RoleArn": ROLE,
        "Tags": TAGS,
    }
    words = {
        "DataQuality": "data_quality",
        "ModelQuality": "model_quality",
        "ModelBias": "model_bias",
        "ModelExplainability": "model_explainability",
    }
    getattr(moto.client("sagemaker"), f"create_{words[kind]}_job_definition")(**given)


def scheduled(kind: str = "DataQuality", name: str = "", hours: int = 1) -> dict[str, Any]:
    """Return how often jobs of a definition are to be run."""
    when = {"ScheduleExpression": f"cron(0 0/{hours} ? * * *)"}
    return {
        "ScheduleConfig": when,
        "MonitoringJobDefinitionName": name or f"{kind}-1",
        "MonitoringType": kind,
    }


def schedule(moto: Any, name: str = "Hourly", kind: str = "DataQuality") -> None:
    """Watch an endpoint every hour."""
    moto.client("sagemaker").create_monitoring_schedule(
        MonitoringScheduleName=name, MonitoringScheduleConfig=scheduled(kind), Tags=TAGS
    )


def features(moto: Any, name: str = "Customers", count: int = 3, **more: Any) -> None:
    """Make a feature group with a store online and offline."""
    moto.client("sagemaker").create_feature_group(
        FeatureGroupName=name,
        RecordIdentifierFeatureName="f0",
        EventTimeFeatureName="f1",
        FeatureDefinitions=[{"FeatureName": f"f{n}", "FeatureType": "String"} for n in range(count)],
        **{
            "OnlineStoreConfig": {"EnableOnlineStore": True, "SecurityConfig": {"KmsKeyId": KEY}},
            "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": f"s3://{BUCKET}/features", "KmsKeyId": KEY}},
            "RoleArn": ROLE,
            "Tags": TAGS,
            **more,
        },
    )


def notebook(moto: Any, name: str = "Lab", **more: Any) -> None:
    """Make a notebook instance as the rules want it, but for what `more` says."""
    good = {
        "InstanceType": "ml.t3.medium",
        "RoleArn": ROLE,
        "SubnetId": "subnet-0a",
        "SecurityGroupIds": ["sg-0a"],
        "KmsKeyId": KEY,
        "DirectInternetAccess": "Disabled",
        "RootAccess": "Disabled",
        "PlatformIdentifier": "notebook-al2-v3",
        "LifecycleConfigName": "start",
        "Tags": TAGS,
    }
    moto.client("sagemaker").create_notebook_instance(NotebookInstanceName=name, **{**good, **more})


def domain(moto: Any, name: str = "Studio", **more: Any) -> None:
    """Make a domain of Studio, in a VPC unless `more` says otherwise."""
    settings = {
        "ExecutionRole": ROLE,
        "SecurityGroups": ["sg-0a"],
        "KernelGatewayAppSettings": {"CustomImages": [{"ImageName": "risk", "AppImageConfigName": "risk-app"}]},
    }
    given = {
        "AuthMode": "IAM",
        "DefaultUserSettings": settings,
        "SubnetIds": ["subnet-0a", "subnet-0b"],
        "VpcId": "vpc-0a",
        "AppNetworkAccessType": "VpcOnly",
        "KmsKeyId": KEY,
        "Tags": TAGS,
    }
    moto.client("sagemaker").create_domain(DomainName=name, **{**given, **more})


def card(moto: Any, name: str = "Risk-card") -> None:
    """Write a model card."""
    moto.client("sagemaker").create_model_card(
        ModelCardName=name, Content=json.dumps(CARD), ModelCardStatus="Draft", Tags=TAGS
    )


def experiment(moto: Any, name: str = "Shadow") -> None:
    """Try one model in the shadow of another."""
    infrastructure = {
        "InfrastructureType": "RealTimeInference",
        "RealTimeInferenceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    variants = [
        {"ModelName": "Model-0", "VariantName": each, "InfrastructureConfig": infrastructure} for each in ("now", "new")
    ]
    moto.client("sagemaker").create_inference_experiment(
        Name=name,
        Type="ShadowMode",
        RoleArn=ROLE,
        EndpointName="Endpoint-0",
        ModelVariants=variants,
        ShadowModeConfig={
            "SourceModelVariantName": "now",
            "ShadowModelVariants": [{"ShadowModelVariantName": "new", "SamplingPercentage": 50}],
        },
        DataStorageConfig={"Destination": f"s3://{BUCKET}/shadow", "KmsKey": KEY},
        Tags=TAGS,
    )


def image(moto: Any, name: str = "risk") -> None:
    """Make an image of Studio, and how an app runs it."""
    client = moto.client("sagemaker")
    client.create_image(ImageName=name, RoleArn=ROLE, Description="for risk", Tags=TAGS)
    client.create_app_image_config(AppImageConfigName=f"{name}-app", KernelGatewayImageConfig=APP_IMAGE, Tags=TAGS)


def things(moto: Moto) -> None:
    """Make one of each; models and an endpoint are there already."""
    component(moto)
    for kind in ("DataQuality", "ModelQuality", "ModelBias", "ModelExplainability"):
        definition(moto, kind)
    schedule(moto)
    features(moto)
    notebook(moto)
    domain(moto)
    card(moto)
    experiment(moto)
    image(moto)
