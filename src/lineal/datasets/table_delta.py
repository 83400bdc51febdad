"""Delta tables by their log: the files of the newest version, its columns, how many rows they have.

The log is replayed as the Delta transaction log protocol says ("Action Reconciliation"), from the newest checkpoint.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from lineal.core.observation import Gap
from lineal.datasets import table_gaps as gaps
from lineal.datasets import table_parquet
from lineal.datasets.manifest import Entry
from lineal.datasets.table import FOREIGN, Column, Table, name_columns
from lineal.datasets.table_bytes import Files
from lineal.datasets.table_facts import Facts
from lineal.datasets.table_layout import Layout, Part
from lineal.errors import LinealError

_COMMIT: Final = re.compile(rb"([0-9]{20})\.json")
_CHECKPOINT: Final = re.compile(rb"([0-9]{20})\.checkpoint(?:\.([0-9]{10})\.([0-9]{10}))?\.parquet")
_FEATURES: Final = frozenset(
    {"columnMapping", "deletionVectors", "timestampNtz", "typeWidening", "vacuumProtocolCheck"}
)
_MOST_BYTES: Final = 512 << 20


@dataclass(slots=True)
class State:
    """What the log says of its newest version: the metadata, and each file that is in it."""

    version: int = -1
    metadata: dict[str, Any] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    added: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def follow(self, action: dict[str, Any]) -> None:
        """Take one action of the log."""
        if add := action.get("add"):
            self.added[_identity(add)] = add
        if remove := action.get("remove"):
            self.added.pop(_identity(remove), None)
        self.metadata = action.get("metaData") or self.metadata
        self.protocol = action.get("protocol") or self.protocol


def _identity(action: dict[str, Any]) -> tuple[str, str]:
    vector = action.get("deletionVector")
    if not vector:
        return action["path"], ""
    return action["path"], f"{vector['storageType']} {vector['pathOrInlineDv']} {vector.get('offset')}"


def read_state(layout: Layout, files: Files) -> State:
    """Return the newest version of a table; raises `ValueError` for a log with a hole, and what parsing it raises."""
    commits, checkpoints = _log(layout)
    newest = max([*commits, *checkpoints])
    start = max(checkpoints, default=-1)
    state = State(version=newest)
    for entry in checkpoints.get(start, ()):
        for action in _checkpoint(entry, files):
            state.follow(action)
    for version in range(start + 1, newest + 1):
        if version not in commits:
            raise ValueError(f"its log has no version {version}")
        with files.open(_bounded(commits[version])) as file:
            for line in file:
                if line.strip():
                    state.follow(json.loads(line))
    if not state.metadata:
        raise ValueError("its log says nothing of its columns")
    return state


def _bounded(entry: Entry) -> Entry:
    if entry.size > _MOST_BYTES:
        raise ValueError(f"{gaps.name(entry)} has {entry.size:,} bytes")
    return entry


def _log(layout: Layout) -> tuple[dict[int, Entry], dict[int, list[Entry]]]:
    """Return the commits by version, and those checkpoints of which all parts are there."""
    commits: dict[int, Entry] = {}
    found: dict[tuple[int, int], list[Entry]] = {}
    prefix = (layout.root + b"/" if layout.root else b"") + b"_delta_log/"
    for entry in layout.files:
        name = entry.path.removeprefix(prefix)
        if name == entry.path:
            continue
        if match := _COMMIT.fullmatch(name):
            commits[int(match[1])] = entry
        elif match := _CHECKPOINT.fullmatch(name):
            found.setdefault((int(match[1]), int(match[3] or 1)), []).append(entry)
    checkpoints = {version: parts for (version, count), parts in sorted(found.items()) if len(parts) == count}
    if not commits and not checkpoints:
        raise ValueError("its log has no version that can be read")
    return commits, checkpoints


def _checkpoint(entry: Entry, files: Files) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    with table_parquet.errors_of_arrow(), files.open(_bounded(entry)) as file, pq.ParquetFile(file) as opened:
        names = [name for name in opened.schema_arrow.names if name in ("add", "metaData", "protocol", "sidecar")]
        for batch in opened.iter_batches(columns=names):
            for row in batch.to_pylist():
                if row.get("sidecar"):
                    raise ValueError("its checkpoint has files of its own (V2)")
                for action in (row.get("add"), row.get("metaData")):
                    _undo_maps(action)
                yield row


def _undo_maps(action: dict[str, Any] | None) -> None:
    for name in ("partitionValues", "configuration"):
        if action and isinstance(action.get(name), list):
            action[name] = dict(action[name])


def parts(layout: Layout, files: Files) -> list[Part]:
    """Return the files of the newest version; raises as `read_state`, and `ValueError` for what is not supported."""
    state = read_state(layout, files)
    if why := unsupported(state):
        raise ValueError(why)
    return [part for _, part in _parts(layout, state) if part is not None]


def _parts(layout: Layout, state: State) -> Iterator[tuple[str, Part | None]]:
    """Yield the name of each file of a version, and the file, None if it is not in the dataset."""
    held = {entry.path: entry for entry in layout.files}
    prefix = layout.root + b"/" if layout.root else b""
    physical = dict(_physical_names(state))
    logical = {there: here for here, there in physical.items()}
    for add in state.added.values():
        raw = unquote(add["path"])
        entry = held.get(prefix + raw.encode("utf-8", "surrogatepass"))
        if entry is None:
            yield raw, None
            continue
        vector = add.get("deletionVector")
        rows = _rows(add)
        if rows is not None and vector:
            rows -= int(vector["cardinality"])
        values = (add.get("partitionValues") or {}).items()
        yield (
            raw,
            Part(
                entry=entry,
                values=tuple(sorted((_name(logical.get(name, name)), value) for name, value in values)),
                names=tuple(sorted((_name(here), _name(there)) for here, there in physical.items() if here != there)),
                rows=rows,
                unread=f"rows are deleted by a vector: {_identity(add)[1]}" if vector else None,
            ),
        )


def _name(name: str) -> str:
    return name_columns([name])[0]


def _rows(add: dict[str, Any]) -> int | None:
    found = json.loads(add["stats"]).get("numRecords") if add.get("stats") else None
    return found if type(found) is int and 0 <= found < 1 << 53 else None


def _physical_names(state: State) -> Iterator[tuple[str, str]]:
    for column in json.loads(state.metadata["schemaString"])["fields"]:
        name = (column.get("metadata") or {}).get("delta.columnMapping.physicalName")
        if name:
            yield column["name"], name


def unsupported(state: State) -> str | None:
    """Return why the rows of a table cannot be told from its log, None if they can."""
    version = state.protocol.get("minReaderVersion", 1)
    unknown = sorted(set(state.protocol.get("readerFeatures") or ()) - _FEATURES)
    if version > 3 or unknown:
        return f"it asks for readers of version {version} with {', '.join(unknown) or 'more than is known here'}"
    return None


def describe(layout: Layout, files: Files, _: Facts) -> tuple[Table | None, list[Gap]]:
    """Return the table as its newest version has it, and what could not be told of it."""
    try:
        state = read_state(layout, files)
        columns = tuple(_columns(state))
        partitioned_by = [_name(name) for name in state.metadata.get("partitionColumns") or ()]
        found = list(_parts(layout, state))
        if why := unsupported(state):
            return None, [gaps.unsupported(layout.path, why)]
    except (LinealError, *FOREIGN) as error:
        return None, gaps.damaged(layout.path, "Delta table", [f"{layout.path}: {gaps.reason(error)}"], 1)
    told = gaps.file_missing(layout.path, sorted(gaps.shown(name) for name, part in found if part is None))
    held = [part for _, part in found if part is not None]
    rows, bad = _count(held, files)
    told += gaps.damaged(layout.path, "Parquet", bad, len(found))
    data = sum(not entry.path.startswith(_log_folder(layout)) for entry in layout.files)
    table = Table(
        path=layout.path,
        format="delta",
        columns=columns,
        rows=rows if len(held) == len(found) else None,
        files=len(found),
        partitioned_by=tuple(partitioned_by),
        partitions=len({part.values for part in held}) if partitioned_by else None,
        own={
            "version": state.version,
            "id": str(state.metadata.get("id")),
            "other_files": data - len({part.entry.path for part in held}),
        },
    )
    return table, told


def _log_folder(layout: Layout) -> bytes:
    return (layout.root + b"/" if layout.root else b"") + b"_delta_log/"


def _count(held: Iterable[Part], files: Files) -> tuple[int | None, list[str]]:
    """Return the rows of all parts: as the log counts them, else as their footers do."""
    rows, bad = 0, []
    for part in held:
        if part.rows is not None:
            rows += part.rows
            continue
        try:
            with files.open(part.entry) as file:
                rows += table_parquet.read_footer(file).rows
        except (LinealError, *FOREIGN) as error:
            bad.append(f"{gaps.name(part.entry)}: {gaps.reason(error)}")
        if part.unread is not None:
            bad.append(f"{gaps.name(part.entry)}: {part.unread}")
    return None if bad else rows, bad


def _columns(state: State) -> Iterator[Column]:
    fields = json.loads(state.metadata["schemaString"])["fields"]
    for name, each in zip(name_columns(each["name"] for each in fields), fields, strict=True):
        yield Column(name, _type(each["type"]), bool(each["nullable"]))


def _type(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    if kind["type"] == "array":
        return f"array<{_type(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{_type(kind['keyType'])}, {_type(kind['valueType'])}>"
    fields = ", ".join(f"{each['name']}: {_type(each['type'])}" for each in kind["fields"])
    return f"struct<{fields}>"
