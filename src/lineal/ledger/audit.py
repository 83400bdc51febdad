"""The fast audit: from the stored bytes of every entry to the signed root, and nothing else.

It shows that no entry was changed, added, removed or moved since the log was signed. What the entries say, the other
columns and the files are the matter of `verify`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from lineal.core.checkpoint import open_checkpoint
from lineal.core.merkle import HASH_SIZE, Frontier, leaf_hash
from lineal.core.note import Verifier
from lineal.core.tile import WIDTH, Tile, bundle_path, decode_bundle, grow_tiles, tile_path
from lineal.errors import InconsistentStore, Malformed
from lineal.ledger.database import translating
from lineal.ledger.log import Ledger
from lineal.ledger.log_files import LogFiles
from lineal.ledger.reader import SignedRow, read_head, read_signed

_PAGE: Final = 4096
_ENTRIES: Final = "SELECT idx, bytes FROM entry ORDER BY idx"


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What was audited: the number of entries, the root they give, and how many of them a checkpoint signs."""

    entries: int
    root: bytes
    signed: int


def audit_log(ledger: Ledger) -> AuditResult:
    """Hash every stored entry and hold the roots against the last signed checkpoint and the head of the log.

    Raises `IntegrityError` branches at the first thing that does not hold, `StoreError` branches when the database
    cannot be read.
    """
    with ledger.database.reading() as connection:
        head, last = read_head(connection), read_signed(connection)
        frontier = Frontier()
        signed = 0 if last is None else last.size
        for data in _pages(connection, ledger.database.is_sqlite):
            before = max(0, min(signed - frontier.size, len(data)))
            frontier = frontier.extend(map(leaf_hash, data[:before]))
            if last is not None and frontier.size == signed:
                _hold_against(last, frontier, ledger.key)
                last = None
            frontier = frontier.extend(map(leaf_hash, data[before:]))
    if last is not None:
        raise InconsistentStore(f"{last.size} entries were signed, {frontier.size} are stored")
    if frontier != head.frontier:
        raise InconsistentStore(f"the {frontier.size} stored entries do not give the root of the ledger's head")
    return AuditResult(frontier.size, frontier.root(), signed)


def _pages(connection: sa.Connection, sqlite: bool) -> Iterator[list[bytes]]:
    """Yield the bytes of all entries, in order; below SQLAlchemy, whose rows cost more than the hashing."""
    driver = connection.connection.driver_connection
    if driver is None:
        raise InconsistentStore("the database is not connected")
    done = 0
    with translating():
        cursor = driver.cursor() if sqlite else driver.cursor(name="audit")
        cursor.execute(_ENTRIES)
        while rows := cursor.fetchmany(_PAGE):
            if [row[0] for row in rows] != list(range(done, done + len(rows))):
                raise InconsistentStore(f"entries are missing from the database after entry {done - 1}")
            data = [row[1] for row in rows]
            if set(map(type, data)) != {bytes}:
                raise InconsistentStore(f"an entry after entry {done - 1} is not stored as bytes")
            yield data
            done += len(rows)
        cursor.close()


def _hold_against(row: SignedRow, frontier: Frontier, key: Verifier) -> None:
    checkpoint = open_checkpoint(row.note, key)
    if checkpoint.size != row.size or checkpoint.root != frontier.root():
        raise InconsistentStore(f"the first {row.size} stored entries do not give the signed root")


def audit_files(folder: Path, key: Verifier) -> AuditResult:
    """Do the same with a published log alone: the files `checkpoint` and ``tile/…`` in `folder`, and no database.

    Every bundle and tile of the published size is read and compared with what the entries give. Raises
    `IntegrityError` branches at the first thing that does not hold or is missing.
    """
    files = LogFiles(folder)
    note = files.read_checkpoint()
    if note is None:
        raise InconsistentStore(f"there is no checkpoint in {folder}")
    checkpoint = open_checkpoint(note, key)
    frontier = Frontier()
    edges: dict[tuple[int, int], bytes] = {}
    for index in range(-(-checkpoint.size // WIDTH)):
        width = min(WIDTH, checkpoint.size - index * WIDTH)
        leaves = [leaf_hash(entry) for entry in _read_bundle(files, index, width)]
        # Only the right edge of each level grows: what it was is kept here, not read back from what is checked.
        for tile, data in grow_tiles(frontier.size, leaves, lambda tile: edges[tile.level, tile.index]):
            edges[tile.level, tile.index] = data
            if tile.width == WIDTH:
                _check_tile(files, tile, edges.pop((tile.level, tile.index)))
        frontier = frontier.extend(leaves)
    for (level, index), data in edges.items():
        _check_tile(files, Tile(level, index, len(data) // HASH_SIZE), data)
    if frontier.root() != checkpoint.root:
        raise InconsistentStore(f"the {checkpoint.size} published entries do not give the signed root")
    return AuditResult(checkpoint.size, checkpoint.root, checkpoint.size)


def _read_bundle(files: LogFiles, index: int, width: int) -> list[bytes]:
    data = files.read_tile(bundle_path(index, width))
    if data is not None:
        return decode_bundle(data, width)
    data = None if width == WIDTH else files.read_tile(bundle_path(index))
    if data is None:
        raise InconsistentStore(f"the published {bundle_path(index, width)} is missing")
    return decode_bundle(data, WIDTH)[:width]


def _check_tile(files: LogFiles, tile: Tile, data: bytes) -> None:
    path = tile_path(tile.level, tile.index, tile.width)
    if files.read_hashes(tile) != data:
        raise Malformed(f"the published {path} has other bytes than the entries give")
