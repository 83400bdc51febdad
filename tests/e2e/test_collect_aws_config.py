"""The command `lineal collect aws-config`: files in folders and buckets, the API, and what was observed beside it.

The records are synthetic, in the shapes of AWS's documentation; moto plays S3 and the few types of AWS Config that it
knows, a small server of ours plays refusals and pages.
"""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from commandline import Place

from lineal.app.aws_config_history import collect_history
from lineal.app.aws_scopes import open_scope, open_scopes
from lineal.app.collect import Collected, Collection, collect
from lineal.app.collect_aws import collect_aws
from lineal.app.collect_aws_config import collect_aws_config
from lineal.app.config_record import new_items, observe_items
from lineal.app.estate import configuration_of, estate
from lineal.app.session import Session
from lineal.catalog.graph import NOW, Moment
from lineal.change.history import list_changes
from lineal.change.semantic import with_semantic
from lineal.cli.collect_aws_config import collect_aws_config as command
from lineal.core import timestamp
from lineal.core.config_item import ConfigItem
from lineal.core.plain import plain
from lineal.core.resource import make_resource
from lineal.errors import BadInput, UsageError
from lineal.wiring import Settings, create, open_session
from servers.moto import ACCOUNT, REGION, Moto, moto_server

BASE = f"AWSLogs/{ACCOUNT}/Config/{REGION}"
VARIANT = {"VariantName": "a", "ModelName": "Risk", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
CONFIG = "AWS::SageMaker::EndpointConfig"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "work", tmp_path / "home")
    made.folder.mkdir()
    made.home.mkdir()
    create(Settings(ledger=str(made.folder), actor="tester"), made.folder, None)
    return made


def _session(place: Place) -> Session:
    return open_session(Settings(ledger=str(place.folder), actor="tester"))


def _record(time: str, configuration: Any, *, status: str = "OK", **more: Any) -> dict[str, Any]:
    return {
        "configurationItemVersion": "1.3", "awsAccountId": ACCOUNT, "awsRegion": REGION, "resourceId": "build",
        "configurationItemStatus": status,
        "configurationItemCaptureTime": time, "configurationStateId": 1, "configurationStateMd5Hash": "", "tags": {},
        "resourceType": "AWS::CodeBuild::Project", "resourceName": "build", "relationships": [],
        "ARN": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/build", "relatedEvents": [],
        "configuration": configuration, "supplementaryConfiguration": {}, **more,
    }  # fmt: skip


def _variant(time: str, count: int, **more: Any) -> dict[str, Any]:
    said = {"EndpointConfigName": "Scorer-1", "ProductionVariants": [{**VARIANT, "InitialInstanceCount": count}]}
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/Scorer-1"
    return _record(time, said, resourceType=CONFIG, resourceName="Scorer-1", ARN=arn, **more)


def _pack(*records: Any, **more: Any) -> bytes:
    return gzip.compress(json.dumps({"fileVersion": "1.0", "configurationItems": list(records), **more}).encode())


def _history(day: str, number: int = 1, kind: str = "AWS::CodeBuild::Project") -> str:
    year, month, date = (int(each) for each in day.split("/"))
    stamp = f"{year}{month:02}{date:02}T{number:02}0000Z"
    return f"{BASE}/{day}/ConfigHistory/{ACCOUNT}_Config_{REGION}_ConfigHistory_{kind}_{stamp}_{stamp}_1.json.gz"


def _write(folder: Path, key: str, data: bytes) -> Path:
    file = folder / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def _collect(place: Place, where: str, **how: Any) -> Collected:
    """Collect from files as the command does, in this process: a new one takes a while each time."""
    with _session(place) as session:
        return collect_aws_config(session, where if "://" in where else str(place.folder / where), **how)


def _ask(place: Place, *types: str, **how: Any) -> Collected:
    """Ask AWS Config as the command does, in this process."""
    with _session(place) as session:
        return collect_history(session, open_scope(REGION), types=types, **how)


def _use(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in {**variables, "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)


def _items(place: Place, key: str) -> list[ConfigItem]:
    with _session(place) as session:
        return session.configuration.items([key]).get(key, [])


BUILD = make_resource("AWS::CodeBuild::Project", ACCOUNT, REGION, "build").key


def test_history_is_read_once_in_the_order_of_time(place: Place) -> None:
    logs = place.folder / "logs"
    _write(logs, _history("2026/10/1"), _pack(_record("2026-10-01T01:00:00Z", {"timeoutInMinutes": 9})))
    _write(logs, _history("2026/9/30"), _pack(_record("2026-09-30T01:00:00Z", {"timeoutInMinutes": 5})))
    same = _record("2026-09-30T02:00:00Z", {"timeoutInMinutes": 5}, configurationStateId=2)
    _write(logs, _history("2026/9/30", 2), _pack(same))
    gone = _record("2026-10-01T02:00:00Z", None, status="ResourceDeleted")
    _write(logs, _history("2026/10/1", 2), _pack(gone))
    _write(logs, f"{BASE}/ConfigWritabilityCheckFile", b"")
    first = _collect(place, "logs")
    assert (first.seen, first.recorded, first.gaps) == (4, 4, ())
    found = _items(place, BUILD)
    assert [(item.time[:13], item.status) for item in found] == [
        ("2026-09-30T01", "ok"), ("2026-09-30T02", "ok"), ("2026-10-01T01", "ok"), ("2026-10-01T02", "deleted")
    ]  # fmt: skip
    assert {item.source for item in found} == {"aws-config"}
    again = _collect(place, "logs")
    assert (again.seen, again.recorded) == (0, 0), "nothing is read twice"
    every = _collect(place, "logs", again=True)
    assert (every.seen, every.recorded) == (4, 0), "nor recorded twice"
    changes = list_changes(found, [])
    assert [change.kind for change in changes] == ["updated", "deleted"]
    assert place.lineal("verify").status == 0


def test_records_that_come_late_leave_what_holds_now_as_it_is(place: Place) -> None:
    said = {1: 5, 2: 9, 3: 5}
    for hour in (1, 3, 2):
        record = _record(f"2026-03-01T{hour:02}:00:00Z", {"timeoutInMinutes": said[hour]}, configurationStateId=hour)
        _write(place.folder / f"part-{hour}", _history("2026/3/1", hour), _pack(record))
        _collect(place, f"part-{hour}")
    with _session(place) as session:
        assert session.configuration.estate()[BUILD].configuration == {"timeoutInMinutes": 5}
        found = estate(session, Moment(time="2026-03-01T01:30:00.000000Z")).resources
        assert [each.state.changed[11:13] for each in found] == ["01"]
    told = [(each.kind, each.until[11:13]) for each in list_changes(_items(place, BUILD), [])]
    assert told == [("updated", "02"), ("updated", "03")]


def test_what_came_back_between_two_deletions_and_is_told_of_late_is_gone(place: Place) -> None:
    said = {1: "OK", 2: "ResourceDeleted", 3: "ResourceDiscovered", 4: "ResourceDeleted"}
    for hour in (1, 2, 4, 3):
        stamp, body = f"2026-03-01T{hour:02}:00:00Z", {"timeoutInMinutes": hour} if hour % 2 else None
        record = _record(stamp, body, status=said[hour], configurationStateId=hour)
        _write(place.folder / f"part-{hour}", _history("2026/3/1", hour), _pack(record))
        _collect(place, f"part-{hour}")
        if hour == 4:
            with _session(place) as session:
                told = configuration_of(session, "build", NOW)
            assert told is not None
            assert (told.state.state, (told.state.gone or "")[11:13]) == ("gone", "02")
    with _session(place) as session:
        assert session.configuration.estate() == {}
    assert [each.kind for each in list_changes(_items(place, BUILD), [])] == ["deleted", "created", "deleted"]


def test_what_is_seen_again_did_not_change_then(place: Place) -> None:
    for hour in (1, 2, 3):
        record = _record(f"2026-03-01T{hour:02}:00:00Z", {"timeoutInMinutes": 5}, configurationStateId=hour)
        _write(place.folder / "logs", _history("2026/3/1", hour), _pack(record))
    _collect(place, "logs")
    with _session(place) as session:
        (one,) = estate(session, NOW).resources
        told = configuration_of(session, "build", NOW)
    assert told is not None
    assert {one.state.changed, told.state.changed} == {"2026-03-01T01:00:00.000000Z"}


def test_files_that_say_the_same_are_recorded_once_before_anything_is_committed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineal.app.collect_aws_config._BATCH", 1)
    for day in range(1, 8):
        record = _record(f"2026-03-{day:02}T01:00:00Z", {"x": day // 4})
        _write(place.folder / "logs", _history(f"2026/3/{day}"), _pack(record))
    done = _collect(place, "logs")
    assert (done.seen, done.recorded) == (7, 2)


def test_damaged_files_are_gaps_and_tried_again(place: Place) -> None:
    logs = place.folder / "logs"
    good = _pack(_record("2026-03-01T01:00:00Z", {"x": 1}))
    _write(logs, _history("2026/3/1"), good)
    cut = _write(logs, _history("2026/3/2"), _pack(_record("2026-03-02T01:00:00Z", {"x": 2}))[:-9])
    _write(logs, _history("2026/3/3"), gzip.compress(b"{"))
    done = _collect(place, "logs")
    assert {gap.code for gap in done.gaps} == {"config.damaged"}
    assert {gap.about for gap in done.gaps} == {_history("2026/3/2"), _history("2026/3/3")}
    assert done.recorded == 1
    cut.write_bytes(_pack(_record("2026-03-02T01:00:00Z", {"x": 2})))
    done = _collect(place, "logs")
    assert (done.seen, done.recorded, len(done.gaps)) == (1, 1, 1), "the day that is whole is not read again"


def test_a_file_whose_name_no_terminal_can_show_is_named(place: Place) -> None:
    _write(place.folder / "logs", "a\x1b[31m.json", _pack(_record("2026-03-01T01:00:00Z", {"x": 1})))
    done = _collect(place, "logs")
    assert [(gap.code, gap.about) for gap in done.gaps] == [("config.unreadable", "a%1B[31m.json")]


def test_what_lineal_observed_itself_is_not_recorded_twice(place: Place) -> None:
    resource = make_resource(CONFIG, ACCOUNT, REGION, "Scorer-1")
    described = {
        "EndpointConfigName": "Scorer-1", "CreationTime": "x", "ProductionVariants": [VARIANT],
        "EndpointConfigArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/Scorer-1",
    }  # fmt: skip
    observed = ConfigItem(
        resource=resource, time="2026-03-01T00:00:00.000000Z", source="aws", shape="api",
        configuration=plain(described), created="2026-02-01T00:00:00.500000Z",
    )  # fmt: skip
    with _session(place) as session:
        items = new_items(session, [with_semantic(observed)])
        collect(session, Collection("aws", "test"), observe_items(items, session.actor))
    records = [
        _variant("2026-03-01T01:00:00Z", 1),
        _variant("2026-03-01T02:00:00Z", 1, resourceCreationTime="2026-02-01T00:00:00Z"),
        _variant("2026-03-01T03:00:00Z", 3),
        _variant("2026-03-01T04:00:00Z", 1),
        _variant("2026-03-01T05:00:00Z", 1, status="ResourceDeleted"),
    ]
    _write(place.folder / "logs", _history("2026/3/1", kind=CONFIG), _pack(*records))
    done = _collect(place, "logs")
    assert (done.seen, done.recorded) == (5, 3)
    found = _items(place, resource.key)
    assert [(item.source, item.shape, item.status, item.time[11:13]) for item in found] == [
        ("aws", "api", "ok", "00"), ("aws-config", "api", "ok", "03"), ("aws-config", "api", "ok", "04"),
        ("aws-config", "api", "deleted", "05"),
    ]  # fmt: skip
    kinds = [change.kind for change in list_changes(found, [])]
    assert kinds == ["updated", "updated", "deleted"], "also what was changed and changed back between two looks"


def test_a_real_look_at_aws_and_its_record_are_one_history(
    place: Place, moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(monkeypatch, moto.environment())
    client = moto.client("sagemaker")
    image = {"Image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/risk:1", "ModelDataUrl": "s3://b/m.tar.gz"}
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    client.create_model(ModelName="Risk", PrimaryContainer=image, ExecutionRoleArn=role)
    client.create_endpoint_config(
        EndpointConfigName="Scorer-1", ProductionVariants=[{**VARIANT, "InitialVariantWeight": 1}]
    )
    described = client.describe_endpoint_config(EndpointConfigName="Scorer-1")
    with _session(place) as session:
        scopes = open_scopes((REGION,), (), (), external_id=None, account=None)
        collect_aws(session, scopes, only=[CONFIG])
        later = timestamp.next_after(session.clock())
    stamps = ("EndpointConfigArn", "CreationTime", "ResponseMetadata")  # what CloudFormation's handlers do not say
    said = {name: value for name, value in described.items() if name not in stamps}
    said |= {"Id": described["EndpointConfigArn"], "KmsKeyId": None, "Tags": []}
    record = _record(later, said, resourceType=CONFIG, resourceName="Scorer-1", ARN=described["EndpointConfigArn"])
    _write(place.folder / "logs", _history("2026/3/1", kind=CONFIG), _pack(record))
    done = _collect(place, "logs")
    assert (done.seen, done.recorded) == (1, 0)
    (item,) = _items(place, make_resource(CONFIG, ACCOUNT, REGION, "Scorer-1").key)
    assert item.source == "aws"


def test_a_deletion_holds_in_every_shape_in_which_the_resource_is_there(place: Place) -> None:
    resource = make_resource("AWS::CodeBuild::Project", ACCOUNT, REGION, "build")
    observed = ConfigItem(
        resource=resource,
        time="2026-03-01T00:00:00.000000Z",
        source="aws",
        shape="api",
        configuration={"name": "build"},
    )
    with _session(place) as session:
        collect(session, Collection("aws", "t"), observe_items([with_semantic(observed)], session.actor))
    records = [
        _record("2026-03-01T01:00:00Z", {"name": "build"}),
        _record("2026-03-01T02:00:00Z", None, status="ResourceDeleted"),
        _record("2026-03-01T03:00:00Z", None, status="ResourceDeletedNotRecorded"),
    ]
    _write(place.folder / "logs", _history("2026/3/1"), _pack(*records))
    _collect(place, "logs")
    found = _items(place, resource.key)
    assert [(item.shape, item.status) for item in found] == [
        ("api", "ok"), ("config", "ok"), ("api", "deleted"), ("config", "deleted"), ("config", "unrecorded")
    ]  # fmt: skip
    with _session(place) as session:
        assert session.configuration.estate() == {}


def _snapshot(
    name: str, *records: Any, identity: str = "1f0c-77", day: str = "2026/3/1", stamp: str = "20260301T061500Z"
) -> tuple[str, bytes]:
    key = f"{BASE}/{day}/ConfigSnapshot/{ACCOUNT}_Config_{REGION}_ConfigSnapshot_{stamp}_{name}.json.gz"
    return key, _pack(*records, configSnapshotId=identity)


def test_a_whole_snapshot_is_a_look_and_a_damaged_one_is_none(place: Place) -> None:
    logs = place.folder / "logs"
    build, variant = _record("2026-02-01T00:00:00Z", {"x": 1}), _variant("2026-02-01T00:00:00Z", 1)
    daily = _record("2026-02-01T00:00:00Z", {}, resourceType="AWS::SNS::Topic", ARN=None, recordingFrequency="DAILY")
    foreign = _record("2026-02-01T00:00:00Z", {}, awsAccountId="999999999999", ARN=None, resourceType="AWS::SNS::Topic")
    _write(logs, *_snapshot("1f0c-77", build, variant, daily))
    _write(logs, *_snapshot("other", build, stamp="20260302T061500Z"))
    _write(logs, *_snapshot("1f0c-77", build, {"resourceType": "X"}, stamp="20260303T061500Z"))
    _write(logs, *_snapshot("1f0c-77", build, foreign, stamp="20260304T061500Z"))
    _collect(place, "logs")
    with _session(place) as session:
        looks = session.configuration.looks()
    assert [(look.source, look.account, look.region, look.type, look.complete) for look in looks] == [
        ("aws-config", ACCOUNT, REGION, "AWS::CodeBuild::Project", True),
        ("aws-config", ACCOUNT, REGION, CONFIG, True),
    ]
    assert {look.ended for look in looks} == {"2026-03-01T05:15:00.000000Z"}, "it records some minutes later"


def test_notifications_lead_to_what_was_too_large_to_send(place: Place) -> None:
    large = f"{BASE}/2026/3/1/OversizedChangeNotification/AWS::CodeBuild::Project/build/{ACCOUNT}_Config_{REGION}_ChangeNotification_AWS::CodeBuild::Project_build_20260301T010000Z_0.json.gz"  # noqa: E501
    record = _record("2026-03-01T01:00:00Z", {"x": "large"})
    sent = {
        "messageType": "OversizedConfigurationItemChangeNotification",
        "configurationItemSummary": {"resourceType": "AWS::CodeBuild::Project", "ARN": record["ARN"]},
        "s3DeliverySummary": {"s3BucketLocation": f"audit/{large}"},
    }
    small = {
        "messageType": "ConfigurationItemChangeNotification",
        "configurationItem": _record("2026-03-01T00:30:00Z", {"x": 0}),
    }
    notes = place.folder / "notes"
    _write(notes, "n/1.json", json.dumps({"Type": "Notification", "Message": json.dumps(small)}).encode())
    _write(notes, "n/2.json", json.dumps({"detail-type": "x", "detail": sent}).encode())
    done = _collect(place, "notes")
    (gap,) = done.gaps
    assert (gap.code, gap.about) == ("config.elsewhere", f"s3://audit/{large}")
    assert done.recorded == 1
    _write(notes, large, _pack(record))
    done = _collect(place, "notes")
    assert (done.gaps, done.recorded) == ((), 1)
    assert [item.configuration for item in _items(place, BUILD)] == [{"x": 0}, {"x": "large"}]


# --- the bucket -------------------------------------------------------------------------------------------------------


@pytest.fixture
def moto() -> Iterator[Moto]:
    with moto_server() as server:
        yield server


def test_the_bucket_is_read_and_goes_on_where_it_ended(
    place: Place, moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(monkeypatch, moto.environment())
    client = moto.client("s3")
    client.create_bucket(Bucket="audit", CreateBucketConfiguration={"LocationConstraint": REGION})
    key = f"{BASE}/2026/3/1/OversizedChangeNotification/x/{ACCOUNT}_Config_{REGION}_ChangeNotification_x_1_0.json.gz"
    for n in range(1, 13):
        body = _pack(_record(f"2026-03-{n:02}T01:00:00Z", {"n": n}))
        client.put_object(Bucket="audit", Key="p/" + _history(f"2026/3/{n}"), Body=body)
    client.put_object(Bucket="audit", Key="p/" + key, Body=_pack(_record("2026-03-20T01:00:00Z", {"n": 20})))
    client.put_object(
        Bucket="audit", Key=f"p/AWSLogs/{ACCOUNT}/CloudTrail/x/{ACCOUNT}_CloudTrail_x.json.gz", Body=b"no"
    )
    done = _collect(place, "s3://audit/p/")
    assert (done.seen, done.recorded, done.gaps) == (13, 13, ())
    client.put_object(
        Bucket="audit", Key="p/" + _history("2026/3/13"), Body=_pack(_record("2026-03-13T01:00:00Z", {"n": 0}))
    )
    done = _collect(place, "s3://audit/p/")
    assert (done.seen, done.recorded) == (1, 1)
    pointer = {"s3DeliverySummary": {"s3BucketLocation": f"audit/p/{key}"}, "configurationItemSummary": {}}
    client.put_object(Bucket="audit", Key="q/n.json", Body=json.dumps(pointer).encode())
    gone = {"s3DeliverySummary": {"s3BucketLocation": "audit/p/nothing.json.gz"}, "configurationItemSummary": {}}
    client.put_object(Bucket="audit", Key="q/m.json", Body=json.dumps(gone).encode())
    done = _collect(place, "s3://audit/q/")
    assert done.seen == 1
    assert [gap.about for gap in done.gaps] == ["s3://audit/p/nothing.json.gz"]


# --- the API ----------------------------------------------------------------------------------------------------------


def _recorder(moto: Moto) -> None:
    client = moto.client("config")
    role = f"arn:aws:iam::{ACCOUNT}:role/config"
    group = {"allSupported": True, "includeGlobalResourceTypes": True}
    client.put_configuration_recorder(ConfigurationRecorder={"name": "r", "roleARN": role, "recordingGroup": group})
    moto.client("s3").create_bucket(Bucket="audit", CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_delivery_channel(DeliveryChannel={"name": "d", "s3BucketName": "audit"})
    client.start_configuration_recorder(ConfigurationRecorderName="r")


def test_history_is_asked_of_the_service_itself(place: Place, moto: Moto) -> None:
    _recorder(moto)
    trust = {"Version": "2012-10-17", "Statement": []}
    iam = moto.client("iam")
    iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust), Path="/service-role/")
    env = {**moto.environment(), "AWS_MAX_ATTEMPTS": "1"}
    types = ("--type", "AWS::IAM::Role", "--type", "AWS::S3::Bucket")
    done = place.lineal("collect", "aws-config", "--api", *types, "--region", REGION, "--json", env=env)
    assert done.status == 0, done.err
    said = done.json()
    assert said["seen"] == said["recorded"] == 1
    (gap,) = said["gaps"]
    assert gap["code"] == "aws.failed"
    assert gap["about"].startswith("AWS::IAM::Role/"), "moto answers with a list where tags are a table"
    bucket = make_resource("AWS::S3::Bucket", "", "", "audit")
    (item,) = _items(place, bucket.key)
    assert (item.source, item.shape, item.resource) == ("aws-config", "config", bucket)
    assert item.configuration["name"] == "audit"
    assert item.extra["supplementary"]
    with _session(place) as session:
        looks = {(look.type, look.account, look.region): look.complete for look in session.configuration.looks()}
    assert looks == {("AWS::IAM::Role", ACCOUNT, ""): False, ("AWS::S3::Bucket", "", ""): True}


@dataclass
class FalseConfig:
    """A server of AWS Config that answers as it is told; operation -> answers, the last of them again and again."""

    answers: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answer(self, operation: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append((operation, body))
        listed = self.answers.get(operation, [{}])
        found = listed.pop(0) if len(listed) > 1 else listed[0]
        found = found(body) if callable(found) else found
        return (400, {"__type": found, "message": "because"}) if isinstance(found, str) else (200, found)


@contextmanager
def _serve(config: FalseConfig) -> Iterator[dict[str, str]]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            if not operation:  # STS
                status, kind = 200, "text/xml"
                data = (
                    f"<R><GetCallerIdentityResult><Account>{ACCOUNT}</Account></GetCallerIdentityResult></R>".encode()
                )
            else:
                status, answer = config.answer(operation, json.loads(body))
                kind, data = "application/x-amz-json-1.1", json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1", "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }  # fmt: skip
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _api_record(time: float, count: int, **more: Any) -> dict[str, Any]:
    return {
        "version": "1.3", "accountId": ACCOUNT, "configurationItemCaptureTime": time, "configurationItemStatus": "OK",
        "configurationStateId": str(int(time * 1000)), "arn": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/build",
        "resourceType": "AWS::CodeBuild::Project", "resourceId": "build", "resourceName": "build", "awsRegion": REGION,
        "configuration": json.dumps({"timeoutInMinutes": count}), **more,
    }  # fmt: skip


RECORDING = {"ConfigurationRecordersStatus": [{"name": "r", "recording": True, "lastStatus": "SUCCESS"}]}
LISTED = {
    "resourceIdentifiers": [{"resourceType": "AWS::CodeBuild::Project", "resourceId": "build", "resourceName": "build"}]
}
PROJECT = "AWS::CodeBuild::Project"


def test_short_and_empty_pages_are_followed_to_the_end_and_the_next_time_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = FalseConfig(
        {
            "DescribeConfigurationRecorderStatus": [RECORDING],
            "ListDiscoveredResources": [{"resourceIdentifiers": [], "nextToken": "a"}, LISTED],
            "GetResourceConfigHistory": [
                {"configurationItems": [_api_record(1772359200.0, 1)], "nextToken": "1"},
                {"configurationItems": [], "nextToken": "2"},
                {"configurationItems": [_api_record(1772959200.0, 2)], "nextToken": "3"},
                {"configurationItems": [_api_record(1773559200.0, 3, configurationItemStatus="ResourceDeleted")]},
            ],
            "DescribeRetentionConfigurations": [
                {"RetentionConfigurations": [{"Name": "default", "RetentionPeriodInDays": 400}]}
            ],
        }
    )
    with _serve(config) as env:
        _use(monkeypatch, env)
        done = _ask(place, PROJECT)
        assert (done.seen, done.recorded, done.gaps) == (3, 3, ())
        _ask(place, PROJECT)
    asked = [body for operation, body in config.asked if operation == "GetResourceConfigHistory"]
    assert [body.get("nextToken") for body in asked[:4]] == [None, "1", "2", "3"]
    assert all(body["chronologicalOrder"] == "Forward" and body["limit"] == 100 for body in asked)
    assert "earlierTime" not in asked[0]
    assert "earlierTime" in asked[4]
    assert all(body["includeDeletedResources"] for name, body in config.asked if name == "ListDiscoveredResources")
    assert [item.status for item in _items(place, BUILD)] == ["ok", "ok", "deleted"]


def test_refusals_are_gaps_and_never_deletions(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    config = FalseConfig(
        {
            "DescribeConfigurationRecorderStatus": [RECORDING],
            "ListDiscoveredResources": [LISTED],
            "GetResourceConfigHistory": [{"configurationItems": [_api_record(1772359200.0, 1)]}],
        }
    )
    with _serve(config) as env:
        _use(monkeypatch, env)
        _ask(place, PROJECT)
        for operation, error, code in (
            ("ListDiscoveredResources", "ThrottlingException", "aws.throttled"),
            ("ListDiscoveredResources", "AccessDeniedException", "aws.denied"),
            ("GetResourceConfigHistory", "InternalError", "aws.failed"),
            ("ListDiscoveredResources", "NoAvailableConfigurationRecorderException", "aws.failed"),
        ):
            kept = config.answers[operation]
            config.answers[operation] = [error]
            done = _ask(place, PROJECT)
            config.answers[operation] = kept
            assert {gap.code for gap in done.gaps} == {code}
        config.answers["GetResourceConfigHistory"] = [{"configurationItems": [], "nextToken": "same"}]
        assert "again and again" in _ask(place, PROJECT).gaps[0].explanation
        config.answers["ConfigurationRecordersStatus"] = []
        config.answers["GetResourceConfigHistory"] = ["ResourceNotDiscoveredException"]
        assert _ask(place, PROJECT).gaps == (), "it has no record since the last time"
    starts = [body["earlierTime"] for name, body in config.asked if "earlierTime" in body]
    assert len(starts) > 2
    assert len(set(starts)) == 1, "it goes on from the last time that was whole"
    assert [item.status for item in _items(place, BUILD)] == ["ok"]
    with _session(place) as session:
        looks = session.configuration.looks()
    assert [look.complete for look in looks] == [True, False, False, False, False, False, True]


def test_where_history_is_denied_the_current_state_is_asked(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    base = {name: value for name, value in _api_record(1772359200.0, 1).items() if name != "relationships"}
    config = FalseConfig(
        {
            "DescribeConfigurationRecorderStatus": [RECORDING],
            "ListDiscoveredResources": [LISTED],
            "GetResourceConfigHistory": ["AccessDeniedException"],
            "BatchGetResourceConfig": [
                {"baseConfigurationItems": [], "unprocessedResourceKeys": []} | {"baseConfigurationItems": [base]}
            ],
        }
    )
    with _serve(config) as env:
        _use(monkeypatch, env)
        done = _ask(place, PROJECT)
    assert {gap.code for gap in done.gaps} == {"aws.denied", "config.current_only"}
    (item,) = _items(place, BUILD)
    assert (item.shape, item.configuration) == ("config-base", {"timeoutInMinutes": 1})


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"ConfigurationRecordersStatus": []}, "does not record here"),
        ({"ConfigurationRecordersStatus": [{"recording": False, "lastStopTime": 1772359200}]}, "since 2026-03-01"),
        (
            {"ConfigurationRecordersStatus": [{"recording": True, "lastStatus": "FAILURE", "lastErrorCode": "X"}]},
            "fails: X",
        ),
    ],
)
def test_a_recorder_that_does_not_record_is_a_gap(
    monkeypatch: pytest.MonkeyPatch, place: Place, status: dict[str, Any], said: str
) -> None:
    answers: dict[str, list[Any]] = {
        "DescribeConfigurationRecorderStatus": [status],
        "ListDiscoveredResources": [LISTED],
    }
    answers["GetResourceConfigHistory"] = [{"configurationItems": [_api_record(1772359200.0, 1)]}]
    with _serve(FalseConfig(answers)) as env:
        _use(monkeypatch, env)
        done = _ask(place, PROJECT)
    (gap,) = done.gaps
    assert gap.code == "config.not_recording"
    assert said in gap.explanation
    assert done.recorded == 1, "what it recorded before is known all the same"
    with _session(place) as session:
        assert [look.complete for look in session.configuration.looks()] == [False]


def test_all_types_are_those_that_the_service_knows_some_of(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"resourceCounts": [{"resourceType": "AWS::CodeBuild::Project", "count": 1}]}
    answers: dict[str, list[Any]] = {
        "DescribeConfigurationRecorderStatus": [RECORDING],
        "DescribeConfigurationRecorders": [
            {"ConfigurationRecorders": [{"recordingGroup": {"resourceTypes": ["AWS::SNS::Topic"]}}]}
        ],
        "GetDiscoveredResourceCounts": [counts],
    }
    config = FalseConfig(answers)
    with _serve(config) as env:
        _use(monkeypatch, env)
        _ask(place)
    asked = [body["resourceType"] for operation, body in config.asked if operation == "ListDiscoveredResources"]
    assert asked == ["AWS::CodeBuild::Project", "AWS::SNS::Topic"]


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "name places"),
        ({"places": ["x"], "api": True, "every": True}, "name places"),
        ({"api": True}, "--type or --all"),
        ({"api": True, "every": True, "types": ["AWS::IAM::Role"]}, "--type or --all"),
        ({"places": ["x"], "types": ["AWS::IAM::Role"]}, "name places"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_anything_is_read(given: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError) as error:
        command(**given)
    assert word in error.value.message


def test_places_and_types_that_cannot_be_are_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    done = place.lineal("collect", "aws-config", "nowhere")
    assert (done.status, "Traceback" in done.err) == (2, False)
    assert "there is nothing at" in done.err
    with _serve(FalseConfig()) as env:
        _use(monkeypatch, env)
        with pytest.raises(BadInput, match="not a type"):
            _ask(place, "Role")
