"""Reading objects: their bytes in order, large ones by several requests at once, in a bounded piece of memory."""

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from types import TracebackType
from typing import Final, Self

from lineal.core.digest import Digest
from lineal.sources.bucket import Bucket, Listed

PART: Final = 8 << 20
_AHEAD: Final = 4
_LARGE_AT_ONCE: Final = 2
LARGE: Final = 4 * PART
"""From this size on an object is read in parts: one stream of S3 gives some 90 MB/s, whatever the line."""


class Reader:
    """Reads from one bucket for any number of threads. A context manager: leaving it ends its own threads.

    Of large objects, `_LARGE_AT_ONCE` are read at the same time with `_AHEAD` parts each: 64 MiB in all.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self._pool = ThreadPoolExecutor(_AHEAD * _LARGE_AT_ONCE, "lineal-parts")
        self._turn = BoundedSemaphore(_LARGE_AT_ONCE)

    def pieces(self, item: Listed) -> Iterator[bytes]:
        """Yield the bytes of the object from the first to the last. Raises as `Bucket.read`."""
        if item.size < LARGE:
            yield from self.bucket.read(item, 0, item.size)
            return
        with self._turn:
            yield from self._parts(item)

    def digest(self, item: Listed) -> Digest:
        """Return the SHA-256 of the bytes of the object."""
        running = hashlib.sha256()
        for piece in self.pieces(item):
            running.update(piece)
        return Digest(running.digest())

    def close(self) -> None:
        """End the threads; what they read ahead is dropped."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _parts(self, item: Listed) -> Iterator[bytes]:
        waiting: deque[Future[list[bytes]]] = deque()
        starts = iter(range(0, item.size, PART))
        try:
            for start in starts:
                waiting.append(self._pool.submit(self._part, item, start))
                if len(waiting) == _AHEAD:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()

    def _part(self, item: Listed, start: int) -> list[bytes]:
        return list(self.bucket.read(item, start, min(start + PART, item.size)))
