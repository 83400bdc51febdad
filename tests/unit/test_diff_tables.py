"""Differences of tables between dataset versions: what is read, what is counted, what is shown, what cannot be told."""

import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

import lineal
from lineal.app import snapshot, tables
from lineal.app.comparison import Comparison, Section
from lineal.app.diff import diff
from lineal.app.diff_tables import RowOptions
from lineal.app.tables import Described
from lineal.cli.diff_picture import print_comparison
from lineal.client import Client
from lineal.datasets.manifest import Entry
from lineal.datasets.table_bytes import KeptFiles
from lineal.errors import BadInput, UsageError
from lineal.wire.documents import describe_comparison
from lineal.wiring import Settings, create


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    create(Settings(), tmp_path, "lineal.test/log")
    with lineal.open(str(tmp_path), actor="tester") as opened:
        yield opened


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def compared(client: Client, **asked: Any) -> dict[str, Section]:
    found = diff(client.session, "dataset:d@1", "dataset:d@2", rows=RowOptions(**asked)).comparison
    return {section.name: section for section in found.sections}


def counts(section: Section) -> tuple[int, int, int, int | None]:
    return section.added, section.removed, section.changed, section.same


def write(place: Path, **columns: Any) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), place)


def test_rows_of_a_csv(client: Client, data: Path) -> None:
    (data / "t.csv").write_text('id,name\n1,"a, b"\n2,x\n3,y\n3,y\n')
    client.snapshot("dataset:d", data)
    (data / "t.csv").write_text("id;name\n2;x\n1;a, b\n3;y\n4;new\n")
    client.snapshot("dataset:d", data)
    found = compared(client, shown=10)
    assert counts(found["rows"]) == (1, 1, 0, 3)
    assert [(each.kind, each.old or each.new) for each in found["rows"].changes] == [
        ("added", "id=4, name=new"),
        ("removed", "id=3, name=y"),
    ]
    assert counts(compared(client, key=("id",))["rows"]) == (1, 1, 0, 3)
    assert "1 values of the key id stand on more than one row" in (compared(client, key=("id",))["rows"].note or "")


def test_progress_is_told_in_rows_and_bytes(client: Client, data: Path) -> None:
    (data / "t.csv").write_text("id,name\n" + "1,x\n" * 40_000)
    client.snapshot("dataset:d", data)
    (data / "t.csv").write_text("id,name\n" + "1,x\n" * 30_000)
    client.snapshot("dataset:d", data)
    seen: list[tuple[int, int]] = []
    compared(client, on_progress=lambda rows, count: seen.append((rows, count)))
    assert seen == sorted(seen)
    assert seen[-1] == (70_000, 280_016)


def test_no_value_is_shown_unless_asked_for(client: Client, data: Path) -> None:
    (data / "t.csv").write_text("id,name\n1,Anna Secret\n")
    client.snapshot("dataset:d", data)
    (data / "t.csv").write_text("id,name\n1,Berta Secret\n")
    client.snapshot("dataset:d", data)
    found = diff(client.session, "dataset:d@1", "dataset:d@2").comparison
    text = io.StringIO()
    print_comparison(found, Console(file=text, width=200))
    assert "rows  1 added, 1 removed" in text.getvalue()
    assert "Secret" not in text.getvalue()
    assert "Secret" not in json.dumps(describe_comparison(found))
    for entry in range(client.session.ledger.reader.size()):
        assert b"Secret" not in (client.session.ledger.reader.entry(entry).body or b"")


def test_shown_values_are_cut_and_without_secrets(client: Client, data: Path) -> None:
    (data / "t.csv").write_text("id,note,api_key\n1,x,abcdefgh\n")
    client.snapshot("dataset:d", data)
    (data / "t.csv").write_text(f"id,note,api_key\n1,{'long ' * 50},ijklmnop\n")
    client.snapshot("dataset:d", data)
    (change,) = compared(client, key=("id",), shown=1)["rows"].changes
    assert (change.name, change.old) == ("id=1", "note=x, api_key=[redacted]")
    assert (change.new or "").startswith("note=long long")
    assert len(change.new or "") < 100


def test_only_files_that_differ_are_read(client: Client, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        write(data / f"p{number}.parquet", a=[number, number])
    client.snapshot("dataset:d", data)
    write(data / "p3.parquet", a=[3, 33])
    (data / "p4.parquet").rename(data / "p9.parquet")
    client.snapshot("dataset:d", data)
    opened: list[bytes] = []
    original = KeptFiles.open

    def open_and_note(self: KeptFiles, entry: Entry) -> Any:
        opened.append(entry.path)
        return original(self, entry)

    monkeypatch.setattr(KeptFiles, "open", open_and_note)
    assert counts(compared(client)["rows"]) == (1, 1, 0, 9)
    assert opened == [b"p3.parquet", b"p3.parquet"]


def test_columns_added_removed_and_retyped(client: Client, data: Path) -> None:
    write(data / "t.parquet", id=pa.array([1, 2], pa.int32()), gone=["x", "y"], same=[1.5, None])
    client.snapshot("dataset:d", data)
    write(data / "t.parquet", same=[1.5, None], id=pa.array([1, 2], pa.int64()), new=["x", "y"])
    client.snapshot("dataset:d", data)
    found = compared(client)
    assert {each.name: (each.old, each.new) for each in found["columns"].changes} == {
        "gone": ("string", None),
        "new": (None, "string"),
        "id": ("int32", "int64"),
    }
    assert counts(found["rows"]) == (0, 0, 0, 2)
    assert "compared by the 2 columns that both versions have" in (found["rows"].note or "")
    assert not found["rows"].differs


def test_partitions_count_as_columns(client: Client, data: Path) -> None:
    write(data / "year=2024" / "0.parquet", a=[1])
    write(data / "year=2025" / "0.parquet", a=[2])
    client.snapshot("dataset:d", data)
    shutil.rmtree(data / "year=2024")
    write(data / "year=2026" / "0.parquet", a=[1])
    client.snapshot("dataset:d", data)
    found = compared(client, key=("a",), shown=5)["rows"]
    assert counts(found) == (0, 0, 1, 1)
    assert (found.changes[0].name, found.changes[0].old, found.changes[0].new) == ("a=1", "year=2024", "year=2026")


def test_several_tables_and_those_of_one_version_only(client: Client, data: Path) -> None:
    write(data / "users.parquet", a=[1])
    write(data / "orders.parquet", a=[1])
    write(data / "gone.parquet", a=[1])
    client.snapshot("dataset:d", data)
    write(data / "users.parquet", a=[1, 2])
    os.unlink(data / "gone.parquet")
    (data / "new.csv").write_text("x,y\n1,2\n")
    client.snapshot("dataset:d", data)
    found = compared(client)
    assert {each.name: each.kind for each in found["tables"].changes} == {
        "gone.parquet": "removed",
        "new.csv": "added",
        "users.parquet": "changed",
    }
    assert found["tables"].same == 1
    assert counts(found["rows of users.parquet"]) == (1, 0, 0, 1)
    assert "rows of orders.parquet" not in found


def test_a_table_that_got_more_files_is_the_same_table(client: Client, data: Path) -> None:
    write(data / "part-0.parquet", a=[1])
    client.snapshot("dataset:d", data)
    write(data / "part-1.parquet", a=[2])
    client.snapshot("dataset:d", data)
    found = compared(client)
    assert counts(found["rows"]) == (1, 0, 0, 1)
    assert found["tables"].changes[0].kind == "changed"


def test_a_reference_is_read_where_its_files_still_are(client: Client, data: Path) -> None:
    write(data / "t.parquet", a=[1, 2])
    client.snapshot("dataset:d", data, keep=False)
    other = data.parent / "other"
    write(other / "t.parquet", a=[2, 3])
    client.snapshot("dataset:d", other, keep=False)
    assert counts(compared(client)["rows"]) == (1, 1, 0, 1)
    write(other / "t.parquet", a=[2, 4])
    assert "no longer the file that is recorded" in (compared(client)["rows"].note or "")
    shutil.rmtree(other)
    assert "cannot read" in (compared(client)["rows"].note or "")


def test_lost_and_damaged_objects_are_told(client: Client, data: Path) -> None:
    write(data / "t.parquet", a=list(range(100_000)))
    client.snapshot("dataset:d", data)
    write(data / "t.parquet", a=list(range(1, 100_000)))
    client.snapshot("dataset:d", data)
    assert counts(compared(client)["rows"]) == (0, 1, 0, 99_999)
    largest = max((each for each in client.session.objects.root.rglob("*") if each.is_file()), key=os.path.getsize)
    os.chmod(largest, 0o644)
    with largest.open("r+b") as file:
        file.seek(os.path.getsize(largest) // 2)
        file.write(b"altered")
    section = compared(client)["rows"]
    assert "cannot be compared" in (section.note or "")
    assert not section.differs


def test_a_key_that_no_table_has_is_refused(client: Client, data: Path) -> None:
    (data / "t.csv").write_text("id,name\n1,x\n")
    client.snapshot("dataset:d", data)
    (data / "t.csv").write_text("id,name\n1,y\n")
    client.snapshot("dataset:d", data)
    with pytest.raises(BadInput, match="no column 'order'"):
        compared(client, key=("order",))
    (data / "u.csv").write_text("order,name\n1,y\n")
    (data / "t.csv").write_text("id,name\n1,x\n")
    client.snapshot("dataset:e", data)
    (data / "u.csv").write_text("order,name\n1,z\n")
    (data / "t.csv").write_text("id,name\n1,y\n")
    client.snapshot("dataset:e", data)
    found = diff(client.session, "dataset:e@1", "dataset:e@2", rows=RowOptions(key=("order",))).comparison
    sections = {section.name: section for section in found.sections}
    assert counts(sections["rows of u.csv"]) == (0, 0, 1, 0)
    assert counts(sections["rows of t.csv"]) == (1, 1, 0, 0)
    assert "no column 'order'" in (sections["rows of t.csv"].note or "")
    with pytest.raises(UsageError, match="at most 1,000"):
        RowOptions(shown=5000)
    with pytest.raises(UsageError):
        RowOptions(shown=-1)


def test_other_formats_under_one_name_are_other_tables(client: Client, data: Path) -> None:
    (data / "t.csv").write_text("a,b\n1,2\n")
    client.snapshot("dataset:d", data)
    os.unlink(data / "t.csv")
    write(data / "t.parquet", a=[1], b=[2])
    client.snapshot("dataset:d", data)
    found = compared(client)
    assert [each.kind for each in found["tables"].changes] == ["removed", "added"]
    assert "rows" not in found


def test_versions_recorded_without_their_tables_are_described_from_what_is_kept(
    client: Client, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "describe_tables", lambda *_: Described())
    monkeypatch.setattr(snapshot, "describe_tables", lambda *_: Described(), raising=False)
    (data / "t.csv").write_text("a,b\n1,2\n")
    assert "tables" not in client.snapshot("dataset:d", data).version.detail
    monkeypatch.undo()
    (data / "t.csv").write_text("a,b\n1,2\n3,4\n")
    client.snapshot("dataset:d", data)
    assert counts(compared(client)["rows"]) == (1, 0, 0, 1)


def test_nested_and_unusual_values(client: Client, data: Path) -> None:
    write(
        data / "t.parquet", a=[[1], [2, None], None], b=[{"x": 1.0}, {"x": float("nan")}, None], c=[b"\x1f", b"", None]
    )
    client.snapshot("dataset:d", data)
    write(
        data / "t.parquet", a=[None, [2, None], [1]], b=[None, {"x": float("nan")}, {"x": 1.0}], c=[None, b"", b"\x1f"]
    )
    client.snapshot("dataset:d", data)
    assert counts(compared(client)["rows"]) == (0, 0, 0, 3)


def test_two_files_of_one_name_are_one_section(client: Client, data: Path) -> None:
    place = data / "t.csv"
    place.write_text("a,b\n1,2\n")
    client.snapshot("dataset:d", place)
    place.write_text("a,b\n1,3\n")
    client.snapshot("dataset:d", place)
    assert counts(compared(client, key=("a",))["rows"]) == (0, 0, 1, 0)


def comparison(client: Client) -> Comparison:
    return diff(client.session, "dataset:d@1", "dataset:d@2").comparison


def test_a_dataset_without_tables_has_no_such_section(client: Client, data: Path) -> None:
    (data / "a.txt").write_text("1")
    client.snapshot("dataset:d", data)
    (data / "a.txt").write_text("2")
    client.snapshot("dataset:d", data)
    assert [section.name for section in comparison(client).sections] == ["content", "files"]


def test_names_of_columns_that_are_paths_or_stand_twice(client: Client, data: Path) -> None:
    def table(last: int) -> Any:
        arrays = [pa.array([1, 2]), pa.array(["x", "y"]), pa.array([{"b": 3}, {"b": last}]), pa.array([5, 6])]
        return pa.Table.from_arrays(arrays, names=["a.b", "twice", "a", "twice"])

    pq.write_table(table(4), data / "t.parquet")
    first = client.snapshot("dataset:d", data).version.detail["tables"][0]
    assert [column["name"] for column in first["columns"]] == ["a.b", "twice", "a", "twice (2)"]
    pq.write_table(table(9), data / "t.parquet")
    client.snapshot("dataset:d", data)
    found = compared(client, key=("a.b", "twice"), shown=1)["rows"]
    assert counts(found) == (0, 0, 1, 1)
    assert (found.changes[0].name, found.changes[0].old) == ("a.b=2, twice=y", "a={'b': 4}")


def test_a_table_much_wider_than_long(client: Client, data: Path) -> None:
    wide = {f"c{number}": [number, number] for number in range(3000)}
    write(data / "t.parquet", **wide)
    client.snapshot("dataset:d", data)
    write(data / "t.parquet", **{**wide, "c7": [7, 8]})
    client.snapshot("dataset:d", data)
    found = compared(client, shown=1)["rows"]
    assert counts(found) == (1, 1, 0, 1)
