"""The writer: many threads and processes append, few transactions commit."""

import threading
from collections.abc import Callable, Sequence

from lineal.core.event import Event
from lineal.errors import LinealError, ReadOnlyStore, StoreFull, StoreUnavailable
from lineal.ledger.commit import Group, Outcome, Receipt, commit_batch, prepare
from lineal.ledger.database import Database
from lineal.ledger.spool import Spool


class _Request:
    """What one call of `append` wants committed, and what became of it."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.outcome: Outcome | None = None


class Writer:
    """Appends events to one log; safe to share among threads, and to open in many processes at once.

    Threads that call `append` together are committed together by whichever of them holds the lock; processes likewise
    through the spool (SQLite) or one after the other through the head row (PostgreSQL).
    """

    def __init__(self, database: Database, log: str, spool: Spool | None, clock: Callable[[], str]) -> None:
        self._database = database
        self._log = log
        self._spool = spool
        self._clock = clock
        self._queue: list[_Request] = []
        self._queue_lock = threading.Lock()
        self._commit_lock = threading.Lock()
        self._broken: LinealError | None = None

    def append(self, events: Sequence[Event]) -> list[Receipt]:
        """Record `events` durably, all or none of them, and return their places in the log.

        Raises `EventConflict` or `ClaimTaken` when the log refuses one of them, and `StoreError` branches when the
        store does. After a failed commit whose outcome is unknown the writer refuses to go on: open the ledger again.
        """
        request = _Request([prepare(event, self._log) for event in events])
        with self._queue_lock:
            self._queue.append(request)
        with self._commit_lock:
            if request.outcome is None:
                with self._queue_lock:
                    together, self._queue = self._queue, []
                self._commit(together)
        if not isinstance(request.outcome, list):
            raise request.outcome or AssertionError
        return request.outcome

    def _commit(self, together: Sequence[_Request]) -> None:
        try:
            if self._broken is not None:
                raise StoreUnavailable(f"an earlier commit failed ({self._broken}); open the ledger again")
            outcomes = self._commit_groups([request.group for request in together])
        except LinealError as error:
            # A full disk or a refused lock left the database as it was; after anything else its state is unknown,
            # and a second fsync could claim what the first one lost.
            if not isinstance(error, StoreFull | StoreUnavailable | ReadOnlyStore):
                self._broken = error
            outcomes = [error] * len(together)
        except BaseException:
            # Interrupted: whoever waits for this commit is told, and finds out by sending again.
            for request in together:
                request.outcome = StoreUnavailable("the commit was interrupted; it may have been recorded")
            raise
        for request, outcome in zip(together, outcomes, strict=True):
            request.outcome = outcome

    def _commit_groups(self, groups: list[Group]) -> list[Outcome]:
        if self._spool is None:
            return commit_batch(self._database, groups, self._clock)
        with self._spool.holding(groups):
            waiting = self._spool.waiting(self._log)
            outcomes = commit_batch(self._database, [*groups, *waiting.values()], self._clock)
            self._spool.settle(list(waiting))
        return outcomes[: len(groups)]
