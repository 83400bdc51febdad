"""Which API events are kept: every one that changes something; of the others only those that are asked for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lineal.app.session import Session
from lineal.core.api_event import ApiEvent
from lineal.sources.cloudtrail_record import MANAGEMENT, SERVICE_EVENT

STATE: Final = "StateChange"


@dataclass(slots=True)
class Keeper:
    """Chooses among events; `left_out` counts what was not kept, by category and kind.

    Kept is every call that changes something and is a management event (there is no list of names: whatever AWS adds
    is kept, too), every event of a service itself, and every change of state that a service tells of. Data events (of
    objects in buckets, items of tables) are kept if they are about a resource whose configuration is on record. With
    `reads`, calls that only read are kept on the same condition.
    """

    session: Session
    reads: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    _known: dict[str, bool] = field(default_factory=dict)

    def choose(self, events: Sequence[ApiEvent]) -> list[ApiEvent]:
        """Return those of `events` that are to be kept."""
        asked = {key for each in events if self._depends(each) for key in each.targets}
        self._ask(sorted(asked - self._known.keys()))
        kept = []
        for event in events:
            if self._is_kept(event):
                kept.append(event)
            else:
                kind = "read" if event.read_only else "other"
                self.left_out[f"{event.category or MANAGEMENT} {kind}"] += 1
        return kept

    def leave_out(self, kind: str) -> None:
        """Count an event that is not to be kept, whatever is on record, without asking for it."""
        self.left_out[kind] += 1

    def _depends(self, event: ApiEvent) -> bool:
        if event.category == STATE:
            return False
        return self.reads if event.read_only else event.category not in (MANAGEMENT, "")

    def _is_kept(self, event: ApiEvent) -> bool:
        if event.category == STATE or event.record.get("eventType") == SERVICE_EVENT:
            return True
        if not event.read_only and event.category in (MANAGEMENT, ""):
            return True
        return self._depends(event) and any(self._known.get(key, False) for key in event.targets)

    def _ask(self, keys: list[str]) -> None:
        if keys:
            found = self.session.configuration.items(keys)
            self._known.update((key, key in found) for key in keys)
