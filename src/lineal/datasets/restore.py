"""Writing a dataset version back to a folder: every byte checked, nothing outside the folder, only what differs."""

import errno
import fcntl
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lineal.core.digest import Digest
from lineal.datasets.contents import Contents, StoredContents
from lineal.datasets.manifest import Entry, entries, load
from lineal.datasets.tree import LEFT_OUT, Cursor, Found, walk
from lineal.errors import AlreadyExists, BadInput, BadManifest, DigestMismatch, ObjectChanged
from lineal.objects.durable import store_errors
from lineal.objects.store import ObjectStore

Progress = Callable[[int, int], None]
OnEntry = Callable[[Entry, Digest], None]
_FOLDER: int = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
_TEMP: int = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: files and bytes written, files that were there already, others that it left alone."""

    files: int
    bytes: int
    skipped: int
    others: int


def restore(
    digest: Digest,
    store: ObjectStore,
    target: Path,
    *,
    contents: Contents | None = None,
    force: bool = False,
    on_progress: Progress | None = None,
    on_entry: OnEntry | None = None,
) -> Restored:
    """Write the dataset version `digest` into the folder `target`, making it if need be.

    Files that are there with the right content are skipped. Without `force`, a target that holds anything else is
    refused before anything is written, so a restore that was interrupted can be run again and nothing is lost; with
    it, files that differ are replaced, and files that the version does not name are left and counted. Each file
    appears whole or not at all. The bytes are had from `contents`, by default the store, and pinned files become
    ordinary ones. `on_progress` gets files and bytes handled so far, `on_entry` each entry that is there now, with the
    digest of its bytes.

    Raises `AlreadyExists`, `BadInput`, `BadManifest`, `ObjectMissing`, `DigestMismatch`, the store's errors and those
    of `contents`.
    """
    contents = contents or StoredContents(store)
    others = _compare(digest, store, target, contents, force=force)
    with store_errors(target, writing=True):
        target.mkdir(parents=True, exist_ok=True)
        root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with _temp_folder(root, digest) as temp:
                writer = _Writer(store, contents, root, temp, force=force)
                with closing(writer.cursor):
                    for entry in entries(load(digest, store), store):
                        found = writer.write(entry)
                        if on_entry is not None:
                            on_entry(entry, found)
                        if on_progress is not None:
                            on_progress(writer.files + writer.skipped, writer.bytes)
        finally:
            os.close(root)
    return Restored(writer.files, writer.bytes, writer.skipped, others)


def _compare(digest: Digest, store: ObjectStore, target: Path, contents: Contents, *, force: bool) -> int:
    """Check the paths of the whole manifest, and what `target` holds against it; return how many files it does not
    name.
    """
    wanted = entries(load(digest, store), store)
    entry = _safe_next(wanted)
    others = 0
    for folder, found in _present(target, _temp_name(digest)):
        while entry is not None and entry.path < found.path:
            entry = _safe_next(wanted)
        is_named = entry is not None and entry.path == found.path
        others += not is_named
        if not force and not (is_named and entry is not None and _confirm(entry, folder, found.name, contents)):
            raise AlreadyExists(
                f"{str(target)!r} holds {os.fsdecode(found.path)!r}, which is not so in {digest}; nothing was written",
                fix="Name an empty folder, or add --force to replace what differs and leave other files alone.",
            )
    while entry is not None:
        entry = _safe_next(wanted)
    return others


def _safe_next(wanted: Iterator[Entry]) -> Entry | None:
    entry = next(wanted, None)
    # A file system that ignores case would take .GIT for .git, whose files other programs execute.
    if entry is not None and any(segment.lower() in LEFT_OUT for segment in entry.path.split(b"/")):
        raise BadManifest(f"the version names {entry.path!r}, which belongs to a tool: nothing was written")
    return entry


def _present(target: Path, temp: bytes) -> Iterator[tuple[int, Found]]:
    try:
        descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadInput(f"cannot restore into {str(target)!r}: {error.strerror}") from error
    with closing(Cursor(descriptor)) as cursor:
        for found in walk(cursor):
            if found.path.split(b"/")[0] != temp:
                yield cursor.descriptor, found


def _temp_name(digest: Digest) -> bytes:
    return f".lineal-restore-{digest.hex[:16]}".encode()


@contextmanager
def _temp_folder(root: int, digest: Digest) -> Iterator[int]:
    """Open the folder for files being written, below the target so that rename works; remove it in the end."""
    name = _temp_name(digest)
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=root)
    folder = os.open(name, _FOLDER, dir_fd=root)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyExists("another restore of this version into this folder is under way") from error
        try:
            _empty(folder)
            yield folder
        finally:
            _empty(folder)
            os.rmdir(name, dir_fd=root)
    finally:
        os.close(folder)


def _empty(folder: int) -> None:
    for left in os.listdir(folder):
        os.unlink(left, dir_fd=folder)


def _confirm(entry: Entry, folder: int, name: bytes, contents: Contents) -> Digest | None:
    """Return the digest of what is there under `name`, if it is `entry`; None if not, or if that cannot be told."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if entry.kind == "l":
        is_link = stat.S_ISLNK(status.st_mode) and Digest.of(os.readlink(name, dir_fd=folder)) == entry.digest
        return entry.digest if is_link else None
    if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size:
        return None
    if entry.kind != "p" and bool(status.st_mode & stat.S_IXUSR) != (entry.kind == "x"):
        return None
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    try:
        return contents.confirm(entry, descriptor)
    except ObjectChanged:
        return None
    finally:
        os.close(descriptor)


def _is_exact(folder: int) -> bool:
    """Return whether the file system takes names that differ in case, or in how an accent is spelled, for different."""
    probe = "caf\u00e9"
    os.close(os.open(probe, _TEMP, 0o600, dir_fd=folder))
    try:
        for other in (probe.upper(), unicodedata.normalize("NFD", probe)):
            with suppress(FileNotFoundError):
                os.stat(other, dir_fd=folder)
                return False
        return True
    finally:
        os.unlink(probe, dir_fd=folder)


class _Writer:
    """Writes entries in their order. Every name is opened relative to an open folder, and no link is followed."""

    def __init__(self, store: ObjectStore, contents: Contents, root: int, temp: int, *, force: bool) -> None:
        self.cursor = Cursor(os.dup(root))
        self.files = self.bytes = self.skipped = 0
        self._store, self._contents, self._temp, self._force = store, contents, temp, force
        self._folder: bytes | None = None
        self._first_new: int | None = None
        self._is_exact = _is_exact(temp)

    def write(self, entry: Entry) -> Digest:
        """Write one entry, unless it is there already; return the digest of its bytes."""
        folder, _, name = entry.path.rpartition(b"/")
        if folder != self._folder:
            try:
                self._go(tuple(folder.split(b"/")) if folder else ())
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                raise AlreadyExists(f"a link or file is where {os.fsdecode(entry.path)!r} needs a folder") from error
            self._folder = folder
        if self._first_new is None and (found := self._find(entry, name)) is not None:
            self.skipped += 1
            return found
        temp = f"{self.files:x}"
        found = self._link(entry, temp) if entry.kind == "l" else self._file(entry, temp)
        try:
            os.rename(temp, name, src_dir_fd=self._temp, dst_dir_fd=self.cursor.descriptor)
        except IsADirectoryError as error:
            raise AlreadyExists(f"a folder is in the way of {os.fsdecode(entry.path)!r}") from error
        self.files += 1
        self.bytes += entry.size
        return found

    def _go(self, folders: tuple[bytes, ...]) -> None:
        """Go to a folder, making it if need be; below one that was made here there is nothing to look for."""
        while self.cursor.names != folders[: len(self.cursor.names)]:
            self.cursor.leave()
        depth = len(self.cursor.names)
        if self._first_new is not None and self._first_new >= depth:
            self._first_new = None
        for number, name in enumerate(folders[depth:], depth):
            try:
                os.mkdir(name, dir_fd=self.cursor.descriptor)
            except FileExistsError:
                pass
            else:
                self._first_new = number if self._first_new is None and self._is_exact else self._first_new
            self.cursor.enter(name)

    def _find(self, entry: Entry, name: bytes) -> Digest | None:
        try:
            found = _confirm(entry, self.cursor.descriptor, name, self._contents)
        except FileNotFoundError:
            return None
        if found is None and not self._force:
            raise AlreadyExists(
                f"{os.fsdecode(entry.path)!r} exists and differs from the version; it was not changed",
                fix="Name an empty folder, or add --force to replace what differs.",
            )
        return found

    def _link(self, entry: Entry, temp: str) -> Digest:
        destination = self._store.read(entry.digest)
        if len(destination) != entry.size or not destination or b"\0" in destination:
            raise BadManifest(f"{entry.path!r} cannot be a symbolic link: {entry.digest}")
        os.symlink(destination, os.fsencode(temp), dir_fd=self._temp)
        return entry.digest

    def _file(self, entry: Entry, temp: str) -> Digest:
        if isinstance(self._contents, StoredContents) and self._contents.link_into(
            entry, self._temp, os.fsencode(temp)
        ):
            return entry.digest
        descriptor = os.open(temp, _TEMP, 0o777 if entry.kind == "x" else 0o666, dir_fd=self._temp)
        try:
            found = self._contents.copy_into(entry, descriptor)
            if os.fstat(descriptor).st_size != entry.size:
                raise BadManifest(
                    f"{entry.path!r} is recorded with {entry.size} bytes, which its content does not have"
                )
        finally:
            os.close(descriptor)
        if entry.kind != "p" and found != entry.digest:
            raise DigestMismatch(f"the content of {entry.path!r} has the digest {found}, recorded as {entry.digest}")
        return found
