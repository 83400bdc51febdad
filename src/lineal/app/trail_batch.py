"""Events on their way to the ledger: chosen, without those on record, some at a time."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from lineal.app.api_record import cut_events, new_events, observe, substance
from lineal.app.session import Session
from lineal.app.trail_held import WHOLE
from lineal.app.trail_keep import Keeper
from lineal.core.api_event import ApiEvent
from lineal.core.observation import Gap, Observation
from lineal.sources.cloudtrail_record import MANAGEMENT, cut_record, recordable

MOST: Final = 500
_REMEMBERED: Final = 100 * MOST
_MOST_GAPS: Final = 100
_MOST_READ: Final = 200
"""After so many files it goes on record that they were read, whether anything in them was to be kept or not."""


@dataclass(slots=True)
class Batch:
    """Events that wait to be recorded, and where they were read; `counts` says what became of all so far."""

    session: Session
    keeper: Keeper
    origin: dict[str, Any]
    counts: Counter[str] = field(default_factory=Counter)
    _waiting: list[ApiEvent] = field(default_factory=list)
    _files: dict[str, dict[str, Any]] = field(default_factory=dict)
    _read: dict[str, dict[str, Any]] = field(default_factory=dict)
    _until: str = ""
    _recent: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def add(self, event: ApiEvent, file: str = "", told: dict[str, Any] | None = None) -> Iterator[Observation | Gap]:
        """Take an event that stands in `file`, of which `told` is known; yield what is due."""
        if len(self._waiting) >= MOST:  # not before: their file may end here
            yield from self.release()
        self.counts["events"] += 1
        self._waiting.append(event)
        if file:
            self._files[file] = told or {}

    def pass_over(self) -> None:
        """Take an event of management that only reads, and is not to be kept."""
        self.counts["events"] += 1
        self.keeper.leave_out(f"{MANAGEMENT} read")

    def finish(self, file: str, told: dict[str, Any], delivered: str) -> Iterator[Observation | Gap]:
        """Take the end of a `file` of which nothing but its events is to be said; yield what is due.

        With what is recorded next, it is on record that it was read whole.
        """
        self._read[file] = {**told, WHOLE: True}
        self._until = max(self._until, delivered)
        if len(self._read) >= _MOST_READ:
            yield from self.release()

    def release(self) -> Iterator[Observation | Gap]:
        """Yield what is to be kept, and is not on record, of the events that wait; and who contradicts what is.

        An event that says something else than the one of its identifier on record goes on record beside it, under a
        name of its own: one of them is not the trail's, and nobody shall hide a call by naming another one so.
        """
        chosen = sorted(self.keeper.choose(self._waiting), key=lambda each: each.claimed)
        new = (each for each in new_events(self.session, chosen) if each.id not in self._recent)
        fresh = [recordable(each) for each in new]
        self._recent.update((each.id, (substance(each), each.claimed)) for each in fresh)
        others, borne_out = self._hold_against(chosen, fresh)
        fresh += [*others, *borne_out]
        for each in others[:_MOST_GAPS]:
            why = "there are two events of one identifier that say different things: one of them is forged"
            yield Gap("events.contradictory", why, each.id)
        yield from islice(filter(None, map(cut_record, fresh)), _MOST_GAPS)
        for old in list(self._recent)[: max(0, len(self._recent) - _REMEMBERED)]:
            del self._recent[old]
        self.counts["kept"] += len(chosen)
        self.counts["recorded"] += len(fresh)
        yield from self._observe(fresh)

    def _observe(self, fresh: Sequence[ApiEvent]) -> Iterator[Observation]:
        """Yield what is recorded of `fresh` events; the last that is said of them says which files were read whole."""
        files, self._waiting, self._files = self._files, [], {}
        if not fresh and len(self._read) < _MOST_READ:
            return
        *first, last = cut_events(fresh) or [[]]
        for each in first:
            yield observe(each, self.session.actor, {**self.origin, "files": files} if files else self.origin)
        files |= self._read
        origin = {**self.origin, "files": files} if files else self.origin
        yield observe(last, self.session.actor, origin, self._until)
        self._read, self._until = {}, ""

    def _hold_against(
        self, chosen: Sequence[ApiEvent], fresh: Sequence[ApiEvent]
    ) -> tuple[list[ApiEvent], list[ApiEvent]]:
        """Return the events that say something else than what is known by their identifier, under other ones.

        With them, those that bear out what was only claimed: they go on record, too.
        """
        taken = {each.id: each for each in reversed(chosen)}
        first = {each.id for each in fresh}
        again = [each for each in chosen if each.id not in first or each is not taken[each.id]]
        unknown = list(dict.fromkeys(each.id for each in again if each.id not in self._recent))
        held = dict(self._recent)
        for known in self.session.configuration.events_by_id(unknown):
            said, claimed = held.get(known.id, ("", True))
            held[known.id] = said or substance(known), claimed and known.claimed
        found: dict[str, ApiEvent] = {}
        borne_out: dict[str, ApiEvent] = {}
        for each in map(recordable, again):
            own = substance(each)
            said, claimed = held.get(each.id, (own, each.claimed))
            if said != own:
                name = f"{each.id[:180]}+{own[:16]}"
                found.setdefault(name, replace(each, id=name))
            elif claimed and not each.claimed:
                borne_out.setdefault(each.id, each)
                self._recent[each.id] = own, False
        old = self.session.configuration.known_events(list(found))
        return [each for name, each in found.items() if name not in old], list(borne_out.values())

    def refuse(self, gap: Gap, where: str) -> Iterator[Gap]:
        """Count what could not be read as an event; yield the gap, with the place where it stood, of the first ones."""
        self.counts["unreadable"] += 1
        if self.counts["unreadable"] <= _MOST_GAPS:
            yield Gap(gap.code, gap.explanation, f"{where} {gap.about or ''}".strip())
        elif self.counts["unreadable"] == _MOST_GAPS + 1:
            why = "more entries than can be listed are no events; the numbers of the collection count them"
            yield Gap("events.unreadable", why, where)
