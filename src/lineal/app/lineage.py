"""Trace and impact: what made a thing, and what it touches."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from lineal.app.session import Session
from lineal.catalog.graph import Moment
from lineal.catalog.reader import Catalog, Fact, NodeView
from lineal.core.ref import KINDS
from lineal.errors import BadRef


@dataclass(frozen=True, slots=True)
class Lineage:
    """A root and what is reached from it: nodes by distance, edges in the direction data flows, gaps on the way."""

    root: NodeView
    up: bool
    moment: Moment
    nodes: tuple[NodeView, ...]
    depths: dict[int, int]
    edges: tuple[tuple[int, int, str], ...]
    gaps: tuple[dict[str, Any], ...]


def trace(
    session: Session, text: str, moment: Moment, depth: int | None = None, kinds: Collection[str] = ()
) -> Lineage:
    """Return everything that made `text`, as of `moment`; `kinds` limits the nodes shown, not the search."""
    return _walk(session, text, moment, depth, kinds, up=True)


def impact(
    session: Session, text: str, moment: Moment, depth: int | None = None, kinds: Collection[str] = ()
) -> Lineage:
    """Return everything that `text` touches, as of `moment`; `kinds` limits the nodes shown, not the search."""
    return _walk(session, text, moment, depth, kinds, up=False)


def _walk(
    session: Session, text: str, moment: Moment, depth: int | None, kinds: Collection[str], *, up: bool
) -> Lineage:
    unknown = sorted(set(kinds) - {*KINDS, "run"})
    if unknown:
        raise BadRef(f"no such kind: {unknown[0]!r}", fix=f"One of {', '.join(KINDS)}, run.")
    catalog = session.catalog
    root = catalog.resolve(text, moment)
    closure = catalog.closure(root.id, moment, up=up, depth=depth)
    views = catalog.views(closure.depths, moment)
    shown = {number for number, view in views.items() if not kinds or view.kind in kinds or number == root.id}
    nodes = sorted((views[number] for number in shown), key=lambda view: (closure.depths[view.id], view.ref))
    return Lineage(
        root=root,
        up=up,
        moment=moment,
        nodes=tuple(nodes),
        depths=closure.depths,
        edges=tuple(edge for edge in closure.edges if edge[0] in shown and edge[1] in shown),
        gaps=tuple(gaps_of(catalog, views.values(), catalog.facts(views, moment))),
    )


def gaps_of(catalog: Catalog, views: Collection[NodeView], facts: Iterable[Fact]) -> list[dict[str, Any]]:
    """Return the gaps that entries with these `facts` have about `views`: of a run, every gap of its own entries.

    An entry speaks of much: the gaps of one run say nothing of others with the same environment.
    """
    about = {view.canonical for view in views}
    runs = {view.id for view in views if view.kind == "run"}
    spoken = list(facts)
    own = {fact.idx for fact in spoken if fact.node in runs}
    return [gap for gap in catalog.gaps([fact.idx for fact in spoken]) if gap["idx"] in own or gap["about"] in about]
