"""List what is recorded, and show one thing."""

from dataclasses import dataclass
from typing import Any

from lineal.app.lineage import gaps_of
from lineal.app.session import Session
from lineal.catalog.graph import Moment
from lineal.catalog.reader import Fact, NodeView


def list_nodes(session: Session, kind: str | None, name: str | None, moment: Moment) -> list[NodeView]:
    """Return what is recorded by `moment`: of one kind, of one artifact, or everything but single files."""
    catalog = session.catalog
    if kind is not None and name is not None:
        return catalog.of_artifact(kind, name, moment)
    found = catalog.all_nodes(kind, moment)
    return [view for view in found if kind is not None or view.kind != "file"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing, what every entry says of it, and what it is joined with."""

    view: NodeView
    facts: tuple[Fact, ...]
    edges: tuple[tuple[str, str, str], ...]
    gaps: tuple[dict[str, Any], ...]


def show(session: Session, text: str, moment: Moment) -> Shown:
    """Return all that is recorded of `text` by `moment`."""
    catalog = session.catalog
    view = catalog.resolve(text, moment)
    facts = catalog.facts([view.id], moment)
    edges = catalog.edges_of(view.id, moment)
    ends = catalog.views({end for source, target, _ in edges for end in (source, target)}, moment)
    return Shown(
        view,
        tuple(facts),
        tuple((ends[source].ref, ends[target].ref, kind) for source, target, kind in edges),
        tuple(gaps_of(catalog, [view], facts)),
    )
