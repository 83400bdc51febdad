"""Going through a tree in the order of its paths: what is known is taken as it is, what is new is read."""

import json
import os
import stat
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lineal.datasets.ahead import Ahead
from lineal.datasets.block import CONTENT, DIGEST, FORM, KEY, Block, pack_key, scan
from lineal.datasets.index_rows import Row
from lineal.datasets.memory import Memory
from lineal.datasets.reading import FileReader
from lineal.datasets.text import Known, Run, Text
from lineal.datasets.tree import Cursor, check_folder, enter
from lineal.objects.copying import Signature, settled, signature

_FILES_AHEAD: Final = 1 << 16
_MOST_GAPS: Final = 1000
_SLASH: Final = b"/"


@dataclass(slots=True)
class _Level:
    steps: Iterator[bytes]
    before: Signature


@dataclass(slots=True)
class _Begin:
    """A block whose items are being read, on its way to be accounted and remembered."""

    block: Block
    device: int
    packs: frozenset[str]


class Survey:
    """One walk through a tree: blocks that are as the index knows them are passed over, others are read.

    `text` gets the runs of blocks in the order of paths: every one, or those of blocks that differ.
    """

    def __init__(
        self,
        memory: Memory,
        reader: FileReader,
        text: Text,
        *,
        ahead: Ahead | None = None,
        paranoid: bool = False,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self.gaps: list[tuple[str, str]] = []
        self.files = self.bytes = 0
        self._memory, self._reader, self._text = memory, reader, text
        self._ahead, self._paranoid, self._on_progress = ahead, paranoid, on_progress
        self._waiting: deque[_Begin | Run | bytes] = deque()
        self._waiting_files = self._waiting_large = self._more_gaps = 0

    def take_folder(self, cursor: Cursor) -> None:
        """Go through all that is below `cursor`; raise as `FileReader.read`, and for folders as `walk`."""
        levels = [self._level(cursor, b"")]
        while levels:
            name = next(levels[-1].steps, None)
            if name is not None:
                enter(cursor, name)
                levels.append(self._level(cursor, cursor.path_of(b"")))
                continue
            check_folder(cursor, levels.pop().before)
            if levels:
                cursor.leave()
        self._finish()

    def take_file(self, descriptor: int, name: bytes) -> None:
        """Take the one open file `descriptor`, which is closed then, as a tree of one `name`."""
        status = os.fstat(descriptor)
        block = Block(b"", [name], bytearray(pack_key(status, status.st_dev)), bytearray(DIGEST))
        rows = self._memory.rows(block)
        if self._is_same(block, rows, status.st_dev):
            os.close(descriptor)
            list(self._pass(block, rows[0]))
        else:
            self._reader.read_root(block, descriptor)
            self._waiting_large += 1
            self._waiting.append(_Begin(block, status.st_dev, frozenset()))
            list(self._runs(block, _known(rows, block)))
        self._finish()

    def _finish(self) -> None:
        self._drain(all_of_it=True)
        if self._more_gaps:
            self.gaps.append(("dataset.more_gaps", f"{self._more_gaps:,} more files were left out, or lead outside"))

    def _level(self, cursor: Cursor, folder: bytes) -> _Level:
        seen = None if self._ahead is None else self._ahead.take(folder)
        if seen is not None and signature(os.fstat(cursor.descriptor)) == seen.before:
            return _Level(self._steps(cursor, [seen.block], seen.before[0]), seen.before)
        before = settled(cursor.descriptor)
        return _Level(self._steps(cursor, scan(cursor, folder, before.st_dev), before.st_dev), signature(before))

    def _steps(self, cursor: Cursor, blocks: Iterable[Block], device: int) -> Iterator[bytes]:
        """Handle the folder where `cursor` stands; yield the names of those in it that are to be gone into now."""
        for block in blocks:
            rows = self._memory.rows(block)
            if self._is_same(block, rows, device):
                yield from self._pass(block, rows[0])
            else:
                known = _known(rows, block)
                self._read(block, rows, known, cursor.descriptor, device)
                yield from self._runs(block, known)

    def _is_same(self, block: Block, rows: list[Row], device: int) -> bool:
        if self._paranoid or len(rows) != 1:
            return False
        row = rows[0]
        same = row.keys == block.keys and row.names == b"\0".join(block.names) and row.device == str(device)
        return same and self._memory.packs_of(row) is not None

    def _pass(self, block: Block, row: Row) -> Iterator[bytes]:
        """Take a block as it is known."""
        self._account(row.files, row.size, json.loads(row.gaps) if row.gaps else [])
        if not self._text.is_whole:
            if _SLASH in row.names:
                yield from (name[:-1] for name in block.names if name.endswith(_SLASH))
            return
        block.digests = bytearray(row.digests)
        yield from self._runs(block, {})

    def _read(self, block: Block, rows: list[Row], known: Known, folder: int, device: int) -> None:
        """Take from `known` what is as it was, read the rest, and let the block be remembered."""
        packs = [self._memory.packs_of(row) for row in rows]
        is_usable = not self._paranoid and None not in packs and all(row.device == str(device) for row in rows)
        wanted: list[int] = []
        for number, (name, (*_, mode)) in enumerate(zip(block.names, KEY.iter_unpack(block.keys), strict=True)):
            if mode & FORM not in CONTENT:
                self._leave_out(block, name, mode)
                continue
            before = known.get(name) if is_usable else None
            if before is not None and before[0] == block.key(number) and not stat.S_ISLNK(mode):
                block.digests[number * DIGEST : (number + 1) * DIGEST] = before[1]
            else:
                wanted.append(number)
        self._reader.read(block, wanted, folder, device)
        self._waiting_large += len(block.pending)
        used = frozenset().union(*(each for each in packs if each is not None)) if is_usable else frozenset[str]()
        self._waiting.append(_Begin(block, device, used))

    def _runs(self, block: Block, known: Known) -> Iterator[bytes]:
        """Queue the runs of a block, and yield the name of each folder between them when it is its turn."""
        names = block.names
        gone = sorted(known.keys() - set(names)) if known else []
        places = [number for number, name in enumerate(names) if name.endswith(_SLASH)]
        cuts: list[tuple[bytes, int | None]] = [(names[number], number) for number in places]
        cuts += [(name, None) for name in gone if name.endswith(_SLASH)]
        start = below = 0
        for name, number in sorted(cuts):
            end = number if number is not None else bisect_left(names, name)
            above = bisect_left(gone, name)
            self._queue(Run(block, start, end, known, gone[below:above]))
            start = end if number is None else number + 1
            below = above + (number is None)
            if number is None:
                self._memory.forget(block.folder + name)
                self._waiting.append(block.folder + name)
            else:
                yield name[:-1]
        self._queue(Run(block, start, len(names), known, gone[below:]))
        self._drain()

    def _queue(self, run: Run) -> None:
        if run.start < run.end or run.gone:
            self._waiting.append(run)
            self._waiting_files += run.end - run.start

    def _drain(self, *, all_of_it: bool = False) -> None:
        """Hand on what is read, in order; wait for what is not if too much stands in line."""
        while self._waiting:
            first = self._waiting[0]
            is_late = self._waiting_files > _FILES_AHEAD or self._waiting_large > self._reader.ahead
            if isinstance(first, _Begin) and not (all_of_it or is_late or first.block.is_ready):
                return
            self._waiting.popleft()
            if isinstance(first, _Begin):
                self._begin(first)
            elif isinstance(first, Run):
                self._waiting_files -= first.end - first.start
                self._text.take(first)
            elif not self._text.is_whole:
                for path in self._memory.removed_paths(first):
                    self._text.remove(path)

    def _begin(self, begun: _Begin) -> None:
        block = begun.block
        self._waiting_large -= len(block.pending)
        if not block.is_ready:
            self._reader.flush()
        block.settle()
        sizes = [size for _, size, _, _, mode in KEY.iter_unpack(block.keys) if mode & FORM in CONTENT]
        block.files, block.size = len(sizes), sum(sizes)
        self._account(block.files, block.size, block.gaps)
        self._memory.remember(block, begun.device, begun.packs)

    def _account(self, files: int, size: int, gaps: list[tuple[str, str]]) -> None:
        self.files += files
        self.bytes += size
        taken = max(0, min(len(gaps), _MOST_GAPS - len(self.gaps)))
        self.gaps += [(code, explanation) for code, explanation in gaps[:taken]]
        self._more_gaps += len(gaps) - taken
        self._on_progress(self.files, self.bytes)

    def _leave_out(self, block: Block, name: bytes, mode: int) -> None:
        shown = os.fsdecode(block.folder + name)
        if mode == 0:
            block.gaps.append(("dataset.left_out", f"{shown!r} belongs to a tool, not to the data: left out"))
        elif not stat.S_ISDIR(mode):
            block.gaps.append(("dataset.special", f"{shown!r} is a socket, FIFO or device: left out"))


def _known(rows: list[Row], block: Block) -> Known:
    """Return what the rows say of names that belong to the block."""
    high = None if block.is_last else block.names[-1]
    found: Known = {}
    for row in rows:
        for number, name in enumerate(row.names.split(b"\0") if row.names else ()):
            if (block.low is None or name > block.low) and (high is None or name <= high):
                key = row.keys[number * KEY.size : (number + 1) * KEY.size]
                found[name] = key, row.digests[number * DIGEST : (number + 1) * DIGEST]
    return found
