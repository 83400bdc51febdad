"""The change index: what was read of each folder the last time, so that what has not changed is not read again.

A SQLite file that can be deleted at any time. Each row has a digest over all that it says, and the file is thrown away
at the first sign of damage: it saves time, and nothing is believed because of it that was not read once.
"""

import secrets
import sqlite3
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lineal.core.digest import Digest
from lineal.datasets.index_rows import Basis, Fresh, Row, StaleIndexError

_VERSION: Final = 0x4C434931  # "LCI1"
_BUSY_MS: Final = 5_000
_KEEP_SECONDS: Final = 180 * 24 * 3600
_SCHEMA: Final = f"""
CREATE TABLE root (
    id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, token TEXT NOT NULL, used INTEGER NOT NULL,
    digest BLOB, files INTEGER, size INTEGER, seal BLOB
);
CREATE TABLE pack (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE block (
    root INTEGER NOT NULL, folder BLOB NOT NULL, first BLOB NOT NULL, last BLOB NOT NULL, device TEXT NOT NULL,
    names BLOB NOT NULL, keys BLOB NOT NULL, digests BLOB NOT NULL, packs BLOB, files INTEGER NOT NULL,
    size INTEGER NOT NULL, gaps TEXT NOT NULL, seal BLOB NOT NULL, PRIMARY KEY (root, folder, first)
);
PRAGMA user_version = {_VERSION}
"""
# A file with any bytes in it makes SQLite and its adapter raise each of these.
_DAMAGE: Final = (sqlite3.Error, struct.error, TypeError, ValueError, AttributeError, IndexError)
_AWAY: Final = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")
_COLUMNS: Final = "folder, first, last, device, names, keys, digests, packs, files, size, gaps"


class ChangeIndex:
    """The rows of one root, as they were when it was opened, and the changes that are written to them.

    Reading sees one state for as long as it is open. Where the file cannot be written now, nothing is remembered, and
    that is all.
    """

    def __init__(self, file: Path, root: bytes) -> None:
        """Open the index in `file`, made anew if there is none; raise `StaleIndexError` if it is not one."""
        self._root = root
        self._file = file
        try:
            file.parent.mkdir(mode=0o700, exist_ok=True)
            self._write, self._read = _connect(file), _connect(file)
            self._read.execute("BEGIN")
            found = self._read.execute("SELECT * FROM root WHERE path = ?", (root,)).fetchone()
        except (OSError, *_DAMAGE) as error:
            raise StaleIndexError(error, is_damaged=not _is_away(error)) from error
        self._id: int | None = found[0] if found else None
        self._token: str | None = found[2] if found else None
        self._is_ours = self._is_writable = True
        self._packs: dict[int, str] = {}
        self.basis = self._read_basis(found)
        self.last: tuple[int, int] = (found[5] or 0, found[6] or 0) if found else (0, 0)
        """How many files, and how many bytes, there were the last time."""

    def rows(self, folder: bytes, low: bytes | None = None, last: bytes | None = None) -> list[Row]:
        """Return the rows of `folder` that may hold a name after `low` and up to `last`, sorted."""
        if self._id is None:
            return []
        query, given = "root = ? AND folder = ?", [self._id, folder]
        if low is not None:
            # The row that `low` may lie in is the first to look at: a folder may have very many.
            start = "SELECT max(first) FROM block WHERE root = ? AND folder = ? AND first <= ?"
            query += f" AND last > ? AND first >= ifnull(({start}), x'')"
            given += [low, self._id, folder, low]
        if last is not None:
            query += " AND first <= ?"
            given.append(last)
        return self._select(f"{query} ORDER BY first", given)

    def pack_names(self, packs: bytes) -> Iterator[str]:
        """Yield the names of the packs that a row or a basis has."""
        try:
            for number in struct.unpack(f"<{len(packs) // 4}I", packs):
                if number not in self._packs:
                    query = "SELECT name FROM pack WHERE id = ?"
                    self._packs[number] = self._read.execute(query, (number,)).fetchone()[0]
                yield self._packs[number]
        except _DAMAGE as error:
            raise StaleIndexError(f"a pack is not known: {error}") from error

    def write(self, rows: Iterable[Fresh], removed: Iterable[bytes] = (), basis: Basis | None = None) -> None:
        """Write `rows`, and forget the folders `removed` with all below them, in one transaction.

        With `basis`, say that all rows add up to it now; not if another process has written any of them meanwhile.
        """
        if not self._is_writable:
            return
        try:
            self._write.execute("BEGIN IMMEDIATE")
            self._claim()
            for folder in removed:
                given = (self._id, folder, folder[:-1] + b"0")
                self._write.execute("DELETE FROM block WHERE root = ? AND folder >= ? AND folder < ?", given)
            for fresh in rows:
                self._replace(fresh)
            if basis is not None and self._is_ours:
                self._write_basis(basis)
            self._write.execute("COMMIT")
        except _DAMAGE as error:
            self._is_writable = False
            with suppress(sqlite3.Error):
                self._write.execute("ROLLBACK")
            if not _is_away(error):
                discard_index(self._file)

    def close(self) -> None:
        """Let go of the file."""
        with suppress(sqlite3.Error):
            self._read.close()
            self._write.close()

    def _claim(self) -> None:
        """Make it seen that the rows change: whoever read them before must not say what they add up to."""
        now = int(time.time())
        found = self._write.execute("SELECT id, token FROM root WHERE path = ?", (self._root,)).fetchone()
        self._is_ours = self._is_ours and (found or (None, None)) == (self._id, self._token)
        self._token = secrets.token_hex(8)
        if found is None:
            self._forget_unused(now)
            values = (self._root, self._token, now)
            self._id = self._write.execute("INSERT INTO root (path, token, used) VALUES (?, ?, ?)", values).lastrowid
        else:
            self._id = found[0]
            query = "UPDATE root SET token = ?, used = ?, digest = NULL, seal = NULL WHERE id = ?"
            self._write.execute(query, (self._token, now, self._id))

    def _forget_unused(self, now: int) -> None:
        old = "(SELECT id FROM root WHERE used < ?)"
        self._write.execute(f"DELETE FROM block WHERE root IN {old}", (now - _KEEP_SECONDS,))  # noqa: S608
        self._write.execute("DELETE FROM root WHERE used < ?", (now - _KEEP_SECONDS,))

    def _replace(self, fresh: Fresh) -> None:
        row = replace(fresh.row, packs=None if fresh.packs is None else self._number(fresh.packs))
        query, given = "DELETE FROM block WHERE root = ? AND folder = ?", [self._id, row.folder]
        if fresh.low is not None:
            query += " AND first > ?"
            given.append(fresh.low)
        if fresh.high is not None:
            query += " AND first <= ?"
            given.append(fresh.high)
        self._write.execute(query, given)
        values = (row.folder, row.first, row.last, row.device, row.names, row.keys, row.digests, row.packs)
        marks = ", ".join("?" * 13)
        self._write.execute(
            f"INSERT INTO block (root, {_COLUMNS}, seal) VALUES ({marks})",  # noqa: S608
            (self._id, *values, row.files, row.size, row.gaps, row.seal(self._root)),
        )

    def _number(self, names: Iterable[str]) -> bytes:
        numbers = []
        for name in sorted(names):
            self._write.execute("INSERT OR IGNORE INTO pack (name) VALUES (?)", (name,))
            numbers += self._write.execute("SELECT id FROM pack WHERE name = ?", (name,)).fetchone()
        return struct.pack(f"<{len(numbers)}I", *numbers)

    def _write_basis(self, basis: Basis) -> None:
        values = (basis.digest.value, basis.files, basis.size, basis.seal(self._root), self._id)
        self._write.execute("UPDATE root SET digest = ?, files = ?, size = ?, seal = ? WHERE id = ?", values)

    def _read_basis(self, found: Any) -> Basis | None:
        if found is None or found[4] is None:
            return None
        try:
            basis = Basis(Digest(found[4]), *found[5:7])
            sealed = basis.seal(self._root)
        except _DAMAGE as error:
            raise StaleIndexError(str(error)) from error
        if sealed != found[7]:
            raise StaleIndexError("a root is not as it was written")
        return basis

    def _select(self, condition: str, given: Sequence[Any]) -> list[Row]:
        try:
            query = f"SELECT {_COLUMNS}, seal FROM block WHERE {condition}"  # noqa: S608
            found = [(Row(*columns), seal) for *columns, seal in self._read.execute(query, given)]
            if any(row.seal(self._root) != seal for row, seal in found):
                raise StaleIndexError("a row is not as it was written")
        except _DAMAGE as error:
            raise StaleIndexError(str(error)) from error
        return [row for row, _ in found]


def removed_paths(index: ChangeIndex, folder: bytes) -> Iterator[bytes]:
    """Yield the path of everything that the index knows in `folder` and below it, sorted."""
    levels = [iter(_names(index, folder))]
    while levels:
        path = next(levels[-1], None)
        if path is None:
            levels.pop()
        elif path.endswith(b"/"):
            levels.append(iter(_names(index, path)))
        else:
            yield path


def _names(index: ChangeIndex, folder: bytes) -> list[bytes]:
    return [folder + name for row in index.rows(folder) for name in row.names.split(b"\0") if name]


def _is_away(error: BaseException) -> bool:
    """Return whether the file may be whole: busy, full, not to be written or opened."""
    return isinstance(error, OSError) or getattr(error, "sqlite_errorname", "").startswith(_AWAY)


def discard_index(file: Path) -> None:
    """Delete the index in `file`, or what else is there under its name."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            file.with_name(file.name + suffix).unlink()


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, timeout=_BUSY_MS / 1000)
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise sqlite3.DatabaseError("not a change index of this version")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
            connection.execute("COMMIT")
        # A commit may be lost with the power, never a part of one: the seals cannot tell two old rows from new ones.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection
