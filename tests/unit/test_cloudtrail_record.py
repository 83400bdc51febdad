"""Records of CloudTrail of every kind: who called, through whom, for what; what is kept of them, and what is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from lineal.core import canonical
from lineal.core.api_event import ApiEvent, read_event
from lineal.core.observation import Gap
from lineal.sources.cloudtrail_record import read_record, recordable, unknown_version

# Made by hand after the user guide and real records; nobody's own.
RECORDS: dict[str, Any] = json.loads((Path(__file__).parent / "cloudtrail_records.json").read_text(encoding="utf-8"))
ACCOUNT, REGION = "123456789012", "eu-west-1"
IAM, SAGEMAKER = f"arn:aws:iam::{ACCOUNT}", f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
SCALER = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


def read(name: str, **changes: Any) -> ApiEvent:
    found = read_record(RECORDS[name] | changes)
    assert isinstance(found, ApiEvent)
    return found


@pytest.mark.parametrize(
    ("name", "principal", "session", "via"),
    [
        ("assumed role of a build", f"{IAM}:role/deploy", "build-7", ""),
        ("assumed role with a source identity", f"{IAM}:role/Engineer", "ana (ana@bank.example)", ""),
        (
            "role of a workload that a token stands for", f"{IAM}:role/github",
            "run-991 (repo:acme/risk:ref:refs/heads/main)", "",
        ),
        ("user", f"{IAM}:user/ops/ben", "", ""),
        ("root", f"{IAM}:root", "", ""),
        ("service", "backup.amazonaws.com", "", ""),
        ("CloudFormation for somebody", f"{IAM}:role/Engineer", "ana", "cloudformation.amazonaws.com"),
        ("a service by its address alone", f"{IAM}:role/Engineer", "ana", "codepipeline.amazonaws.com"),
        (
            "autoscaling", f"{IAM}:role/{SCALER}", "AutoScaling-UpdateCapacity",
            "application-autoscaling.amazonaws.com",
        ),
        ("federated user", f"arn:aws:sts::{ACCOUNT}:federated-user/cleo", "cleo", ""),
        ("SAML", "SkA1EXAMPLE:cleo@bank.example", "", ""),
        ("web identity", f"{IAM}:oidc-provider/token.example:sub-1", "", ""),
        ("identity center", "identitycenter:544894e8-80c1-707f-60e3-3ba6510dfac1", "", ""),
        ("another account", "AROAOTHEREXAMPLE0000:ci", "", ""),
        ("no type at all", "secretsmanager.amazonaws.com", "", ""),
        ("service event of tuning", "sagemaker.amazonaws.com", "", ""),
    ],
)  # fmt: skip
def test_it_says_who_called_and_through_whom(name: str, principal: str, session: str, via: str) -> None:
    event = read(name)
    assert (event.principal, event.session, event.via) == (principal, session, via)


@pytest.mark.parametrize("name", RECORDS)
def test_every_kind_is_read_and_nothing_of_it_is_lost(name: str) -> None:
    record = RECORDS[name]
    event = recordable(read(name))
    assert set(event.record) == set(record)
    assert read_event(json.loads(canonical.encode(event.describe()))) == event
    assert event.record["userIdentity"].get("type") == record["userIdentity"].get("type")
    assert event.time.startswith(record["eventTime"][:19])
    assert event.account == ACCOUNT


def test_what_matters_of_it_stands_apart() -> None:
    failed, amended, data = read("failed"), read("amendment"), read("data event")
    assert (failed.error, read("user").error) == ("AccessDenied", "")
    assert (amended.amends, failed.amends) == ("original-1", "")
    assert (data.category, data.read_only, data.targets) == ("Data", False, ("arn:aws:s3:::models",))
    assert read("SAML").read_only
    assert read("assumed role of a build").targets == (
        f"{SAGEMAKER}:endpoint/scorer",
        f"{SAGEMAKER}:endpoint-config/scorer-2",
    )
    assert read("service event of tuning").targets == (f"{SAGEMAKER}:hyper-parameter-tuning-job/t-1",)
    assert read("another account").targets == (
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/risk/scorer",
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:image/risk/scorer@sha256:{'ab' * 32}",
    )
    secret = recordable(read("role of a workload that a token stands for"))
    assert "hunter2222" not in canonical.encode(secret.describe()).decode()
    assert recordable(read("service")).record["sharedEventID"].startswith("b7e1")
    assert recordable(read("a later minor version")).record["inventedLater"] == {"rate": "0.25", "count": 1}


@pytest.mark.parametrize(
    ("name", "said", "reads"),
    [
        ("DescribeEndpoint", None, True), ("ListModels", None, True), ("GetBucketAcl", None, True),
        ("BatchGetProjects", None, True), ("LookupEvents", None, True), ("AssumeRole", None, True),
        ("HeadBucket", None, True), ("DetectStackDrift", None, True),
        ("UpdateEndpoint", None, False), ("Getaway", None, False), ("InventedLater", None, False),
        ("DescribeEndpoint", False, False), ("UpdateEndpoint", True, True), ("UpdateEndpoint", "true", True),
    ],
)  # fmt: skip
def test_what_reads_and_what_changes(name: str, said: object, *, reads: bool) -> None:
    assert read("user", eventName=name, readOnly=said).read_only is reads


def test_an_old_record_has_an_identifier_of_its_content() -> None:
    old = read("version 1.0, of 2013")
    assert old.id.startswith("sha256:")
    assert old.id == read("version 1.0, of 2013").id != read("version 1.0, of 2013", userAgent="x").id
    assert (old.category, old.read_only, old.region) == ("Management", False, "us-east-2")
    assert read("user", eventID="x" * 500).id.startswith("sha256:"), "what no database can index"


def test_versions() -> None:
    assert [name for name, record in RECORDS.items() if unknown_version(record)] == ["a later major version"]
    assert unknown_version({}) is None
    assert unknown_version({"eventVersion": "x"}) is not None
    assert recordable(read("a later major version")).record["requestParameters"] == {"endpointName": "s4"}


@pytest.mark.parametrize(
    "broken",
    [
        None, 7, [], "text", {}, {"eventName": "X"},
        RECORDS["user"] | {"eventTime": "soon"}, RECORDS["user"] | {"eventTime": "2026-13-45T00:00:00Z"},
        RECORDS["user"] | {"eventTime": "0001-01-01T00:00:00+23:00"},
        RECORDS["user"] | {"eventTime": None}, RECORDS["user"] | {"eventName": ["X"]},
        RECORDS["user"] | {"eventSource": ""},
    ],
)  # fmt: skip
def test_what_is_no_record_is_a_gap(broken: object) -> None:
    found = read_record(broken)
    assert isinstance(found, Gap)
    assert found.code == "cloudtrail.record_broken"


@pytest.mark.parametrize(
    "identity", [None, 7, [], "x", {"type": 7}, {"sessionContext": 1}, {"arn": ["x"], "type": "Y"}]
)
def test_a_strange_identity_is_no_reason_to_lose_the_event(identity: object) -> None:
    event = recordable(read("user", userIdentity=identity, sourceIPAddress=None, requestParameters=7, resources="x"))
    assert canonical.encode(event.describe())
