"""S3 Inventory as the listing: CSV, Parquet and ORC, checked by their MD5, and what is no inventory."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pyarrow
import pytest
from pyarrow import orc, parquet

from lineal.errors import BadInput, DigestMismatch, LinealError
from lineal.sources.bucket import BucketUri, Listed
from lineal.sources.s3_inventory import open_inventory

SOURCE = BucketUri.parse("s3://lake/p/")
COLUMNS = ("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "ETag", "ChecksumAlgorithm")
SNAKE = ("bucket", "key", "version_id", "is_latest", "is_delete_marker", "size", "e_tag", "checksum_algorithm")
ROWS: list[tuple[Any, ...]] = [
    ("lake", "p/a b+ü.csv", "v1", True, False, 3, "e1", "SHA256"),
    ("lake", "p/a b+ü.csv", "v0", False, False, 2, "e0", "CRC64NVME"),
    ("lake", "p/gone", "v2", True, True, None, None, None),
    ("lake", "q/other", "v3", True, False, 9, "e3", None),
]
EXPECTED = [
    Listed("p/a b+ü.csv", 3, "e1", "v1", sha256=True),
    Listed("p/a b+ü.csv", 2, "e0", "v0", current=False, sha256=False),
    Listed("p/gone", 0, None, "v2", deleted=True),
]


def as_csv(rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    for bucket, key, *rest in rows:
        plain = ["" if each is None else str(each).lower() if isinstance(each, bool) else each for each in rest]
        writer.writerow([bucket, quote_plus(key), *plain])
    return text.getvalue().encode()


def table(rows: list[tuple[Any, ...]]) -> pyarrow.Table:
    return pyarrow.table({name: list(column) for name, column in zip(SNAKE, zip(*rows, strict=True), strict=True)})


def as_parquet(rows: list[tuple[Any, ...]]) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table(rows), sink)
    return sink.getvalue()


def as_orc(rows: list[tuple[Any, ...]]) -> bytes:
    sink = io.BytesIO()
    orc.write_table(table(rows), sink)
    return sink.getvalue()


MESSAGE = "message s3.inventory {  required binary bucket (UTF8);  " + "  ".join(
    f"optional binary {name} (UTF8);" for name in SNAKE[1:]
)
FORMATS: dict[str, tuple[str, Callable[[list[tuple[Any, ...]]], bytes]]] = {
    "CSV": (", ".join(COLUMNS), lambda rows: gzip.compress(as_csv(rows))),
    "Parquet": (MESSAGE + "}", as_parquet),
    "ORC": (f"struct<{','.join(f'{name}:string' for name in SNAKE)}>", as_orc),
}


def lay(folder: Path, *, kind: str = "CSV", data: bytes | None = None, **more: Any) -> str:
    """Write an inventory as S3 does, below `folder`; return the path of its manifest."""
    schema, write = FORMATS[kind]
    body = data if data is not None else write(ROWS)
    key = "inventory/lake/all/data/1f3a.data"
    file = folder / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    said = {
        "sourceBucket": "lake",
        "destinationBucket": "arn:aws:s3:::kept",
        "version": "2016-11-30",
        "creationTimestamp": "1772323200000",
        "fileFormat": kind,
        "fileSchema": schema,
        "files": [{"key": key, "size": len(body), "MD5checksum": hashlib.md5(body).hexdigest()}],
        **more,
    }
    manifest = folder / "inventory" / "lake" / "all" / "2026-03-01T00-00Z" / "manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps(said))
    manifest.with_suffix(".checksum").write_text(hashlib.md5(manifest.read_bytes()).hexdigest() + "\n")
    return str(manifest)


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_is_read_with_its_versions(tmp_path: Path, kind: str) -> None:
    found = open_inventory(lay(tmp_path, kind=kind), SOURCE)
    assert [item for page in found.pages("p/") for item in page] == EXPECTED
    assert found.detail()["inventory"]["created"] == "2026-03-01T00:00:00.000000Z"


def test_an_inventory_of_current_objects_has_no_versions(tmp_path: Path) -> None:
    data = b'"lake","p/%2Fodd+key","5","""e"""\n'
    place = lay(tmp_path, data=data, fileSchema="Bucket, Key, Size, ETag")
    assert list(open_inventory(place, SOURCE).pages("p/")) == [[Listed("p//odd key", 5, "e")]]


@pytest.mark.parametrize("name", ["manifest.json", "manifest.checksum", "data"])
def test_what_is_not_as_its_checksum_says_is_refused(tmp_path: Path, name: str) -> None:
    place = Path(lay(tmp_path))
    file = next(tmp_path.rglob("*.data")) if name == "data" else place.with_name(name)
    body = bytearray(file.read_bytes())
    body[-2] ^= 1
    file.write_bytes(body)
    with pytest.raises(DigestMismatch):
        list(open_inventory(str(place), SOURCE).pages("p/"))


@pytest.mark.parametrize(
    "more",
    [
        {"sourceBucket": "another"},
        {"fileFormat": "XLSX"},
        {"fileSchema": "Bucket, Key"},
        {"files": "none"},
        {"files": [{"key": "a"}]},
        {"files": [{"key": "../../etc/passwd", "MD5checksum": "0" * 32}]},
        {"files": [{"key": "no/such/file", "MD5checksum": "0" * 32}]},
    ],
)
def test_what_is_no_inventory_of_this_bucket_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        list(open_inventory(lay(tmp_path, **more), SOURCE).pages("p/"))


@pytest.mark.parametrize(
    "row",
    [
        b'"lake","p/a"\n',
        b'"lake","","","","","1","e",""\n',
        b'"lake","p/a","","","","-1","e",""\n',
        b'"lake","p/a","","","","1.5","e",""\n',
        b'"lake","p/a","","","","","e",""\n',
        b'"lake","p/a","","perhaps","","1","e",""\n',
        b'"lake","p/a\xff","","","","1","e",""\n',
        b"\x1f\x8b not gzip",
        b'"' + b"x" * (2 << 20) + b'"\n',
    ],
)
def test_a_broken_row_is_an_error_and_not_a_shorter_listing(tmp_path: Path, row: bytes) -> None:
    data = row if row.startswith(b"\x1f\x8b") else as_csv(ROWS) + row
    with pytest.raises(BadInput):
        list(open_inventory(lay(tmp_path, data=data), SOURCE).pages("p/"))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_data_file_that_is_cut_off_is_an_error(tmp_path: Path, kind: str) -> None:
    body = FORMATS[kind][1](ROWS)
    with pytest.raises(LinealError):
        list(open_inventory(lay(tmp_path, kind=kind, data=body[: len(body) // 2]), SOURCE).pages("p/"))


def test_no_file_and_no_manifest_are_errors(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        open_inventory(str(tmp_path / "manifest.json"), SOURCE)
    place = Path(lay(tmp_path))
    place.write_text("[]")
    place.with_suffix(".checksum").write_text(hashlib.md5(b"[]").hexdigest())
    with pytest.raises(BadInput, match="names no files"):
        open_inventory(str(place), SOURCE)
    with pytest.raises(BadInput, match="gs://"):
        open_inventory(str(place), BucketUri.parse("gs://lake/p/"))
