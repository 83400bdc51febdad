"""Whether a value that a call asked for is the one that was seen afterwards, however the two are written."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lineal.change.said_moment import is_same_moment
from lineal.change.semantic import read_text

_SCALARS: Final = frozenset({str, int, bool, type(None)})


def agrees(asked: Any, seen: Any) -> bool:
    """Return whether a value of a request is the one that was seen; texts that hold documents are compared as such.

    Numbers may be text, as may true and false; names of keys may differ in case, and the service may add to an object
    what was not asked for. Of an ARN and a name alone, the name decides.
    """
    if type(asked) in _SCALARS and type(seen) in _SCALARS:
        return _agree_scalars(asked, seen)
    if isinstance(asked, Mapping) and isinstance(seen, Mapping):
        held = {key.lower(): value for key, value in seen.items()}
        if asked and held and not any(key.lower() in held for key in asked):
            return False  # it speaks of nothing that is there
        return all(agrees(value, held[key.lower()]) for key, value in asked.items() if key.lower() in held)
    if isinstance(asked, list) and isinstance(seen, list):
        return _agree_lists(asked, seen)
    if isinstance(asked, list) and isinstance(seen, Mapping):
        pairs = _mapping(asked)
        return pairs is not None and agrees(pairs, seen)
    if isinstance(asked, str) and isinstance(seen, Mapping | list):
        document = read_text(asked)
        return not isinstance(document, str) and agrees(document, seen)
    if isinstance(seen, str) and isinstance(asked, Mapping | list):
        document = read_text(seen)
        return not isinstance(document, str) and agrees(asked, document)
    return _agree_scalars(asked, seen)


def _mapping(pairs: list[Any]) -> dict[str, Any] | None:
    """Return a list of pairs such as ``{"key": …, "value": …}`` as a table, None where it is no such list."""
    found: dict[str, Any] = {}
    for each in pairs:
        held = {name.lower(): value for name, value in each.items()} if isinstance(each, Mapping) else {}
        name = held.get("key", held.get("name"))
        if not isinstance(name, str) or "value" not in held:
            return None
        found[name] = held["value"]
    return found


def _agree_lists(asked: list[Any], seen: list[Any]) -> bool:
    if len(asked) != len(seen):
        return False
    if all(agrees(one, other) for one, other in zip(asked, seen, strict=True)):
        return True
    left = list(seen)
    for one in asked:
        at = next((n for n, other in enumerate(left) if agrees(one, other)), None)
        if at is None:
            return False
        del left[at]
    return True


def _agree_scalars(asked: Any, seen: Any) -> bool:
    if asked == seen and isinstance(asked, bool) == isinstance(seen, bool):
        return True
    a, b = text_of(asked), text_of(seen)
    if a == b:
        return True
    one, other = _number(a), _number(b)
    if one is not None and other is not None:
        return one == other
    if a.startswith("arn:") != b.startswith("arn:") and a and b:
        arn, name = (a, b) if a.startswith("arn:") else (b, a)
        return arn.endswith(("/" + name, ":" + name))
    return is_same_moment(a, b)


def text_of(value: Any) -> str:
    """Return a value as requests may write it: true and false in one spelling, nothing for null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value)
    return text.lower() if text in {"True", "False", "TRUE", "FALSE"} else text


def _number(text: str) -> Decimal | None:
    if not text or len(text) > 40 or not text.isascii() or not (text[0].isdigit() or text[0] in "+-."):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
