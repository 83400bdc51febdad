"""Blocks: a folder's names in their order, with the marks of their inodes by which a change is noticed.

A block is a whole folder, or a part of a very large one. Names of folders end with a slash, so that they sort as the
paths below them do.
"""

import heapq
import os
import stat
import struct
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import IO, Final

from lineal.datasets.tree import LEFT_OUT, Cursor, read_error

KEY: Final = struct.Struct(">QQqqI")
"""Inode, size, mtime and ctime in nanoseconds, mode. An inode of 0 is of a file that has to be read each time."""
FOLDER_KEY: Final = KEY.pack(0, 0, 0, 0, stat.S_IFDIR)
LEFT_OUT_KEY: Final = KEY.pack(0, 0, 0, 0, 0)
DIGEST: Final = 32
FORM: Final = 0o170000
"""The bits of a mode that say what a file is, S_IFMT: a call for each file would cost more than looking."""
CONTENT: Final = frozenset({stat.S_IFREG, stat.S_IFLNK})
"""The forms that are entries: files and symbolic links."""

_WHOLE: Final = 1 << 14
_CUT: Final = 0xFFF
_MOST_IN_MEMORY: Final = 200_000
_TICK_NS: Final = 20_000_000
_COARSE_NS: Final = 2_000_000_000

Hashed = tuple[int, bytes, bytes]
"""What was read of one item: its number in the block, the digest of its content, its key then."""


@dataclass(slots=True, eq=False)
class Block:
    """Names of one folder and what is known of each: `keys` and `digests` are columns, one after the other.

    `folder` is its path below the root, empty or with a slash at its end; `low` the last name of the block before.
    """

    folder: bytes
    names: list[bytes]
    keys: bytearray
    digests: bytearray
    low: bytes | None = None
    is_last: bool = True
    pending: list["Future[list[Hashed]]"] = field(default_factory=list)
    gaps: list[tuple[str, str]] = field(default_factory=list)
    files: int = 0
    size: int = 0

    def key(self, number: int) -> bytes:
        """Return the key of the item `number`."""
        return bytes(self.keys[number * KEY.size : (number + 1) * KEY.size])

    def digest(self, number: int) -> bytes:
        """Return the digest of the content of the item `number`."""
        return bytes(self.digests[number * DIGEST : (number + 1) * DIGEST])

    def learn(self, number: int, digest: bytes, key: bytes) -> None:
        """Take what was read of the item `number`."""
        self.digests[number * DIGEST : (number + 1) * DIGEST] = digest
        self.keys[number * KEY.size : (number + 1) * KEY.size] = key

    @property
    def is_ready(self) -> bool:
        """Whether nothing of it is still being read."""
        return all(future.done() for future in self.pending)

    def settle(self) -> None:
        """Wait for what is being read, and raise what that raised."""
        for future in self.pending:
            for number, digest, key in future.result():
                self.learn(number, digest, key)
        self.pending.clear()


def pack_key(status: os.stat_result, device: int) -> bytes:
    """Return the key of a file in a folder on `device`; one that is mounted there by itself has another each time."""
    if status.st_dev != device:
        return KEY.pack(0, status.st_size, status.st_mtime_ns, time.time_ns(), status.st_mode)
    return KEY.pack(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode)


def distrust(key: bytes) -> bytes:
    """Return `key` as that of a file which has to be read again the next time."""
    return bytes(8) + key[8:]


def kind_of(mode: int) -> str:
    """Return the kind of an entry whose item has this mode."""
    return "l" if stat.S_ISLNK(mode) else "x" if mode & stat.S_IXUSR else "f"


def has_content(mode: int) -> bool:
    """Return whether an item of this mode is an entry: a file or a symbolic link."""
    return mode & FORM in CONTENT


def scan(cursor: Cursor, folder: bytes, device: int) -> Iterator[Block]:
    """Yield the blocks of the folder where `cursor` stands, sorted by name; no file is opened.

    A folder of very many names is sorted on disk: what is in memory does not grow with it. Raises `BadInput` if it
    cannot be read.
    """
    try:
        with os.scandir(cursor.descriptor) as listing:
            names = _list(listing, device)
    except OSError as error:
        raise read_error(cursor, error) from error
    rows = names if isinstance(names, list) else _look(cursor, names, device)
    yield from _cut(folder, rows)


def _list(listing: Iterable[os.DirEntry[str]], device: int) -> "list[tuple[bytes, bytes]] | Iterator[bytes]":
    """Return the sorted rows of a folder, or of a very large one its sorted names alone."""
    rows: list[tuple[bytes, bytes]] = []
    runs: list[IO[bytes]] = []
    pack = KEY.pack
    for entry in listing:
        name = entry.name.encode("utf-8", "surrogateescape")
        if name in LEFT_OUT:
            rows.append((name, LEFT_OUT_KEY))
        elif entry.is_dir(follow_symlinks=False):
            rows.append((name + b"/", FOLDER_KEY))
        elif runs:
            rows.append((name, b""))
        else:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # removed since: the folder's own status tells
            if status.st_dev == device:
                inode, mtime, ctime = status.st_ino, status.st_mtime_ns, status.st_ctime_ns
                rows.append((name, pack(inode, status.st_size, mtime, ctime, status.st_mode)))
            else:
                rows.append((name, pack_key(status, device)))
        if len(rows) >= _MOST_IN_MEMORY:
            runs.append(_spill(rows))
            rows.clear()
    rows.sort()
    if not runs:
        return rows
    return heapq.merge(*map(_read_run, runs), (name for name, _ in rows))


def _spill(rows: list[tuple[bytes, bytes]]) -> IO[bytes]:
    rows.sort()
    file = tempfile.TemporaryFile()  # noqa: SIM115  # read, and so removed, while the folder is walked
    for name, _ in rows:
        file.write(name + b"\0")
    file.seek(0)
    return file


def _read_run(file: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    with file:
        while data := file.read(1 << 16):
            *names, rest = (rest + data).split(b"\0")
            yield from names


def _look(cursor: Cursor, names: Iterable[bytes], device: int) -> Iterator[tuple[bytes, bytes]]:
    for name in names:
        if name in LEFT_OUT:
            yield name, LEFT_OUT_KEY
        elif name.endswith(b"/"):
            yield name, FOLDER_KEY
        else:
            try:
                status = os.stat(name, dir_fd=cursor.descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield name, pack_key(status, device)


def _cut(folder: bytes, rows: Iterable[tuple[bytes, bytes]]) -> Iterator[Block]:
    """Cut a very large folder where its names say so, so that a new name changes one block and not all after it."""
    if isinstance(rows, list) and len(rows) <= _WHOLE:
        yield _make(folder, rows, None)
        return
    waiting: list[tuple[bytes, bytes]] = []
    low: bytes | None = None
    held: Block | None = None
    for row in rows:
        waiting.append(row)
        if zlib.crc32(row[0]) & _CUT == 0:
            if held is not None:
                yield held
            held = _make(folder, waiting, low)
            held.is_last = False
            low = row[0]
            waiting = []
    if waiting or held is None:
        if held is not None:
            yield held
        held = _make(folder, waiting, low)
    held.is_last = True
    yield held


def _make(folder: bytes, rows: list[tuple[bytes, bytes]], low: bytes | None) -> Block:
    names = [name for name, _ in rows]
    keys = bytearray(b"".join([key for _, key in rows]))
    return Block(folder, names, keys, bytearray(DIGEST * len(names)), low)


def is_settled(key: bytes, now: int) -> bool:
    """Return whether a file with this key, seen at `now`, would get another key by a write that came after.

    Two writes within one tick of the file system's clock leave the same ctime; some have ticks of a second or two, and
    whole seconds only then. A ctime in the future says nothing.
    """
    ctime: int = KEY.unpack(key)[3]
    age = now - ctime
    return age > _COARSE_NS or (age > _TICK_NS and ctime % 1_000_000_000 != 0)
