"""Events on their way to the ledger: chosen, without those on record, some at a time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.app.api_record import new_events, observe_events
from lineal.app.session import Session
from lineal.app.trail_keep import Keeper
from lineal.core.api_event import ApiEvent
from lineal.core.observation import Gap, Observation
from lineal.sources.cloudtrail_record import recordable

MOST: Final = 500
_REMEMBERED: Final = 100 * MOST
_MOST_GAPS: Final = 100


@dataclass(slots=True)
class Batch:
    """Events that wait to be recorded, and where they were read; `counts` says what became of all so far."""

    session: Session
    keeper: Keeper
    origin: dict[str, Any]
    counts: Counter[str] = field(default_factory=Counter)
    _waiting: list[ApiEvent] = field(default_factory=list)
    _files: dict[str, Any] = field(default_factory=dict)
    _recent: dict[str, None] = field(default_factory=dict)

    def add(self, event: ApiEvent, file: str = "", told: Any = None) -> Iterator[Observation]:
        """Take an event that stands in `file`, of which `told` is known; yield what is due."""
        self.counts["events"] += 1
        self._waiting.append(event)
        if file:
            self._files[file] = told
        if len(self._waiting) >= MOST:
            yield from self.release()

    def release(self) -> Iterator[Observation]:
        """Yield what is to be kept, and is not on record, of the events that wait."""
        chosen = self.keeper.choose(self._waiting)
        new = (each for each in new_events(self.session, chosen) if each.id not in self._recent)
        fresh = [recordable(each) for each in new]
        self._recent.update((each.id, None) for each in fresh)
        for old in list(self._recent)[: max(0, len(self._recent) - _REMEMBERED)]:
            del self._recent[old]
        self.counts["kept"] += len(chosen)
        self.counts["recorded"] += len(fresh)
        origin = {**self.origin, "files": self._files} if self._files else self.origin
        self._waiting, self._files = [], {}
        yield from observe_events(fresh, self.session.actor, origin)

    def refuse(self, gap: Gap, where: str) -> Iterator[Gap]:
        """Count what could not be read as an event; yield the gap, with the place where it stood, of the first ones."""
        self.counts["unreadable"] += 1
        if self.counts["unreadable"] <= _MOST_GAPS:
            yield Gap(gap.code, gap.explanation, f"{where} {gap.about or ''}".strip())
        elif self.counts["unreadable"] == _MOST_GAPS + 1:
            why = "more entries than can be listed are no events; the numbers of the collection count them"
            yield Gap("events.unreadable", why, where)
