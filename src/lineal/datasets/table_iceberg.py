"""Iceberg tables by their metadata: the files of the current snapshot, its columns, how many rows they have.

Metadata and manifests are read as the Iceberg table specification says. Locations in them are those where the table was
written: what lies below the table's own location is looked for in the dataset.
"""

import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.datasets import table_gaps as gaps
from lineal.datasets.manifest import Entry
from lineal.datasets.table import FOREIGN, Column, Table, name_columns
from lineal.datasets.table_avro import read_avro
from lineal.datasets.table_bytes import Files
from lineal.datasets.table_facts import Facts
from lineal.datasets.table_layout import Layout, Part
from lineal.errors import LinealError

_METADATA: Final = re.compile(rb"(?:v([0-9]+)|([0-9]+)-[0-9A-Za-z-]+)(?:\.gz)?\.metadata\.json")
_MOST_BYTES: Final = 256 << 20
_REMOVED: Final = 2
_DELETED: Final = "rows are deleted"
_PLAIN: Final = ("boolean", "int", "long", "string")


@dataclass(frozen=True, slots=True)
class State:
    """The current metadata of a table and the file it stands in."""

    entry: Entry
    document: dict[str, Any]

    @property
    def schema(self) -> dict[str, Any]:
        """The current schema."""
        wanted = self.document.get("current-schema-id")
        schemas = self.document.get("schemas") or [self.document["schema"]]
        found: dict[str, Any] = next((each for each in schemas if each.get("schema-id") == wanted), schemas[-1])
        return found

    @property
    def snapshot(self) -> dict[str, Any] | None:
        """The current snapshot, None for a table to which nothing was ever written."""
        wanted = self.document.get("current-snapshot-id")
        snapshots = self.document.get("snapshots") or ()
        found: dict[str, Any] | None = next((each for each in snapshots if each["snapshot-id"] == wanted), None)
        if found is None and wanted not in (None, -1):
            raise ValueError("its current snapshot is not in its metadata")
        return found

    @property
    def partition_fields(self) -> list[dict[str, Any]]:
        """The fields of the partition spec by which new files are written."""
        wanted = self.document.get("default-spec-id")
        for spec in self.document.get("partition-specs") or ():
            if spec["spec-id"] == wanted:
                return list(spec["fields"])
        return []


class Ambiguous(ValueError):
    """Two files of metadata have the same number."""


def read_state(layout: Layout, files: Files) -> State:
    """Return the current metadata of a table; raises `Ambiguous`, and what parsing it raises."""
    entry = _current(layout, files)
    with files.open(_bounded(entry)) as file:
        data = file.read()
    if b".gz." in entry.path or data[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            data = packed.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"{gaps.name(entry)} unpacks to more than {_MOST_BYTES:,} bytes")
    document = json.loads(data)
    if not isinstance(document, dict) or document.get("format-version") not in (1, 2, 3):
        raise ValueError("its metadata has a format version that is not known here")
    return State(entry, document)


def _current(layout: Layout, files: Files) -> Entry:
    """Return the file of metadata with the highest number, or the one that the hint of a file system table names."""
    prefix = _prefix(layout) + b"metadata/"
    numbered: dict[int, list[Entry]] = {}
    hint: int | None = None
    for entry in layout.files:
        name = entry.path.removeprefix(prefix)
        if name == entry.path:
            continue
        if match := _METADATA.fullmatch(name):
            numbered.setdefault(int(match[1] or match[2]), []).append(entry)
        elif name == b"version-hint.text":
            with files.open(entry) as file:
                hint = int(file.read(64))
    newest = numbered[max(numbered) if hint is None else hint]
    if len(newest) > 1:
        raise Ambiguous(", ".join(gaps.name(entry) for entry in newest[:4]))
    return newest[0]


def _prefix(layout: Layout) -> bytes:
    return layout.root + b"/" if layout.root else b""


def parts(layout: Layout, files: Files) -> list[Part]:
    """Return the files of the current snapshot; raises what parsing the metadata raises."""
    found, _, _ = _read_parts(layout, files, read_state(layout, files))
    return found


def _read_parts(layout: Layout, files: Files, state: State) -> tuple[list[Part], list[str], int]:
    """Return the data files, the names of those that the dataset has not, and how many partitions there are."""
    snapshot = state.snapshot
    if snapshot is None:
        return [], [], 0
    place = _Place(layout, files, state.document["location"])
    ids = tuple(sorted((name, each["id"]) for name, each in zip(_names(state), state.schema["fields"], strict=True)))
    data: list[tuple[dict[str, Any], int, Entry | None]] = []
    deletes: list[str] = []
    for file, spec in _data_files(place, snapshot):
        if file.get("content", 0) == 0:
            data.append((file, spec, place.find(file["file_path"])))
        else:
            deletes.append(f"{file['content']} {file['file_path']}")
    unread = _deleted(deletes) if deletes else None
    held = [
        Part(
            entry=entry,
            values=_constants(state, file, spec),
            ids=ids,
            rows=int(file["record_count"]),
            unread=unread or _unreadable(file),
        )
        for file, spec, entry in data
        if entry is not None
    ]
    missing = [gaps.shown(file["file_path"]) for file, _, entry in data if entry is None]
    return held, missing, len({repr((spec, file.get("partition"))) for file, spec, _ in data})


def _deleted(files: list[str]) -> str:
    """Return what makes rows of a snapshot unread: its files of deleted rows, and which they are."""
    return f"{_DELETED} in {len(files)} files of their own ({Digest.of(repr(sorted(files)).encode()).hex[:16]})"


def _unreadable(file: dict[str, Any]) -> str | None:
    kind = str(file["file_format"]).upper()
    return None if kind == "PARQUET" else f"it is {kind}"


def _data_files(place: "_Place", snapshot: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield each file of a snapshot that was not removed, with the number of the partition spec it was written by."""
    if "manifest-list" not in snapshot:
        raise ValueError("its manifests stand in its metadata (an early version 1)")
    for manifest in read_avro(place.read(snapshot["manifest-list"])):
        for entry in read_avro(place.read(manifest["manifest_path"])):
            if entry["status"] != _REMOVED:
                yield entry["data_file"], manifest.get("partition_spec_id", 0)


def _constants(state: State, file: dict[str, Any], spec: int) -> tuple[tuple[str, str | None], ...]:
    """Return the values of the columns by which a table is partitioned as they are: files may be without them."""
    if spec != state.document.get("default-spec-id"):
        return ()
    columns = {each["id"]: (name, each) for name, each in zip(_names(state), state.schema["fields"], strict=True)}
    values = list(file["partition"].values())
    found = []
    for number, each in enumerate(state.partition_fields):
        name, column = columns.get(each["source-id"], ("", {"type": None}))
        if each["transform"] == "identity" and column["type"] in _PLAIN:
            value = values[number]
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found.append((name, None if value is None else text))
    return tuple(sorted(found))


class _Place:
    """The files of a table, below the location that its metadata calls its own."""

    def __init__(self, layout: Layout, files: Files, location: str) -> None:
        self._files = files
        self._held = {entry.path: entry for entry in layout.files}
        self._prefix = _prefix(layout)
        self._location = _local(location).rstrip("/") + "/"

    def find(self, location: str) -> Entry | None:
        """Return the file that was written at `location`, None if it is not below the table's own."""
        local = _local(location)
        if not local.startswith(self._location):
            return None
        return self._held.get(self._prefix + local[len(self._location) :].encode("utf-8", "surrogatepass"))

    def read(self, location: str) -> bytes:
        """Return the bytes at `location`; raise `FileNotFoundError` if the dataset has none."""
        entry = self.find(location)
        if entry is None:
            raise FileNotFoundError(f"{gaps.shown(location)} is not in the dataset")
        with self._files.open(_bounded(entry)) as file:
            return file.read()


def _local(location: str) -> str:
    """Return a location without the several spellings of a local one: ``file:///x``, ``file:/x``, ``/x``."""
    return "/" + location[5:].lstrip("/") if location.startswith("file:") else location


def _bounded(entry: Entry) -> Entry:
    if entry.size > _MOST_BYTES:
        raise ValueError(f"{gaps.name(entry)} has {entry.size:,} bytes")
    return entry


def _names(state: State) -> list[str]:
    return name_columns(each["name"] for each in state.schema["fields"])


def describe(layout: Layout, files: Files, _: Facts) -> tuple[Table | None, list[Gap]]:
    """Return the table as its current snapshot has it, and what could not be told of it."""
    try:
        state = read_state(layout, files)
        columns = tuple(
            Column(name, _type(each["type"]), not each["required"])
            for name, each in zip(_names(state), state.schema["fields"], strict=True)
        )
        partitioned_by = tuple(name_columns(each["name"] for each in state.partition_fields))
        snapshot = state.snapshot
        own = _own(state)
    except Ambiguous as error:
        return None, [gaps.ambiguous(layout.path, [str(error)])]
    except (LinealError, *FOREIGN) as error:
        return None, gaps.damaged(layout.path, "Iceberg table", [f"{layout.path}: {gaps.reason(error)}"], 1)
    told: list[Gap] = []
    held: list[Part] | None = None
    missing: list[str] = []
    partitions: int | None = None
    try:
        held, missing, partitions = _read_parts(layout, files, state)
    except (LinealError, *FOREIGN) as error:
        told += gaps.damaged(layout.path, "Iceberg table", [f"{layout.path}: {gaps.reason(error)}"], 1)
    told += gaps.file_missing(layout.path, missing)
    rows = None
    if held is not None and not missing:
        rows = sum(part.rows or 0 for part in held)
        if any((part.unread or "").startswith(_DELETED) for part in held):
            rows = None
            told.append(gaps.deletes_not_applied(layout.path))
    own["other_files"] = _others(layout, held) if held is not None else None
    table = Table(
        path=layout.path,
        format="iceberg",
        columns=columns,
        rows=0 if snapshot is None else rows,
        files=0 if held is None else len(held) + len(missing),
        partitioned_by=partitioned_by,
        partitions=partitions if partitioned_by else None,
        own=own,
    )
    return table, told


def _own(state: State) -> dict[str, Any]:
    """Return what the table says of its state; a snapshot's number has 63 bits, so it is written as text."""
    snapshot = state.snapshot
    return {
        "snapshot": None if snapshot is None else str(snapshot["snapshot-id"]),
        "sequence": state.document.get("last-sequence-number", 0),
        "metadata": gaps.name(state.entry),
        "id": str(state.document.get("table-uuid")),
    }


def _others(layout: Layout, held: Iterable[Part]) -> int:
    folder = _prefix(layout) + b"metadata/"
    data = sum(not entry.path.startswith(folder) for entry in layout.files)
    return data - len({part.entry.path for part in held})


def _type(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    if kind["type"] == "list":
        return f"list<{_type(kind['element'])}>"
    if kind["type"] == "map":
        return f"map<{_type(kind['key'])}, {_type(kind['value'])}>"
    fields = ", ".join(f"{each['name']}: {_type(each['type'])}" for each in kind["fields"])
    return f"struct<{fields}>"
