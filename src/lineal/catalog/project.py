"""Following the ledger: each entry is folded once, in order, and the cursor moves in the same transaction."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import sqlalchemy as sa

from lineal.catalog import tables
from lineal.catalog.fold import Rows, describe_ref, fold
from lineal.errors import InconsistentStore, NewerFormat
from lineal.ledger.database import Database, insert_rows, select_in
from lineal.ledger.reader import Entry

_STEP: Final = 2000
_NUMBERS: Final = "SELECT ref, id FROM catalog_node WHERE ref IN ({})"


class EntrySource(Protocol):
    """Where the entries come from: the ledger's reader."""

    def size(self) -> int:
        """Return the number of entries committed."""

    def entries(self, start: int = 0, end: int | None = None) -> Iterable[Entry]:
        """Yield the entries from `start` up to `end`."""


def prepare(database: Database) -> None:
    """Make the tables of an empty catalog, if they are not there; those of an older format are dropped first.

    Nothing is lost by that: the catalog is folded from the ledger anew when it is asked next.
    """
    with database.writing() as connection:
        if sa.inspect(connection).has_table(tables.cursor.name):
            at = connection.execute(sa.select(tables.cursor.c.format)).scalar_one_or_none()
            if at is not None and at < tables.FORMAT:
                tables.metadata.drop_all(connection)
        tables.metadata.create_all(connection)
        if connection.execute(sa.select(tables.cursor)).one_or_none() is None:
            connection.execute(tables.cursor.insert().values(id=1, format=tables.FORMAT, size=0, nodes=0))


def is_current(database: Database, size: int) -> bool:
    """Return whether the catalog has followed the ledger up to `size` entries; raise `NewerFormat`."""
    with database.reading() as connection:
        at = connection.execute(sa.select(tables.cursor)).one_or_none()
    return at is not None and bool(at.size == size) and bool(at.format == tables.FORMAT)


def catch_up(database: Database, source: EntrySource, on_progress: Callable[[int, int], None] | None = None) -> int:
    """Fold what the ledger has and the catalog has not; return the number of entries folded.

    Bodies are checked against their commitment on the way. Raises `InconsistentStore` when the catalog is ahead of
    the ledger, `NewerFormat` when a newer Lineal wrote it, `IntegrityError` branches for entries that do not hold.
    """
    size = source.size()
    if is_current(database, size):
        return 0
    done = 0
    while True:
        with database.writing() as connection:
            at = connection.execute(sa.select(tables.cursor).with_for_update()).one()
            if at.format != tables.FORMAT:
                raise NewerFormat(f"the catalog has format {at.format}", fix="Run `lineal rebuild` with this version.")
            if at.size > size:
                size = max(size, source.size())
            if at.size > size:
                raise InconsistentStore(f"the catalog has followed {at.size} entries of a ledger of {size}")
            end = min(at.size + _STEP, size)
            if end == at.size:
                return done
            nodes = _fold_step(connection, source.entries(at.size, end), at.nodes)
            connection.execute(tables.cursor.update().values(size=end, nodes=nodes))
        done += end - at.size
        if on_progress is not None:
            on_progress(end, size)


def _fold_step(connection: sa.Connection, entries: Iterable[Entry], count: int) -> int:
    rows = Rows()
    for entry in entries:
        statement, taken, body = entry.checked()
        fold(rows, entry.idx, statement, taken, body)
    numbers = _number(connection, list(rows.refs), count)
    facts = [(numbers[node], *key, *rest) for (node, *key), rest in rows.facts.items()]
    edges = [(numbers[source], numbers[target], *key, *rest) for (source, target, *key), rest in rows.edges.items()]
    aliases = [(alias, numbers[node], *key, *rest) for (alias, node, *key), rest in rows.aliases.items()]
    members = [(digest, numbers[node], *key, *rest) for (digest, node, *key), rest in rows.members.items()]
    insert_rows(connection, tables.fact, facts)
    insert_rows(connection, tables.edge, edges)
    insert_rows(connection, tables.alias, aliases)
    insert_rows(connection, tables.member, members)
    insert_rows(connection, tables.gap, [key + rest for key, rest in rows.gaps.items()])
    insert_rows(connection, tables.event, [key + rest for key, rest in rows.events.items()])
    for table in tables.CONFIGURATION:
        insert_rows(connection, table, rows.configuration.get(table.name, []))
    return max(count, *numbers.values()) if numbers else count


def _number(connection: sa.Connection, refs: list[str], count: int) -> dict[str, int]:
    """Return the number of each reference; new ones get the next numbers in order of appearance."""
    numbers: dict[str, int] = {row[0]: row[1] for row in select_in(connection, _NUMBERS, refs)}
    new = [text for text in refs if text not in numbers]
    numbers.update((text, number) for number, text in enumerate(new, count + 1))
    insert_rows(connection, tables.node, [(numbers[text], *describe_ref(text)) for text in new])
    return numbers


def holds(database: Database, entry: Entry) -> bool:
    """Return whether the catalog says of each thing what `entry`, which it has followed, says itself.

    Of things alone: edges and what no entry says at all take a comparison of the whole (`fingerprint`).
    """
    statement, taken, body = entry.checked()
    rows = Rows()
    fold(rows, entry.idx, statement, taken, body)
    wanted = {(*describe_ref(ref), *told) for (ref, _), told in rows.facts.items()}
    told = [column for column in tables.fact.c if not column.primary_key]
    node = tables.node.c
    query = sa.select(node.ref, node.kind, node.name, node.digest, *told).where(
        tables.fact.c.node == node.id, tables.fact.c.idx == entry.idx
    )
    with database.reading() as connection:
        return set(map(tuple, connection.execute(query))) == wanted


def drop(database: Database) -> None:
    """Drop every table of the catalog and make them anew, empty."""
    with database.writing() as connection:
        tables.metadata.drop_all(connection)
    prepare(database)


def fingerprint(database: Database) -> str:
    """Return the hex SHA-256 over every row of every table: equal exactly when the catalogs are, bit for bit."""
    digest = hashlib.sha256()
    with database.reading() as connection:
        for table in (tables.cursor, *tables.FOLDED):
            digest.update(table.name.encode())
            for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns)):
                digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()
