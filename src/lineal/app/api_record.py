"""Recording API events: each goes on record once, in batches."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from lineal.app.batches import cut_batches
from lineal.app.session import Session
from lineal.core import canonical
from lineal.core.api_event import RECORDED, ApiEvent
from lineal.core.digest import Digest
from lineal.core.observation import Observation

_MOST: Final = 500


def new_events(session: Session, events: Iterable[ApiEvent]) -> list[ApiEvent]:
    """Return those of `events` that are not on record by their identifier, each once, in their order."""
    given = {each.id: each for each in reversed(list(events))}
    known = session.configuration.known_events(list(given))
    return [each for each in reversed(given.values()) if each.id not in known]


def substance(event: ApiEvent) -> str:
    """Return the digest of what a recordable event says happened: who did what, when, and how it ended.

    The same call in a log file, in the event history and on a bus may differ in anything else.
    """
    told = [event.time, event.service, event.name, event.principal, event.session, event.error, event.parameters]
    return Digest.of(canonical.encode(told)).hex


def observe_events(events: Sequence[ApiEvent], actor: str, origin: dict[str, Any]) -> Iterator[Observation]:
    """Yield observations that say `events`, some in each; `origin` says where they were read (file, digest, call)."""
    return (observe(batch, actor, origin) for batch in cut_events(events))


def cut_events(events: Sequence[ApiEvent]) -> list[list[dict[str, Any]]]:
    """Return `events` as they stand in the body of an event, some together; those only claimed by themselves."""
    parts = ([each for each in events if each.claimed is claimed] for claimed in (True, False))
    return [batch for part in parts for batch in cut_batches((each.describe() for each in part), _MOST)]


def observe(batch: list[dict[str, Any]], actor: str, origin: dict[str, Any], time: str = "") -> Observation:
    """Return the observation that says the events of a `batch`; without any, that nothing was to be kept by `time`."""
    last = max((each["time"] for each in batch), default=time)
    basis = "claimed" if any(each.get("claimed") for each in batch) else "observed"
    return Observation(type=RECORDED, time=last, actor=actor, basis=basis, data={"events": batch, "origin": origin})
