"""Group commit across processes: whoever holds the lock commits for all who wait.

A writer that finds the lock free commits its own batch. One that finds it held leaves its batch in a file of the
spool and waits for the lock; the next holder commits every file it finds, in one transaction with one fsync, and
removes the files. A waiter that gets the lock and finds its file gone asks for its receipts by committing again,
which appends nothing: an event already in the log is never appended twice. A process that dies, holding the lock or
waiting for it, leaves at most a file that the next holder commits; the lock itself dies with the process.
"""

import contextlib
import fcntl
import os
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lineal.core import canonical
from lineal.core.event import SALT_SIZE, check_body, decode_entry, encode_entry, statement_digest
from lineal.errors import LinealError, StoreUnavailable
from lineal.ledger.commit import Group, Prepared, check_admissible
from lineal.ledger.disk import telling

_COUNT: Final = struct.Struct(">I")  # the events of a group, before them
_LENGTHS: Final = struct.Struct(">II")  # the lengths of statement and body, before each event
_MAX_FILES: Final = 256
_PATIENCE: Final = 60.0
_UNRECORDED: Final = "; nothing was recorded"


class Spool:
    """The queue of groups in `folder` and the lock file that orders those who commit them.

    `patience` is how many seconds to wait for the lock: only a holder that was stopped, not ended, keeps it long.
    """

    def __init__(self, folder: Path, *, patience: float = _PATIENCE) -> None:
        self.folder = folder
        self.patience = patience
        self._counter = 0

    @contextmanager
    def holding(self, groups: Sequence[Group]) -> Iterator[None]:
        """Hold the lock; while waiting for it `groups` stand in the spool for the holder to commit."""
        with telling(self.folder, _UNRECORDED):
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                left = [self._leave(group) for group in groups]
                try:
                    _wait_for(descriptor, self.patience)
                finally:
                    self.settle(left)
            yield
        finally:
            # A child forked meanwhile has the descriptor too: closing ours alone would leave it the lock.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _leave(self, group: Group) -> Path:
        self._counter += 1
        name = f"{os.getpid()}-{id(self):x}-{self._counter}"
        with telling(self.folder, _UNRECORDED):
            staged = self.folder / f"{name}.tmp"
            staged.write_bytes(_encode(group))
            return staged.rename(self.folder / f"{name}.batch")

    def waiting(self, log: str) -> dict[Path, list[Prepared]]:
        """Return the groups left by others for `log`, by file, at most some hundreds; call while holding the lock.

        A file whose group cannot be committed, cut or damaged or of another log, is given with an empty one.
        """
        found: dict[Path, list[Prepared]] = {}
        with telling(self.folder, _UNRECORDED):
            for file in sorted(self.folder.glob("*.batch"))[:_MAX_FILES]:
                with contextlib.suppress(FileNotFoundError):
                    found[file] = _decode(file.read_bytes(), log)
        return found

    def settle(self, files: Sequence[Path]) -> None:
        """Remove `files`, whose groups are durable in the log or about to be committed by their owner.

        One that cannot be removed is left: what it holds is never appended twice, and the commit stands.
        """
        for file in files:
            with contextlib.suppress(OSError):
                file.unlink()


def _wait_for(descriptor: int, patience: float) -> None:
    """Get the lock, asking ever less often; raise `StoreUnavailable` when patience is at its end."""
    end = time.monotonic() + patience
    pause = 0.0005
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > end:
            raise StoreUnavailable(
                f"another process has kept the writers' lock for {patience:.0f} seconds; whether this was recorded is "
                "not known",
                fix="Look for a stopped `lineal` process (`ps`, state T), then run the command again: it is safe.",
            )
        time.sleep(pause)
        pause = min(2 * pause, 0.01)


def _encode(group: Group) -> bytes:
    parts = [_COUNT.pack(len(group))]
    for item in group:
        parts += (_LENGTHS.pack(len(item.said), len(item.body)), item.said, item.salt, item.body)
    return b"".join(parts)


def _decode(data: bytes, log: str) -> list[Prepared]:
    """Return the group in a spool file; none of it unless all can be committed to `log`: nothing was acknowledged.

    A power loss leaves files cut, or with zeros in them: one wrong body in the log would be there for ever.
    """
    group: list[Prepared] = []
    try:
        (count,) = _COUNT.unpack_from(data)
        at = _COUNT.size
        for _ in range(count):
            size, body_size = _LENGTHS.unpack_from(data, at)
            said_at, salt_at = at + _LENGTHS.size, at + _LENGTHS.size + size
            body_at = salt_at + SALT_SIZE
            at = body_at + body_size
            said = data[said_at:salt_at]
            spoken = canonical.decode(said)
            statement, _ = decode_entry(encode_entry(spoken, spoken["said"]))  # type: ignore[arg-type,index]
            salt, body = data[salt_at:body_at], data[body_at:at]
            check_admissible(statement, log)
            check_body(statement, salt, body)
            group.append(Prepared(statement, said, bytes.fromhex(statement_digest(statement)), salt, body))
    except (struct.error, LinealError, TypeError, KeyError):
        return []
    return group if at == len(data) else []
