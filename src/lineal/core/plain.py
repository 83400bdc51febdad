"""What other systems say, as it can stand in a canonical document: no floats, no secrets, nothing left out."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from lineal.core import canonical, timestamp
from lineal.core.redaction import clean, redact_argv, redact_value, strip_url

DEEPEST: Final = 20
BOTTOM: Final = 100
_LIMIT: Final = 2**53
_SHORT: Final = 256
_NAMES: Final = ("arn:", "alias/")
_LABELS: Final = ("Name", "name", "Key", "key", "ParameterName", "ParameterKey", "parameterKey")
_VALUES: Final = frozenset({"Value", "value", "DefaultValue", "ParameterValue", "parameterValue"})


def plain(value: object, name: str = "", depth: int = 0) -> Any:
    """Return `value` as it can stand in a canonical document.

    Decimals and integers of 2^53 or more become text, moments their canonical spelling, what is nested deeper than
    `DEEPEST` levels the JSON text of it, and what is nested deeper than `BOTTOM` levels a word that says so; secrets
    are cut (see `redaction`), by the `name` of a value too. Lone surrogates are replaced.
    """
    kind = type(value)
    if kind is str:  # most of what there is, and the quickest to tell
        return _text(value, name)  # type: ignore[arg-type]
    if value is None or kind is bool:
        return value
    if isinstance(value, int):
        return value if -_LIMIT < value < _LIMIT else str(value)
    if isinstance(value, float):
        return canonical.decimal(value)
    if isinstance(value, datetime):
        return timestamp.spell(value) if value.tzinfo is not None else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, Mapping | list | tuple):
        if depth >= BOTTOM:
            return "(nested deeper)"
        kept = _within(value, name, depth)
        return json.dumps(kept, ensure_ascii=False, sort_keys=True) if depth and depth % DEEPEST == 0 else kept
    return _text(str(value), name)


def _within(value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], name: str, depth: int) -> Any:
    if type(value) is dict or isinstance(value, Mapping):
        label = ""
        if not _VALUES.isdisjoint(value):
            label = next((str(value[each]) for each in _LABELS if isinstance(value.get(each), str)), "")
        return {
            _text(str(key)): plain(item, label if label and key in _VALUES else str(key), depth + 1)
            for key, item in value.items()
        }
    words = [item for item in value if isinstance(item, str)]
    if len(words) == len(value):  # arguments of a command, perhaps: --token X
        value = redact_argv(words)[0]
    return [plain(item, name, depth + 1) for item in value]


def _text(value: str, name: str = "") -> str:
    return _short_text(value, name) if len(value) < _SHORT else _cut(value, name)


def _cut(value: str, name: str) -> str:
    # The name of a key or of a stored secret is no secret: encryptionKey, secretArn.
    kept = redact_value("" if value.startswith(_NAMES) else name, clean(value))[0]
    return strip_url(kept)[0] if "://" in kept else kept


_short_text: Final = lru_cache(maxsize=65536)(_cut)  # most texts come again and again: names, regions, types
