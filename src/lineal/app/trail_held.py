"""What looks that were stopped have read: log files whose events are on record whole, and need no reading again.

Each event that says API events says of which files they were, and which of these were read to their end by then: all
that is to be kept of such a file is on record, and nothing else is to be said of it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.app.collect import Collection, last_finished
from lineal.app.session import Session
from lineal.core.api_event import read_event
from lineal.core.observation import Gap
from lineal.sources.cloudtrail_record import cut_record

WHOLE: Final = "whole"
_RENAMED: Final = re.compile(r".+\+[0-9a-f]{16}", re.DOTALL)


@dataclass(slots=True)
class Held:
    """Hashes of the files that are on record whole, by their names; what was met in them, and not told yet."""

    files: dict[str, str] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


def find_held(session: Session, collection: Collection, *, reads: bool) -> Held:
    """Return what looks of this scope have read since the last one that came to its end.

    Where events of theirs were erased since, nothing is held: all of it is read again. With `reads`, only what was read
    to keep these, too. Raises `IntegrityError` for a body that is not the one that was recorded.
    """
    last = last_finished(session, collection.source, collection.scope)
    entries = session.configuration.told_after(-1 if last is None or last.idx is None else last.idx)
    held = Held()
    if any(erased for _, erased in entries):
        return held
    for idx, _ in entries:
        _, _, body = session.ledger.reader.entry(idx).checked()
        data = json.loads(body or b"{}").get("data", {})
        origin = data.get("origin", {})
        if (origin.get("source"), origin.get("scope")) != (collection.source, collection.scope):
            continue
        held.gaps += _gaps(data["events"])
        if reads <= origin.get("reads", False):
            held.files.update(_whole(origin.get("files", {})))
    return held


def _gaps(events: list[dict[str, Any]]) -> Iterator[Gap]:
    """Yield what is to be said of events on record: that they contradict others, or had to be cut."""
    for each in events:
        if _RENAMED.fullmatch(each["id"]):
            why = "there are two events of one identifier that say different things: one of them is forged"
            yield Gap("events.contradictory", why, each["id"])
        if (cut := cut_record(read_event(each))) is not None:
            yield cut


def _whole(files: dict[str, Any]) -> dict[str, str]:
    return {name: told["sha256"] for name, told in files.items() if told.get(WHOLE)}
