"""A whole listing, held on disk in the order that a manifest needs, whatever order the store gave it in."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from lineal.core.observation import Gap
from lineal.datasets.manifest import check_path
from lineal.datasets.tree import LEFT_OUT
from lineal.errors import BadInput, SourceError
from lineal.sources.bucket import Listed

MOST_NAMED: Final = 100
"""How many keys that are left out are named one by one."""

_CREATE: Final = (
    "CREATE TABLE listed (path BLOB, key TEXT, size INTEGER, etag TEXT, version TEXT, current INTEGER,"
    " deleted INTEGER, sha256 INTEGER)"
)
_INSERT: Final = "INSERT INTO listed VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT: Final = "SELECT path, key, size, etag, version, current, deleted, sha256 FROM listed"
_TOTALS: Final = "SELECT count(*), coalesce(sum(size), 0) FROM listed WHERE current AND NOT deleted"

_Row = tuple[bytes, str, int, str | None, str | None, int, int, int | None]


@dataclass(frozen=True, slots=True)
class Placed:
    """An object of a listing, and its path below the prefix."""

    path: bytes
    item: Listed


class Listing:
    """The objects below a prefix, sorted by the bytes of their paths; millions of them take disk, not memory.

    Keys that cannot be paths of a dataset are left out, each with a gap. So are markers of folders: empty objects whose
    key ends with a slash, or below whose key others lie; they stand for no file. Use it as a context manager, `add`
    what the store lists, then `settle`.
    """

    def __init__(self, prefix: str, *, history: bool = False) -> None:
        """Take keys that begin with `prefix`; with `history` versions of the past, too."""
        self.count = self.bytes = self.markers = self.listed = 0
        self._prefix, self._history = prefix, history
        self._gaps: list[Gap] = []
        self._refused = 0
        # A database without a name is a file of its own, which goes with the connection.
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA cache_size = -32768")
        self._database.execute(_CREATE)
        self._database.execute("BEGIN")

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What was left out and why; of very many, the first ones and their number."""
        if self._refused <= MOST_NAMED:
            return tuple(self._gaps)
        more = self._refused - MOST_NAMED
        return (*self._gaps, Gap("bucket.keys_not_kept", f"{more} more keys that cannot be paths of a dataset"))

    def add(self, items: Iterable[Listed]) -> None:
        """Take a page of the listing; raise `SourceError` if it has what was not asked for."""
        rows: list[_Row] = []
        for item in items:
            self.listed += 1
            if not item.key.startswith(self._prefix):
                raise SourceError(f"the store lists {item.key[:200]!r}, which is not below {self._prefix[:200]!r}")
            if not self._history and (item.deleted or not item.current):
                continue
            path = item.key[len(self._prefix) :].encode("utf-8", "surrogatepass")
            if self._is_kept(path, item):
                sha256 = None if item.sha256 is None else int(item.sha256)
                flags = (int(item.current), int(item.deleted), sha256)
                rows.append((path, item.key, item.size, item.etag, item.version, *flags))
        self._database.executemany(_INSERT, rows)

    def settle(self) -> None:
        """Put everything in order; leave out what is both an object and a folder of others.

        Raises `SourceError` if an object was listed twice.
        """
        self._database.execute("CREATE INDEX by_path ON listed (path)")
        for path, key, size in self._folders():
            self._database.execute("DELETE FROM listed WHERE path = ? AND current", (path,))
            if size:
                self._refuse(key, "it is an object and a folder of others at once, which no file system can be")
            else:
                self.markers += 1
        self.count, self.bytes = self._database.execute(_TOTALS).fetchone()

    def __iter__(self) -> Iterator[Placed]:
        """Yield what is there now, sorted by path."""
        last: bytes | None = None
        for placed in self._rows(f"{_SELECT} WHERE current AND NOT deleted ORDER BY path"):
            if placed.path == last:
                raise SourceError(f"the store lists {placed.item.key!r} twice: it was written to during the listing")
            last = placed.path
            yield placed

    def history(self) -> Iterator[Placed]:
        """Yield every version listed, sorted by path."""
        return self._rows(f"{_SELECT} ORDER BY path")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def _rows(self, query: str) -> Iterator[Placed]:
        for path, key, size, etag, version, current, deleted, sha256 in self._database.execute(query):
            known = None if sha256 is None else bool(sha256)
            yield Placed(path, Listed(key, size, etag, version, bool(current), bool(deleted), known))

    def _is_kept(self, path: bytes, item: Listed) -> bool:
        if not item.size and not item.deleted and (not path or path.endswith(b"/")):
            self.markers += 1
            return False
        try:
            check_path(path)
        except BadInput:
            self._refuse(item.key, "it cannot be a path: it has an empty, . or .. segment, or a zero byte")
            return False
        if any(segment.lower() in LEFT_OUT for segment in path.split(b"/")):
            self._refuse(item.key, "it belongs to a tool, not to the data")
            return False
        return True

    def _refuse(self, key: str, reason: str) -> None:
        self._refused += 1
        if self._refused <= MOST_NAMED:
            shown = key if len(key) <= 200 else f"{key[:200]}…"
            self._gaps.append(Gap("bucket.key_not_kept", f"{shown!r} is left out: {reason}"))

    def _folders(self) -> list[tuple[bytes, str, int]]:
        """Return the objects below whose key there are others."""
        found: dict[bytes, tuple[bytes, str, int]] = {}
        above: list[tuple[bytes, str, int]] = []
        query = "SELECT path, key, size FROM listed WHERE current AND NOT deleted ORDER BY path"
        for row in self._database.execute(query):
            path = row[0]
            while above and not path.startswith(above[-1][0]):
                above.pop()
            for each in above:
                if path[len(each[0]) : len(each[0]) + 1] == b"/":
                    found[each[0]] = each
            above.append(row)
        return list(found.values())
