"""What differs between two dataset versions; reads only the ranges that they do not share."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from typing import Literal

from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry, Manifest, ObjectReader, read_range

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One path that differs: its entry in the old version and in the new one, None where it is not there."""

    path: bytes
    change: Change
    old: Entry | None
    new: Entry | None


def diff(old: Manifest, new: Manifest, reader: ObjectReader) -> Iterator[Difference]:
    """Yield each path whose entry differs, sorted by path; holds one range of each version in memory.

    Raises `BadManifest`, `ObjectMissing` or `DigestMismatch` for a range that cannot be used.
    """
    shared = {part.digest for part in old.ranges} & {part.digest for part in new.ranges}
    before = ((entry.path, 0, entry) for entry in _entries_outside(shared, old, reader))
    after = ((entry.path, 1, entry) for entry in _entries_outside(shared, new, reader))
    for path, sides in groupby(merge(before, after), key=lambda item: item[0]):
        found = {side: entry for _, side, entry in sides}
        left, right = found.get(0), found.get(1)
        if left is None:
            yield Difference(path, "added", None, right)
        elif right is None:
            yield Difference(path, "removed", left, None)
        elif left != right:
            yield Difference(path, "changed", left, right)


def _entries_outside(shared: set[Digest], manifest: Manifest, reader: ObjectReader) -> Iterator[Entry]:
    for part in manifest.ranges:
        if part.digest not in shared:
            yield from read_range(part, reader)
