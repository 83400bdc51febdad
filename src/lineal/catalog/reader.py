"""Asking the catalog: references to nodes, what is said of them, and lists."""

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lineal.catalog import graph, tables
from lineal.catalog.graph import NOW, Closure, Moment
from lineal.core import ref
from lineal.errors import AmbiguousRef, UnknownRef
from lineal.ledger.database import Database

RETIRED: Final = "endpoint.retired/1"
_CHUNK: Final = 900
_PREFIX_MIN: Final = 4
_MOST_NAMES: Final = 5000
_ADDED: Final = ("stored", "objects")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One artifact version, run or endpoint revision, as first recorded up to the moment asked about.

    `ref` is what people type; `canonical` names it for ever. `detail` is what the first statement says of it, with what
    later ones put into the store; of a run, what the latest says.
    """

    id: int
    ref: str
    canonical: str
    kind: str
    name: str
    version: str | None
    digest: str | None
    time: str | None
    taken: str | None
    actor: str | None
    basis: str | None
    type: str | None
    idx: int | None
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What one entry says of one node."""

    node: int
    idx: int
    type: str
    time: str
    taken: str
    actor: str
    basis: str
    version: str | None
    digest: str | None
    detail: dict[str, Any]


class Catalog:
    """Answers questions about everything recorded; every method takes the moment it is asked about."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def resolve(self, text: str, moment: Moment = NOW) -> NodeView:
        """Return the one thing that `text` names; an artifact without a version means its latest one.

        An endpoint without a version means the revision that serves then. Raises `BadRef`, `UnknownRef` when nothing
        of that name is recorded by then or nothing serves there, and `AmbiguousRef`.
        """
        named = ref.parse(text)
        with self.database.reading() as connection:
            found = views(connection, _candidates(connection, named, moment), moment)
            stated = [view for view in found.values() if view.time is not None]
            if not stated:
                raise _unknown(connection, text)
            chosen = _choose(named, stated)
            if isinstance(named, ref.ArtifactRef) and named.kind == "endpoint":
                _refuse_retired(connection, chosen, moment)
        return chosen

    def views(self, ids: Iterable[int], moment: Moment = NOW) -> dict[int, NodeView]:
        """Return the views of the nodes numbered `ids`."""
        with self.database.reading() as connection:
            return views(connection, ids, moment)

    def find(self, canonical: Iterable[str], moment: Moment = NOW) -> dict[str, NodeView]:
        """Return the views of those canonical references that are recorded."""
        with self.database.reading() as connection:
            ids = _select_in(connection, tables.node.c.id, tables.node.c.ref, list(canonical))
            return {view.canonical: view for view in views(connection, ids, moment).values()}

    def of_artifact(self, kind: str, name: str, moment: Moment = NOW) -> list[NodeView]:
        """Return every version of an artifact, oldest first."""
        with self.database.reading() as connection:
            found = views(connection, _nodes_named(connection, kind, name), moment)
        return sorted((view for view in found.values() if view.time is not None), key=_age)

    def all_nodes(self, kind: str | None = None, moment: Moment = NOW) -> list[NodeView]:
        """Return everything recorded, or everything of one kind (``run`` among them), oldest first."""
        query = sa.select(tables.node.c.id)
        if kind is not None:
            query = query.where(tables.node.c.kind == kind)
        with self.database.reading() as connection:
            found = views(connection, connection.scalars(query).all(), moment)
        return sorted((view for view in found.values() if view.time is not None), key=_age)

    def names(self, prefix: str, limit: int = 100) -> list[str]:
        """Return the references that begin with `prefix`, for completion: artifacts, their versions, runs."""
        with self.database.reading() as connection:
            found = views(connection, _starting(connection, prefix))
        names = {f"{view.kind}:{view.name}" for view in found.values()} | {view.ref for view in found.values()}
        return sorted(names)[:limit]

    def facts(self, ids: Iterable[int], moment: Moment = NOW) -> list[Fact]:
        """Return what is said of the nodes numbered `ids`, oldest first."""
        with self.database.reading() as connection:
            return _facts(connection, list(ids), moment)

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
            for part in _chunks(digests):
                query = sa.select(member.digest, member.node, member.path).where(
                    member.digest.in_(part), member.time <= moment.time, member.taken <= moment.known
                )
                for row in connection.execute(query):
                    found.setdefault(row.digest, []).append((row.node, row.path))
            nodes = views(connection, {node for items in found.values() for node, _ in items}, moment)
        return {
            digest: [(nodes[node], path) for node, path in sorted(set(items), key=lambda item: (-item[0], item[1]))]
            for digest, items in found.items()
        }

    def with_digests(self, digests: Sequence[str], moment: Moment = NOW) -> dict[str, list[NodeView]]:
        """Return, for each digest, the nodes whose content it is; newest first."""
        with self.database.reading() as connection:
            ids = _select_in(connection, tables.node.c.id, tables.node.c.digest, list(digests))
            found = sorted(views(connection, ids, moment).values(), key=_age, reverse=True)
        grouped: dict[str, list[NodeView]] = {}
        for view in found:
            if view.digest is not None and view.time is not None:
                grouped.setdefault(view.digest, []).append(view)
        return grouped

    def gaps(self, entries: Sequence[int]) -> list[dict[str, Any]]:
        """Return the gaps recorded by these entries."""
        gap = tables.gap.c
        found: list[dict[str, Any]] = []
        with self.database.reading() as connection:
            for part in _chunks(sorted(set(entries))):
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
            for part in _chunks(sorted(set(entries), reverse=True)[:limit]):
                found.extend(row._asdict() for row in connection.execute(query.where(event.idx.in_(part))))
            return found


def views(connection: sa.Connection, ids: Iterable[int], moment: Moment = NOW) -> dict[int, NodeView]:
    """Return the views of the nodes numbered `ids`, as recorded up to `moment`; in no particular order."""
    numbers = sorted(set(ids))
    facts: dict[int, list[Fact]] = {}
    for fact in _facts(connection, numbers, moment):
        facts.setdefault(fact.node, []).append(fact)
    found: dict[int, NodeView] = {}
    for part in _chunks(numbers):
        for row in connection.execute(sa.select(tables.node).where(tables.node.c.id.in_(part))):
            found[row.id] = _view(row, facts.get(row.id, []))
    return found


def _view(row: Any, facts: Sequence[Fact]) -> NodeView:
    fact = facts[0] if facts else None
    version = next((each.version for each in facts if each.version is not None), None)
    numbered = version is not None and version.isdecimal()
    return NodeView(
        id=row.id,
        ref=f"{row.kind}:{row.name}@{version}" if numbered else row.ref,
        canonical=row.ref,
        kind=row.kind,
        name=row.name,
        version=version,
        digest=row.digest or (fact.digest if fact else None),
        time=fact.time if fact else None,
        taken=fact.taken if fact else None,
        actor=fact.actor if fact else None,
        basis=fact.basis if fact else None,
        type=fact.type if fact else None,
        idx=fact.idx if fact else None,
        detail=_detail(row.kind, facts),
    )


def _detail(kind: str, facts: Sequence[Fact]) -> dict[str, Any]:
    found: dict[str, Any] = dict(facts[0].detail) if facts else {}
    for later in facts[1:]:
        if kind == "run":
            found.update(later.detail)
        else:
            found.update({key: later.detail[key] for key in _ADDED if key in later.detail and key not in found})
    return found


def _facts(connection: sa.Connection, ids: Sequence[int], moment: Moment) -> list[Fact]:
    fact = tables.fact.c
    found: list[tuple[str, str, Fact]] = []
    for part in _chunks(ids):
        query = sa.select(tables.fact).where(fact.node.in_(part), fact.time <= moment.time, fact.taken <= moment.known)
        for row in connection.execute(query):
            values = row._asdict()
            event = values.pop("event")
            values["detail"] = json.loads(values["detail"])
            found.append((row.time, event, Fact(**values)))
    # The order of valid time, and of the producers' own names where times are equal: the same in whatever order the
    # entries came.
    found.sort(key=lambda item: item[:2])
    return [item[2] for item in found]


def _candidates(connection: sa.Connection, named: ref.Ref, moment: Moment) -> set[int]:
    match named:
        case ref.ArtifactRef(kind, name) | ref.VersionRef(kind, name):
            return set(_nodes_named(connection, kind, name))
        case ref.RunRef(name):
            exact = set(connection.scalars(sa.select(tables.node.c.id).where(tables.node.c.ref == f"run:{name}")))
            return exact or _starting(connection, f"run:{name}")
        case ref.ForeignRef(text):
            return _foreign(connection, text, moment)


def _nodes_named(connection: sa.Connection, kind: str, name: str) -> list[int]:
    query = sa.select(tables.node.c.id).where(tables.node.c.kind == kind, tables.node.c.name == name)
    return list(connection.scalars(query))


def _starting(connection: sa.Connection, prefix: str) -> set[int]:
    node = tables.node.c
    query = sa.select(node.id).where(node.ref >= prefix, node.ref < prefix + "\U0010ffff")
    return set(connection.scalars(query.limit(100)))


def _foreign(connection: sa.Connection, text: str, moment: Moment) -> set[int]:
    alias, node = tables.alias.c, tables.node.c
    stated = (alias.time <= moment.time) & (alias.taken <= moment.known)
    found = set(connection.scalars(sa.select(alias.node).where(alias.alias == text, stated)))
    if found or len(text.removeprefix("sha256:")) < _PREFIX_MIN:
        return found
    digest = text if text.startswith("sha256:") else f"sha256:{text}"
    upper = "\U0010ffff"
    found = set(connection.scalars(sa.select(node.id).where(node.digest >= digest, node.digest < digest + upper)))
    starting = sa.select(alias.node).where(alias.alias >= text, alias.alias < text + upper, stated)
    return found | set(connection.scalars(starting))


def _unknown(connection: sa.Connection, text: str) -> UnknownRef:
    """Return the error for a name that nothing has, with the names most like it."""
    node = tables.node.c
    query = sa.select(node.kind, node.name).where(node.kind != "file").distinct().limit(_MOST_NAMES)
    names = [f"{kind}:{name}" for kind, name in connection.execute(query)]
    like = difflib.get_close_matches(text.partition("@")[0], names, n=3)
    fix = f"Did you mean {', '.join(like)}? `lineal ls` lists what is recorded." if like else None
    return UnknownRef(f"nothing is recorded as {text}", fix=fix)


def _choose(named: ref.Ref, found: list[NodeView]) -> NodeView:
    """Return the one view of `found` that `named` means."""
    if isinstance(named, ref.VersionRef) and named.version != "latest":
        found = _matching(named.version, found)
    elif isinstance(named, ref.ArtifactRef | ref.VersionRef) and found:
        return max(found, key=_start if named.kind == "endpoint" else _age)
    if isinstance(named, ref.RunRef):
        exact = [view for view in found if view.canonical == str(named)]
        found = exact or found
    if not found:
        raise UnknownRef(f"nothing is recorded as {named}")
    if len(found) > 1:
        raise AmbiguousRef(
            f"{named} names {len(found)} things: " + ", ".join(view.ref for view in sorted(found, key=_age)[:8])
        )
    return found[0]


def _refuse_retired(connection: sa.Connection, revision: NodeView, moment: Moment) -> None:
    for fact in _facts(connection, [revision.id], moment):
        if fact.type == RETIRED:
            raise UnknownRef(
                f"nothing serves at endpoint:{revision.name}: {fact.actor} retired it at {fact.time}",
                fix=f"{revision.ref} served last; --at asks about an earlier moment.",
            )


def _matching(version: str, found: list[NodeView]) -> list[NodeView]:
    exact = [view for view in found if view.version == version or view.canonical.endswith(f"@{version}")]
    if exact:
        return exact
    prefix = version.removeprefix("sha256:")
    if len(prefix) < _PREFIX_MIN:
        return []
    return [
        view
        for view in found
        if (view.digest or "").startswith(f"sha256:{prefix}") or (view.version or "").startswith(version)
    ]


def _age(view: NodeView) -> tuple[int, str, int]:
    number = int(view.version) if view.version is not None and view.version.isdecimal() else 0
    return number, view.time or "", view.id


def _start(view: NodeView) -> tuple[str, tuple[int, str, int]]:
    return view.time or "", _age(view)


def _select_in(connection: sa.Connection, wanted: Any, column: Any, values: Sequence[str]) -> list[int]:
    found: list[int] = []
    for part in _chunks(values):
        found.extend(connection.scalars(sa.select(wanted).where(column.in_(part))))
    return found


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
