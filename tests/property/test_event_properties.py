"""Entries: what is written reads back; what reads back was written so."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core import canonical
from lineal.core.event import SALT_SIZE, Event, decode_entry, encode_entry
from lineal.errors import IntegrityError, NotCanonical

TIME = "2026-01-01T00:00:00.000000Z"
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
events = st.builds(
    Event,
    id=plain,
    type=st.from_regex(r"[a-z]{1,5}\.[a-z]{1,5}/[1-9]", fullmatch=True),
    log=plain,
    producer=plain,
    seq=st.integers(0, 2**53 - 1),
    prev=st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
    time=st.just(TIME),
    said=st.just(TIME),
    basis=st.sampled_from(("observed", "claimed", "verified")),
    subject=st.lists(plain, max_size=3).map(tuple),
    claims=st.lists(plain, max_size=3).map(tuple),
    salt=st.binary(min_size=SALT_SIZE, max_size=SALT_SIZE),
    body=st.binary(max_size=50),
)


@given(events)
def test_an_entry_reads_back(made: Event) -> None:
    assert decode_entry(encode_entry(made.statement(), TIME)) == (made.statement(), TIME)


@given(events, st.data())
@settings(max_examples=200)
def test_any_field_with_any_value_is_refused_or_reads_back_as_it_is(made: Event, data: st.DataObject) -> None:
    document: dict[str, Any] = {**made.statement(), "taken": TIME}
    name = data.draw(st.sampled_from(sorted(document)))
    document[name] = data.draw(values)
    try:
        entry = canonical.encode(document)
        statement, taken = decode_entry(entry)
    except (IntegrityError, NotCanonical):
        return
    assert encode_entry(statement, taken) == entry
    assert {**statement, "taken": taken} == document


@given(events, st.integers(0), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_another_entry(made: Event, place: int, value: int) -> None:
    entry = bytearray(encode_entry(made.statement(), TIME))
    place %= len(entry)
    if entry[place] == value:
        return
    original = decode_entry(bytes(entry))
    entry[place] = value
    try:
        found = decode_entry(bytes(entry))
    except IntegrityError:
        return
    assert found != original
