"""Notes and checkpoints: what is signed reads back, and no changed byte passes for what was signed."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lineal.core.merkle import EMPTY_ROOT
from lineal.core.note import Signature, format_note, open_note, parse_note, sign_note
from lineal.errors import LinealError, Malformed
from lineal.ledger.keys import SigningKey, VerifyingKey

KEY = SigningKey("lineal.example/log", bytes(32))
WITNESS = SigningKey("witness.example", bytes([1] * 32))
TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"], min_codepoint=0x20) | st.just("\n"), max_size=80).map(
    lambda text: text + "\n"
)
ROOTS = st.binary(min_size=32, max_size=32)
LINES = st.text(alphabet=st.characters(exclude_categories=["Cs"], min_codepoint=0x20), min_size=1, max_size=40)
CHECKPOINTS = st.builds(Checkpoint, origin=LINES, size=st.integers(1, 2**63 - 1), root=ROOTS) | st.builds(
    Checkpoint, origin=LINES, size=st.just(0), root=st.just(EMPTY_ROOT)
)


def signed_by_both(text: str) -> bytes:
    lines = [parse_note(sign_note(text, key, key.name))[1][0] for key in (KEY, WITNESS)]
    return format_note(text, lines)


@given(TEXTS)
def test_a_signed_text_reads_back(text: str) -> None:
    data = signed_by_both(text)
    opened = open_note(data, [KEY.verifying_key])
    assert (opened.text, len(opened.signatures), len(opened.verified)) == (text, 2, 1)
    assert format_note(opened.text, opened.signatures) == data


@pytest.mark.parametrize("change", [0x01, 0x20, 0x80, 0xFF])
def test_any_byte_changed_is_refused_or_of_a_signature_that_proves_nothing(change: int) -> None:
    text = "lineal.example/log\n3\nWqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=\n"
    data = signed_by_both(text)
    ours = parse_note(data)[1][0]
    accepted = 0
    for at in range(len(data)):
        mutated = data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
        with contextlib.suppress(LinealError):
            opened = open_note(mutated, [KEY.verifying_key])
            assert (opened.text, opened.verified) == (text, (ours,))
            assert opened.signatures != parse_note(data)[1]
            accepted += 1
        with contextlib.suppress(LinealError):
            assert open_checkpoint(mutated, KEY.verifying_key).encode() == text
        with contextlib.suppress(LinealError):  # both keys known: a changed name or id makes one of them unknown
            both = open_note(mutated, [KEY.verifying_key, WITNESS.verifying_key])
            assert (both.text, len(both.verified)) == (text, 1)
    assert (accepted > 0) == (change < 0x80)  # a higher bit makes it no UTF-8, or no base64
    assert accepted <= len(data) - data.index(b"witness.example")


@pytest.mark.parametrize("lost", [1, 2, 40, 89, 90])
def test_a_note_cut_short_is_refused(lost: int) -> None:
    data = sign_note("text\n", KEY, KEY.name)
    with pytest.raises(LinealError):
        open_note(data[:-lost], [KEY.verifying_key])


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=300)
def test_arbitrary_bytes_are_a_note_or_refused(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert format_note(*parse_note(data)) == data
    with contextlib.suppress(Malformed):
        assert format_note(*parse_note(data + "\n\n— a AAAAAAA=\n".encode())) == data + "\n\n— a AAAAAAA=\n".encode()


@given(st.text(max_size=60), st.text(max_size=20), st.binary(max_size=8), st.binary(max_size=8))
@settings(max_examples=300)
def test_arbitrary_parts_make_a_note_that_reads_back_or_are_refused(
    text: str, name: str, key_id: bytes, signature: bytes
) -> None:
    lines = (Signature(name=name, key_id=key_id, signature=signature),)
    with contextlib.suppress(LinealError):
        assert parse_note(format_note(text, lines)) == (text, lines)
    with contextlib.suppress(LinealError):
        assert open_note(sign_note(text, KEY, name), [VerifyingKey(name, KEY.public_key)]).text == text


@given(CHECKPOINTS)
def test_checkpoints_read_back(checkpoint: Checkpoint) -> None:
    assert Checkpoint.parse(checkpoint.encode()) == checkpoint
    with contextlib.suppress(LinealError):  # an origin with a blank or plus is no key's name
        key = SigningKey(checkpoint.origin, bytes(32))
        assert open_checkpoint(sign_checkpoint(checkpoint, key), key.verifying_key) == checkpoint


@given(CHECKPOINTS, st.data())
@settings(max_examples=300)
def test_a_mutated_checkpoint_is_refused_or_another(checkpoint: Checkpoint, data: st.DataObject) -> None:
    text = checkpoint.encode()
    at = data.draw(st.integers(0, len(text)))
    put = data.draw(st.text(alphabet="0123456789+-/=_ \n\r\tAz٣\x00\ud800", max_size=2))
    mutated = text[:at] + put + text[at + data.draw(st.integers(0, 2)) :]
    with contextlib.suppress(Malformed):
        found = Checkpoint.parse(mutated)
        assert found.encode() == mutated
        assert (found != checkpoint) == (mutated != text)


@given(st.text(max_size=60) | st.text(alphabet="\n0123456789=+Aa", max_size=60))
@settings(max_examples=300)
def test_arbitrary_text_is_a_checkpoint_or_refused(text: str) -> None:
    with contextlib.suppress(Malformed):
        assert Checkpoint.parse(text).encode() == text


@given(st.text(max_size=80) | st.text(alphabet="PRIVATEKEY+0123456789abcdef=", max_size=80))
@settings(max_examples=300)
def test_arbitrary_text_is_a_key_or_refused(text: str) -> None:
    with contextlib.suppress(LinealError):
        assert str(VerifyingKey.parse(text)) == text
    with contextlib.suppress(LinealError):
        assert SigningKey.parse(text).secret_text() == text
