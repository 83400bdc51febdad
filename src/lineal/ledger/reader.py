"""Reading the log: entries, bodies, heads, checkpoints."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lineal.core.event import check_body, decode_entry
from lineal.core.merkle import Frontier
from lineal.errors import InconsistentStore, UnknownRef
from lineal.ledger import tables
from lineal.ledger.database import Database

_PAGE: Final = 2000


@dataclass(frozen=True, slots=True)
class Entry:
    """One leaf of the log, with the body it commits to unless that was erased."""

    idx: int
    data: bytes
    salt: bytes | None
    body: bytes | None

    def statement(self) -> tuple[dict[str, Any], str]:
        """Return the statement and the moment ``taken``; raise `IntegrityError` for bytes that are no entry."""
        return decode_entry(self.data)

    def checked(self) -> tuple[dict[str, Any], str, bytes | None]:
        """Return statement, ``taken`` and the body, which is checked against its commitment; None if erased."""
        statement, taken = self.statement()
        if self.salt is None or self.body is None:
            return statement, taken, None
        check_body(statement, self.salt, self.body)
        return statement, taken, self.body


@dataclass(frozen=True, slots=True)
class Head:
    """The log as committed: its size, root and compact range."""

    size: int
    root: bytes
    frontier: Frontier
    taken: str


@dataclass(frozen=True, slots=True)
class SignedRow:
    """One checkpoint as the database keeps it."""

    size: int
    note: bytes
    frontier: bytes


def read_head(connection: sa.Connection) -> Head:
    """Return the head of the log; raise `InconsistentStore` if it contradicts itself."""
    row = connection.execute(sa.select(tables.head)).one_or_none()
    if row is None:
        raise InconsistentStore("the ledger has no head row")
    frontier = Frontier.decode(bytes(row.frontier))
    if frontier.size != row.size or frontier.root() != bytes(row.root):
        raise InconsistentStore("the head of the ledger contradicts itself")
    return Head(row.size, bytes(row.root), frontier, row.taken)


def read_properties(connection: sa.Connection) -> dict[str, str]:
    """Return the rows of the table `ledger`: format, origin, vkey, created."""
    return {row.name: row.value for row in connection.execute(sa.select(tables.ledger))}


def read_signed(connection: sa.Connection, size: int | None = None) -> SignedRow | None:
    """Return the checkpoint of `size` entries, or the latest; None if there is none."""
    query = sa.select(tables.checkpoint).order_by(tables.checkpoint.c.size.desc()).limit(1)
    if size is not None:
        query = query.where(tables.checkpoint.c.size == size)
    row = connection.execute(query).one_or_none()
    return None if row is None else SignedRow(row.size, row.note.encode(), bytes(row.frontier))


class Reader:
    """Reads one log; every method sees a single state of the database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def head(self) -> Head:
        """Return the head of the log."""
        with self.database.reading() as connection:
            return read_head(connection)

    def size(self) -> int:
        """Return the number of entries committed."""
        return self.head().size

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[Entry]:
        """Yield the entries from index `start` up to `end`, in order; raise `InconsistentStore` at a missing one."""
        stop = self.head().size if end is None else end
        for low in range(start, stop, _PAGE):
            high = min(low + _PAGE, stop)
            with self.database.reading() as connection:
                rows = list(connection.execute(_ENTRIES, {"low": low, "high": high}))
            for idx, row in zip(range(low, high), rows, strict=False):
                if row[0] != idx:
                    raise InconsistentStore(f"entry {idx} is missing from the database")
                yield Entry(*row)
            if len(rows) != high - low:
                raise InconsistentStore(f"entry {low + len(rows)} is missing from the database")

    def entry(self, idx: int) -> Entry:
        """Return the entry at `idx`; raise `UnknownRef` if the log is not that long."""
        size = self.head().size
        if not 0 <= idx < size:
            raise UnknownRef(f"there is no entry {idx} in a log of {size}")
        return next(self.entries(idx, idx + 1))

    def bytes_between(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Yield (index, entry bytes) from `start` up to `end` as the database has them, missing rows left out."""
        for low in range(start, end, _PAGE):
            with self.database.reading() as connection:
                rows = connection.execute(_BYTES, {"low": low, "high": min(low + _PAGE, end)}).all()
            for row in rows:
                yield row[0], row[1]

    def signed(self) -> list[SignedRow]:
        """Return every checkpoint, smallest first."""
        with self.database.reading() as connection:
            rows = connection.execute(sa.select(tables.checkpoint).order_by(tables.checkpoint.c.size))
            return [SignedRow(row.size, row.note.encode(), bytes(row.frontier)) for row in rows]


_entry = tables.entry.c
_body = tables.body.c
_RANGE: Final = (_entry.idx >= sa.bindparam("low")) & (_entry.idx < sa.bindparam("high"))
_ENTRIES: Final = (
    sa.select(_entry.idx, _entry.bytes, _body.salt, _body.bytes)
    .select_from(tables.entry.outerjoin(tables.body, _entry.idx == _body.idx))
    .where(_RANGE)
    .order_by(_entry.idx)
)
_BYTES: Final = sa.select(_entry.idx, _entry.bytes).where(_RANGE).order_by(_entry.idx)
