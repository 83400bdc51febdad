"""Tables in a snapshot: found by name, described by content; whatever is wrong with one is a gap, never an error."""

import csv
import gzip
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lineal
from lineal.app import tables
from lineal.app.snapshot import Snapshotted
from lineal.app.tables import MAX_DETAIL, recorded_tables
from lineal.client import Client
from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry
from lineal.datasets.table_bytes import SourceFiles
from lineal.datasets.table_facts import Facts
from lineal.datasets.table_layout import lay_out
from lineal.errors import ObjectChanged
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


def take(client: Client, path: Path, *, keep: bool = True) -> Snapshotted:
    return client.snapshot("dataset:d", path, keep=keep)


def described(taken: Snapshotted) -> dict[str, dict[str, Any]]:
    return {table["path"]: table for table in taken.version.detail.get("tables", [])}


def codes(taken: Snapshotted) -> list[str]:
    return sorted(gap.code for gap in taken.gaps)


def names(table: dict[str, Any]) -> list[str]:
    return [column["name"] for column in table["columns"]]


def layout(*paths: str) -> dict[str, tuple[str, int]]:
    entries = [Entry(path.encode(), "f", Digest.of(path.encode()), 1) for path in sorted(paths)]
    return {each.path: (each.format, len(each.files)) for each in lay_out(entries)}


def test_files_are_one_table_when_their_names_differ_in_numbers_only() -> None:
    assert layout("train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "test-00000-of-00001.parquet") == {
        "train-*-of-*.parquet": ("parquet", 2),
        "test-00000-of-00001.parquet": ("parquet", 1),
    }
    part = "part-0000{}-9b0f7c1e-1f1e-4a53-9f4b-0d4f3a0f8d7{}-c000.snappy.parquet"
    assert list(layout(part.format(0, 0), part.format(1, 1))) == ["part-*-*-c*.snappy.parquet"]
    assert layout("a/users.csv", "a/orders.csv", "b/users.csv") == {
        "a/users.csv": ("csv", 1),
        "a/orders.csv": ("csv", 1),
        "b/users.csv": ("csv", 1),
    }
    assert layout("x.csv", "x.csv.gz", "x.parquet") == {"x.csv": ("csv", 2), "x.parquet": ("parquet", 1)}


def test_folders_with_values_are_partitions_of_the_folder_above() -> None:
    assert layout("t/year=2024/a.parquet", "t/year=2025/m=1/b.parquet", "t/_SUCCESS", "t/_delta_log") == {
        "t": ("parquet", 2)
    }
    assert layout("year=2024/a.csv", "year=2025/b.csv") == {".": ("csv", 2)}


def test_what_is_no_table_is_none() -> None:
    assert layout("a.jpg", "b/c.txt", "parquet", "x.parquet.crc", ".part-0.parquet", "_metadata.parquet", "csv") == {}
    assert layout("t/_delta_log/readme.md", "t/metadata/notes.json", "u/metadata/v1.metadata.json") == {
        "u": ("iceberg", 1)
    }


def test_what_lies_below_a_lake_table_belongs_to_it() -> None:
    log = "t/_delta_log/00000000000000000000.json"
    assert layout(log, "t/a.parquet", "t/sub/b.parquet", "t/x.csv", "u.csv") == {"t": ("delta", 4), "u.csv": ("csv", 1)}


def test_parquet_is_described_by_its_footers(client: Client, data: Path) -> None:
    columns: dict[str, Any] = {
        "id": pa.array([1, 2], pa.int32()),
        "when": pa.array([0, 1], pa.timestamp("us", tz="UTC")),
        "price": pa.array([None, "1.50"]).cast(pa.decimal128(10, 2)),
        "tags": pa.array([["a"], None], pa.large_list(pa.large_string())),
        "point": pa.array([{"x": 1.0, "y": [1]}, None]),
        "kind": pa.array(["a", "b"]).dictionary_encode(),
        "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int8())),
    }
    schema = pa.schema([pa.field(name, array.type, nullable=name != "id") for name, array in columns.items()])
    pq.write_table(pa.table(columns, schema=schema), data / "t.parquet")
    taken = take(client, data)
    (table,) = described(taken).values()
    assert {column["name"]: column["type"] for column in table["columns"]} == {
        "id": "int32",
        "when": "timestamp[us, tz=UTC]",
        "price": "decimal128(10, 2)",
        "tags": "list<string>",
        "point": "struct<x: double, y: list<int64>>",
        "kind": "string",
        "map": "map<string, int8>",
    }
    assert [column["nullable"] for column in table["columns"]][:2] == [False, True]
    assert (table["rows"], table["files"], table["format"]) == (2, 1, "parquet")
    assert table["schema"] == str(Digest.of(canonical.encode(table["columns"])))
    assert codes(taken) == []


def test_a_single_file_is_parquet_whatever_it_is_called(client: Client, data: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), data / "export.dat")
    assert described(take(client, data / "export.dat"))["export.dat"]["rows"] == 1
    (data / "text.dat").write_text("PAR is no magic" * 3)
    assert described(take(client, data / "text.dat")) == {}


def test_partitions_are_columns_and_counted(client: Client, data: Path) -> None:
    for place in ("year=2024/city=Z%C3%BCrich", "year=2025/city=Bern", "year=2025/city=__HIVE_DEFAULT_PARTITION__"):
        (data / place).mkdir(parents=True)
        pq.write_table(pa.table({"a": [1, 2]}), data / place / "0.parquet")
    table = described(take(client, data))["."]
    assert table["partitions"] == {"columns": ["year", "city"], "count": 3}
    assert names(table) == ["a", "year", "city"]
    assert table["rows"] == 6


def test_parts_with_other_columns_are_told_and_united(client: Client, data: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), data / "p0.parquet")
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), data / "p1.parquet")
    taken = take(client, data)
    table = described(taken)["p*.parquet"]
    assert codes(taken) == ["table.mixed_schema"]
    assert "p1.parquet" in taken.gaps[0].explanation
    assert names(table) == ["a", "b"]
    assert table["columns"][1]["nullable"] is True
    assert table["rows"] == 2


def test_a_damaged_part_leaves_the_rows_uncounted(client: Client, data: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), data / "p0.parquet")
    whole = (data / "p0.parquet").read_bytes()
    (data / "p1.parquet").write_bytes(whole[:-20])
    (data / "q.parquet").write_bytes(b"PAR1 this is not Parquet at all PAR1")
    (data / "empty.parquet").write_bytes(b"")
    taken = take(client, data)
    assert codes(taken) == ["table.damaged"] * 3
    assert {path: table["rows"] for path, table in described(taken).items()} == {"p*.parquet": None}
    assert all(gap.about == taken.version.canonical for gap in taken.gaps)


@pytest.mark.parametrize("cut", range(4, 400, 13))
def test_no_truncated_parquet_fails_a_snapshot(client: Client, data: Path, cut: int) -> None:
    pq.write_table(pa.table({"a": [1], "s": ["x"]}), data / "t.parquet")
    whole = (data / "t.parquet").read_bytes()
    (data / "t.parquet").write_bytes(whole[:-cut] + whole[-8:])
    assert take(client, data).new


def test_a_wide_table_has_its_schema_by_digest(client: Client, data: Path) -> None:
    pq.write_table(pa.table({f"column_{number}": [1] for number in range(10_000)}), data / "wide.parquet")
    taken = take(client, data)
    table = described(taken)["wide.parquet"]
    assert (table["column_count"], table["rows"], "columns" in table) == (10_000, 1, False)
    assert codes(taken) == ["table.too_wide"]


def test_descriptions_too_long_for_a_detail_are_an_object(client: Client, data: Path) -> None:
    for number in range(3):
        wide = {f"{'long ' * 20}{column}": [1] for column in range(2000)}
        pq.write_table(pa.table(wide), data / f"{chr(97 + number)}.parquet")
    view = take(client, data).version
    assert len(canonical.encode(view.detail["tables"])) < MAX_DETAIL
    assert [table["column_count"] for table in view.detail["tables"]] == [2000] * 3
    kept = client.session.objects.read(Digest.parse(view.detail["objects"]["tables"]))
    assert len(kept) > MAX_DETAIL
    assert len(recorded_tables(client.session, view)["a.parquet"].columns) == 2000


def test_of_very_many_tables_the_first_are_described(client: Client, data: Path) -> None:
    for number in range(tables.MAX_TABLES + 5):
        (data / f"d{number}").mkdir()
        (data / f"d{number}" / "t.csv").write_text("a,b\n1,2\n")
    taken = take(client, data)
    assert len(described(taken)) == tables.MAX_TABLES
    assert codes(taken) == ["table.too_many"]


def test_tables_without_rows(client: Client, data: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), data / "p.parquet")
    (data / "header.csv").write_text("a,b\n")
    (data / "nothing.csv").write_text("")
    taken = take(client, data)
    assert codes(taken) == ["table.no_rows"] * 3
    assert {path: len(table["columns"]) for path, table in described(taken).items()} == {
        "p.parquet": 1,
        "header.csv": 2,
        "nothing.csv": 0,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id;name\n1;a\n2;b\n", (";", True, ["id", "name"], 2)),
        ("1,2\n3,4\n", (",", False, ["column1", "column2"], 2)),
        (",a,b\n0,x,y\n1,x,y\n", (",", True, ["", "a", "b"], 2)),
        ("a|b\n1|2,5\n3|4,5\n", ("|", True, ["a", "b"], 2)),
        ("name\nAnn\nBob\n", (",", True, ["name"], 2)),
        ("a,a\n1,2", (",", True, ["a", "a (2)"], 1)),
        ('"a, b",c\n"x\ny","z ""q"""\n', (",", True, ["a, b", "c"], 1)),
        ("a,b\r\n1,2\r\n\r\n3,4\r\n", (",", True, ["a", "b"], 2)),
        ("a,b\r1,2\r3,4\r", (",", True, ["a", "b"], 2)),
        ("\ufeffa,b\n1,2\n", (",", True, ["a", "b"], 1)),
        ("größe,b\n1,2\n", (",", True, ["größe", "b"], 1)),
        ("2024-01-01,x\n2024-01-02,y\n", (",", False, ["column1", "column2"], 2)),
        ('a,b\n1,5" pipe\n2,x\n', (",", True, ["a", "b"], 2)),
    ],
)
def test_the_dialect_of_a_csv(client: Client, data: Path, text: str, expected: tuple[Any, ...]) -> None:
    (data / "t.csv").write_bytes(text.encode())
    taken = take(client, data)
    table = described(taken)["t.csv"]
    assert (table["delimiter"], table["header"], names(table), table["rows"]) == expected
    assert codes(taken) == []


def test_tabs_utf16_and_gzip(client: Client, data: Path) -> None:
    (data / "t.tsv").write_text("a\tb,c\n1\t2\n")
    (data / "u.csv").write_bytes("a,ü\n1,\u4e2d\n".encode("utf-16"))
    (data / "v.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 50_000))
    found = described(take(client, data))
    assert {path: (names(table), table["rows"]) for path, table in found.items()} == {
        "t.tsv": (["a", "b,c"], 1),
        "u.csv": (["a", "ü"], 1),
        "v.csv.gz": (["a", "b"], 50_000),
    }
    assert found["u.csv"]["encoding"] == "utf-16-le"


def test_csv_that_is_none(client: Client, data: Path) -> None:
    (data / "latin.csv").write_bytes("name,x\nJosé,1\n".encode("latin-1"))
    (data / "ragged.csv").write_text("a,b\n1,2\n1\n1,2,3\n")
    (data / "binary.csv").write_bytes(b"\0\1\2" * 100)
    (data / "cut.csv.gz").write_bytes(gzip.compress(b"a,b\n" * 1000)[:-9])
    (data / "not.csv.gz").write_bytes(b"a,b\n1,2\n")
    taken = take(client, data)
    assert codes(taken) == ["table.damaged"] * 3 + ["table.encoding", "table.ragged"]
    found = described(taken)
    assert (found["latin.csv"]["rows"], found["latin.csv"]["encoding"]) == (1, "not UTF-8")
    assert found["ragged.csv"]["rows"] == 3
    assert next(gap for gap in taken.gaps if gap.code == "table.ragged").explanation.startswith("ragged.csv: 2 rows")


def test_empty_parts_are_no_other_schema(client: Client, data: Path) -> None:
    for number, text in enumerate(("", "a,b\n1,2\n", "", "a,b\n")):
        (data / f"part-{number}.csv").write_text(text)
    taken = take(client, data)
    assert codes(taken) == []
    table = described(taken)["part-*.csv"]
    assert (names(table), table["rows"], table["files"]) == (["a", "b"], 1, 4)


def test_a_long_csv_is_counted_across_blocks(client: Client, data: Path) -> None:
    rows = [[str(number), 'a "quoted"\nfield' if number % 40_000 == 0 else "plain text"] for number in range(150_000)]
    with (data / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *rows])
    assert os.path.getsize(data / "t.csv") > 2 << 20
    assert described(take(client, data))["t.csv"]["rows"] == 150_000


def test_files_of_the_version_before_are_not_read_again(
    client: Client, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(number: int) -> None:
        pq.write_table(pa.table({"a": [number], "b": ["x"]}), data / f"p{number}.parquet")
        (data / f"größe {number}.csv").write_text(f"größe,name\n1,x\n{number},y\n")
        (data / f"t{number}.tsv.gz").write_bytes(gzip.compress(b"1\t2\n" * number))

    for number in range(1, 15):
        write(number)
    first = take(client, data)
    assert "table_files" in first.version.detail["objects"]
    opened: list[bytes] = []
    original = SourceFiles.open

    def note(self: SourceFiles, entry: Entry) -> Any:
        opened.append(entry.path)
        return original(self, entry)

    monkeypatch.setattr(SourceFiles, "open", note)
    write(15)
    second = take(client, data)
    assert sorted(opened) == sorted([b"p15.parquet", "größe 15.csv".encode(), b"t15.tsv.gz"])
    afresh = client.snapshot("dataset:other", data)
    assert second.version.detail["tables"] == afresh.version.detail["tables"]
    assert second.version.detail["objects"] == afresh.version.detail["objects"]
    assert codes(second) == codes(afresh) == []
    assert {path: table["rows"] for path, table in described(second).items()} == {
        "größe%20*.csv": 30,
        "p*.parquet": 15,
        "t*.csv": 120,
    }


def test_facts_that_nobody_wrote_are_none() -> None:
    entry = Entry(b"t.csv", "f", Digest.of(b"x"), 1)
    facts = Facts()
    facts.put("csv", entry, ["shape"], [1, 2])
    assert Facts(facts.encode()).get("csv", entry) == (["shape"], [1, 2])
    assert Facts(facts.encode()).get("parquet", entry) is None
    key = f"csv {entry.digest.hex}"
    for document in (
        [],
        {},
        {"files": {key: [0]}},
        {"files": {key: [5, 1]}, "shapes": []},
        {"files": [], "shapes": []},
    ):
        assert Facts(canonical.encode(document)).get("csv", entry) is None
    assert Facts(canonical.encode({"files": {key: [0, "1"]}, "shapes": ["s"]})).get("csv", entry) is None
    assert Facts(b"\xff").get("csv", entry) is None


def test_the_same_bytes_have_the_same_description(client: Client, data: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, None], "b": ["x", "y"]}), data / "t.parquet")
    (data / "t.csv").write_text("a,b\n1,2\n")
    kept, referenced = take(client, data), client.snapshot("dataset:other", data, keep=False)
    assert kept.version.detail["tables"] == referenced.version.detail["tables"]
    assert not take(client, data).new


def test_secrets_in_names_of_columns_are_not_recorded(client: Client, data: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    (data / "t.csv").write_text(f"id,{secret}\n1,2\n")
    view = take(client, data).version
    assert secret not in json.dumps(view.detail)
    assert "[redacted]" in json.dumps(view.detail["tables"])


def test_without_the_libraries_csv_is_described_and_the_rest_a_gap(
    client: Client, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"a": [1]}), data / "a.parquet")
    pq.write_table(pa.table({"a": [1]}), data / "b.parquet")
    (data / "t.csv").write_text("a,b\n1,2\n")
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    taken = take(client, data)
    assert list(described(taken)) == ["t.csv"]
    assert codes(taken) == ["table.reader_missing"]
    assert "lineal[tables]" in taken.gaps[0].explanation


def test_a_file_written_to_after_the_snapshot_is_not_described(tmp_path: Path) -> None:
    place = tmp_path / "t.csv"
    place.write_text("a,b\n1,2\n")
    entry = Entry(b"t.csv", "f", Digest.of(place.read_bytes()), 8)
    files = SourceFiles(os.fsencode(tmp_path), 0)
    files.open(entry).close()
    place.write_text("a,b\n9,9\n")
    with pytest.raises(ObjectChanged):
        files.open(entry)


def test_a_large_file_is_trusted_by_its_ctime_only_when_that_is_old(tmp_path: Path) -> None:
    place = tmp_path / "t.bin"
    place.write_bytes(b"x" * (2 << 20))
    other = Entry(b"t.bin", "f", Digest.of(b"something else"), 2 << 20)
    with pytest.raises(ObjectChanged):
        SourceFiles(os.fsencode(tmp_path), os.stat(place).st_ctime_ns).open(other)
    SourceFiles(os.fsencode(tmp_path), os.stat(place).st_ctime_ns + 2 * 10**9).open(other).close()


def test_folders_without_tables_are_not_looked_into(
    client: Client, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        (data / f"{number}.jpg").write_bytes(b"PAR1" + bytes(100))

    def refuse(*_: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(SourceFiles, "open", refuse)
    taken = take(client, data)
    assert "tables" not in taken.version.detail
