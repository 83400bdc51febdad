"""CSV and TSV: dialect, header and number of rows, read as a stream; every field is text."""

import csv
import gzip
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Final, cast

from lineal.core.observation import Gap
from lineal.datasets import table_gaps as gaps
from lineal.datasets.manifest import Entry
from lineal.datasets.table import FOREIGN, Column, Table, name_columns
from lineal.datasets.table_blocks import Count, count_records, cut_lines, read_lines
from lineal.datasets.table_bytes import Files
from lineal.datasets.table_facts import Facts
from lineal.datasets.table_layout import Layout, Part
from lineal.datasets.table_rows import NULL, SEPARATOR, encode_field, encode_row
from lineal.errors import LinealError

MAX_FILES: Final = 10_000
_SAMPLE: Final = 1 << 16
_SAMPLE_ROWS: Final = 50
_BATCH: Final = 1 << 14
_DELIMITERS: Final = (",", ";", "\t", "|")
_FIELD_LIMIT: Final = 64 << 20
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
# What no header is called: a number, a date, an empty field.
_VALUE: Final = re.compile(r"\s*|[+-]?[\d.,_ ]+(?:[eE][+-]?\d+)?%?|\d{4}-\d\d-\d\d.*|(?i:nan|null|none|true|false)")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written: the bytes before its text, its encoding, what separates fields, the columns of its header.

    Rows are handled as the Latin-1 reading of their bytes: every byte is a letter, so nothing is lost or refused.
    """

    bom: int
    encoding: str
    delimiter: str
    header: tuple[str, ...] | None
    width: int

    @property
    def columns(self) -> list[str]:
        """The names of the columns: of the header, or by number."""
        if self.header is None:
            return [f"column{number}" for number in range(1, self.width + 1)]
        return list(self.header)

    def describe(self) -> dict[str, Any]:
        """Return the dialect as it stands in a description."""
        return {"delimiter": self.delimiter, "header": self.header is not None, "encoding": self.encoding}


def describe(layout: Layout, files: Files, facts: Facts) -> tuple[Table | None, list[Gap]]:
    """Return the table of all files of `layout` together, and what could not be told of it; as in `table_parquet`."""
    first: Dialect | None = None
    empty: Dialect | None = None
    columns: dict[str, Column] = {}
    rows = ragged = 0
    bad: list[str] = []
    odd: list[str] = []
    told: list[Gap] = []
    is_text = True
    for entry in layout.files[:MAX_FILES]:
        shown = gaps.name(entry)
        try:
            dialect, counted = _count(entry, files, facts)
        except (LinealError, csv.Error, *FOREIGN) as error:
            bad.append(f"{shown}: {gaps.reason(error)}")
            continue
        rows += counted.records - (dialect.header is not None)
        ragged += counted.ragged
        if not counted.is_utf8 and is_text:
            is_text = False
            told.append(gaps.encoding(shown))
        if not counted.records:
            empty = dialect  # writers that work in parallel leave empty parts
            continue
        columns.update({name: Column(name, "text") for name in dialect.columns if name not in columns})
        if first is None:
            first = dialect
        elif first.columns != dialect.columns:
            odd.append(shown)
    told += gaps.damaged(layout.path, "CSV", bad, len(layout.files)) + gaps.mixed_schema(layout.path, odd)
    first = first or empty
    if first is None:
        return None, told
    if ragged:
        told.append(gaps.ragged(layout.path, ragged))
    if len(layout.files) > MAX_FILES:
        told.append(gaps.too_many_files(layout.path, len(layout.files), MAX_FILES))
    for name in name_columns(layout.partitioned_by):
        columns.setdefault(name, Column(name, "text"))
    own = first.describe() if is_text else {**first.describe(), "encoding": "not UTF-8"}
    table = Table(
        path=layout.path,
        format="csv",
        columns=tuple(columns.values()),
        rows=None if bad or len(layout.files) > MAX_FILES else rows,
        files=len(layout.files),
        partitioned_by=tuple(name_columns(layout.partitioned_by)),
        partitions=len({layout.values_of(entry) for entry in layout.files}) if layout.partitioned_by else None,
        own=own,
    )
    return table, told


def _count(entry: Entry, files: Files, facts: Facts) -> tuple[Dialect, Count]:
    kind = f"csv{'.gz' * _is_packed(entry)}{' tabs' * _is_tabbed(entry.path)}"
    known = facts.get(kind, entry)
    if known is not None:
        (bom, encoding, delimiter, header, width), (records, ragged, is_utf8) = known
        names = None if header is None else tuple(header)
        return Dialect(bom, encoding, delimiter, names, width), Count(records, ragged, bool(is_utf8))
    with files.open(entry) as file:
        text = unpack(file, entry)
        dialect = sniff(text, entry.path)
        count = count_records(open_text(text, dialect), dialect.delimiter, dialect.width)
    shape = [dialect.bom, dialect.encoding, dialect.delimiter, dialect.header, dialect.width]
    facts.put(kind, entry, shape, [count.records, count.ragged, int(count.is_utf8)])
    return dialect, count


def _is_packed(entry: Entry) -> bool:
    return entry.path.lower().endswith(b".gz")


def _is_tabbed(path: bytes) -> bool:
    return re.search(rb"\.(?:tsv|tab)(?:\.gz)?$", path, re.IGNORECASE) is not None


def unpack(file: BinaryIO, entry: Entry) -> BinaryIO:
    """Return the file itself, or what it unpacks to if its name ends in ``.gz``."""
    return cast("BinaryIO", gzip.open(file, "rb")) if _is_packed(entry) else file


def sniff(file: BinaryIO, path: bytes) -> Dialect:
    """Return the dialect of an open file, from its first 64 KiB; leave it at its first byte.

    The delimiter is the one that cuts the first rows best into fields, more than one each. Raises `ValueError` for
    bytes that are no text.
    """
    sample = file.read(_SAMPLE)
    file.seek(0)
    whole = len(sample) < _SAMPLE
    bom, encoding = next(((len(mark), name) for mark, name in _BOMS if sample.startswith(mark)), (0, "utf-8"))
    text = sample[bom:]
    if encoding != "utf-8":
        text = text[: len(text) & ~1].decode(encoding, "replace").encode("utf-8")
    if b"\0" in text:
        raise ValueError("its first bytes are not text")
    lines = cut_lines(text)
    if not whole and len(lines) > 1:
        lines.pop()  # it may be cut
    candidates = ("\t",) if _is_tabbed(path) else _DELIMITERS
    found = [(delimiter, _records(lines, delimiter, whole=whole)) for delimiter in candidates]
    delimiter, records = max(found, key=lambda item: _fitness(item[1]))
    if not records:
        return Dialect(bom, encoding, delimiter, None, 0)
    header = _header(records)
    if header is not None:
        header = tuple(name_columns(map(_readable, header)))
    return Dialect(bom, encoding, delimiter, header, len(records[0]))


def _records(lines: Iterable[str], delimiter: str, *, whole: bool) -> list[list[str]]:
    """Return the first rows; of a sample that is not the whole without the last, which may be cut in its quotes."""
    raise_field_limit()
    found: list[list[str]] = []
    with suppress(csv.Error):
        found.extend(filter(None, islice(csv.reader(lines, delimiter=delimiter), _SAMPLE_ROWS)))
    return found if whole or len(found) < 2 else found[:-1]


def _fitness(records: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Return how well a delimiter cuts rows: all of them alike, or half of them like the first; then into how many."""
    width = len(records[0]) if records else 1
    alike = sum(len(record) == width for record in records)
    if width == 1 or 2 * alike < len(records):
        return 0, 0
    return (2 if alike == len(records) else 1), width


def _header(records: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """Return the first row if it can only be names: all of it text, or all but the first field, as pandas writes it."""
    first = records[0]
    fields = first[1:] if len(first) > 1 and not first[0].strip() else first
    if all(_VALUE.fullmatch(field) is None for field in fields):
        return tuple(first)
    return None


def _readable(field: str) -> str:
    raw = field.encode("latin-1", "replace")
    return raw.decode("utf-8", "backslashreplace")


def raise_field_limit() -> None:
    """Let a field be longer than the 128 KiB that Python allows at first: documents stand in tables, too."""
    if csv.field_size_limit() < _FIELD_LIMIT:
        csv.field_size_limit(_FIELD_LIMIT)


def open_text(file: BinaryIO, dialect: Dialect) -> BinaryIO:
    """Return the file after its byte order mark, as UTF-8 if it is UTF-16."""
    file.seek(dialect.bom)
    if dialect.encoding == "utf-8":
        return file
    text = io.TextIOWrapper(cast("Any", file), dialect.encoding, errors="replace", newline="")
    return cast("BinaryIO", _Encoded(text))


class _Encoded(io.RawIOBase):
    """Text as the bytes of its UTF-8."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def read(self, size: int = -1) -> bytes:
        return self._text.read(size).encode("utf-8")


def read_rows(file: BinaryIO, part: Part, groups: Sequence[Sequence[str]]) -> Iterator[list[list[bytes]]]:
    """Yield, batch by batch, the rows of a file: for each group of columns, the encoding of each row.

    Raises `csv.Error` and what is in `FOREIGN`.
    """
    raise_field_limit()
    text = unpack(file, part.entry)
    dialect = sniff(text, part.entry.path)
    records = csv.reader(read_lines(open_text(text, dialect)), delimiter=dialect.delimiter)
    body = (record for record in records if record)
    if dialect.header is not None:
        next(body, None)
    pickers = [_Picker(dialect, part, group) for group in groups]
    while batch := list(islice(body, _BATCH)):
        yield [[pick.encode(record) for record in batch] for pick in pickers]


class _Picker:
    """Encodes the fields of a group of columns; what a row has beyond its columns is never left out."""

    def __init__(self, dialect: Dialect, part: Part, group: Sequence[str]) -> None:
        places = {name: number for number, name in enumerate(dialect.columns)}
        constants = {name: encode_field(value) for name, value in part.values}
        self._width = dialect.width
        self._plan = [(places.get(name, -1), constants.get(name, NULL)) for name in group]
        self._whole = [place for place, _ in self._plan] == list(range(dialect.width))

    def encode(self, record: list[str]) -> bytes:
        """Return the encoding of a row."""
        if self._whole and len(record) == self._width:
            joined = "\x1f".join(record).encode("latin-1")
            if b"\x1b" not in joined and joined.count(SEPARATOR) == self._width - 1:
                return joined
        fields = [record[place].encode("latin-1") if 0 <= place < len(record) else None for place, _ in self._plan]
        found = [
            constant if field is None else encode_row([field])
            for field, (_, constant) in zip(fields, self._plan, strict=True)
        ]
        return SEPARATOR.join(found + [encode_row([each.encode("latin-1")]) for each in record[self._width :]])
