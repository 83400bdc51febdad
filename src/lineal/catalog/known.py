"""What of a source's observations the ledger says already, so that looking again records only what is new."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa

from lineal.catalog import tables
from lineal.catalog.graph import NOW
from lineal.catalog.view import Fact, read_facts
from lineal.core.observation import Node, Observation
from lineal.ledger.database import Database, chunks, select_in

_BY_REF: Final = "SELECT ref, id FROM catalog_node WHERE ref IN ({})"
_BY_ALIAS: Final = "SELECT alias, node FROM catalog_alias WHERE alias IN ({})"
_EDGES: Final = "SELECT source, target, type FROM catalog_edge WHERE target IN ({})"


def unknown(database: Database, observations: Sequence[Observation]) -> list[Observation]:
    """Return those of `observations` that say anything which the catalog has not.

    An observation is known when of each of its nodes a statement of the same type has said the same, at the same time
    or as the last of that type; when each alias and each edge is there; and when it has a node at all.
    """
    with database.reading() as connection:
        refs = {end for each in observations for edge in each.edges for end in (edge.source, edge.target)}
        refs |= {node.ref for each in observations for node in each.nodes}
        numbers: dict[str, int] = {row[0]: row[1] for row in select_in(connection, _BY_REF, sorted(refs))}
        edges = _edges(connection, numbers.values())
        aliases = {alias for each in observations for node in each.nodes for alias in node.aliases}
        named = {(row[0], row[1]) for row in select_in(connection, _BY_ALIAS, sorted(aliases))}
        facts: dict[int, list[Fact]] = {}
        for fact in read_facts(connection, sorted(set(numbers.values())), NOW):
            facts.setdefault(fact.node, []).append(fact)

    def is_said(node: Node, of: Observation) -> bool:
        number = numbers.get(node.ref)
        if number is None or any((alias, number) not in named for alias in node.aliases):
            return False
        said = [fact for fact in facts.get(number, ()) if fact.type == of.type]
        return any(_says(fact, node) for fact in said if fact.time == of.time or fact is said[-1])

    def is_known(each: Observation) -> bool:
        ends = ((numbers.get(edge.source), numbers.get(edge.target), edge.type) for edge in each.edges)
        return bool(each.nodes) and all(is_said(node, each) for node in each.nodes) and edges.issuperset(ends)

    return [each for each in observations if not is_known(each)]


def _edges(connection: sa.Connection, targets: Iterable[int]) -> set[tuple[int | None, int | None, str]]:
    return {tuple(row) for row in select_in(connection, _EDGES, sorted(set(targets)))}


def _says(fact: Fact, node: Node) -> bool:
    digest = None if node.digest is None else str(node.digest)
    same = (fact.version, fact.digest, fact.basis) == (node.version, digest, node.basis)
    return same and json.dumps(fact.detail, sort_keys=True) == json.dumps(node.detail, sort_keys=True)


def runs_starting(database: Database, prefix: str) -> list[int]:
    """Return the numbers of the runs whose identifier begins with `prefix`."""
    node = tables.node.c
    query = sa.select(node.id).where(node.ref >= f"run:{prefix}", node.ref < f"run:{prefix}\U0010ffff")
    with database.reading() as connection:
        return list(connection.scalars(query))


def nodes_with_aliases(database: Database, aliases: Sequence[str], until: str) -> dict[str, list[int]]:
    """Return the numbers of the nodes that have each alias by the moment `until`."""
    alias = tables.alias.c
    found: dict[str, list[int]] = {}
    with database.reading() as connection:
        for part in chunks(aliases):
            query = sa.select(alias.alias, alias.node).where(alias.alias.in_(part), alias.time <= until).distinct()
            for row in connection.execute(query):
                found.setdefault(row.alias, []).append(row.node)
    return found
