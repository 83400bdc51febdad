"""When logging was switched off and on, and spans of time."""

from typing import Any

import pytest

from lineal.core.api_event import ApiEvent
from lineal.core.span import merge, without
from lineal.core.timestamp import shift
from lineal.sources.cloudtrail_logging import Logging, Stop

ACCOUNT, REGION = "123456789012", "eu-west-1"


def event(minute: int, name: str, trail: str = "main", **more: Any) -> ApiEvent:
    asked = {"name": trail, **more.pop("asked", {})}
    return ApiEvent(
        id=f"{minute}-{name}-{trail}", time=f"2026-10-01T10:{minute:02d}:00.000000Z", account=ACCOUNT, region=REGION,
        service="cloudtrail.amazonaws.com", name=name, principal="eve", record={"requestParameters": asked}, **more,
    )  # fmt: skip


def minutes(stops: list[Stop]) -> list[tuple[str, str, str]]:
    return [(stop.trail, stop.since[14:16], stop.until[14:16]) for stop in stops]


def stops(*events: ApiEvent, standing: dict[str, dict[str, str]] | None = None) -> tuple[list[Stop], Logging]:
    logging = Logging(standing or {})
    for each in events:
        logging.take(each)
    return logging.stops(), logging


def test_a_trail_is_off_from_its_stop_to_its_start_whatever_the_order_and_however_it_is_named() -> None:
    arn = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"
    found, _ = stops(
        event(20, "StartLogging", arn), event(5, "StopLogging"), event(7, "StopLogging"), event(5, "StopLogging")
    )
    assert minutes(found) == [("main", "05", "20")]
    found, _ = stops(event(5, "StopLogging"), event(6, "StartLogging", "other"), event(9, "StopLogging", "other"))
    assert minutes(found) == [("main", "05", ""), ("other", "09", "")]


def test_what_is_off_is_remembered_until_it_is_on() -> None:
    found, logging = stops(event(5, "DeleteTrail"))
    assert [each.is_new for each in found] == [True]
    found, logging = stops(standing=logging.standing)
    assert [(each.is_new, each.by) for each in found] == [(False, "eve")]
    found, logging = stops(event(30, "StartLogging"), standing=logging.standing)
    assert minutes(found) == [("main", "05", "30")]
    assert not logging.standing
    assert "DeleteTrail by eve" in logging.explain(found[0]).explanation


def test_calls_that_failed_and_calls_of_others_switch_nothing() -> None:
    assert stops(event(5, "StopLogging", error="AccessDenied"))[0] == []
    assert stops(event(5, "DescribeTrails"), event(6, "CreateTrail"))[0] == []


@pytest.mark.parametrize(
    ("asked", "ends"),
    [
        ({"eventSelectors": [{"readWriteType": "ReadOnly", "includeManagementEvents": True}]}, True),
        ({"eventSelectors": [{"readWriteType": "All", "includeManagementEvents": False}]}, True),
        ({"eventSelectors": [{"readWriteType": "WriteOnly", "includeManagementEvents": True}]}, False),
        ({"eventSelectors": [{"readWriteType": "ReadOnly"}, {"readWriteType": "WriteOnly"}]}, False),
        ({"advancedEventSelectors": [{"fieldSelectors": [{"field": "eventCategory", "equals": ["Data"]}]}]}, True),
        (
            {"advancedEventSelectors": [{"fieldSelectors": [{"field": "eventCategory", "equals": ["Management"]}]}]},
            False,
        ),
        (
            {"advancedEventSelectors": [{"fieldSelectors": [
                {"field": "eventCategory", "equals": ["Management"]}, {"field": "readOnly", "equals": ["true"]}]}]},
            True,
        ),
        ({"eventSelectors": []}, False),
        ({"eventSelectors": "x", "advancedEventSelectors": [7]}, True),
    ],
)  # fmt: skip
def test_selectors_that_leave_changes_out_are_like_a_stop(asked: dict[str, Any], *, ends: bool) -> None:
    found, logging = stops(event(5, "PutEventSelectors", asked=asked), event(9, "StartLogging"))
    assert bool(found) is ends
    assert [each.code for each in logging.changes()] == ([] if ends else ["cloudtrail.logging_changed"])
    if ends:
        everything = {"eventSelectors": [{"readWriteType": "All"}]}
        later = event(15, "PutEventSelectors", asked=everything)
        assert minutes(stops(later, standing=logging.standing)[0]) == [("main", "05", "15")]


def test_spans_are_added_and_taken_away() -> None:
    assert merge([("b", "c"), ("a", "b"), ("e", "f"), ("d", "d")]) == [("a", "c"), ("e", "f")]
    assert without([("a", "f")], [("b", "c"), ("e", "z")]) == [("a", "b"), ("c", "e")]
    assert without([("a", "c")], [("a", "c")]) == []
    assert shift("2026-10-01T10:00:00.000000Z", minutes=-15) == "2026-10-01T09:45:00.000000Z"
    assert shift("0001-01-01T00:00:00.000000Z", days=-1) == "0001-01-01T00:00:00.000000Z"
