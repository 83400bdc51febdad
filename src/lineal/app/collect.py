"""Collect what a source sees: what is new goes on record, and so does the collection, with what it could not see."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.app.session import Session
from lineal.catalog.view import NodeView
from lineal.core.coverage import Look, TrailSpan
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import clean
from lineal.errors import LinealError

COLLECTED: Final = "collection.finished/1"
_STEP: Final = 200
_MOST_GAPS: Final = 1000

Progress = Callable[[int, int], None]
Seen = Iterable[Observation | Gap]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What one collection did: observations seen and newly recorded, and what could not be seen."""

    run: str
    seen: int
    recorded: int
    gaps: tuple[Gap, ...]


def together(found: Iterable[Collected]) -> Collected:
    """Return several collections as one, under the name of the last: each is a run of its own."""
    done = list(found)
    return Collected(
        run=done[-1].run,
        seen=sum(each.seen for each in done),
        recorded=sum(each.recorded for each in done),
        gaps=tuple(gap for each in done for gap in each.gaps),
    )


@dataclass(slots=True)
class Collection:
    """One look at a source (such as ``git``) within a scope (which repository, which account and region).

    `covered` is what the source says of it in the end: what was seen completely, from where the next look can go on.
    `looks` and `trail` say the same of configuration and of API events, so that it can be asked.
    """

    source: str
    scope: str
    covered: dict[str, Any] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)
    trail: list[TrailSpan] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scope = clean(self.scope)

    @property
    def prefix(self) -> str:
        """How the identifiers of the runs of all such collections begin."""
        return f"collect-{self.source}-{hashlib.sha256(self.scope.encode()).hexdigest()[:12]}-"


def last_finished(session: Session, source: str, scope: str) -> NodeView | None:
    """Return the run of the last complete collection of this source and scope, None if there is none."""
    done = session.catalog.runs_starting(Collection(source, scope).prefix)
    return next((view for view in reversed(done) if view.detail.get("state") == "finished"), None)


def last_covered(session: Session, source: str, scope: str) -> dict[str, Any]:
    """Return what the last complete collection of this source and scope covered; empty if there is none."""
    found = last_finished(session, source, scope)
    return {} if found is None else dict(found.detail.get("covered", {}))


def collect(session: Session, collection: Collection, seen: Seen, on_progress: Progress | None = None) -> Collected:
    """Record what `seen` yields and the ledger does not know, some at a time, then the collection as a run.

    So a collection that is stopped keeps what it has, and the next one goes on from there. `on_progress` gets the
    numbers of observations seen and recorded. When the source raises, what it gave so far is recorded, and a collection
    in the state ``failed`` with a gap; then the error is raised.
    """
    started = session.clock()
    recorder = _Recorder(session, on_progress or (lambda _seen, _recorded: None))
    failure: LinealError | None = None
    try:
        for item in seen:
            recorder.take(item)
    except LinealError as error:
        failure = error
        recorder.gaps.append(Gap("collection.stopped", f"the source failed: {error.message}"))
    recorder.flush()
    done = Collected(
        run=f"run:{collection.prefix}{secrets.token_hex(6)}",
        seen=recorder.seen,
        recorded=recorder.recorded,
        gaps=tuple(_limit(recorder.gaps)),
    )
    session.say(_observe(session, collection, done, started, failed=failure is not None))
    if failure is not None:
        raise failure
    return done


class _Recorder:
    """Holds back some observations and records those of them that are new in one commit."""

    def __init__(self, session: Session, on_progress: Progress) -> None:
        self.gaps: list[Gap] = []
        self.seen = self.recorded = 0
        self._session, self._on_progress = session, on_progress
        self._waiting: list[Observation] = []
        self._weight = 0

    def take(self, item: Observation | Gap) -> None:
        """Take the next thing that the source gives."""
        if isinstance(item, Gap):
            self.gaps.append(item)
            return
        self._waiting.append(item)
        self._weight += 1 + sum(len(each) for each in item.data.values() if isinstance(each, list))
        origin = item.data.get("origin")
        if isinstance(origin, dict):  # that files were read is worth keeping, too
            self._weight += len(origin.get("files", ()))
        if self._weight >= _STEP:
            self.flush()

    def flush(self) -> None:
        """Record what is new of the observations held back."""
        new = self._session.catalog.unknown(self._waiting) if self._waiting else []
        if new:
            self._session.say_all(new)
        self.seen += len(self._waiting)
        self.recorded += len(new)
        self._waiting.clear()
        self._weight = 0
        self._on_progress(self.seen, self.recorded)


def _limit(gaps: list[Gap]) -> Iterator[Gap]:
    # Names of files are any bytes, and what sources say is any text.
    told = (Gap(each.code, clean(each.explanation), each.about and clean(each.about)) for each in gaps)
    unique = list(dict.fromkeys(told))
    yield from unique[:_MOST_GAPS]
    if len(unique) > _MOST_GAPS:
        yield Gap("collection.more_gaps", f"{len(unique) - _MOST_GAPS} more gaps were met")


def _observe(session: Session, collection: Collection, done: Collected, started: str, *, failed: bool) -> Observation:
    ended = session.clock()
    detail = {
        "activity": "collection",
        "name": f"collect {collection.source}",
        "source": collection.source,
        "scope": collection.scope,
        "state": "failed" if failed else "finished",
        "started": started,
        "ended": ended,
        "seen": done.seen,
        "recorded": done.recorded,
        "covered": collection.covered,
    }
    return Observation(
        type=COLLECTED,
        time=ended,
        actor=session.actor,
        basis="observed",
        nodes=(Node(ref=done.run, basis="observed", detail=detail),),
        gaps=tuple(Gap(gap.code, gap.explanation, gap.about or done.run) for gap in done.gaps),
        data={
            name: [each.describe() for each in found]
            for name, found in (("looks", collection.looks), ("trail", collection.trail))
            if found
        },
        subject=(done.run,),
    )
