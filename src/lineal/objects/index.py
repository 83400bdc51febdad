"""The index of one pack: digests sorted, with their places. It repeats what the pack says and can be made again."""

import hashlib
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

from lineal.core.digest import Digest
from lineal.errors import IntegrityError

_HEADER: Final = b"lineal-index/1\n"
_HEAD: Final = struct.Struct(">15s32sI")
_FAN: Final = struct.Struct(">256I")
_PLACE: Final = struct.Struct(">QI")
_SEAL: Final = 32
_COLUMN: Final = _HEAD.size + _FAN.size


def encode(pack: Digest, rows: Sequence[tuple[bytes, int, int]]) -> bytes:
    """Return the one index of a pack with these rows (`pack.Row`).

    The fan says, for each first byte, how many digests begin with it or a lower one.
    """
    ordered = sorted(rows)
    counts = [0] * 256
    for digest, _, _ in ordered:
        counts[digest[0]] += 1
    body = b"".join(
        (
            _HEAD.pack(_HEADER, pack.value, len(ordered)),
            _FAN.pack(*accumulate(counts)),
            *[digest for digest, _, _ in ordered],
            *[_PLACE.pack(offset, length) for _, offset, length in ordered],
        )
    )
    return body + hashlib.sha256(body).digest()


class PackIndex:
    """One index in memory (or mapped from its file): finds an object's place in a microsecond."""

    def __init__(self, data: bytes | mmap.mmap, pack: Digest) -> None:
        """Take the bytes of the index of `pack`; raise `IntegrityError` if any of them is not what was written."""
        if len(data) < _COLUMN + _SEAL:
            raise IntegrityError(f"the index has {len(data)} bytes, fewer than its head")
        header, named, count = _HEAD.unpack_from(data)
        if header != _HEADER or named != pack.value or len(data) != _COLUMN + count * (32 + _PLACE.size) + _SEAL:
            raise IntegrityError("the index is not in the format lineal-index/1, or belongs to another pack")
        with memoryview(data) as view:
            sealed = hashlib.sha256(view[:-_SEAL]).digest()
        if sealed != data[-_SEAL:]:
            raise IntegrityError("the bytes of the index do not have the digest at its end")
        self.count: int = count
        self._data = data
        self._fan = (0, *_FAN.unpack_from(data, _HEAD.size))
        self._places = _COLUMN + count * 32

    @classmethod
    def load(cls, path: Path, pack: Digest) -> "PackIndex":
        """Map the index file at `path`; raise `IntegrityError` if it is not as written, `OSError` if unreadable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_size == 0:
                raise IntegrityError("the index is empty")
            return cls(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ), pack)
        finally:
            os.close(descriptor)

    def find(self, digest: bytes) -> tuple[int, int] | None:
        """Return offset and length of the object in the pack, or None."""
        first = digest[0]
        end = _COLUMN + self._fan[first + 1] * 32
        place = _COLUMN + self._fan[first] * 32
        # One search in C over the few digests with this first byte is quicker than bisecting in Python.
        while (place := self._data.find(digest, place, end)) >= 0:
            number, beside = divmod(place - _COLUMN, 32)
            if beside == 0:
                offset, length = _PLACE.unpack_from(self._data, self._places + number * _PLACE.size)
                return offset, length
            place += 1
        return None

    def digests(self) -> Iterator[bytes]:
        """Yield every digest, sorted."""
        for number in range(self.count):
            yield self._data[_COLUMN + number * 32 : _COLUMN + number * 32 + 32]
