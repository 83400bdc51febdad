"""Publishing: what is durable in the database becomes tiles and a signed checkpoint in files.

The order is RFC 6962's promise made safe against a crash at any point: tiles first (new names only), then the
signature over a root recomputed from the stored bytes, then the checkpoint's row, then its file. Each step can be
repeated: the same entries give the same tiles, and Ed25519 gives the same signature.
"""

from typing import Final

import sqlalchemy as sa

from lineal.core.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lineal.core.merkle import Frontier, leaf_hash
from lineal.core.note import Signer, Verifier
from lineal.core.tile import WIDTH, bundle_path, encode_bundle, grow_tiles, tile_path
from lineal.errors import InconsistentStore
from lineal.ledger import tables
from lineal.ledger.database import Database
from lineal.ledger.log_files import LogFiles
from lineal.ledger.reader import Head, Reader, SignedRow, read_head, read_signed

_STEP: Final = 64 * WIDTH  # entries published at a time: bounds memory


def check_start(database: Database, files: LogFiles, key: Verifier) -> int:
    """Hold the head of the log against the signed checkpoint; return how many entries are not signed yet.

    Raises `InconsistentStore` when the database holds fewer entries than were signed (a restored backup), another
    history, or entries after the checkpoint that do not give its head's root; `BadSignature` when the checkpoint is
    not the log's own.
    """
    # Before the state of the database is fixed: beside a publisher at work, a row is older than its file.
    published = files.read_checkpoint()
    with database.reading() as connection:
        head = read_head(connection)
        last = read_signed(connection)
        if published is not None:
            _check_published(connection, published, last, key)
    start = _check_signed(last, key)
    if head.size < start.size:
        raise InconsistentStore(f"the database has {head.size} entries but {start.size} were signed")
    tail = Reader(database).bytes_between(start.size, head.size)
    if start.extend(leaf_hash(data) for _, data in tail) != head.frontier:
        raise InconsistentStore("the entries after the last checkpoint do not give the root of the ledger's head")
    return head.size - start.size


def _check_published(connection: sa.Connection, published: bytes, last: SignedRow | None, key: Verifier) -> None:
    checkpoint = open_checkpoint(published, key)
    if checkpoint.size == 0:
        return
    row = read_signed(connection, checkpoint.size)
    if row is None:
        known = 0 if last is None else last.size
        raise InconsistentStore(
            f"the published checkpoint is of {checkpoint.size} entries, the last one in the database of {known}: "
            "the database was restored from an older state, or the checkpoint is of another ledger"
        )
    if row.note != published:
        raise InconsistentStore(f"the published checkpoint of {checkpoint.size} entries is not the one in the database")


def _check_signed(row: SignedRow | None, key: Verifier) -> Frontier:
    if row is None:
        return Frontier()
    checkpoint = open_checkpoint(row.note, key)
    frontier = Frontier.decode(row.frontier)
    if checkpoint.size != row.size or frontier.size != row.size or frontier.root() != checkpoint.root:
        raise InconsistentStore(f"the checkpoint of {row.size} entries in the database contradicts itself")
    return frontier


class Publisher:
    """Signs the log of `origin` as it stands in the database and writes it to files."""

    def __init__(self, database: Database, files: LogFiles, origin: str, signer: Signer, key: Verifier) -> None:
        self._database = database
        self._files = files
        self._origin = origin
        self._signer = signer
        self._key = key

    def publish(self) -> Checkpoint | None:
        """Publish every entry committed so far and return the checkpoint; None if the log is empty.

        Raises `InconsistentStore` when the stored bytes do not give the committed root: then nothing is signed.
        """
        with self._files.publishing():
            with self._database.reading() as connection:
                head, last = read_head(connection), read_signed(connection)
            frontier = _check_signed(last, self._key)
            if head.size > frontier.size:
                last = self._publish(frontier, head)
            if last is None:
                return None
            # Crash before this line -> the checkpoint's row is there and its file is older: the next publication,
            # or any opening for writing, writes the file from the row.
            if self._files.read_checkpoint() != last.note:
                self._files.write_checkpoint(last.note)
            return open_checkpoint(last.note, self._key)

    def _publish(self, frontier: Frontier, head: Head) -> SignedRow:
        # 1. Tiles and bundles, from the stored bytes. Crash here -> files that the next publication writes again.
        while frontier.size < head.size:
            frontier = self._write_tiles(frontier, min(head.size, frontier.size // WIDTH * WIDTH + _STEP))
        # 2. Sign only what the stored bytes give: a flipped bit between hashing and signing ends a log.
        if frontier != head.frontier:
            raise InconsistentStore("the stored entries do not give the root that was committed; nothing was signed")
        note = sign_checkpoint(Checkpoint(origin=self._origin, size=head.size, root=head.root), self._signer)
        # 3. The row, durable before the file shows it. Crash after -> see `publish`.
        with self._database.writing() as connection:
            row = read_signed(connection, head.size)
            if row is None:
                connection.execute(
                    tables.checkpoint.insert().values(size=head.size, note=note.decode(), frontier=frontier.encode())
                )
        return SignedRow(head.size, note, frontier.encode())

    def _write_tiles(self, frontier: Frontier, end: int) -> Frontier:
        first = frontier.size // WIDTH * WIDTH
        stored = list(Reader(self._database).bytes_between(first, end))
        if [idx for idx, _ in stored] != list(range(first, end)):
            raise InconsistentStore("entries are missing from the database; nothing was signed")
        entries = [data for _, data in stored]
        for start in range(0, len(entries), WIDTH):
            row = entries[start : start + WIDTH]
            self._files.write_tile(bundle_path((first + start) // WIDTH, len(row)), encode_bundle(row))
            if len(row) == WIDTH:
                self._files.remove_partials(bundle_path((first + start) // WIDTH))
        leaves = [leaf_hash(data) for data in entries[frontier.size - first :]]
        for tile, data in grow_tiles(frontier.size, leaves, self._files.read_hashes):
            self._files.write_tile(tile_path(tile.level, tile.index, tile.width), data)
            if tile.width == WIDTH:
                self._files.remove_partials(tile_path(tile.level, tile.index))
        return frontier.extend(leaves)
