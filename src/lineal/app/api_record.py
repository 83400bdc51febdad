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
    for batch in cut_batches((each.describe() for each in events), _MOST):
        time = max(each["time"] for each in batch)
        data = {"events": batch, "origin": origin}
        yield Observation(type=RECORDED, time=time, actor=actor, basis="observed", data=data)
