"""The synthetic trail says of calls what CloudTrail would, and signs what it delivers as AWS documents it."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from servers.cloud_patches import Backends
from servers.cloud_people import autoscaling, person, role
from servers.cloud_trail import CloudTrail, trail_server
from servers.moto import ACCOUNT, REGION

START = datetime(2026, 10, 1, 8, 3, 17, tzinfo=UTC)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/runner"
ANA = person("ana")
CI = role(f"arn:aws:iam::{ACCOUNT}:role/ci/deploy", "build-7")


@pytest.fixture
def trail() -> Iterator[CloudTrail]:
    with trail_server(START) as made:
        made.client("s3", ANA).create_bucket(
            Bucket="trail", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        cloudtrail = made.client("cloudtrail", ANA)
        cloudtrail.create_trail(Name="main", S3BucketName="trail", IsMultiRegionTrail=True)
        cloudtrail.start_logging(Name="main")
        yield made


def model(trail: CloudTrail, name: str = "M-1") -> None:
    trail.client("sagemaker", CI).create_model(
        ModelName=name,
        PrimaryContainer={"Image": "x/y:1", "Environment": {"SOME_Key": "V"}},
        ExecutionRoleArn=ROLE,
        Tags=[{"Key": "Team", "Value": "Risk"}],
    )


def stored(trail: CloudTrail, key: str) -> dict[str, Any]:
    body = trail.client("s3").get_object(Bucket="trail", Key=key)["Body"].read()
    return json.loads(gzip.decompress(body))


def test_a_call_is_spelled_as_the_trail_spells_it(trail: CloudTrail) -> None:
    model(trail)
    record = trail.events("CreateModel")[0]
    assert record["requestParameters"] == {
        "modelName": "M-1",
        "primaryContainer": {"image": "x/y:1", "environment": {"SOME_Key": "V"}},
        "executionRoleArn": ROLE,
        "tags": [{"key": "Team", "value": "Risk"}],
    }
    assert record["responseElements"] == {"modelArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/M-1"}
    assert record["userIdentity"]["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build-7"
    assert record["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == CI.name
    assert (record["eventSource"], record["awsRegion"]) == ("sagemaker.amazonaws.com", REGION)
    assert record["additionalEventData"] == {"synthetic": True}
    assert not record["readOnly"]


def test_every_wire_format_is_read(trail: CloudTrail) -> None:
    trust = {"Principal": {"Service": "codebuild.amazonaws.com"}, "Effect": "Allow", "Action": "sts:AssumeRole"}
    trail.client("iam", ANA).create_role(
        RoleName="build", Path="/svc/", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )
    builds = trail.client("codebuild", ANA)
    builds.create_project(
        name="project-1",
        source={"type": "S3", "location": "b/k"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=f"arn:aws:iam::{ACCOUNT}:role/svc/build",
    )
    builds.update_project(name="project-1", description="another")
    assert builds.batch_get_projects(names=["project-1"])["projects"][0]["description"] == "another"
    trail.client("cloudformation", ANA).create_stack(
        StackName="stack",
        TemplateBody=json.dumps({"Parameters": {"A": {"Type": "String"}}, "Resources": {}}),
        Parameters=[{"ParameterKey": "A", "ParameterValue": "x"}],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )
    said = {each["eventName"]: each for each in trail.records}
    assert said["CreateRole"]["awsRegion"] == "us-east-1"
    assert said["CreateRole"]["requestParameters"]["roleName"] == "build"
    assert said["UpdateProject"]["requestParameters"] == {"name": "project-1", "description": "another"}
    assert said["BatchGetProjects"]["readOnly"]
    assert said["BatchGetProjects"]["responseElements"] is None
    stack = said["CreateStack"]["requestParameters"]
    assert stack["parameters"] == [{"parameterKey": "A", "parameterValue": "x"}]
    assert stack["capabilities"] == ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
    assert said["CreateBucket"]["requestParameters"]["bucketName"] == "trail"
    assert said["CreateBucket"]["resources"][0]["ARN"] == "arn:aws:s3:::trail"


def test_refusals_and_failures_are_recorded(trail: CloudTrail) -> None:
    with pytest.raises(ClientError, match="Could not find model"):
        trail.client("sagemaker", ANA).delete_model(ModelName="none")
    assert trail.events("DeleteModel")[0]["errorCode"] == "ValidationException"
    for service, call in (
        ("codebuild", "list_projects"),
        ("sagemaker", "list_models"),
        ("cloudformation", "list_stacks"),
    ):
        trail.refused[(service, "List*", REGION)] = "AccessDeniedException"
        with pytest.raises(ClientError, match="AccessDeniedException"):
            getattr(trail.client(service, ANA), call)()
    assert trail.client("sagemaker", ANA, "eu-central-1").list_models()["Models"] == []


def test_events_are_looked_up_by_page_newest_first(trail: CloudTrail) -> None:
    for number in range(5):
        model(trail, f"M-{number}")
    client = trail.client("cloudtrail")
    asked = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "CreateModel"}]}
    assert client.lookup_events(**asked)["Events"] == []  # not yet
    trail.advance(minutes=10)
    pages = client.get_paginator("lookup_events").paginate(**asked, PaginationConfig={"PageSize": 2})
    found = [each for page in pages for each in page["Events"]]
    assert [json.loads(each["CloudTrailEvent"])["requestParameters"]["modelName"] for each in found] == [
        f"M-{number}" for number in (4, 3, 2, 1, 0)
    ]
    last = found[0]["EventTime"]
    assert len(client.lookup_events(**asked, StartTime=last)["Events"]) == 1
    assert len(client.lookup_events(**asked, EndTime=last - timedelta(seconds=1))["Events"]) == 4
    trail.throttle = 2
    with pytest.raises(ClientError, match="ThrottlingException"):
        client.lookup_events()


def test_digests_are_signed_and_chained(trail: CloudTrail) -> None:
    model(trail)
    trail.advance(hours=3)
    shown = trail.client("cloudtrail").list_public_keys()["PublicKeyList"][0]
    delivery = trail.delivery()
    assert [len(stored(trail, each.key)["logFiles"]) for each in delivery.digests] == [1, 0, 0]
    before: dict[str, Any] | None = None
    for number, each in enumerate(delivery.digests):
        got = trail.client("s3").get_object(Bucket="trail", Key=each.key)
        content = gzip.decompress(got["Body"].read())
        said = json.loads(content)
        assert said["digestPublicKeyFingerprint"] == shown["Fingerprint"]
        words = (said["digestEndTime"], f"trail/{each.key}", hashlib.sha256(content).hexdigest())
        signed = "\n".join((*words, said["previousDigestSignature"] or "null")).encode()
        verify(shown["Value"], bytes.fromhex(got["Metadata"]["signature"]), signed)
        assert (said["previousDigestS3Object"] is None) == (number == 0)
        if before is not None:
            assert said["previousDigestSignature"] == before["signature"]
            assert said["digestStartTime"] == before["digestEndTime"]
        before = said | {"signature": got["Metadata"]["signature"]}
        for file in said["logFiles"]:
            body = trail.client("s3").get_object(Bucket="trail", Key=file["s3Object"])["Body"].read()
            assert hashlib.sha256(gzip.decompress(body)).hexdigest() == file["hashValue"]


def verify(key: bytes, signature: bytes, signed: bytes) -> None:
    """Check a signature with a public key in the form of PKCS #1, put into the SubjectPublicKeyInfo it lacks."""
    inner = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
    bits = b"\x03\x82" + (len(key) + 1).to_bytes(2, "big") + b"\x00" + key
    found = load_der_public_key(b"\x30\x82" + (len(inner) + len(bits)).to_bytes(2, "big") + inner + bits)
    assert isinstance(found, RSAPublicKey)
    found.verify(signature, signed, padding.PKCS1v15(), SHA256())
    with pytest.raises(InvalidSignature):
        found.verify(signature, signed + b"x", padding.PKCS1v15(), SHA256())


def test_a_trail_that_is_off_delivers_nothing_and_begins_anew(trail: CloudTrail) -> None:
    cloudtrail = trail.client("cloudtrail", ANA)
    trail.advance(minutes=20)
    cloudtrail.stop_logging(Name="main")
    model(trail)
    trail.advance(hours=2)
    cloudtrail.start_logging(Name="main")
    trail.advance(hours=1, minutes=1)
    delivery = trail.delivery()
    names = [record["eventName"] for file in delivery.files for record in file.records if not record["readOnly"]]
    assert names == ["StartLogging", "StopLogging", "StartLogging"]
    assert [stored(trail, each.key)["previousDigestS3Object"] for each in delivery.digests] == [None, None]
    assert delivery.digests[0].until < START + timedelta(minutes=21)


def test_what_is_done_to_the_bucket(trail: CloudTrail) -> None:
    delivery = trail.delivery()
    delivery.duplicates = 1
    model(trail)
    trail.delay = timedelta(hours=2)
    model(trail, "late")
    trail.delay = timedelta()
    trail.advance(hours=1, minutes=30)
    twice = delivery.files
    assert [each.records for each in twice[:1]] == [each.records for each in twice[1:]]
    trail.advance(hours=2)
    late = delivery.files[-1].records[0]
    assert (late["requestParameters"]["modelName"], late["addendum"]) == ("late", {"reason": "DELIVERY_DELAY"})
    assert len(delivery.delete_logs(START, START + timedelta(minutes=1))) == 3
    with pytest.raises(ClientError, match="NoSuchKey"):
        stored(trail, twice[0].key)
    delivery.forge_digest(START + timedelta(hours=1, minutes=30))
    dropped = delivery.drop_digest(START + timedelta(minutes=30))
    with pytest.raises(ClientError, match="NoSuchKey"):
        stored(trail, dropped)
    again = trail.amend(late["eventID"], errorCode="Oops")
    assert again["addendum"]["originalEventID"] == late["eventID"]


def test_moto_goes_by_the_clock_and_behind_the_trail_nothing_is_told(trail: CloudTrail) -> None:
    model(trail)
    client = trail.client("sagemaker", ANA)
    variant = {"VariantName": "all", "ModelName": "M-1", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    for name, count in (("c-1", 1), ("c-2", 2)):
        variants = [variant | {"InitialInstanceCount": count}]
        client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)
    client.create_endpoint(EndpointName="risk", EndpointConfigName="c-1")
    trail.advance(days=2)
    client.update_endpoint(EndpointName="risk", EndpointConfigName="c-2")
    Backends().fail_update("risk", "c-1", "no capacity")
    found = client.describe_endpoint(EndpointName="risk")
    assert (found["EndpointConfigName"], found["FailureReason"]) == ("c-1", "no capacity")
    assert found["CreationTime"].date() == START.date()
    assert found["LastModifiedTime"] - found["CreationTime"] > timedelta(days=2)
    trail.client("sagemaker", autoscaling()).update_endpoint_weights_and_capacities(
        EndpointName="risk", DesiredWeightsAndCapacities=[{"VariantName": "all", "DesiredInstanceCount": 4}]
    )
    said = trail.events("UpdateEndpointWeightsAndCapacities")[0]
    assert said["userIdentity"]["invokedBy"] == said["sourceIPAddress"] == "application-autoscaling.amazonaws.com"
    count = len(trail.events())
    Backends().endpoint("risk").production_variants[0]["DesiredInstanceCount"] = 9
    assert client.describe_endpoint(EndpointName="risk")["ProductionVariants"][0]["DesiredInstanceCount"] == 9
    assert len(trail.events()) == count
