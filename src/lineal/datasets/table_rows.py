"""Rows as bytes: one encoding for each row, whichever format it was read from, and back to the values to show."""

from collections.abc import Iterable
from typing import Final

SEPARATOR: Final = b"\x1f"
ESCAPE: Final = b"\x1b"
NULL: Final = ESCAPE + b"n"


def encode_field(value: str | None) -> bytes:
    """Return the encoding of one value: its text, with separators escaped, and a mark for none."""
    if value is None:
        return NULL
    return escape(value.encode("utf-8", "surrogatepass"))


def escape(raw: bytes) -> bytes:
    """Return `raw` without a separator in it; no two texts give the same."""
    return raw.replace(ESCAPE, ESCAPE + b"e").replace(SEPARATOR, ESCAPE + b"s")


def encode_row(fields: Iterable[bytes]) -> bytes:
    """Return the encoding of a row of raw texts."""
    return SEPARATOR.join(map(escape, fields))


def decode_row(row: bytes) -> list[str | None]:
    """Return the values of an encoded row as text, None for no value; bytes that are no text become ``\\xNN``."""
    return [None if field == NULL else _unescape(field) for field in row.split(SEPARATOR)]


def _unescape(field: bytes) -> str:
    raw = field.replace(ESCAPE + b"s", SEPARATOR).replace(ESCAPE + b"e", ESCAPE)
    return raw.decode("utf-8", "backslashreplace")
