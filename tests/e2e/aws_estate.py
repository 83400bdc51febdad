"""An account of AWS as moto plays it, with one of everything that `lineal collect aws` reads, told by boto3 calls."""

import json
from collections.abc import Sequence
from typing import Any

import aws_things
from aws_things import BUCKET, DIGEST, IMAGE, PREFIX, ROLE

from lineal.app.aws_scopes import open_scopes
from lineal.app.collect_aws import AwsCollected, collect_aws
from lineal.app.session import Session
from lineal.core.config_item import ConfigItem
from servers.moto import REGION, Moto

TEMPLATE = """AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  Name:
    Type: String
    Default: made-by-stack
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub '${Name}-bucket'
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "codepipeline.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
ALLOWED = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}

LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 9},
            "action": {"type": "expire"},
        }
    ]
}


def role(moto: Moto) -> None:
    """Make the role that everything runs as, with a policy of each sort."""
    iam = moto.client("iam")
    iam.create_role(
        RoleName="runner",
        Path="/service/",
        AssumeRolePolicyDocument=json.dumps(TRUST),
        Tags=[{"Key": "a", "Value": "b"}],
    )
    made = iam.create_policy(PolicyName="reads", PolicyDocument=json.dumps(ALLOWED))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="runner", PolicyArn=made)
    iam.put_role_policy(RoleName="runner", PolicyName="inline", PolicyDocument=json.dumps(ALLOWED))


def model(moto: Moto, number: int, region: str = REGION) -> None:
    """Make the model ``Model-NUMBER``."""
    moto.client("sagemaker", region).create_model(
        ModelName=f"Model-{number}",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={
            "Image": f"{IMAGE}@{DIGEST}",
            "ModelDataUrl": f"s3://{BUCKET}/model-{number}.tar.gz",
            "Environment": {"API_TOKEN": "hunter2hunter2", "WORKERS": "2"},
        },
        Tags=[{"Key": "team", "Value": "risk"}],
    )


def endpoint_config(moto: Moto, name: str, serves: str = "Model-0", region: str = REGION) -> None:
    """Make an endpoint configuration of one model."""
    variant = {"VariantName": "all", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    moto.client("sagemaker", region).create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[{**variant, "ModelName": serves, "InitialVariantWeight": 1.0}]
    )


def second_config(moto: Moto) -> None:
    """Make the endpoint configuration ``Second``, which serves the first model."""
    endpoint_config(moto, "Second")


def models(moto: Moto, count: int = 1, region: str = REGION) -> None:
    """Make models ``Model-0`` …, an endpoint configuration and an endpoint for each."""
    for number in range(count):
        model(moto, number, region)
        endpoint_config(moto, f"Config-{number}", f"Model-{number}", region)
        moto.client("sagemaker", region).create_endpoint(
            EndpointName=f"Endpoint-{number}", EndpointConfigName=f"Config-{number}"
        )


def registry(moto: Moto) -> str:
    """Register one model package; return its ARN."""
    client = moto.client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName="Risk")
    made = client.create_model_package(
        ModelPackageGroupName="Risk",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [
                {"Image": f"{IMAGE}:1", "ImageDigest": DIGEST, "ModelDataUrl": f"s3://{BUCKET}/risk.tar.gz"}
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    return str(made["ModelPackageArn"])


def jobs(moto: Moto, name: str = "Train-1") -> None:
    """Train once; moto ends the job at once."""
    moto.client("sagemaker").create_training_job(
        TrainingJobName=name,
        HyperParameters={"lr": "0.1"},
        AlgorithmSpecification={"TrainingImage": f"{IMAGE}@{DIGEST}", "TrainingInputMode": "File"},
        RoleArn=ROLE,
        InputDataConfig=[
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/clean"}},
            }
        ],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 100},
    )


def sagemaker_pipeline(moto: Moto) -> None:
    """Define the pipeline ``nightly``."""
    definition = {"Version": "2020-12-01", "Steps": [{"Name": "train", "Env": {"API_KEY": "hunter2hunter2"}}]}
    moto.client("sagemaker").create_pipeline(
        PipelineName="nightly", RoleArn=ROLE, ClientRequestToken="t" * 32, PipelineDefinition=json.dumps(definition)
    )


def pipeline_of(project: str = "builds") -> dict[str, Any]:
    """Return a pipeline that builds from a bucket."""

    def action(name: str, category: str, provider: str, **given: Any) -> dict[str, Any]:
        kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
        return {"name": name, "actionTypeId": kind, **given}

    source = action(
        "take", "Source", "S3", configuration={"S3Bucket": BUCKET, "S3ObjectKey": "k"}, outputArtifacts=[{"name": "o"}]
    )
    build = action("make", "Build", "CodeBuild", configuration={"ProjectName": project}, inputArtifacts=[{"name": "o"}])
    return {
        "name": "release",
        "roleArn": ROLE,
        "artifactStore": {"type": "S3", "location": BUCKET},
        "stages": [{"name": "Source", "actions": [source]}, {"name": "Build", "actions": [build]}],
    }


def project(moto: Moto, name: str = "builds") -> None:
    """Make a project of CodeBuild."""
    moto.client("codebuild").create_project(
        name=name,
        source={"type": "S3", "location": f"{BUCKET}/source.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": f"{IMAGE}:1",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "DB_PASSWORD", "value": "hunter2hunter2", "type": "PLAINTEXT"}],
        },
        serviceRole=ROLE,
        tags=[{"key": "team", "value": "risk"}],
    )


def builds(moto: Moto) -> None:
    """Make a pipeline and the project that it builds with."""
    moto.client("codepipeline").create_pipeline(pipeline=pipeline_of(), tags=[{"key": "team", "value": "risk"}])
    project(moto)


def stack(moto: Moto) -> None:
    """Make a stack of one bucket."""
    moto.client("cloudformation").create_stack(
        StackName="serving", TemplateBody=TEMPLATE, Tags=[{"Key": "team", "Value": "risk"}]
    )


def repository(moto: Moto, name: str = "scoring/serve", *tags: str) -> None:
    """Make a repository with an image under some tags."""
    client = moto.client("ecr")
    client.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "risk"}])
    client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(LIFECYCLE))
    for tag in tags or ("v1", "prod"):
        push(moto, name, tag)


def push(moto: Moto, name: str, tag: str, config: str = "a") -> None:
    """Push an image whose configuration has the digest of `config` letters, under a tag."""
    media = "application/vnd.docker.distribution.manifest.v2+json"
    held = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": f"sha256:{config * 64}"}
    document = {"schemaVersion": 2, "mediaType": media, "config": held, "layers": [held]}
    moto.client("ecr").put_image(repositoryName=name, imageManifest=json.dumps(document), imageTag=tag)


def watchers(moto: Moto) -> None:
    """Make a trail that logs, a recorder that does not record, and let an endpoint be scaled."""
    moto.client("s3").create_bucket(Bucket="trail-bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    trail = moto.client("cloudtrail")
    trail.create_trail(Name="main", S3BucketName="trail-bucket", TagsList=[{"Key": "team", "Value": "security"}])
    trail.start_logging(Name="main")
    moto.client("config").put_configuration_recorder(ConfigurationRecorder={"name": "default", "roleARN": ROLE})
    moto.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId="endpoint/Endpoint-0/variant/all",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=4,
    )


def everything(moto: Moto) -> None:
    """Make one of everything."""
    moto.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    role(moto)
    models(moto)
    registry(moto)
    jobs(moto)
    sagemaker_pipeline(moto)
    builds(moto)
    stack(moto)
    repository(moto)
    watchers(moto)
    aws_things.things(moto)


def collected(session: Session, *regions: str, roles: Sequence[str] = (), **more: Any) -> AwsCollected:
    """Look at the regions."""
    return collect_aws(session, open_scopes(regions or (REGION,), roles=roles), **more)


def new(session: Session, *regions: str, **more: Any) -> list[tuple[str, str]]:
    """Look, and return what was recorded anew: status and type, in order."""
    before = {item.digest() for _, items in session.configuration.all_items() for item in items}
    done = collected(session, *regions, **more)
    every = [item for _, items in session.configuration.all_items() for item in items]
    found = [(item.status, item.resource.type) for item in every if item.digest() not in before]
    assert done.recorded == len(found)
    return sorted(found)


def history(session: Session, key: str) -> list[ConfigItem]:
    """Return every item of a resource."""
    return session.configuration.items([key])[key]


__all__ = [
    "BUCKET", "DIGEST", "IMAGE", "PREFIX", "ROLE", "collected", "everything", "history", "new",
]  # fmt: skip
