"""The notes that Go's sumdb/note and C2SP signed-note publish."""

import json
from pathlib import Path
from typing import Any

import pytest

from lineal.core.checkpoint import Checkpoint
from lineal.core.note import format_note, open_note, parse_note, sign_note
from lineal.errors import BadInput, BadSignature, LinealError, Malformed
from lineal.ledger.keys import SigningKey, VerifyingKey

NOTES: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "notes.json").read_text(encoding="utf-8"))
GO = NOTES["go"]
TEXT, PETER_LINE, ENOCH_LINE = GO["text"], GO["peter_line"], GO["enoch_line"]
PETER, ENOCH = VerifyingKey.parse(GO["peter"]), VerifyingKey.parse(GO["enoch"])


def note(*lines: str) -> bytes:
    return (TEXT + "\n" + "".join(lines)).encode()


def test_we_sign_as_go_does() -> None:
    key = SigningKey.parse(GO["private_key"])
    assert key.secret_text() == GO["private_key"]
    assert str(key.verifying_key) == GO["peter"]
    assert sign_note(TEXT, key, key.name) == note(PETER_LINE)


def test_one_known_signature_is_enough_and_others_are_kept() -> None:
    opened = open_note(note(PETER_LINE, ENOCH_LINE), [PETER])
    assert opened.text == TEXT
    assert [item.name for item in opened.verified] == ["PeterNeumann"]
    assert [item.name for item in opened.signatures] == ["PeterNeumann", "EnochRoot"]
    assert format_note(opened.text, opened.signatures) == note(PETER_LINE, ENOCH_LINE)
    assert len(open_note(note(PETER_LINE, ENOCH_LINE), [PETER, ENOCH]).verified) == 2


def test_no_known_signature_is_no_note() -> None:
    with pytest.raises(BadSignature, match="EnochRoot, PeterNeumann"):
        open_note(note(PETER_LINE, ENOCH_LINE), [])
    with pytest.raises(BadSignature):
        open_note(note(PETER_LINE), [ENOCH])


def test_a_bad_signature_of_a_known_key_spoils_the_note() -> None:
    bad = ENOCH_LINE[:60] + "ABCD" + ENOCH_LINE[60:]
    with pytest.raises(BadSignature):
        open_note(note(PETER_LINE, bad), [PETER, ENOCH])
    assert open_note(note(PETER_LINE, bad), [PETER]).verified[0].name == "PeterNeumann"


def test_repeated_signatures() -> None:
    opened = open_note(note(PETER_LINE, PETER_LINE, ENOCH_LINE, ENOCH_LINE), [PETER])
    assert (len(opened.signatures), len(opened.verified)) == (4, 2)
    assert len(open_note(note(*[PETER_LINE] * 100), [PETER]).verified) == 100
    with pytest.raises(Malformed):
        open_note(note(*[PETER_LINE] * 101), [PETER])


BAD = {
    "no signatures": TEXT,
    "an empty line and no signatures": TEXT + "\n",
    "no newline at the end": TEXT + "\n" + PETER_LINE[:-1],
    "a control character": "\x01" + TEXT + "\n" + PETER_LINE,
    "a blank in the name": TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Bad Name"),
    "a plus in the name": TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Bad+Name"),
    "no name": TEXT + "\n" + PETER_LINE.replace("PeterNeumann", ""),
    "another line": TEXT + "\n" + PETER_LINE + "Unexpected line.\n",
    "no base64": TEXT + "\n— PeterNeumann !!!!\n",
    "base64 of four bytes": TEXT + "\n— PeterNeumann x08gow==\n",
    "two blanks": TEXT + "\n" + PETER_LINE.replace("PeterNeumann ", "PeterNeumann  "),
    "a hyphen for the dash": TEXT + "\n" + PETER_LINE.replace("—", "-"),
    "base64 with bits that do not count": TEXT + "\n" + PETER_LINE.replace("nAM=", "nAN="),
    "carriage return": (TEXT + "\n" + PETER_LINE).replace("\n", "\r\n"),
}


@pytest.mark.parametrize("case", BAD)
def test_malformed(case: str) -> None:
    with pytest.raises(Malformed):
        open_note(BAD[case].encode(), [PETER])


def test_not_utf8() -> None:
    with pytest.raises(Malformed):
        open_note(b"\xff" + note(PETER_LINE), [PETER])


def test_the_example_of_signed_note() -> None:
    key = VerifyingKey.parse(NOTES["signed_note"]["key"])
    assert open_note(NOTES["signed_note"]["note"].encode(), [key]).text == "This is an example message.\n"


@pytest.mark.parametrize("case", NOTES["unknown_keys"], ids=lambda case: case["name"])
def test_examples_without_a_key_can_be_looked_at(case: dict[str, str]) -> None:
    text, signatures = parse_note(case["note"].encode())
    assert text == case["text"]
    assert [item.name for item in signatures] == [case["name"]]
    assert format_note(text, signatures) == case["note"].encode()


def test_the_example_of_tlog_checkpoint() -> None:
    text = NOTES["unknown_keys"][1]["text"]
    checkpoint = Checkpoint.parse(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.encode() == text


@pytest.mark.parametrize("text", GO["bad_keys"])
def test_keys_of_another_size_or_type(text: str) -> None:
    with pytest.raises(BadInput):
        VerifyingKey.parse(text)


@pytest.mark.parametrize(("text", "parse"), [(GO["peter"], VerifyingKey.parse), (GO["private_key"], SigningKey.parse)])
def test_no_part_and_no_mangling_of_a_key_is_a_key(text: str, parse: Any) -> None:
    parts = [text[start:end] for start in range(len(text)) for end in range(start + 1, len(text) + 1)]
    parts.remove(text)
    mangled = [text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))]
    for candidate in parts + mangled:
        with pytest.raises(LinealError):
            parse(candidate)
