"""DVC's text as plain values: YAML and JSON read within limits, every scalar kept as it was written.

A hostile or damaged file is refused whole. What YAML would make a number stays text: a hash of decimal digits is not an
integer, and a parameter is recorded in the digits that somebody wrote.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import yaml

from lineal.core.redaction import clean
from lineal.errors import BadInput

LARGEST: Final = 32 << 20
LARGEST_LIST: Final = 512 << 20
DEEPEST: Final = 32
MOST: Final = 2_000_000

Value = str | bool | None | list[Any] | dict[str, Any]

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_CORE: Final = "tag:yaml.org,2002:"
_TAGS: Final = frozenset({"!", *(_CORE + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))})


def as_table(value: Any, name: str) -> dict[str, Any]:
    """Return the table `value` of a file called `name`, an empty one for nothing; raise `BadInput` for another."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadInput(f"{name} has something else where a table of names belongs")
    return value


def as_list(value: Any, name: str) -> list[Any]:
    """Return the list `value` of a file called `name`, an empty one for nothing; raise `BadInput` for another."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadInput(f"{name} has something else where a list belongs")
    return value


def load_yaml(data: bytes, name: str) -> Value:
    """Return what the one YAML document `data`, called `name` in messages, says.

    Plain ``null``, ``true`` and ``false`` are None and booleans, every other scalar is text. Anchors and merge keys
    are followed, but count as often as they are used. Raises `BadInput` for what is not UTF-8, not YAML, over a limit,
    says a key twice, or asks for an object by a tag.
    """
    if len(data) > LARGEST:
        raise BadInput(f"{name} is larger than {LARGEST >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
        return _Builder(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), name).document()
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        first = " ".join(clean(str(error)).split())[:200] or type(error).__name__
        raise BadInput(f"{name} is not valid YAML: {first}") from error


class _Builder:
    """Makes values of the flat stream of events, so that depth and size are known before anything is made."""

    def __init__(self, events: Iterator[Any], name: str) -> None:
        self._events, self._name = events, name
        self._anchors: dict[str, tuple[Value, int]] = {}
        self._count = 0

    def document(self) -> Value:
        found: Value = None
        seen = False
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                if seen:
                    raise BadInput(f"{self._name} holds more than one document")
                found, seen = self._value(event, 0), True
        return found

    def _value(self, event: Any, depth: int) -> Value:
        if depth > DEEPEST:
            raise BadInput(f"{self._name} is nested deeper than {DEEPEST} levels")
        before = self._count
        self._add(1)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise BadInput(f"{self._name} has an alias within, or before, what it stands for")
            value, size = self._anchors[event.anchor]
            self._add(size)
            return value
        if event.tag is not None and event.tag not in _TAGS:
            raise BadInput(f"{self._name} has a value with the tag {clean(event.tag)[:80]!r}, which is not read")
        made: Value
        if isinstance(event, yaml.ScalarEvent):
            made = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            made = self._list(depth)
        else:
            made = self._table(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (made, self._count - before)
        return made

    def _list(self, depth: int) -> list[Any]:
        found = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._value(event, depth + 1))
        return found

    def _table(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            is_merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]
            key = event.value if isinstance(event, yaml.ScalarEvent) else self._value(event, depth + 1)
            value = self._value(next(self._events), depth + 1)
            if is_merge:
                for each in reversed(value if isinstance(value, list) else [value]):
                    if not isinstance(each, dict):
                        raise BadInput(f"{self._name} merges what is no table")
                    self._add(len(each))
                    merged.update(each)
            elif not isinstance(key, str):
                raise BadInput(f"{self._name} has a key that is not text")
            elif key in found:
                raise BadInput(f"{self._name} says {clean(key)[:80]!r} twice in one table")
            else:
                found[key] = value
        return {**merged, **found} if merged else found

    def _add(self, count: int) -> None:
        self._count += count
        if self._count > MOST:
            raise BadInput(f"{self._name} has more than {MOST} values, counting aliases as often as they are used")


def _scalar(event: Any) -> Value:
    plain = not event.style and event.implicit[0]  # libyaml says '' where Python says None
    if plain and event.value in _NULL:
        return None
    return _BOOL.get(event.value, event.value) if plain else str(event.value)


def load_list(data: bytes, name: str) -> list[dict[str, str]]:
    """Return the entries of a ``.dir`` list: ``[{"md5": …, "relpath": …}, …]``; raise `BadInput` for anything else."""
    if len(data) > LARGEST_LIST:
        raise BadInput(f"{name} is larger than {LARGEST_LIST >> 20} MiB")
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=lambda pairs: _once(pairs, name))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name} is not valid JSON: {clean(str(error))[:200]}") from error
    if not isinstance(found, list) or not all(
        isinstance(each, dict) and isinstance(each.get("md5"), str) and isinstance(each.get("relpath"), str)
        for each in found
    ):
        raise BadInput(f"{name} is not a list of files with their hashes")
    return found


def _once(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadInput(f"{name} says a key twice")
    return found
