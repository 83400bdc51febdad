"""Signed notes (C2SP signed-note): a text, a blank line, and lines that sign the text.

A signature line is an em dash, a space, the key's name, a space, and base64 of the key's id (4 bytes) followed by the
signature. How a signature is made and checked is behind `Signer` and `Verifier`.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from lineal.errors import BadInput, BadSignature, Malformed

ED25519: Final = 0x01  # the signature type of Ed25519 over the text, as C2SP assigns them
MAX_NOTE: Final = 1_000_000
MAX_SIGNATURES: Final = 100
_KEY_ID_SIZE: Final = 4
_DASH: Final = "\N{EM DASH} "
_FORBIDDEN: Final = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")  # control characters, lone surrogates


class Signer(Protocol):
    """A private Ed25519 key that signs."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""

    def sign(self, message: bytes, /) -> bytes:
        """Return the signature of `message`; it is the same for the same message."""


class Verifier(Protocol):
    """A public key that its owner's name goes with."""

    @property
    def name(self) -> str:
        """The key's name, as it stands in signature lines."""

    @property
    def key_id(self) -> bytes:
        """The key's id (4 bytes), as it stands in signature lines."""

    def verify(self, signature: bytes, message: bytes, /) -> None:
        """Return if `signature` is this key's for `message`; raise `BadSignature` otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line of a note: the key's name, its id (4 bytes) and the signature (at least one byte)."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note of which at least one signature has been verified, and none from a known key has failed.

    `signatures` are all in the order of the note; `verified` are those among them whose key was known.
    """

    text: str
    signatures: tuple[Signature, ...]
    verified: tuple[Signature, ...]


def key_hash(name: str, public_key: bytes) -> bytes:
    """Return the id (4 bytes) of the Ed25519 key with this name; raise `BadInput` if it cannot be a key's name."""
    check_name(name)
    return sha256(name.encode() + b"\n" + bytes([ED25519]) + public_key).digest()[:_KEY_ID_SIZE]


def check_name(name: str) -> None:
    """Return if `name` can be a key's: not empty, no blanks, ``+`` or control characters; raise `BadInput`."""
    if not _is_name(name):
        raise BadInput(f"not a name for a key: {name!r}", fix="Write a name without blanks and +.")


def sign_note(text: str, signer: Signer, name: str) -> bytes:
    """Return the note of `text` (which ends in a newline), signed by the key `signer` called `name`.

    Raises `Malformed` if `text` cannot be the text of a note, `BadInput` if `name` cannot be a key's name.
    """
    key_id = key_hash(name, signer.public_key)
    _check_text(text)
    signature = Signature(name=name, key_id=key_id, signature=signer.sign(text.encode()))
    return format_note(text, [signature])


def format_note(text: str, signatures: Sequence[Signature]) -> bytes:
    """Return the bytes of a note; raise `Malformed` or `BadInput` if they would not read back as the same note."""
    _check_text(text)
    for item in signatures:
        check_name(item.name)
    lines = [f"{_DASH}{item.name} {b64encode(item.key_id + item.signature).decode()}\n" for item in signatures]
    data = (text + "\n" + "".join(lines)).encode()
    if parse_note(data) != (text, tuple(signatures)):
        raise Malformed("the text or a signature cannot stand in a note")
    return data


def parse_note(data: bytes) -> tuple[str, tuple[Signature, ...]]:
    """Return the text and the signatures of a note, *unverified*; raise `Malformed` if it is no note.

    It is for looking at a note whose keys are not known; `open_note` is what proves anything.
    """
    if len(data) > MAX_NOTE:
        raise Malformed(f"a note has at most {MAX_NOTE} bytes")
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("a note is UTF-8 text") from error
    text, blank, lines = content.rpartition("\n\n")
    text += "\n"
    if not blank or not lines.endswith("\n") or lines.count("\n") > MAX_SIGNATURES:
        raise Malformed(f"a note is a text, an empty line, and 1 to {MAX_SIGNATURES} lines of signatures")
    _check_text(text)
    signatures = tuple(map(_parse_line, lines[:-1].split("\n")))
    return text, signatures


def open_note(data: bytes, verifiers: Iterable[Verifier]) -> Note:
    """Return the note in `data`, with its signatures by the keys `verifiers` verified.

    A signature of a key that is not among them, by name and id, is kept and proves nothing. Raises `Malformed` if
    `data` is no note, `BadSignature` if no key among `verifiers` has signed it or a signature of one does not hold.
    """
    known = tuple(verifiers)
    text, signatures = parse_note(data)
    message = text.encode()
    verified = []
    for item in signatures:
        keys = [key for key in known if (key.name, key.key_id) == (item.name, item.key_id)]
        for key in keys:
            key.verify(item.signature, message)
        if keys:
            verified.append(item)
    if not verified:
        names = ", ".join(sorted({item.name for item in signatures}))
        raise BadSignature(f"no known key has signed the note (signed by: {names})")
    return Note(text=text, signatures=signatures, verified=tuple(verified))


def _parse_line(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not _is_name(name):
        raise Malformed(f"not a signature line of a note: {line[:100]!r}")
    blob = decode_base64(encoded)
    if len(blob) <= _KEY_ID_SIZE:
        raise Malformed(f"the signature by {name} is too short")
    return Signature(name=name, key_id=blob[:_KEY_ID_SIZE], signature=blob[_KEY_ID_SIZE:])


def decode_base64(text: str) -> bytes:
    """Return the bytes that `text` spells in standard base64 with padding; raise `Malformed` for another spelling."""
    try:
        data = b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise Malformed(f"not base64: {text[:100]!r}") from error
    if b64encode(data).decode() != text:  # bits that do not count, set
        raise Malformed(f"not the canonical base64: {text[:100]!r}")
    return data


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not _FORBIDDEN.search(name) and not any(map(str.isspace, name))


def _check_text(text: str) -> None:
    if not text.endswith("\n") or _FORBIDDEN.search(text):
        raise Malformed("the text of a note ends in a newline and has no other control character")
