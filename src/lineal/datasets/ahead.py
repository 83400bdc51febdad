"""Looking ahead: a process that lists the folders of a tree while this one is still starting, or reads what they hold.

Listing a folder and asking for the status of each name takes as long as reading small files, and the interpreter does
one thing at a time. What the other process saw is used where the folder has not changed since; for everything else, and
wherever that process fails, the folder is listed here.
"""

import os
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from lineal.datasets.block import DIGEST, Block, scan
from lineal.datasets.tree import Cursor
from lineal.errors import LinealError
from lineal.objects.copying import Signature, settled, signature

_LENGTH: Final = struct.Struct("<I")
_FRAME: Final = struct.Struct("<QQQqqII")  # the folder's signature, the lengths of its path and of its names
_MOST_BYTES: Final = 64 << 20
_MOST_FRAME: Final = 8 << 20
_PIPE: Final = 1 << 20
_SET_PIPE_SIZE: Final = 1031  # fcntl.h: F_SETPIPE_SZ, which Python 3.11 has no name for everywhere


@dataclass(frozen=True, slots=True)
class Seen:
    """A folder as it was listed: its path, its status then, and its names."""

    folder: bytes
    before: Signature
    block: Block


class Ahead:
    """What the other process has seen, in the order of paths."""

    def __init__(self, reader: int, process: int) -> None:
        self._file = os.fdopen(reader, "rb", buffering=1 << 20)
        self._process = process
        self._next: Seen | None = None
        self._is_over = False

    def take(self, folder: bytes) -> Seen | None:
        """Return what was seen of `folder`, after those asked for before; None if nothing was."""
        while not self._is_over and (self._next is None or self._next.folder < folder):
            self._next = self._read()
        found = self._next
        if found is None or found.folder != folder:
            return None
        self._next = None
        return found

    def close(self) -> None:
        """End the other process."""
        self._is_over = True
        with suppress(OSError):
            os.kill(self._process, signal.SIGKILL)
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.waitpid(self._process, 0)

    def _read(self) -> Seen | None:
        try:
            head = self._file.read(_LENGTH.size)
            body = self._file.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""
            *before, folder_size, names_size = _FRAME.unpack_from(body)
        except (OSError, ValueError, struct.error):
            self._is_over = True
            return None
        start, end = _FRAME.size + folder_size, _FRAME.size + folder_size + names_size
        folder, names = body[_FRAME.size : start], body[start:end].split(b"\0") if names_size else []
        seen = Block(folder, names, bytearray(body[end:]), bytearray(DIGEST * len(names)))
        return Seen(folder, (before[0], before[1], before[2], before[3], before[4]), seen)


@contextmanager
def looking_ahead(path: str) -> Iterator[Ahead | None]:
    """Give what `look_ahead` gives while the block runs."""
    ahead = look_ahead(path)
    try:
        yield ahead
    finally:
        if ahead is not None:
            ahead.close()


def look_ahead(path: str) -> Ahead | None:
    """Begin to list the tree at `path` in another process; None where that gains nothing, or cannot be done.

    To be called before any thread is started: the process is a copy of this one.
    """
    if (os.cpu_count() or 1) < 2 or not sys.platform.startswith("linux") or not os.path.isdir(path):
        return None
    try:
        reader, writer = os.pipe()
        process = os.fork()
    except OSError:
        return None
    if process:
        os.close(writer)
        return Ahead(reader, process)
    try:
        os.close(reader)
        _list_all(path, _Pipe(writer))
    except BaseException:  # noqa: BLE001, S110  # whatever stops it, the other process lists the rest itself
        pass
    finally:
        os._exit(0)


class _Pipe:
    """Writes frames without waiting for the reader, until too much is waiting."""

    def __init__(self, writer: int) -> None:
        import fcntl

        self._writer = writer
        with suppress(OSError):
            fcntl.fcntl(writer, _SET_PIPE_SIZE, _PIPE)
        self._waiting = bytearray()

    def put(self, body: bytes) -> None:
        """Send one frame, now or later; raise `OSError` when nobody reads any more."""
        self._waiting += _LENGTH.pack(len(body)) + body
        self.push(until=_MOST_BYTES)

    def push(self, *, until: int = 0) -> None:
        """Write what the pipe takes; go on until at most `until` bytes are waiting."""
        os.set_blocking(self._writer, len(self._waiting) > until)
        while self._waiting:
            try:
                del self._waiting[: os.write(self._writer, memoryview(self._waiting)[:_PIPE])]
            except BlockingIOError:
                return
            if len(self._waiting) <= until:
                os.set_blocking(self._writer, False)


def _list_all(path: str, pipe: _Pipe) -> None:
    cursor = Cursor(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    levels = [_list_one(cursor, b"", pipe)]
    while levels:
        if levels[-1]:
            name = levels[-1].pop()
            try:
                cursor.enter(name[:-1])
            except OSError:
                continue
            levels.append(_list_one(cursor, cursor.path_of(b""), pipe))
        else:
            levels.pop()
            if levels:
                cursor.leave()
    pipe.push()


def _list_one(cursor: Cursor, folder: bytes, pipe: _Pipe) -> list[bytes]:
    """Send what is in a folder; return the folders in it, last first. Very large ones are left to the reader."""
    before = settled(cursor.descriptor)
    try:
        block = next(scan(cursor, folder, before.st_dev))
    except LinealError:
        return []
    if not block.is_last:
        return []
    names = b"\0".join(block.names)
    body = b"".join((_FRAME.pack(*signature(before), len(folder), len(names)), folder, names, block.keys))
    if len(body) <= _MOST_FRAME:
        pipe.put(body)
    return [name for name in reversed(block.names) if name.endswith(b"/")]
