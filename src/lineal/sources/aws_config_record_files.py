"""Files that AWS Config writes: history, snapshots, items too large for a message, and notifications kept as files.

A file is gzip or plain JSON, whatever its name says. What is found in it are records, and pointers to records that
stand elsewhere because they were too large to send. Source: AWS Config Developer Guide, "Delivering Configuration
Items" and "Notifications that AWS Config sends"; the envelopes are those of SNS, EventBridge and Lambda rules.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core import timestamp
from lineal.core.config_item import ConfigItem
from lineal.core.observation import Gap
from lineal.core.redaction import clean
from lineal.errors import BadInput, BadTime
from lineal.sources.aws_config_record import read_record
from lineal.sources.aws_config_record_shape import as_api
from lineal.sources.packed import unpack

LARGEST: Final = 256 << 20
"""As many bytes of JSON are read from one file; a file that unpacks to more is a gap."""

_STEP: Final = 1 << 20
_NAME: Final = re.compile(
    r"(?P<account>[0-9]{12})_Config_(?P<region>[a-z0-9-]+)_(?P<kind>ConfigHistory|ConfigSnapshot|ChangeNotification)_"
    r"(?P<rest>.+)\.json(?:\.gz)?"
)
_MOMENT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
_DAY: Final = re.compile(r"(?:^|/)([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})/")
_ENVELOPES: Final = ("Message", "detail", "invokingEvent", "body")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """What the name of a file of AWS Config says: whose it is, its `kind`, and of a snapshot the moment of it."""

    account: str
    region: str
    kind: str
    moment: str | None


@dataclass(slots=True)
class Parsed:
    """What one file holds: items, what could not be read, and the places in S3 (``s3://…``) where records are.

    `broken`: something in it was not understood, and it is worth reading again. `snapshot` is the identity of the
    snapshot that it is.
    """

    items: list[ConfigItem] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    broken: bool = False
    snapshot: str | None = None


def read_name(key: str) -> FileName | None:
    """Return what the name of a file says, None if it is not named as AWS Config names files."""
    match = _NAME.fullmatch(key.rpartition("/")[2])
    if match is None:
        return None
    found = _MOMENT.search(match["rest"]) if match["kind"] == "ConfigSnapshot" else None
    moment = None if found is None else _spell_moment(found)
    return FileName(account=match["account"], region=match["region"], kind=match["kind"], moment=moment)


def is_wanted(key: str) -> bool:
    """Return whether a file may hold records: not those of other services in the bucket, nor the check of writing."""
    last = key.rpartition("/")[2]
    if read_name(key) is not None:
        return True
    return "AWSLogs/" not in key and last.endswith((".json", ".json.gz", ".gz")) and "_CloudTrail" not in last


def order_of(key: str) -> tuple[tuple[int, ...], str, str]:
    """Return what files are put in the order of time by: months and days in keys have no leading zeros."""
    day = _DAY.search(key)
    moments = _MOMENT.findall(key.rpartition("/")[2])
    return tuple(map(int, day.groups())) if day else (), "".join(moments[-1]) if moments else "", key


def read_file(data: bytes, about: str) -> Parsed:
    """Return what the bytes of one file hold; nothing is raised for what is wrong with them."""
    found = Parsed()
    try:
        document = json.loads(_unpack(data))
    except BadInput as error:
        return _broken(found, Gap("config.damaged", error.message, about))
    except (ValueError, RecursionError) as error:
        said = " ".join(clean(str(error)).split())[:200]
        return _broken(found, Gap("config.damaged", f"it is not JSON: {said}", about))
    if isinstance(document, dict) and document.get("configSnapshotId"):
        found.snapshot = str(document["configSnapshotId"])
    for each in _records(document, 0):
        _take(found, each, about)
    if not (found.items or found.elsewhere or found.gaps or _is_empty(document)):
        _broken(found, Gap("config.no_records", "it holds no records of AWS Config", about))
    return found


def _unpack(data: bytes) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in unpack(data, _STEP):
        size += len(piece)
        if size > LARGEST:
            raise BadInput(f"it has more than {LARGEST} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _records(document: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield the records and notifications in a document, whatever they are wrapped in."""
    if isinstance(document, str) and depth < 8 and document.lstrip().startswith(("{", "[")):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            return
    if isinstance(document, list) and depth < 8:
        for each in document:
            yield from _records(each, depth + 1)
    elif isinstance(document, dict):
        if isinstance(document.get("configurationItems"), list):
            yield from (
                each if isinstance(each, dict) else {"resourceType": None} for each in document["configurationItems"]
            )
        elif isinstance(document.get("configurationItem"), dict):
            yield document["configurationItem"]
        elif "resourceType" in document or "s3DeliverySummary" in document:
            yield document
        elif depth < 8:
            for name in ("Records", "Sns", *_ENVELOPES):
                if isinstance(document.get(name), str | dict | list):
                    yield from _records(document[name], depth + 1)


def _take(found: Parsed, record: Mapping[str, Any], about: str) -> None:
    if "s3DeliverySummary" in record:
        _point(found, record, about)
        return
    try:
        found.items.append(as_api(read_record(record)))
    except BadInput as error:
        _broken(found, Gap("config.malformed", error.message, about))


def _point(found: Parsed, record: Mapping[str, Any], about: str) -> None:
    """Take a notification that says where the record is, or that it could not be delivered."""
    summary = record["s3DeliverySummary"]
    place = summary.get("s3BucketLocation") if isinstance(summary, dict) else None
    of = record.get("configurationItemSummary")
    named = clean(str(of.get("ARN") or of.get("resourceId") or about))[:500] if isinstance(of, dict) else about
    if isinstance(place, str) and "/" in place.strip("/"):
        found.elsewhere.append(f"s3://{place.removeprefix('s3://')}")
        return
    why = str(summary.get("errorCode") or "no reason") if isinstance(summary, dict) else "no reason"
    told = f"AWS Config could not deliver a record that was too large to send: {clean(why)[:100]}"
    found.gaps.append(Gap("config.not_delivered", told, named))


def _broken(found: Parsed, gap: Gap) -> Parsed:
    found.broken = True
    found.gaps.append(gap)
    return found


def _is_empty(document: Any) -> bool:
    return isinstance(document, dict) and document.get("configurationItems") == []


def _spell_moment(match: re.Match[str]) -> str | None:
    year, month, day, hour, minute, second = match.groups()
    text = f"{year}-{month}-{day}T{hour}:{minute}:{second}.000000Z"
    try:
        return timestamp.check(text)
    except BadTime:  # a name can say anything
        return None
