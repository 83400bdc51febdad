"""What the change index says of a block and of a whole tree, each with a digest over all of it."""

import hashlib
import struct
from dataclasses import dataclass

from lineal.core.digest import Digest


class StaleIndexError(Exception):
    """The index cannot be relied on, and everything has to be read; `is_damaged` says that it is to be deleted, too."""

    def __init__(self, said: object, *, is_damaged: bool = True) -> None:
        super().__init__(said)
        self.is_damaged = is_damaged


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one block: columns as in `Block`; `packs` None if its content was not put into the store."""

    folder: bytes
    first: bytes
    last: bytes
    device: str
    names: bytes
    keys: bytes
    digests: bytes
    packs: bytes | None
    files: int
    size: int
    gaps: str

    def seal(self, root: bytes) -> bytes:
        """Return the digest over all of it."""
        numbers = b"%d %d %d" % (self.packs is None, self.files, self.size)
        texts = (root, self.folder, self.first, self.last, self.device.encode(), self.gaps.encode(), numbers)
        return _seal(*texts, self.names, self.keys, self.digests, self.packs or b"")


@dataclass(frozen=True, slots=True)
class Basis:
    """The version that the rows of a root add up to: its digest, the number of its files and of their bytes."""

    digest: Digest
    files: int
    size: int

    def seal(self, root: bytes) -> bytes:
        """Return the digest over all of it."""
        return _seal(root, self.digest.value, b"%d %d" % (self.files, self.size))


@dataclass(frozen=True, slots=True)
class Fresh:
    """A row to be written in the place of those that begin after the name `low` and up to `high`.

    `packs` are the names of those that hold its content, None if it is not in the store.
    """

    row: Row
    low: bytes | None
    high: bytes | None
    packs: frozenset[str] | None


def _seal(*parts: bytes) -> bytes:
    running = hashlib.sha256(struct.pack(f"<{len(parts)}Q", *map(len, parts)))
    for part in parts:
        running.update(part)
    return running.digest()
