"""Checking every byte under the root of a store, and making indexes again from packs."""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lineal.core.digest import Digest
from lineal.errors import IntegrityError
from lineal.objects.copying import pieces
from lineal.objects.durable import create_temp, discard, sync_folder, write_all
from lineal.objects.index import encode
from lineal.objects.pack import Row, check, scan
from lineal.objects.places import Places

_LOOSE_NAME: Final = re.compile(r"sha256/([0-9a-f]{2})/([0-9a-f]{62})")
_PACK_NAME: Final = re.compile(r"packs/([0-9a-f]{64})\.(pack|idx)")


@dataclass(frozen=True, slots=True)
class ObjectFault:
    """One thing wrong in a store: with an object, or (digest None) with a file. `path` is relative to the root for
    a scan of the store, and absolute or empty for one object.
    """

    digest: Digest | None
    path: str
    code: str
    explanation: str


def verify(places: Places, on_progress: Callable[[int, int], None]) -> Iterator[ObjectFault]:
    """Yield a fault for each file under the root that is not, byte for byte, what its name and format promise."""
    files = size = 0
    for path in _files(places.root):
        name = os.fsdecode(os.path.relpath(path, places.root))
        if name.startswith("tmp/"):
            continue
        try:
            status = os.lstat(path)
            yield from _check_file(path, name, status)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield ObjectFault(None, name, "objects.unreadable", f"cannot be read: {error.strerror}")
        else:
            files, size = files + 1, size + status.st_size
            on_progress(files, size)


def rebuild_index(places: Places) -> int:
    """Write each index that is missing or differs from what its checked pack says; return how many were written."""
    written = 0
    damaged: IntegrityError | None = None
    for path in _files(places.packs.path):
        if not path.endswith(".pack"):
            continue
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            index = encode(_checked(descriptor, os.path.basename(path)[:64]), list(scan(descriptor)))
        except IntegrityError as error:
            damaged = damaged or IntegrityError(f"{path}: {error.message}")
            continue
        finally:
            os.close(descriptor)
        target = Path(path).with_suffix(".idx")
        if not target.exists() or target.read_bytes() != index:
            _replace(places, target, index)
            written += 1
    if damaged is not None:
        raise damaged
    return written


def _replace(places: Places, target: Path, data: bytes) -> None:
    descriptor, temp = create_temp(places.tmp)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
        temp.rename(target)
    except BaseException:
        discard(temp)
        raise
    finally:
        os.close(descriptor)
    sync_folder(target.parent)


def _files(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted(names + links):
            yield os.path.join(folder, name)


def _check_file(path: str, name: str, status: os.stat_result) -> Iterator[ObjectFault]:
    loose, packed = _LOOSE_NAME.fullmatch(name), _PACK_NAME.fullmatch(name)
    if not stat.S_ISREG(status.st_mode) or not (loose or packed):
        yield ObjectFault(None, name, "objects.stray", "no object, pack or index has this name")
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if loose:
            digest = Digest(bytes.fromhex(loose[1] + loose[2]))
            if found := _mismatch(descriptor, Row(digest.value, 0, status.st_size)):
                yield ObjectFault(digest, name, "objects.digest_mismatch", found)
        elif packed and packed[2] == "pack":
            yield from _check_pack(descriptor, name, packed[1])
        else:
            yield from _check_index(descriptor, path, name)
    finally:
        os.close(descriptor)


def _check_pack(descriptor: int, name: str, stated: str) -> Iterator[ObjectFault]:
    try:
        _checked(descriptor, stated)
    except IntegrityError as error:
        yield ObjectFault(None, name, "objects.bad_pack", error.message)
    try:
        for row in scan(descriptor):
            if found := _mismatch(descriptor, row):
                yield ObjectFault(Digest(row.digest), name, "objects.digest_mismatch", found)
    except IntegrityError as error:
        yield ObjectFault(None, name, "objects.bad_pack", error.message)


def _check_index(descriptor: int, path: str, name: str) -> Iterator[ObjectFault]:
    pack = Path(path).with_suffix(".pack")
    try:
        with pack.open("rb") as source:
            expected = encode(Digest(bytes.fromhex(pack.stem)), list(scan(source.fileno())))
    except FileNotFoundError:
        yield ObjectFault(None, name, "objects.stray", "an index without its pack")
    except IntegrityError as error:
        yield ObjectFault(None, name, "objects.bad_index", f"cannot be compared with its pack: {error.message}")
    else:
        with open(descriptor, "rb", closefd=False) as index:
            if index.read() != expected:
                explanation = "is not what its pack says; delete it or rebuild it: objects are read from the pack"
                yield ObjectFault(None, name, "objects.bad_index", explanation)


def _checked(descriptor: int, stated: str) -> Digest:
    found = check(descriptor)
    if found.hex != stated:
        raise IntegrityError(f"the bytes of the pack have the digest {found}, not the one in its name")
    return found


def _mismatch(descriptor: int, row: Row) -> str | None:
    running = hashlib.sha256()
    for piece in pieces(descriptor, row.offset, row.offset + row.length):
        running.update(piece)
    if running.digest() == row.digest:
        return None
    return f"{row.length} bytes with the digest {Digest(running.digest())}, recorded as {Digest(row.digest)}"
