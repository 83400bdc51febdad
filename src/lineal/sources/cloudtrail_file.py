"""Log files of CloudTrail: unpacked, hashed and read, within limits, whole or not at all.

A file is ``{"Records": […]}``, compressed with gzip ("CloudTrail log file examples"). What `aws cloudtrail
lookup-events` prints (``Events`` with ``CloudTrailEvent``), a plain list of records, and one record on a
line are read as well.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lineal.core.observation import Gap
from lineal.errors import BadInput
from lineal.sources.json_stream import NO_LIST, Broken, JsonStream
from lineal.sources.packed import MAGIC, unpack

MOST_PACKED: Final = 64 * 1024 * 1024
"""CloudTrail ends a file at 50 MB, compressed."""
MOST_UNPACKED: Final = 2 * 1024 * 1024 * 1024
_AT_ONCE: Final = 16 * 1024 * 1024
_STEP: Final = 1 << 20
_LONGEST_RECORD: Final = 4 * 1024 * 1024
_LISTS: Final = ("Records", "Events")
_NAME: Final = "eventName"


@dataclass(frozen=True, slots=True)
class Log:
    """A log file that was unpacked to its end: the SHA-256 of its content, which digests name, and its records.

    `content` is all of it, empty where that is over 16 MiB: then it is unpacked again for reading it.
    """

    sha256: str
    size: int
    content: bytes
    _packed: bytes

    def whole(self) -> bytes:
        """Return all of the content, however large."""
        return self.content or b"".join(unpack(self._packed, _STEP))

    def records(self) -> Iterator[Any]:
        """Yield what stands under ``Records``; raise `BadInput` for what is no log, before the first if it is small."""
        if self.content or not self._packed:
            yield from _all_records(self.content)
        else:
            yield from _stream_records(lambda: unpack(self._packed, _STEP))


def open_log(data: bytes, about: str, most: int = MOST_UNPACKED) -> Log | Gap:
    """Return the log that `data` hold, packed or not; a gap where they have no end or are too much."""
    if len(data) > MOST_PACKED and data.startswith(MAGIC):
        return Gap("cloudtrail.file_too_large", f"a log file of {len(data):,} bytes is none of CloudTrail", about)
    seen = hashlib.sha256()
    kept: list[bytes] = []
    size = 0
    try:
        for piece in unpack(data, _STEP):
            seen.update(piece)
            size += len(piece)
            if size > most:
                why = f"unpacked it is over {most:,} bytes: it is refused, none of it was read"
                return Gap("cloudtrail.file_too_large", why, about)
            if size <= _AT_ONCE:
                kept.append(piece)
            else:
                kept.clear()
    except BadInput as error:
        return Gap("cloudtrail.file_broken", f"it cannot be unpacked to its end: {error}", about)
    whole = b"".join(kept) if size <= _AT_ONCE else b""
    return Log(seen.hexdigest(), size, whole, data if not whole else b"")


def parse_document(data: bytes) -> Any:
    """Return the JSON document that `data` spell; raise `BadInput` for anything else."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not a JSON document: {str(error)[:120]}") from error


def _all_records(data: bytes) -> list[Any]:
    try:
        document = parse_document(data)
    except BadInput:
        return list(_stream_records(lambda: [data]))
    found = (
        next((document[name] for name in _LISTS if name in document), None) if isinstance(document, dict) else document
    )
    if isinstance(found, list):
        return [_looked_up(each) for each in found]
    if isinstance(document, dict) and _NAME in document:
        return [document]
    raise BadInput("there is no list under Records")


def _looked_up(entry: Any) -> Any:
    """Return the record inside of one that LookupEvents gives; what is none stays as it is."""
    text = entry.get("CloudTrailEvent") if isinstance(entry, dict) else None
    if not isinstance(text, str):
        return entry
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return entry


def _stream_records(pieces: Callable[[], Iterable[bytes]]) -> Iterator[Any]:
    """Yield the records of a file one at a time, without the whole of it in memory: of a list, or one on a line."""
    fault = ""
    for record in JsonStream(pieces(), _LISTS, longest=_LONGEST_RECORD, enveloped=True).documents():
        if isinstance(record, Broken):
            fault = record.why
            break
        yield _looked_up(record)
    if not fault.endswith(NO_LIST):
        if fault:
            raise BadInput(fault)
        return
    fault = "it is empty"
    for record in JsonStream(pieces(), (), longest=_LONGEST_RECORD).documents():
        if not isinstance(record, dict) or _NAME not in record:
            raise BadInput(record.why if isinstance(record, Broken) else "there is no list under Records")
        fault = ""
        yield record
    if fault:
        raise BadInput(fault)
