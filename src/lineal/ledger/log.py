"""One ledger: made, opened, appended to, published."""

import secrets
import shutil
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from lineal.core.checkpoint import Checkpoint
from lineal.core.event import SALT_SIZE, Event
from lineal.core.observation import Observation
from lineal.errors import (
    AlreadyExists,
    BadInput,
    InconsistentStore,
    LinealError,
    NewerFormat,
    NotALedger,
    ReadOnlyStore,
    Refused,
    StoreError,
)
from lineal.ledger import tables
from lineal.ledger.commit import Receipt, create_rows
from lineal.ledger.database import Database
from lineal.ledger.disk import sync_folder
from lineal.ledger.home import Home
from lineal.ledger.keys import SigningKey, VerifyingKey, load_key, save_key
from lineal.ledger.log_files import LogFiles
from lineal.ledger.publish import Publisher, check_start
from lineal.ledger.reader import Reader, read_properties
from lineal.ledger.spool import Spool
from lineal.ledger.writer import Writer

Clock = Callable[[], str]

PRODUCER: Final = "ledger"
_PUBLISH_EVERY: Final = 4096


class Ledger:
    """An open ledger. Opening it has held the signed checkpoint against the store.

    `signer` is None where the private key is not at hand: then it can be read and verified only.
    """

    def __init__(
        self,
        home: Home,
        database: Database,
        key: VerifyingKey,
        signer: SigningKey | None,
        clock: Clock,
        *,
        unsigned: int = 0,
        unusable: LinealError | None = None,
    ) -> None:
        self.home = home
        self.database = database
        self.key = key
        self.clock = clock
        self.reader = Reader(database)
        self.files = LogFiles(home.log_folder)
        self._writer: Writer | None = None
        self._publisher: Publisher | None = None
        self._unpublished = unsigned  # what a process that died left committed but not signed
        self._recorded = False
        self._unusable = unusable
        if signer is not None and not database.read_only:
            self._writer = self._make_writer()
            self._publisher = Publisher(database, self.files, key.name, signer, key)

    def _make_writer(self) -> Writer:
        spool = Spool(self.home.spool_folder) if self.database.is_sqlite else None
        return Writer(self.database, self.key.name, spool, self.clock)

    def leave_to_parent(self) -> None:
        """Go on in a forked process with connections and locks of its own."""
        self.database.leave_to_parent()
        self._unpublished = 0
        if self._writer is not None:
            self._writer = self._make_writer()

    def _refusal(self, consequence: str) -> LinealError:
        if self._unusable is not None:
            return self._unusable
        if self.database.read_only:
            return ReadOnlyStore(f"the ledger is open for reading only; {consequence}")
        place = self.home.private_key_file
        return ReadOnlyStore(
            f"the log's private key {place} is not there: the ledger can only be read; {consequence}",
            fix=f"Put the key back as {place}, mode 0600.",
        )

    @property
    def can_append(self) -> bool:
        """Whether the ledger is open for writing, with its key at hand."""
        return self._writer is not None

    @property
    def origin(self) -> str:
        """The log's name in checkpoints, unlike that of any other log."""
        return self.key.name

    def append(self, events: Sequence[Event]) -> list[Receipt]:
        """Record `events` durably; see `Writer.append`. Raises `ReadOnlyStore` on a ledger opened for reading."""
        if self._writer is None:
            raise self._refusal("nothing was recorded")
        receipts = self._writer.append(events)
        self._unpublished += len(receipts)
        self._recorded = True
        if self._unpublished >= _PUBLISH_EVERY:
            self.publish()
        return receipts

    def publish(self) -> Checkpoint | None:
        """Sign and publish every entry committed so far; see `Publisher.publish`."""
        if self._publisher is None:
            raise self._refusal("nothing was signed")
        self._unpublished = 0
        return self._publisher.publish()

    def close(self) -> None:
        """Publish what this process recorded, or one before it left, and let go of the database.

        Who only read is not told that the other's could not be published: whoever writes next tries again.
        """
        try:
            if self._unpublished and self._publisher is not None:
                self.publish()
        except StoreError:
            if self._recorded:
                raise
        finally:
            self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_ledger(home: Home, database: Database, clock: Clock) -> Ledger:
    """Return the ledger in `home` and `database`, after holding its signed checkpoint against the store.

    Raises `NotALedger`, `NewerFormat`, `InconsistentStore`, `BadSignature` and `StoreError` branches.
    """
    home.check()
    key = read_public_key(home)
    with database.reading() as connection:
        properties = read_properties(connection)
    _check_properties(properties, key)
    unsigned = check_start(database, LogFiles(home.log_folder), key)
    signer, unusable = None, None
    if not database.read_only and home.private_key_file.exists():
        try:
            signer = load_key(home.private_key_file)
        except Refused as error:  # reading and verifying need no private key
            unusable = error
        if signer is not None and signer.verifying_key != key:
            raise InconsistentStore(f"{home.private_key_file} is not the key of {home.public_key_file}")
    return Ledger(home, database, key, signer, clock, unsigned=unsigned, unusable=unusable)


def read_public_key(home: Home) -> VerifyingKey:
    """Return the verifying key of the ledger in `home`; raise `InconsistentStore` or `StoreError`."""
    try:
        return VerifyingKey.parse(home.public_key_file.read_text(encoding="utf-8").strip())
    except (BadInput, UnicodeDecodeError) as error:
        raise InconsistentStore(f"{home.public_key_file} does not hold a verifying key: {error}") from error
    except OSError as error:
        raise StoreError(f"cannot read {home.public_key_file}: {error.strerror}") from error


def _check_properties(properties: dict[str, str], key: VerifyingKey) -> None:
    if not properties.get("format", "").isdecimal():
        raise NotALedger("the database holds no ledger")
    if int(properties["format"]) > tables.FORMAT:
        raise NewerFormat(f"the ledger has format {properties['format']}; this Lineal reads format {tables.FORMAT}")
    if properties.get("vkey") != str(key) or properties.get("origin") != key.name:
        raise InconsistentStore("the ledger's database and its verifying key are of different ledgers")


def create_ledger(
    home: Home, origin: str, clock: Clock, connect: Callable[[Home], Database], *, software: str = "lineal"
) -> None:
    """Make a ledger named `origin` in `home`; it appears whole or not at all.

    `connect` gives the database for a home; `software` says in entry 0 what made it. Raises `AlreadyExists` if
    `home` is there, `BadInput` for an origin that cannot be a key's name, `StoreError` branches when it cannot be
    written.
    """
    if home.root.exists():
        raise AlreadyExists(f"{home.root} exists already", fix="Use it as it is, or name another place with --ledger.")
    signer = SigningKey.generate(origin)
    staged = Home(home.root.with_name(f"{home.root.name}.{secrets.token_hex(4)}.tmp"))
    try:
        _lay_out(staged, signer)
        database = connect(staged)
        try:
            now = clock()
            _create_tables(database, signer.verifying_key, now)
        except BaseException:
            database.close()
            raise
        with Ledger(staged, database, signer.verifying_key, signer, clock) as ledger:
            ledger.append([_created(signer.verifying_key, now, software)])
        staged.root.rename(home.root)
        sync_folder(home.root.parent)
    except OSError as error:
        raise StoreError(f"cannot make a ledger in {home.root}: {error.strerror}") from error
    finally:
        shutil.rmtree(staged.root, ignore_errors=True)


def _lay_out(home: Home, signer: SigningKey) -> None:
    home.root.mkdir(parents=True)
    for folder in (home.log_folder, home.objects_folder, home.spool_folder):
        folder.mkdir()
    home.private_key_file.parent.mkdir(mode=0o700)
    save_key(home.private_key_file, signer)
    home.public_key_file.write_text(f"{signer.verifying_key}\n", encoding="utf-8")
    (home.root / ".gitignore").write_text("*\n", encoding="ascii")
    home.write_format()


def _create_tables(database: Database, key: VerifyingKey, now: str) -> None:
    with database.writing() as connection:
        if database.engine.dialect.has_table(connection, tables.ledger.name):
            raise AlreadyExists("the database holds a ledger already")
        tables.metadata.create_all(connection)
        properties = {"format": str(tables.FORMAT), "origin": key.name, "vkey": str(key), "created": now}
        create_rows(connection, properties, now)


def _created(key: VerifyingKey, now: str, software: str) -> Event:
    """Return entry 0: it commits the log to its own name and key."""
    data = {"origin": key.name, "vkey": str(key), "format": tables.FORMAT, "software": software}
    said = Observation(type="ledger.created/1", time=now, actor=PRODUCER, basis="observed", data=data)
    return Event(
        id="created",
        type=said.type,
        log=key.name,
        producer=PRODUCER,
        seq=0,
        prev=None,
        time=now,
        said=now,
        basis=said.basis,
        subject=(),
        claims=(),
        salt=secrets.token_bytes(SALT_SIZE),
        body=said.body(),
    )
