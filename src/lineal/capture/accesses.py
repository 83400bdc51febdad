"""What a process tree did to files: single events, folded to one access per path.

The fold is fed while the program runs and holds one small record per path, however many events there are. Events are
seen *before* the kernel carries them out, so some never happen. An open is believed if the file existed or was to be
created; a rename when the file is found at its new name; what a run created must exist at the end or have been removed.
"""

# Paths are bytes throughout: pathlib refuses names that are not UTF-8.
# ruff: noqa: PTH114

import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from lineal.capture._loader import interpreters

IGNORED: Final = (b"/proc/", b"/sys/", b"/dev/")
KNOWN: Final = b""
"""What `Fold.look` says of a path that has a record already: only the state before its first access matters."""

_RENAME_EXCHANGE: Final = 2
_STAT: Final = struct.Struct("=QQqqqI")


class Op(IntEnum):
    """What a traced call does."""

    OPEN = 0
    EXEC = 1
    RENAME = 2
    LINK = 3
    SYMLINK = 4
    UNLINK = 5
    TRUNCATE = 6
    CONNECT = 7
    NOTE = 8


class Event(NamedTuple):
    """One call about to be carried out: absolute paths, and the packed state of each just before (`Fold.look`)."""

    thread: int
    op: Op
    path: bytes
    flags: int
    before: bytes | None
    target: bytes = b""
    target_before: bytes | None = None
    mark: os.stat_result | None = None
    """For a rename: the source itself, by which it is known again at its new name; None if it surely happened."""


@dataclass(frozen=True, slots=True)
class Stat:
    """The state of a file at one moment; two equal ones mean the same unaltered file, but for racy clocks."""

    dev: int
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int
    mode: int


@dataclass(frozen=True, slots=True)
class Access:
    """One path as the process tree used it.

    `path` is absolute; `before` is the state just before the first open (None: did not exist); `first` says which came
    first, ``"read"`` or ``"write"``; `removed` that it was gone at the end.
    """

    path: bytes
    read: bool
    written: bool
    first: str
    before: Stat | None
    removed: bool
    executed: bool


class _Seen:
    __slots__ = ("before", "executed", "read", "removed", "write_first", "written")

    def __init__(self, before: bytes | None, write_first: bool) -> None:
        self.before = before
        self.write_first = write_first
        self.read = self.written = self.removed = self.executed = False


def pack_stat(result: os.stat_result) -> bytes:
    """Return the fields of a `Stat` in 44 bytes: a million of them must fit in memory."""
    return _STAT.pack(
        result.st_dev, result.st_ino, result.st_size, result.st_mtime_ns, result.st_ctime_ns, result.st_mode
    )


def pack_fields(*fields: int) -> bytes:
    """Return the six fields of a `Stat` as `pack_stat` does."""
    return _STAT.pack(*fields)


def inherited() -> Iterator[Event]:
    """Yield an open for each of descriptors 0 to 2 that is a regular file with a name."""
    for fd in (0, 1, 2):
        try:
            state = os.fstat(fd)
            if not stat.S_ISREG(state.st_mode):
                continue
            flags = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
            if hasattr(fcntl, "F_GETPATH"):
                path = fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0")
            else:
                path = os.readlink(b"/proc/self/fd/%d" % fd)
        except OSError:
            continue
        yield Event(0, Op.OPEN, path, flags, pack_stat(state))


class Fold:
    """The accesses of one run; `apply` each event in the order in which it was seen, then `finish`."""

    def __init__(self) -> None:
        self._seen: dict[bytes, _Seen] = {}
        self._renames: list[Event] = []
        self._trust_modes = os.geteuid() == 0
        self.unsettled = False
        self.streams: set[bytes] = set()

    def look(self, path: bytes) -> bytes | None:
        """Return the packed state of `path` now, `KNOWN` if it has a record, or None if there is nothing there."""
        seen = self._seen.get(path)
        if seen is not None and not seen.removed:
            return KNOWN
        try:
            return pack_stat(os.stat(path))
        except (OSError, ValueError):
            return None

    def apply(self, event: Event) -> None:
        """Take one event into account."""
        op, path, before = event.op, event.path, event.before
        if op is Op.OPEN:
            self._open(path, event.flags, before)
        elif op is Op.RENAME:
            if event.mark is not None:
                self._renames.append(event)
                self.unsettled = True
            elif before is not None:
                self._rename(event)
        elif before is None and op is not Op.SYMLINK:
            return
        elif op is Op.EXEC:
            self._execute(path, before)
        elif op is Op.UNLINK:
            if before == KNOWN or not _is_directory(before):
                self._record(path, before, write_first=True).removed = True
        elif op is Op.TRUNCATE:
            if self._permitted(path, before, os.W_OK):
                self._record(path, before, write_first=True).written = True
        elif op is Op.SYMLINK and before is None:
            self._record(path, None, write_first=True).written = True
        elif op is Op.LINK and event.target_before is None:
            self._carry(path, before, event.target, None)

    def settle(self, thread: int) -> None:
        """Find out which of the renames seen so far have happened; call it before looking at the next event.

        The thread that asked for a rename waits for it: when it is seen again and the file is not at its new name, the
        rename was refused.
        """
        waiting = []
        for event in self._renames:
            if _has_moved(event):
                self._rename(event)
            elif event.thread != thread:
                waiting.append(event)
        self._renames, self.unsettled = waiting, bool(waiting)

    def change(self, path: bytes, before: bytes | None, *, removed: bool) -> None:
        """Record what a comparison of two scans shows: `path` was written or removed, nobody saw how."""
        seen = self._record(path, before, write_first=True)
        seen.written = seen.written or not removed
        seen.removed = removed

    def finish(self) -> tuple[Access, ...]:
        """Return the accesses sorted by path, without what never came to be and what is not a regular file."""
        self.settle(-1)
        return tuple(self._accesses())

    def _open(self, path: bytes, flags: int, before: bytes | None) -> None:
        access = flags & os.O_ACCMODE
        reads, writes = access != os.O_WRONLY, access != os.O_RDONLY or bool(flags & os.O_TRUNC)
        if before is None:
            if not flags & os.O_CREAT:
                return
            writes, fresh = True, True
        else:
            if flags & os.O_EXCL and flags & os.O_CREAT:
                return
            fresh = bool(flags & os.O_TRUNC) or not reads
            if before and not self._usable(path, before, reads, writes):
                return
        seen = self._record(path, before, write_first=writes and fresh)
        seen.read = seen.read or reads
        seen.written = seen.written or writes

    def _usable(self, path: bytes, before: bytes, reads: bool, writes: bool) -> bool:
        mode = _STAT.unpack(before)[5]
        if not stat.S_ISREG(mode):
            if stat.S_ISFIFO(mode):
                self.streams.add(path)
            return False
        return not (
            (reads and not self._permitted(path, before, os.R_OK))
            or (writes and not self._permitted(path, before, os.W_OK))
        )

    def _permitted(self, path: bytes, before: bytes | None, right: int) -> bool:
        """Whether the kernel will allow it: an open that is refused is no access."""
        if self._trust_modes or not before or _STAT.unpack(before)[5] & right:
            return True
        return os.access(path, right)

    def _execute(self, path: bytes, before: bytes | None) -> None:
        if before:
            mode = _STAT.unpack(before)[5]
            if not stat.S_ISREG(mode) or not mode & 0o111:
                return
        seen = self._record(path, before, write_first=False)
        if seen.executed:
            return
        seen.read = seen.executed = True
        for name in interpreters(path):
            used = self._record(name, self.look(name), write_first=False)
            used.read = used.executed = True

    def _rename(self, event: Event) -> None:
        source, target = event.path, event.target
        if _is_directory(event.before):
            for path in [path for path in self._seen if path.startswith(source + b"/")]:
                moved = target + path[len(source) :]
                if self._seen[path].written:
                    self._carry(path, KNOWN, moved, None)
                self._leave(path)
            return
        self._carry(source, event.before, target, event.target_before)
        if event.flags & _RENAME_EXCHANGE:
            self._carry(target, KNOWN, source, KNOWN)
        else:
            self._leave(source)

    def _carry(self, source: bytes, before: bytes | None, target: bytes, target_before: bytes | None) -> None:
        """The bytes of `source` are now at `target`: it was written, and what the run had not made itself was used."""
        origin = self._record(source, before, write_first=False)
        if origin.before is not None and not origin.written:
            origin.read = True
        seen = self._record(target, target_before, write_first=True)
        seen.written = True
        seen.executed = seen.executed or origin.executed

    def _leave(self, path: bytes) -> None:
        seen = self._seen[path]
        if seen.before is None:
            del self._seen[path]  # made by the run and moved on: its history is that of a temporary file
        else:
            seen.removed = True

    def _record(self, path: bytes, before: bytes | None, *, write_first: bool) -> _Seen:
        seen = self._seen.get(path)
        if seen is None:
            seen = self._seen[path] = _Seen(before or None, write_first)
        seen.removed = False
        return seen

    def _accesses(self) -> Iterator[Access]:
        for path in sorted(self._seen):
            seen = self._seen[path]
            removed = False
            if seen.written or seen.removed or seen.before is None:
                try:
                    if not stat.S_ISREG(os.stat(path).st_mode):
                        continue
                except (OSError, ValueError):
                    removed = not os.path.islink(path)
                    if removed and seen.before is None and not seen.removed:
                        continue
            before = Stat(*_STAT.unpack(seen.before)) if seen.before else None
            first = "write" if seen.write_first else "read"
            if not (seen.read or seen.written or removed):
                continue  # a removal that was refused
            yield Access(path, seen.read, seen.written, first, before, removed, seen.executed)


def _is_directory(before: bytes | None) -> bool:
    return bool(before) and stat.S_ISDIR(_STAT.unpack(before or b"")[5])


def _has_moved(event: Event) -> bool:
    mark = event.mark
    try:
        now = os.lstat(event.target)
    except (OSError, ValueError):
        return False
    return mark is not None and (now.st_dev, now.st_ino) == (mark.st_dev, mark.st_ino)
