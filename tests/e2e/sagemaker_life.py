"""A model's life in SageMaker, as moto plays it: told by boto3 calls, and by what no call can change."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lineal.app.aws_scopes import open_scope
from lineal.app.collect import Collected
from lineal.app.collect_sagemaker import collect_sagemaker
from lineal.app.session import Session
from lineal.wiring import Settings, create, open_session
from servers.moto import ACCOUNT, REGION, Moto

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/train"
DIGEST = "sha256:" + "ab" * 32
ROLE = f"arn:aws:iam::{ACCOUNT}:role/runner"
COMMIT = "1f" * 20
BUCKET = "data-bucket"
PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
DATA = f"s3://{BUCKET}/out/Train-1/output/model.tar.gz"


@dataclass
class Account:
    """One account with a bucket, and the calls that make a model and put it into service."""

    moto: Moto
    region: str = REGION
    clock: datetime | None = field(default=None)

    def __post_init__(self) -> None:
        self.sagemaker = self.moto.client("sagemaker", self.region)
        self.s3 = self.moto.client("s3", self.region)

    def bucket(self) -> None:
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": self.region})

    def put(self, key: str, content: bytes, minutes: int = 0, **more: Any) -> None:
        """Write an object, as if some minutes from now."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content, **more)
        if minutes:
            self.moto.object(BUCKET, key).last_modified = ago(-minutes).replace(tzinfo=None)

    def process(self, name: str = "Prep-1", **more: Any) -> None:
        self.sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=ROLE,
            AppSpecification={"ImageUri": f"{IMAGE}@{DIGEST}", "ContainerEntrypoint": ["python3", "prep.py"]},
            ProcessingResources={
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            ProcessingInputs=[_input("raw", f"s3://{BUCKET}/raw/"), _input("code", f"s3://{BUCKET}/code/prep.py")],
            ProcessingOutputConfig={
                "Outputs": [
                    {
                        "OutputName": "clean",
                        "S3Output": {
                            "S3Uri": f"s3://{BUCKET}/clean/",
                            "LocalPath": "/opt/ml/processing/out",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            **more,
        )

    def train(self, name: str = "Train-1", *, image: str = f"{IMAGE}@{DIGEST}", **hyper: str) -> None:
        self.sagemaker.create_training_job(
            TrainingJobName=name,
            HyperParameters={"lr": "0.1", **hyper},
            AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
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
        self.put(f"out/{name}/output/model.tar.gz", f"model of {name}".encode())

    def package(self, group: str = "Risk", status: str = "PendingManualApproval", data: str = DATA, **more: Any) -> str:
        names = {each["ModelPackageGroupName"] for each in self._groups()}
        if group not in names:
            self.sagemaker.create_model_package_group(ModelPackageGroupName=group)
        made = self.sagemaker.create_model_package(
            ModelPackageGroupName=group,
            ModelApprovalStatus=status,
            InferenceSpecification={
                "Containers": [{"Image": f"{IMAGE}:1", "ImageDigest": DIGEST, "ModelDataUrl": data}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            **{
                "MetadataProperties": {"CommitId": COMMIT, "Repository": "https://github.com/acme/risk"},
                **more,
            },
        )
        return str(made["ModelPackageArn"])

    def _groups(self) -> list[dict[str, Any]]:
        return list(self.sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"])

    def decide(self, package: str, status: str = "Approved", by: str = "bob") -> None:
        self.sagemaker.update_model_package(
            ModelPackageArn=package, ModelApprovalStatus=status, ApprovalDescription="looked at it"
        )
        kept = next(each for each in self.kept.model_packages.values() if each.arn == package)
        kept.last_modified_by = {"UserProfileName": by, "DomainId": "d-1"}

    def model(self, name: str = "risk-1", package: str | None = None) -> None:
        container = {"ModelPackageName": package} if package else {"Image": f"{IMAGE}@{DIGEST}", "ModelDataUrl": DATA}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)

    def config(self, name: str, model: str = "risk-1", count: int = 1) -> None:
        variant = {"VariantName": "all", "ModelName": model, "InitialInstanceCount": count, "InitialVariantWeight": 1.0}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}]
        )

    def deploy(self, config: str, name: str = "Scorer") -> None:
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)

    @property
    def kept(self) -> Any:
        return self.moto.sagemaker(self.region)

    def to_production(self) -> str:
        """Tell the whole life, in the order of its events; return the package."""
        self.put("raw/a.csv", b"1,2\n")
        self.put("code/prep.py", b"print()\n")
        self.put("clean/a.csv", b"1,2\n")
        self.process()
        self.train()
        package = self.package()
        self.decide(package)
        self.model(package=package)
        self.config("first")
        self.deploy("first")
        return package

    def shift(self, things: dict[str, Any], **by: int) -> None:
        """Move everything that moto keeps of some things in time, such as ``minutes=-5``."""
        for each in things.values():
            for name, value in vars(each).items():
                if isinstance(value, datetime):
                    setattr(each, name, value + timedelta(**by))


def ago(minutes: int) -> datetime:
    """Return a moment some minutes ago."""
    return datetime.now(UTC) - timedelta(minutes=minutes)


def _input(name: str, uri: str) -> dict[str, Any]:
    place = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": place}


@contextmanager
def ledger_in(folder: Path) -> Iterator[Session]:
    """Give a session of a fresh ledger in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    create(Settings(), folder, "lineal.test/sagemaker")
    with open_session(Settings(ledger=str(folder / ".lineal"), actor="collector")) as session:
        yield session


def look(session: Session, region: str | None = None, **options: Any) -> Collected:
    """Collect once, with whatever the environment says."""
    return collect_sagemaker(session, open_scope(region, None), **options)


def use(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """Let this process find AWS where `variables` say, and nowhere else, without patience."""
    for name, value in {**variables, "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def codes(done: Collected) -> set[str]:
    return {gap.code for gap in done.gaps}
