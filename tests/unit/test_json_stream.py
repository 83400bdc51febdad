"""JSON read a little at a time: what a naive reader gives, however it is cut; breaks are said and passed over."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.sources.json_stream import Broken, JsonStream

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
LISTS = ("Records", "items")


def cut(data: bytes, step: int) -> Iterator[bytes]:
    return (data[start : start + step] for start in range(0, len(data), step))


def read(data: bytes, step: int = 1 << 20, **options: Any) -> list[Any]:
    return list(JsonStream(cut(data, step), LISTS, **options).documents())


def flat(value: Any, depth: int = 0) -> Iterator[Any]:
    if isinstance(value, list) and depth < 4:
        for each in value:
            yield from flat(each, depth + 1)
    else:
        yield value


@given(st.lists(JSON, max_size=5), st.integers(1, 60), st.sampled_from(["\n", " ", ",", "\x1e", "\r\n\n"]))
def test_documents_are_those_of_a_naive_reader_wherever_the_pieces_end(values: list[Any], step: int, gap: str) -> None:
    text = gap.join(json.dumps(each, ensure_ascii=False) for each in values)
    if "\ud800" <= max(text, default="") <= "\udfff" or any("\ud800" <= char <= "\udfff" for char in text):
        return
    expected = [each for value in values for each in flat(value)]
    assert json.dumps(read(text.encode(), step)) == json.dumps(expected)


@given(st.lists(JSON, max_size=6), st.integers(1, 60), st.dictionaries(st.text(), st.integers(), max_size=3))
def test_an_envelope_gives_what_its_list_holds_however_small_the_limit(
    values: list[Any], step: int, more: dict[str, Any]
) -> None:
    envelope = {**more, "Records": values, "after": 1}
    found = read(json.dumps(envelope, indent=1).encode(), step, enveloped=True)
    assert json.dumps(found) == json.dumps(values)


@given(st.binary(max_size=300), st.integers(1, 40))
@settings(max_examples=300)
def test_anything_ends_and_is_the_same_in_every_cut(data: bytes, step: int) -> None:
    assert repr(read(data, step)) == repr(read(data))


@given(st.lists(st.sampled_from('{}[],:"a1\\ \n\u00e9'), max_size=60), st.integers(1, 9))
@settings(max_examples=500)
def test_what_is_almost_json_ends_and_is_the_same_in_every_cut(chars: list[str], step: int) -> None:
    data = "".join(chars).encode()
    assert repr(read(data, step)) == repr(read(data))
    assert repr(read(data, step, enveloped=True)) == repr(read(data, enveloped=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"half":\n{"ok": 1}\n{"ok": 2}', ["line 3, byte 19", {"ok": 1}, {"ok": 2}]),
        ('{"Records": [{"a": 1}, {"b": 2}, {"c"', [{"a": 1}, {"b": 2}, "it ends inside of an object"]),
        ('[{"a": 1},\n{"b" 2},\n{"c": 3}\n]', [{"a": 1}, "line 2, byte 16", {"c": 3}, "line 4"]),
        ("no\n{}", ["line 1, byte 0 on", {}]),
        ('{"a": 1}\n"é', [{"a": 1}, "line 2, byte 9 on: it ends in the middle"]),
        ("[1 2]", [1, "neither a comma"]),
        ('[1, 2\n{"a": 1}', [1, 2, "line 2, byte 6", {"a": 1}]),
        ("[1,]", [1, "byte 3"]),
        ('{"items": [1], 2: 3}', [1, "an object without a name"]),
    ],
)
@pytest.mark.parametrize("step", [1, 5, 1000])
def test_it_is_said_where_it_breaks_and_reading_goes_on(text: str, expected: list[Any], step: int) -> None:
    found = read(text.encode(), step)
    assert len(found) == len(expected)
    for each, wanted in zip(found, expected, strict=True):
        assert wanted in each.why if isinstance(each, Broken) else each == wanted


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 5000, b'{"q": "' + b"x" * 5000 + b'"}', b'{"q": [' + b"1," * 3000 + b"1]}",
        b"{" + b'"q": "xxxxxxx", ' * 500 + b'"r": 1}', b'{"a":' * 3000, b"[[[[[[" * 3000, b'"' + b"x" * 5000,
    ],
)  # fmt: skip
def test_no_document_is_larger_than_the_limit(data: bytes) -> None:
    stream = JsonStream(cut(data + b'\n{"a": 1}\n', 64), LISTS, longest=500)
    found = []
    for each in stream.documents():
        found.append(each)
        assert len(stream._text) < 3000
    assert isinstance(found[0], Broken)
    assert found[-1] == {"a": 1}


def test_of_a_long_list_or_a_long_file_no_more_than_a_piece_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineal.sources.json_stream._STEP", 1000)
    monkeypatch.setattr(JsonStream._drop, "__defaults__", (1000,))
    for data in (
        json.dumps({"kind": "EventList", "items": [{"n": n} for n in range(9000)], "more": 1}).encode(),
        json.dumps([{"n": n} for n in range(9000)]).encode(),
        "\n".join(json.dumps({"n": n}) for n in range(9000)).encode(),
    ):
        stream, most, count = JsonStream(cut(data, 100), LISTS, longest=2000), 0, 0
        for each in stream.documents():
            assert each == {"n": count}
            count, most = count + 1, max(most, len(stream._text))
        assert (count, most < 8000) == (9000, True)


@pytest.mark.parametrize(("step", "longest"), [(7, 70), (1 << 20, 1 << 23)])
def test_what_is_inside_of_a_broken_document_never_passes_for_one(step: int, longest: int) -> None:
    each = [{"name": number, "asked": [{"forged": [{"deep": 1}, 1]}], "x": {"t": ""}} for number in range(2)]
    for text in ("\n".join(json.dumps(one, indent=2) for one in each), json.dumps(each, indent=4)):
        data = text.replace('"t"', '\n\r\n"t"').encode()
        for at in range(len(data)):
            for broken in (data[:at], data[:at] + b"\x00" + data[at + 1 :]):
                found = [one for one in read(broken, step, longest=longest) if isinstance(one, dict | list | int)]
                assert all(isinstance(one, dict) and "name" in one for one in found)
                assert len({json.dumps(one) for one in found}) == len(found)


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_after_a_break_reading_goes_on_where_lines_are_as_deep_again(step: int) -> None:
    text = '[\n  {"a": 1},\n  {\n    "b": ?\n    {"in": 1}\n\n  },\n  {"c": 3}\n]\n {"d": 4}\n{"e": 5}\n'
    found = read(text.encode(), step)
    assert [each for each in found if not isinstance(each, Broken)] == [{"a": 1}, {"c": 3}, {"e": 5}]
