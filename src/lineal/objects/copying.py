"""Reading files that others may write to: stable reads, and copies whose stored bytes are the ones hashed."""

import errno
import fcntl
import hashlib
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from lineal.core.digest import Digest
from lineal.errors import BadInput, ObjectChanged
from lineal.objects.direct import copy_direct

if TYPE_CHECKING:
    from concurrent.futures import Future

BUFFER: Final = 1 << 20
_STEP: Final = 8 << 20
_SYNC_EVERY: Final = 256 << 20
_FICLONE: Final = 0x40049409  # linux/fs.h; ioctl_ficlone(2)
_COARSE_CLOCK_NS: Final = 20_000_000
_NO_FAST_COPY: Final = frozenset(
    {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.ETXTBSY}
)

Signature = tuple[int, int, int, int, int]
_local = threading.local()


def buffer() -> memoryview:
    """Return this thread's reused buffer of `BUFFER` bytes (a fresh one per read costs more than the read)."""
    view: memoryview | None = getattr(_local, "view", None)
    if view is None:
        view = _local.view = memoryview(bytearray(BUFFER))
    return view


def signature(status: os.stat_result) -> Signature:
    """Return what changes when a file is written or replaced: device, inode, size, mtime and ctime in nanoseconds.

    ctime is the one that no writer can set back.
    """
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def settled(descriptor: int) -> os.stat_result:
    """Return the status of an open file or folder, once its last change is older than the file system's clock tick.

    Two writes within one tick leave the same ctime. Waiting it out (20 ms, once) makes "the same status before and
    after" mean "not written in between". A ctime in the future is not waited for.
    """
    status = os.fstat(descriptor)
    age = time.time_ns() - status.st_ctime_ns
    if 0 <= age < _COARSE_CLOCK_NS:
        time.sleep((_COARSE_CLOCK_NS - age) / 1e9)
        status = os.fstat(descriptor)
    return status


def open_source(path: bytes | os.PathLike[str], name: str, *, folder: int | None = None) -> int:
    """Open a regular file, called `name` in messages, for reading; return its descriptor.

    With `folder`, an open folder in which `path` was seen a moment ago as a file, a symbolic link is not followed.
    Raises `BadInput` if it cannot be read or is not a regular file, `ObjectChanged` if it is no longer the file that
    was seen. Never waits for the other end of a FIFO.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (0 if folder is None else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP) and folder is not None:
            raise ObjectChanged(f"{name!r} was removed or replaced while it was being read") from error
        raise BadInput(f"cannot read {name!r}: {error.strerror}") from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise BadInput(f"not a regular file: {name!r}")


def check_unchanged(before: os.stat_result, descriptor: int, name: str) -> None:
    """Raise `ObjectChanged` if the open file is no longer as it was `before`."""
    if signature(os.fstat(descriptor)) != signature(before):
        raise ObjectChanged(f"{name!r} changed while it was being read")


def read_small(descriptor: int, size: int, name: str) -> bytes:
    """Return the `size` bytes of an open file; raise `ObjectChanged` if it has fewer or more."""
    data = os.pread(descriptor, size + 1, 0)
    while 0 < len(data) < size and (more := os.pread(descriptor, size + 1 - len(data), len(data))):
        data += more
    if len(data) != size:
        raise ObjectChanged(f"{name!r} changed while it was being read")
    return data


def fingerprint(descriptor: int, name: str) -> tuple[Digest, int]:
    """Return digest and size of an open regular file; raise `ObjectChanged` if somebody wrote to it meanwhile."""
    before = settled(descriptor)
    try:
        if before.st_size <= BUFFER:
            digest = Digest.of(read_small(descriptor, before.st_size, name))
        else:
            digest = hash_open(descriptor, before.st_size, name)
    except OSError as error:
        raise BadInput(f"cannot read {name!r}: {error.strerror}") from error
    check_unchanged(before, descriptor, name)
    return digest, before.st_size


def hash_open(descriptor: int, size: int, name: str) -> Digest:
    """Return the digest of the first `size` bytes of an open file; raise `ObjectChanged` if it has fewer."""
    running = hashlib.sha256()
    for piece in pieces(descriptor, 0, size):
        running.update(piece)
        size -= len(piece)
    if size:
        raise ObjectChanged(f"{name!r} has fewer bytes than its size says")
    return Digest(running.digest())


def copy_and_hash(
    source: int, target: int, size: int, name: str, *, clone: bool | None = None, sync: bool = False, cold: bool = False
) -> Digest:
    """Copy `size` bytes of the open `source` to the new, empty `target`; return the digest of what `target` holds.

    Shares the blocks where the file system can (FICLONE), else copies in the kernel; holes stay holes. With `clone`
    false blocks are never shared; with `clone` true nothing is copied, and `OSError` says that it would have to be.
    With `sync`, what is copied goes to disk meanwhile, past the page cache if it can, so that the caller's own `fsync`
    has little left to do; with `cold`, the source is not expected in the cache either. The digest is of the stored
    bytes, or of the buffers they were written from; never of the source, so that a writer who changes the source
    during the copy cannot make the two differ. Raises `ObjectChanged` if the source is shorter than `size`.
    """
    if clone is not False and _clone(source, target):
        return hash_open(target, size, name)
    if clone:
        raise OSError(errno.EOPNOTSUPP, "the file system cannot share blocks between these files")
    if sync and (found := copy_direct(source, target, size, name, cold=cold)) is not None:
        return Digest(found)
    os.ftruncate(target, size)
    running = hashlib.sha256()
    with _Copier(source, target, size, name, sync=sync) as copied:
        start = 0
        for end in copied:
            for piece in pieces(target, start, end):
                running.update(piece)
            start = end
    return Digest(running.digest())


def pieces(descriptor: int, start: int, end: int) -> Iterator[memoryview]:
    """Yield the bytes from `start` to `end`, or to where the file ends; each piece is overwritten by the next."""
    view = buffer()
    while start < end:
        got = os.preadv(descriptor, [view[: min(BUFFER, end - start)]], start)
        if got == 0:
            return
        yield view[:got]
        start += got


def _clone(source: int, target: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


class _Copier:
    """Copies step by step in a thread of its own; iterating gives the offsets up to which `target` is complete."""

    def __init__(self, source: int, target: int, size: int, name: str, *, sync: bool) -> None:
        self._span = partial(_copy_span, source, target, name)
        self._target = target
        self._size = size
        self._sync = sync and size > _SYNC_EVERY

    def __enter__(self) -> Iterator[int]:
        from concurrent.futures import ThreadPoolExecutor  # takes 3 ms that small files need not pay

        self._pool = ThreadPoolExecutor(1)
        self._syncing = ThreadPoolExecutor(1)
        return self._steps()

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._syncing.shutdown(cancel_futures=True)

    def _steps(self) -> Iterator[int]:
        starts = range(0, self._size, _STEP)
        steps = [(start, min(start + _STEP, self._size)) for start in starts]
        ahead = [self._pool.submit(self._span, *steps[0])] if steps else []
        synced: list[Future[None]] = []
        for number, (_, end) in enumerate(steps):
            ahead.pop().result()
            if self._sync and end % _SYNC_EVERY == 0 and end < self._size:
                # Its result is asked for: an error of the disk is told once, and not by the last sync again.
                synced = [each for each in synced if not each.done() or each.result()]
                synced.append(self._syncing.submit(os.fdatasync, self._target))
            if number + 1 < len(steps):
                ahead.append(self._pool.submit(self._span, *steps[number + 1]))
            yield end
        for each in synced:
            each.result()


def _copy_span(source: int, target: int, name: str, start: int, end: int) -> None:
    for begin, stop in _data_spans(source, start, end):
        place = begin
        while place < stop:
            copied = _copy_once(source, target, place, stop - place)
            if copied == 0:
                raise ObjectChanged(f"{name!r} became shorter while it was being copied")
            place += copied


def _copy_once(source: int, target: int, place: int, length: int) -> int:
    if hasattr(os, "copy_file_range"):
        try:
            return os.copy_file_range(source, target, length, place, place)
        except OSError as error:
            if error.errno not in _NO_FAST_COPY:
                raise
    return os.pwrite(target, os.pread(source, min(length, BUFFER), place), place)


def _data_spans(source: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of start..end that are not holes."""
    place = start
    while place < end:
        try:
            begin = os.lseek(source, place, os.SEEK_DATA)
            stop = os.lseek(source, begin, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            yield place, end
            return
        if begin >= end:
            return
        yield begin, min(stop, end)
        place = stop
