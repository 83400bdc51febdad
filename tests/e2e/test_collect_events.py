"""Events that others bring: EventBridge in files, on standard input and over HTTP; audit logs of Kubernetes."""

import gzip
import json
import os
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from commandline import LINEAL, Place, make_place

from lineal.app import collect_events
from lineal.app.session import Session
from lineal.app.trail_batch import Batch
from lineal.core.api_event import ApiEvent
from lineal.sources import event_file
from lineal.wiring import Settings, open_session
from servers.moto import ACCOUNT, REGION

RECORD = {
    "eventVersion": "1.10", "eventTime": "2026-11-03T09:31:00Z", "eventSource": "sagemaker.amazonaws.com",
    "eventName": "UpdateEndpoint", "awsRegion": REGION, "eventID": "e-1", "readOnly": False,
    "recipientAccountId": ACCOUNT, "requestParameters": {"endpointName": "Scorer", "endpointConfigName": "c-2"},
    "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/ana", "userName": "ana"},
}  # fmt: skip
CALL = {
    "version": "0", "id": "b-1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.sagemaker",
    "account": ACCOUNT, "time": "2026-11-03T09:31:00Z", "region": REGION, "resources": [], "detail": RECORD,
}  # fmt: skip
ENDPOINT = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/scorer"
STATE = {
    "version": "0", "id": "b-2", "detail-type": "SageMaker Endpoint State Change", "source": "aws.sagemaker",
    "account": ACCOUNT, "time": "2026-11-03T09:41:00Z", "region": REGION, "resources": [ENDPOINT],
    "detail": {"EndpointName": "Scorer", "EndpointArn": ENDPOINT, "EndpointStatus": "IN_SERVICE"},
}  # fmt: skip


def audit(verb: str, plural: str, name: str, **more: Any) -> dict[str, Any]:
    """Return an audit event as an API server writes it."""
    return {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse", "stage": "ResponseComplete",
        "auditID": f"a-{verb}-{plural}-{name}", "verb": verb, "user": {"username": "ci", "groups": ["deployers"]},
        "objectRef": {"resource": plural, "namespace": "serving", "name": name, "apiGroup": "apps", "apiVersion": "v1"},
        "requestReceivedTimestamp": "2026-11-03T09:31:00.123456Z", "responseStatus": {"code": 200},
    } | more  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def events(place: Place) -> dict[str, ApiEvent]:
    with session_of(place) as session:
        return {each.id: each for each in session.configuration.events_between(reads=True)}


def session_of(place: Place) -> Any:
    return open_session(Settings(ledger=str(place.folder / ".lineal"), actor="reader"))


def test_files_of_every_shape_are_read_and_each_event_stands_once(place: Place) -> None:
    wrapped = {"Messages": [{"Body": json.dumps(CALL)}, {"Body": json.dumps({"Message": json.dumps(STATE)})}]}
    folder = place.folder / "bus"
    folder.mkdir()
    (folder / "lines.jsonl").write_text(f"{json.dumps(CALL)}\n\n{json.dumps(STATE)}\n")
    (folder / "run.json").write_text(json.dumps(CALL) + json.dumps(STATE))
    (folder / "list.json.gz").write_bytes(gzip.compress(json.dumps([CALL, [STATE]]).encode()))
    (folder / "queue.json").write_text(json.dumps(wrapped, indent=1))
    (folder / "bare.json").write_text(json.dumps(RECORD))
    (folder / "broken.jsonl").write_text('{"half":\n' + json.dumps({**CALL, "detail": {**RECORD, "eventID": "e-9"}}))
    done = place.within("collect", "eventbridge", "bus", "--json")
    assert done.status == 0, done.err
    said = done.json()
    assert said["counts"]["recorded"] == 3
    assert {each["code"] for each in said["gaps"]} == {"events.line_broken", "eventbridge.source_unknown"}
    found = events(place)
    assert set(found) == {"e-1", "e-9", "eventbridge:b-2"}
    assert found["e-1"].targets[0] == ENDPOINT
    state = found["eventbridge:b-2"]
    assert (state.category, state.read_only, state.targets) == ("StateChange", True, (ENDPOINT,))
    assert state.record["detail"]["EndpointStatus"] == "IN_SERVICE"
    again = place.lineal("collect", "eventbridge", "-", "--json", given=json.dumps(CALL).encode())
    assert (again.json()["counts"]["events"], again.json()["counts"].get("recorded", 0)) == (1, 0)


def test_nobody_hides_a_call_behind_another_of_its_identifier(place: Place) -> None:
    forged = {**RECORD, "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/bo", "userName": "bo"}}
    elsewhere = {**RECORD, "sharedEventID": "s", "tlsDetails": {"tlsVersion": "TLSv1.3"}}  # the same call, told apart
    (place.folder / "first.json").write_text(json.dumps([CALL, {**CALL, "detail": elsewhere}]))
    assert not place.lineal("collect", "eventbridge", "first.json", "--json").json()["gaps"]
    for again in (1, 0):  # it is told once
        (place.folder / "second.json").write_text(
            json.dumps([{**CALL, "detail": each} for each in (elsewhere, forged, RECORD, forged)])
        )
        done = place.within("collect", "eventbridge", "second.json", "--json").json()
        assert [(each["code"], each["about"][:4]) for each in done["gaps"]] == [
            ("events.contradictory", "e-1+")
        ] * again
        assert done["counts"].get("recorded", 0) == again
    who = {each.id[:4]: each.principal.rpartition("/")[2] for each in events(place).values()}
    assert who == {"e-1": "ana", "e-1+": "bo"}
    both = make_place(place.folder / "other")
    (both.folder / "both.json").write_text(json.dumps([{**CALL, "detail": forged}, CALL]))
    done = both.within("collect", "eventbridge", "both.json", "--json").json()
    assert (len(done["gaps"]), done["counts"]["recorded"]) == (1, 2)


def test_what_is_no_event_is_said_and_what_cannot_be_read_ends_nothing(place: Place) -> None:
    bad = [7, {"detail-type": "X"}, {"detail-type": "X", "detail": {}}, {**STATE, "id": ""}, {**STATE, "time": "soon"}]
    (place.folder / "bad.json").write_text(json.dumps([*bad, STATE]))
    # Whoever may put events on a bus can put one that looks like a call; only its source is out of their hands.
    fake = {**CALL, "source": "shop.orders", "detail": {**RECORD, "eventID": "planted"}}
    (place.folder / "fake.json").write_text(json.dumps([fake, {**fake, "source": None}]))
    done = place.within("collect", "eventbridge", "fake.json", "--json")
    assert [each["code"] for each in done.json()["gaps"]] == ["eventbridge.event_foreign"]
    assert done.json()["counts"]["unreadable"] == 2
    assert "planted" not in events(place)
    (place.folder / "latin.json").write_bytes(b'{"a": "\xe9"}')
    done = place.within("collect", "eventbridge", "bad.json", "--json")
    assert (done.status, done.json()["counts"]["unreadable"], done.json()["counts"]["recorded"]) == (0, 5, 1)
    done = place.within("collect", "eventbridge", "latin.json", "--json")
    assert [each["code"] for each in done.json()["gaps"]] == ["events.file_broken"]
    for words in (("collect", "eventbridge"), ("collect", "eventbridge", "x", "--listen", "127.0.0.1:1")):
        assert place.within(*words).status == 2
    assert place.within("collect", "eventbridge", "none").status == 2


def test_a_call_without_its_source_is_claimed_and_covers_nothing(place: Place) -> None:
    (place.folder / "mixed.json").write_text(json.dumps([{**RECORD, "eventID": "alone"}, CALL]))
    done = place.within("collect", "eventbridge", "mixed.json", "--json").json()
    assert [each["code"] for each in done["gaps"]] == ["eventbridge.source_unknown"]
    assert (done["counts"]["claimed"], done["counts"]["recorded"], done["trail"]) == (1, 2, [])
    assert {each.id: each.claimed for each in events(place).values()} == {"alone": True, "e-1": False}
    with session_of(place) as session:
        assert not session.configuration.trail(), "no watermark moves"
        said = [each for each in session.catalog.events() if each["type"] == "api.recorded/1"]
    assert sorted(each["basis"] for each in said) == ["claimed", "observed"]
    (place.folder / "whole.json").write_text(json.dumps({**CALL, "detail": {**RECORD, "eventID": "alone"}}))
    for count in (1, 0):
        done = place.within("collect", "eventbridge", "whole.json", "--json").json()
        assert (done["counts"].get("recorded", 0), done["gaps"]) == (count, []), "what was claimed is borne out, once"
    with session_of(place) as session:
        found = session.configuration.events([ENDPOINT])[ENDPOINT]
    assert {each.id: each.claimed for each in found} == {"alone": False, "e-1": False}


def call(identity: str) -> dict[str, Any]:
    return {**CALL, "detail": {**RECORD, "eventID": identity}}


def test_what_comes_before_a_break_is_kept_and_it_is_said_where_it_is(place: Place) -> None:
    lines = "".join(f"{json.dumps(call(f'l_{number}'))}\n" for number in range(3))
    whole = json.dumps({"Events": [call("r-0"), call("r-1"), call("r-2")]}).encode()
    packed = gzip.compress("".join(f"{json.dumps(call(f'z-{n}'))}\n" for n in range(3000)).encode())
    files = {
        "cut.jsonl": lines.encode() + json.dumps(call("l-9")).encode()[:-5],
        "records.json": whole[:-20],
        "list.json": json.dumps([call("a-0"), call("a-1")]).encode()[:-1],
        "latin.jsonl": lines.replace("l_", "u_").encode() + b'{"a": "\xe9"}\n' + lines.replace("l_", "v_").encode(),
        "cut.jsonl.gz": packed[: len(packed) // 2],
        "damaged.jsonl.gz": b"\x1f\x8b damaged at once",
    }
    told: dict[str, set[tuple[str, str]]] = {}
    for name, content in files.items():
        (place.folder / name).write_bytes(content)
        done = place.within("collect", "eventbridge", name, "--json")
        assert done.status == 0, done.err
        told[name] = {(each["code"], each["explanation"]) for each in done.json()["gaps"]}
    at = len(lines)
    assert {name: {code for code, _ in each} for name, each in told.items()} == {
        "cut.jsonl": {"events.line_broken"}, "records.json": {"events.line_broken"},
        "list.json": {"events.line_broken"}, "latin.jsonl": {"events.file_broken"},
        "cut.jsonl.gz": {"events.file_broken", "events.line_broken"}, "damaged.jsonl.gz": {"events.file_broken"},
    }  # fmt: skip
    assert next(iter(told["cut.jsonl"]))[1].startswith("not JSON from line 4, byte ")
    assert next(iter(told["latin.jsonl"]))[1].startswith(f"not UTF-8 from byte {at + 7:,} on")
    kept = sorted(each for each in events(place) if not each.startswith("z-"))
    assert kept == ["a-0", "a-1", "l_0", "l_1", "l_2", "r-0", "r-1", "u_0", "u_1", "u_2"]
    assert 100 < len(events(place)) - len(kept) < 3000


def test_few_large_events_do_not_pile_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect_events, "_MOST_HELD", 3000)
    monkeypatch.setattr(event_file, "_STEP", 1000)
    large = [{**call(f"w-{number}"), "pad": "x" * 1000} for number in range(20)]
    (place.folder / "large.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in large))
    waiting: list[int] = []
    release = Batch.release
    monkeypatch.setattr(Batch, "release", lambda self: (waiting.append(len(self._waiting)), release(self))[1])
    assert place.within("collect", "eventbridge", "large.jsonl", "--json").json()["counts"]["recorded"] == 20
    assert (max(waiting) < 5, len(waiting) > 4) == (True, True)


def test_a_record_that_no_event_can_hold_stops_nothing(place: Place) -> None:
    asked: Any = '"' * 800_000
    for _ in range(97):  # each twenty levels become the text of them, and every quote two characters more
        asked = {"a": asked}
    (place.folder / "blow.json").write_text(json.dumps([{**CALL, "detail": {**RECORD, "requestParameters": asked}}]))
    (place.folder / "more.json").write_text(json.dumps(call("more")))
    done = place.within("collect", "eventbridge", ".", "--json")
    assert (done.status, done.json()["counts"]["recorded"]) == (0, 2), done.err
    assert [(each["code"], each["about"]) for each in done.json()["gaps"]] == [("events.record_too_large", "e-1")]
    found = events(place)
    assert (found["e-1"].name, set(found["e-1"].record)) == ("UpdateEndpoint", {"bytesTooMany", "sha256"})
    again = place.within("collect", "eventbridge", ".", "--json").json()
    assert again["counts"]["recorded"] == 0


def test_a_bomb_and_what_cannot_be_read_twice_are_read_within_limits(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.folder / "bomb.json.gz").write_bytes(gzip.compress(json.dumps(call("b-0")).encode() + b" " * 3_000_000))
    monkeypatch.setattr(event_file, "_STEP", 1000)
    with event_file.open_events(place.folder / "bomb.json.gz", 10_000) as file:
        assert (file.size, file.fault) == (10_000, "unpacked it is over 10,000 bytes")
        assert len(b"".join(file.pieces())) == 10_000
    fifo = place.folder / "fifo"
    os.mkfifo(fifo)
    thread = threading.Thread(target=fifo.write_bytes, args=(gzip.compress(json.dumps(call("f-0")).encode()),))
    thread.start()
    done = place.within("collect", "eventbridge", "fifo", "--json")
    thread.join()
    assert (done.status, done.json()["counts"]["recorded"]) == (0, 1)
    piped = place.lineal("collect", "eventbridge", "-", "--json", given=gzip.compress(json.dumps(call("f-1")).encode()))
    assert (piped.status, piped.json()["counts"]["recorded"]) == (0, 1)


def post(url: str, data: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(url, data, {each.replace("_", "-"): text for each, text in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=900) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def listen(place: Place, *options: str) -> tuple["subprocess.Popen[bytes]", str]:
    """Start a receiver on a free port; return it and its address."""
    process = place.start(
        *LINEAL, "collect", "eventbridge", "--listen", "127.0.0.1:0", *options,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    line = process.stderr.readline().decode()
    found = re.search(r"http://\S+", line)
    assert found is not None, line + process.stderr.read().decode()
    return process, found[0]


def test_events_come_over_http_and_are_durable_when_it_says_so(place: Place) -> None:
    (place.folder / "secret").write_text("s3cret\n")
    process, url = listen(place, "--secret-file", "secret")
    try:
        assert post(url, json.dumps(CALL).encode())[0] == 401
        assert post(url, json.dumps(CALL).encode(), X_Lineal_Secret="wrong")[0] == 401
        sent = {"X_Lineal_Secret": "s3cret"}
        assert post(url, json.dumps(CALL).encode(), **sent) == (200, {"events": 1, "kept": 1, "recorded": 1})
        assert set(events(place)) == {"e-1"}, "another process sees it as soon as it was acknowledged"
        assert post(url, json.dumps([CALL, STATE]).encode(), **sent)[1]["recorded"] == 1
        half = json.dumps({**CALL, "detail": {**RECORD, "eventID": "e-half"}}) + "{"
        assert post(url, half.encode(), **sent)[0] == 400
        assert post(url, b"\xff", **sent)[0] == 400
        assert post(url, b"7", **sent)[0] == 400
        assert post(url, b"", **sent) == (200, {"events": 0, "kept": 0, "recorded": 0})
        request = urllib.request.Request(url, headers={"Content-Length": str(1 << 40), "X-Lineal-Secret": "s3cret"})
        request.get_method = lambda: "POST"  # type: ignore[method-assign]
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=900)
        assert refused.value.code == 413
        with urllib.request.urlopen(url, timeout=900) as answer:
            assert json.loads(answer.read()) == {"status": "ready"}
    finally:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=900)
    assert (process.returncode, b"Traceback" in err) == (0, False), err
    assert b"received: 3 events, 2 new on record" in out
    assert set(events(place)) == {"e-1", "eventbridge:b-2"}
    assert place.within("verify").status == 0


def test_a_receiver_for_everybody_needs_a_secret_and_a_free_port(place: Place) -> None:
    refused = ("nowhere", "127.0.0.1:99999", "127.0.0.1:\u00b2", "127.0.0.1:" + "9" * 5000)
    for address, hint in (("0.0.0.0:0", "secret"), *((each, "127.0.0.1:8620") for each in refused)):
        done = place.within("collect", "eventbridge", "--listen", address)
        assert (done.status, hint in done.err, "Traceback" in done.err) == (2, True, False), done.err
    process, url = listen(place)
    try:
        done = place.within("collect", "eventbridge", "--listen", url.removeprefix("http://"))
        assert (done.status, "cannot listen" in done.err) == (2, True)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=900)
    assert process.returncode == 0


def test_a_receiver_that_is_killed_loses_nothing_it_acknowledged(place: Place) -> None:
    process, url = listen(place)
    said = 0
    for number in range(20):
        record = {**RECORD, "eventID": f"k-{number}"}
        said += post(url, json.dumps({**CALL, "detail": record}).encode())[1]["recorded"]
    process.kill()
    process.communicate(timeout=900)
    assert said == 20
    assert len(events(place)) == 20


def test_audit_events_of_a_cluster_are_recorded_under_the_keys_of_its_objects(place: Place) -> None:
    log = [
        audit("patch", "deployments", "scorer", requestObject={"spec": {"replicas": 3}}),
        audit("patch", "deployments", "scorer", stage="RequestReceived", auditID="a-early"),
        audit("get", "deployments", "scorer"),
        audit("update", "leases", "node-1"),
        audit("create", "pods", "", objectRef={"resource": "pods", "namespace": "serving"},
              responseObject={"metadata": {"name": "made-up-7"}}),
        audit("delete", "deployments", "gone", responseStatus={"code": 404, "reason": "NotFound"}),
        audit("update", "secrets", "key", objectRef={"resource": "secrets", "namespace": "serving", "name": "key"},
              requestObject={"data": {"password": "aHVudGVyMjI="}, "metadata": {"annotations": {
                  "kubectl.kubernetes.io/last-applied-configuration": '{"data":{"password":"aHVudGVyMjI="}}'}}}),
        audit("patch", "deployments", "as", impersonatedUser={"username": "admin"}),
        {"kind": "Event"}, {"auditID": "x", "apiVersion": "v1"},
    ]  # fmt: skip
    (place.folder / "audit.log").write_text("\n".join(map(json.dumps, log)))
    (place.folder / "list.json").write_text(json.dumps({"kind": "EventList", "items": log[:1]}))
    done = place.within("collect", "kubernetes-audit", "audit.log", "--cluster", "prod", "--json")
    assert done.status == 0, done.err
    counts = done.json()["counts"]
    assert (counts["recorded"], counts["stages"], counts["unreadable"]) == (5, 1, 2)
    found = {each.name + " " + (each.targets or ("",))[0]: each for each in events(place).values()}
    patched = found["patch deployments Kubernetes::apps/Deployment/prod/serving/scorer"]
    assert (patched.principal, patched.account, patched.region, patched.error) == ("ci", "prod", "serving", "")
    assert patched.record["requestObject"] == {"spec": {"replicas": 3}}
    assert "create pods Kubernetes::core/Pod/prod/serving/made-up-7" in found
    assert found["delete deployments Kubernetes::apps/Deployment/prod/serving/gone"].error == "404 NotFound"
    other = found["patch deployments Kubernetes::apps/Deployment/prod/serving/as"]
    assert (other.principal, other.session) == ("admin", "ci")
    assert "aHVudGVyMjI" not in json.dumps([each.record for each in found.values()])
    again = place.within("collect", "kubernetes-audit", "list.json", "--cluster", "prod", "--json")
    assert again.json()["counts"].get("recorded", 0) == 0
    assert place.within("collect", "kubernetes-audit", "audit.log", "--cluster", "").status == 2
    assert place.within("verify").status == 0


def test_reads_are_kept_only_if_they_are_asked_for_and_name_what_is_known(place: Place) -> None:
    from lineal.core.config_item import OBSERVED, ConfigItem
    from lineal.core.observation import Observation
    from lineal.core.resource import make_resource

    read = {**RECORD, "eventName": "DescribeEndpoint", "readOnly": True, "eventID": "r-1"}
    data = {**RECORD, "eventName": "InvokeThing", "eventCategory": "Data", "eventID": "d-1"}
    (place.folder / "e.json").write_text(json.dumps([{**CALL, "detail": each} for each in (read, data)]))

    def kept(*options: str) -> int:
        return int(place.within("collect", "eventbridge", "e.json", "--json", *options).json()["counts"]["kept"])

    assert (kept(), kept("--reads")) == (0, 0), "nothing is known of the endpoint"
    resource = make_resource("AWS::SageMaker::Endpoint", ACCOUNT, REGION, "Scorer")
    item = ConfigItem(
        resource=resource, time="2026-11-01T00:00:00.000000Z",
        source="aws", shape="api", configuration={"EndpointName": "Scorer"},
    )  # fmt: skip
    session: Session
    with session_of(place) as session:
        session.say(
            Observation(type=OBSERVED, time=item.time, actor="t", basis="observed", data={"items": [item.describe()]})
        )
    assert (kept(), kept("--reads")) == (1, 2), "the data event, then the read as well"
