"""DVC's cache: the bytes of files by their MD5, in the layouts of DVC 2 and 3, which lie side by side."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from lineal.core.digest import Digest
from lineal.errors import BadInput, DigestMismatch, ObjectMissing
from lineal.sources.dvc_file import check_inner
from lineal.sources.dvc_items import Listed, Oid
from lineal.sources.dvc_text import LARGEST_LIST, load_list

CHUNK: Final = 1 << 20
_HEAD: Final = 512
_TEXT: Final = bytes(range(32, 127)) + b"\n\r\t\f\b"
_MOST_BINARY: Final = 0.30


def key_of(oid: Oid) -> str:
    """Return the path of an object below a cache, or below the address of a remote."""
    name = f"{oid.md5[:2]}/{oid.md5[2:]}{'.dir' if oid.is_dir else ''}"
    return name if oid.is_dos2unix else f"files/md5/{name}"


class Hasher:
    """Hashes a stream in all the ways that DVC ever did, and by SHA-256; it must get pieces of `CHUNK` bytes.

    DVC before 3.0 took text without the carriage returns before its newlines: 2.x judged by the first piece whether a
    file is text, 3.x judges each piece of an old file for itself. A pair that lies across two pieces stays.
    """

    def __init__(self) -> None:
        self._md5, self._first, self._each, self._sha256 = _md5(), _md5(), _md5(), hashlib.sha256()
        self._is_text: bool | None = None
        self._differs = False
        self.size = 0

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next piece: `CHUNK` bytes, fewer only at the end."""
        data = bytes(piece)
        self._sha256.update(data)
        is_text = _is_text(data[:_HEAD])
        if self._is_text is None:
            self._is_text = is_text
        unix = data.replace(b"\r\n", b"\n") if (is_text or self._is_text) and b"\r\n" in data else data
        if not self._differs and len(unix) != len(data):
            self._differs = True
            self._first, self._each = self._md5.copy(), self._md5.copy()
        self._md5.update(data)
        if self._differs:
            self._first.update(unix if self._is_text else data)
            self._each.update(unix if is_text else data)
        self.size += len(data)

    @property
    def digest(self) -> Digest:
        """The SHA-256 of what was taken."""
        return Digest(self._sha256.digest())

    def spell(self, oid: Oid) -> str:
        """Return the MD5 of what was taken, in the way of `oid`, and of its two old ones in that which agrees."""
        if not oid.is_dos2unix or not self._differs:
            return self._md5.hexdigest()
        each = self._each.hexdigest()
        return each if each == oid.md5 else self._first.hexdigest()


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


def _is_text(block: bytes) -> bool:
    if not block:
        return True
    return b"\0" not in block and len(block.translate(None, _TEXT)) / len(block) <= _MOST_BINARY


def check_oid(oid: Oid, hasher: Hasher, about: str) -> None:
    """Raise `DigestMismatch` if what `hasher` took is not what `oid` names."""
    found = hasher.spell(oid)
    if found != oid.md5:
        raise DigestMismatch(
            f"{about} has the MD5 {found}, recorded as {oid.md5}",
            fix="The copy is damaged: remove it from DVC's cache and `dvc fetch` it again, or name another remote.",
        )


class Cache:
    """A folder of objects: DVC's cache, or a remote that is a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path_of(self, oid: Oid) -> Path:
        """Return where the object lies, if it is there."""
        return self.root / key_of(oid)

    def size(self, oid: Oid) -> int | None:
        """Return the size of the object in bytes, None if it is not there."""
        try:
            status = os.stat(self.path_of(oid))
        except OSError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def sizes(self, oids: Iterable[Oid]) -> dict[Oid, int]:
        """Return the sizes of those objects that are there."""
        return {oid: size for oid in oids if (size := self.size(oid)) is not None}

    def read(self, oid: Oid, limit: int = LARGEST_LIST) -> bytes | None:
        """Return the object's bytes, None if it is not there; raise `DigestMismatch` if they are others."""
        file = self.path_of(oid)
        try:
            with open(file, "rb", opener=_open_regular) as stream:
                data = stream.read(limit + 1)
        except OSError:
            return None
        if len(data) > limit:
            raise BadInput(f"{str(file)!r} is larger than {limit} bytes")
        return check_bytes(oid, data, repr(str(file)))

    def pieces(self, oid: Oid) -> Iterator[bytes]:
        """Yield the object in pieces of `CHUNK` bytes, not checked; raise `ObjectMissing` if it is not there."""
        return self._pieces(os.fsencode(self.path_of(oid)))

    def pieces_of(self, path: bytes, version: str | None) -> Iterator[bytes]:
        """Yield the file that lies under its own name, as `pieces` does; a folder has no versions."""
        if version is not None:
            raise ObjectMissing(f"{str(self.root)!r} is a folder: it keeps no versions")
        return self._pieces(os.path.join(os.fsencode(self.root), path))

    def _pieces(self, file: bytes) -> Iterator[bytes]:
        name = repr(os.fsdecode(file))
        try:
            with open(file, "rb", buffering=0, opener=_open_regular) as stream:
                while piece := _read_full(stream.fileno()):
                    yield piece
        except FileNotFoundError as error:
            raise ObjectMissing(f"{name} is not there", fix="`dvc fetch` brings it into the cache.") from error
        except OSError as error:
            raise BadInput(f"cannot read {name}: {error.strerror}") from error


def _read_full(descriptor: int) -> bytes:
    data = os.read(descriptor, CHUNK)
    while 0 < len(data) < CHUNK and (more := os.read(descriptor, CHUNK - len(data))):
        data += more
    return data


def _open_regular(path: Any, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(path)
    return descriptor


def check_bytes(oid: Oid, data: bytes, about: str) -> bytes:
    """Return `data` if it is what `oid` names; raise `DigestMismatch` otherwise."""
    hasher = Hasher()
    for start in range(0, len(data), CHUNK):
        hasher.update(data[start : start + CHUNK])
    check_oid(oid, hasher, about)
    return data


def parse_list(oid: Oid, data: bytes) -> tuple[Listed, ...]:
    """Return the files that the list `data`, which is that of `oid`, names, sorted by path.

    Raises `BadInput` for what is no list, a file outside of the folder, a file twice, or within another file.
    """
    name = f"the list {oid}"
    found: dict[bytes, Listed] = {}
    for each in load_list(data, name):
        path = check_inner(each["relpath"], name)
        member = member_of(oid, each["md5"], name)
        if path in found:
            raise BadInput(f"{name} has a file twice: {path!r}")
        found[path] = Listed(path=path, md5=member.md5)
    return tuple(found[path] for path in sorted(found))


def member_of(folder: Oid, md5: str, name: str) -> Oid:
    """Return the name of a file in the folder named `folder`: hashed in the same way."""
    if len(md5) != 32 or not set(md5) <= set("0123456789abcdef"):
        raise BadInput(f"{name} has an md5 that is none: {md5[:60]!r}")
    return Oid(md5, False, folder.is_dos2unix)
