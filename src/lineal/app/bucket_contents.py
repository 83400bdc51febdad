"""The bytes of a version that lies in a bucket: fetched by version and key, held against what was recorded."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from lineal.app.bucket_known import stays
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core.digest import Digest
from lineal.datasets.contents import StoredContents
from lineal.datasets.manifest import Entry, Manifest, entries, load
from lineal.datasets.pin import Pin
from lineal.errors import BadManifest, DigestMismatch, ObjectChanged, ObjectMissing
from lineal.objects.copying import fingerprint, pieces
from lineal.objects.durable import write_all
from lineal.objects.store import ObjectStore
from lineal.sources.bucket import Bucket, Listed, folder_of, is_md5
from lineal.sources.bucket_open import reopen_bucket
from lineal.sources.bucket_reading import Reader

_WORKERS: Final = 16
_SMALL: Final = 1 << 20
_AHEAD: Final = 32


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One file of the version, and the object that it is."""

    entry: Entry
    item: Listed


class BucketContents:
    """A bucket as contents: each object as it was when its version was recorded; see `Contents`.

    A restore asks for one file after the other, in their order: while one is being written, the next small ones are
    fetched already, up to `_AHEAD` MiB. Bytes that the object store holds are taken from there.
    """

    def __init__(self, bucket: Bucket, prefix: str, store: ObjectStore, files: Manifest, pins: Manifest) -> None:
        self._stored = StoredContents(store)
        self._bucket, self._prefix, self._store = bucket, prefix, store
        self._roots = files, pins
        self._reader = Reader(bucket)
        self._pool = ThreadPoolExecutor(_WORKERS, "lineal-restore")
        self._rest = self._wanted()
        self._ahead: deque[tuple[_Wanted, Future[tuple[Digest, bytes]] | None]] = deque()

    def copy_into(self, entry: Entry, target: int) -> Digest:
        """Write the object of `entry` to `target` and return the SHA-256 of its bytes.

        Raises `DigestMismatch` if they are not those recorded, `ObjectMissing` if the bucket no longer has them.
        """
        if entry.kind != "p" and self._store.has(entry.digest):
            return self._stored.copy_into(entry, target)
        wanted, future = self._advance(entry)
        try:
            if future is not None:
                found, data = future.result()
                write_all(target, data)
            else:
                found = self._reader.fetch(wanted.item, lambda piece: write_all(target, piece))
        except ObjectChanged as error:
            raise ObjectMissing(
                f"{self._bucket.uri.below(wanted.item.key)} is not there any more as it was recorded",
                fix="Look for it in a replica or a backup; `lineal verify` of the version lists what is gone.",
            ) from error
        if entry.kind != "p" and found != entry.digest:
            name = os.fsdecode(entry.path)
            raise DigestMismatch(f"{name!r} came with the digest {found}, recorded as {entry.digest}")
        return found

    def confirm(self, entry: Entry, descriptor: int) -> Digest | None:
        """Return the digest of the open file if it is the content of `entry`: by its digest, or by its MD5 if a pin's
        ETag is one.
        """
        if entry.kind != "p":
            found = fingerprint(descriptor, repr(entry.path))[0]
            return found if found == entry.digest else None
        etag = Pin.decode(self._store.read(entry.digest)).get("etag")
        if not is_md5(etag):
            return None
        running = hashlib.md5(usedforsecurity=False)
        for piece in pieces(descriptor, 0, entry.size):
            running.update(piece)
        return fingerprint(descriptor, repr(entry.path))[0] if running.hexdigest() == etag else None

    def _advance(self, entry: Entry) -> tuple[_Wanted, Future[tuple[Digest, bytes]] | None]:
        """Return `entry` with its object and, if it was fetched ahead, its bytes; fetch what is likely to follow.

        Where the last files were there already, the next ones may be, too: nothing is fetched ahead then.
        """
        skipped = False
        while self._ahead:
            wanted, future = self._ahead.popleft()
            if wanted.entry.path == entry.path:
                break
            skipped = True
            if future is not None:
                future.cancel()
        else:
            future = None
            wanted, passed = self._seek(entry)
            skipped = skipped or passed
        while not skipped and len(self._ahead) < _AHEAD and (following := next(self._rest, None)) is not None:
            self._ahead.append((following, self._fetch_ahead(following)))
        return wanted, future

    def _seek(self, entry: Entry) -> tuple[_Wanted, bool]:
        """Return `entry` with its object, and whether others were passed over.

        It comes after the last one or, for whoever keeps no order, anywhere.
        """
        for again in (False, True):
            if again:
                self._rest = self._wanted()
            for number, wanted in enumerate(self._rest):
                if wanted.entry.path == entry.path:
                    return wanted, number > 0 or again
        raise BadManifest(f"{entry.path!r} is not a file of the version")

    def _fetch_ahead(self, wanted: _Wanted) -> Future[tuple[Digest, bytes]] | None:
        is_here = wanted.entry.kind != "p" and self._store.has(wanted.entry.digest)
        return None if is_here or wanted.entry.size > _SMALL else self._pool.submit(self._fetch, wanted.item)

    def _fetch(self, item: Listed) -> tuple[Digest, bytes]:
        held: list[bytes] = []
        digest = self._reader.fetch(item, held.append)
        return digest, b"".join(held)

    def _wanted(self) -> Iterator[_Wanted]:
        files, pins = (entries(root, self._store) for root in self._roots)
        for entry, pinned in zip(files, pins, strict=True):
            if entry.path != pinned.path:
                raise BadManifest(f"the pins of the version are not those of its files: {pinned.path!r}")
            yield _Wanted(entry, item_of(pinned, self._prefix, self._store))


def item_of(pinned: Entry, prefix: str, store: ObjectStore) -> Listed:
    """Return the object that an entry of a manifest of pins stands for, as it was listed then."""
    pin = Pin.decode(store.read(pinned.digest))
    return Listed(
        key=prefix + pinned.path.decode("utf-8", "surrogatepass"),
        size=pinned.size,
        etag=pin.get("etag") or None,
        version=pin.get("version"),
    )


def open_contents(session: Session, view: NodeView) -> BucketContents:
    """Return where the bytes of a version recorded from a bucket are had from: the objects it was last found as.

    Raises `ObjectMissing` if what says where they are is not there, `BadInput` and `SourceError` if the bucket cannot
    be opened.
    """
    found = stays(session.catalog.facts([view.id]))
    if not found:
        raise ObjectMissing(f"{view.ref} does not say which objects of the bucket it was")
    stay = found[-1]
    bucket = reopen_bucket(stay.uri, stay.detail.get("endpoint"))
    store = session.objects
    return BucketContents(bucket, folder_of(stay.uri), store, load(stay.digest, store), load(stay.pins, store))
