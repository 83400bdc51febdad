"""Any byte of a table can be any other: what describes and reads tables ends in a table or a gap, never in an error."""

import csv
import gzip
import io
import os
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.catalog.sql import SqlCatalog

from lineal.app.tables import describe_one
from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.datasets import table_csv, table_delta, table_iceberg, table_parquet
from lineal.datasets.manifest import Entry
from lineal.datasets.table import FOREIGN
from lineal.datasets.table_layout import Layout, Part, lay_out


class Held:
    """Files in memory."""

    def __init__(self, files: dict[bytes, bytes]) -> None:
        self.files = files

    def open(self, entry: Entry) -> BinaryIO:
        return io.BytesIO(self.files[entry.path])

    def entries(self) -> list[Entry]:
        return [Entry(path, "f", Digest.of(data), len(data)) for path, data in sorted(self.files.items())]


def read(folder: Path) -> dict[bytes, bytes]:
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            found[os.fsencode(path.relative_to(folder))] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[dict[bytes, bytes]]:
    root = tmp_path_factory.mktemp("samples")
    schema = pa.schema([("id", pa.int64()), ("s", pa.string()), ("l", pa.list_(pa.int32()))])
    data = pa.table([[1, 2, 3], ["x", None, "z"], [[1], None, []]], schema=schema)
    (root / "plain").mkdir()
    pq.write_table(data, root / "plain/t.parquet")
    text = b'id,name\n1,"a, ""b""\nc"\n2,x\n'
    (root / "csv").mkdir()
    (root / "csv/t.csv").write_bytes(text)
    (root / "csv/u.csv.gz").write_bytes(gzip.compress(text * 40))
    (root / "csv/v.csv").write_bytes(text.decode().encode("utf-16"))
    for number in range(3):
        write_deltalake(root / "delta", data.select(["id", "s"]), mode="append")
        if number == 1:
            DeltaTable(root / "delta").create_checkpoint()
    (root / "iceberg").mkdir()
    catalog = SqlCatalog("c", uri=f"sqlite:///{root}/c.db", warehouse=f"file://{root}/iceberg")
    catalog.create_namespace("db")
    table = catalog.create_table("db.t", schema=schema)
    table.append(data)
    return [read(root / name) for name in ("plain", "csv", "delta", "iceberg")]


def parts_of(layout: Layout, held: Held) -> list[Part]:
    if layout.format == "delta":
        return table_delta.parts(layout, held)
    if layout.format == "iceberg":
        return table_iceberg.parts(layout, held)
    return [Part(entry=entry) for entry in layout.files]


@st.composite
def harm(draw: st.DrawFn) -> tuple[int, int, list[tuple[int, int]], int]:
    changes = draw(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=4))
    return draw(st.integers(0, 3)), draw(st.integers(0, 30)), changes, draw(st.integers(0, 40))


@settings(max_examples=300)
@given(harm=harm())
def test_no_damage_is_an_error(samples: list[dict[bytes, bytes]], harm: Any) -> None:
    which, number, changes, cut = harm
    files = dict(samples[which])
    name = sorted(files)[number % len(files)]
    data = bytearray(files[name])
    for place, value in changes:
        if data:
            data[place % len(data)] = value
    files[name] = bytes(data[: len(data) - cut] if cut < 30 else data)
    held = Held(files)
    for layout in lay_out(held.entries()):
        table, gaps = describe_one(layout, held)
        assert table is not None or gaps
        if table is None:
            continue
        canonical.encode(table.describe())
        try:
            parts = parts_of(layout, held)
            reader = table_csv.read_rows if layout.format == "csv" else table_parquet.read_rows
            names = [column.name for column in table.columns]
            for part in parts:
                for batch in reader(held.open(part.entry), part, [names]):
                    assert all(type(row) is bytes for row in batch[0])
        except (csv.Error, *FOREIGN):
            continue
