"""One way to a database, SQLite or PostgreSQL, with durable commits and our own errors."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event, pool
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from lineal.errors import InconsistentStore, ReadOnlyStore, StoreError, StoreFull, StoreUnavailable

_WRITE: Final = {"lineal_write": True}
_BUSY_MS: Final = 60_000
_CHUNK: Final = 500  # values in one list: every build of SQLite takes as many
_AWAY: Final = ("08", "28", "3D", "57", "55000")  # SQLSTATE: connection, authorization, no such database, shut down


_Item = TypeVar("_Item")


class Closeable(Protocol):
    """Something that is let go of by closing it."""

    def close(self) -> None:
        """Let go."""


class Database:
    """A database whose commits survive power loss: `synchronous=FULL` on SQLite, `fsync` on PostgreSQL.

    `durable=False` is for what can be rebuilt (the catalog): it may lose its last commits, never its consistency.
    """

    def __init__(self, engine: sa.Engine, *, read_only: bool, durable: bool) -> None:
        self.engine = engine
        self.read_only = read_only
        self.durable = durable
        self._kept: list[Closeable] = []
        self._parents: list[pool.Pool] = []
        event.listen(engine, "connect", self._set_up)
        event.listen(engine, "begin", _begin)

    @classmethod
    def sqlite(cls, file: Path, *, read_only: bool = False, durable: bool = True, create: bool = False) -> "Database":
        """Return the SQLite database in `file`; it is made only when `create` is true."""
        mode = "ro" if read_only else "rwc" if create else "rw"
        uri = f"file:{quote(str(file.absolute()))}?mode={mode}"
        if read_only and not os.access(file.parent, os.W_OK):
            # SQLite cannot make the shared memory of the write-ahead log there; nobody else can write it either.
            uri += "&immutable=1"

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(
                uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_MS / 1000
            )

        engine = sa.create_engine("sqlite://", creator=connect, poolclass=pool.QueuePool, pool_size=4, max_overflow=32)
        return cls(engine, read_only=read_only, durable=durable)

    @classmethod
    def postgresql(cls, url: str, *, read_only: bool = False, durable: bool = True) -> "Database":
        """Return the PostgreSQL database at `url` (``postgresql://…``), spoken to by psycopg 3."""
        try:
            parsed = sa.make_url(url).set(drivername="postgresql+psycopg")
            engine = sa.create_engine(parsed, pool_size=4, max_overflow=32, pool_pre_ping=True)
        except (SQLAlchemyError, ModuleNotFoundError) as error:
            raise StoreUnavailable(
                f"cannot use {sa.make_url(url).render_as_string(hide_password=True)}: {error}",
                fix="Install the driver: `pip install 'lineal[postgres]'`.",
            ) from error
        return cls(engine, read_only=read_only, durable=durable)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is an embedded database of one host."""
        return self.engine.dialect.name == "sqlite"

    def _set_up(self, connection: Any, _record: Any) -> None:
        if not self.is_sqlite:
            with connection.cursor() as cursor:
                cursor.execute("SET synchronous_commit TO on" if self.durable else "SET synchronous_commit TO off")
            connection.commit()
            return
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        if not self.read_only:
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={'FULL' if self.durable else 'NORMAL'}")
        cursor.execute("PRAGMA trusted_schema=OFF")
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection that sees one state of the database; raises `StoreError` branches only."""
        with translating(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection that alone may write; leaving the block commits durably, an exception changes nothing."""
        with translating(), self.engine.connect() as connection:
            connection = connection.execution_options(**_WRITE)
            with connection.begin():
                yield connection

    def keep(self, file: Closeable) -> None:
        """Close `file` with the database: a temporary one lives as long as it is used."""
        self._kept.append(file)

    def leave_to_parent(self) -> None:
        """Let go of connections that a forked process has from its parent, without closing what the parent uses."""
        self._parents.append(self.engine.pool)  # kept: collecting it would close them
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        while self._kept:
            self._kept.pop().close()


def chunks(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Yield `items` in parts, none too long for one list of a query."""
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))


def select_in(connection: sa.Connection, query: str, values: Sequence[Any], *given: Any) -> Iterator[Any]:
    """Yield the rows of `query`, whose ``{}`` stands for the list of `values` and each ``?`` before it for one `given`.

    Below SQLAlchemy, whose handling of long lists costs more than looking them up.
    """
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    for part in chunks(values):
        text = query.replace("?", mark).format(", ".join([mark] * len(part)))
        yield from connection.exec_driver_sql(text, (*given, *part))


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert `rows`, each with a value for every column of `table` in its order.

    Below SQLAlchemy's handling of parameters, which costs more than the insert itself.
    """
    if rows:
        names = ", ".join(map(connection.dialect.identifier_preparer.quote, table.columns.keys()))
        marks = ", ".join(["?" if connection.dialect.paramstyle == "qmark" else "%s"] * len(table.columns))
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))  # noqa: S608


def _begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("lineal_write", False)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
    else:
        connection.exec_driver_sql(
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
            if write
            else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
        )


@contextmanager
def translating() -> Iterator[None]:
    """Turn every error of the driver that leaves the block into one of ours."""
    try:
        yield
    except DBAPIError as error:
        raise _translated(error.orig or error) from error
    except SQLAlchemyError as error:
        raise StoreError(f"the database refused: {error}") from error
    except sqlite3.Error as error:
        raise _translated(error) from error


def _translated(error: BaseException) -> Exception:
    text = str(error).strip() or type(error).__name__
    name = getattr(error, "sqlite_errorname", "") or ""
    state = getattr(error, "sqlstate", "") or ""
    if name.startswith("SQLITE_FULL") or state.startswith("53"):
        return StoreFull(f"the database has no space left: {text}; nothing was recorded")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM")) or state in {"25006", "42501"}:
        return ReadOnlyStore(f"the database refuses writing: {text}; nothing was recorded")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or state.startswith("XX"):
        return InconsistentStore(f"the database file is damaged: {text}")
    # psycopg has no state for a server that cannot be reached, refuses a password, or hangs up.
    lost = type(error).__name__ == "OperationalError" and not name and not state
    if lost or name.startswith(("SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_LOCKED")) or state.startswith(_AWAY):
        return StoreUnavailable(f"the database cannot be used now: {text}")
    return StoreError(f"the database refused: {text}")
