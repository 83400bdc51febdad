"""S3 Inventory as a listing: the daily or weekly files that S3 writes of a bucket of any size.

The format is that of the S3 User Guide, "Amazon S3 Inventory", manifest version 2016-11-30: ``manifest.json`` names
data files with their MD5, ``manifest.checksum`` holds its own. Every one is checked before a line of it is used.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from lineal.core import canonical, timestamp
from lineal.errors import BadInput, DigestMismatch, NotCanonical
from lineal.sources.bucket import BucketUri, Listed, is_md5
from lineal.sources.bucket_open import is_address, open_bucket
from lineal.sources.bucket_reading import Reader
from lineal.sources.s3_inventory_files import READERS, read_columns

_MOST_BYTES: Final = 256 << 20
_FIX: Final = "Name the manifest.json of an inventory that is complete, with Size and ETag among its fields."


@dataclass(frozen=True, slots=True)
class _File:
    key: str
    md5: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """One inventory of one bucket: where its manifest is, when S3 took it, and what its files hold."""

    place: str
    created: str | None
    format: str
    columns: tuple[str, ...]
    files: tuple[_File, ...]
    fetch: Callable[[str, BinaryIO], str]
    """Writes a data file to an open file and returns its MD5."""

    def pages(self, prefix: str) -> Iterator[list[Listed]]:
        """Yield what the inventory has below `prefix`, old versions and delete markers if it has them.

        Raises `DigestMismatch` for a data file that is not the one the manifest names, `BadInput` for one that cannot
        be read.
        """
        for file in self.files:
            with tempfile.TemporaryFile() as held:
                found = self.fetch(file.key, cast(BinaryIO, held))
                if found != file.md5:
                    raise DigestMismatch(
                        f"{file.key} has the MD5 {found}, which is not the one that {self.place} names: {file.md5}",
                        fix="Fetch the inventory again; nothing was recorded.",
                    )
                held.seek(0)
                for page in READERS[self.format](cast(BinaryIO, held), self.columns, file.key):
                    yield [item for item in page if item.key.startswith(prefix)]

    def detail(self) -> dict[str, Any]:
        """Return what a version says of the inventory that was its listing."""
        known = {} if self.created is None else {"created": self.created}
        return {"inventory": {"manifest": self.place, "format": self.format, **known}}


def open_inventory(place: str, source: BucketUri, endpoint: str | None = None) -> Inventory:
    """Read the manifest at `place`, an address of S3 or a file, of an inventory of the bucket of `source`.

    Raises `BadInput` for what is no manifest, or one of another bucket; `DigestMismatch` if it is not as its checksum
    says; `SourceError` branches.
    """
    if source.scheme != "s3":
        raise BadInput(f"an S3 Inventory says nothing of {source.scheme}://", fix="Leave --inventory out.")
    if is_address(place):
        uri = BucketUri.parse(place)
        place = str(uri)
        fetch = _from_bucket(uri, endpoint)
        name = uri.key
    else:
        fetch = _from_folder(Path(place))
        name = str(Path(place))
    manifest, md5 = _read(fetch, name)
    said, _ = _read(fetch, f"{name.removesuffix('.json')}.checksum")
    if said.decode("ascii", "replace").strip().lower() != md5:
        raise DigestMismatch(f"{place} is not as its manifest.checksum says; nothing was recorded", fix=_FIX)
    return _parse(manifest, place, source, fetch)


def _parse(data: bytes, place: str, source: BucketUri, fetch: Callable[[str, BinaryIO], str]) -> Inventory:
    try:
        said = canonical.parse(data)
    except NotCanonical as error:
        raise BadInput(f"{place} is no manifest of an inventory: {error.message}", fix=_FIX) from error
    if not isinstance(said, dict) or not isinstance(said.get("files"), list):
        raise BadInput(f"{place} is no manifest of an inventory: it names no files", fix=_FIX)
    if said.get("sourceBucket") != source.bucket:
        raise BadInput(
            f"{place} is an inventory of the bucket {str(said.get('sourceBucket'))[:80]!r}, not of {source.bucket}"
        )
    kind = str(said.get("fileFormat")).upper()
    if kind not in READERS:
        raise BadInput(f"{place} has files of an unknown format: {kind[:40]!r}", fix=f"One of {', '.join(READERS)}.")
    columns = read_columns(str(said.get("fileSchema", "")), kind)
    if missing := {"key", "size", "etag"}.difference(columns):
        raise BadInput(f"{place} does not have the fields {', '.join(sorted(missing))}", fix=_FIX)
    return Inventory(place, _created(said.get("creationTimestamp")), kind, columns, _files(said["files"], place), fetch)


def _files(said: list[Any], place: str) -> tuple[_File, ...]:
    found: list[_File] = []
    for each in said:
        key, md5 = (each.get("key"), each.get("MD5checksum")) if isinstance(each, dict) else (None, None)
        if not isinstance(key, str) or not isinstance(md5, str) or not is_md5(md5.lower()):
            raise BadInput(f"{place} names a file without a key and an MD5", fix=_FIX)
        if any(part in ("", ".", "..") for part in key.split("/")):
            raise BadInput(f"{place} names a file that is no path: {key[:200]!r}", fix=_FIX)
        found.append(_File(key, md5.lower()))
    return tuple(found)


def _created(text: Any) -> str | None:
    try:
        return timestamp.spell(datetime.fromtimestamp(int(text) / 1000, UTC))
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _read(fetch: Callable[[str, BinaryIO], str], name: str) -> tuple[bytes, str]:
    with tempfile.TemporaryFile() as held:
        md5 = fetch(name, cast(BinaryIO, held))
        if held.tell() > _MOST_BYTES:
            raise BadInput(f"{name} is too large for a manifest: {held.tell()} bytes", fix=_FIX)
        held.seek(0)
        return held.read(), md5


def _from_bucket(uri: BucketUri, endpoint: str | None) -> Callable[[str, BinaryIO], str]:
    bucket = open_bucket(uri, endpoint)

    def fetch(key: str, target: BinaryIO) -> str:
        item = bucket.find(key)
        if item is None:
            raise BadInput(f"there is no {uri.below(key)}", fix=_FIX)
        running = hashlib.md5(usedforsecurity=False)

        def take(piece: bytes) -> None:
            running.update(piece)
            target.write(piece)

        with Reader(bucket) as reader:
            reader.fetch(item, take)
        return running.hexdigest()

    return fetch


def _from_folder(manifest: Path) -> Callable[[str, BinaryIO], str]:
    def fetch(key: str, target: BinaryIO) -> str:
        running = hashlib.md5(usedforsecurity=False)
        with _opened(manifest, key) as source:
            while piece := source.read(1 << 20):
                running.update(piece)
                target.write(piece)
        return running.hexdigest()

    return fetch


@contextmanager
def _opened(manifest: Path, key: str) -> Iterator[BinaryIO]:
    """Open the manifest itself, its checksum, or a data file: by its key, or the end of it, in some folder above."""
    parts = key.split("/")
    ends = ["/".join(parts[start:]) for start in range(len(parts))]
    own = {
        str(manifest): manifest,
        f"{str(manifest).removesuffix('.json')}.checksum": manifest.with_suffix(".checksum"),
    }
    places = [own[key]] if key in own else [folder / end for end in ends for folder in manifest.absolute().parents]
    found = next((place for place in places if place.is_file()), None)
    try:
        if found is None:
            raise FileNotFoundError(2, "there is no such file")
        with found.open("rb") as source:
            yield source
    except OSError as error:
        raise BadInput(f"cannot read {key} of the inventory {manifest}: {error.strerror}", fix=_FIX) from error
