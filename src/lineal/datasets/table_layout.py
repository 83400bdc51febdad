"""Which files of a dataset are tables, by their names alone, and which of them are one table together."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from lineal.core import path as paths
from lineal.datasets.manifest import Entry, Manifest, ObjectReader, read_range
from lineal.datasets.table import name_columns

MAX_TABLES: Final = 200

_DATA: Final = re.compile(rb"\.(?:(parquet|parq|pq)|(?:csv|tsv|tab)(?:\.gz)?)$", re.IGNORECASE)
_NO_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"
_DELTA_LOG: Final = b"_delta_log"
_DELTA_FILE: Final = re.compile(rb"[0-9]{20}\.(?:json|checkpoint(?:\..+)?\.parquet)$")
_ICEBERG_FILE: Final = re.compile(rb"(?:v[0-9]+|[0-9]+-[0-9A-Za-z-]+)(?:\.gz)?\.metadata\.json$")
# A line of a range of a manifest that can belong to a table: the cheap question asked before any line is parsed.
_LINE: Final = re.compile(rb"(?:\.(?:parquet|parq|pq|csv|tsv|tab)(?:\.gz)?|_delta_log/[^\n]*|\.metadata\.json)\n", re.I)
# What differs in the names of the parts of one table: numbers, and the random names that writers give.
_RANDOM: Final = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<![0-9a-z])[0-9a-f]{16,}(?![0-9a-z])|[0-9]+", re.I
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The files of one table, sorted by path.

    `root` is its folder (``b""`` for the whole dataset) or its one file; `series` is the same for the same table in
    another version, however many files it has there.
    """

    root: bytes
    path: str
    series: str
    format: str
    files: tuple[Entry, ...]
    partitioned_by: tuple[str, ...] = ()

    def values_of(self, entry: Entry) -> tuple[tuple[str, str | None], ...]:
        """Return the values that the folders of a file give to the columns by which a table is partitioned."""
        return tuple(_hive_values(entry.path)) if self.partitioned_by else ()


def find_layouts(manifest: Manifest, reader: ObjectReader) -> tuple[list[Layout], int]:
    """Return the first `MAX_TABLES` tables of a dataset by path, and how many there are.

    A dataset without a name of a table is not parsed at all. Raises as `read_range`.
    """
    if manifest.count == 1:
        entries: Iterable[Entry] = read_range(manifest.ranges[0], reader)
    elif any(_LINE.search(reader.read(part.digest)) for part in manifest.ranges):
        entries = _all(manifest, reader)
    else:
        return [], 0
    found = lay_out(entries)
    return found[:MAX_TABLES], len(found)


def _all(manifest: Manifest, reader: ObjectReader) -> Iterator[Entry]:
    for part in manifest.ranges:
        yield from read_range(part, reader)


def lay_out(entries: Iterable[Entry]) -> list[Layout]:
    """Return the tables that `entries` are, sorted by path.

    What lies below a folder with a log of Delta or the metadata of Iceberg belongs to that table. Of other files,
    those of one folder are one table when their names differ in numbers and random parts only, and those below
    ``key=value`` folders are one table of the folder above. Names that begin with ``_`` or ``.`` are no data.
    """
    held = [entry for entry in entries if entry.kind != "l"]
    roots = _lake_roots(held)
    lakes: dict[bytes, list[Entry]] = {root: [] for root in roots}
    plain: dict[tuple[bytes, bytes, str], list[Entry]] = {}
    for entry in held:
        if roots and (root := _root_above(entry.path, roots)) is not None:
            lakes[root].append(entry)
        elif (key := _key(entry.path)) is not None:
            plain.setdefault(key, []).append(entry)
    found = [_folder(root, roots[root], tuple(files)) for root, files in lakes.items()]
    found += [_plain(*key, tuple(files)) for key, files in plain.items()]
    return sorted(found, key=lambda each: (each.path, each.format))


def _lake_roots(entries: Iterable[Entry]) -> dict[bytes, str]:
    roots: dict[bytes, str] = {}
    for entry in entries:
        folder, _, name = entry.path.rpartition(b"/")
        above, _, last = folder.rpartition(b"/")
        if last == _DELTA_LOG and _DELTA_FILE.match(name):
            roots[above] = "delta"
        elif last == b"metadata" and _ICEBERG_FILE.match(name):
            roots.setdefault(above, "iceberg")
    return roots


def _root_above(path: bytes, roots: dict[bytes, str]) -> bytes | None:
    folder = path
    while folder:
        folder = folder.rpartition(b"/")[0]
        if folder in roots:
            return folder
    return None


def _key(path: bytes) -> tuple[bytes, bytes, str] | None:
    """Return what a file has in common with the others of its table: folder, pattern of names, format."""
    folder, _, name = path.rpartition(b"/")
    match = _DATA.search(name)
    if match is None or name[:1] in (b"_", b"."):
        return None
    kind = "parquet" if match[1] else "csv"
    above = _above_partitions(folder)
    # Below key=value folders, every file of the format is a part, whatever its writer called it.
    pattern = b"*" if above != folder else _RANDOM.sub(b"*", name[: match.start()])
    return above, pattern, kind


def _above_partitions(folder: bytes) -> bytes:
    segments = folder.split(b"/")
    for number, segment in enumerate(segments):
        if segment.find(b"=") > 0:
            return b"/".join(segments[:number])
    return folder


def _hive_values(path: bytes) -> Iterator[tuple[str, str | None]]:
    for segment in path.split(b"/")[:-1]:
        name, equals, value = segment.partition(b"=")
        if name and equals:
            column = name_columns([unquote(name.decode("utf-8", "backslashreplace"))])[0]
            text = unquote(value.decode("utf-8", "backslashreplace"))
            yield column, None if text == _NO_VALUE else text


def _folder(root: bytes, kind: str, files: tuple[Entry, ...], partitioned_by: tuple[str, ...] = ()) -> Layout:
    path = paths.spell(root) or "."
    return Layout(root=root, path=path, series=path, format=kind, files=files, partitioned_by=partitioned_by)


def _plain(folder: bytes, pattern: bytes, kind: str, files: tuple[Entry, ...]) -> Layout:
    if columns := tuple(dict.fromkeys(name for entry in files for name, _ in _hive_values(entry.path))):
        return _folder(folder, kind, files, columns)
    name = b"%s.%s" % (pattern, kind.encode())
    series = paths.spell(b"%s/%s" % (folder, name) if folder else name)
    if len(files) == 1:
        root = files[0].path
        return Layout(root=root, path=paths.spell(root), series=series, format=kind, files=files)
    return Layout(root=folder, path=series, series=series, format=kind, files=files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a table's rows, and how to read it as the table.

    `values` are columns that the file does not have and the table does, the same in each of its rows; `names` says
    what a column is called in the file where that is not its name, `ids` by which number it stands there; `rows` is
    how many it has, where the table says so; `unread` says why its rows cannot be told.
    """

    entry: Entry
    values: tuple[tuple[str, str | None], ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    ids: tuple[tuple[str, int], ...] = ()
    rows: int | None = None
    unread: str | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """What two parts have in common when they are the same rows."""
        return self.entry.digest, self.values, self.names, self.ids, self.unread
