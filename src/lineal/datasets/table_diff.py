"""How many rows differ between two states of a table: multisets of row digests, in memory that does not grow with them.

Files that both states have in the same way are not read: their rows cancel out. Of the others each row becomes 16 bytes
of its SHA-256 (32 with a key), sorted into buckets on disk; then bucket after bucket is compared.
"""

import hashlib
import heapq
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from lineal.datasets.table_layout import Part
from lineal.datasets.table_rows import decode_row
from lineal.errors import BadInput
from lineal.objects.durable import store_errors

WIDTH: Final = 16
_BUCKET_ROWS: Final = 200_000
_MOST_BUCKETS: Final = 4096
_WAITING: Final = 400_000

Groups = Sequence[Sequence[str]]
Reader = Callable[[int, Part, Groups], Iterator[list[list[bytes]]]]
"""Gives, batch by batch, the encodings of the rows of a part of one side (0 the old, 1 the new) by group of columns."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row that differs: its values by column, None on the side where it is not."""

    key: dict[str, str | None]
    old: dict[str, str | None] | None
    new: dict[str, str | None] | None


@dataclass(slots=True)
class RowDifference:
    """How many rows were added, removed and (by key) changed; how many keys stand on several rows; some of the rows."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    repeated: int = 0
    read: int = 0
    samples: list[Sample] = field(default_factory=list)


def differing(old: Iterable[Part], new: Iterable[Part]) -> tuple[list[Part], list[Part]]:
    """Return the parts of each side that the other has not."""
    sides = list(old), list(new)
    counts = [Counter(part.identity for part in side) for side in sides]
    common = counts[0] & counts[1]
    found: list[list[Part]] = []
    for side in sides:
        left, rest = Counter(common), []
        for part in side:
            if left[part.identity]:
                left[part.identity] -= 1
            else:
                rest.append(part)
        found.append(rest)
    return found[0], found[1]


def diff_rows(
    sides: tuple[Sequence[Part], Sequence[Part]],
    read: Reader,
    columns: Sequence[str],
    key: Sequence[str] = (),
    *,
    samples: int = 0,
    expected: int = 0,
) -> RowDifference:
    """Return how the rows of two sides differ in `columns`, which both have; those of equal `key` values as changed.

    Without a key, a row that changed is one removed and one added. `expected` is about how many rows will be read: it
    decides over the number of buckets. With `samples`, that many rows of each kind are given, read a second time.
    Raises what `read` raises, and the store's errors for the disk.
    """
    groups = [key, columns] if key else [columns]
    found = RowDifference()
    with _Buckets(expected, WIDTH * len(groups)) as buckets:
        for side, parts in enumerate(sides):
            for part in parts:
                for batch in read(side, part, groups):
                    buckets.add(side, _records(batch))
        found.read = buckets.rows
        chosen = _Chosen(samples)
        for old, new in buckets.pairs():
            _compare(old, new, found, chosen, keyed=bool(key))
    if samples:
        found.samples = _samples(sides, read, groups, chosen)
    return found


def _records(batch: list[list[bytes]]) -> list[bytes]:
    digests = [[hashlib.sha256(row).digest()[:WIDTH] for row in group] for group in batch]
    return digests[0] if len(digests) == 1 else [key + row for key, row in zip(*digests, strict=True)]


def _compare(old: list[bytes], new: list[bytes], found: RowDifference, chosen: "_Chosen", *, keyed: bool) -> None:
    before, after = Counter(old), Counter(new)
    gone, came = before - after, after - before
    if not keyed:
        found.removed += gone.total()
        found.added += came.total()
        chosen.take(((None, record) for record in sorted(came.elements())), "added")
        chosen.take(((record, None) for record in sorted(gone.elements())), "removed")
        return
    found.repeated += _repeated(before) + _repeated(after)
    keys_gone, keys_came = _by_key(gone), _by_key(came)
    for key in sorted(keys_gone.keys() | keys_came.keys()):
        removed, added = keys_gone.get(key, []), keys_came.get(key, [])
        both = min(len(removed), len(added))
        found.changed += both
        found.removed += len(removed) - both
        found.added += len(added) - both
        chosen.take(zip(removed[:both], added[:both], strict=True), "changed")
        chosen.take(((None, record) for record in added[both:]), "added")
        chosen.take(((record, None) for record in removed[both:]), "removed")


def _repeated(records: Counter[bytes]) -> int:
    keys: Counter[bytes] = Counter()
    for record, count in records.items():
        keys[record[:WIDTH]] += count
    return sum(count > 1 for count in keys.values())


def _by_key(records: Counter[bytes]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for record in sorted(records.elements()):
        found.setdefault(record[:WIDTH], []).append(record)
    return found


class _Buckets:
    """Records of two sides, spread by their first bytes; what does not fit in memory waits in a file without a name."""

    def __init__(self, expected: int, width: int) -> None:
        self._count = 1
        while self._count < _MOST_BUCKETS and self._count * _BUCKET_ROWS < expected:
            self._count *= 2
        self._width = width
        self.rows = 0
        self._waiting = 0
        self._records: list[list[list[bytes]]] = [[[] for _ in range(self._count)] for _ in range(2)]
        self._chunks: list[list[list[tuple[int, int]]]] = [[[] for _ in range(self._count)] for _ in range(2)]
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, side: int, records: list[bytes]) -> None:
        """Take records of one side (0 the old one, 1 the new one)."""
        self.rows += len(records)
        buckets = self._records[side]
        if self._count == 1:
            buckets[0] += records
        else:
            mask = self._count - 1
            for record in records:
                buckets[int.from_bytes(record[:2]) & mask].append(record)
        self._waiting += len(records)
        if self._waiting > _WAITING:
            self._spill()

    def _spill(self) -> None:
        with store_errors(tempfile.gettempdir(), writing=True):
            for buckets, chunks in zip(self._records, self._chunks, strict=True):
                for number, records in enumerate(buckets):
                    if records:
                        data = b"".join(records)
                        self._file.write(data)
                        chunks[number].append((self._end, len(data)))
                        self._end += len(data)
                        buckets[number] = []
            self._waiting = 0

    def pairs(self) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Yield the records of both sides, bucket by bucket."""
        with store_errors(tempfile.gettempdir()):
            self._file.flush()
            for number in range(self._count):
                yield self._all(0, number), self._all(1, number)

    def _all(self, side: int, number: int) -> list[bytes]:
        found, self._records[side][number] = self._records[side][number], []
        for place, length in self._chunks[side][number]:
            self._file.seek(place)
            data = self._file.read(length)
            found += [data[at : at + self._width] for at in range(0, length, self._width)]
        return found


class _Chosen:
    """The rows to be shown: of each kind those with the smallest digests, the same ones each time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.pairs: dict[str, list[tuple[bytes | None, bytes | None]]] = {"changed": [], "added": [], "removed": []}

    def take(self, pairs: Iterable[tuple[bytes | None, bytes | None]], kind: str) -> None:
        """Keep the smallest of `pairs` (old record, new record) and those kept before."""
        if self._limit:
            kept = heapq.merge(self.pairs[kind], pairs, key=lambda pair: pair[0] or pair[1] or b"")
            self.pairs[kind] = [pair for pair, _ in zip(kept, range(self._limit), strict=False)]


def _samples(
    sides: tuple[Sequence[Part], Sequence[Part]], read: Reader, groups: Groups, chosen: _Chosen
) -> list[Sample]:
    """Read both sides again for the rows that were chosen."""
    pairs = [pair for kind in chosen.pairs.values() for pair in kind]
    found: list[dict[bytes, dict[str, str | None]]] = [{}, {}]
    for side, parts in enumerate(sides):
        wanted = {pair[side] for pair in pairs} - {None}
        for part in parts:
            if len(found[side]) == len(wanted):
                break
            for batch in read(side, part, groups):
                for number, record in enumerate(_records(batch)):
                    if record in wanted:
                        values = decode_row(batch[-1][number])
                        found[side][record] = dict(zip(groups[-1], values, strict=False))
    key = groups[0] if len(groups) > 1 else ()
    samples = []
    for old, new in pairs:
        before = None if old is None else found[0].get(old)
        after = None if new is None else found[1].get(new)
        either = before or after or {}
        samples.append(Sample({name: either.get(name) for name in key}, before, after))
    return samples


def check_key(key: Sequence[str], columns: Sequence[str], path: str) -> None:
    """Raise `BadInput` for a column of the key that the two states of the table do not share."""
    for name in key:
        if name not in columns:
            shown = ", ".join(columns[:20]) + (", …" if len(columns) > 20 else "")
            raise BadInput(f"{path} has no column {name!r} in both versions", fix=f"It has {shown}.")
