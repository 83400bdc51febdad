"""Where the bytes of a dataset version are had from: the object store, a bucket, the cache of another tool."""

from typing import Protocol

from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry
from lineal.errors import BadManifest
from lineal.objects.copying import fingerprint
from lineal.objects.store import ObjectStore


class Contents(Protocol):
    """What a restore needs of a place that has the bytes of files (never asked for links)."""

    def copy_into(self, entry: Entry, target: int) -> Digest:
        """Write the content of `entry` to the new, empty file open as `target`; return the digest of what it holds.

        Raises `DigestMismatch` if what was found is not what the entry, or its pin, says; `ObjectMissing` and
        `SourceError` branches if it cannot be had.
        """

    def confirm(self, entry: Entry, descriptor: int) -> Digest | None:
        """Return the digest of the open file if it is, byte for byte, the content of `entry`; None if not, or if that
        cannot be told without fetching it.
        """


class StoredContents:
    """The object store as contents: what it holds is named by its own digest."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def copy_into(self, entry: Entry, target: int) -> Digest:
        """Write the object of `entry` to `target`; raise `BadManifest` for a pin, whose bytes are elsewhere."""
        if entry.kind == "p":
            raise BadManifest(f"the bytes of {entry.path!r} are not in the object store: only what identifies them is")
        if self._store.copy_into(entry.digest, target) != entry.size:
            raise BadManifest(f"{entry.path!r} is recorded with a size that {entry.digest} does not have")
        return entry.digest

    def confirm(self, entry: Entry, descriptor: int) -> Digest | None:
        """Return the digest of the open file if it is that of `entry`."""
        found = fingerprint(descriptor, repr(entry.path))[0]
        return found if found == entry.digest and entry.kind != "p" else None
