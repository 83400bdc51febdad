"""The objects of a bucket as the entries of a dataset version: each by the cheapest that fixes its content."""

import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Literal

from lineal.app.bucket_known import Known
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry, Writer
from lineal.errors import DigestMismatch
from lineal.objects.batch import Batch
from lineal.objects.durable import ensure_folder, store_errors
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

_Done = tuple[Entry, str]


class BucketFiles:
    """Turns a listing into entries, in its order: many requests at once, a bounded number of bytes in memory.

    What identifies a file, its basis, is ``bytes`` that were read, the ``checksum`` that the store has of them, its
    ``version``, or only its ``etag``. Beside the entries it writes `pins`: the manifest of the versions and ETags of
    all of them, by which a later snapshot, restore or check finds each object as it was.
    """

    def __init__(
        self, reader: Reader, store: ObjectStore, batch: Batch, known: Known, *, basis: Basis, keep: bool
    ) -> None:
        self.bases: Counter[str] = Counter()
        self.reused = 0
        self.pins = Writer(batch.put_bytes)
        self._named: dict[str, list[str]] = {}
        self._reader, self._store, self._batch, self._known = reader, store, batch, known
        self._basis, self._keep = basis, keep

    def entries(self, listing: Listing, on_progress: Progress) -> Iterator[Entry]:
        """Yield the entry of each object. Raises what `Bucket.read` raises: then there is no version."""
        files = size = 0
        for entry, basis in self._in_order(listing):
            self._note(entry, basis)
            files += 1
            size += entry.size
            if files % _PROGRESS_EVERY == 0 or entry.size > _SMALL:
                on_progress(files, size)
            yield entry
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
        pin = self._batch.put_bytes(item.pin.encode())
        self.pins.add(Entry(placed.path, "p", pin, item.size))
        if not self._keep and (self._basis == "pin" or (self._basis == "auto" and item.is_fixed)):
            return Entry(placed.path, "p", pin, item.size), "version" if item.is_fixed else "etag"
        found = self._known.digest(placed.path, pin, item.size)
        if found is not None and (not self._keep or self._store.has(found)):
            self.reused += 1
            return Entry(placed.path, "f", found, item.size), self._known.basis
        return pool.submit(self._content, placed)

    def _content(self, placed: Placed) -> _Done:
        item = placed.item
        said = self._checksum(item)
        if self._keep:
            digest = self._keep_bytes(item)
            if said is not None and said != digest:
                name = self._reader.bucket.uri.below(item.key)
                raise DigestMismatch(f"{name} came with the digest {digest}, but the store has {said} of it")
            return Entry(placed.path, "f", digest, item.size), "bytes"
        if said is not None:
            return Entry(placed.path, "f", said, item.size), "checksum"
        return Entry(placed.path, "f", self._reader.fetch(item), item.size), "bytes"

    def _checksum(self, item: Listed) -> Digest | None:
        """Ask for the stored checksum where it is known to be there, or where reading would cost more than asking."""
        if item.sha256 is None and not self._keep and item.size > _SMALL:
            return self._reader.bucket.checksum(item)
        return self._reader.bucket.checksum(item) if item.sha256 else None

    def _keep_bytes(self, item: Listed) -> Digest:
        if item.size <= _SMALL:
            pieces: list[bytes] = []
            self._reader.fetch(item, pieces.append)
            return self._batch.put_bytes(b"".join(pieces))
        name = str(self._reader.bucket.uri.below(item.key))
        folder = self._store.root / "tmp"
        with store_errors(folder, writing=True):
            ensure_folder(folder)
            with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
                came = self._reader.fetch(item, file.write)
                kept = self._batch.put_descriptor(file.fileno(), name).digest
        if came != kept:
            raise DigestMismatch(f"{name} came with the digest {came}, but the disk gave back {kept}")
        return kept

    def _note(self, entry: Entry, basis: str) -> None:
        self.bases[basis] += 1
        named = self._named.setdefault(basis, [])
        if len(named) < _MOST_NAMED:
            named.append(paths.spell(entry.path))


def _is_running(item: _Done | Future[_Done]) -> bool:
    return isinstance(item, Future) and not item.done()


def _result(item: _Done | Future[_Done]) -> _Done:
    return item.result() if isinstance(item, Future) else item
