"""Counting the rows of CSV as fast as its bytes can be read, and exactly.

Text without quotes has a row on each line that is not empty: those blocks are counted, not parsed. Where there is a
quote, the parser of Python decides, up to the end of its row.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

_BLOCK: Final = 1 << 20
_LONGEST: Final = 64 << 20


@dataclass(slots=True)
class Count:
    """How many rows there are, how many have another number of fields than the first, whether all of it is UTF-8."""

    records: int = 0
    ragged: int = 0
    is_utf8: bool = True


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks that end with a line; raise `ValueError` for a line of over 64 MiB."""
    rest = b""
    while data := file.read(_BLOCK):
        head, newline, tail = data.rpartition(b"\n")
        if newline:
            yield rest + head + newline
            rest = tail
        else:
            rest += data
            if len(rest) > _LONGEST:
                raise ValueError(f"a line is longer than {_LONGEST >> 20} MiB")
    if rest:
        yield rest


def read_lines(file: BinaryIO) -> Iterator[str]:
    """Yield the lines of a file for a parser, each byte as one letter (Latin-1)."""
    for block in blocks(file):
        yield from cut_lines(block)


def cut_lines(block: bytes) -> list[str]:
    """Return the lines of a block with their ends, whatever these are: as Python itself gives them to the parser."""
    return list(io.StringIO(block.decode("latin-1"), newline=""))


class _Feed:
    """Lines for a parser, block by block, so that it can be known when a row ended with its block."""

    def __init__(self, file: BinaryIO) -> None:
        self.is_utf8 = True
        self._blocks = blocks(file)
        self._lines: Iterator[str] = iter(())
        self._left = 0

    def take(self) -> bytes | None:
        """Return the next block, None at the end."""
        block = next(self._blocks, None)
        if block is not None and self.is_utf8 and not block.isascii():
            try:
                block.decode("utf-8")
            except UnicodeDecodeError:
                self.is_utf8 = False
        return block

    def load(self, block: bytes) -> None:
        """Let the lines of `block` be the next ones."""
        lines = cut_lines(block)
        self._lines, self._left = iter(lines), len(lines)

    @property
    def is_empty(self) -> bool:
        """Whether every line of the block was taken."""
        return self._left == 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while self._left == 0:
            block = self.take()
            if block is None:
                raise StopIteration
            self.load(block)
        self._left -= 1
        return next(self._lines)


def count_records(file: BinaryIO, delimiter: str, width: int) -> Count:
    """Return how many rows a file has, the header among them; raise `csv.Error` for what is no CSV."""
    count = Count()
    feed = _Feed(file)
    reader = csv.reader(feed, delimiter=delimiter)
    separator = delimiter.encode()
    while (block := feed.take()) is not None:
        if b'"' not in block and block.count(b"\r") == block.count(b"\r\n"):
            _count_lines(block, separator, width, count)
            continue
        feed.load(block)
        while not feed.is_empty:
            record = next(reader, None)
            if record:
                count.records += 1
                count.ragged += len(record) != width
    count.is_utf8 = feed.is_utf8
    return count


def _count_lines(block: bytes, separator: bytes, width: int, count: Count) -> None:
    """Count the rows of a block in which each line is one."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    lines = block.split(b"\n")
    blanks = lines.count(b"")
    count.records += len(lines) - blanks
    fields = [line.count(separator) for line in lines]
    alike = fields.count(width - 1) - (blanks if width == 1 else 0)
    count.ragged += len(lines) - blanks - alike
