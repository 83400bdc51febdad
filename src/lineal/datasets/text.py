"""The manifest of a tree as it is walked: written whole, or made from the last one by what differs."""

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from lineal.core.digest import Digest
from lineal.datasets.block import DIGEST, FOLDER_KEY, FORM, KEY, Block, has_content, kind_of
from lineal.datasets.manifest import Entry, Manifest, ObjectReader, Writer
from lineal.datasets.rewrite import Rewrite

Known = dict[bytes, tuple[bytes, bytes]]
"""What was known of names of one block: key and digest."""
_NOTHING: Final = (FOLDER_KEY, b"")


@dataclass(slots=True)
class Run:
    """Items of a block that follow one another in the order of paths, `start` to `end`, and names `gone` among them.

    `known` is what was known of the block before.
    """

    block: Block
    start: int
    end: int
    known: Known
    gone: list[bytes]


class Text(Protocol):
    """What becomes a manifest."""

    is_whole: bool

    def take(self, run: Run) -> None:
        """Take the next run of a block that is read."""

    def remove(self, path: bytes) -> None:
        """Take note that the file at `path`, the next in order, is no more."""

    def finish(self) -> Manifest:
        """Store what is left, and return the manifest."""


class WholeText:
    """Writes every entry."""

    is_whole = True

    def __init__(self, put: Callable[[bytes], Digest]) -> None:
        self._writer = Writer(put)

    def take(self, run: Run) -> None:
        """Write the entries of the run."""
        self._writer.add_folder(run.block.folder, _items(run))

    def remove(self, path: bytes) -> None:
        """Nothing was there."""

    def finish(self) -> Manifest:
        """Store what is left, and return the manifest."""
        return self._writer.finish()


class ChangedText:
    """Writes what differs from what was known, into the manifest of that."""

    is_whole = False

    def __init__(self, basis: Manifest, reader: ObjectReader, put: Callable[[bytes], Digest]) -> None:
        self._rewrite = Rewrite(basis, reader, put)

    def take(self, run: Run) -> None:
        """Write what is another than was known, and remove what is gone."""
        block = run.block
        changes: list[tuple[bytes, Entry | None]] = [(name, None) for name in run.gone]
        for number in range(run.start, run.end):
            name = block.names[number]
            now, before = _describe(block.key(number), block.digest(number)), _describe(*run.known.get(name, _NOTHING))
            if now is None and before is not None:
                changes.append((name, None))
            elif now is not None and now != before:
                kind, digest, size = now
                changes.append((name, Entry(block.folder + name, kind, Digest(digest), size)))
        for name, entry in sorted(changes, key=lambda change: change[0]):
            self._rewrite.change(block.folder + name, entry)

    def remove(self, path: bytes) -> None:
        """Remove an entry."""
        self._rewrite.change(path, None)

    def finish(self) -> Manifest:
        """Store what is left, and return the manifest: the one before, if nothing differs."""
        return self._rewrite.finish()


def _items(run: Run) -> Iterator[tuple[bytes, str, str, int]]:
    names, start, end, width = run.block.names, run.start, run.end, KEY.size
    keys = memoryview(run.block.keys)[start * width : end * width]
    digests = run.block.digests[start * DIGEST : end * DIGEST].hex()
    place = 0
    for name, (_, size, _, _, mode) in zip(names[start:end], KEY.iter_unpack(keys), strict=True):
        form = mode & FORM
        if form == stat.S_IFREG:
            yield name, "x" if mode & stat.S_IXUSR else "f", digests[place : place + 2 * DIGEST], size
        elif form == stat.S_IFLNK:
            yield name, "l", digests[place : place + 2 * DIGEST], size
        place += 2 * DIGEST


def _describe(key: bytes, digest: bytes) -> tuple[str, bytes, int] | None:
    """Return kind, digest and size of an item that is an entry, None of any other."""
    _, size, _, _, mode = KEY.unpack(key)
    return (kind_of(mode), digest, size) if has_content(mode) else None
