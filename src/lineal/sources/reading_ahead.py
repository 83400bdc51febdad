"""Reading ahead: some things at the same time, what is found in the order of the things, little of it waiting."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def read_ahead(
    pool: ThreadPoolExecutor, given: Iterable[T], read: Callable[[T], R], most: int
) -> Iterator[tuple[T, R]]:
    """Yield each thing with what `read` returns for it, in their order; at most `most` are read or wait to be taken.

    Raises what `read` raises; what was not begun then, or when nobody takes any more, is not begun.
    """
    waiting: deque[tuple[T, Future[R]]] = deque()
    try:
        for thing in given:
            waiting.append((thing, pool.submit(read, thing)))
            if len(waiting) >= most:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        for _, future in waiting:
            future.cancel()
