"""Where the bytes of a dataset version are had from: the object store, a bucket, the cache of another tool."""

import os
from typing import Literal, Protocol

from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry
from lineal.errors import BadInput, BadManifest
from lineal.objects.copying import fingerprint
from lineal.objects.store import ObjectStore

Link = Literal["reflink", "hardlink", "copy"]


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
    """The object store as contents: what it holds is named by its own digest.

    With `link` None, blocks are shared where the file system can and copied where it cannot; ``reflink`` and ``copy``
    insist on the one or the other, ``hardlink`` makes files other names of the loose objects. Objects in packs are
    always copied.
    """

    def __init__(self, store: ObjectStore, link: Link | None = None) -> None:
        self._store = store
        self._link = link
        self._clone = {"reflink": True, "copy": False}.get(link or "")

    def copy_into(self, entry: Entry, target: int) -> Digest:
        """Write the object of `entry` to `target`; raise `BadManifest` for a pin, whose bytes are elsewhere."""
        if entry.kind == "p":
            raise BadManifest(f"the bytes of {entry.path!r} are not in the object store: only what identifies them is")
        try:
            size = self._store.copy_into(entry.digest, target, clone=self._clone)
        except OSError as error:
            if not self._clone:
                raise
            raise BadInput(
                f"cannot restore {entry.path!r} by reflink: {error.strerror}", fix="Leave --link out."
            ) from error
        _check_size(entry, size)
        return entry.digest

    def link_into(self, entry: Entry, folder: int, name: bytes) -> bool:
        """Make `name` in the open `folder` a hard link to the object of `entry`; return whether that can be.

        A file that may be executed cannot: its mode would be the object's.
        """
        if self._link != "hardlink" or entry.kind != "f":
            return False
        try:
            size = self._store.link_into(entry.digest, folder, name)
        except OSError as error:
            said = error.strerror or str(error)
            raise BadInput(
                f"cannot restore {os.fsdecode(entry.path)!r} as a hard link: {said}",
                fix="Leave --link out, or restore into a folder on the file system of the object store.",
            ) from error
        if size is None:
            return False
        _check_size(entry, size)
        return True

    def confirm(self, entry: Entry, descriptor: int) -> Digest | None:
        """Return the digest of the open file if it is that of `entry`."""
        found = fingerprint(descriptor, repr(entry.path))[0]
        return found if found == entry.digest and entry.kind != "p" else None


def _check_size(entry: Entry, size: int) -> None:
    if size != entry.size:
        raise BadManifest(f"{entry.path!r} is recorded with a size that {entry.digest} does not have")
