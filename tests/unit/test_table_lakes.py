"""Delta and Iceberg tables as their own libraries write them: the state of each version, told from the files alone."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType, TimestampType

import lineal
from avro_writer import container
from lineal.app.comparison import Section
from lineal.app.diff import diff
from lineal.app.diff_tables import RowOptions
from lineal.client import Client
from lineal.wiring import Settings, create


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    create(Settings(), tmp_path, "lineal.test/log")
    with lineal.open(str(tmp_path), actor="tester") as opened:
        yield opened


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def table_of(client: Client, lake: Path) -> dict[str, Any]:
    (table,) = client.snapshot("dataset:d", lake).version.detail["tables"]
    found: dict[str, Any] = table
    return found


def gaps_of(client: Client, lake: Path) -> list[str]:
    return [gap.code for gap in client.snapshot("dataset:d", lake).gaps]


def rows(client: Client, old: int, new: int, **asked: Any) -> Section:
    found = diff(client.session, f"dataset:d@{old}", f"dataset:d@{new}", rows=RowOptions(**asked))
    (section,) = [each for each in found.comparison.sections if each.name == "rows"]
    return section


def counts(section: Section) -> tuple[int, int, int, int | None]:
    assert section.note is None, section.note
    return section.added, section.removed, section.changed, section.same


def batch(*ids: int, text: str = "x") -> pa.Table:
    parts, texts = [f"p{each % 2}" for each in ids], [text] * len(ids)
    schema = pa.schema([("id", pa.int64()), ("part", pa.string()), ("t", pa.string())])
    return pa.table([list(ids), parts, texts], schema=schema)


def test_delta_versions_are_told_and_compared(client: Client, lake: Path) -> None:
    write_deltalake(lake, batch(1, 2, 3), partition_by=["part"])
    first = table_of(client, lake)
    write_deltalake(lake, batch(4, 5), mode="append", partition_by=["part"])
    second = table_of(client, lake)
    DeltaTable(lake).delete("id = 1")
    DeltaTable(lake).update({"t": "'new'"}, predicate="id = 2")
    third = table_of(client, lake)
    write_deltalake(lake, batch(9), mode="overwrite", partition_by=["part"])
    fourth = table_of(client, lake)

    assert [each["version"] for each in (first, second, third, fourth)] == [0, 1, 3, 4]
    assert [each["rows"] for each in (first, second, third, fourth)] == [3, 5, 4, 1]
    assert first["id"] == fourth["id"] == str(DeltaTable(lake).metadata().id)
    assert first["columns"][0] == {"name": "id", "type": "long", "nullable": True}
    assert third["partitions"] == {"columns": ["part"], "count": 2}
    assert fourth["other_files"] > 0
    assert counts(rows(client, 1, 2)) == (2, 0, 0, 3)
    assert counts(rows(client, 2, 3)) == (1, 2, 0, 3)
    assert counts(rows(client, 2, 3, key=("id",))) == (0, 1, 1, 3)
    assert counts(rows(client, 3, 2, key=("id",))) == (1, 0, 1, 3)
    assert counts(rows(client, 3, 4)) == (1, 4, 0, 0)
    (changed,) = [each for each in rows(client, 2, 3, key=("id",), shown=5).changes if each.kind == "changed"]
    assert (changed.name, changed.old, changed.new) == ("id=2", "t=x", "t=new")


def test_delta_rows_are_those_that_deltalake_counts(client: Client, lake: Path) -> None:
    for number in range(12):
        write_deltalake(lake, batch(*range(number, number + 20)), mode="append", partition_by=["part"])
    DeltaTable(lake).delete("id >= 5 and id < 12")
    DeltaTable(lake).create_checkpoint()
    for entry in sorted((lake / "_delta_log").glob("*.json"))[:-1]:
        entry.unlink()  # what a checkpoint covers may go
    write_deltalake(lake, batch(100), mode="append", partition_by=["part"])
    found = DeltaTable(lake)
    table = table_of(client, lake)
    assert table["version"] == found.version()
    assert table["rows"] == sum(pa.table(found.get_add_actions())["num_records"].to_pylist())
    assert table["files"] == len(found.file_uris())


def test_a_delta_schema_that_grew(client: Client, lake: Path) -> None:
    write_deltalake(lake, batch(1, 2))
    table_of(client, lake)
    wider = batch(3).append_column("extra", pa.array([1.5]))
    write_deltalake(lake, wider, mode="append", schema_mode="merge")
    table_of(client, lake)
    found = diff(client.session, "dataset:d@1", "dataset:d@2").comparison
    sections = {each.name: each for each in found.sections}
    assert [(each.name, each.old, each.new) for each in sections["columns"].changes] == [("extra", None, "double")]
    assert (sections["rows"].added, sections["rows"].removed, sections["rows"].same) == (1, 0, 2)
    assert "3 columns that both versions have" in (sections["rows"].note or "")


def test_delta_paths_with_blanks_and_percent_signs(client: Client, lake: Path) -> None:
    table = pa.table({"id": [1, 2], "part": ["a b%/ü", None]})
    write_deltalake(lake, table, partition_by=["part"])
    assert table_of(client, lake)["rows"] == 2
    DeltaTable(lake).delete("id = 1")
    assert table_of(client, lake)["rows"] == 1
    section = rows(client, 1, 2, shown=3)
    assert counts(section) == (0, 1, 0, 1)
    assert section.changes[0].old == "id=1, part=a b%/ü"


def write_log(lake: Path, version: int, *actions: dict[str, Any]) -> None:
    (lake / "_delta_log").mkdir(parents=True, exist_ok=True)
    text = "\n".join(json.dumps(action) for action in actions)
    (lake / "_delta_log" / f"{version:020d}.json").write_text(text)


META = {
    "metaData": {
        "id": "m",
        "schemaString": json.dumps({"type": "struct", "fields": [{"name": "a", "type": "long", "nullable": True}]}),
        "partitionColumns": [],
        "configuration": {},
    }
}


def add(path: str, records: int | None = 10, **more: Any) -> dict[str, Any]:
    stats = None if records is None else json.dumps({"numRecords": records})
    return {"add": {"path": path, "partitionValues": {}, "size": 1, "stats": stats, **more}}


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        ([META, add("gone.parquet")], "table.file_missing"),
        ([META, {"protocol": {"minReaderVersion": 3, "readerFeatures": ["quantum"]}}], "table.unsupported"),
        ([add("a.parquet")], "table.damaged"),
        ([META, {"add": {"no": "path"}}], "table.damaged"),
        ([{"metaData": {"schemaString": "not JSON"}}], "table.damaged"),
        (
            [{"metaData": {"schemaString": json.dumps({"fields": [{"name": 1, "type": 2, "nullable": 3}]})}}],
            "table.damaged",
        ),
        ([{"metaData": {"schemaString": "[" * 100_000}}], "table.damaged"),
        ([META, add("a.parquet", records=None)], "table.damaged"),
    ],
)
def test_hostile_delta_logs_are_gaps(client: Client, lake: Path, actions: list[dict[str, Any]], code: str) -> None:
    write_log(lake, 0, *actions)
    (lake / "a.parquet").write_bytes(b"no parquet")
    assert gaps_of(client, lake) == [code]


def test_a_log_with_a_hole_or_a_huge_number_is_no_table(client: Client, lake: Path) -> None:
    write_log(lake, 0, META)
    write_log(lake, 2, META)
    assert gaps_of(client, lake) == ["table.damaged"]
    shutil.rmtree(lake)
    write_log(lake, 10**19, META)
    assert gaps_of(client, lake) == ["table.damaged"]


def test_rows_deleted_by_a_vector_are_counted_out_and_not_compared(client: Client, lake: Path) -> None:
    write_log(lake, 0, META, add("a.parquet"))
    (lake / "a.parquet").write_bytes(b"never read")
    assert table_of(client, lake)["rows"] == 10
    vector = {"storageType": "u", "pathOrInlineDv": "ab", "offset": 1, "sizeInBytes": 4, "cardinality": 3}
    write_log(lake, 1, {"remove": {"path": "a.parquet"}}, add("a.parquet", deletionVector=vector))
    assert table_of(client, lake)["rows"] == 7
    assert "deleted by a vector" in (rows(client, 1, 2).note or "")


def iceberg(lake: Path, schema: Any = None, **more: Any) -> Any:
    lake.mkdir(exist_ok=True)
    catalog = SqlCatalog("c", uri=f"sqlite:///{lake.parent}/catalog.db", warehouse=f"file://{lake}")
    catalog.create_namespace_if_not_exists("db")
    return catalog.create_table("db.t", schema=schema or batch().schema, **more)


def test_iceberg_snapshots_are_told_and_compared(client: Client, lake: Path) -> None:
    table = iceberg(lake)
    assert (table_of(client, lake)["rows"], table_of(client, lake)["snapshot"]) == (0, None)
    table.append(batch(1, 2, 3))
    first = table_of(client, lake)
    table.append(batch(4, 5))
    table.delete("id = 1")
    second = table_of(client, lake)
    table.overwrite(batch(2, text="new"))
    third = table_of(client, lake)

    assert first["path"] == "db/t"
    assert [each["rows"] for each in (first, second, third)] == [3, 4, 1]
    assert third["snapshot"] == str(table.current_snapshot().snapshot_id)
    assert third["sequence"] == table.metadata.last_sequence_number
    assert table.metadata_location.endswith(third["metadata"].rpartition("/")[2])
    assert first["columns"][0] == {"name": "id", "type": "long", "nullable": True}
    assert counts(rows(client, 1, 2)) == (3, 0, 0, 0)
    assert counts(rows(client, 2, 3)) == (2, 1, 0, 2)
    assert counts(rows(client, 3, 4, key=("id",))) == (0, 3, 1, 0)


def test_iceberg_files_and_rows_are_those_that_pyiceberg_plans(client: Client, lake: Path) -> None:
    table = iceberg(lake)
    for number in range(6):
        table.append(batch(*range(number, number + 10)))
        if number % 2:
            table.delete(f"id = {number}")
    found = table_of(client, lake)
    assert found["files"] == len(list(table.scan().plan_files()))
    assert found["rows"] == table.scan().count()
    assert found["other_files"] == len(list((lake / "db/t/data").iterdir())) - found["files"]


def test_an_iceberg_table_that_was_moved_and_renamed_a_column(client: Client, lake: Path) -> None:
    table = iceberg(lake)
    table.append(batch(1, 2))
    elsewhere = lake.parent / "elsewhere"
    shutil.copytree(lake, elsewhere)
    shutil.rmtree(lake)
    assert table_of(client, elsewhere)["rows"] == 2
    shutil.copytree(elsewhere, lake)
    with table.update_schema() as update:
        update.rename_column("t", "text")
        update.add_column("n", LongType())
    table.append(batch(3).rename_columns(["id", "part", "text"]).append_column("n", pa.array([7])))
    shutil.rmtree(elsewhere)
    shutil.copytree(lake, elsewhere)
    grown = table_of(client, elsewhere)
    assert [each["name"] for each in grown["columns"]] == ["id", "part", "text", "n"]
    found = diff(client.session, "dataset:d@1", "dataset:d@2", rows=RowOptions(shown=3)).comparison
    sections = {each.name: each for each in found.sections}
    assert [each.kind for each in sections["columns"].changes] == ["added", "removed", "added"]
    assert (sections["rows"].added, sections["rows"].removed) == (1, 0)


def test_logs_are_read_without_any_library(client: Client, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = iceberg(lake)
    table.append(batch(1, 2))
    write_deltalake(lake / "delta", batch(1, 2, 3))
    for name in ("pyarrow", "pyarrow.parquet", "pyarrow.compute", "deltalake", "pyiceberg", "pyiceberg.manifest"):
        monkeypatch.setitem(sys.modules, name, None)
    taken = client.snapshot("dataset:d", lake)
    assert {each["format"]: each["rows"] for each in taken.version.detail["tables"]} == {"delta": 3, "iceberg": 2}
    assert taken.gaps == ()


def test_iceberg_partitions(client: Client, lake: Path) -> None:
    schema = Schema(
        NestedField(1, "id", LongType(), required=False),
        NestedField(2, "part", StringType(), required=False),
        NestedField(3, "at", TimestampType(), required=False),
    )
    spec = PartitionSpec(
        PartitionField(2, 1000, IdentityTransform(), "part"), PartitionField(3, 1001, IdentityTransform(), "at")
    )
    table = iceberg(lake, schema, partition_spec=spec)
    days = pa.array([0, 86_400_000_000, 0], pa.timestamp("us"))
    data = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "part": ["a", "a", None], "at": days})
    table.append(data)
    found = table_of(client, lake)
    assert found["partitions"] == {"columns": ["part", "at"], "count": 3}
    table.append(data.slice(0, 1))
    table_of(client, lake)
    section = rows(client, 1, 2, shown=1)
    assert counts(section) == (1, 0, 0, 3)
    assert section.changes[0].new == "id=1, part=a, at=1970-01-01 00:00:00"


def test_two_states_of_one_number_are_ambiguous_and_a_hint_decides(client: Client, lake: Path) -> None:
    table = iceberg(lake)
    table.append(batch(1))
    folder = lake / "db/t/metadata"
    newest = sorted(folder.glob("*.metadata.json"))[-1]
    stray = folder / f"{newest.name[:5]}-00000000-0000-4000-8000-000000000000.metadata.json"
    shutil.copy(newest, stray)
    assert gaps_of(client, lake) == ["table.ambiguous"]
    stray.unlink()
    for number, each in enumerate(sorted(folder.glob("*.metadata.json"))):
        each.rename(folder / f"v{number + 1}.metadata.json")
    (folder / "version-hint.text").write_text("1")
    assert table_of(client, lake)["rows"] == 0
    (folder / "version-hint.text").write_text("2\n")
    assert table_of(client, lake)["rows"] == 1
    (folder / "version-hint.text").write_text("9")
    assert gaps_of(client, lake) == ["table.damaged"]


def test_damaged_iceberg_is_told_as_far_as_it_goes(client: Client, lake: Path) -> None:
    table = iceberg(lake)
    table.append(batch(1))
    (lake / "db/t/data").rename(lake / "data-moved")
    taken = client.snapshot("dataset:d", lake)
    assert "table.file_missing" in [gap.code for gap in taken.gaps]
    for each in (lake / "db/t/metadata").glob("*.avro"):
        each.write_bytes(each.read_bytes()[:100])
    (found,) = [
        each for each in client.snapshot("dataset:d", lake).version.detail["tables"] if each["format"] == "iceberg"
    ]
    assert (found["rows"], len(found["columns"])) == (None, 3)
    for each in (lake / "db/t/metadata").glob("*.json"):
        each.write_text('{"format-version": 2, "location": 5}')
    assert "table.damaged" in gaps_of(client, lake)


def test_delta_columns_under_other_names_in_the_files(client: Client, lake: Path) -> None:
    """Column mapping: the files have names of their own, which stay when a column is renamed."""

    def meta(name: str) -> dict[str, Any]:
        fields = [
            {"name": each, "type": "long", "nullable": True, "metadata": {"delta.columnMapping.physicalName": there}}
            for each, there in (("id", "col-1"), (name, "col-2"))
        ]
        schema = json.dumps({"type": "struct", "fields": fields})
        return {"metaData": {**META["metaData"], "schemaString": schema, "partitionColumns": ["id"]}}

    lake.mkdir()
    for name in ("a", "b"):
        pq.write_table(pa.table({"col-2": [1, 2]}), lake / f"{name}.parquet")
    protocol = {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}
    write_log(lake, 0, protocol, meta("x"), add("a.parquet", 2, partitionValues={"col-1": "5"}))
    first = table_of(client, lake)
    assert ([each["name"] for each in first["columns"]], first["rows"]) == (["id", "x"], 2)
    write_log(lake, 1, meta("y"), add("b.parquet", 2, partitionValues={"col-1": "6"}))
    assert [each["name"] for each in table_of(client, lake)["columns"]] == ["id", "y"]
    write_log(lake, 2, {"remove": {"path": "b.parquet"}})
    table_of(client, lake)
    section = rows(client, 2, 3, shown=2)
    assert counts(section) == (0, 2, 0, 2)
    assert {change.old for change in section.changes} == {"id=6, y=1", "id=6, y=2"}


MANIFEST_LIST = {
    "type": "record",
    "name": "manifest_file",
    "fields": [{"name": "manifest_path", "type": "string"}, {"name": "partition_spec_id", "type": "int"}],
}
MANIFEST = {
    "type": "record",
    "name": "manifest_entry",
    "fields": [
        {"name": "status", "type": "int"},
        {
            "name": "data_file",
            "type": {
                "type": "record",
                "name": "r2",
                "fields": [
                    {"name": "content", "type": "int"},
                    {"name": "file_path", "type": "string"},
                    {"name": "file_format", "type": "string"},
                    {"name": "partition", "type": {"type": "record", "name": "r102", "fields": []}},
                    {"name": "record_count", "type": "long"},
                ],
            },
        },
    ],
}


def with_files(table: Any, lake: Path, *files: tuple[int, int, str, str, int]) -> None:
    """Let the current snapshot have these files beside its own: status, content, name, format, rows."""
    folder = lake / "db/t/metadata"
    (current,) = folder.glob(f"snap-{table.current_snapshot().snapshot_id}-*.avro")
    entries = [
        {
            "status": status,
            "data_file": {
                "content": content,
                "file_path": f"{table.location()}/data/{name}",
                "file_format": kind,
                "partition": {},
                "record_count": count,
            },
        }
        for status, content, name, kind, count in files
    ]
    (folder / "more-m0.avro").write_bytes(container(MANIFEST, entries, "deflate"))
    paths = [f"{table.location()}/metadata/{each.name}" for each in sorted(folder.glob("*-m0.avro"))]
    current.write_bytes(container(MANIFEST_LIST, [{"manifest_path": path, "partition_spec_id": 0} for path in paths]))
    for _, _, name, _, _ in files:
        (lake / "db/t/data" / name).write_bytes(name.encode())


def test_files_of_deleted_rows_are_told_and_never_taken_for_equal(client: Client, lake: Path) -> None:
    table = iceberg(lake)
    table.append(batch(1, 2))
    table_of(client, lake)
    with_files(table, lake, (1, 1, "deletes.parquet", "PARQUET", 1))
    assert gaps_of(client, lake) == ["table.deletes_not_applied"]
    assert table_of(client, lake)["rows"] is None
    with_files(table, lake, (1, 1, "others.parquet", "PARQUET", 1))
    table_of(client, lake)
    for old, new in ((1, 2), (2, 3)):
        assert "rows are deleted in 1 files of their own" in (rows(client, old, new).note or "")


def test_files_removed_and_in_other_formats(client: Client, lake: Path) -> None:
    table = iceberg(lake)
    table.append(batch(1, 2))
    table_of(client, lake)
    with_files(table, lake, (2, 0, "gone.parquet", "PARQUET", 50), (1, 0, "more.orc", "ORC", 7))
    found = table_of(client, lake)
    assert (found["rows"], found["files"], found["other_files"]) == (9, 2, 1)
    assert "it is ORC" in (rows(client, 1, 2).note or "")
