"""Asking AWS Config itself: which resources it knows, what it recorded of each, and whether it still records.

GetResourceConfigHistory gives at most a hundred records a page, and seven days a call: pages are often short or empty,
and go on by their token. Source: AWS Config API Reference; the limits are those of botocore's model of 2014-11-12.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from lineal.core.config_item import ConfigItem
from lineal.core.observation import Gap
from lineal.errors import BadInput
from lineal.sources.aws_config_record import read_record
from lineal.sources.aws_config_record_shape import as_api
from lineal.sources.aws_session import DENIED, FAILED, MISSING, Refusal, ask, ask_each

PAGE: Final = 100
_AT_ONCE: Final = 4
_FORWARD: Final[Mapping[str, Any]] = {"chronologicalOrder": "Forward"}

Client = Any


@dataclass(slots=True)
class Recorder:
    """What is known of the recorder of a region: whether it records (None: that could not be asked), and which types.

    `retention` is for how many days records are kept, where that was set.
    """

    recording: bool | None = None
    types: tuple[str, ...] = ()
    retention: int | None = None
    gaps: list[Gap] = field(default_factory=list)


@dataclass(slots=True)
class TypeReading:
    """What was read of one type: `whole` if nothing was refused and every record was understood.

    `daily` says that AWS Config looks at some of it once a day only.
    """

    kind: str
    whole: bool = True
    daily: bool = False


def read_recorder(client: Client, about: str) -> Recorder:
    """Return the state of the recorder; what is refused, and a recorder that does not record, are gaps."""
    found = Recorder()
    status = ask(client, "DescribeConfigurationRecorderStatus")
    if isinstance(status, Refusal):
        found.gaps.append(status.gap(about))
    else:
        states = status.get("ConfigurationRecordersStatus") or []
        found.recording = any(each.get("recording") for each in states)
        failing = [each for each in states if str(each.get("lastStatus", "")).upper() == "FAILURE"]
        if not found.recording:
            since = next((f" since {each['lastStopTime']}" for each in states if each.get("lastStopTime")), "")
            told = f"AWS Config does not record here{since}: what changed after that is not known to it"
            found.gaps.append(Gap("config.not_recording", told, about))
        elif failing:
            said = str(failing[0].get("lastErrorCode", "no reason is given"))[:100]
            found.gaps.append(Gap("config.not_recording", f"the recorder of AWS Config fails: {said}", about))
            found.recording = False
    recorders = ask(client, "DescribeConfigurationRecorders")
    if not isinstance(recorders, Refusal):
        groups = [each.get("recordingGroup") or {} for each in recorders.get("ConfigurationRecorders") or []]
        found.types = tuple(sorted({str(kind) for group in groups for kind in group.get("resourceTypes") or []}))
    retention = ask(client, "DescribeRetentionConfigurations")
    if not isinstance(retention, Refusal):
        days = [each.get("RetentionPeriodInDays") for each in retention.get("RetentionConfigurations") or []]
        found.retention = next((int(each) for each in days if each), None)
    return found


def list_types(client: Client, recorder: Recorder, about: str) -> tuple[list[str], list[Gap]]:
    """Return the types of which AWS Config knows a resource, or is told to record some, and what was refused."""
    kinds = set(recorder.types)
    gaps: list[Gap] = []
    for page in _pages(client, "GetDiscoveredResourceCounts", "resourceCounts", limit=PAGE):
        if isinstance(page, Refusal):
            gaps.append(page.gap(about))
        else:
            kinds.update(str(each["resourceType"]) for each in page if each.get("resourceType"))
    return sorted(kinds), gaps


def read_type(client: Client, kind: str, since: str | None, reading: TypeReading) -> Iterator[ConfigItem | Gap]:
    """Yield what AWS Config recorded since then of every resource of a type, also of those that are gone.

    Where history is refused, what is current is asked for in its place, and a gap says so.
    """
    found: list[Mapping[str, Any]] = []
    wanted = {"resourceType": kind, "limit": PAGE, "includeDeletedResources": True}
    for page in _pages(client, "ListDiscoveredResources", "resourceIdentifiers", **wanted):
        if isinstance(page, Refusal):
            reading.whole = False
            yield page.gap(kind)
        else:
            found += page
    first = {} if since is None else {"earlierTime": datetime.fromisoformat(since)}
    asked = [
        (each, {"resourceType": kind, "resourceId": each["resourceId"], "limit": PAGE, **_FORWARD, **first})
        for each in found
        if each.get("resourceId")
    ]
    refused: list[Mapping[str, Any]] = []
    for each, answer in ask_each(client, "GetResourceConfigHistory", asked, _AT_ONCE):
        yield from _history(client, (kind, each, first), answer, refused, reading)
    if refused:
        yield from _current(client, kind, refused, reading)


def _history(
    client: Client,
    of: tuple[str, Mapping[str, Any], Mapping[str, Any]],
    answer: dict[str, Any] | Refusal,
    refused: list[Mapping[str, Any]],
    reading: TypeReading,
) -> Iterator[ConfigItem | Gap]:
    """Yield the records of one resource: those of the first answer, then of the pages after it."""
    kind, each, first = of
    about = f"{kind}/{each['resourceId']}"
    seen: set[str] = set()
    while True:
        if isinstance(answer, Refusal):
            if answer.kind == MISSING or "ResourceNotDiscovered" in answer.text:
                return  # it has no record since then
            reading.whole = False
            yield answer.gap(about)
            if answer.kind == DENIED and not each.get("resourceDeletionTime"):
                refused.append(each)
            return
        yield from _items(answer.get("configurationItems") or [], about, reading)
        token = answer.get("nextToken")
        if not token:
            return
        if token in seen:
            reading.whole = False
            yield Refusal(FAILED, "GetResourceConfigHistory", "the same page comes again and again").gap(about)
            return
        seen.add(token)
        wanted = {"resourceType": kind, "resourceId": each["resourceId"], "limit": PAGE, **_FORWARD, **first}
        answer = ask(client, "GetResourceConfigHistory", **wanted, nextToken=token)


def _current(
    client: Client, kind: str, refused: Sequence[Mapping[str, Any]], reading: TypeReading
) -> Iterator[ConfigItem | Gap]:
    """Yield what is current of the resources whose history is refused.

    Such records have neither tags nor relationships: they have a shape of their own, and are compared with none but
    their like.
    """
    told = "history is refused: only what is current is known, without tags and relationships"
    yield Gap("config.current_only", told, kind)
    for start in range(0, len(refused), PAGE):
        keys = [{"resourceType": kind, "resourceId": each["resourceId"]} for each in refused[start : start + PAGE]]
        while keys:
            answer = ask(client, "BatchGetResourceConfig", resourceKeys=keys)
            if isinstance(answer, Refusal):
                yield answer.gap(kind)
                return
            for item in _items(answer.get("baseConfigurationItems") or [], kind, reading, lambda each: each):
                yield item if isinstance(item, Gap) else replace(item, shape="config-base")
            rest = answer.get("unprocessedResourceKeys") or []
            if len(rest) == len(keys):
                yield Gap("config.unprocessed", f"{len(rest)} resources are not processed by AWS Config", kind)
                return
            keys = rest


def _items(
    records: Sequence[Mapping[str, Any]],
    about: str,
    reading: TypeReading,
    shape: Callable[[ConfigItem], ConfigItem] = as_api,
) -> Iterator[ConfigItem | Gap]:
    for record in records:
        reading.daily = reading.daily or record.get("recordingFrequency") == "DAILY"
        try:
            yield shape(read_record(record))
        except BadInput as error:
            reading.whole = False
            yield Gap("config.malformed", error.message, about)


def _pages(client: Client, operation: str, key: str, **wanted: Any) -> Iterator[list[dict[str, Any]] | Refusal]:
    """Yield the lists under `key` page by page; a `Refusal` is the last thing then. Tokens are ``nextToken`` here."""
    token: str | None = None
    seen: set[str] = set()
    while True:
        answer = ask(client, operation, **wanted, **({} if token is None else {"nextToken": token}))
        if isinstance(answer, Refusal):
            yield answer
            return
        yield list(answer.get(key) or ())
        token = answer.get("nextToken")
        if not token:
            return
        if token in seen:
            yield Refusal(FAILED, operation, "the same page comes again and again")
            return
        seen.add(token)
