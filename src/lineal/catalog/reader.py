"""Asking the catalog: references to nodes, what is said of them, and lists."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from lineal.catalog import graph, known, tables
from lineal.catalog.graph import NOW, Closure, Moment
from lineal.catalog.resolve import nodes_named, resolve, starting
from lineal.catalog.view import TAGGED, Fact, NodeView, read_facts, read_views
from lineal.core.observation import Observation
from lineal.ledger.database import Database, chunks, select_in

__all__ = ["TAGGED", "Catalog", "Fact", "NodeView"]

_BY_REF: Final = "SELECT id FROM catalog_node WHERE ref IN ({})"
_BY_DIGEST: Final = "SELECT id FROM catalog_node WHERE digest IN ({})"


class Catalog:
    """Answers questions about everything recorded; every method takes the moment it is asked about."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def resolve(self, text: str, moment: Moment = NOW) -> NodeView:
        """Return the one thing that `text` names; an artifact without a version means its latest one.

        An endpoint without a version means the revision that serves then. Raises `BadRef`, `UnknownRef` when nothing
        of that name is recorded by then or nothing serves there, and `AmbiguousRef`.
        """
        with self.database.reading() as connection:
            return resolve(connection, text, moment)

    def views(self, ids: Iterable[int], moment: Moment = NOW) -> dict[int, NodeView]:
        """Return the views of the nodes numbered `ids`."""
        with self.database.reading() as connection:
            return read_views(connection, ids, moment)

    def find(self, canonical: Iterable[str], moment: Moment = NOW) -> dict[str, NodeView]:
        """Return the views of those canonical references that are recorded."""
        with self.database.reading() as connection:
            ids = [row[0] for row in select_in(connection, _BY_REF, list(canonical))]
            return {view.canonical: view for view in read_views(connection, ids, moment).values()}

    def of_artifact(self, kind: str, name: str, moment: Moment = NOW) -> list[NodeView]:
        """Return every version of an artifact, oldest first."""
        with self.database.reading() as connection:
            found = read_views(connection, nodes_named(connection, kind, name), moment)
        return sorted((view for view in found.values() if view.time is not None), key=attrgetter("age"))

    def all_nodes(self, kind: str | None = None, moment: Moment = NOW) -> list[NodeView]:
        """Return everything recorded, or everything of one kind (``run`` among them), oldest first."""
        query = sa.select(tables.node.c.id)
        if kind is not None:
            query = query.where(tables.node.c.kind == kind)
        with self.database.reading() as connection:
            found = read_views(connection, connection.scalars(query).all(), moment)
        return sorted((view for view in found.values() if view.time is not None), key=attrgetter("age"))

    def names(self, prefix: str, limit: int = 100) -> list[str]:
        """Return the references that begin with `prefix`, for completion: artifacts, their versions, runs."""
        with self.database.reading() as connection:
            found = read_views(connection, starting(connection, prefix))
        names = {f"{view.kind}:{view.name}" for view in found.values()} | {view.ref for view in found.values()}
        return sorted(names)[:limit]

    def facts(self, ids: Iterable[int], moment: Moment = NOW, *, tags: bool = False) -> list[Fact]:
        """Return what is said of the nodes numbered `ids`, oldest first; what only tags them, with `tags`."""
        with self.database.reading() as connection:
            return read_facts(connection, list(ids), moment, tags=tags)

    def closure(self, node: int, moment: Moment = NOW, *, up: bool, depth: int | None = None) -> Closure:
        """Return what made `node` (`up`) or what it touches; see `graph`."""
        walk = graph.upstream_of if up else graph.downstream_of
        with self.database.reading() as connection:
            return walk(connection, node, moment, depth)

    def edges_of(self, node: int, moment: Moment = NOW) -> list[tuple[int, int, str]]:
        """Return the edges that begin or end at `node`."""
        edge = tables.edge.c
        query = sa.select(edge.source, edge.target, edge.type).where(
            (edge.source == node) | (edge.target == node), edge.time <= moment.time, edge.taken <= moment.known
        )
        with self.database.reading() as connection:
            return sorted({(row[0], row[1], row[2]) for row in connection.execute(query)})

    def holders(self, digests: Sequence[str], moment: Moment = NOW) -> dict[str, list[tuple[NodeView, str]]]:
        """Return, for each content digest, the versions that have it as a member, with its path; newest first."""
        member = tables.member.c
        found: dict[str, list[tuple[int, str]]] = {}
        with self.database.reading() as connection:
            for part in chunks(digests):
                query = sa.select(member.digest, member.node, member.path).where(
                    member.digest.in_(part), member.time <= moment.time, member.taken <= moment.known
                )
                for row in connection.execute(query):
                    found.setdefault(row.digest, []).append((row.node, row.path))
            nodes = read_views(connection, {node for items in found.values() for node, _ in items}, moment)
        return {
            digest: [(nodes[node], path) for node, path in sorted(set(items), key=lambda item: (-item[0], item[1]))]
            for digest, items in found.items()
        }

    def with_digests(self, digests: Sequence[str], moment: Moment = NOW) -> dict[str, list[NodeView]]:
        """Return, for each digest, the nodes whose content it is; newest first."""
        with self.database.reading() as connection:
            ids = [row[0] for row in select_in(connection, _BY_DIGEST, digests)]
            found = sorted(read_views(connection, ids, moment).values(), key=attrgetter("age"), reverse=True)
        grouped: dict[str, list[NodeView]] = {}
        for view in found:
            if view.digest is not None and view.time is not None:
                grouped.setdefault(view.digest, []).append(view)
        return grouped

    def with_aliases(self, aliases: Sequence[str], moment: Moment = NOW) -> dict[str, list[NodeView]]:
        """Return, for each foreign name, the nodes known by it; newest first."""
        numbers = known.nodes_with_aliases(self.database, aliases, moment.time)
        views = self.views({number for found in numbers.values() for number in found}, moment)
        return {
            alias: sorted((views[number] for number in found), key=attrgetter("age"), reverse=True)
            for alias, found in numbers.items()
        }

    def runs_starting(self, prefix: str) -> list[NodeView]:
        """Return the runs whose identifier begins with `prefix`, oldest first."""
        found = self.views(known.runs_starting(self.database, prefix)).values()
        return sorted(found, key=attrgetter("age"))

    def unknown(self, observations: Sequence[Observation]) -> list[Observation]:
        """Return those of `observations` that say anything which is not on record; see `known.unknown`."""
        return known.unknown(self.database, observations)

    def gaps(self, entries: Sequence[int]) -> list[dict[str, Any]]:
        """Return the gaps recorded by these entries."""
        gap = tables.gap.c
        found: list[dict[str, Any]] = []
        with self.database.reading() as connection:
            for part in chunks(sorted(set(entries))):
                query = sa.select(gap.idx, gap.code, gap.explanation, gap.about).where(gap.idx.in_(part))
                found.extend(row._asdict() for row in connection.execute(query.order_by(gap.idx, gap.n)))
        return found

    def events(self, entries: Sequence[int] | None = None, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Return what the log's statements say, newest first: those numbered `entries`, or all of them."""
        event = tables.event.c
        query = sa.select(tables.event).order_by(event.idx.desc())
        with self.database.reading() as connection:
            if entries is None:
                return [row._asdict() for row in connection.execute(query.limit(limit))]
            found: list[dict[str, Any]] = []
            for part in chunks(sorted(set(entries), reverse=True)[:limit]):
                found.extend(row._asdict() for row in connection.execute(query.where(event.idx.in_(part))))
            return found
