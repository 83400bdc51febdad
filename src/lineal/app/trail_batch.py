"""Events on their way to the ledger: chosen, without those on record, some at a time."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lineal.app.api_record import new_events, observe_events, substance
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
    _recent: dict[str, str] = field(default_factory=dict)

    def add(self, event: ApiEvent, file: str = "", told: Any = None) -> Iterator[Observation | Gap]:
        """Take an event that stands in `file`, of which `told` is known; yield what is due."""
        self.counts["events"] += 1
        self._waiting.append(event)
        if file:
            self._files[file] = told
        if len(self._waiting) >= MOST:
            yield from self.release()

    def release(self) -> Iterator[Observation | Gap]:
        """Yield what is to be kept, and is not on record, of the events that wait; and who contradicts what is.

        An event that says something else than the one of its identifier on record goes on record beside it, under a
        name of its own: one of them is not the trail's, and nobody shall hide a call by naming another one so.
        """
        chosen = self.keeper.choose(self._waiting)
        new = (each for each in new_events(self.session, chosen) if each.id not in self._recent)
        fresh = [recordable(each) for each in new]
        self._recent.update((each.id, substance(each)) for each in fresh)
        others = self._find_contradictions(chosen, fresh)
        fresh += others
        for each in others[:_MOST_GAPS]:
            why = "there are two events of one identifier that say different things: one of them is forged"
            yield Gap("events.contradictory", why, each.id)
        for old in list(self._recent)[: max(0, len(self._recent) - _REMEMBERED)]:
            del self._recent[old]
        self.counts["kept"] += len(chosen)
        self.counts["recorded"] += len(fresh)
        origin = {**self.origin, "files": self._files} if self._files else self.origin
        self._waiting, self._files = [], {}
        yield from observe_events(fresh, self.session.actor, origin)

    def _find_contradictions(self, chosen: Sequence[ApiEvent], fresh: Sequence[ApiEvent]) -> list[ApiEvent]:
        """Return the events that say something else than what is known by their identifier, under other ones."""
        taken = {each.id: each for each in reversed(chosen)}
        first = {each.id for each in fresh}
        again = [each for each in chosen if each.id not in first or each is not taken[each.id]]
        unknown = list(dict.fromkeys(each.id for each in again if each.id not in self._recent))
        held = dict(self._recent)
        for known in self.session.configuration.events_by_id(unknown):
            held.setdefault(known.id, substance(known))
        found: dict[str, ApiEvent] = {}
        for each in map(recordable, again):
            said = substance(each)
            if held.get(each.id, said) != said:
                name = f"{each.id[:180]}+{said[:16]}"
                found.setdefault(name, replace(each, id=name))
        old = self.session.configuration.known_events(list(found))
        return [each for name, each in found.items() if name not in old]

    def refuse(self, gap: Gap, where: str) -> Iterator[Gap]:
        """Count what could not be read as an event; yield the gap, with the place where it stood, of the first ones."""
        self.counts["unreadable"] += 1
        if self.counts["unreadable"] <= _MOST_GAPS:
            yield Gap(gap.code, gap.explanation, f"{where} {gap.about or ''}".strip())
        elif self.counts["unreadable"] == _MOST_GAPS + 1:
            why = "more entries than can be listed are no events; the numbers of the collection count them"
            yield Gap("events.unreadable", why, where)
