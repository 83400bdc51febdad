"""Rows of tables against naive twins: multisets in memory, the parser of Python, the values that went in."""

import csv
import io
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core.digest import Digest
from lineal.datasets import table_blocks, table_csv, table_diff, table_parquet
from lineal.datasets.manifest import Entry
from lineal.datasets.table_blocks import count_records
from lineal.datasets.table_diff import diff_rows, differing
from lineal.datasets.table_layout import Part, lay_out
from lineal.datasets.table_rows import decode_row, encode_field, escape

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
small = st.tuples(st.integers(0, 4), st.sampled_from("xy\x1f\x1b"))
tables = st.lists(small, max_size=40)
Row = tuple[Any, ...]


def part(name: str = "t.csv") -> Part:
    return Part(entry=Entry(name.encode(), "f", Digest.of(name.encode()), 1))


class Memory:
    """Parts whose rows are in memory."""

    def __init__(self, *sides: Sequence[Row]) -> None:
        self.sides = sides
        self.read = 0

    def __call__(self, side: int, _: Part, groups: Sequence[Sequence[str]]) -> Iterator[list[list[bytes]]]:
        rows = [dict(zip("ab", map(str, row), strict=True)) for row in self.sides[side]]
        self.read += len(rows)
        for start in range(0, len(rows), 7):
            batch = rows[start : start + 7]
            yield [[b"\x1f".join(encode_field(row[name]) for name in group) for row in batch] for group in groups]


def by_key(rows: Counter[Row]) -> dict[Any, int]:
    found: Counter[Any] = Counter()
    for row, count in rows.items():
        found[row[0]] += count
    return dict(found)


@given(tables, tables, st.booleans())
def test_the_difference_is_that_of_the_multisets(old: list[Row], new: list[Row], spill: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if spill:
            patch.setattr(table_diff, "_BUCKET_ROWS", 3)
            patch.setattr(table_diff, "_WAITING", 5)
        read = Memory(old, new)
        found = diff_rows(([part()], [part()]), read, ["a", "b"], samples=100, expected=len(old) + len(new))
        keyed = diff_rows(([part()], [part()]), read, ["a", "b"], ["a"], samples=3, expected=len(old) + len(new))
    before, after = Counter(old), Counter(new)
    gone, came = before - after, after - before
    assert (found.added, found.removed, found.changed) == (came.total(), gone.total(), 0)
    assert found.read == keyed.read == len(old) + len(new)
    values = [(each.old or each.new or {}) for each in found.samples]
    assert Counter((int(str(each["a"])), each["b"]) for each in values) == gone + came

    keys_gone, keys_came = by_key(gone), by_key(came)
    changed = sum(min(keys_gone[key], keys_came.get(key, 0)) for key in keys_gone)
    assert (keyed.changed, keyed.removed, keyed.added) == (changed, gone.total() - changed, came.total() - changed)
    assert keyed.repeated == sum(count > 1 for rows in (before, after) for count in by_key(rows).values())
    for sample in keyed.samples:
        assert {side["a"] for side in (sample.old, sample.new) if side is not None} == {sample.key["a"]}
        assert sample.old != sample.new


@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"), max_size=6))
def test_parts_that_both_sides_have_cancel_out(old: list[str], new: list[str]) -> None:
    before, after = differing([part(name) for name in old], [part(name) for name in new])
    assert Counter(each.entry.path.decode() for each in before) == Counter(old) - Counter(new)
    assert Counter(each.entry.path.decode() for each in after) == Counter(new) - Counter(old)


@given(st.lists(st.none() | texts, min_size=1, max_size=6))
def test_encoded_rows_read_back(values: list[str | None]) -> None:
    assert decode_row(b"\x1f".join(map(encode_field, values))) == values


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_no_two_values_have_one_encoding(one: bytes, other: bytes) -> None:
    assert (escape(one) == escape(other)) == (one == other)
    assert b"\x1f" not in escape(one)


@given(
    st.lists(st.lists(texts, min_size=1, max_size=5), max_size=12),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 40),
)
def test_csv_written_in_any_way_is_counted_and_read_as_python_reads_it(
    rows: list[list[str]], quoting: Any, end: str, block: int
) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator=end).writerows(rows)
    check_csv(text.getvalue().encode(), block)


@given(
    st.lists(st.sampled_from(['"', ",", ";", "\n", "\r", "\r\n", "a", "ü", "\x1f", "\x1b", "1"]), max_size=30),
    st.integers(1, 9),
)
def test_any_text_is_counted_and_read_as_python_reads_it(pieces: list[str], block: int) -> None:
    check_csv("".join(pieces).encode(), block)


def check_csv(data: bytes, block: int) -> None:
    file = cast("BinaryIO", io.BytesIO(data))
    dialect = table_csv.sniff(file, b"t.csv") if b"\0" not in data else None
    if dialect is None:
        return
    body = data[dialect.bom :].decode()
    expected = [row for row in csv.reader(io.StringIO(body, newline=""), delimiter=dialect.delimiter) if row]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_blocks, "_BLOCK", block)
        counted = count_records(table_csv.open_text(file, dialect), dialect.delimiter, dialect.width)
        file.seek(0)
        batches = list(table_csv.read_rows(file, part(), [dialect.columns]))
    assert counted.records == len(expected)
    assert counted.ragged == sum(len(row) != dialect.width for row in expected)
    read = [decode_row(row) for batch in batches for row in batch[0]]
    body_rows = expected[1:] if dialect.header is not None else expected
    assert read == [[*row, *([None] * (dialect.width - len(row)))] for row in body_rows]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


KINDS: dict[Any, Any] = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint8(): st.integers(0, 255),
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.bool_(): st.booleans(),
    pa.string(): texts,
    pa.large_string(): texts,
    pa.binary(): st.binary(max_size=6),
    pa.decimal128(9, 2): st.decimals(-1000, 1000, places=2),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(),
    pa.list_(pa.int8()): st.lists(st.none() | st.integers(-9, 9), max_size=3),
    pa.dictionary(pa.int32(), pa.string()): texts,
}


@st.composite
def columns(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    kind = draw(st.sampled_from(list(KINDS)))
    return kind, draw(st.lists(st.none() | KINDS[kind], min_size=2, max_size=8))


@given(columns())
def test_values_of_parquet_have_one_encoding_each(column: tuple[Any, list[Any]]) -> None:
    kind, values = column
    table = pa.table({"a": pa.array(values, kind if not pa.types.is_dictionary(kind) else pa.string()).cast(kind)})
    with tempfile.TemporaryFile() as file:
        pq.write_table(table, file)
        file.seek(0)
        footer = table_parquet.read_footer(cast("BinaryIO", file))
        assert footer.rows == len(values)
        file.seek(0)
        batches = list(table_parquet.read_rows(cast("BinaryIO", file), part("t.parquet"), [["a"], ["a", "none"]]))
    rows = [row for batch in batches for row in batch[0]]
    stored = table["a"].to_pylist()
    assert len(rows) == len(values)
    for (one, first), (other, second) in pairwise(zip(stored, rows, strict=True)):
        assert same(one, other) == (first == second)
    for value, row in zip(stored, rows, strict=True):
        (text,) = decode_row(row)
        assert (text is None) == (value is None)
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            assert text == str(value)
    assert [row for batch in batches for row in batch[1]] == [row + b"\x1f\x1bn" for row in rows]


@given(st.lists(st.tuples(st.integers(-5, 5), st.none() | texts), max_size=30), st.integers(1, 9))
def test_a_row_has_the_same_encoding_in_every_file(rows: list[Row], cut: int) -> None:
    schema = pa.schema([("n", pa.int32()), ("s", pa.string())])
    whole = [dict(zip("ns", row, strict=True)) for row in rows]
    read: list[bytes] = []
    for start in range(0, len(rows), cut):
        with tempfile.TemporaryFile() as file:
            pq.write_table(pa.Table.from_pylist(whole[start : start + cut], schema), file)
            file.seek(0)
            for batch in table_parquet.read_rows(cast("BinaryIO", file), part("t.parquet"), [["s", "n"]]):
                read += batch[0]
    assert [decode_row(row) for row in read] == [[text, str(number)] for number, text in rows]


@given(
    st.lists(st.from_regex(r"([a-c]|k=[0-9])(/([a-c]|k=[0-9])){0,2}/[a-z0-9-]{1,8}\.(csv|parquet|txt)", fullmatch=True))
)
def test_every_file_is_in_one_table_at_most(paths: list[str]) -> None:
    entries = [Entry(path.encode(), "f", Digest.of(path.encode()), 1) for path in sorted(set(paths))]
    found = lay_out(entries)
    assert [each.path for each in found] == [each.path for each in lay_out(reversed(entries))]
    held = [entry.path for each in found for entry in each.files]
    assert len(held) == len(set(held))
    assert set(held) == {entry.path for entry in entries if not entry.path.endswith(b".txt")}
    assert len({(each.series, each.format) for each in found}) == len(found)
