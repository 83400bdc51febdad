"""Statements and entries: one spelling, a commitment to the body, and limits that cost nothing to hold."""

import copy
import tracemalloc
from typing import Any

import pytest

from lineal.core import canonical
from lineal.core.event import (
    MAX_BODY,
    MAX_ENTRY,
    MEDIA,
    SALT_SIZE,
    Event,
    check_body,
    commitment,
    decode_entry,
    encode_entry,
    statement_digest,
)
from lineal.errors import IntegrityError, LinealError, NotCanonical, TooLarge

TIME = "2026-01-01T00:00:00.000000Z"
TAKEN = "2026-01-02T00:00:00.000000Z"


def event(**changes: Any) -> Event:
    fields: dict[str, Any] = {
        "id": "e1", "type": "test.said/1", "log": "lineal.test/log", "producer": "p", "seq": 1, "prev": "ab" * 32,
        "time": TIME, "said": TIME, "basis": "claimed", "subject": ("run:a",), "claims": ("model:m@1",),
        "salt": b"s" * SALT_SIZE, "body": b'{"a":1}',
    }  # fmt: skip
    return Event(**{**fields, **changes})


def test_an_entry_reads_back_and_is_canonical() -> None:
    made = event()
    entry = encode_entry(made.statement(), TAKEN)
    assert decode_entry(entry) == (made.statement(), TAKEN)
    assert canonical.encode(canonical.decode(entry)) == entry
    assert statement_digest(made.statement()) == made.digest()


def test_quotes_in_a_statement_cannot_pass_for_its_fields() -> None:
    made = event(subject=('x","time":"y', ',"taken":"'), claims=(',"time":',))
    assert decode_entry(encode_entry(made.statement(), TAKEN)) == (made.statement(), TAKEN)


WRONG: tuple[tuple[str, Any], ...] = (
    ("v", True), ("v", 2), ("v", "1"), ("v", None),
    ("seq", True), ("seq", -1), ("seq", "1"), ("seq", None),
    ("id", 1), ("producer", None), ("log", []), ("basis", "guessed"), ("basis", None),
    ("prev", 0), ("prev", ""), ("prev", "AB" * 32), ("prev", "ab" * 31), ("prev", []),
    ("time", "2026-01-01T00:00:00Z"), ("time", "2026-02-30T00:00:00.000000Z"), ("said", ""), ("taken", "now"),
    ("type", "said"), ("type", "test.said"), ("type", "Test.said/1"), ("type", "test.said/01"),
    ("subject", "run:a"), ("subject", [1]), ("subject", {}), ("claims", None), ("claims", [None]),
    ("payload", None), ("payload", {}), ("payload", []),
    ("payload", {"media": MEDIA, "size": -1, "commit": "ab" * 32}),
    ("payload", {"media": MEDIA, "size": True, "commit": "ab" * 32}),
    ("payload", {"media": MEDIA, "size": MAX_BODY + 1, "commit": "ab" * 32}),
    ("payload", {"media": MEDIA, "size": 1, "commit": "AB" * 32}),
    ("payload", {"media": MEDIA, "size": 1, "commit": 7}),
    ("payload", {"media": "text/plain", "size": 1, "commit": "ab" * 32}),
    ("payload", {"media": MEDIA, "size": 1, "commit": "ab" * 32, "more": 1}),
)  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_field_with_a_value_that_no_entry_has_is_refused(name: str, value: Any) -> None:
    document = {**event().statement(), "taken": TAKEN, name: value}
    with pytest.raises(IntegrityError):
        decode_entry(canonical.encode(document))


def test_missing_added_and_doubled_fields_are_refused() -> None:
    document = {**event().statement(), "taken": TAKEN}
    for name in document:
        less = copy.copy(document)
        del less[name]
        with pytest.raises(IntegrityError):
            decode_entry(canonical.encode(less))
    for data in (
        canonical.encode({**document, "more": 1}),
        canonical.encode([document]),
        canonical.encode(document)[:-1] + b',"v":1}',
        b" " + canonical.encode(document),
        canonical.encode(document) + b"\n",
        b"\xef\xbb\xbf" + canonical.encode(document),
        b"", b"null", b"{", b"\xff", b"[" * 100_000, b"9" * 10_000,
    ):  # fmt: skip
        with pytest.raises(IntegrityError):
            decode_entry(data)


def test_every_flipped_bit_is_refused_or_another_entry() -> None:
    entry = encode_entry(event().statement(), TAKEN)
    original = decode_entry(entry)
    for place in range(len(entry)):
        for bit in range(8):
            mutated = bytearray(entry)
            mutated[place] ^= 1 << bit
            try:
                assert decode_entry(bytes(mutated)) != original
            except IntegrityError:
                continue


def test_the_statement_commits_to_body_and_salt() -> None:
    made = event()
    statement = made.statement()
    check_body(statement, made.salt, made.body)
    for salt, body in (
        (made.salt, b'{"a":2}'),
        (made.salt, made.body + b" "),
        (made.salt[:-1] + b"x", made.body),
        (made.salt + made.body[:1], made.body[1:]),
        (made.salt[:-1], made.salt[-1:] + made.body),
        (b"", b""),
    ):
        with pytest.raises(IntegrityError):
            check_body(statement, salt, body)
    assert commitment(b"", b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_limits_of_size() -> None:
    empty = len(encode_entry(event(claims=("",)).statement(), TAKEN))
    longest = event(claims=("x" * (MAX_ENTRY - empty),))
    assert len(encode_entry(longest.statement(), TAKEN)) == MAX_ENTRY
    with pytest.raises(TooLarge):
        encode_entry(event(claims=("x" * (MAX_ENTRY - empty + 1),)).statement(), TAKEN)
    assert event(body=bytes(MAX_BODY)).statement()["payload"]["size"] == MAX_BODY
    with pytest.raises(TooLarge):
        event(body=bytes(MAX_BODY + 1)).statement()


def test_a_body_of_a_gigabyte_is_refused_without_hashing_or_copying_it() -> None:
    # The pages of a fresh `bytes` are not there until they are read: reading them would show in the process's memory.
    huge = event(body=bytes(1 << 30))
    before = resident()
    tracemalloc.start()
    try:
        for refused in (huge.statement, huge.encode, huge.digest):
            with pytest.raises(TooLarge, match="nothing was recorded"):
                refused()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert resident() - before < 64 << 20


def resident() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return 0


def test_texts_that_are_not_unicode_are_refused() -> None:
    with pytest.raises(NotCanonical):
        encode_entry(event(claims=("\udcff",)).statement(), TAKEN)
    with pytest.raises(LinealError):
        event(id="\ud800").digest()
