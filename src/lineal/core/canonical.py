"""The one encoder: RFC 8785 (JSON Canonicalization Scheme), restricted.

Floats are refused (write decimals as text) and integers must lie strictly between -2^53 and 2^53, so that every
implementation of RFC 8785 gives the same bytes. Decoding refuses whatever the encoder would not have written, so that
``encode(decode(data)) == data`` holds for every accepted `data`.
"""

import json
from collections.abc import Iterable
from typing import Final

from lineal.errors import NotCanonical

MAX_DEPTH: Final = 32
_LIMIT: Final = 2**53


def _check(value: object, depth: int) -> bool:
    """Refuse what has no canonical spelling; return whether the keys in `value` are all ASCII."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        if not -_LIMIT < value < _LIMIT:  # type: ignore[operator]
            raise NotCanonical(f"integer out of range: {value}")
        return True
    if kind is not dict and kind is not list and kind is not tuple:
        raise NotCanonical(f"not allowed in a canonical document: {kind.__name__}")
    if depth >= MAX_DEPTH:
        raise NotCanonical(f"nested deeper than {MAX_DEPTH} levels")
    plain = True
    items: Iterable[object] = value  # type: ignore[assignment]
    if kind is dict:
        for key in value:  # type: ignore[attr-defined]
            if type(key) is not str:
                raise NotCanonical(f"object key is not text: {key!r}")
        plain = "".join(value).isascii()  # type: ignore[arg-type]
        items = value.values()  # type: ignore[attr-defined]
    for item in items:
        if type(item) is not str and not _check(item, depth + 1):  # most are text: no call for those
            plain = False
    return plain


def _order(value: object) -> object:
    """Return `value` with the keys of every object in UTF-16 order (RFC 8785, 3.2.3)."""
    if isinstance(value, dict):
        return {key: _order(value[key]) for key in sorted(value, key=_utf16)}
    return [_order(item) for item in value] if isinstance(value, list | tuple) else value


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False)
_SORTING: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False, sort_keys=True
)


def encode(value: object) -> bytes:
    """Return the canonical bytes of `value` (RFC 8785 without floats).

    Raises `NotCanonical` for floats, integers of 2^53 or more, keys that are not text, lone surrogates, values that
    are not JSON, and nesting deeper than `MAX_DEPTH`.
    """
    # For ASCII keys, the order of code points, which the encoder sorts by itself, is UTF-16 order.
    text = _SORTING.encode(value) if _check(value, 0) else _ENCODER.encode(_order(value))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise NotCanonical("text holds a lone surrogate: it is not valid Unicode") from error


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
