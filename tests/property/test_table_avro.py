"""The reader of Avro: what a writer of the same specification wrote, and nothing beyond the bytes that are there."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avro_writer import SYNC, container, encode, long, sized
from lineal.datasets import table_avro
from lineal.datasets.table_avro import read_avro

_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=5),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
}


@st.composite
def typed(draw: st.DrawFn, depth: int = 0) -> tuple[Any, st.SearchStrategy[Any]]:
    """Draw a schema, and the strategy of (encoded form, decoded form) of its values."""
    kinds = [*_VALUES, "array", "map", "record", "union", "fixed", "enum"]
    kind = draw(st.sampled_from(kinds if depth < 3 else list(_VALUES)))
    if kind in _VALUES:
        return draw(st.sampled_from([kind, {"type": kind}])), _VALUES[kind].map(lambda value: (value, value))
    if kind == "fixed":
        return {"type": "fixed", "name": name(draw), "size": 3}, st.binary(min_size=3, max_size=3).map(lambda x: (x, x))
    if kind == "enum":
        return {"type": "enum", "name": name(draw), "symbols": ["A", "B"]}, st.sampled_from("AB").map(lambda x: (x, x))
    inner = [draw(typed(depth + 1)) for _ in range(draw(st.integers(1, 3)))]
    schema, values = inner[0]
    if kind == "array":
        pairs = st.lists(values, max_size=4)
        return {"type": "array", "items": schema}, pairs.map(
            lambda found: tuple(map(list, zip(*found, strict=True))) or ([], [])
        )
    if kind == "map":
        table = st.dictionaries(st.text("abc", max_size=3), values, max_size=3)
        return {"type": "map", "values": schema}, table.map(
            lambda found: ({k: v[0] for k, v in found.items()}, {k: v[1] for k, v in found.items()})
        )
    if kind == "union":
        branches = [values.map(lambda pair, n=n: ((n, pair[0]), pair[1])) for n, (_, values) in enumerate(inner)]
        return [each for each, _ in inner], st.one_of(branches)
    names = [f"f{n}" for n in range(len(inner))]
    fields = [{"name": n, "type": each} for n, (each, _) in zip(names, inner, strict=True)]
    rows = st.tuples(*(values for _, values in inner))
    return {"type": "record", "name": name(draw), "fields": fields}, rows.map(
        lambda row: (
            {n: pair[0] for n, pair in zip(names, row, strict=True)},
            {n: pair[1] for n, pair in zip(names, row, strict=True)},
        )
    )


def name(draw: st.DrawFn) -> str:
    return f"n{draw(st.integers(0, 10**9))}"


@given(st.data(), st.sampled_from(["null", "deflate"]))
def test_what_was_written_is_read(data: st.DataObject, codec: str) -> None:
    schema, values = data.draw(typed())
    pairs = data.draw(st.lists(values, max_size=7))
    # A block of values without bytes says nothing of how many they are: Iceberg has none.
    if any(encode(schema, given) == b"" for given, _ in pairs):
        return
    written = container(schema, [given for given, _ in pairs], codec)
    assert list(read_avro(written)) == [expected for _, expected in pairs]
    for cut in (1, 8):  # within the mark that ends a block, or the header
        with pytest.raises((ValueError, LookupError, TypeError, zlib.error)):
            list(read_avro(written[:-cut]))


def test_a_record_can_hold_its_own_kind() -> None:
    schema = {"type": "record", "name": "node", "fields": [{"name": "next", "type": ["null", "node"]}]}
    encoded = long(1) + long(1) + long(0)
    data = container("null", [])[:-16].replace(sized(b'"null"'), sized(json.dumps(schema).encode())) + SYNC
    data += long(1) + sized(encoded) + SYNC
    assert list(read_avro(data)) == [{"next": {"next": {"next": None}}}]


@pytest.mark.parametrize(
    "block",
    [
        long(1 << 40) + sized(b"") + SYNC,
        long(-1) + sized(b"ab") + SYNC,
        long(1) + long(-5) + SYNC,
        long(1) + long(1 << 50) + SYNC,
        long(1) + sized(b"\x80" * 12) + SYNC,
        long(1) + sized(b"\x04\x02") + SYNC,
        long(1) + sized(b"\x02\x02\x00") + bytes(16),
        b"\x80" * 30,
    ],
)
def test_lengths_that_lie(block: bytes) -> None:
    with pytest.raises(ValueError, match=r"it|a number"):
        list(read_avro(container({"type": "array", "items": "int"}, []) + block))


def test_lists_without_end_and_bombs_end(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"type": "array", "items": "null"}
    with pytest.raises(ValueError, match="longer than can be"):
        list(read_avro(container(nothing, []) + long(1) + sized(long(1 << 60) + long(0)) + SYNC))
    monkeypatch.setattr(table_avro, "_MOST_BYTES", 1000)
    bomb = container("bytes", [bytes(100_000)], "deflate")
    with pytest.raises(ValueError, match="too large"):
        list(read_avro(bomb))
    deep: Any = "int"
    for _ in range(100):
        deep = {"type": "array", "items": deep}
    with pytest.raises(ValueError, match="nested too deep"):
        list(read_avro(container(deep, [])))
