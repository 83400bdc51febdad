"""What a snapshot remembers of a tree: rows of the change index, written when what they speak of is in the store."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lineal.core.digest import Digest
from lineal.datasets.block import CONTENT, DIGEST, FORM, KEY, Block
from lineal.datasets.index import ChangeIndex, removed_paths
from lineal.datasets.index_rows import Basis, Fresh, Row, StaleIndexError
from lineal.datasets.manifest import Manifest, load
from lineal.errors import IntegrityError, ObjectMissing
from lineal.objects.batch import Batch
from lineal.objects.pack import OBJECT_LIMIT
from lineal.objects.store import ObjectStore

_PUBLISH_BYTES: Final = 512 << 20
_PUBLISH_FILES: Final = 1 << 17
_PUBLISH_SECONDS: Final = 10.0
_LOOSE: Final = ""


@dataclass(slots=True)
class _Waiting:
    block: Block
    device: int
    packs: frozenset[str]


class Memory:
    """The change index of one tree, if there is one, beside the batch into which its content goes.

    Content is published, and rows are written, from time to time: what was read by a snapshot that is killed is not
    read again.
    """

    def __init__(self, index: ChangeIndex | None, store: ObjectStore, batch: Batch, *, keep: bool) -> None:
        self._index, self._store, self._batch, self._keep = index, store, batch, keep
        self._packs = store.pack_names() if index is not None and keep else frozenset()
        self._waiting: list[_Waiting] = []
        self._removed: list[bytes] = []
        self._files = 0
        self._is_changed = False
        self._last = time.monotonic()

    def basis(self) -> Manifest | None:
        """Return the manifest of the version that the rows add up to, if it is whole in the store."""
        basis = None if self._index is None else self._index.basis
        if basis is None:
            return None
        try:
            manifest = load(basis.digest, self._store)
        except (ObjectMissing, IntegrityError):
            return None
        if (manifest.count, manifest.size) != (basis.files, basis.size):
            raise StaleIndexError("a root does not add up to what its manifest says")
        return manifest if all(self._store.has(part.digest) for part in manifest.ranges) else None

    def rows(self, block: Block) -> list[Row]:
        """Return what is known of the names of `block`, and of those that were between them."""
        if self._index is None:
            return []
        return self._index.rows(block.folder, block.low, None if block.is_last else block.names[-1])

    def packs_of(self, row: Row) -> frozenset[str] | None:
        """Return the packs that the content of `row` is in; None if it is not all in the store, or is not to be."""
        if not self._keep:
            return frozenset()
        if row.packs is None or self._index is None:
            return None
        packs = frozenset(self._index.pack_names(row.packs))
        if not packs - {_LOOSE} <= self._packs or not self._has_loose(row, small=_LOOSE in packs):
            return None
        return packs

    def remember(self, block: Block, device: int, packs: frozenset[str]) -> None:
        """Take a block that was read: its known content is in `packs`, the rest in the batch."""
        self._waiting.append(_Waiting(block, device, packs))
        self._files += len(block.names)
        is_late = time.monotonic() - self._last > _PUBLISH_SECONDS
        if is_late or self._files >= _PUBLISH_FILES or self._batch.waiting >= _PUBLISH_BYTES:
            self._flush()

    def removed_paths(self, folder: bytes) -> Iterator[bytes]:
        """Yield the path of everything that was known in `folder` and below it, sorted."""
        return iter(()) if self._index is None else removed_paths(self._index, folder)

    def forget(self, folder: bytes) -> None:
        """Take note that `folder`, which ends with a slash, is no more."""
        self._removed.append(folder)

    def finish(self, manifest: Manifest) -> None:
        """Publish and write what is left: the rows add up to `manifest` now."""
        if self._waiting or self._removed or self._is_changed or (self._index and self._index.basis is None):
            self._flush(Basis(manifest.digest, manifest.count, manifest.size))

    def _flush(self, basis: Basis | None = None) -> None:
        where = self._batch.publish()
        if self._index is not None:
            self._index.write([self._fresh(each, where) for each in self._waiting], self._removed, basis)
        self._waiting.clear()
        self._removed.clear()
        self._files = 0
        self._is_changed = True
        self._last = time.monotonic()

    def _fresh(self, waiting: _Waiting, where: dict[bytes, str]) -> Fresh:
        block = waiting.block
        packs = None
        if self._keep:
            packs = waiting.packs.union(where[digest] for digest in _split(block.digests) if where.get(digest))
            if any(where.get(each) == _LOOSE and size <= OBJECT_LIMIT for each, size in _contents(block)):
                packs |= {_LOOSE}
        first, last = (block.names[0], block.names[-1]) if block.names else (b"", b"")
        row = Row(
            folder=block.folder,
            first=first,
            last=last,
            device=str(waiting.device),
            names=b"\0".join(block.names),
            keys=bytes(block.keys),
            digests=bytes(block.digests),
            packs=None,
            files=block.files,
            size=block.size,
            gaps=json.dumps(block.gaps) if block.gaps else "",
        )
        return Fresh(row, block.low, None if block.is_last else last, packs)

    def _has_loose(self, row: Row, *, small: bool) -> bool:
        """Return whether the objects of `row` that are files of their own are there, each with its size."""
        if not small and row.size <= OBJECT_LIMIT:
            return True
        try:
            return all(
                self._store.size(Digest(digest)) == size
                for digest, size in _contents(row)
                if small or size > OBJECT_LIMIT
            )
        except (ObjectMissing, IntegrityError):
            return False


def _split(digests: bytes | bytearray) -> list[bytes]:
    return [bytes(digests[place : place + DIGEST]) for place in range(0, len(digests), DIGEST)]


def _contents(found: Block | Row) -> Iterator[tuple[bytes, int]]:
    """Yield digest and size of each item that has content."""
    for digest, (_, size, _, _, mode) in zip(_split(found.digests), KEY.iter_unpack(found.keys), strict=True):
        if mode & FORM in CONTENT:
            yield digest, size
