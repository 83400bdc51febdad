"""Judging many resources, in several processes at once where that pays: each judges every n-th block of them."""

import gc
import os
import signal
import struct
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from lineal.app.explain_evidence import Beside, Looks, read_cases
from lineal.app.explain_outcome import read, spell
from lineal.app.explain_work import Grounds, Outcome
from lineal.ledger.database import Database

_BLOCK: Final = 100
_LEAST: Final = 8  # blocks: below that, a second process gains nothing
_RARELY: Final = 100_000
_LENGTH: Final = struct.Struct("<Q")
_PIPE: Final = 1 << 20
_SET_PIPE_SIZE: Final = 1031  # fcntl.h: F_SETPIPE_SZ, which Python 3.11 has no name for everywhere


@dataclass(slots=True)
class Court:
    """What resources are judged with: the catalog, the looks at them, and what all are judged by."""

    database: Database
    looks: Looks
    grounds: Grounds
    beside: Beside = field(init=False)

    def __post_init__(self) -> None:
        self.beside = Beside(self.database)

    def judge(self, keys: Sequence[str]) -> list[Outcome]:
        """Return what is concluded of each watched resource among `keys`, in the order of keys."""
        return [self.grounds.judge(each) for each in read_cases(self.database, self.looks, self.beside, keys)]


def judge_all(court: Court, keys: Sequence[str]) -> Iterator[Outcome]:
    """Yield what is concluded of each watched resource among the sorted `keys`, in their order.

    Raises `StoreError` branches.
    """
    blocks = [keys[start : start + _BLOCK] for start in range(0, len(keys), _BLOCK)]
    shares = _share_out(court, blocks)
    try:
        for number, block in enumerate(blocks):
            sent = shares[number % len(shares)].take() if shares else None
            # Whatever stops another process, what it was to judge is judged here, and an error is told here.
            yield from court.judge(block) if sent is None else sent
    finally:
        for share in shares:
            share.close()


class Share:
    """A process that judges some of the blocks, and what it sends of each, in order."""

    def __init__(self, reader: int, process: int) -> None:
        self.file = os.fdopen(reader, "rb", buffering=_PIPE)
        self._process = process
        self._is_over = False

    def take(self) -> list[Outcome] | None:
        """Return what it concluded of its next block; None once it has stopped."""
        if self._is_over:
            return None
        try:
            (size,) = _LENGTH.unpack(self.file.read(_LENGTH.size))
            body = self.file.read(size)
        except (OSError, struct.error):
            body, size = b"", -1
        if len(body) != size:
            self._is_over = True
            return None
        with _without_collection():
            return read(body)

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            os.kill(self._process, signal.SIGKILL)
        with suppress(OSError):
            self.file.close()
        with suppress(OSError):
            os.waitpid(self._process, 0)


def _share_out(court: Court, blocks: Sequence[Sequence[str]]) -> list[Share]:
    """Begin to judge `blocks` in as many processes as there are processors; none where that gains nothing.

    Nor with other threads about: the processes are copies of this one, and a lock that another thread holds would never
    be let go of there.
    """
    count = _processors()
    if count < 2 or len(blocks) < _LEAST or not sys.platform.startswith("linux") or threading.active_count() > 1:
        return []
    shares: list[Share] = []
    for number in range(count):
        try:
            reader, writer = os.pipe()
            process = os.fork()
        except OSError:
            break
        if process:
            os.close(writer)
            shares.append(Share(reader, process))
            continue
        try:
            gc.freeze()  # what this process was given stays the other's: nothing of it is to be closed
            gc.set_threshold(_RARELY)  # next to nothing of what is made here refers to itself
            os.close(reader)
            for each in shares:  # else nobody would notice that the one who reads is gone
                os.close(each.file.fileno())
            court.database.leave_to_parent()
            _judge_share(court, blocks[number::count], writer)
        except BaseException:  # noqa: BLE001, S110  # whatever stops it, the other process judges the rest itself
            pass
        finally:
            os._exit(0)
    if len(shares) < count:  # each share is every n-th block of exactly so many
        for share in shares:
            share.close()
        return []
    return shares


@contextmanager
def _without_collection() -> Iterator[None]:
    """Let nobody look for garbage meanwhile: all that is made is kept, and none of it refers to itself."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _judge_share(court: Court, blocks: Sequence[Sequence[str]], writer: int) -> None:
    import fcntl

    with suppress(OSError):
        fcntl.fcntl(writer, _SET_PIPE_SIZE, _PIPE)
    with os.fdopen(writer, "wb", buffering=0) as file:
        for block in blocks:
            body = spell(court.judge(block))
            view = memoryview(_LENGTH.pack(len(body)) + body)
            while view:
                view = view[file.write(view) :]
