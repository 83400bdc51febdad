"""Ledgers and the producers who speak to them, for tests and for the processes that tests start."""

import secrets
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from lineal.core import timestamp
from lineal.core.event import SALT_SIZE, Event, statement_digest
from lineal.core.finding import Finding
from lineal.core.observation import Observation
from lineal.ledger.database import Database
from lineal.ledger.home import Home
from lineal.ledger.log import Ledger, create_ledger, open_ledger
from lineal.ledger.verify import verify_ledger

LOG = "lineal.test/log"


def until(true: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait for something that must come about, however slow or busy the machine."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.01)


def runs(process: int) -> bool:
    """Return whether a process has not ended, by Linux's account of it."""
    try:
        return (
            Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2][1]
            not in "ZX"
        )
    except OSError:
        return False


def now() -> str:
    return timestamp.spell(datetime.now(UTC))


def make_home(root: Path, origin: str = LOG, clock: Callable[[], str] = now) -> Home:
    """Make an embedded ledger in the folder `root` and leave it closed."""
    home = Home(root)
    create_ledger(home, origin, clock, lambda staged: Database.sqlite(staged.ledger_file, create=True))
    return home


def open_at(home: Home, clock: Callable[[], str] = now, *, read_only: bool = False) -> Ledger:
    database = Database.sqlite(home.ledger_file, read_only=read_only)
    try:
        return open_ledger(home, database, clock)
    except BaseException:
        database.close()
        raise


class Speaker:
    """A producer that numbers and chains what it says, for the log named `log`.

    With a `moment` it says all of it then, and with salts that depend on its words: the same bytes in every process.
    """

    def __init__(self, producer: str = "p", log: str = LOG, moment: str | None = None) -> None:
        self.moment = moment
        self.producer = producer
        self.log = log
        self.seq = 0
        self.prev: str | None = None

    def says(self, *, claims: Iterable[str] = (), name: str | None = None, **said: Any) -> Event:
        """Return the next statement; `said` are fields of its `Observation`."""
        moment = self.moment or now()
        said = {"type": "test.said/1", "time": moment, "actor": "tester", "basis": "claimed", **said}
        observation = Observation(**said)
        event = Event(
            id=name if name is not None else f"{self.producer}-{self.seq}",
            type=observation.type,
            log=self.log,
            producer=self.producer,
            seq=self.seq,
            prev=self.prev,
            time=observation.time,
            said=moment,
            basis=observation.basis,
            subject=observation.subject,
            claims=tuple(claims),
            salt=secrets.token_bytes(SALT_SIZE) if self.moment is None else self._salt(),
            body=observation.body(),
        )
        self.seq += 1
        self.prev = statement_digest(event.statement())
        return event

    def _salt(self) -> bytes:
        return sha256(f"{self.producer} {self.seq}".encode()).digest()

    def many(self, count: int) -> list[Event]:
        return [self.says(data={"n": number}) for number in range(count)]


def failures(ledger: Ledger) -> list[Finding]:
    """Return the findings of a whole verification that fail it."""
    return [finding for finding in verify_ledger(ledger) if finding.failed]
