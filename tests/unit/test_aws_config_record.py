"""Records of AWS Config: both spellings, files and envelopes, the service's own words, what is remembered as read.

The records are synthetic, in the shapes of AWS's documentation.
"""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from lineal.app.aws_config_covered import remember, unread
from lineal.change.semantic import with_semantic
from lineal.core import canonical
from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.plain import plain
from lineal.core.resource import make_resource
from lineal.errors import BadInput
from lineal.sources.aws_config_record import read_moment, read_record
from lineal.sources.aws_config_record_files import is_wanted, order_of, read_file, read_name
from lineal.sources.aws_config_record_place import PlaceFile
from lineal.sources.aws_config_record_shape import as_api
from lineal.sources.packed import unpack

ACCOUNT, REGION = "123456789012", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/deployer"
TIME = "2026-03-01T10:00:00.123Z"
API: dict[str, Any] = {
    "version": "1.3",
    "accountId": ACCOUNT,
    "configurationItemCaptureTime": TIME,
    "configurationItemStatus": "OK",
    "configurationStateId": "1772359200123",
    "configurationItemMD5Hash": "",
    "arn": ROLE,
    "resourceType": "AWS::IAM::Role",
    "resourceId": "AROAEXAMPLE",
    "resourceName": "deployer",
    "awsRegion": "global",
    "availabilityZone": "Not Applicable",
    "resourceCreationTime": "2026-02-01T10:00:00.000Z",
    "tags": {"team": "risk"},
    "relatedEvents": [],
    "relationships": [
        {
            "resourceType": "AWS::IAM::Policy", "resourceId": "ANPA1", "resourceName": "p",
            "relationshipName": "Is attached to ",
        },
        {"resourceType": "AWS::CodeBuild::Project", "resourceName": "build", "relationshipName": "Is associated with "},
        {"resourceType": "AWS::EC2::VPC"},
    ],
    "configuration": json.dumps({"roleName": "deployer", "path": "/service-role/", "permissionsBoundary": None}),
    "supplementaryConfiguration": {"unsupportedResources": '[{"resourceType":"X"}]', "Flag": "false", "Word": "plain"},
}  # fmt: skip


def _as_file(record: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Spell a record of the API as files do."""
    names = {
        "version": "configurationItemVersion", "accountId": "awsAccountId", "arn": "ARN",
        "configurationItemMD5Hash": "configurationStateMd5Hash", "availabilityZone": "availibilityZone",
        "configurationStateId": "configurationStateID",
    }  # fmt: skip
    found = {names.get(name, name): value for name, value in record.items()}
    found["configuration"] = json.loads(record["configuration"]) if record.get("configuration") else None
    found["configurationStateID"] = int(record["configurationStateId"])
    found["relationships"] = [
        {"name" if name == "relationshipName" else name: value for name, value in each.items()}
        for each in record.get("relationships", [])
    ]
    return {**found, **more}


def test_both_spellings_of_a_record_are_one_item() -> None:
    item = read_record(API)
    assert read_record(_as_file(API)) == item
    assert item.resource == make_resource("AWS::IAM::Role", ACCOUNT, REGION, "deployer")
    assert (item.time, item.created) == ("2026-03-01T10:00:00.123000Z", "2026-02-01T10:00:00.000000Z")
    assert (item.status, item.source, item.shape, item.state) == ("ok", "aws-config", "config", "1772359200123")
    assert item.configuration == {"roleName": "deployer", "path": "/service-role/", "permissionsBoundary": None}
    assert item.tags == {"team": "risk"}
    assert item.relationships == (
        Relationship("AWS::IAM::Policy", f"arn:aws:iam::{ACCOUNT}:policy/p", "Is attached to"),
        Relationship("AWS::CodeBuild::Project", f"arn:aws:codebuild::{ACCOUNT}:project/build", "Is associated with"),
    )
    assert item.extra["supplementary"] == {
        "unsupportedResources": [{"resourceType": "X"}],
        "Flag": "false",
        "Word": "plain",
    }
    assert item.extra["arn"] == ROLE
    canonical.encode(item.describe())


def test_what_no_field_has_is_kept() -> None:
    record = _as_file(API, recordingFrequency="DAILY", brandNew={"x": 1.5}, configurationItemDeliveryTime=TIME)
    extra = read_record(record).extra
    assert extra["recordingFrequency"] == "DAILY"
    assert extra["brandNew"] == {"x": "1.5"}
    assert extra["configurationItemDeliveryTime"] == TIME
    assert extra["version"] == "1.3"
    assert extra["configurationItemStatus"] == "OK"
    assert extra["availabilityZone"] == "Not Applicable"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("OK", "ok"), ("ResourceDiscovered", "ok"), ("ResourceDeleted", "deleted"),
        ("ResourceNotRecorded", "unrecorded"), ("ResourceDeletedNotRecorded", "unrecorded"),
    ],
)  # fmt: skip
def test_statuses(said: str, status: str) -> None:
    item = read_record({**API, "configurationItemStatus": said})
    assert item.status == status
    assert bool(item.configuration) == (status == "ok")


@pytest.mark.parametrize(
    "change",
    [
        {"resourceType": None},
        {"resourceType": "a\nb"},
        {"resourceType": "X" * 500},
        {"odd": json.loads("[" * 400 + "]" * 400)},
        {"awsRegion": "eu\0"},
        {"accountId": "1" * 500},
        {"configurationItemStatus": "Sideways"},
        {"configurationItemCaptureTime": "now"},
        {"configurationItemCaptureTime": None},
        {"arn": None, "resourceName": None, "resourceId": None},
        {"configuration": "[" * 300 + "]" * 300},
    ],
)
def test_records_that_are_none_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        read_record({**API, **change})


VPC = f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/vpc-1"
MODEL = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/risk"
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/serving"
COMPLIANCE = "AWS::Config::ResourceCompliance"


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ({"resourceType": "AWS::EC2::VPC", "arn": VPC}, VPC),
        (
            {"resourceType": COMPLIANCE, "resourceId": "AWS::EC2::VPC/vpc-1", "arn": None},
            f"{COMPLIANCE}/{ACCOUNT}/{REGION}/AWS::EC2::VPC/vpc-1",
        ),
        ({"resourceType": "AWS::SageMaker::Model", "resourceName": "Risk", "arn": None}, MODEL),
        ({"resourceType": "AWS::SageMaker::Model", "resourceId": MODEL, "resourceName": None, "arn": None}, MODEL),
        ({"resourceType": "AWS::CloudFormation::Stack", "arn": f"{STACK}/1f0c-77"}, STACK),
        ({"resourceType": "AWS::S3::Bucket", "arn": "arn:aws:s3:::models"}, "arn:aws:s3:::models"),
    ],
)
def test_the_key_is_that_of_the_resource(record: dict[str, Any], key: str) -> None:
    base = {**API, "awsRegion": REGION, "resourceName": None, "resourceId": "x"}
    item = read_record({**base, **record})
    assert (item.resource.key, item.resource.type) == (key, record["resourceType"])


def test_moments_in_every_spelling() -> None:
    expected = "2017-08-12T04:02:36.116000Z"
    for value in ("2017-08-12T04:02:36.116Z", "2017-08-12T06:02:36.116000+02:00", 1502510556.116, 1502510556116):
        assert read_moment(value) == expected
    for value in ("2017-08-12T04:02:36", "2h ago", "", None, True, -1, 10**30, float("nan")):
        assert read_moment(value) is None


def test_json_in_text_in_json_is_read_and_depth_is_bounded() -> None:
    twice = json.dumps(json.dumps({"grantList": [1.5]}))
    item = read_record({**API, "supplementaryConfiguration": {"AccessControlList": twice, "Broken": "{"}})
    assert item.extra["supplementary"] == {"AccessControlList": {"grantList": ["1.5"]}, "Broken": "{"}


def test_secrets_are_cut() -> None:
    item = read_record({**API, "configuration": json.dumps({"dbPassword": "hunter22", "url": "https://u:hunter22@h/"})})
    assert "hunter22" not in str(item.describe())


# --- the service's own words -----------------------------------------------------------------------------------------

VARIANT = {"VariantName": "a", "ModelName": "Risk", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}


def _record(kind: str, name: str, configuration: dict[str, Any], **more: Any) -> ConfigItem:
    word = {"AWS::SageMaker::Model": "model", "AWS::SageMaker::EndpointConfig": "endpoint-config"}.get(kind)
    arn = (
        f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{word}/{name}"
        if word
        else f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{name}"
    )
    base = {
        name: value
        for name, value in API.items()
        if name not in ("tags", "relationships", "supplementaryConfiguration")
    }
    return as_api(
        read_record(
            {**base, "resourceType": kind, "arn": arn, "resourceName": name, "awsRegion": REGION, **more}
            | {"configuration": json.dumps(configuration)}
        )
    )


def _observed(kind: str, name: str, configuration: dict[str, Any], tags: dict[str, str] | None = None) -> ConfigItem:
    """Return an item as `lineal collect aws` makes it of the answer of Describe."""
    return with_semantic(
        ConfigItem(
            resource=make_resource(kind, ACCOUNT, REGION, name), time="2026-03-01T11:00:00.000000Z", source="aws",
            shape="api", configuration=plain(configuration), tags=tags or {},
        )
    )  # fmt: skip


def test_an_endpoint_configuration_means_the_same_by_whomever() -> None:
    kind, name = "AWS::SageMaker::EndpointConfig", "Scorer-1"
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/{name}"
    said = {
        "Id": arn, "EndpointConfigName": name, "KmsKeyId": None, "Tags": [{"Key": "team", "Value": "risk"}],
        "ProductionVariants": [{**VARIANT, "InitialVariantWeight": 1, "AcceleratorType": None}],
    }  # fmt: skip
    item = with_semantic(_record(kind, name, said))
    described = {
        "EndpointConfigName": name, "EndpointConfigArn": arn, "CreationTime": "2026-02-01T10:00:00.5Z",
        "ProductionVariants": [{**VARIANT, "InitialVariantWeight": 1.0}],
    }  # fmt: skip
    assert item.shape == "api"
    assert item.semantic == _observed(kind, name, described, {"team": "risk"}).semantic
    other = with_semantic(_record(kind, name, {**said, "ProductionVariants": [{**VARIANT, "InitialVariantWeight": 2}]}))
    assert other.semantic != item.semantic


def test_a_model_means_the_same_by_whomever() -> None:
    kind, name = "AWS::SageMaker::Model", "Risk"
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model/{name}"
    container = {
        "Image": "r/risk@sha256:ab",
        "ModelDataUrl": "s3://b/m.tar.gz",
        "Environment": {"MODE": "fast"},
        "Mode": "SingleModel",
    }
    said = {
        "Id": arn,
        "ModelName": name,
        "ExecutionRoleArn": ROLE,
        "EnableNetworkIsolation": False,
        "PrimaryContainer": container,
    }
    item = with_semantic(_record(kind, name, said))
    described = {
        "ModelName": name,
        "ModelArn": arn,
        "ExecutionRoleArn": ROLE,
        "EnableNetworkIsolation": False,
        "PrimaryContainer": container,
    }
    assert item.shape == "api"
    assert item.semantic == _observed(kind, name, described).semantic
    assert {(each.type, each.name) for each in item.relationships} == {
        ("Image", "image"), ("S3", "model data"), ("AWS::IAM::Role", "role")
    }  # fmt: skip


PIPELINE: dict[str, Any] = {
    "name": "train", "roleArn": ROLE, "artifactStore": {"type": "S3", "location": "b"}, "version": 2,
    "stages": [{"name": "Source", "actions": [{"name": "S", "inputArtifacts": [], "runOrder": 1}]}],
    "pipelineType": "V2", "executionMode": "QUEUED",
}  # fmt: skip


def test_a_pipeline_means_the_same_by_whomever() -> None:
    kind, arn = "AWS::CodePipeline::Pipeline", f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:train"
    said = {"pipeline": PIPELINE, "metadata": {"pipelineArn": arn, "created": 1772359200123}}
    more = {"supplementaryConfiguration": {"unsupportedResources": "[]"}}
    item = with_semantic(_record(kind, "train", said, **more))
    described = {"pipeline": PIPELINE, "metadata": {"pipelineArn": arn, "created": "2026-03-01T10:00:00.123000Z"}}
    assert item.shape == "api"
    assert item.configuration["metadata"]["created"] == "2026-03-01T10:00:00.123000Z"
    assert item.semantic == _observed(kind, "train", described).semantic
    assert item.extra["supplementaryConfiguration"] == {"unsupportedResources": []}


@pytest.mark.parametrize(
    ("kind", "configuration"),
    [
        (
            "AWS::CodePipeline::Pipeline",
            {"pipeline": {k: v for k, v in PIPELINE.items() if k != "pipelineType"}, "metadata": {}},
        ),
        ("AWS::CodePipeline::Pipeline", {"pipeline": PIPELINE, "metadata": {}, "odd": 1}),
        ("AWS::CodePipeline::Pipeline", {"pipeline": "none"}),
        (
            "AWS::SageMaker::Model",
            {"ModelName": "m", "EnableNetworkIsolation": False, "PrimaryContainer": {"Image": "i", "Odd": 1}},
        ),
        ("AWS::SageMaker::Model", {"ModelName": "m", "PrimaryContainer": {"Image": "i"}}),
        ("AWS::SageMaker::Model", {"ModelName": "m", "EnableNetworkIsolation": False}),
        (
            "AWS::SageMaker::EndpointConfig",
            {"EndpointConfigName": "e", "ProductionVariants": [{"VariantName": "v", "Odd": 1}]},
        ),
        ("AWS::SageMaker::EndpointConfig", {"EndpointConfigName": "e", "ProductionVariants": "none"}),
        ("AWS::SageMaker::Model", {"EnableNetworkIsolation": False, "Containers": 7}),
        ("AWS::SageMaker::Model", {"EnableNetworkIsolation": False, "PrimaryContainer": [1]}),
        (
            "AWS::SageMaker::EndpointConfig",
            {"EndpointConfigName": "e", "ShadowProductionVariants": 5, "ProductionVariants": [VARIANT]},
        ),
    ],
)
def test_a_record_that_leaves_something_out_stays_in_the_words_of_aws_config(
    kind: str, configuration: dict[str, Any]
) -> None:
    item = _record(kind, "m", configuration)
    assert item.shape == "config"
    assert item.configuration == plain(configuration)


# --- files ------------------------------------------------------------------------------------------------------------

HISTORY = f"AWSLogs/{ACCOUNT}/Config/{REGION}/2026/3/1/ConfigHistory/{ACCOUNT}_Config_{REGION}_ConfigHistory_AWS::IAM::Role_20260301T100000Z_20260301T160000Z_1.json.gz"  # noqa: E501
SNAPSHOT = f"AWSLogs/{ACCOUNT}/Config/{REGION}/2026/3/10/ConfigSnapshot/{ACCOUNT}_Config_{REGION}_ConfigSnapshot_20260310T061500Z_1f0c-77.json.gz"  # noqa: E501


def _file(*records: Any, **more: Any) -> bytes:
    body = {"fileVersion": "1.0", "requestId": "r", "configurationItems": list(records), **more}
    return gzip.compress(json.dumps(body).encode(), mtime=0)


def _wrapped(kind: str) -> Any:
    notice = {
        "messageType": "ConfigurationItemChangeNotification",
        "configurationItem": _as_file(API),
        "configurationItemDiff": {"changeType": "UPDATE"},
    }
    return {
        "bare": notice,
        "sns": {"Type": "Notification", "Message": json.dumps(notice)},
        "sqs": {"Records": [{"body": json.dumps({"Type": "Notification", "Message": json.dumps(notice)})}]},
        "lambda-sns": {"Records": [{"Sns": {"Message": json.dumps(notice)}}]},
        "eventbridge": {"detail-type": "Config Configuration Item Change", "detail": notice},
        "rule": {"configRuleName": "r", "invokingEvent": json.dumps(notice)},
        "list": [notice],
        "record": _as_file(API),
    }[kind]


@pytest.mark.parametrize("kind", ["bare", "sns", "sqs", "lambda-sns", "eventbridge", "rule", "list", "record"])
def test_a_record_is_found_in_every_envelope(kind: str) -> None:
    parsed = read_file(json.dumps(_wrapped(kind)).encode(), kind)
    assert (parsed.items, parsed.gaps, parsed.broken) == ([read_record(API)], [], False)


def test_pointers_to_records_that_were_too_large_are_kept() -> None:
    summary = {"ARN": ROLE, "resourceType": "AWS::IAM::Role"}
    sent = {"configurationItemSummary": summary, "s3DeliverySummary": {"s3BucketLocation": "bucket/AWSLogs/x.json.gz"}}
    parsed = read_file(json.dumps({"Message": json.dumps(sent)}).encode(), "n")
    assert (parsed.elsewhere, parsed.gaps) == (["s3://bucket/AWSLogs/x.json.gz"], [])
    failed = {
        "configurationItemSummary": summary,
        "s3DeliverySummary": {"s3BucketLocation": None, "errorCode": "NoSuchBucket"},
    }
    (gap,) = read_file(json.dumps(failed).encode(), "n").gaps
    assert (gap.code, gap.about) == ("config.not_delivered", ROLE)
    assert "NoSuchBucket" in gap.explanation


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (_file(API)[:-20], "config.damaged"),
        (_file(API)[:40] + b"\xff" * 40, "config.damaged"),
        (_file(API) + b"garbage", "config.damaged"),
        (b"{", "config.damaged"),
        (b"\xff\xfe", "config.damaged"),
        (b"[" * 100_000, "config.damaged"),
        (b'{"Records": [{"eventName": "x"}]}', "config.no_records"),
        (b"[]", "config.no_records"),
        (b"5", "config.no_records"),
        (_file({"resourceType": "X"}), "config.malformed"),
        (_file(None, "x"), "config.malformed"),
    ],
)  # fmt: skip
def test_damaged_files_are_gaps_and_worth_reading_again(data: bytes, code: str) -> None:
    parsed = read_file(data, "f")
    assert {gap.code for gap in parsed.gaps} == {code}
    assert parsed.broken
    assert not parsed.items


def test_a_good_record_beside_a_bad_one_is_read() -> None:
    parsed = read_file(_file(_as_file(API), {"resourceType": "X"}), "f")
    assert len(parsed.items) == len(parsed.gaps) == 1
    assert parsed.broken


def test_empty_files_and_several_streams_are_files() -> None:
    assert not read_file(_file(), "f").broken
    pieces = list(unpack(gzip.compress(b"ab") + gzip.compress(b"cdefg"), 3))
    assert (b"".join(pieces), max(map(len, pieces)) <= 3) == (b"abcdefg", True)


def test_what_has_no_end_is_not_unpacked() -> None:
    whole = gzip.compress(b"[]" * 1000)
    for cut in (1, 8, 9, len(whole) // 2):
        with pytest.raises(BadInput, match=r"no end|damaged"):
            list(unpack(whole[:-cut], 100))


def test_a_file_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineal.sources.aws_config_record_files.LARGEST", 1000)
    for data in (gzip.compress(b"x" * 5000), b"x" * 1001):
        (gap,) = read_file(data, "f").gaps
        assert (gap.code, "more than 1000 bytes" in gap.explanation) == ("config.damaged", True)


def test_names_of_files() -> None:
    name = read_name(SNAPSHOT)
    assert name is not None
    assert (name.account, name.region, name.kind, name.moment) == (
        ACCOUNT,
        REGION,
        "ConfigSnapshot",
        "2026-03-10T06:15:00.000000Z",
    )
    name = read_name(HISTORY)
    assert name is not None
    assert (name.kind, name.moment) == ("ConfigHistory", None)
    assert read_name(SNAPSHOT.replace("20260310T061500Z", "20269910T061500Z")).moment is None  # type: ignore[union-attr]
    days = [HISTORY.replace("/3/1/", f"/{day}/") for day in ("10/1", "3/10", "3/9", "9/1")]
    assert sorted(days, key=order_of) == [days[2], days[1], days[3], days[0]], "days and months have no leading zeros"
    assert is_wanted(HISTORY)
    assert is_wanted("copies/a.json")
    for key in (
        f"AWSLogs/{ACCOUNT}/Config/ConfigWritabilityCheckFile",
        f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2026/03/01/{ACCOUNT}_CloudTrail_{REGION}_20260301T1000Z_x.json.gz",
        "notes.txt",
    ):
        assert not is_wanted(key)


# --- what is remembered -----------------------------------------------------------------------------------------------


def _place(*days: str) -> list[PlaceFile]:
    return [PlaceFile(f"AWSLogs/1/Config/r/{day}/ConfigHistory/{n}.json.gz", "t") for day in days for n in (1, 2)]


def test_days_and_months_that_were_read_are_not_read_again() -> None:
    files = _place("2026/1/5", "2026/1/12", "2026/2/1", "2026/2/2")
    covered = remember(files, set())
    assert len(covered["read"]) == 3, "one month, and two days of the newest"
    assert unread(files, covered) == []
    more = [*files, *_place("2026/2/3")]
    assert unread(more, covered) == more[-2:]
    late = [*files, PlaceFile("AWSLogs/1/Config/r/2026/2/1/ConfigHistory/3.json.gz", "t")]
    assert {each.key.split("/")[6] for each in unread(late, covered)} == {"1"}
    changed = [PlaceFile(files[0].key, "other"), *files[1:]]
    assert {each.key for each in unread(changed, covered)} == {each.key for each in files[:4]}, "of its month, all"


def test_a_day_with_a_file_that_failed_is_read_again() -> None:
    files = _place("2026/1/5", "2026/1/12", "2026/2/1")
    covered = remember(files, {files[0].key})
    assert unread(files, covered) == files[:2]


@pytest.mark.parametrize(
    "make", [lambda: ["a.json", "b.json"], lambda: ["x/a.json", "y/b.json"], lambda: ["only.json"]]
)
def test_files_outside_of_any_layout_are_remembered_by_folder(make: Callable[[], list[str]]) -> None:
    files = [PlaceFile(key, "t") for key in make()]
    assert unread(files, remember(files, set())) == []
    assert unread(files, remember(files, {files[0].key}))[0] == files[0]
    assert unread(files, {}) == files
