"""What tables a dataset version is, told beside its digest: columns, rows, partitions, the table's own version."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.core.ref import VersionRef, parse_node
from lineal.datasets import manifest as manifests
from lineal.datasets import table_csv, table_delta, table_gaps, table_iceberg, table_parquet
from lineal.datasets.manifest import Manifest
from lineal.datasets.table import FOREIGN, MAX_COLUMNS, Table, restate
from lineal.datasets.table_bytes import Files, SourceFiles
from lineal.datasets.table_facts import Facts
from lineal.datasets.table_layout import MAX_TABLES, Layout, find_layouts
from lineal.errors import LinealError

MAX_DETAIL: Final = 256 * 1024
"""Bytes of descriptions in a version's detail; longer ones stand there in short, and in full in an object."""
_MAGIC: Final = b"PAR1"
# From here on it is worth an object to know of the next version's files what was read of them for this one.
_MANY_FILES: Final = 32
_MANY_BYTES: Final = 16 << 20

Describe = Callable[[Layout, Files, Facts], tuple[Table | None, list[Gap]]]
_READERS: Final[dict[str, tuple[Describe, str]]] = {
    "parquet": (table_parquet.describe, "pyarrow"),
    "csv": (table_csv.describe, "csv"),
    "delta": (table_delta.describe, "pyarrow"),
    "iceberg": (table_iceberg.describe, "json"),
}


@dataclass(frozen=True, slots=True)
class Described:
    """What goes into the detail of a version, and the gaps about its tables."""

    detail: dict[str, Any] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()


def describe_tables(session: Session, canonical_ref: str, digest: Digest, source: Path, since: str) -> Described:
    """Return the description of the tables in the folder or file `source`, of which the snapshot `digest` was taken.

    `since` is a moment before the snapshot began. Nothing is told of a version that is recorded already, and nothing
    in a table makes a snapshot fail: what cannot be read is a gap. Raises `StoreError` branches of the object store.
    """
    known = session.catalog.find([canonical_ref]).get(canonical_ref)
    if known is not None and known.version is not None:
        return Described()
    loaded = manifests.load(digest, session.objects)
    began = int(datetime.fromisoformat(since).timestamp() * 1_000_000_000)
    files = SourceFiles(os.fsencode(source), began)
    facts = Facts(_facts_before(session, canonical_ref))
    tables, gaps = read_tables(loaded, session, files, facts)
    about = tuple(replace(gap, about=canonical_ref) for gap in gaps)
    return Described(_detail(session, tables, facts), about)


def _facts_before(session: Session, canonical_ref: str) -> bytes | None:
    """Return what the version before knew of its files, None if nothing is kept."""
    named = parse_node(canonical_ref)
    if not isinstance(named, VersionRef):
        return None
    versions = session.catalog.of_artifact(named.kind, named.name)
    digest = (versions[-1].detail.get("objects") or {}).get("table_files") if versions else None
    with suppress(LinealError):  # lost, or altered: `lineal verify` says so; here the files are read again
        return None if digest is None else session.objects.read(Digest.parse(digest))
    return None


def read_tables(loaded: Manifest, session: Session, files: Files, facts: Facts) -> tuple[list[Table], list[Gap]]:
    """Return the tables of a version, each by what its files say, and what could not be told."""
    layouts, count = find_layouts(loaded, session.objects)
    if loaded.count == 1 and not layouts:
        layouts = _by_magic(loaded, session, files)
    tables: list[Table] = []
    gaps: list[Gap] = []
    for layout in layouts:
        table, told = describe_one(layout, files, facts)
        gaps += [gap for gap in told if gap not in gaps]
        if table is not None:
            tables.append(table)
    if count > MAX_TABLES:
        gaps.append(table_gaps.too_many_tables(count, MAX_TABLES))
    return tables, gaps


def _by_magic(loaded: Manifest, session: Session, files: Files) -> list[Layout]:
    """Return a single file as a Parquet table if it begins as one, whatever it is called."""
    (entry,) = manifests.read_range(loaded.ranges[0], session.objects)
    if entry.kind == "l" or entry.size < 3 * len(_MAGIC):
        return []
    try:
        with files.open(entry) as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return []
    except (LinealError, OSError):
        return []
    name = table_gaps.name(entry)
    return [Layout(root=entry.path, path=name, series=name, format="parquet", files=(entry,))]


def describe_one(layout: Layout, files: Files, facts: Facts | None = None) -> tuple[Table | None, list[Gap]]:
    """Return the table that a layout is, and the gaps about it; of what cannot be described, the gaps alone."""
    describe, library = _READERS[layout.format]
    try:
        table, gaps = describe(layout, files, Facts() if facts is None else facts)
        if table is not None:
            canonical.encode(table.describe())
    except ImportError:
        return None, [table_gaps.reader_missing(f"tables of {layout.format}", library)]
    except (LinealError, *FOREIGN) as error:
        return None, [table_gaps.undescribed(layout.path, table_gaps.reason(error))]
    if table is None:
        return None, gaps
    if table.rows == 0:
        gaps = [*gaps, table_gaps.no_rows(layout.path)]
    if len(table.columns) > MAX_COLUMNS:
        gaps = [*gaps, table_gaps.too_wide(layout.path, len(table.columns), MAX_COLUMNS)]
    return table, gaps


def _detail(session: Session, tables: list[Table], facts: Facts) -> dict[str, Any]:
    if not tables:
        return {}
    objects: dict[str, str] = {}
    if len(facts) >= _MANY_FILES or facts.bytes >= _MANY_BYTES:
        objects["table_files"] = str(session.objects.put_bytes(facts.encode()))
    found = [table.describe() for table in tables]
    encoded = canonical.encode(found)
    if len(encoded) > MAX_DETAIL:
        objects["tables"] = str(session.objects.put_bytes(encoded))
        found = [table.describe(columns=False) for table in tables]
        if len(canonical.encode(found)) > MAX_DETAIL:
            found = []
    return {"tables": found, "objects": objects} if objects else {"tables": found}


def recorded_tables(session: Session, view: NodeView) -> dict[str, Table]:
    """Return the tables that are on record of a version, by path; those whose columns are not recorded left out.

    Raises `ObjectMissing` or `DigestMismatch` for a description in an object that cannot be read.
    """
    found: Any = view.detail.get("tables") or []
    role = (view.detail.get("objects") or {}).get("tables")
    if role is not None:
        found = canonical.decode(session.objects.read(Digest.parse(role)))
    tables = (restate(document) for document in found)
    return {table.path: table for table in tables if table is not None}
