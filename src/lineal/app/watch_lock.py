"""One watcher for each ledger: a lock that dies with its holder, and says who that is."""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from lineal.app.session import Session
from lineal.errors import ReadOnlyStore, Refused, StoreError
from lineal.ledger.database import Database, translating
from lineal.ledger.disk import telling

FILE: Final = "watch.lock"
_KEY: Final = 0x6C696E65616C5754  # "linealWT", of the advisory locks of a database
_MOST_SAID: Final = 4096
_LONGEST_NAME: Final = 60
_FIX: Final = "Stop that one first, or leave it to it: one watcher is enough for a ledger."


class Held(Protocol):
    """A lock that is held."""

    def check(self) -> None:
        """Raise `Refused` if somebody else has the lock by now."""


@contextmanager
def only_watcher(session: Session) -> Iterator[Held]:
    """Be the one watcher of the ledger while the block runs; raise `Refused`, which says who watches, if another is.

    On SQLite the lock is on a file beside the ledger, on PostgreSQL in the database, so that it holds on every host.
    Raises `ReadOnlyStore` for a ledger that cannot be written.
    """
    if not session.ledger.can_append:
        raise ReadOnlyStore("a watcher records what it sees, and this ledger may only be read; nothing was done")
    database = session.catalog_database
    if database.is_sqlite:
        lock: _FileLock | _DatabaseLock = _FileLock(session.ledger.home.root / FILE, session)
    else:
        lock = _DatabaseLock(database, session.actor)
    lock.take()
    try:
        yield lock
    finally:
        lock.release()


class _FileLock:
    """A lock on a file: it belongs to the open file, and goes when its process goes.

    Whoever removes the file lets another one take its place, which somebody else may lock.
    """

    def __init__(self, file: Path, session: Session) -> None:
        self._file = file
        self._said = {
            "actor": session.actor, "host": socket.gethostname(), "pid": os.getpid(), "since": session.clock()
        }  # fmt: skip
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock; raise `Refused` if another has it, `StoreError` branches if the file cannot be used."""
        with telling(self._file, "; nothing was done"):
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Refused(f"another watcher is at work on this ledger{_told(descriptor)}", fix=_FIX) from error
            with telling(self._file, "; nothing was done"):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(self._said).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def check(self) -> None:
        """Take the lock again if its file is gone, or is another one by now."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(self._descriptor), os.stat(self._file)):
                    return
            self.release()
        self.take()

    def release(self) -> None:
        """Let go of the lock, as far as it is held."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None


def _told(descriptor: int) -> str:
    """Return what the holder of the lock file says of itself."""
    try:
        said: Any = json.loads(os.pread(descriptor, _MOST_SAID, 0))
        return f": {said['actor']}, process {said['pid']} on {said['host']}, since {said['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


class _DatabaseLock:
    """An advisory lock of PostgreSQL: it belongs to one connection, and goes when that goes."""

    def __init__(self, database: Database, actor: str) -> None:
        self._database = database
        # PostgreSQL keeps 63 characters of ASCII.
        self._name = f"lineal watch {actor}".encode("ascii", "replace")[:_LONGEST_NAME].decode()
        self._connection: Any = None

    def take(self) -> None:
        """Take the lock; raise `Refused` if another has it."""
        with translating():
            connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # not to be given back to others with the lock on it
            connection.exec_driver_sql("SELECT set_config('application_name', %s, false)", (self._name,))
            if not connection.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (_KEY,)).scalar():
                told = self._holder(connection)
                connection.close()
                raise Refused(f"another watcher is at work on this ledger{told}", fix=_FIX)
            self._connection = connection

    def check(self) -> None:
        """Take the lock again if the connection that held it is gone."""
        if self._connection is None:
            self.take()
            return
        try:
            with translating():
                self._connection.exec_driver_sql("SELECT 1").scalar()
        except StoreError:
            self.release()
            self.take()

    def release(self) -> None:
        """Let go of the lock, as far as it is still held."""
        if self._connection is not None:
            with contextlib.suppress(StoreError), translating():
                self._connection.close()
            self._connection = None

    def _holder(self, connection: Any) -> str:
        """Return who holds the lock, as far as the server tells."""
        found = connection.exec_driver_sql(
            "SELECT a.application_name, a.client_addr, a.backend_start"
            " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = %s AND l.objid::bigint = %s"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            (_KEY >> 32, _KEY & 0xFFFFFFFF),
        ).one_or_none()
        if found is None:
            return ""
        name = (found[0] or "").removeprefix("lineal watch ") or "somebody"
        host = f" from {found[1]}" if found[1] is not None else ""
        return f": {name}{host}, since {found[2]:%Y-%m-%d %H:%M:%SZ}" if found[2] is not None else f": {name}{host}"
