"""A session: the open parts of one ledger, and one producer that speaks to it."""

import os
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from lineal.catalog import project
from lineal.catalog.configuration import Configuration
from lineal.catalog.reader import Catalog
from lineal.core.event import SALT_SIZE, Event
from lineal.core.observation import Gap, Observation
from lineal.errors import ClaimTaken, StoreError
from lineal.ledger.commit import Receipt
from lineal.ledger.database import Database
from lineal.ledger.log import Clock, Ledger
from lineal.objects.store import ObjectStore

Append = Callable[[Sequence[Event]], list[Receipt]]

_TRIES: Final = 256


class Session:
    """One producer's sequence of statements, with the ledger, the catalog and the objects that it works on.

    Statements of a session are numbered from 0 and chained; calls from several threads take turns. Open one session
    for each thread that must not wait for the others.
    """

    def __init__(
        self, ledger: Ledger, catalog: Database, objects: ObjectStore, actor: str, producer: str | None = None
    ) -> None:
        self.ledger = ledger
        self.objects = objects
        self.actor = actor
        self.producer = producer if producer is not None else f"session-{secrets.token_hex(8)}"
        self._catalog = catalog
        self._seq = 0
        self._prev: str | None = None
        self._lock = threading.Lock()
        self._process = os.getpid()

    @property
    def clock(self) -> Clock:
        """Gives the present moment in its canonical spelling."""
        return self.ledger.clock

    @property
    def catalog(self) -> Catalog:
        """The catalog, after following the ledger to its end."""
        self.catch_up()
        return Catalog(self._catalog)

    @property
    def configuration(self) -> Configuration:
        """What the catalog says of configuration, after following the ledger to its end."""
        self.catch_up()
        return Configuration(self._catalog)

    @property
    def catalog_database(self) -> Database:
        """Where the catalog stands, for rebuilding it."""
        return self._catalog

    def catch_up(self, on_progress: Callable[[int, int], None] | None = None) -> int:
        """Let the catalog follow the ledger; return the number of entries folded."""
        self._notice_fork()
        return project.catch_up(self._catalog, self.ledger.reader, on_progress)

    def say(self, observation: Observation) -> Receipt:
        """Record one observation durably and return its place; see `say_all`."""
        return self.say_all([observation])[0]

    def say_all(self, observations: Sequence[Observation], append: Append | None = None) -> list[Receipt]:
        """Record `observations` durably, in order, in one commit, and return their places.

        `append` takes the events in the place of `Ledger.append`. Raises what that raises; the session can speak again
        then: with its numbers as before when nothing was recorded, as a new producer when that is not known.
        """
        self._notice_fork()
        with self._lock:
            events = list(self._make(observations))
            try:
                receipts = (append or self.ledger.append)(events)
            except ClaimTaken:
                raise
            except StoreError:
                self._begin_anew()  # the events may stand in the log: their numbers must not be given again
                raise
            if events:
                self._seq += len(events)
                self._prev = events[-1].digest()
            return receipts

    def say_numbered(self, make: Callable[[], Observation | None]) -> Receipt | None:
        """Record the observation that `make` gives, which claims the next free number of something.

        When another producer takes that number first, `make` is asked again; None from it means that there is nothing
        left to say. Raises `ClaimTaken` after very many tries: each that is lost, somebody else has won.
        """
        for attempt in range(_TRIES):
            observation = make()
            if observation is None:
                return None
            try:
                return self.say(observation)
            except ClaimTaken:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError

    def _begin_anew(self) -> None:
        """Become another producer, whose statements are numbered from 0."""
        self.producer = f"session-{secrets.token_hex(8)}"
        self._seq, self._prev = 0, None

    def _notice_fork(self) -> None:
        """In a forked process, become a producer of its own: the parent goes on with its sequence of statements."""
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._begin_anew()
        self.ledger.leave_to_parent()
        self._catalog.leave_to_parent()

    def _make(self, observations: Iterable[Observation]) -> Iterable[Event]:
        prev = self._prev
        head = self.ledger.reader.head().taken if self._seq == 0 else ""
        for number, observation in enumerate(observations):
            said = self.clock()
            body = observation if not head or said >= head else _note_clock(observation, said, head)
            event = Event(
                # Names in the order of their making keep the index of names from being written all over.
                id=f"{self._seq + number:012x}{secrets.token_hex(10)}",
                type=observation.type,
                log=self.ledger.origin,
                producer=self.producer,
                seq=self._seq + number,
                prev=prev,
                time=observation.time,
                said=said,
                basis=observation.basis,
                subject=observation.subject,
                claims=observation.claims,
                salt=secrets.token_bytes(SALT_SIZE),
                body=body.body(),
            )
            prev = event.digest()
            head = ""
            yield event

    def close(self) -> None:
        """Publish what was recorded and let go of the databases."""
        try:
            self.ledger.close()
        finally:
            self._catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _note_clock(observation: Observation, said: str, head: str) -> Observation:
    """Return `observation` with a gap that says the clock went back: its times may not be in the order of the log."""
    gap = Gap("clock.went_back", f"the clock of the producer says {said}, before the ledger's last entry at {head}")
    return replace(observation, gaps=(*observation.gaps, gap))
