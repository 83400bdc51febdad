"""What an unfinished snapshot of a bucket has read already, so that the next one goes on from there.

A SQLite file in the ledger's cache that can be deleted at any time. A finished version says it all itself
(`bucket_known`): its rows go. Each row has a digest over what it says, and a file that is damaged is not used.
"""

import hashlib
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lineal.core.digest import Digest
from lineal.sources.bucket import Listed

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS read_1 (place TEXT NOT NULL, object BLOB PRIMARY KEY, digest BLOB NOT NULL,"
    " basis TEXT NOT NULL, seal BLOB NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID"
)
_BUSY_SECONDS: Final = 5.0
_KEEP_SECONDS: Final = 30 * 24 * 3600


class Resume:
    """The objects of one place (server and prefix) that were read. Does nothing where its file cannot be used."""

    def __init__(self, file: Path | None, place: str) -> None:
        self._place = place
        self._rows: list[tuple[str, bytes, bytes, str, bytes, int]] = []
        self._database: sqlite3.Connection | None = None
        self._is_empty = True
        if file is None:
            return
        with suppress(OSError, sqlite3.Error):
            file.parent.mkdir(exist_ok=True)
            self._database = sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(_SCHEMA)
            self._database.execute("DELETE FROM read_1 WHERE at < ?", (int(time.time()) - _KEEP_SECONDS,))
            query = "SELECT 1 FROM read_1 WHERE place = ? LIMIT 1"
            self._is_empty = self._database.execute(query, (place,)).fetchone() is None

    @property
    def waiting(self) -> int:
        """How many objects were noted since the last write."""
        return len(self._rows)

    def find(self, item: Listed) -> tuple[Digest, str] | None:
        """Return the digest of an object that was read in this state, and its basis; None if it was not."""
        if self._database is None or self._is_empty:
            return None
        named = self._name(item)
        try:
            query = "SELECT digest, basis, seal FROM read_1 WHERE object = ?"
            row = self._database.execute(query, (named,)).fetchone()
            if row is None or row[2] != _seal(named, row[0], row[1]):
                return None
            return Digest(row[0]), row[1]
        except (sqlite3.Error, TypeError, ValueError):
            self._give_up()
            return None

    def note(self, item: Listed, digest: Digest, basis: str) -> None:
        """Take note of an object that was read; on disk after the next `write`."""
        if self._database is not None:
            named = self._name(item)
            seal = _seal(named, digest.value, basis)
            self._rows.append((self._place, named, digest.value, basis, seal, int(time.time())))

    def write(self) -> None:
        """Put what was noted on disk; the bytes that are to be kept must be there already."""
        rows, self._rows = self._rows, []
        if self._database is None or not rows:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT OR REPLACE INTO read_1 VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._database.execute("COMMIT")
        except sqlite3.Error:
            self._give_up()

    def forget(self) -> None:
        """Forget the place: there is a version of it now."""
        self._rows.clear()
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.execute("DELETE FROM read_1 WHERE place = ?", (self._place,))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_up()

    def _name(self, item: Listed) -> bytes:
        pin = item.pin.digest().value
        key = item.key.encode("utf-8", "surrogatepass")
        return hashlib.sha256(b"\0".join((self._place.encode(), key, str(item.size).encode(), pin))).digest()

    def _give_up(self) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None


def _seal(named: bytes, digest: bytes, basis: str) -> bytes:
    return hashlib.sha256(b"\0".join((named, digest, basis.encode()))).digest()
