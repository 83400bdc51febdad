"""When logging was switched off and on: what nobody recorded, as far as the events around it tell.

StopLogging and DeleteTrail end what a trail delivers; StartLogging begins it. PutEventSelectors can leave the calls
that change something out ("Logging management events").
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core.api_event import ApiEvent
from lineal.core.observation import Gap

SERVICE: Final = "cloudtrail.amazonaws.com"
STOPPED: Final = "logging_stopped"
_ENDING: Final = frozenset({"StopLogging", "DeleteTrail"})
_BEGINNING: Final = frozenset({"StartLogging"})
_CHANGING: Final = frozenset({"UpdateTrail", "PutEventSelectors"})
WATCHED: Final = _ENDING | _BEGINNING | _CHANGING


@dataclass(frozen=True, slots=True)
class Stop:
    """A span in which a trail delivered nothing; `until` is '' while it has not been switched on again."""

    account: str
    region: str
    trail: str
    since: str
    until: str
    by: str
    operation: str
    is_new: bool

    @property
    def place(self) -> str:
        """The account and the trail."""
        return f"{self.account}/{self.trail}"


@dataclass(slots=True)
class Logging:
    """What is known of the switches of all trails; `standing` are those that were found off before, by trail."""

    standing: dict[str, dict[str, str]] = field(default_factory=dict)
    _events: dict[str, ApiEvent] = field(default_factory=dict)

    def take(self, event: ApiEvent) -> bool:
        """Note an event that switches a trail; return whether it is one."""
        switches = event.service == SERVICE and event.name in WATCHED and not event.error
        if switches:
            self._events[event.id] = event
        return switches

    def stops(self) -> list[Stop]:
        """Return every span in which a trail was off, and remember those that are open."""
        off = dict(self.standing)
        found: list[Stop] = []
        for event in sorted(self._events.values(), key=lambda each: (each.time, each.id)):
            trail = _trail(event)
            place = f"{event.account}/{trail}"
            ends = event.name in _ENDING or (
                event.name == "PutEventSelectors" and not _records_changes(event.parameters)
            )
            if ends and place not in off:
                off[place] = {
                    "account": event.account, "region": event.region, "trail": trail, "since": event.time,
                    "by": event.principal, "operation": event.name,
                }  # fmt: skip
            elif not ends and place in off and _begins(event, off[place]["operation"]):
                found.append(_stop(off.pop(place), event.time, is_new=True))
        found += [_stop(each, "", is_new=place not in self.standing) for place, each in off.items()]
        self.standing = off
        return found

    def dismiss(self, stop: Stop) -> None:
        """Forget a trail that is off: it is not the one that delivers here."""
        if not stop.until:
            self.standing.pop(stop.place, None)

    def explain(self, stop: Stop, more: str = "") -> Gap:
        """Return what is to be recorded of a stop."""
        until = f"until {stop.until}" if stop.until else "and it has not been switched on again since"
        who, tail = stop.by or "somebody unknown", f"; {more}" if more else ""
        why = f"logging was switched off: {stop.operation} by {who} at {stop.since}, {until}{tail}"
        return Gap("cloudtrail.logging_stopped", why, stop.place)

    def changes(self) -> Iterator[Gap]:
        """Yield what is to be recorded of the other changes of trails."""
        for event in self._events.values():
            if event.name in _CHANGING and _records_changes(event.parameters):
                by = event.principal or "somebody unknown"
                why = f"{event.name} by {by} at {event.time}: what is delivered may differ from then on"
                yield Gap("cloudtrail.logging_changed", why, f"{event.account}/{_trail(event)}")


def _begins(event: ApiEvent, stopped_by: str) -> bool:
    """Return whether the event undoes what switched the trail off."""
    return event.name == "PutEventSelectors" if stopped_by == "PutEventSelectors" else event.name in _BEGINNING


def _stop(told: Mapping[str, str], until: str, *, is_new: bool) -> Stop:
    return Stop(
        account=told["account"], region=told["region"], trail=told["trail"], since=told["since"], until=until,
        by=told["by"], operation=told["operation"], is_new=is_new,
    )  # fmt: skip


def _trail(event: ApiEvent) -> str:
    """Return the name of the trail, whether the call had it or an ARN."""
    asked = event.parameters
    found = str(asked.get("name") or asked.get("trailName") or "")
    return found.rpartition("/")[2] if found.startswith("arn:") else found


def _records_changes(asked: Mapping[str, Any]) -> bool:
    """Return whether selectors of events let calls through that change something; those that are not named do."""
    simple, advanced = asked.get("eventSelectors"), asked.get("advancedEventSelectors")
    if isinstance(simple, list) and simple:
        return any(_lets_through(each) for each in simple if isinstance(each, dict))
    if isinstance(advanced, list) and advanced:
        return any(_chooses(each) for each in advanced if isinstance(each, dict))
    return True


def _lets_through(selector: Mapping[str, Any]) -> bool:
    return selector.get("includeManagementEvents") is not False and selector.get("readWriteType") != "ReadOnly"


def _chooses(selector: Mapping[str, Any]) -> bool:
    fields = [each for each in selector.get("fieldSelectors") or () if isinstance(each, dict)]
    management = any(
        each.get("field") == "eventCategory" and "Management" in (each.get("equals") or ()) for each in fields
    )
    only_reads = any(each.get("field") == "readOnly" and "true" in (each.get("equals") or ()) for each in fields)
    return management and not only_reads
