"""The canonical encoding: RFC 8785 without floats."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core import canonical
from lineal.errors import NotCanonical

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_what_is_encoded_reads_back_to_the_same_value_and_bytes(value: object) -> None:
    data = canonical.encode(value)
    assert canonical.decode(data) == value
    assert json.loads(data) == value
    assert canonical.encode(canonical.decode(data)) == data


@given(_JSON)
def test_any_other_spelling_is_refused(value: object) -> None:
    other = json.dumps(value, indent=1).encode()
    if other != canonical.encode(value):
        with pytest.raises(NotCanonical):
            canonical.decode(other)


def test_keys_stand_in_utf16_order() -> None:
    # RFC 8785, 3.2.3: the euro sign, a Hebrew letter, an emoji (surrogates D83D DE02) before U+FB33
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f602": 5, "\u0080": 6, "\u00f6": 7}
    assert list(json.loads(canonical.encode(value)).values()) == [2, 4, 6, 7, 1, 5, 3]


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), 2**53, -(2**53), {1: 2}, "\ud800", {"\ud800": 1}, b"bytes", {1, 2}, [object()]],
)
def test_values_without_one_spelling_are_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical.encode(value)


@pytest.mark.parametrize(
    "data",
    [b"{", b'{"a":1,"a":1}', b"1.0", b"1e3", b"NaN", b"\xff", b'{"b":1,"a":2}', b" 1", b'"\\u0061"', b"[" * 99_999],
)
def test_documents_not_in_their_canonical_spelling_are_refused(data: bytes) -> None:
    with pytest.raises(NotCanonical):
        canonical.decode(data)


def test_nesting_has_a_limit() -> None:
    value: object = 1
    for _ in range(canonical.MAX_DEPTH):
        value = [value]
    canonical.encode(value)
    with pytest.raises(NotCanonical):
        canonical.encode([value])
