"""The objects of a bucket as the entries of a dataset version: each by the cheapest that fixes its content."""

import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, Final, Literal

from lineal.app.bucket_known import Known
from lineal.app.bucket_resume import Resume
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry, Writer
from lineal.errors import DigestMismatch
from lineal.objects.batch import Batch
from lineal.objects.durable import ensure_folder, store_errors, write_all
from lineal.objects.store import ObjectStore
from lineal.sources.bucket import Listed
from lineal.sources.bucket_listing import Listing, Placed
from lineal.sources.bucket_reading import Reader

Basis = Literal["auto", "content", "pin"]
Progress = Callable[[int, int], None]

_WORKERS: Final = 16
_AHEAD: Final = 4096
_SMALL: Final = 1 << 20
_PROGRESS_EVERY: Final = 64
_MOST_NAMED: Final = 100
_PUBLISH_PINS: Final = 1 << 17
_REMEMBER_SECONDS: Final = 10.0
_REMEMBER_BYTES: Final = 512 << 20

_Done = tuple[Placed, Entry, str]


class BucketFiles:
    """Turns a listing into entries, in its order: many requests at once, a bounded number of bytes in memory.

    What identifies a file, its basis, is ``bytes`` that were read, the ``checksum`` that the store has of them, its
    ``version``, or only its ``etag``. Beside the entries it writes `pins`: the manifest of the versions and ETags of
    all of them, by which a later snapshot, restore or check finds each object as it was.
    """

    def __init__(
        self,
        reader: Reader,
        store: ObjectStore,
        batch: Batch,
        known: Known,
        resume: Resume,
        *,
        basis: Basis,
        keep: bool,
    ) -> None:
        self.bases: Counter[str] = Counter()
        self.pins = Writer(self.put)
        self._named: dict[str, list[str]] = {}
        self._reader, self._store, self._batch, self._known, self._resume = reader, store, batch, known, resume
        self._basis, self._keep = basis, keep
        self._lock = Lock()
        self._written = time.monotonic()
        self._pinned = 0

    def entries(self, listing: Listing, on_progress: Progress) -> Iterator[Entry]:
        """Yield the entry of each object. Raises what `Bucket.read` raises: then there is no version.

        What was read until then is remembered, and its bytes are kept, so that the next attempt goes on from there.
        """
        files = size = 0
        try:
            for placed, entry, basis in self._in_order(listing):
                self._note(placed, entry, basis)
                files += 1
                size += entry.size
                if files % _PROGRESS_EVERY == 0 or entry.size > _SMALL:
                    on_progress(files, size)
                yield entry
        finally:
            self._remember()
        on_progress(files, size)

    def describe(self) -> dict[str, Any]:
        """Return what the version says of how its files are identified; of which are so otherwise, the first ones."""
        (main, _), *others = self.bases.most_common()
        found: dict[str, Any] = {"basis_of_identity": main if not others else "mixed"}
        if others:
            found["bases"] = dict(sorted(self.bases.items()))
            found["differs"] = {basis: self._named[basis] for basis, _ in sorted(others)}
        return found

    def _in_order(self, listing: Listing) -> Iterator[_Done]:
        waiting: deque[_Done | Future[_Done]] = deque()
        with ThreadPoolExecutor(_WORKERS, "lineal-bucket") as pool:
            try:
                for placed in listing:
                    waiting.append(self._begin(placed, pool))
                    while waiting and (len(waiting) > _AHEAD or not _is_running(waiting[0])):
                        yield _result(waiting.popleft())
                while waiting:
                    yield _result(waiting.popleft())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, placed: Placed, pool: ThreadPoolExecutor) -> _Done | Future[_Done]:
        item = placed.item
        pin = self.put(item.pin.encode())
        self.pins.add(Entry(placed.path, "p", pin, item.size))
        if not self._keep and (self._basis == "pin" or (self._basis == "auto" and item.is_fixed)):
            return placed, Entry(placed.path, "p", pin, item.size), "version" if item.is_fixed else "etag"
        found = self._find(placed, pin) if item.etag is not None or item.is_fixed else None
        if found is not None and (not self._keep or self._store.has(found[0])):
            return placed, Entry(placed.path, "f", found[0], item.size), found[1]
        return pool.submit(self._content, placed)

    def _find(self, placed: Placed, pin: Digest) -> tuple[Digest, str] | None:
        """Return the digest that the object had the last time in this same state, and by what basis."""
        digest = self._known.digest(placed.path, pin, placed.item.size)
        return (digest, self._known.basis) if digest is not None else self._resume.find(placed.item)

    def _content(self, placed: Placed) -> _Done:
        item = placed.item
        said = self._checksum(item)
        basis = "bytes"
        if self._keep:
            digest = self._keep_bytes(item)
            if said is not None and said != digest:
                name = self._reader.bucket.uri.below(item.key)
                raise DigestMismatch(f"{name} came with the digest {digest}, but the store has {said} of it")
        elif said is not None:
            digest, basis = said, "checksum"
        else:
            digest = self._reader.fetch(item)
        return placed, Entry(placed.path, "f", digest, item.size), basis

    def _checksum(self, item: Listed) -> Digest | None:
        """Ask for the stored checksum where it is known to be there, or where reading would cost more than asking."""
        if item.sha256 is None and not self._keep and item.size > _SMALL:
            return self._reader.bucket.checksum(item)
        return self._reader.bucket.checksum(item) if item.sha256 else None

    def _keep_bytes(self, item: Listed) -> Digest:
        if item.size <= _SMALL:
            pieces: list[bytes] = []
            digest = self._reader.fetch(item, pieces.append)
            with self._lock:
                self._batch.put_hashed([(digest.value, b"".join(pieces))])
            return digest
        name = str(self._reader.bucket.uri.below(item.key))
        folder = self._store.root / "tmp"
        with store_errors(folder, writing=True):
            ensure_folder(folder)
            with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
                came = self._reader.fetch(item, lambda piece: write_all(file.fileno(), piece))
                kept = self._batch.put_descriptor(file.fileno(), name).digest
        if came != kept:
            raise DigestMismatch(f"{name} came with the digest {came}, but the disk gave back {kept}")
        return kept

    def put(self, data: bytes) -> Digest:
        """Put a small object into the store; see `Batch.put_bytes`."""
        with self._lock:  # a batch that is being published does not take small objects from other threads
            return self._batch.put_bytes(data)

    def _note(self, placed: Placed, entry: Entry, basis: str) -> None:
        self.bases[basis] += 1
        named = self._named.setdefault(basis, [])
        if len(named) < _MOST_NAMED:
            named.append(paths.spell(entry.path))
        if entry.kind == "f":
            self._resume.note(placed.item, entry.digest, basis)
            late = time.monotonic() - self._written > _REMEMBER_SECONDS
            if late or (self._keep and self._batch.waiting >= _REMEMBER_BYTES):
                self._remember()
        self._pinned += 1
        if self._pinned % _PUBLISH_PINS == 0:  # a batch remembers what it holds: of millions, too much
            with self._lock:
                self._batch.publish()

    def _remember(self) -> None:
        """Write down what was read until now; where bytes are kept, put those into the store before."""
        if self._keep and self._resume.waiting:
            with self._lock:
                self._batch.publish()
        self._resume.write()
        self._written = time.monotonic()


def _is_running(item: _Done | Future[_Done]) -> bool:
    return isinstance(item, Future) and not item.done()


def _result(item: _Done | Future[_Done]) -> _Done:
    return item.result() if isinstance(item, Future) else item
