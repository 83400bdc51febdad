"""Where the bytes of a table's files are had from, so that what is read is what the manifest names."""

import os
import tempfile
from collections.abc import Callable
from typing import BinaryIO, Final, Protocol

from lineal.core.digest import Digest
from lineal.datasets.contents import Contents
from lineal.datasets.manifest import Entry
from lineal.errors import DigestMismatch, ObjectChanged
from lineal.objects.copying import copy_and_hash, fingerprint, open_source
from lineal.objects.durable import store_errors

_SMALL: Final = 1 << 20
_DOUBT_NS: Final = 1_000_000_000


class Files(Protocol):
    """What reading a table needs of a place that has its files."""

    def open(self, entry: Entry) -> BinaryIO:
        """Return the content of `entry`, open for reading from its first byte, seekable; the caller closes it.

        Raises `ObjectChanged` or `DigestMismatch` if it is not what the entry says, and what the place raises.
        """


class SourceFiles:
    """The folder or file of which a snapshot was just taken.

    A file of up to 1 MiB is hashed again. A larger one is held to be what was hashed if it was not written to from a
    second before `since` (nanoseconds since the epoch; the snapshot began then, or a moment before), by its ctime,
    which no writer can set back.
    """

    def __init__(self, root: bytes, since: int) -> None:
        self._root = root
        self._is_folder = os.path.isdir(root)
        self._since = since

    def open(self, entry: Entry) -> BinaryIO:
        """Return the file of `entry`; raise `ObjectChanged` if it is no longer the one that was hashed."""
        path = os.path.join(self._root, entry.path) if self._is_folder else self._root
        name = os.fsdecode(path)
        descriptor = open_source(path, name)
        try:
            status = os.fstat(descriptor)
            same = status.st_size == entry.size
            if same and (entry.size <= _SMALL or not status.st_ctime_ns < self._since - _DOUBT_NS):
                same = fingerprint(descriptor, name)[0] == entry.digest
            if not same:
                raise ObjectChanged(f"{name!r} changed after it was read for the snapshot")
            os.lseek(descriptor, 0, os.SEEK_SET)
        except BaseException:
            os.close(descriptor)
            raise
        return os.fdopen(descriptor, "rb")


class KeptFiles:
    """What a version keeps, wherever that is: each file is copied into a nameless one and checked before it is read.

    `make` gives the contents, anew for each file: those of a bucket are asked for in the order of the version only.
    """

    def __init__(self, make: Callable[[], Contents]) -> None:
        self._make = make

    def open(self, entry: Entry) -> BinaryIO:
        """Return a checked copy of `entry`; raises what `Contents.copy_into` raises."""
        contents = self._make()
        file = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
        try:
            with store_errors(tempfile.gettempdir(), writing=True):
                contents.copy_into(entry, file.fileno())
                file.seek(0)
        except BaseException:
            file.close()
            raise
        return file


class ReferencedContents:
    """A folder or file of which only the digests were kept, as contents: good for what is still there unaltered."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    def copy_into(self, entry: Entry, target: int) -> Digest:
        """Copy the file of `entry`; raise `DigestMismatch` if it has changed since, `BadInput` if it is not there."""
        path = os.path.join(self._root, entry.path) if os.path.isdir(self._root) else self._root
        name = os.fsdecode(path)
        source = open_source(path, name)
        try:
            found = copy_and_hash(source, target, os.fstat(source).st_size, name)
        finally:
            os.close(source)
        if found != entry.digest:
            raise DigestMismatch(f"{name!r} is no longer the file that is recorded: it has the digest {found}")
        return found

    def confirm(self, entry: Entry, descriptor: int) -> Digest | None:
        """Return the digest of the open file if it is that of `entry`."""
        found = fingerprint(descriptor, repr(entry.path))[0]
        return found if found == entry.digest else None
