"""API events from whatever trails, buses and audit logs hold: read or refused, never an accident."""

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core import canonical
from lineal.core.api_event import ApiEvent, read_event
from lineal.core.observation import Gap
from lineal.core.span import merge, without
from lineal.errors import BadInput
from lineal.sources import cloudtrail_file
from lineal.sources.cloudtrail_file import Log, open_log
from lineal.sources.cloudtrail_record import read_of, read_record, recordable, unknown_version
from lineal.sources.eventbridge import read_message, read_payload
from lineal.sources.kubernetes_audit import read_audit

RECORDS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "unit" / "cloudtrail_records.json").read_text(encoding="utf-8")
)
FIELDS = sorted({name for record in RECORDS.values() for name in record} | {"detail-type", "detail", "id", "time"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["arn:aws:s3:::x", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*FIELDS, "name", "arn", "type", "sessionIssuer"]) | st.text(), inner, max_size=4
        )
    ),
    max_leaves=10,
)


def check(found: ApiEvent | Gap | None) -> None:
    """An event can be recorded and read again as it is; anything else is a gap with a code."""
    if isinstance(found, ApiEvent):
        event = recordable(found)
        document = json.loads(canonical.encode(event.describe()))
        assert read_event(document) == event
        assert event.id.isprintable()
        assert 0 < len(event.id) <= 260
    elif found is not None:
        assert found.code
        assert found.explanation


@given(st.sampled_from(sorted(RECORDS)), st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_a_record_with_anything_in_its_fields_is_read_or_refused(name: str, changes: dict[str, Any]) -> None:
    record = RECORDS[name] | changes
    check(read_record(record))
    unknown_version(record)


@given(JSON)
def test_anything_at_all_is_read_or_refused(value: Any) -> None:
    check(read_record(value))
    check(read_message(value))
    check(read_audit(value, "prod"))


@given(
    st.dictionaries(
        st.sampled_from(["stage", "verb", "user", "objectRef", "requestReceivedTimestamp", "responseStatus",
                         "impersonatedUser", "requestObject", "responseObject", "apiVersion"]),
        JSON,
    )
)  # fmt: skip
def test_an_audit_event_with_anything_in_its_fields_is_read_or_refused(changes: dict[str, Any]) -> None:
    event = {
        "auditID": "a-1", "stage": "ResponseComplete", "verb": "patch", "apiVersion": "audit.k8s.io/v1",
        "requestReceivedTimestamp": "2026-10-01T10:00:00.000000Z",
        "objectRef": {"resource": "secrets", "name": "s", "namespace": "n"},
    }  # fmt: skip
    check(read_audit(event | changes, "prod"))


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where every part of a document is."""
    for name, each in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield (*place, name)
        yield from places(each, (*place, name))


def put(value: Any, place: tuple[Any, ...], part: Any) -> Any:
    if not place:
        return part
    found = value.copy()
    found[place[0]] = put(value[place[0]], place[1:], part)
    return found


ODD = (
    None,
    7,
    10**30,
    float("inf"),
    "",
    "\x00",
    "\ud800",
    [],
    {},
    ["\ud800"],
    {"a": None},
    "0001-01-01T00:00:00+23:00",
)
AUDIT = {
    "auditID": "a-1", "stage": "ResponseComplete", "verb": "patch", "apiVersion": "audit.k8s.io/v1",
    "requestReceivedTimestamp": "2026-10-01T10:00:00.000000Z", "user": {"username": "u"},
    "impersonatedUser": {"username": "v"}, "responseStatus": {"code": 400, "reason": "x"},
    "objectRef": {"resource": "secrets", "subresource": "x", "name": "s", "namespace": "n", "apiGroup": "apps"},
    "requestObject": {"data": {"a": "b"}, "metadata": {"annotations": {"last-applied": "x"}}},
    "responseObject": {"metadata": {"name": "s"}},
}  # fmt: skip
STATE = {
    "id": "b-2", "detail-type": "X", "source": "aws.sagemaker", "account": "123456789012", "region": "eu-west-1",
    "time": "2026-11-03T09:41:00Z", "resources": ["arn:aws:sagemaker:eu-west-1:123456789012:endpoint/e"],
    "detail": {"EndpointName": "e"},
}  # fmt: skip


def test_nothing_odd_at_any_place_is_an_accident() -> None:
    for record in RECORDS.values():
        for place in places(record):
            for odd in ODD:
                changed = put(record, place, odd)
                check(read_record(changed))
                if read_of(changed):
                    unknown_version(changed)
    for place in places(AUDIT):
        for odd in ODD:
            check(read_audit(put(AUDIT, place, odd), "prod"))
    for place in places(STATE):
        for odd in ODD:
            check(read_message(put(STATE, place, odd)))


@given(st.text(), st.lists(JSON, max_size=3))
def test_every_text_is_a_payload_or_has_gaps(text: str, values: list[Any]) -> None:
    for each in read_payload([text.encode("utf-8", "surrogatepass")]):
        assert not isinstance(each, Gap) or each.code == "events.line_broken"
    lines = "\n".join(json.dumps({"detail-type": "X", "value": value}) for value in values)
    assert [json.dumps(each["value"]) for each in read_payload([lines.encode()])] == [
        json.dumps(value) for value in values
    ]


@given(st.lists(JSON, max_size=6), st.integers(1, 40), st.data())
@settings(max_examples=50)
def test_a_log_is_the_same_read_whole_and_read_a_little_at_a_time(
    records: list[Any], step: int, data: st.DataObject
) -> None:
    content = json.dumps({"Records": records}, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "replace")
    whole = open_log(gzip.compress(content), "x")
    assert isinstance(whole, Log)
    expected = json.dumps(list(whole.records()))
    before = cloudtrail_file._AT_ONCE, cloudtrail_file._STEP
    cloudtrail_file._AT_ONCE, cloudtrail_file._STEP = 0, step
    try:
        streamed = open_log(gzip.compress(content), "x")
        assert isinstance(streamed, Log)
        assert streamed.sha256 == whole.sha256
        assert json.dumps(list(streamed.records())) == expected
    finally:
        cloudtrail_file._AT_ONCE, cloudtrail_file._STEP = before


@given(st.binary(max_size=200) | st.binary(max_size=200).map(gzip.compress), st.integers(0, 250))
def test_bytes_are_a_log_a_gap_or_a_refusal(data: bytes, cut: int) -> None:
    for each in (data, data[:cut]):
        found = open_log(each, "x")
        if isinstance(found, Log):
            with suppress(BadInput):
                assert isinstance(list(found.records()), list)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8),
)
def test_spans_are_sets_of_moments(spans: list[tuple[int, int]], holes: list[tuple[int, int]]) -> None:
    def spell(each: list[tuple[int, int]]) -> list[tuple[str, str]]:
        return [(f"{began:02d}", f"{ended:02d}") for began, ended in each]

    def moments(each: list[tuple[str, str]]) -> set[int]:
        return {moment for began, ended in each for moment in range(int(began), int(ended))}

    merged, left = merge(spell(spans)), without(spell(spans), spell(holes))
    assert moments(merged) == moments(spell(spans))
    assert moments(left) == moments(spell(spans)) - moments(spell(holes))
    assert all(one[1] < other[0] for one, other in pairwise(merged))
    assert all(one[1] <= other[0] for one, other in pairwise(left))
