"""Recording API events: each goes on record once, in batches."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from lineal.app.session import Session
from lineal.core import canonical
from lineal.core.api_event import RECORDED, ApiEvent
from lineal.core.digest import Digest
from lineal.core.observation import Observation

_MOST_EVENTS: Final = 500
_MOST_BYTES: Final = 4 * 1024 * 1024


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
    batch: list[dict[str, Any]] = []
    size = 0
    for event in events:
        document = event.describe()
        weight = len(canonical.encode(document))
        if batch and (len(batch) >= _MOST_EVENTS or size + weight > _MOST_BYTES):
            yield _observe(batch, actor, origin)
            batch, size = [], 0
        batch.append(document)
        size += weight
    if batch:
        yield _observe(batch, actor, origin)


def _observe(batch: list[dict[str, Any]], actor: str, origin: dict[str, Any]) -> Observation:
    return Observation(
        type=RECORDED,
        time=max(each["time"] for each in batch),
        actor=actor,
        basis="observed",
        data={"events": batch, "origin": origin},
    )
