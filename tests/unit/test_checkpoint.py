from dataclasses import replace

import pytest

from lineal.core.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lineal.core.merkle import EMPTY_ROOT
from lineal.core.note import Signature, check_name, format_note, parse_note, sign_note
from lineal.errors import BadInput, BadSignature, Malformed
from lineal.ledger.keys import SigningKey

KEY = SigningKey("lineal.example/log", bytes(32))
WITNESS = SigningKey("witness.example", bytes([1] * 32))
HEAD = Checkpoint(origin=KEY.name, size=3, root=bytes(32))
ROOT = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"a\n3\n{ROOT}",
        f"\n3\n{ROOT}\n",
        f"a\n03\n{ROOT}\n",
        f"a\n+3\n{ROOT}\n",
        f"a\n-3\n{ROOT}\n",
        f"a\n3 \n{ROOT}\n",
        f"a\n٣\n{ROOT}\n",
        f"a\n9223372036854775808\n{ROOT}\n",
        f"a\n{'9' * 5000}\n{ROOT}\n",
        f"a\n3\n{ROOT[:-1]}\n",
        f"a\n3\n{ROOT[:-2]}B=\n",
        f"a\n3\n{ROOT[4:]}\n",
        f"a\n3\n{ROOT}\nextension\n",
        f"a\n3\n{ROOT}\n\n",
        f"a\r\n3\r\n{ROOT}\r\n",
        f"a\n0\n{ROOT}\n",
    ],
)
def test_not_a_checkpoint(text: str) -> None:
    with pytest.raises(Malformed):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, bytes(32)),
        ("a\nb", 1, bytes(32)),
        ("\ud800", 1, bytes(32)),
        ("a", -1, bytes(32)),
        ("a", 2**63, bytes(32)),
        ("a", 1, bytes(31)),
        ("a", 0, bytes(32)),
    ],
)
def test_values_that_cannot_stand_in_a_checkpoint(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(Malformed):
        Checkpoint(origin=origin, size=size, root=root)


def test_an_empty_log() -> None:
    head = Checkpoint(origin="a", size=0, root=EMPTY_ROOT)
    assert Checkpoint.parse(head.encode()) == head


def test_the_logs_own_key_must_have_signed() -> None:
    by_witness = sign_note(HEAD.encode(), WITNESS, WITNESS.name)
    with pytest.raises(BadSignature):
        open_checkpoint(by_witness, KEY.verifying_key)
    with pytest.raises(BadSignature, match=r"witness.example has signed a checkpoint of lineal.example/log"):
        open_checkpoint(by_witness, WITNESS.verifying_key)


def test_a_witness_beside_the_log() -> None:
    signatures = [parse_note(sign_note(HEAD.encode(), key, key.name))[1][0] for key in (WITNESS, KEY)]
    assert open_checkpoint(format_note(HEAD.encode(), signatures), KEY.verifying_key) == HEAD


def test_the_same_head_has_the_same_bytes() -> None:
    assert sign_checkpoint(HEAD, KEY) == sign_checkpoint(HEAD, KEY)


def test_a_signed_note_that_is_no_checkpoint() -> None:
    with pytest.raises(Malformed):
        open_checkpoint(sign_note(HEAD.encode() + "extension\n", KEY, KEY.name), KEY.verifying_key)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\u0085", "a\nb", "a\x00", "\ud800"])
def test_not_the_name_of_a_key(name: str) -> None:
    with pytest.raises(BadInput):
        check_name(name)
    with pytest.raises(BadInput):
        sign_note("text\n", KEY, name)


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "nul\x00\n", "\ud800\n"])
def test_not_the_text_of_a_note(text: str) -> None:
    with pytest.raises(Malformed):
        sign_note(text, KEY, KEY.name)


def test_lone_surrogates_cannot_stand_in_a_note() -> None:
    line = Signature(name="a", key_id=bytes(4), signature=bytes(64))
    for text, lines in (("\ud800\n", [line]), ("text\n", [replace(line, name="\ud800")])):
        with pytest.raises((Malformed, BadInput)):
            format_note(text, lines)


def test_a_note_has_at_most_a_million_bytes() -> None:
    line = len(sign_note("\n", KEY, KEY.name)) - 1
    assert len(sign_note("a" * (1_000_000 - line - 1) + "\n", KEY, KEY.name)) == 1_000_000
    with pytest.raises(Malformed):
        sign_note("a" * (1_000_000 - line) + "\n", KEY, KEY.name)
