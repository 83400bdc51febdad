"""Reading the log: entries, bodies, heads, checkpoints."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lineal.core.event import check_body, decode_entry
from lineal.core.merkle import Frontier
from lineal.errors import InconsistentStore, UnknownRef
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
    row = connection.execute(_HEAD).one_or_none()
    if row is None:
        raise InconsistentStore("the ledger has no head row")
    size, root, stored, taken = row
    _check_types("the head of the ledger", (size, int), (root, bytes), (stored, bytes), (taken, str))
    frontier = Frontier.decode(stored)
    if frontier.size != size or frontier.root() != root:
        raise InconsistentStore("the head of the ledger contradicts itself")
    return Head(size, root, frontier, taken)


def read_properties(connection: sa.Connection) -> dict[str, str]:
    """Return the rows of the table `ledger`: format, origin, vkey, created."""
    found: dict[str, str] = {}
    for name, value in connection.execute(_PROPERTIES):
        _check_types("a property of the ledger", (name, str), (value, str))
        found[name] = value
    return found


def read_signed(connection: sa.Connection, size: int | None = None) -> SignedRow | None:
    """Return the checkpoint of `size` entries, or the latest; None if there is none."""
    query = _LAST_SIGNED if size is None else _SIGNED_AT.bindparams(size=size)
    row = connection.execute(query).one_or_none()
    return None if row is None else _signed(*row)


def _signed(size: object, note: object, frontier: object) -> SignedRow:
    _check_types(f"the checkpoint of {size} entries", (size, int), (note, str), (frontier, bytes))
    return SignedRow(size, note.encode(), frontier)  # type: ignore[arg-type,attr-defined]


def _check_types(about: str, *values: tuple[object, type]) -> None:
    """Raise `InconsistentStore` for a value of the wrong type, which SQLite stores in any column."""
    if any(type(value) is not kind for value, kind in values):
        raise InconsistentStore(f"{about} holds a value of the wrong type")


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
                _check_types(f"entry {idx}", (row[1], bytes), (row[2] or b"", bytes), (row[3] or b"", bytes))
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
            for idx, data in rows:
                _check_types(f"entry {idx}", (data, bytes))
                yield idx, data

    def first_signed(self, idx: int) -> SignedRow | None:
        """Return the oldest checkpoint that covers entry `idx`, None if none does yet."""
        with self.database.reading() as connection:
            row = connection.execute(_FIRST_SIGNED, {"idx": idx}).one_or_none()
        return None if row is None else _signed(*row)

    def signed(self) -> list[SignedRow]:
        """Return every checkpoint, smallest first."""
        with self.database.reading() as connection:
            return [_signed(*row) for row in connection.execute(_EVERY_SIGNED)]


# Plain SQL: rows come as the driver gives them, so that their types can be checked.
_HEAD: Final = sa.text("SELECT size, root, frontier, taken FROM head")
_PROPERTIES: Final = sa.text("SELECT name, value FROM ledger")
_EVERY_SIGNED: Final = sa.text("SELECT size, note, frontier FROM checkpoint ORDER BY size")
_LAST_SIGNED: Final = sa.text("SELECT size, note, frontier FROM checkpoint ORDER BY size DESC LIMIT 1")
_FIRST_SIGNED: Final = sa.text("SELECT size, note, frontier FROM checkpoint WHERE size > :idx ORDER BY size LIMIT 1")
_SIGNED_AT: Final = sa.text("SELECT size, note, frontier FROM checkpoint WHERE size = :size")
_ENTRIES: Final = sa.text(
    "SELECT entry.idx, entry.bytes, body.salt, body.bytes FROM entry LEFT JOIN body ON entry.idx = body.idx "
    "WHERE entry.idx >= :low AND entry.idx < :high ORDER BY entry.idx"
)
_BYTES: Final = sa.text("SELECT idx, bytes FROM entry WHERE idx >= :low AND idx < :high ORDER BY idx")
