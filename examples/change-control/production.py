"""The production of the story: an account of AWS with a model in service, its trail, and the people who change it.

AWS is played by moto, and CloudTrail by a wrapper around it that writes records, log files and signed digests in the
shape of AWS's own. Both are those of Lineal's tests; nothing of it is AWS.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))  # the servers are those of the tests

BUCKET: Final = "acme-trail"
ENDPOINT: Final = "risk-prod"
PROJECT: Final = "risk-build"
PIPELINE: Final = "risk-release"
_ACCOUNT: Final = "123456789012"
_IMAGE: Final = f"{_ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/risk@sha256:" + "ab" * 32


class Production:
    """The account while the story is told. Every method is something that somebody does to it."""

    def __init__(self, trail: Any) -> None:
        from servers.cloud_people import autoscaling, person, role

        self.trail = trail
        self.ci = role(f"arn:aws:iam::{_ACCOUNT}:role/ci/deploy", "build-1042")
        self.admin = person("ana")
        self.eve = person("eve", console=True)
        self.scaler = autoscaling()

    def aws(self, service: str, who: Any) -> Any:
        """Return the client with which somebody calls a service."""
        return self.trail.client(service, who)

    def set_up(self) -> None:
        """Make what is in production before the story begins, and switch the trail on."""
        where = {"LocationConstraint": "eu-west-1"}
        self.aws("s3", self.admin).create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        trail = self.aws("cloudtrail", self.admin)
        trail.create_trail(Name="main", S3BucketName=BUCKET, IsMultiRegionTrail=True, EnableLogFileValidation=True)
        trail.start_logging(Name="main")
        for name, service in (("runner", "sagemaker"), ("build", "codebuild"), ("release", "codepipeline")):
            self._make_role(name, service)
        self._make_release("risk-1", 1)
        self.aws("sagemaker", self.ci).create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="risk-1")
        self.aws("codebuild", self.ci).create_project(
            name=PROJECT,
            source={"type": "S3", "location": "acme-code/risk.zip"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/standard:7.0",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
            serviceRole=f"arn:aws:iam::{_ACCOUNT}:role/build",
            timeoutInMinutes=60,
        )
        self.aws("codepipeline", self.ci).create_pipeline(pipeline=_pipeline("main"))

    def _make_role(self, name: str, service: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        self.aws("iam", self.admin).create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))

    def _make_release(self, name: str, count: int) -> None:
        aws = self.aws("sagemaker", self.ci)
        data = f"s3://acme-models/{name}/model.tar.gz"
        container = {"Image": _IMAGE, "ModelDataUrl": data}
        role = f"arn:aws:iam::{_ACCOUNT}:role/runner"
        aws.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
        variant = {
            "VariantName": "all",
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": count,
            "InitialVariantWeight": 1.0,
        }
        aws.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])

    def deploy(self) -> None:
        """Let CI put the next release behind the endpoint."""
        self._make_release("risk-2", 2)
        self.aws("sagemaker", self.ci).update_endpoint(EndpointName=ENDPOINT, EndpointConfigName="risk-2")

    def fix_in_the_console(self) -> None:
        """Let Eve change the build by hand, without a ticket."""
        self.aws("codebuild", self.eve).update_project(name=PROJECT, description="hot fix, will tell you later")

    def change_and_put_back(self) -> None:
        """Let Eve change the build for a moment: nothing of it is left when somebody looks."""
        aws = self.aws("codebuild", self.eve)
        for minutes in (480, 60):
            aws.update_project(name=PROJECT, timeoutInMinutes=minutes)
            self.wait(0.1)

    def change_behind_the_trail(self) -> None:
        """Change where the pipeline takes its code from, so that no trail tells of it: in what moto keeps."""
        from servers.cloud_patches import Backends

        kept = Backends().codepipeline.pipelines[PIPELINE].pipeline
        kept["stages"][0]["actions"][0]["configuration"]["S3Bucket"] = "somebody-elses-code"
        kept["version"] += 1

    def scale(self) -> None:
        """Let Application Auto Scaling ask for more instances."""
        self.aws("sagemaker", self.scaler).update_endpoint_weights_and_capacities(
            EndpointName=ENDPOINT,
            DesiredWeightsAndCapacities=[{"VariantName": "all", "DesiredInstanceCount": 4, "DesiredWeight": 1.0}],
        )

    def widen_while_nobody_listens(self) -> None:
        """Let Eve switch the trail off, let the role of the models do everything, and switch it on again."""
        trail = self.aws("cloudtrail", self.eve)
        trail.stop_logging(Name="main")
        wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        self.aws("iam", self.eve).put_role_policy(RoleName="runner", PolicyName="more", PolicyDocument=json.dumps(wide))
        self.wait(1)
        trail.start_logging(Name="main")

    def wait(self, hours: float) -> None:
        """Let some hours pass: the trail delivers what is due, and signs for each hour."""
        self.trail.advance(hours=hours)


def _pipeline(branch: str) -> dict[str, Any]:
    def action(name: str, category: str, provider: str, **configuration: str) -> dict[str, Any]:
        kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
        return {"name": name, "actionTypeId": kind, "configuration": configuration, "runOrder": 1}

    source = action("fetch", "Source", "S3", S3Bucket="acme-code", S3ObjectKey=f"{branch}.zip")
    build = action("build", "Build", "CodeBuild", ProjectName=PROJECT)
    return {
        "name": PIPELINE,
        "roleArn": f"arn:aws:iam::{_ACCOUNT}:role/release",
        "artifactStore": {"type": "S3", "location": "acme-artifacts"},
        "stages": [{"name": "Source", "actions": [source]}, {"name": "Build", "actions": [build]}],
        "version": 1,
    }


@contextmanager
def open_production() -> Iterator[Production]:
    """Start moto with a trail around it while the block runs, on a Monday morning in October."""
    from servers.cloud_trail import trail_server

    with trail_server(datetime(2026, 10, 5, 6, tzinfo=UTC)) as trail:
        yield Production(trail)
