"""A world for a month of production life: one account in two regions, its people, its trail, and Lineal beside it.

Time is the trail's clock; what is done goes over HTTP to moto, what is told comes out of files in S3. The acts stand in
`month_acts`; what each of them must be judged as is said here, by `expect`.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from lineal import wiring
from lineal.app.aws_scopes import AwsScope, open_scopes
from lineal.app.collect_aws import collect_aws
from lineal.app.collect_cloudtrail import TrailRequest, collect_trail
from lineal.app.session import Session
from lineal.core import timestamp
from lineal.core.change import ALLOWED, ChangeApproval, Judgement
from lineal.core.observation import Gap, Observation
from lineal.core.resource import make_resource
from lineal.wiring import Settings, create, open_session
from servers.cloud_patches import Backends
from servers.cloud_people import Identity, person, role
from servers.cloud_trail import CloudTrail, trail_server
from servers.moto import ACCOUNT, REGION

START: Final = datetime(2026, 10, 1, 6, 0, 0, tzinfo=UTC)
SECOND: Final = "eu-central-1"
BUCKET: Final = "acme-trail"
REGISTRY: Final = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
DIGEST: Final = "sha256:" + "ab" * 32
RUNNER: Final = f"arn:aws:iam::{ACCOUNT}:role/runner"
CI: Final = role(f"arn:aws:iam::{ACCOUNT}:role/ci/deploy", "build-100")
ANA, BO, EVE = person("ana"), person("bo"), person("eve", console=True)
CREATED: Final = "*"  # stands for the fields of what is created or deleted: all of them

_TYPES: Final = {
    "endpoint": "AWS::SageMaker::Endpoint",
    "config": "AWS::SageMaker::EndpointConfig",
    "model": "AWS::SageMaker::Model",
    "group": "AWS::SageMaker::ModelPackageGroup",
    "package": "AWS::SageMaker::ModelPackage",
    "project": "AWS::CodeBuild::Project",
    "pipeline": "AWS::CodePipeline::Pipeline",
    "stack": "AWS::CloudFormation::Stack",
    "repository": "AWS::ECR::Repository",
    "image": "AWS::ECR::Image",
    "role": "AWS::IAM::Role",
    "trail": "AWS::CloudTrail::Trail",
}


def key(kind: str, name: str, region: str = REGION) -> str:
    """Return the key of a resource of the world: its `kind` in a word."""
    return make_resource(_TYPES[kind], ACCOUNT, region, name).key


@dataclass
class Expected:
    """One judgement that must be there: of a change seen at `until`, or of an event or approval (`about`)."""

    act: str
    verdict: str
    resource: str
    until: str = ""
    about: str = ""
    fields: dict[str, str] | None = None
    who: str = ""

    def fits(self, judgement: Judgement) -> bool:
        """Return whether this is the judgement that was expected."""
        same = judgement.about == self.about if self.about else judgement.until == self.until
        return same and (judgement.resource, judgement.verdict) == (self.resource, self.verdict)


@dataclass
class Month:
    """The world while the script runs: the trail, the ledger, and what is expected so far."""

    trail: CloudTrail
    session: Session
    act: str = ""
    expected: list[Expected] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    told: list[list[Judgement]] = field(default_factory=list)
    behind: Backends = field(default_factory=Backends)
    polls: list[str] = field(default_factory=list)
    _open: list[Expected] = field(default_factory=list)
    _scopes: list[AwsScope] = field(default_factory=list)

    # Time, and what Lineal does.

    def at(self, day: int, hour: int = 9, minute: int = 0) -> None:
        """Go on to an hour of a day of the month."""
        self.trail.move_to(START.replace(day=day, hour=hour, minute=minute))

    def now(self) -> str:
        """Return the present moment of the world."""
        return self.trail.clock.spell()

    def poll(self, *, everywhere: bool = False) -> None:
        """Let Lineal look at what the month is about; what is expected of changes was seen now.

        The second region, and things of every other type, are looked at when asked for.
        """
        self._scopes = self._scopes or open_scopes([REGION, SECOND])
        if everywhere:
            done = collect_aws(self.session, self._scopes)
        else:
            done = collect_aws(self.session, self._scopes[:1], only=sorted(_TYPES.values()))
        self.gaps.extend(done.gaps)
        for each in self._open:
            each.until = self.now()
        self._open.clear()
        self.polls.append(self.now())

    def listen(self, since: str = "") -> None:
        """Let Lineal read what the trail has delivered since the last time; what was read before, too, from `since`."""
        done = collect_trail(self.session, f"s3://{BUCKET}/", TrailRequest(since=since))
        self.gaps.extend(done.collected.gaps)

    def judge(self) -> list[Judgement]:
        """Let Lineal explain everything; return what it says now."""
        from lineal.app.explain import explain

        self.told.append(list(explain(self.session).judgements))
        return self.told[-1]

    # What people do beside AWS.

    def ticket(
        self,
        name: str,
        who: Sequence[str] = ("*deploy",),
        *,
        hours: tuple[float, float] = (-1, 8),
        decided: str = "",
        **said: Any,
    ) -> ChangeApproval:
        """Put an approval on record: who may change what, from some hours from now to some hours from now."""
        now = self.trail.clock.now
        approval = ChangeApproval(
            id=name,
            ticket=name,
            principals=tuple(who),
            not_before=timestamp.spell(now + timedelta(hours=hours[0])),
            not_after=timestamp.spell(now + timedelta(hours=hours[1])),
            decided=decided or timestamp.spell(now - timedelta(minutes=30)),
            approver="cab@bank.example",
            requester="ci@bank.example",
            reason=self.act,
            **said,
        )
        self.session.say(
            Observation(
                type=ALLOWED, time=self.now(), actor="cab@bank.example", basis="claimed",
                data={"approvals": [approval.describe()]},
            )
        )  # fmt: skip
        return approval

    def aws(self, service: str, who: Identity = CI, region: str = REGION) -> Any:
        """Return a client of somebody."""
        return self.trail.client(service, who, region)

    # What must come of it.

    def expect(
        self, verdict: str, resource: str, *, fields: dict[str, str] | None = None, who: str = "", about: str = ""
    ) -> None:
        """Say what must be concluded of the change that the next look sees, or of the event or approval `about`."""
        made = Expected(self.act, verdict, resource, about=about, fields=fields, who=who)
        self.expected.append(made)
        if not about:
            self._open.append(made)

    def event(self, name: str, number: int = -1) -> str:
        """Return the identifier of the last event of a name."""
        return str(self.trail.events(name)[number]["eventID"])


@contextmanager
def open_month(folder: Path, **switches: Any) -> Iterator[Month]:
    """Open a world at the beginning of the month: a trail that is on, and a ledger with nothing in it.

    The trail is of one region, and of what belongs to none: nobody listens in the second one.
    """
    with trail_server(START, **switches) as trail:
        clean = {name: "" for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN") if name in os.environ}
        with (
            patch.dict(os.environ, {**clean, **trail.moto.environment()}),
            patch.object(wiring, "now", trail.clock.spell),
        ):
            create(Settings(), folder, "lineal.test/month")
            settings = Settings(ledger=str(folder / ".lineal"), actor="watcher")
            open_trail(trail)
            with open_session(settings) as session:
                yield Month(trail, session)


def open_trail(trail: CloudTrail) -> None:
    """Make the bucket and the trail of the account, and switch it on."""
    where = {"LocationConstraint": REGION}
    trail.client("s3", ANA).create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    client = trail.client("cloudtrail", ANA)
    client.create_trail(Name="main", S3BucketName=BUCKET, IsMultiRegionTrail=True, EnableLogFileValidation=True)
    client.start_logging(Name="main")


# What production is made of.


def trust(service: str) -> str:
    """Return the document that lets a service take a role."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def variants(model: str, count: int = 1, kind: str = "ml.m5.large") -> list[dict[str, Any]]:
    """Return the variants of an endpoint configuration."""
    return [
        {
            "VariantName": "all",
            "ModelName": model,
            "InstanceType": kind,
            "InitialInstanceCount": count,
            "InitialVariantWeight": 1.0,
        }
    ]


def make_package(aws: Any, group: str, number: int) -> str:
    """Register a version of a model, not yet approved."""
    image = {"Image": f"{REGISTRY}/risk@{DIGEST}", "ModelDataUrl": f"s3://acme-models/{group}/{number}/model.tar.gz"}
    made = aws.create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [image],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    return str(made["ModelPackageArn"])


def make_model(aws: Any, name: str) -> None:
    """Create a model that takes its bytes and image by name."""
    container = {"Image": f"{REGISTRY}/risk@{DIGEST}", "ModelDataUrl": f"s3://acme-models/{name}/model.tar.gz"}
    aws.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=RUNNER)


def project(image: str = "aws/codebuild/standard:7.0", minutes: int = 60) -> dict[str, Any]:
    """Return what a build project is made of."""
    return {
        "name": "risk-build",
        "source": {"type": "S3", "location": "acme-code/risk.zip"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {"type": "LINUX_CONTAINER", "image": image, "computeType": "BUILD_GENERAL1_SMALL"},
        "serviceRole": f"arn:aws:iam::{ACCOUNT}:role/build",
        "timeoutInMinutes": minutes,
    }


def pipeline(branch: str = "main") -> dict[str, Any]:
    """Return what a release pipeline is made of."""

    def action(name: str, category: str, provider: str, **configuration: str) -> dict[str, Any]:
        kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
        return {"name": name, "actionTypeId": kind, "configuration": configuration, "runOrder": 1}

    source = action("fetch", "Source", "S3", S3Bucket="acme-code", S3ObjectKey=f"{branch}.zip")
    build = action("build", "Build", "CodeBuild", ProjectName="risk-build")
    return {
        "name": "risk-release",
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/release",
        "artifactStore": {"type": "S3", "location": "acme-artifacts"},
        "stages": [{"name": "Source", "actions": [source]}, {"name": "Build", "actions": [build]}],
        "version": 1,
    }


def push(aws: Any, tag: str, layer: str) -> str:
    """Push an image of one layer and tag it; return its digest."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": DIGEST},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "size": 1, "digest": layer}],
    }
    made = aws.put_image(repositoryName="risk", imageManifest=json.dumps(manifest), imageTag=tag)
    return str(made["image"]["imageId"]["imageDigest"])


def tag(aws: Any, old: str, new: str) -> None:
    """Give the image that is tagged `old` the tag `new`, wherever that was."""
    found = aws.batch_get_image(repositoryName="risk", imageIds=[{"imageTag": old}])["images"][0]
    aws.put_image(repositoryName="risk", imageManifest=found["imageManifest"], imageTag=new)
