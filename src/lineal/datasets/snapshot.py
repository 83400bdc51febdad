"""A snapshot: the content of a folder or file, stored and named by the digest of its manifest."""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry, write
from lineal.datasets.tree import Cursor, Found, walk
from lineal.errors import BadInput, ObjectChanged
from lineal.objects.batch import Batch
from lineal.objects.copying import fingerprint, open_source, settled
from lineal.objects.store import ObjectStore

_LARGE: Final = 1 << 20
_WORKERS: Final = 4
_LARGE_AHEAD: Final = 2 * _WORKERS
_AHEAD: Final = 4096
_PROGRESS_EVERY: Final = 64

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A dataset version as taken: its digest, the number of files and their bytes.

    `gaps` are (code, explanation) of what was left out or cannot be kept.
    """

    digest: Digest
    files: int
    bytes: int
    gaps: tuple[tuple[str, str], ...]


def snapshot(path: Path, store: ObjectStore, *, keep: bool = True, on_progress: Progress | None = None) -> Snapshot:
    """Record the folder or file at `path` as a dataset version in `store`.

    With `keep` false only the manifest is stored, not the files. `on_progress` gets files and bytes so far. Symbolic
    links below `path` are recorded, never followed; empty folders are not recorded; ``.git`` and ``.lineal`` are left
    out. All of it is on disk when the call returns; on any error, no version exists. Raises `BadInput` for
    what is missing or unreadable, `ObjectChanged` for what is being written to, and the store's errors.
    """
    with store.batch() as batch:
        recorder = _Recorder(batch, path, keep=keep, on_progress=on_progress or (lambda _f, _b: None))
        manifest = write(recorder.entries(), batch.put_bytes)
    recorder.report()
    return Snapshot(manifest.digest, manifest.count, manifest.size, tuple(recorder.gaps))


class _Recorder:
    """Turns what a walk finds into entries: small files at once, large ones in threads, in the walk's order."""

    def __init__(self, batch: Batch, root: Path, *, keep: bool, on_progress: Progress) -> None:
        self.gaps: list[tuple[str, str]] = []
        self._batch, self._root, self._keep = batch, root, keep
        self._prefix = os.fspath(root)
        self._on_progress = on_progress
        self._files = self._bytes = 0

    def entries(self) -> Iterator[Entry]:
        """Yield the entries below the root, or the one of a root that is a file, sorted by path."""
        waiting: deque[Entry | Future[Entry]] = deque()
        large = 0
        with ThreadPoolExecutor(_WORKERS) as pool:
            try:
                for item in self._items(pool):
                    waiting.append(item)
                    large += isinstance(item, Future)
                    while waiting and (large > _LARGE_AHEAD or len(waiting) > _AHEAD or not _is_running(waiting[0])):
                        first = waiting.popleft()
                        large -= isinstance(first, Future)
                        yield self._done(first)
                for item in waiting:
                    yield self._done(item)
            finally:
                pool.shutdown(cancel_futures=True)

    def report(self) -> None:
        """Tell the progress so far."""
        self._on_progress(self._files, self._bytes)

    def _items(self, pool: ThreadPoolExecutor) -> Iterator[Entry | Future[Entry]]:
        try:
            is_folder = stat.S_ISDIR(self._root.stat().st_mode)
            descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if is_folder else -1
        except OSError as error:
            raise BadInput(f"cannot read {self._prefix!r}: {error.strerror}") from error
        if not is_folder:
            yield self._file(open_source(self._root, self._prefix), os.fsencode(self._root.absolute().name), pool)
            return
        cursor = Cursor(descriptor)
        try:
            for found in walk(cursor):
                if found.what == "file":
                    source = open_source(found.name, self._name(found.path), folder=cursor.descriptor)
                    yield self._file(source, found.path, pool)
                elif found.what == "link":
                    yield self._link(found, cursor)
                else:
                    self._leave_out(found)
        finally:
            cursor.close()

    def _file(self, descriptor: int, path: bytes, pool: ThreadPoolExecutor) -> Entry | Future[Entry]:
        if os.fstat(descriptor).st_size > _LARGE:
            future = pool.submit(self._read, descriptor, path)
            future.add_done_callback(lambda _: os.close(descriptor))
            return future
        try:
            return self._read(descriptor, path)
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int, path: bytes) -> Entry:
        attempt = partial(self._read_once, descriptor, path, self._name(path))
        for _ in range(2):
            with suppress(ObjectChanged):
                return attempt()
        return attempt()

    def _read_once(self, descriptor: int, path: bytes, name: str) -> Entry:
        before = settled(descriptor)
        if self._keep:
            stored = self._batch.put_descriptor(descriptor, name)
            digest, size = stored.digest, stored.size
        else:
            digest, size = fingerprint(descriptor, name)
        return Entry(path, "x" if before.st_mode & stat.S_IXUSR else "f", digest, size)

    def _link(self, found: Found, cursor: Cursor) -> Entry:
        try:
            target = os.readlink(found.name, dir_fd=cursor.descriptor)
        except OSError as error:
            raise ObjectChanged(f"{os.fsdecode(found.path)!r} was replaced while it was being read") from error
        inside = os.path.normpath(os.path.join(os.path.dirname(found.path), target))
        if target.startswith(b"/") or inside.split(b"/")[0] == b"..":
            shown, where = os.fsdecode(found.path), os.fsdecode(target)
            self.gaps.append(("dataset.link_outside", f"{shown!r} links to {where!r}: what is there is not kept"))
        digest = self._batch.put_bytes(target) if self._keep else Digest.of(target)
        return Entry(found.path, "l", digest, len(target))

    def _leave_out(self, found: Found) -> None:
        shown = os.fsdecode(found.path)
        if found.what == "special":
            self.gaps.append(("dataset.special", f"{shown!r} is a socket, FIFO or device: left out"))
        else:
            self.gaps.append(("dataset.left_out", f"{shown!r} belongs to a tool, not to the data: left out"))

    def _name(self, path: bytes) -> str:
        return f"{self._prefix}/{os.fsdecode(path)}"

    def _done(self, item: Entry | Future[Entry]) -> Entry:
        entry = item.result() if isinstance(item, Future) else item
        self._files += 1
        self._bytes += entry.size
        if self._files % _PROGRESS_EVERY == 0 or entry.size > _LARGE:
            self.report()
        return entry


def _is_running(item: Entry | Future[Entry]) -> bool:
    return isinstance(item, Future) and not item.done()
