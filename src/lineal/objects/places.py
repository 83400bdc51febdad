"""Where objects lie under the root of a store: the folder layout, and the search through loose files and packs."""

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lineal.core.digest import Digest
from lineal.errors import IntegrityError
from lineal.objects.index import PackIndex, encode
from lineal.objects.pack import scan

_COARSE_CLOCK_NS: Final = 20_000_000
_FEW_LOOKS: Final = 256
_FEW_PACKS: Final = 4
_MANY_LOOKS: Final = 1000
_HEAD_BITS: Final = (
    27  # 16 MiB, which tell of nine in ten objects of a new snapshot that none of ten million is the same
)
_MOST_OPEN: Final = 32
_PACK_NAME: Final = re.compile(r"([0-9a-f]{64})\.pack")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object's bytes lie: in the file `path`, from `offset`, `length` bytes."""

    path: str
    offset: int
    length: int


class PackFolder:
    """The packs of one store. Knows their indexes; looks again when the folder has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged: frozenset[str] = frozenset()
        self._indexes: dict[str, PackIndex] = {}
        self._recent: str | None = None
        self._looks = 0
        self._heads: bytearray | None = None
        self._stamp: int | None = None

    @property
    def count(self) -> int:
        """How many packs are known, damaged ones among them."""
        return len(self._indexes) + len(self.damaged)

    def find(self, digest: bytes) -> Place | None:
        """Return where the object lies in the packs known, or None."""
        indexes = self._indexes
        recent = self._recent
        # Objects of one folder were packed together: the pack that had the last one most often has the next.
        if recent in indexes and (found := indexes[recent].find(digest)):
            return Place(recent, *found)
        if len(indexes) > _FEW_PACKS and not self._may_have(digest):
            return None
        for path, index in indexes.items():
            if found := index.find(digest):
                self._recent = path
                return Place(path, *found)
        return None

    def _may_have(self, digest: bytes) -> bool:
        """Return false if no pack has the object, true if one may; true, too, until it was asked often."""
        self._looks += 1
        if self._looks < _MANY_LOOKS:
            return True
        if self._heads is None:
            heads = bytearray(1 << (_HEAD_BITS - 3))
            for index in self._indexes.values():
                _mark(heads, index)
            self._heads = heads
        head = int.from_bytes(digest[:4]) >> (32 - _HEAD_BITS)
        return bool(self._heads[head >> 3] >> (head & 7) & 1)

    def refresh(self) -> bool:
        """Look at the folder again; return whether it may hold packs that were not known."""
        try:
            changed = self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        if changed == self._stamp:
            return False
        now = time.time_ns()
        with os.scandir(self.path) as entries:
            names = [match for entry in entries if (match := _PACK_NAME.fullmatch(entry.name))]
        indexes: dict[str, PackIndex] = {}
        damaged = set()
        for match in names:
            path = f"{self.path}/{match[0]}"
            try:
                indexes[path] = self._indexes.get(path) or load_index(path)
            except FileNotFoundError:
                continue
            except IntegrityError:
                damaged.add(path)
        if self._heads is not None:
            for path in indexes.keys() - self._indexes.keys():
                _mark(self._heads, indexes[path])
        self._indexes, self.damaged = indexes, frozenset(damaged)
        # A folder changed within the clock's tick can change again and keep its time: do not rely on that time.
        self._stamp = changed if now - changed > _COARSE_CLOCK_NS else None
        return True

    def names(self) -> frozenset[str]:
        """Return the names of the packs that can be read now."""
        self.refresh()
        return frozenset(map(os.path.basename, self._indexes))

    def digests(self) -> Iterator[bytes]:
        """Yield the digest of every object in the packs known; one in two packs comes twice."""
        for index in self._indexes.values():
            yield from index.digests()


def _mark(heads: bytearray, index: PackIndex) -> None:
    """Set the bit of each digest of `index`: a table of which beginnings of digests there are."""
    for digest in index.digests():
        head = int.from_bytes(digest[:4]) >> (32 - _HEAD_BITS)
        heads[head >> 3] |= 1 << (head & 7)


def load_index(pack: str) -> PackIndex:
    """Return the index of the pack at the path `pack`, read from the pack itself where the index file is missing or
    damaged (`verify` reports that); raise `IntegrityError` if the pack cannot be read either.
    """
    digest = Digest(bytes.fromhex(os.path.basename(pack)[:64]))
    with suppress(FileNotFoundError, IntegrityError):
        return PackIndex.load(Path(pack).with_suffix(".idx"), digest)
    descriptor = os.open(pack, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return PackIndex(encode(digest, list(scan(descriptor))), digest)
    finally:
        os.close(descriptor)


class Places:
    """The layout under one root: ``sha256/ab/cdef…``, ``packs/``, ``tmp/``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.loose_root = root / "sha256"
        self.tmp = root / "tmp"
        self.packs = PackFolder(root / "packs")
        self._loose = str(self.loose_root)

    def loose(self, digest: bytes) -> str:
        """Return the path that the object has as a file of its own."""
        name = digest.hex()
        return f"{self._loose}/{name[:2]}/{name[2:]}"

    def find_known(self, digest: bytes) -> Place | None:
        """Return where the object lies, without looking for packs that others wrote since the last look."""
        return self.packs.find(digest) or self.find_loose(digest)

    def find_loose(self, digest: bytes) -> Place | None:
        """Return where the object lies as a file of its own, or None."""
        path = self.loose(digest)
        try:
            return Place(path, 0, os.lstat(path).st_size)
        except FileNotFoundError:
            return None

    def is_empty(self) -> bool:
        """Return whether there was no object at the last look."""
        return not self.packs.count and not _names(self.loose_root)

    def find(self, digest: bytes) -> Place | None:
        """Return where the object lies now, or None."""
        return self.find_known(digest) or (self.packs.find(digest) if self.packs.refresh() else None)

    def loose_digests(self) -> Iterator[bytes]:
        """Yield the digest of each object that is a file of its own."""
        for shard in _names(self.loose_root):
            for name in _names(self.loose_root / shard):
                if re.fullmatch("[0-9a-f]{64}", shard + name):
                    yield bytes.fromhex(shard + name)


class LooseNames:
    """The loose objects as one writer of many looks for them: after some looks, the folders are read whole.

    An object that another writer adds after that is not seen, and may be stored once more.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._looks = 0
        self._known: dict[int, frozenset[str]] = {}

    def find(self, digest: bytes) -> Place | None:
        """Return where the object lies as a file of its own, or None."""
        self._looks += 1
        if self._looks > _FEW_LOOKS:
            names = self._known.get(digest[0])
            if names is None:
                names = frozenset(_names(self._places.loose_root / f"{digest[0]:02x}"))
                self._known[digest[0]] = names
            if not names or digest[1:].hex() not in names:
                return None
        return self._places.find_loose(digest)


class OpenPacks:
    """Packs kept open for whoever reads many objects: opening one takes longer than reading a small object."""

    def __init__(self) -> None:
        self._found: dict[str, int] = {}
        self._lock = threading.Lock()

    def find(self, path: str) -> int | None:
        """Return a descriptor of the pack, not to be closed; None if it is not to be kept open, or cannot be opened."""
        found = self._found.get(path)
        if found is not None:
            return found
        with self._lock:
            if path not in self._found and len(self._found) < _MOST_OPEN:
                with suppress(OSError):
                    self._found[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            return self._found.get(path)

    def __del__(self) -> None:
        for descriptor in self._found.values():
            with suppress(OSError):
                os.close(descriptor)


def _names(path: Path) -> list[str]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(entry.name for entry in path.iterdir())
    return []
