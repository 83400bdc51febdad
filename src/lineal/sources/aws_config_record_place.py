"""Where files of AWS Config lie: the bucket that it delivers to, a copy of it in a folder, or one file."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from lineal.core.path import spell
from lineal.errors import BadInput, LinealError, SourceError
from lineal.sources.aws_config_record_files import LARGEST, is_wanted, order_of
from lineal.sources.bucket import Bucket, BucketUri, Listed
from lineal.sources.bucket_open import is_address, open_bucket
from lineal.sources.reading_ahead import read_ahead

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class PlaceFile:
    """One file of a place: its `key`, and a `tag` that is another one when its content is."""

    key: str
    tag: str


class Place(Protocol):
    """A place with files of AWS Config; `odd` names those that `files` passed over, since no terminal can show them."""

    name: str
    odd: list[str]

    def files(self) -> list[PlaceFile]:
        """Return the files that may hold records, oldest first; raise `SourceError` if that is not known whole."""

    def read(self, file: PlaceFile) -> bytes:
        """Return the bytes of a file; raise `SourceError` branches if they cannot be had."""

    def find(self, address: str) -> bytes | None:
        """Return the bytes of the object ``s3://…`` as this place has it; None if it has not."""


def open_place(text: str) -> Place:
    """Return the place that `text` names: ``s3://BUCKET/PREFIX``, a folder or a file; raise `BadInput` for no place."""
    if is_address(text):
        uri = BucketUri.parse(text)
        return BucketPlace(uri, open_bucket(uri))
    path = Path(text)
    if not path.exists():
        raise BadInput(
            f"there is nothing at {spell(os.fsencode(path.absolute()))}", fix="Name a folder, file or s3://…"
        )
    return FolderPlace(path)


class FolderPlace:
    """A folder, such as a copy of the bucket, or one file."""

    def __init__(self, path: Path) -> None:
        self.name = spell(os.fsencode(os.path.realpath(path)))
        self.odd: list[str] = []
        self._path = path

    def files(self) -> list[PlaceFile]:
        """Return the files below the folder; links are not followed."""
        if not self._path.is_dir():
            return [PlaceFile(self._path.name, _tag(self._path))]
        found: list[PlaceFile] = []
        for folder, names, files in os.walk(self._path, onerror=_refuse):
            names.sort()
            for name in files:
                file = Path(folder, name)
                key = file.relative_to(self._path).as_posix()
                if not is_wanted(f"/{key}") or not stat.S_ISREG(file.lstat().st_mode):
                    continue
                if key.isprintable():
                    found.append(PlaceFile(key, _tag(file)))
                else:
                    self.odd.append(spell(os.fsencode(key)))
        return sorted(found, key=lambda each: order_of(each.key))

    def read(self, file: PlaceFile) -> bytes:
        """Return the bytes of a file."""
        path = self._path / file.key if self._path.is_dir() else self._path
        try:
            with open(path, "rb") as stream:
                return stream.read(LARGEST + 1)
        except OSError as error:
            raise SourceError(f"it cannot be read: {error.strerror or type(error).__name__}") from error

    def find(self, address: str) -> bytes | None:
        """Return the file that is the copy of an object, if the folder has one."""
        key = BucketUri.parse(address).key
        if not self._path.is_dir() or any(part in ("", ".", "..") for part in key.split("/")):
            return None
        parts = key.split("/")
        for cut in range(len(parts)):  # the folder may stand for the bucket, or for any prefix in it
            file = self._path.joinpath(*parts[cut:])
            if file.is_file() and not file.is_symlink():
                return self.read(PlaceFile("/".join(parts[cut:]), ""))
        return None


class BucketPlace:
    """The bucket that AWS Config delivers to, or a prefix of it."""

    def __init__(self, uri: BucketUri, bucket: Bucket) -> None:
        self.name = str(uri)
        self.odd: list[str] = []
        self._uri, self._bucket = uri, bucket
        self._listed: dict[str, Listed] = {}

    def files(self) -> list[PlaceFile]:
        """Return the objects below the prefix."""
        for page in self._bucket.listing(self._uri.key, history=False):
            for each in page:
                if each.deleted or not is_wanted(f"/{each.key}"):
                    continue
                if each.key.isprintable():
                    self._listed[each.key] = each
                else:
                    self.odd.append(spell(os.fsencode(each.key)))
        found = [PlaceFile(each.key, f"{each.etag}:{each.size}") for each in self._listed.values()]
        return sorted(found, key=lambda each: order_of(each.key))

    def read(self, file: PlaceFile) -> bytes:
        """Return the bytes of an object as it was listed."""
        return self._whole(self._bucket, self._listed[file.key])

    def find(self, address: str) -> bytes | None:
        """Return the bytes of an object of this bucket or, where these credentials may read it, of another one."""
        uri = BucketUri.parse(address)
        bucket = self._bucket if uri.bucket == self._uri.bucket else open_bucket(uri)
        listed = bucket.find(uri.key)
        return None if listed is None else self._whole(bucket, listed)

    def _whole(self, bucket: Bucket, listed: Listed) -> bytes:
        if listed.size > LARGEST:
            raise SourceError(f"it has {listed.size} bytes; {LARGEST} are read")
        return b"".join(bucket.read(listed, 0, listed.size))


def read_each(place: Place, files: list[PlaceFile]) -> Iterator[tuple[PlaceFile, bytes | LinealError]]:
    """Yield each file with its bytes, or with why they cannot be had, in their order; some are read ahead."""

    def read(file: PlaceFile) -> bytes | LinealError:
        try:
            return place.read(file)
        except LinealError as error:
            return error

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="aws-config") as pool:
        yield from read_ahead(pool, files, read, _AT_ONCE)


def _tag(path: Path) -> str:
    facts = path.lstat()
    return f"{facts.st_size}:{facts.st_mtime_ns}"


def _refuse(error: OSError) -> None:
    """Stop a walk that cannot see a folder: what is there would be taken for the whole."""
    name = spell(os.fsencode(error.filename)) if error.filename else "a folder"
    raise SourceError(f"{name} cannot be listed: {error.strerror or type(error).__name__}") from error
