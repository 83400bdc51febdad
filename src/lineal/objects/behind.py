"""Work done in order by one thread behind the caller, so that hashing and writing overlap with reading."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_MOST: Final = 12


class Behind:
    """A line of tasks for one thread, which starts with the first of them; the caller waits when too many stand in it.

    What a task raises is raised by a later call of `do` or `settle`; no further task is begun then.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()
        self.spare: deque[bytearray] = deque()
        """Buffers that tasks have done with, to be filled again."""

    @property
    def is_started(self) -> bool:
        """Whether there is a thread: without one, small work is quicker done by the caller."""
        return self._pool is not None

    def do(self, task: Callable[[], None]) -> None:
        """Let the thread do `task` after all that were given before."""
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # takes 3 ms that small batches need not pay

            self._pool = ThreadPoolExecutor(1)
        while len(self._waiting) >= _MOST or (self._waiting and self._waiting[0].done()):
            self._take()
        self._waiting.append(self._pool.submit(task))

    def settle(self) -> None:
        """Return when every task is done."""
        while self._waiting:
            self._take()

    def close(self) -> None:
        """Begin no further task, and return when the present one has ended, however it ended."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        self._waiting.clear()
        self.spare.clear()

    def _take(self) -> None:
        try:
            self._waiting.popleft().result()
        except BaseException:
            self.close()
            raise
