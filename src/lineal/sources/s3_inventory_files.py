"""The data files of an S3 Inventory: CSV, Parquet and ORC, as pages of a listing."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Final
from urllib.parse import unquote_plus

from lineal.errors import BadInput
from lineal.sources.bucket import Listed

_PAGE: Final = 10_000
_INSTALL: Final = "pip install 'lineal[tables]'"
_WANTED: Final = ("key", "size", "etag", "versionid", "islatest", "isdeletemarker", "checksumalgorithm")
_FIELD: Final = re.compile(r"(?:required|optional)\s+\w+\s+(\w+)|(\w+)\s*:")
_GZIP: Final = b"\x1f\x8b"
_FIELD_LIMIT: Final = 1 << 20

Reader = Callable[[BinaryIO, tuple[str, ...], str], Iterator[list[Listed]]]


def read_columns(schema: str, kind: str) -> tuple[str, ...]:
    """Return the names of the fields in the ``fileSchema`` of a manifest, in small letters without ``_``.

    CSV has ``Bucket, Key, Size``; Parquet a message type; ORC ``struct<bucket:string,…>``.
    """
    names = schema.split(",") if kind == "CSV" else [match[1] or match[2] for match in _FIELD.finditer(schema)]
    return tuple(_plain(name) for name in names)


def _plain(name: str) -> str:
    return name.strip().replace("_", "").lower()


def _read_csv(file: BinaryIO, columns: tuple[str, ...], name: str) -> Iterator[list[Listed]]:
    packed = file.read(2) == _GZIP
    file.seek(0)
    source = gzip.GzipFile(fileobj=file) if packed else file
    csv.field_size_limit(_FIELD_LIMIT)
    number = 0
    page: list[Listed] = []
    try:
        for number, cells in enumerate(csv.reader(io.TextIOWrapper(source, "utf-8", newline="")), 1):
            if len(cells) != len(columns):
                raise BadInput(f"{name}, line {number}: {len(cells)} fields, not {len(columns)}")
            row: dict[str, Any] = dict(zip(columns, cells, strict=True))
            page.append(_listed({**row, "key": unquote_plus(row["key"])}, f"{name}, line {number}"))
            if len(page) == _PAGE:
                yield page
                page = []
    except (OSError, EOFError, zlib.error, csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"{name} cannot be read after line {number}: {error}") from error
    yield page


def _read_parquet(file: BinaryIO, columns: tuple[str, ...], name: str) -> Iterator[list[Listed]]:
    del columns
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise BadInput("an inventory in Parquet needs pyarrow", fix=_INSTALL) from error

    def batches() -> Iterator[Any]:
        table = parquet.ParquetFile(file)
        yield from table.iter_batches(batch_size=_PAGE, columns=_wanted(table.schema_arrow.names))

    yield from _read_arrow(batches(), pyarrow.ArrowException, name)


def _read_orc(file: BinaryIO, columns: tuple[str, ...], name: str) -> Iterator[list[Listed]]:
    del columns
    try:
        import pyarrow
        from pyarrow import orc
    except ImportError as error:
        raise BadInput("an inventory in ORC needs pyarrow", fix=_INSTALL) from error

    def batches() -> Iterator[Any]:
        table = orc.ORCFile(file)
        wanted = _wanted(table.schema.names)
        for stripe in range(table.nstripes):
            yield table.read_stripe(stripe, columns=wanted)

    yield from _read_arrow(batches(), pyarrow.ArrowException, name)


def _wanted(names: Iterable[str]) -> list[str]:
    return [name for name in names if _plain(name) in _WANTED]


def _read_arrow(batches: Iterator[Any], failures: Any, name: str) -> Iterator[list[Listed]]:
    number = 0
    while True:
        try:
            batch = next(batches, None)
            rows = [] if batch is None else batch.to_pylist()
        except (failures, OSError, ValueError) as error:
            raise BadInput(f"{name} cannot be read after row {number}: {error}") from error
        if batch is None:
            return
        page = [
            _listed({_plain(column): value for column, value in row.items()}, f"{name}, row {number + place}")
            for place, row in enumerate(rows, 1)
        ]
        number += len(page)
        yield page


def _listed(row: dict[str, Any], where: str) -> Listed:
    """Return a row as an object of a listing; raise `BadInput` for one that cannot be."""
    key, size, etag = row.get("key"), row.get("size"), row.get("etag")
    deleted = _flag(row.get("isdeletemarker"), where, other=False)
    try:
        count = int(size) if size not in (None, "") else 0 if deleted else -1
    except (TypeError, ValueError):
        count = -1
    if not isinstance(key, str) or not key or not 0 <= count < 1 << 63:
        raise BadInput(f"{where}: no key, or no size")
    algorithms = row.get("checksumalgorithm")
    return Listed(
        key=key,
        size=count,
        etag=str(etag).strip('"') if etag else None,
        version=str(row["versionid"]) if row.get("versionid") else None,
        current=_flag(row.get("islatest"), where, other=True),
        deleted=deleted,
        sha256="SHA256" in str(algorithms) if algorithms else None,
    )


def _flag(value: Any, where: str, *, other: bool) -> bool:
    if value in (None, ""):
        return other
    if str(value).lower() not in ("true", "false"):
        raise BadInput(f"{where}: neither true nor false: {str(value)[:40]!r}")
    return str(value).lower() == "true"


READERS: Final[dict[str, Reader]] = {"CSV": _read_csv, "PARQUET": _read_parquet, "ORC": _read_orc}
