"""The timeline of a thing and of what it points to: what happened, was allowed and was concluded, in one order."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lineal.app.estate_state import State, state_of
from lineal.app.pointers import DEPTH, Thing, find_named, follow
from lineal.app.session import Session
from lineal.app.timeline_config import config_rows
from lineal.app.timeline_coverage import coverage_rows
from lineal.app.timeline_graph import graph_rows
from lineal.app.timeline_row import EVENT, KINDS, WINDOW, Row
from lineal.catalog.graph import FOREVER, NOW, Moment
from lineal.core.span import Span
from lineal.errors import BadInput

LIMIT: Final = 500
# Things that are made once for what points to them: what became of them before that belongs to its story.
_MADE_ONCE: Final = frozenset({
    "model", "container", "file", "endpoint", "Image", "AWS::ECR::Image", "AWS::SageMaker::EndpointConfig",
    "AWS::SageMaker::Model", "AWS::SageMaker::ModelPackage",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which rows of a timeline are wanted: from `since` to `until`, of some `kinds`, the newest `limit` of them."""

    since: str = ""
    until: str = FOREVER
    kinds: Collection[str] = ()
    limit: int | None = LIMIT
    reverse: bool = False

    def check(self) -> None:
        """Raise `BadInput` for a kind of row that does not exist, and for a window that ends before it begins."""
        unknown = sorted(set(self.kinds) - set(KINDS))
        if unknown:
            raise BadInput(f"no such kind of row: {unknown[0]!r}", fix=f"One of {', '.join(KINDS)}.")
        if self.since > self.until:
            raise BadInput("--since is after --until: nothing lies between", fix="Exchange them.")

    def has(self, row: Row) -> bool:
        """Return whether `row` is wanted; what lasts is, if any of it lies within."""
        if self.kinds and row.kind not in self.kinds:
            return False
        return row.time <= self.until and (row.until or row.time) >= self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The rows of a timeline, the things they are about (nearest first), and how the resources among them stand.

    `left_out` older rows were over the limit; `full` says that there were more things than are followed.
    """

    text: str
    moment: Moment
    window: Window
    things: tuple[Thing, ...]
    states: dict[str, State]
    rows: tuple[Row, ...]
    left_out: int
    full: bool


def timeline(
    session: Session,
    text: str,
    *,
    window: Window | None = None,
    moment: Moment = NOW,
    depth: int = DEPTH,
) -> Timeline:
    """Return the timeline of what `text` names and, up to `depth` pointers away, of what it points to meanwhile.

    `moment` says as of when, and as known when. Raises `UnknownRef`, `BadRef` and `AmbiguousRef` for the name, and
    `BadInput` for a window that cannot be.
    """
    window = window or Window()
    window.check()
    things, full = follow(session, find_named(session, text, moment), moment, depth=depth)
    looks = session.configuration.looks(moment)
    end = min(moment.time, moment.known, session.clock())
    keys = [thing.key for thing in things if thing.node is None]
    items = session.configuration.items(keys, moment)
    for thing in things:
        if thing.node is None and thing.key in items:  # a key has names in small letters
            thing.name, thing.type = items[thing.key][-1].resource.name, items[thing.key][-1].resource.type
    rows = [
        *graph_rows(session, things, moment),
        *config_rows(session, things, items, looks, moment),
        *coverage_rows(session, things, items, looks, moment, Span("", end)),
    ]
    kept = [row for row in _while_pointed(rows, things) if window.has(row)]
    kept = _once(sorted(kept, key=lambda row: row.place))
    left_out = 0 if window.limit is None else max(0, len(kept) - window.limit)
    kept = kept[left_out:]
    return Timeline(
        text=text,
        moment=moment,
        window=window,
        things=tuple(things),
        states={key: state_of(items.get(key, ()), looks, end) for key in keys},
        rows=tuple(reversed(kept) if window.reverse else kept),
        left_out=left_out,
        full=full,
    )


def _while_pointed(rows: Iterable[Row], things: Sequence[Thing]) -> Iterator[Row]:
    """Yield the rows that lie within the time that their thing counted; of what is made once, those before as well."""
    spans: dict[str, list[Span]] = {}
    for thing in things:
        spans.setdefault(thing.key, []).extend(thing.spans)
    for row in rows:
        begun, ended = row.since or row.time, max(row.until or "", row.time)
        for span in spans[row.of]:
            if begun < span.until and (row.type in _MADE_ONCE or ended >= span.since):
                yield row
                break


def _once(rows: Iterable[Row]) -> list[Row]:
    """Return `rows`, in their order, with each event and each approval at the nearest of the things it is about."""
    told: set[tuple[str, str]] = set()
    found: list[Row] = []
    for row in rows:
        if row.kind in (EVENT, WINDOW):
            if (row.kind, row.id) in told:
                continue
            told.add((row.kind, row.id))
        found.append(row)
    return found
