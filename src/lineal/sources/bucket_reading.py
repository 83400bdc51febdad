"""Reading objects: their bytes in order, large ones by several requests at once, in a bounded piece of memory."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from types import TracebackType
from typing import Final, Self

from lineal.core.digest import Digest
from lineal.errors import DigestMismatch
from lineal.sources.bucket import Bucket, Listed, is_md5

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
        self._opaque = False

    def pieces(self, item: Listed) -> Iterator[bytes]:
        """Yield the bytes of the object from the first to the last. Raises as `Bucket.read`."""
        if item.size < LARGE:
            yield from self.bucket.read(item, 0, item.size)
            return
        with self._turn:
            yield from self._parts(item)

    def fetch(self, item: Listed, write: Callable[[bytes], object] | None = None) -> Digest:
        """Read the object, give each piece to `write`, and return the SHA-256 of what came.

        An ETag that can be the MD5 of the bytes is held against them. Raises `DigestMismatch` if it is not theirs, and
        what `Bucket.read` raises.
        """
        sha256 = hashlib.sha256()
        md5 = hashlib.md5(usedforsecurity=False) if is_md5(item.etag) and not self._opaque else None
        for piece in self.pieces(item):
            sha256.update(piece)
            if md5 is not None:
                md5.update(piece)
            if write is not None:
                write(piece)
        if md5 is not None and md5.hexdigest() != item.etag:
            if not self.bucket.is_opaque(item):
                name = self.bucket.uri.below(item.key)
                raise DigestMismatch(
                    f"{name} came with bytes whose MD5 is not its ETag {item.etag}; nothing was recorded",
                    fix="Run the command again; if it persists, the store or what lies between has altered the bytes.",
                )
            self._opaque = True  # such a bucket has many: asking of each would cost more than reading it
        return Digest(sha256.digest())

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
