"""The revisions of an endpoint: what served from when to when, and the processes that were started for them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lineal.app import serving
from lineal.app.session import Session
from lineal.catalog.graph import NOW, Moment
from lineal.catalog.reader import Catalog, Fact, NodeView
from lineal.core import timestamp
from lineal.core.event_type import DEPLOYED, RETIRED
from lineal.core.observation import Gap
from lineal.errors import Refused

_MOST_BACK: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What an endpoint served from `valid_from` until just before `valid_to` (None: it still does)."""

    revision: NodeView
    valid_from: str
    valid_to: str | None


def serving_intervals(catalog: Catalog, name: str, moment: Moment = NOW) -> list[Interval]:
    """Return every revision of the endpoint `name` with the time it served, oldest first, as known at `moment`.

    A revision ends when the next one begins, or when it is retired.
    """
    views = sorted(catalog.of_artifact("endpoint", name, moment), key=lambda view: (view.time or "", view.id))
    ends: dict[int, str] = {}
    for fact in catalog.facts([view.id for view in views], moment):
        if fact.type == RETIRED:
            ends.setdefault(fact.node, fact.time)
    starts = [view.time or "" for view in views]
    found: list[Interval] = []
    for place, view in enumerate(views):
        end = [each for each in (ends.get(view.id), *starts[place + 1 : place + 2]) if each is not None]
        found.append(Interval(revision=view, valid_from=starts[place], valid_to=min(end, default=None)))
    return found


def next_start(session: Session, name: str) -> tuple[str, tuple[Gap, ...]]:
    """Return the moment of a change of the endpoint `name` recorded now, and a gap if the clock went back.

    What begins last is what serves, so none begins before another that is on record: with a clock up to a second back
    it begins just after; with one further back nobody could tell what served when, and `Refused` is raised.
    """
    begun = max((view.time or "" for view in session.catalog.of_artifact("endpoint", name)), default="")
    now = session.clock()
    if now >= begun:
        return now, ()
    if datetime.fromisoformat(begun) - datetime.fromisoformat(now) >= _MOST_BACK:
        raise Refused(
            f"the clock went back: it says {now}, and the last revision of endpoint:{name} began at {begun}",
            fix="Set the clock right, or wait until that moment is over; nothing was recorded.",
        )
    return timestamp.next_after(begun), (
        Gap("clock.went_back", f"the clock of the producer says {now}, before the last revision at {begun}"),
    )


def current(catalog: Catalog, name: str, moment: Moment = NOW) -> NodeView | None:
    """Return the revision that serves at `moment`, None when none does."""
    last = serving_intervals(catalog, name, moment)[-1:]
    return last[0].revision if last and last[0].valid_to is None else None


def end_process(catalog: Catalog, revision: NodeView) -> bool:
    """End the process that was started for `revision`, if it is still that very one; return whether it was."""
    return bool(_end(catalog.facts([revision.id])))


def end_replaced(catalog: Catalog, name: str) -> int:
    """End the processes of every revision of an endpoint that serves no more; return how many were still running.

    Of all of them: two deployments at the same time know nothing of each other.
    """
    over = [each.revision.id for each in serving_intervals(catalog, name) if each.valid_to is not None]
    return _end(catalog.facts(over))


def _end(facts: list[Fact]) -> int:
    found = [fact.detail["process"] for fact in facts if fact.type == DEPLOYED and "process" in fact.detail]
    return sum(serving.end(serving.Process(pid=each["pid"], mark=each["mark"])) for each in found)
