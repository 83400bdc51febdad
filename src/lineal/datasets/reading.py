"""Reading what is new: the content of the items of a block becomes digests, in the store or by fingerprint alone."""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from lineal.core.digest import Digest
from lineal.datasets.block import DIGEST, KEY, Block, Hashed, distrust, is_settled, pack_key
from lineal.errors import ObjectChanged
from lineal.objects.batch import Batch
from lineal.objects.copying import fingerprint, open_source, settled

LARGE: Final = 1 << 20
_WORKERS: Final = 4
_TRIES: Final = 3
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW
_RECENT_NS: Final = 2_000_000_000


class FileReader:
    """Reads files below `prefix`, the name of the root in messages; with `batch` into the store.

    Small files are read at once, large ones by threads, which `close` ends; `ahead` of them may be on their way.
    """

    ahead = 8

    def __init__(self, prefix: str, batch: Batch | None) -> None:
        self._prefix = prefix
        self._batch = batch
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Begin nothing more, and wait for what is being read."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def read(self, block: Block, wanted: Iterable[int], folder: int, device: int) -> None:
        """Read the items `wanted` of `block`, whose folder is open as `folder`; large ones go on being read.

        Raises `BadInput` for what cannot be read, `ObjectChanged` for what is being written to, the store's errors.
        """
        files: list[int] = []
        unpack, keys, width = KEY.unpack_from, block.keys, KEY.size
        for number in wanted:
            if stat.S_ISLNK(unpack(keys, number * width)[4]):
                self._read_link(block, number, folder)
            else:
                files.append(number)
        self._read_files(block, files, folder, device)

    def flush(self) -> None:
        """Begin whatever was put off, because somebody waits for it."""

    def _read_files(self, block: Block, numbers: list[int], folder: int, device: int) -> None:
        small: list[int] = []
        unpack, keys, width = KEY.unpack_from, block.keys, KEY.size
        for number in numbers:
            if unpack(keys, number * width)[1] > LARGE:
                self._read_later(self._open(block, number, folder), block, number, device)
            else:
                small.append(number)
        for number in self._read_small(block, small, folder, device):
            descriptor = self._open(block, number, folder)
            try:
                block.learn(*self._read(descriptor, block, number, device))
            finally:
                os.close(descriptor)

    def read_root(self, block: Block, descriptor: int) -> None:
        """Read the one item of `block`, which is a root that is a file, open as `descriptor`; closes that."""
        self._read_later(descriptor, block, 0, os.fstat(descriptor).st_dev)

    def _read_small(self, block: Block, numbers: list[int], folder: int, device: int) -> Iterator[int]:
        """Read small files that were last written to some time ago; yield those that need more care, to be read then.

        The status after reading is the one seen before, and old enough that no write can have left it so.
        """
        recent = time.time_ns() - _RECENT_NS
        put = None if self._batch is None else self._batch.put_hashed
        found: list[tuple[bytes, bytes]] = []
        waiting = 0
        sha256, unpack, width = hashlib.sha256, KEY.unpack_from, KEY.size
        names, keys, digests = block.names, block.keys, block.digests
        for number in numbers:
            inode, size, mtime, ctime, _ = unpack(keys, number * width)
            if ctime > recent:
                yield number
                continue
            try:
                descriptor = os.open(names[number], _FLAGS, dir_fd=folder)
                try:
                    data = os.pread(descriptor, size + 1, 0)
                    after = os.fstat(descriptor)
                finally:
                    os.close(descriptor)
            except OSError:
                yield number  # and what is wrong is said then
                continue
            same = after.st_ctime_ns == ctime and after.st_ino == inode and after.st_mtime_ns == mtime
            if not same or len(data) != size or after.st_size != size or after.st_dev != device:
                yield number
                continue
            value = sha256(data).digest()
            if put is not None:
                found.append((value, data))
                waiting += size
                if waiting > LARGE:
                    put(found)
                    found, waiting = [], 0
            digests[number * DIGEST : (number + 1) * DIGEST] = value
        if put is not None:
            put(found)

    def _read_later(self, descriptor: int, block: Block, number: int, device: int) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_WORKERS)
        future = self._pool.submit(self._read_one, descriptor, block, number, device)
        future.add_done_callback(lambda _: os.close(descriptor))
        block.pending.append(future)

    def _read_one(self, descriptor: int, block: Block, number: int, device: int) -> list[Hashed]:
        return [self._read(descriptor, block, number, device)]

    def _read(self, descriptor: int, block: Block, number: int, device: int) -> Hashed:
        name = self._name(block, number)
        for _ in range(_TRIES - 1):
            try:
                return self._try(descriptor, number, name, device)
            except ObjectChanged:
                continue
        return self._try(descriptor, number, name, device)

    def _try(self, descriptor: int, number: int, name: str, device: int) -> Hashed:
        before = settled(descriptor)
        now = time.time_ns()
        if self._batch is None:
            digest, size = fingerprint(descriptor, name)
        else:
            stored = self._batch.put_descriptor(descriptor, name)
            digest, size = stored.digest, stored.size
        key = pack_key(before, device)
        if before.st_size != size or not is_settled(key, now):
            inode, _, mtime, ctime, mode = KEY.unpack(key)
            key = distrust(KEY.pack(inode, size, mtime, ctime, mode))
        return number, digest.value, key

    def _read_link(self, block: Block, number: int, folder: int) -> None:
        path = block.folder + block.names[number]
        now = time.time_ns()
        try:
            target = os.readlink(block.names[number], dir_fd=folder)
        except OSError as error:
            raise ObjectChanged(f"{os.fsdecode(path)!r} was replaced while it was being read") from error
        inside = os.path.normpath(os.path.join(os.path.dirname(path), target))
        if target.startswith(b"/") or inside.split(b"/")[0] == b"..":
            shown, where = os.fsdecode(path), os.fsdecode(target)
            block.gaps.append(("dataset.link_outside", f"{shown!r} links to {where!r}: what is there is not kept"))
        digest = Digest.of(target) if self._batch is None else self._batch.put_bytes(target)
        inode, _, mtime, ctime, mode = KEY.unpack(block.key(number))
        key = KEY.pack(inode, len(target), mtime, ctime, mode)
        # A new link may have the inode of the one before it.
        block.learn(number, digest.value, key if is_settled(key, now) else distrust(key))

    def _open(self, block: Block, number: int, folder: int) -> int:
        return open_source(block.names[number], self._name(block, number), folder=folder)

    def _name(self, block: Block, number: int) -> str:
        return f"{self._prefix}/{os.fsdecode(block.folder + block.names[number])}"
