"""From the registers of a call about to be made to the event it means: paths read, made absolute, looked at."""

# Paths are bytes throughout: pathlib refuses names that are not UTF-8.

import os
import struct
from collections.abc import Sequence
from typing import Final

from lineal.capture._gaps import Gaps, Seen
from lineal.capture._linux import Memory
from lineal.capture._names import peer_name, tidy
from lineal.capture._syscalls import CALLS, FOREIGN, Call, Machine
from lineal.capture.accesses import IGNORED, Event, Fold, Op, inherited
from lineal.core import path as paths

_AT_FDCWD: Final = -100
_AT_REMOVEDIR: Final = 0x200
_AT_EMPTY_PATH: Final = 0x1000


class Tracee:
    """Reads the calls of all processes of one run, and keeps what is found in `fold`, `connections` and `gaps`."""

    def __init__(self, machine: Machine) -> None:
        self.fold = Fold()
        self.gaps = Gaps()
        self._connections: set[str] = set()
        self._audit = machine.audit
        self.calls = {number: CALLS[name] for name, number in machine.numbers.items()}
        self._open, self._openat = machine.numbers.get("open", -1), machine.numbers["openat"]
        self._memory = Memory()
        self._moved_roots = False
        self._own_mounts = os.readlink(b"/proc/self/ns/mnt")
        self._fuse = self._fuse_at_start = _fuse_mounts()

    def read(self, thread: int, audit: int, number: int, args: Sequence[int]) -> Event | None:
        """Return what the call does, or None if it is of no interest; the paths it names have been looked at.

        `audit` and `number` say which call it is, `args` are its six registers.
        """
        if self.fold.unsettled:
            self.fold.settle(thread)
        call = self.calls.get(number, FOREIGN) if audit == self._audit else FOREIGN
        try:
            if call.op is Op.OPEN and not call.indirect:
                path = self._resolve(thread, args, call.at, call.path)
                if path is None:
                    return None
                flags = call.fixed if call.flags is None else args[call.flags] & 0xFFFFFFFF
                return Event(thread, Op.OPEN, path, flags, self._look(path))
            return self._read_other(thread, call, args)
        except PermissionError:
            self.gaps.note("capture.unreadable", f"process {thread}")
        except OSError:
            pass  # the process is gone, or gave an address where nothing is: the call comes to nothing
        return None

    def apply(self, event: Event) -> None:
        """Take into account an event that is known to have been read from a live process."""
        self.fold.apply(event)
        if self.fold.streams:
            self.gaps.note("capture.stream", ", ".join(map(paths.spell, sorted(self.fold.streams)[:5])))

    def inherit(self) -> None:
        """Take into account the files that the program is given as its standard input and outputs."""
        for event in inherited():
            self.fold.apply(event)

    def seen(self) -> Seen:
        """Return all that was seen."""
        self.gaps.note("capture.stat_only")
        return Seen(self.fold.finish(), tuple(sorted(self._connections)), self.gaps)

    def note_mounts(self) -> None:
        """Learn of FUSE mounts that the run has made: a stat there could wait for a process that waits for us."""
        self._fuse = _fuse_mounts()

    def _look(self, path: bytes) -> bytes | None:
        if self._fuse is not self._fuse_at_start:
            for mount in self._fuse - self._fuse_at_start:
                if path.startswith(mount + b"/"):
                    self.gaps.note("capture.own_mounts", paths.spell(mount))
                    return b""
        return self.fold.look(path)

    def _read_other(self, thread: int, call: Call, args: Sequence[int]) -> Event | None:
        op = call.op
        flags = call.fixed if call.flags is None else args[call.flags] & 0xFFFFFFFF
        if op is Op.NOTE:
            if call.gap:
                self.gaps.note(call.gap)
            else:
                self._moved_roots = True
            return None
        if op is Op.CONNECT:
            self._connect(thread, args[call.path], flags)
            return None
        if call.indirect:
            flags = struct.unpack("=Q", self._memory.block(thread, args[2], 8))[0]
        if op is Op.UNLINK and flags & _AT_REMOVEDIR:
            return None
        empty = bool(flags & _AT_EMPTY_PATH) and op in (Op.EXEC, Op.LINK)
        path = self._resolve(thread, args, call.at, call.path, empty=empty)
        if call.target is None:
            return None if path is None else Event(thread, op, path, flags, self._look(path))
        target = self._resolve(thread, args, call.target_at, call.target)
        if target is None:
            return None
        if path is None:  # linked from /proc/self/fd/N: a file without a name is given one
            return Event(thread, Op.SYMLINK, target, 0, self._look(target))
        try:
            mark = os.lstat(path) if op is Op.RENAME else None
        except OSError:
            return None  # there is nothing to rename
        return Event(thread, op, path, flags, self._look(path), target, self._look(target), mark)

    def _resolve(
        self, thread: int, args: Sequence[int], at: int | None, index: int, *, empty: bool = False
    ) -> bytes | None:
        """Return the absolute path that argument `index` names, or None for one that is not recorded."""
        path = self._memory.text(thread, args[index])
        if not path.startswith(b"/"):
            if not path and not empty:
                return None
            folder = b"cwd"
            if at is not None:
                number = args[at] & 0xFFFFFFFF
                number -= (number & 0x80000000) << 1
                if number != _AT_FDCWD:
                    folder = b"fd/%d" % number
            base = os.readlink(b"/proc/%d/%s" % (thread, folder))
            path = os.path.join(base, path) if path else base
        elif self._moved_roots and not self._has_own_mounts(thread):
            root = os.readlink(b"/proc/%d/root" % thread)
            path = path if root == b"/" else root + path
        if path.startswith(IGNORED) or not path.startswith(b"/"):
            return None
        path = tidy(path)
        if self._moved_roots and self._has_own_mounts(thread) and not _same_place(thread, path):
            self.gaps.note("capture.foreign_mounts", paths.spell(path))
            return None
        return path

    def _has_own_mounts(self, thread: int) -> bool:
        return os.readlink(b"/proc/%d/ns/mnt" % thread) != self._own_mounts

    def _connect(self, thread: int, address: int, size: int) -> None:
        raw = self._memory.block(thread, address, min(size, 128))
        name = peer_name(raw)
        if name:
            self._connections.add(name)


def _same_place(thread: int, path: bytes) -> bool:
    """Whether `path` names for us what it names for a process with mounts of its own: the file, else its folder."""
    while True:
        try:
            theirs = os.stat(b"/proc/%d/root" % thread + path)
        except OSError:
            if path == b"/":
                return False
            path = os.path.dirname(path)
            continue
        try:
            ours = os.stat(path)
        except OSError:
            return False
        return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def _fuse_mounts() -> frozenset[bytes]:
    found = set()
    with open("/proc/self/mountinfo", "rb") as table:
        for line in table:
            own, _, rest = line.partition(b" - ")
            if rest.startswith(b"fuse"):
                found.add(own.split()[4].replace(b"\\040", b" "))
    return frozenset(found)
