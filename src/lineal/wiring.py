"""Settings become objects: the only place that names concrete classes."""

import getpass
import hashlib
import os
import re
import secrets
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lineal import __version__
from lineal.app.session import Session
from lineal.catalog import project
from lineal.core import timestamp
from lineal.errors import (
    BadInput,
    InconsistentStore,
    NotALedger,
    ReadOnlyStore,
    StoreError,
    StoreUnavailable,
    UsageError,
)
from lineal.ledger.database import Database
from lineal.ledger.home import NAME, Home, find_home
from lineal.ledger.log import create_ledger, open_ledger
from lineal.objects.store import ObjectStore

_SOFTWARE: Final = f"lineal {__version__}"
_POSTGRESQL: Final = ("postgresql://", "postgres://")
_REBUILD: Final = "`lineal rebuild` makes the catalog anew from the ledger."
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the ledger is and who speaks: from the command line first, then from the environment.

    `ledger` is a folder or ``postgresql://…``; None means the nearest ``.lineal`` in this folder or above. `home` is
    where a PostgreSQL ledger keeps its key, its published log and its objects.
    """

    ledger: str | None = None
    actor: str | None = None
    home: Path | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str], ledger: str | None = None, actor: str | None = None) -> "Settings":
        """Return the settings that `environment` gives where the arguments leave them open."""
        home = environment.get("LINEAL_HOME")
        return cls(
            ledger=ledger or environment.get("LINEAL_LEDGER") or None,
            actor=actor or environment.get("LINEAL_ACTOR") or None,
            home=Path(home) if home else None,
        )


def now() -> str:
    """Return the present moment in its canonical spelling."""
    return timestamp.spell(datetime.now(UTC))


def default_actor() -> str:
    """Return who runs this process, as the operating system has it: ``user@host``."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return f"uid-{os.getuid()}@{socket.gethostname()}"


def _is_url(place: str) -> bool:
    return "://" in place


def locate(settings: Settings) -> Home:
    """Return the home of the ledger that `settings` name; raise `NotALedger` or `UsageError`."""
    place = settings.ledger
    if place is None:
        try:
            return find_home(Path.cwd())
        except FileNotFoundError as error:
            raise NotALedger("the present folder is gone", fix="Change to a folder that is there.") from error
    if place.startswith(_POSTGRESQL):
        return Home(settings.home or _home_for(place))
    if _is_url(place):
        raise UsageError(f"cannot use a ledger at {place.split('://')[0]}://", fix="Name a folder or postgresql://…")
    folder = Path(place)
    home = Home(folder if folder.name == NAME or (folder / "format").is_file() else folder / NAME)
    home.check()
    return home


def _home_for(url: str) -> Path:
    base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    plain = re.sub(r"//[^@/]*@", "//", url)
    return base / "lineal" / hashlib.sha256(plain.encode()).hexdigest()[:16]


def create(settings: Settings, folder: Path, origin: str | None) -> Home:
    """Make a new ledger: ``.lineal`` in `folder`, or in the database that `settings` name; return its home."""
    place = settings.ledger
    if place is not None and place.startswith(_POSTGRESQL):
        home = Home(settings.home or _home_for(place))
        create_ledger(home, origin or _origin(folder), now, lambda _: Database.postgresql(place), software=_SOFTWARE)
        return home
    if place is not None:
        folder = Path(place).parent if Path(place).name == NAME else Path(place)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReadOnlyStore(f"cannot make {folder}: {error.strerror}") from error
    home = Home(folder.absolute() / NAME)
    create_ledger(
        home,
        origin or _origin(folder),
        now,
        lambda made: Database.sqlite(made.ledger_file, create=True),
        software=_SOFTWARE,
    )
    return home


def _origin(folder: Path) -> str:
    name = _NOT_IN_NAMES.sub("-", folder.absolute().name).strip("-") or "ledger"
    return f"lineal.local/{name}-{secrets.token_hex(4)}"


def open_session(settings: Settings) -> Session:
    """Open the ledger that `settings` name and return a session on it.

    A ledger that may only be read is opened for reading. Raises `NotALedger`, `NewerFormat`, `IntegrityError` and
    `StoreError` branches.
    """
    home = locate(settings)
    home.check()
    if settings.ledger is not None and settings.ledger.startswith(_POSTGRESQL):
        ledger_database = Database.postgresql(settings.ledger)
        catalog = Database.postgresql(settings.ledger, durable=False)
    else:
        if not home.ledger_file.is_file():
            raise NotALedger(f"{home.root} has lost its database {home.ledger_file.name}")
        read_only = not (os.access(home.ledger_file, os.W_OK) and os.access(home.root, os.W_OK))
        ledger_database = Database.sqlite(home.ledger_file, read_only=read_only)
        catalog = _catalog_of(home, read_only=read_only)
    try:
        ledger = open_ledger(home, ledger_database, now)
        _prepare(catalog)
    except BaseException:
        ledger_database.close()
        catalog.close()
        raise
    objects = ObjectStore(home.objects_folder, read_only=not ledger.can_append)
    return Session(ledger, catalog, objects, _actor(settings))


def _prepare(catalog: Database) -> None:
    try:
        project.prepare(catalog)
    except InconsistentStore as error:
        raise InconsistentStore(f"the catalog cannot be read: {error.message}", fix=_REBUILD) from error


def discard_damaged_catalog(settings: Settings) -> bool:
    """Delete the catalog file of an embedded ledger if it is no database of a catalog; return whether it was deleted.

    Nothing is lost: the ledger is the truth, and the catalog is folded from it anew. Raises what `locate` raises.
    """
    home = locate(settings)
    if settings.ledger is not None and settings.ledger.startswith(_POSTGRESQL):
        return False
    if not home.catalog_file.is_file() or not os.access(home.root, os.W_OK):
        return False
    catalog = Database.sqlite(home.catalog_file, durable=False)
    try:
        project.prepare(catalog)
        project.fingerprint(catalog)
    except (InconsistentStore, StoreError):
        for suffix in ("", "-wal", "-shm"):
            home.catalog_file.with_name(home.catalog_file.name + suffix).unlink(missing_ok=True)
        return True
    finally:
        catalog.close()
    return False


def _catalog_of(home: Home, *, read_only: bool) -> Database:
    if not read_only:
        return Database.sqlite(home.catalog_file, create=True, durable=False)
    # The catalog of a ledger that cannot be written is folded anew, in a file that goes with the process.
    try:
        handle = tempfile.NamedTemporaryFile(prefix="lineal-catalog-", suffix=".db")  # noqa: SIM115
    except OSError as error:
        raise StoreUnavailable(f"no room for a temporary catalog: {error.strerror}") from error
    catalog = Database.sqlite(Path(handle.name), create=True, durable=False)
    catalog.keep(handle)
    return catalog


def _actor(settings: Settings) -> str:
    actor = settings.actor or default_actor()
    if not actor.isprintable() or len(actor) > 256:
        raise BadInput("the name of the actor holds control characters or is over 256 characters long")
    return actor
