"""A manifest made from another by what has changed: only the ranges that hold a change are read and written."""

from collections import deque
from collections.abc import Callable

from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry, Manifest, ObjectReader, Range, Writer, is_boundary, read_range


class Rewrite:
    """Takes changes in the order of their paths, and makes the one manifest of the entries as they are then.

    It holds one range of the old manifest at a time. Changes come from a file system: that none lies within a path that
    is a file is not checked against ranges that are not read.
    """

    def __init__(self, old: Manifest, reader: ObjectReader, put: Callable[[bytes], Digest]) -> None:
        self.is_changed = False
        self._old = old
        self._reader = reader
        self._writer = Writer(put)
        self._ranges = deque(old.ranges)
        self._entries: deque[Entry] = deque()

    def change(self, path: bytes, entry: Entry | None) -> None:
        """Let `entry` be what is at `path`; None for nothing. Each path comes once, after all before it."""
        self.is_changed = True
        self._go_to(path)
        if self._entries and self._entries[0].path == path:
            self._entries.popleft()
        if entry is not None:
            self._writer.add(entry)

    def finish(self) -> Manifest:
        """Store what is left, and return the new manifest; the old one, if nothing was changed."""
        if not self.is_changed:
            return self._old
        self._write_open()
        while self._ranges:
            self._pass(self._ranges.popleft())
            self._write_open()
        return self._writer.finish()

    def _go_to(self, path: bytes) -> None:
        """Write all entries before `path`, and open the range that it belongs to."""
        self._write_open(path)
        while not self._entries and self._ranges and self._ranges[0].first < path:
            part = self._ranges.popleft()
            if part.last < path and self._writer.is_between and is_boundary(part.last):
                self._writer.share(part)
            else:
                self._open(part)
                self._write_open(path)
        if not self._entries and self._ranges and self._ranges[0].first == path:
            self._open(self._ranges.popleft())

    def _pass(self, part: Range) -> None:
        if self._writer.is_between:
            self._writer.share(part)
        else:
            self._open(part)

    def _open(self, part: Range) -> None:
        self._entries.extend(read_range(part, self._reader))

    def _write_open(self, until: bytes | None = None) -> None:
        while self._entries and (until is None or self._entries[0].path < until):
            self._writer.add(self._entries.popleft())
