"""Events of EventBridge, read as API events: calls that CloudTrail passes on, and changes of state of SageMaker.

"Events from AWS services" and "Amazon EventBridge events for SageMaker" say what they hold. They are delivered at least
once, at the best of efforts: none of them proves that there were no others.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from lineal.core.api_event import ApiEvent
from lineal.core.observation import Gap
from lineal.core.resource import read_arn
from lineal.sources.api_targets import find_arns
from lineal.sources.cloudtrail_record import cut_text, read_moment, read_record
from lineal.sources.json_stream import Broken, JsonStream

_VIA_TRAIL: Final = " via CloudTrail"
_OF_AWS: Final = "aws."
_LISTS: Final = ("Events", "events", "Entries", "Records", "Messages", "items", "logEvents")
_BODIES: Final = ("body", "Body", "Message", "message")
_DEEPEST: Final = 4


def read_payload(pieces: Iterable[bytes]) -> Iterator[Any]:
    """Yield the events in `pieces`: JSON documents one after the other, lists of them, messages of SQS, SNS and logs.

    Of a long list, no more than a piece is in memory. Where it is not JSON, a `Gap` is yielded, and reading goes on at
    the next line.
    """
    for document in JsonStream(pieces, _LISTS).documents():
        if isinstance(document, Broken):
            why = document.why
            yield Gap("events.file_broken", f"{why}") if document.is_last else Gap("events.line_broken", f"{why}")
        else:
            yield from _flatten(document, 0)


def read_message(event: object) -> ApiEvent | Gap:
    """Return the API event that one event of EventBridge is, its record as it came, or why it is none."""
    if not isinstance(event, dict):
        return Gap("eventbridge.event_broken", f"an event is no object: {str(event)[:80]!r}")
    kind, detail = event.get("detail-type"), event.get("detail")
    if not isinstance(kind, str) and "eventSource" in event and "eventName" in event:
        found = read_record(event)  # the detail alone, as rules with an input path pass it on
        return found if isinstance(found, Gap) else replace(found, claimed=True)
    if not isinstance(kind, str) or not isinstance(detail, dict):
        return Gap("eventbridge.event_broken", "an event without detail-type or detail", _about(event))
    if kind.endswith(_VIA_TRAIL):
        if not str(event.get("source") or "").startswith(_OF_AWS):  # PutEvents takes such a source from AWS alone
            return Gap("eventbridge.event_foreign", "it calls itself one of CloudTrail, and is not", _about(event))
        return read_record(detail)
    return _read_state(event, kind, detail)


def _read_state(event: dict[str, Any], kind: str, detail: dict[str, Any]) -> ApiEvent | Gap:
    when, named = read_moment(str(event.get("time") or "")), str(event.get("id") or "")
    source = str(event.get("source") or "")
    if when is None or not named or len(named) > 200 or not named.isprintable() or not source:
        return Gap("eventbridge.event_broken", "an event without id, source or a time", _about(event))
    arns = [*find_arns(event.get("resources")), *find_arns(detail)]
    keys = dict.fromkeys(found.key for arn in arns if (found := read_arn(arn)) is not None)
    return ApiEvent(
        id=f"eventbridge:{cut_text(named)}",
        time=when,
        service=cut_text(f"{source.removeprefix('aws.')}.amazonaws.com" if source.startswith("aws.") else source),
        name=cut_text(kind),
        account=cut_text(event.get("account")),
        region=cut_text(event.get("region")),
        read_only=True,
        category="StateChange",
        targets=tuple(keys)[:100],
        record=event,
    )


def _flatten(document: Any, depth: int) -> Iterator[Any]:
    """Yield the events inside of what carries them: lists, batches, bodies of messages."""
    if isinstance(document, list):
        for each in document:
            yield from _flatten(each, depth + 1) if depth < _DEEPEST else (each,)
        return
    if isinstance(document, dict) and "detail-type" not in document and "eventName" not in document:
        for name in _LISTS:
            if isinstance(document.get(name), list) and depth < _DEEPEST:
                yield from _flatten(document[name], depth + 1)
                return
        for name in _BODIES:
            text = document.get(name)
            if isinstance(text, str) and depth < _DEEPEST:
                yield from _unwrap(text, depth)
                return
    yield document


def _unwrap(text: str, depth: int) -> Iterator[Any]:
    try:
        yield from _flatten(json.loads(text), depth + 1)
    except (ValueError, RecursionError):
        yield text


def _about(event: dict[str, Any]) -> str | None:
    found = event.get("id")
    return str(found)[:200] if found else None
