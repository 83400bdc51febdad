"""The closure of the lineage graph: what made a thing, and what it touches, now and as of any moment."""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lineal.catalog import tables
from lineal.ledger.database import chunks

FOREVER: Final = "9999-12-31T23:59:59.999999Z"
_UNLIMITED: Final = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in both times: what held in the world at `time`, as far as the ledger knew it at `known`."""

    time: str = FOREVER
    known: str = FOREVER


NOW: Final = Moment()


@dataclass(frozen=True, slots=True)
class Closure:
    """What is reached from a node: the numbers of the nodes with their distance, and every edge among them."""

    depths: dict[int, int]
    edges: tuple[tuple[int, int, str], ...]


def upstream_of(connection: sa.Connection, node: int, moment: Moment, depth: int | None = None) -> Closure:
    """Return what made `node`: everything from which an edge leads to it, up to `depth` edges away."""
    return _closure(connection, node, moment, depth, up=True)


def downstream_of(connection: sa.Connection, node: int, moment: Moment, depth: int | None = None) -> Closure:
    """Return what `node` touches: everything to which an edge leads from it, up to `depth` edges away."""
    return _closure(connection, node, moment, depth, up=False)


def _closure(connection: sa.Connection, node: int, moment: Moment, depth: int | None, *, up: bool) -> Closure:
    if depth is None:
        reached: set[int] = set(connection.scalars(_REACHED_UP if up else _REACHED_DOWN, _bound(node, moment)))
        edges = _edges_among(connection, reached, moment)
        return Closure(_depths(node, edges, up=up), edges)
    depths = {node: 0}
    frontier = [node]
    for level in range(1, min(depth, _UNLIMITED) + 1):
        found = _neighbours(connection, frontier, moment, up=up)
        frontier = [number for number in sorted(found) if number not in depths]
        if not frontier:
            break
        depths.update(dict.fromkeys(frontier, level))
    return Closure(depths, _edges_among(connection, set(depths), moment))


def _bound(node: int, moment: Moment) -> dict[str, object]:
    return {"node": node, "time": moment.time, "known": moment.known}


def _reached(*, up: bool) -> sa.Select[Any]:
    """Return the recursive query of a closure; UNION removes what was met before, so that cycles and diamonds end."""
    edge = tables.edge.c
    near, far = (edge.target, edge.source) if up else (edge.source, edge.target)
    reached = sa.select(sa.cast(sa.bindparam("node"), sa.BigInteger).label("id")).cte("reached", recursive=True)
    step = sa.select(far).where(
        near == reached.c.id, edge.time <= sa.bindparam("time"), edge.taken <= sa.bindparam("known")
    )
    return sa.select(reached.union(step).c.id)


_REACHED_UP: Final = _reached(up=True)
_REACHED_DOWN: Final = _reached(up=False)


def _neighbours(connection: sa.Connection, nodes: list[int], moment: Moment, *, up: bool) -> set[int]:
    edge = tables.edge.c
    near, far = (edge.target, edge.source) if up else (edge.source, edge.target)
    found: set[int] = set()
    for part in chunks(nodes):
        query = sa.select(far).where(near.in_(part), edge.time <= moment.time, edge.taken <= moment.known)
        found.update(connection.scalars(query))
    return found


def _edges_among(connection: sa.Connection, nodes: set[int], moment: Moment) -> tuple[tuple[int, int, str], ...]:
    edge = tables.edge.c
    found: set[tuple[int, int, str]] = set()
    for part in chunks(sorted(nodes)):
        query = sa.select(edge.source, edge.target, edge.type).where(
            edge.target.in_(part), edge.time <= moment.time, edge.taken <= moment.known
        )
        found.update((row[0], row[1], row[2]) for row in connection.execute(query) if row[0] in nodes)
    return tuple(sorted(found))


def _depths(node: int, edges: tuple[tuple[int, int, str], ...], *, up: bool) -> dict[int, int]:
    beside: dict[int, list[int]] = {}
    for source, target, _ in edges:
        near, far = (target, source) if up else (source, target)
        beside.setdefault(near, []).append(far)
    depths = {node: 0}
    frontier = [node]
    while frontier:
        following = []
        for near in frontier:
            for far in beside.get(near, ()):
                if far not in depths:
                    depths[far] = depths[near] + 1
                    following.append(far)
        frontier = following
    return depths
