"""The bytes of the inputs and outputs of a run, by digest, and whether they are the bytes that the run saw."""

import hashlib
import os
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal

from lineal.capture.accesses import Stat
from lineal.capture.file_roles import PlannedFile, Role
from lineal.core import path
from lineal.core.digest import Digest

Status = Literal["ok", "mutated-during-run", "vanished", "special", "unreadable"]

BUFFER: Final = 1 << 20
THREADS: Final = 2
# A FIFO put in a file's place must not block, nor a terminal become ours.
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One file of a run. Only with status ``ok`` is there a digest: that of the bytes which the run read or left.

    ``mutated-during-run``: what was read cannot be told any more. ``vanished``: it is gone. ``special``: no regular
    file (folder, socket, FIFO, device, broken link). ``unreadable``: refused or failed; `reason` says how.
    """

    path: bytes
    role: Role
    status: Status
    digest: Digest | None = None
    size: int | None = None
    reason: str | None = None

    def describe(self) -> dict[str, Any]:
        """Return the record as a plain document."""
        found: dict[str, Any] = {"path": path.spell(self.path), "role": self.role, "status": self.status}
        if self.digest is not None:
            found["digest"] = str(self.digest)
        if self.size is not None:
            found["size"] = self.size
        if self.reason is not None:
            found["reason"] = self.reason
        return found


def hash_files(files: Iterable[PlannedFile]) -> list[FileRecord]:
    """Hash `files` and return one record for each, in their order; no file makes it fail.

    An input counts as read by the run only if its state (device, inode, size, mtime, ctime) just before it was first
    opened is its state before and after hashing. An output must hold still while it is hashed.
    """
    planned = list(files)
    records: list[FileRecord | None] = [None] * len(planned)
    large: list[int] = []
    buffer = memoryview(bytearray(BUFFER))
    for place, each in enumerate(planned):
        if each.before is not None and each.before.size >= BUFFER:
            large.append(place)
            continue
        records[place] = _hash_file(each, buffer, BUFFER)
        if records[place] is None:
            large.append(place)

    def hash_large(places: list[int]) -> None:
        own = memoryview(bytearray(BUFFER))
        for place in places:
            records[place] = _hash_file(planned[place], own, None)

    if large:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(hash_large, [large[start::THREADS] for start in range(THREADS)]))
    return [record for record in records if record is not None]


def _hash_file(each: PlannedFile, buffer: memoryview, postpone: int | None) -> FileRecord | None:
    """Return the record of one file; None for a file of `postpone` bytes or more, which another thread will hash."""
    try:
        facts = os.stat(each.path)
        if not stat.S_ISREG(facts.st_mode):
            return FileRecord(path=each.path, role=each.role, status="special")
        if postpone is not None and facts.st_size >= postpone:
            return None
        descriptor = os.open(each.path, _FLAGS)
    except FileNotFoundError:
        status: Status = "special" if os.path.lexists(each.path) else "vanished"
        return FileRecord(path=each.path, role=each.role, status=status)
    except (OSError, ValueError) as error:
        return _unreadable(each, error)
    try:
        return _hash_open(each, descriptor, buffer)
    except OSError as error:
        return _unreadable(each, error)
    finally:
        os.close(descriptor)


def _hash_open(each: PlannedFile, descriptor: int, buffer: memoryview) -> FileRecord:
    first = os.fstat(descriptor)
    if not stat.S_ISREG(first.st_mode):
        return FileRecord(path=each.path, role=each.role, status="special")
    if each.role == "input" and not _is_same(each.before, first):
        return FileRecord(path=each.path, role=each.role, status="mutated-during-run")
    digest = hashlib.sha256()
    size = 0
    while count := os.readv(descriptor, [buffer]):
        digest.update(buffer[:count])
        size += count
    last = os.fstat(descriptor)
    if size != first.st_size or _key(first) != _key(last):
        return FileRecord(path=each.path, role=each.role, status="mutated-during-run")
    return FileRecord(path=each.path, role=each.role, status="ok", digest=Digest(digest.digest()), size=size)


def _key(facts: os.stat_result) -> tuple[int, int, int, int, int]:
    return (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def _is_same(before: Stat | None, now: os.stat_result) -> bool:
    """Whether the file is as it was; ctime catches an edit in place whose mtime was set back."""
    if before is None:
        return False
    return (before.dev, before.ino, before.size, before.mtime_ns, before.ctime_ns) == _key(now)


def _unreadable(each: PlannedFile, error: Exception) -> FileRecord:
    reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    return FileRecord(path=each.path, role=each.role, status="unreadable", reason=reason)
