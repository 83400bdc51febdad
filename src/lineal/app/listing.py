"""List what is recorded, and show one thing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lineal.app.lineage import gaps_of
from lineal.app.session import Session
from lineal.app.tag import current, matches, read_filter, tags_of
from lineal.catalog.graph import Moment
from lineal.catalog.reader import Fact, NodeView


def list_nodes(
    session: Session, kind: str | None, name: str | None, moment: Moment, tags: Sequence[str] = ()
) -> list[NodeView]:
    """Return what is recorded by `moment`: of one kind, of one artifact, or everything but single files.

    Of those, with `tags` (``KEY`` or ``KEY=VALUE``), the ones that have every tag then; files among them.
    """
    catalog = session.catalog
    if kind is not None and name is not None:
        found = catalog.of_artifact(kind, name, moment)
    else:
        found = [view for view in catalog.all_nodes(kind, moment) if kind is not None or tags or view.kind != "file"]
    if not tags:
        return found
    asked = [read_filter(text) for text in tags]
    held = tags_of(catalog, [view.id for view in found], moment)
    return [view for view in found if all(matches(held.get(view.id, {}), *each) for each in asked)]


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing, what every entry says of it, and what it is joined with."""

    view: NodeView
    facts: tuple[Fact, ...]
    edges: tuple[tuple[str, str, str], ...]
    gaps: tuple[dict[str, Any], ...]
    tags: dict[str, str]


def show(session: Session, text: str, moment: Moment) -> Shown:
    """Return all that is recorded of `text` by `moment`."""
    catalog = session.catalog
    view = catalog.resolve(text, moment)
    facts = catalog.facts([view.id], moment, tags=True)
    edges = catalog.edges_of(view.id, moment)
    ends = catalog.views({end for source, target, _ in edges for end in (source, target)}, moment)
    return Shown(
        view,
        tuple(facts),
        tuple((ends[source].ref, ends[target].ref, kind) for source, target, kind in edges),
        tuple(gaps_of(catalog, [view], facts)),
        current(facts),
    )
