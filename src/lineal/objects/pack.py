"""The pack: many small objects in one file, whose every byte is covered by a digest. See docs/format-objects.md."""

import hashlib
import os
import struct
from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

from lineal.core.digest import Digest
from lineal.errors import IntegrityError
from lineal.objects.behind import Behind
from lineal.objects.durable import write_all

OBJECT_LIMIT: Final = 1 << 20
_BYTES_LIMIT: Final = 64 << 20
_COUNT_LIMIT: Final = 1 << 16
_BUFFER: Final = 2 << 20
_HEADER: Final = b"lineal-pack/1\n"
_TRAILER_MARK: Final = b"lineal-pack-end\n"
_ENTRY: Final = struct.Struct(">32sI")
_HEAD_SIZE: Final = _ENTRY.size
_TRAILER: Final = struct.Struct(">16sQ32s")


class Row(NamedTuple):
    """Where one object's bytes lie in a pack: from `offset`, `length` bytes."""

    digest: bytes
    offset: int
    length: int


class PackWriter:
    """Writes one pack to an empty file open for writing; pieces of it are hashed and written by `behind`."""

    def __init__(self, descriptor: int, behind: Behind) -> None:
        self.rows: list[tuple[bytes, int, int]] = []
        self._descriptor = descriptor
        self._behind = behind
        self._running = hashlib.sha256()
        self._buffer = self._take_buffer()
        self._buffer[: len(_HEADER)] = _HEADER
        self._filled = self._end = len(_HEADER)

    @property
    def is_full(self) -> bool:
        """Whether the next object belongs in another pack."""
        return self._end >= _BYTES_LIMIT or len(self.rows) >= _COUNT_LIMIT

    def add(self, digest: bytes, data: bytes) -> None:
        """Append the object `data` (at most `OBJECT_LIMIT` bytes), whose digest the caller has computed."""
        length = len(data)
        place = self._filled + _HEAD_SIZE
        if place + length > _BUFFER:
            self._behind.do(partial(self._write, self._buffer, self._filled))
            self._buffer, self._filled = self._take_buffer(), 0
            place = _HEAD_SIZE
        _ENTRY.pack_into(self._buffer, self._filled, digest, length)
        self._filled = place + length
        self._buffer[place : self._filled] = data
        self._end += _HEAD_SIZE
        self.rows.append((digest, self._end, length))
        self._end += length

    def finish(self) -> Digest:
        """Write the trailer and put the file on disk; return the digest of the whole pack, which names it.

        To be called when everything added is written: by a task of `behind`, or where that has none.
        """
        self._write(self._buffer, self._filled)
        trailer = _TRAILER.pack(_TRAILER_MARK, len(self.rows), self._running.digest())
        self._running.update(trailer)
        write_all(self._descriptor, trailer)
        os.fsync(self._descriptor)
        return Digest(self._running.digest())

    def _take_buffer(self) -> bytearray:
        try:
            return self._behind.spare.pop()
        except IndexError:
            return bytearray(_BUFFER)

    def _write(self, buffer: bytearray, filled: int) -> None:
        with memoryview(buffer) as view, view[:filled] as piece:
            self._running.update(piece)
            write_all(self._descriptor, piece)
        self._behind.spare.append(buffer)


def scan(descriptor: int) -> Iterator[Row]:
    """Yield the rows that an open pack states of itself; payloads are passed over, not checked.

    Raises `IntegrityError` where the pack is not in the format.
    """
    size = os.fstat(descriptor).st_size
    count, _ = _frame(descriptor, size)
    place, end = len(_HEADER), size - _TRAILER.size
    seen = 0
    while place < end:
        head = os.pread(descriptor, _ENTRY.size, place)
        if len(head) < _ENTRY.size:
            raise IntegrityError(f"the pack ends within the head of its object {seen}")
        digest, length = _ENTRY.unpack(head)
        row = Row(digest, place + _ENTRY.size, length)
        place = row.offset + length
        if length > OBJECT_LIMIT or place > end:
            raise IntegrityError(f"the object {seen} of the pack states a length of {length}")
        seen += 1
        yield row
    if seen != count:
        raise IntegrityError(f"the pack states {count} objects and holds {seen}")


def check(descriptor: int) -> Digest:
    """Check the frame of an open pack and the digest in its trailer, over all bytes; return the digest of the file.

    Raises `IntegrityError`. The objects' own digests are checked one by one, with `scan`.
    """
    size = os.fstat(descriptor).st_size
    _, stated = _frame(descriptor, size)
    running = hashlib.sha256()
    place, end = 0, size - _TRAILER.size
    while place < end and (piece := os.pread(descriptor, min(1 << 20, end - place), place)):
        running.update(piece)
        place += len(piece)
    if running.digest() != stated:
        raise IntegrityError("the bytes of the pack do not have the digest in its trailer")
    running.update(os.pread(descriptor, _TRAILER.size, end))
    return Digest(running.digest())


def _frame(descriptor: int, size: int) -> tuple[int, bytes]:
    if size < len(_HEADER) + _TRAILER.size:
        raise IntegrityError(f"the pack has {size} bytes, fewer than header and trailer")
    if os.pread(descriptor, len(_HEADER), 0) != _HEADER:
        raise IntegrityError("the pack does not begin with lineal-pack/1")
    mark, count, stated = _TRAILER.unpack(os.pread(descriptor, _TRAILER.size, size - _TRAILER.size))
    if mark != _TRAILER_MARK:
        raise IntegrityError("the pack does not end with a trailer")
    return count, stated
