"""Writing objects: staged under temporary names, then published together."""

import hashlib
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lineal.core.digest import Digest
from lineal.errors import BadInput
from lineal.objects.behind import Behind
from lineal.objects.copying import check_unchanged, copy_and_hash, open_source, read_small, settled
from lineal.objects.durable import (
    create_temp,
    discard,
    ensure_folder,
    store_error,
    store_errors,
    sync_folder,
    write_all,
)
from lineal.objects.index import encode
from lineal.objects.pack import OBJECT_LIMIT, PackWriter
from lineal.objects.places import LooseNames, Places


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What a file's content is in the store: its digest, and its size in bytes."""

    digest: Digest
    size: int


@dataclass(slots=True)
class _OpenPack:
    descriptor: int
    path: Path
    writer: PackWriter
    name: str = ""


class Batch:
    """Objects on their way into a store. Made by `ObjectStore.batch`; threads may share it.

    Nothing is visible before `publish` or `commit`; after either returned, everything is on disk. Content-addressed
    names and rename make writers in any number of processes safe without a lock.
    """

    def __init__(self, places: Places, *, packs: bool) -> None:
        self._places = places
        self._packs = packs
        self._lock = threading.Lock()
        self._behind = Behind()
        self._staged: dict[bytes, _OpenPack | str] = {}
        self._moves: list[tuple[Path, Path]] = []
        self._publishing: list[tuple[Path, Path]] = []
        self._folders: set[str] = set()
        self._open: _OpenPack | None = None
        self._unfinished: list[_OpenPack] = []
        self._is_fresh = False
        self._is_first = False
        self._loose = LooseNames(places)
        self.waiting = 0

    def put_bytes(self, data: bytes) -> Digest:
        """Stage `data`; return its digest. Raises `StoreFull`, `ReadOnlyStore` or `StoreUnavailable`."""
        value = hashlib.sha256(data).digest()
        self.put_hashed([(value, data)])
        return Digest(value)

    def put_hashed(self, found: Iterable[tuple[bytes, bytes]]) -> None:
        """Stage the second of each pair, whose SHA-256, just computed, is the first; else as `put_bytes`."""
        staged = self._staged
        try:
            new = [pair for pair in found if pair[0] not in staged and not self._is_stored(pair[0], len(pair[1]))]
            with self._lock:
                for value, data in new:
                    if value not in self._staged:
                        self._stage_bytes(value, data)
        except OSError as error:
            raise store_error(error, str(self._places.root), writing=True) from error

    def put_file(self, path: Path | bytes) -> StoredFile:
        """Stage the content of the file at `path` (symbolic links are followed); return its digest and size.

        Raises `BadInput` if it cannot be read, `ObjectChanged` if somebody wrote to it meanwhile, and what
        `put_bytes` raises.
        """
        name = os.fsdecode(path)
        descriptor = open_source(path, name)
        try:
            return self.put_descriptor(descriptor, name)
        finally:
            os.close(descriptor)

    def put_descriptor(self, descriptor: int, name: str) -> StoredFile:
        """Stage the content of a regular file open for reading, called `name` in messages; else as `put_file`."""
        before = settled(descriptor)
        if before.st_size > OBJECT_LIMIT:
            return self._put_large(descriptor, before, name)
        try:
            data = read_small(descriptor, before.st_size, name)
        except OSError as error:
            raise BadInput(f"cannot read {name!r}: {error.strerror}") from error
        check_unchanged(before, descriptor, name)
        return StoredFile(self.put_bytes(data), len(data))

    def publish(self) -> dict[bytes, str]:
        """Make everything staged so far part of the store, on disk, and go on; what is staged later is not in it.

        Returns where each object put since the last time is: the name of its pack, or nothing for one that is loose.
        """
        with store_errors(self._places.root, writing=True):
            self._close_packs()
            with self._lock:  # other threads may stage large files meanwhile: theirs are published the next time
                staged, self._staged = self._staged, {}
                self._publishing, self._moves = self._moves, []
                folders, self._folders = self._folders, set()
                self._is_fresh, self.waiting = False, 0
            folders.update(str(final.parent) for _, final in self._publishing)
            for folder in folders:
                ensure_folder(Path(folder))
            for temp, final in self._publishing:
                temp.rename(final)
            # The folders above, too: another process may have made one of them and not yet come to syncing it.
            above = {os.path.dirname(folder) for folder in folders}
            for folder in {*folders, *above, str(self._places.root)} if folders else ():
                sync_folder(Path(folder))
            self._publishing = []
        return {value: where if isinstance(where, str) else where.name for value, where in staged.items()}

    def commit(self) -> None:
        """Publish everything staged; return when content and names are on disk."""
        self.publish()
        self._behind.close()

    def abandon(self) -> None:
        """Remove what was staged and not published."""
        self._behind.close()
        for pack in (*self._unfinished, *((self._open,) if self._open else ())):
            with suppress(OSError):
                os.close(pack.descriptor)
            discard(pack.path)
        self._open = None
        for temp, _ in (*self._publishing, *self._moves):
            discard(temp)

    def _is_stored(self, value: bytes, size: int) -> bool:
        if not self._is_fresh:
            self._is_fresh = True
            self._places.packs.refresh()
            self._loose = LooseNames(self._places)
            self._is_first = self._places.is_empty()
        if self._is_first:
            return False
        place = self._places.packs.find(value) or self._loose.find(value)
        # A loose file of another size is damaged: acknowledging it would promise bytes that are not there.
        if place is None or place.length != size:
            return False
        # Its writer may not have come to this step yet.
        self._folders.add(os.path.dirname(place.path))
        self._staged[value] = os.path.basename(place.path) if place.offset else ""
        return True

    def _stage_bytes(self, value: bytes, data: bytes) -> None:
        self.waiting += len(data)
        if self._packs and len(data) <= OBJECT_LIMIT:
            if self._open is not None and self._open.writer.is_full:
                self._finish_later(self._open)
                self._open = None
            if self._open is None:
                descriptor, path = create_temp(self._places.tmp)
                self._open = _OpenPack(descriptor, path, PackWriter(descriptor, self._behind))
            self._staged[value] = self._open
            self._open.writer.add(value, data)
            return
        self._staged[value] = ""
        self._stage_file(data, Path(self._places.loose(value)))

    def _stage_file(self, data: bytes, final: Path) -> None:
        descriptor, temp = create_temp(self._places.tmp)
        self._moves.append((temp, final))
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _put_large(self, source: int, before: os.stat_result, name: str) -> StoredFile:
        with store_errors(f"{self._places.root}, copying {name!r}", writing=True):
            target, temp = create_temp(self._places.tmp)
            published = False
            try:
                digest = copy_and_hash(source, target, before.st_size, name, sync=True)
                check_unchanged(before, source, name)
                if digest.value not in self._staged and not self._is_stored(digest.value, before.st_size):
                    os.fsync(target)
                    with self._lock:
                        published = digest.value not in self._staged
                        if published:
                            self.waiting += before.st_size
                            self._staged[digest.value] = ""
                            self._moves.append((temp, Path(self._places.loose(digest.value))))
            finally:
                os.close(target)
                if not published:
                    discard(temp)
        return StoredFile(digest, before.st_size)

    def _finish_later(self, pack: _OpenPack) -> None:
        self._unfinished.append(pack)
        self._behind.do(partial(self._finish, pack))

    def _close_packs(self) -> None:
        if self._open is not None:
            if self._behind.is_started:
                self._finish_later(self._open)
            else:
                self._unfinished.append(self._open)
                self._finish(self._open)
            self._open = None
        self._behind.settle()

    def _finish(self, pack: _OpenPack) -> None:
        digest = pack.writer.finish()
        os.close(pack.descriptor)
        pack.name = f"{digest.hex}.pack"
        final = self._places.packs.path / pack.name
        # The pack goes first: a reader that sees no index reads the pack; an index without its pack would be stray.
        self._moves.append((pack.path, final))
        self._unfinished.remove(pack)
        self._stage_file(encode(digest, pack.writer.rows), final.with_suffix(".idx"))
