"""Writing objects: staged under temporary names, then published together."""

import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from lineal.core.digest import Digest
from lineal.errors import BadInput
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
from lineal.objects.places import Places


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


class Batch:
    """Objects on their way into a store. Made by `ObjectStore.batch`; threads may share it.

    Nothing is visible before `commit`; after it returned, everything is on disk. Content-addressed names and rename
    make writers in any number of processes safe without a lock.
    """

    def __init__(self, places: Places, *, packs: bool) -> None:
        self._places = places
        self._packs = packs
        self._lock = threading.Lock()
        self._staged: set[bytes] = set()
        self._moves: list[tuple[Path, Path]] = []
        self._folders: set[str] = set()
        self._open: _OpenPack | None = None
        self._places.packs.refresh()

    def put_bytes(self, data: bytes) -> Digest:
        """Stage `data`; return its digest. Raises `StoreFull`, `ReadOnlyStore` or `StoreUnavailable`."""
        value = hashlib.sha256(data).digest()
        if not self._is_present(value, len(data)):
            try:
                with self._lock:
                    if value not in self._staged:
                        self._stage_bytes(value, data)
            except OSError as error:
                raise store_error(error, str(self._places.root), writing=True) from error
        return Digest(value)

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

    def commit(self) -> None:
        """Publish everything staged; return when content and names are on disk."""
        with store_errors(self._places.root, writing=True):
            self._close_pack()
            self._folders.update(str(final.parent) for _, final in self._moves)
            for folder in self._folders:
                ensure_folder(Path(folder))
            for temp, final in self._moves:
                temp.rename(final)
            # The folders above, too: another process may have made one of them and not yet come to syncing it.
            above = {os.path.dirname(folder) for folder in self._folders}
            for folder in {*self._folders, *above, str(self._places.root)} if self._folders else ():
                sync_folder(Path(folder))

    def abandon(self) -> None:
        """Remove what was staged and not published."""
        if self._open is not None:
            os.close(self._open.descriptor)
            discard(self._open.path)
            self._open = None
        for temp, _ in self._moves:
            discard(temp)

    def _is_present(self, value: bytes, size: int) -> bool:
        if value in self._staged:
            return True
        place = self._places.find_known(value)
        # A loose file of another size is damaged: acknowledging it would promise bytes that are not there.
        if place is None or place.length != size:
            return False
        # Its writer may not have come to this step yet.
        self._folders.add(os.path.dirname(place.path))
        return True

    def _stage_bytes(self, value: bytes, data: bytes) -> None:
        self._staged.add(value)
        if self._packs and len(data) <= OBJECT_LIMIT:
            if self._open is not None and self._open.writer.is_full:
                self._close_pack()
            if self._open is None:
                descriptor, path = create_temp(self._places.tmp)
                self._open = _OpenPack(descriptor, path, PackWriter(descriptor))
            self._open.writer.add(value, data)
            return
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
                digest = copy_and_hash(source, target, before.st_size, name)
                check_unchanged(before, source, name)
                if not self._is_present(digest.value, before.st_size):
                    os.fsync(target)
                    with self._lock:
                        published = digest.value not in self._staged
                        if published:
                            self._staged.add(digest.value)
                            self._moves.append((temp, Path(self._places.loose(digest.value))))
            finally:
                os.close(target)
                if not published:
                    discard(temp)
        return StoredFile(digest, before.st_size)

    def _close_pack(self) -> None:
        if self._open is None:
            return
        writer = self._open.writer
        digest = writer.finish()
        os.close(self._open.descriptor)
        pack = self._places.packs.path / f"{digest.hex}.pack"
        # The pack goes first: a reader that sees no index reads the pack; an index without its pack would be stray.
        self._moves.append((self._open.path, pack))
        self._open = None
        self._stage_file(encode(digest, writer.rows), pack.with_suffix(".idx"))
