"""Copying large files past the page cache: what nobody will read soon is not kept in memory, and is on disk at once.

Of a copy through the cache, most is spent on finding memory for it. Here a few buffers are filled, hashed and written;
what is hashed is the very buffer that goes to disk, which no writer of the source can reach.
"""

import errno
import fcntl
import hashlib
import mmap
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from lineal.errors import ObjectChanged

_STEP: Final = 4 << 20
_BUFFERS: Final = 5
_ALIGNED: Final = 4096
_DIRECT: Final = getattr(os, "O_DIRECT", 0)
_LEAST: Final = 64 << 20


def copy_direct(source: int, target: int, size: int, name: str, *, cold: bool = False) -> bytes | None:
    """Copy `size` bytes of the open `source` to the new, empty `target`; return their SHA-256.

    With `cold`, the source is read past the cache, too. None, and `target` empty, where this cannot be done or gains
    nothing: small files, files with holes, file systems that do not know of it. The caller still has to `fsync`. Raises
    `ObjectChanged` if the source is shorter.
    """
    if not _DIRECT or size < _LEAST or os.fstat(source).st_blocks * 512 < size:
        return None
    flags = fcntl.fcntl(target, fcntl.F_GETFL)
    try:
        fcntl.fcntl(target, fcntl.F_SETFL, flags | _DIRECT)
    except OSError:
        return None
    try:
        os.ftruncate(target, size)
        with _reopened(source, cold=cold) as read:
            return _copy(read, source, target, size, name, flags)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system, or a disk, with other rules of alignment
            raise
        os.ftruncate(target, 0)
        return None
    finally:
        fcntl.fcntl(target, fcntl.F_SETFL, flags)


@contextmanager
def _reopened(source: int, *, cold: bool) -> Iterator[int]:
    """Give a descriptor of the same file that reads past the cache, or the same one where there is none."""
    try:
        descriptor = os.open(f"/proc/self/fd/{source}", os.O_RDONLY | os.O_CLOEXEC | _DIRECT) if cold else source
    except OSError:
        descriptor = source
    try:
        yield descriptor
    finally:
        if descriptor != source:
            os.close(descriptor)


def _copy(read: int, source: int, target: int, size: int, name: str, flags: int) -> bytes:
    running = hashlib.sha256()
    free = deque(memoryview(mmap.mmap(-1, _STEP)) for _ in range(_BUFFERS))
    reads: deque[tuple[memoryview, int, Future[int]]] = deque()
    writes: deque[tuple[memoryview, Future[None]]] = deque()
    end = size - size % _ALIGNED
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        place = 0
        while place < end or reads:
            while place < end and free:
                part = free.popleft()[: min(_STEP, end - place)]
                reads.append((part, place, reader.submit(_fill, read, part, place, name)))
                place += len(part)
            part, start, future = reads.popleft()
            future.result()
            writes.append((part, writer.submit(_write, target, part, start)))
            running.update(part)
            while writes and (writes[0][1].done() or not (free or reads)):
                done, written = writes.popleft()
                written.result()
                free.append(memoryview(done.obj)[:_STEP])
        for _, written in writes:
            written.result()
    if end < size:
        rest = bytearray(size - end)
        _fill(source, memoryview(rest), end, name)
        fcntl.fcntl(target, fcntl.F_SETFL, flags)
        _write(target, memoryview(rest), end)
        running.update(rest)
    return running.digest()


def _fill(source: int, part: memoryview, place: int, name: str) -> int:
    filled = 0
    while filled < len(part):
        got = os.preadv(source, [part[filled:]], place + filled)
        if got == 0:
            raise ObjectChanged(f"{name!r} became shorter while it was being copied")
        filled += got
    return filled


def _write(target: int, part: memoryview, place: int) -> None:
    while part:
        written = os.pwrite(target, part, place)
        part, place = part[written:], place + written
