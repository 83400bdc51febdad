"""Bytes by key, wherever they lie: the small face through which a bucket can be the root of a store.

The keys are the paths of docs/format-objects.md. The local `ObjectStore` uses plain system calls instead, for what no
such face offers: reflinks, copies inside the kernel, and syncing to disk.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from lineal.errors import ObjectMissing, StoreUnavailable

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Backend


class ByteFace(Protocol):
    """Immutable bytes by key. Every method raises `StoreUnavailable` if the backend cannot be asked; the caller
    decides whether to try again: all methods can be repeated.
    """

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return up to `length` bytes from `start`; raise `ObjectMissing` if there is no such key."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write `data` whole or not at all; return False, changing nothing, if the key exists.

        As durable on return as the backend promises: S3, GCS and Azure are, a local folder is not.
        """

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield key and size in bytes of everything below the folder `prefix`, in no order."""

    def size(self, key: str) -> int | None:
        """Return the size in bytes of what is under `key`, or None."""


class ObstoreFace:
    """The face over any obstore backend: local folder, memory, S3, GCS or Azure."""

    def __init__(self, backend: "Backend") -> None:
        self._backend = backend

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return up to `length` bytes from `start`; raise `ObjectMissing` if there is no such key."""
        import obstore

        size = self.size(key)
        if size is None:
            raise ObjectMissing(f"no object under the key {key!r}")
        end = min(start + length, size)
        if end <= start:
            return b""
        with _told(key):
            return bytes(obstore.get_range(self._backend, key, start=start, end=end))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write `data` whole or not at all; return False, changing nothing, if the key exists."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with _told(key):
            try:
                obstore.put(self._backend, key, data, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield key and size in bytes of everything below the folder `prefix`, in no order."""
        import obstore

        with _told(prefix):
            for page in obstore.list(self._backend, prefix):
                for found in page:
                    yield found["path"], found["size"]

    def size(self, key: str) -> int | None:
        """Return the size in bytes of what is under `key`, or None."""
        import obstore

        with _told(key):
            try:
                return obstore.head(self._backend, key)["size"]
            except FileNotFoundError:
                return None


@contextmanager
def _told(key: str) -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        raise StoreUnavailable(f"the object store could not be asked about {key!r}: {error}") from error
