"""The one encoder: RFC 8785 (JSON Canonicalization Scheme), restricted.

Floats are refused (write decimals as text) and integers must lie strictly between -2^53 and 2^53, so that every
implementation of RFC 8785 gives the same bytes. Decoding refuses whatever the encoder would not have written, so that
``encode(decode(data)) == data`` holds for every accepted `data`.
"""

import json
from typing import Final

from lineal.errors import NotCanonical

MAX_DEPTH: Final = 32
_LIMIT: Final = 2**53


def _prepare(value: object, depth: int) -> object:
    """Return `value` checked, with the keys of every object in UTF-16 order (RFC 8785, 3.2.3)."""
    kind = type(value)
    if kind is str:
        if not value.isascii():  # type: ignore[attr-defined]
            _refuse_surrogates(value)  # type: ignore[arg-type]
        return value
    if kind is int:
        if not -_LIMIT < value < _LIMIT:  # type: ignore[operator]
            raise NotCanonical(f"integer out of range: {value}")
        return value
    if value is None or kind is bool:
        return value
    if depth >= MAX_DEPTH:
        raise NotCanonical(f"nested deeper than {MAX_DEPTH} levels")
    if kind is dict:
        return _prepare_object(value, depth)  # type: ignore[arg-type]
    if kind is list or kind is tuple:
        return [_prepare(item, depth + 1) for item in value]  # type: ignore[attr-defined]
    raise NotCanonical(f"not allowed in a canonical document: {kind.__name__}")


def _prepare_object(value: dict[object, object], depth: int) -> dict[str, object]:
    keys: list[str] = []
    ascii_only = True
    for key in value:
        if type(key) is not str:
            raise NotCanonical(f"object key is not text: {key!r}")
        if not key.isascii():
            _refuse_surrogates(key)
            ascii_only = False
        keys.append(key)
    keys.sort(key=None if ascii_only else _utf16)
    return {key: _prepare(value[key], depth + 1) for key in keys}


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be")


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise NotCanonical("text holds a lone surrogate: it is not valid Unicode") from error


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)


def encode(value: object) -> bytes:
    """Return the canonical bytes of `value` (RFC 8785 without floats).

    Raises `NotCanonical` for floats, integers of 2^53 or more, keys that are not text, lone surrogates, values that
    are not JSON, and nesting deeper than `MAX_DEPTH`.
    """
    return _ENCODER.encode(_prepare(value, 0)).encode("utf-8")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotCanonical("an object has the same key twice")
    return found


def _refuse_number(text: str) -> object:
    raise NotCanonical(f"number not allowed in a canonical document: {text[:40]}")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=_refuse_number, parse_constant=_refuse_number)


def parse(data: bytes) -> object:
    """Return the value that JSON `data` spells, canonical or not; floats and double keys are refused.

    Raises `NotCanonical` when `data` is not UTF-8, not JSON, or holds what the encoder refuses.
    """
    try:
        return _DECODER.decode(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise NotCanonical(f"not a JSON document: {error}") from error


def decode(data: bytes) -> object:
    """Return the value whose canonical bytes are exactly `data`; raise `NotCanonical` for any other spelling."""
    value = parse(data)
    if encode(value) != data:
        raise NotCanonical("the document is not in its canonical spelling")
    return value


def decimal(value: float) -> str:
    """Return the shortest text that reads back as `value`: how decimals are written in canonical documents."""
    return repr(float(value))
