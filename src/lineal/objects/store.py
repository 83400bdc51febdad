"""The object store: bytes by their SHA-256, in a folder. The format is in docs/format-objects.md."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lineal.core.digest import Digest
from lineal.errors import DigestMismatch, IntegrityError, ObjectMissing, ReadOnlyStore
from lineal.objects import audit
from lineal.objects.audit import ObjectFault
from lineal.objects.batch import Batch, StoredFile
from lineal.objects.copying import copy_and_hash, hash_open, pieces, signature
from lineal.objects.durable import SWEEP_AGE, replacing, store_errors, sweep, write_all
from lineal.objects.places import OpenPacks, Place, Places

_PAST_CACHE: Final = 1 << 30  # of a file so large, finding memory for the copy takes longer than writing it to disk


class ObjectStore:
    """Content-addressed bytes under one root folder.

    Opening touches nothing; folders are made by the first write. Every read is checked against the digest asked for.
    Any number of threads and processes may read and write at the same time. Errors: `StoreFull`, `ReadOnlyStore`,
    `StoreUnavailable`, `ObjectMissing`, `DigestMismatch`.
    """

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        self.root = root
        self.read_only = read_only
        self._places = Places(root)
        self._packs = OpenPacks()

    def put_bytes(self, data: bytes) -> Digest:
        """Store `data` as a file of its own and return its digest; on disk when the call returns."""
        with self._batch(packs=False) as batch:
            return batch.put_bytes(data)

    def put_file(self, path: Path | bytes) -> StoredFile:
        """Store the content of the file at `path` and return its digest and size; on disk when the call returns.

        Raises `ObjectChanged` if somebody wrote to it meanwhile, `BadInput` if it cannot be read.
        """
        with self._batch(packs=False) as batch:
            return batch.put_file(path)

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Collect many objects, the small ones in packs. All are on disk when the context has been left without an
        error, and none is visible before, or otherwise.
        """
        with self._batch(packs=True) as batch:
            yield batch

    def has(self, digest: Digest) -> bool:
        """Return whether an object is stored under `digest`; its bytes are not read."""
        return self._find(digest) is not None

    def pack_names(self) -> frozenset[str]:
        """Return the names of the packs that can be read now."""
        with store_errors(self.root):
            return self._places.packs.names()

    def size(self, digest: Digest) -> int:
        """Return the object's size in bytes, as stored; its bytes are not read."""
        return self._place(digest).length

    def read(self, digest: Digest) -> bytes:
        """Return the object's bytes, checked."""
        with self._opened(digest) as (descriptor, place), store_errors(place.path):
            data = b"".join(bytes(piece) for piece in pieces(descriptor, place.offset, place.offset + place.length))
        _check(digest, hashlib.sha256(data).digest(), place)
        return data

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield the object's bytes in pieces of 1 MiB; raise `DigestMismatch` after the last if they are not its own.

        Use nothing of it before the end.
        """
        running = hashlib.sha256()
        with self._opened(digest) as (descriptor, place), store_errors(place.path):
            for piece in pieces(descriptor, place.offset, place.offset + place.length):
                running.update(piece)
                yield bytes(piece)
        _check(digest, running.digest(), place)

    def copy_into(self, digest: Digest, target: int, *, clone: bool | None = None) -> int:
        """Write the object to the new, empty file open as `target` (for reading, too); return its size in bytes.

        Blocks are shared where the file system can; with `clone` false never, with `clone` true a loose object is not
        written in any other way: an `OSError` says that it cannot. What is checked are the bytes that `target` holds in
        the end. An `OSError` of `target` passes as it is.
        """
        with self._opened(digest, keep_open=True) as (descriptor, place):
            if place.offset == 0:
                large = place.length >= _PAST_CACHE
                length, path = place.length, place.path
                found = copy_and_hash(descriptor, target, length, path, clone=clone, sync=large, cold=large)
                _check(digest, found.value, place)
            else:
                data = os.pread(descriptor, place.length, place.offset)
                _check(digest, hashlib.sha256(data).digest(), place)
                write_all(target, data)
        return place.length

    def link_into(self, digest: Digest, folder: int, name: bytes) -> int | None:
        """Give the object, if it is loose, the further `name` in the open `folder`; return its size, None if it is in
        a pack.

        Its bytes are checked first. Whoever writes to that name writes to the store. An `OSError` of linking passes.
        """
        with self._opened(digest) as (descriptor, place):
            if place.offset != 0:
                return None
            _check(digest, hash_open(descriptor, place.length, place.path).value, place)
            os.link(place.path, name, dst_dir_fd=folder, follow_symlinks=False)
            linked = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if signature(linked)[:3] != signature(os.fstat(descriptor))[:3]:
                raise IntegrityError(f"{place.path} was replaced while it was being linked")
        return place.length

    def fetch(self, digest: Digest, target: Path, *, mode: int = 0o644) -> None:
        """Write the object to the file `target` with the permissions `mode`, replacing it in one step."""
        with replacing(target, mode) as descriptor:
            self.copy_into(digest, descriptor)

    def verify(self, on_progress: Callable[[int, int], None] | None = None) -> Iterator[ObjectFault]:
        """Read every byte of every file under the root and yield what is wrong; repair nothing.

        `on_progress` gets the number of files and bytes read so far. Files in ``tmp`` are not evidence: left out.
        """
        return audit.verify(self._places, on_progress or (lambda _files, _bytes: None))

    def verify_one(self, digest: Digest) -> ObjectFault | None:
        """Return what is wrong with the object, or None."""
        try:
            for _ in self.chunks(digest):
                pass
        except ObjectMissing as error:
            return ObjectFault(digest, "", "objects.missing", error.message)
        except IntegrityError as error:
            place = self._find(digest)
            return ObjectFault(digest, place.path if place else "", "objects.digest_mismatch", error.message)
        return None

    def digests(self) -> Iterator[Digest]:
        """Yield the digest of each object, once, in no order."""
        with store_errors(self.root):
            self._places.packs.refresh()
            seen: set[bytes] = set()
            for value in (*self._places.packs.digests(), *self._places.loose_digests()):
                if value not in seen:
                    seen.add(value)
                    yield Digest(value)

    def rebuild_index(self) -> int:
        """Write again each index that is missing or not as its pack says; return how many. Every pack is checked
        first, and `IntegrityError` names the first that is damaged.
        """
        self._refuse_read_only()
        with store_errors(self.root, writing=True):
            return audit.rebuild_index(self._places)

    def sweep(self, *, older_than: float = SWEEP_AGE) -> int:
        """Remove what killed writers left in ``tmp`` more than `older_than` seconds ago; return how many files."""
        self._refuse_read_only()
        with store_errors(self.root, writing=True):
            return sweep(self._places.tmp, older_than=older_than)

    @contextmanager
    def _batch(self, *, packs: bool) -> Iterator[Batch]:
        self._refuse_read_only()
        with store_errors(self.root):
            batch = Batch(self._places, packs=packs)
        try:
            yield batch
            batch.commit()
        except BaseException:
            batch.abandon()
            raise

    @contextmanager
    def _opened(self, digest: Digest, *, keep_open: bool = False) -> Iterator[tuple[int, Place]]:
        """Open the file that holds the object. With `keep_open`, a pack stays open for the next one, even if it is
        deleted meanwhile: not for finding out whether it is there.
        """
        place = self._place(digest)
        if keep_open and place.offset and (kept := self._packs.find(place.path)) is not None:
            yield kept, place
            return
        with store_errors(place.path):
            descriptor = os.open(place.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            yield descriptor, place
        finally:
            os.close(descriptor)

    def _find(self, digest: Digest) -> Place | None:
        with store_errors(self.root):
            return self._places.find(digest.value)

    def _place(self, digest: Digest) -> Place:
        if place := self._find(digest):
            return place
        if damaged := sorted(self._places.packs.damaged):
            raise IntegrityError(f"{digest} was not found, and a pack that may hold it is damaged: {damaged[0]}")
        raise ObjectMissing(f"not in the store {self.root}: {digest}")

    def _refuse_read_only(self) -> None:
        if self.read_only:
            raise ReadOnlyStore(f"the store {self.root} was opened for reading only")


def _check(digest: Digest, found: bytes, place: Place) -> None:
    if found != digest.value:
        raise DigestMismatch(f"{place.path} holds bytes with the digest {Digest(found)}, recorded as {digest}")
