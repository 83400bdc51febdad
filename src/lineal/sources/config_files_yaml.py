"""YAML as plain values, within limits: every document of a file, every scalar as it was written, nothing constructed.

Read by the rules of YAML 1.2's core schema (yaml.org/spec/1.2.2, chapter 10) as far as a value can stand in a canonical
document: ``null``, ``true``, ``false`` and decimal integers are what they are, everything else (decimals, dates,
``yes``, ``.nan``, ``0x1F``) is the text that somebody wrote. A value with a tag of its own (``!Ref x``, ``!vault``)
stands as ``{"!Ref": "x"}``: no object is ever made of it.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from lineal.core.redaction import clean
from lineal.errors import BadInput

DEEPEST: Final = 64
MOST: Final = 500_000
MOST_DOCUMENTS: Final = 100_000

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_CORE: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = frozenset({"!", *(_CORE + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))})


def read_yaml(text: str) -> list[Any]:
    """Return the documents that `text` holds; those that are empty are left out.

    Anchors are followed, but what they stand for counts as often as it is used. Raises `BadInput` with the line for
    what is not YAML, over a limit, says a key twice in one table, or has an alias within what it stands for.
    """
    import yaml

    try:
        events = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return list(_Builder(events, yaml).documents())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = clean(error.problem or error.context or "not YAML")
        raise _bad(said, None if mark is None else mark.line) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _bad(" ".join(clean(str(error)).split()) or type(error).__name__, None) from error


def _bad(said: str, line: int | None) -> BadInput:
    where = "" if line is None else f"line {line + 1}: "
    return BadInput(f"{where}{said[:200]}")


class _Builder:
    """Makes values of the flat stream of events, so that depth and size are known before anything is made."""

    def __init__(self, events: Iterator[Any], yaml: Any) -> None:
        self._events, self._yaml = events, yaml
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        self._count = 0

    def documents(self) -> Iterator[Any]:
        """Yield what each document says."""
        seen = 0
        for event in self._events:
            if isinstance(event, self._yaml.DocumentStartEvent):
                self._anchors.clear()
            elif isinstance(event, self._yaml.NodeEvent):
                seen += 1
                if seen > MOST_DOCUMENTS:
                    raise _bad(f"more than {MOST_DOCUMENTS} documents in one file", event.start_mark.line)
                value, _ = self._value(event, 0)
                if value is not None:
                    yield value

    def _value(self, event: Any, depth: int) -> tuple[Any, int]:
        """Return the value that begins with `event`, and how many levels deep it is."""
        line = event.start_mark.line
        if depth > DEEPEST:
            raise _bad(f"nested deeper than {DEEPEST} levels", line)
        before = self._count
        self._add(1, line)
        if isinstance(event, self._yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _bad(f"the alias *{clean(event.anchor)[:80]} stands within, or before, its anchor", line)
            value, size, deep = self._anchors[event.anchor]
            self._add(size, line)
            if depth + deep > DEEPEST:
                raise _bad(f"nested deeper than {DEEPEST} levels", line)
            return value, deep
        if isinstance(event, self._yaml.ScalarEvent):
            made, deep = _scalar(event), 0
        elif isinstance(event, self._yaml.SequenceStartEvent):
            made, deep = self._list(depth)
        else:
            made, deep = self._table(depth)
        if event.tag is not None and event.tag not in _PLAIN_TAGS:
            made, deep = {clean(event.tag): made}, deep + 1
        if event.anchor is not None:
            self._anchors[event.anchor] = (made, self._count - before, deep)
        return made, deep

    def _list(self, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        deepest = 0
        while not isinstance(event := next(self._events), self._yaml.SequenceEndEvent):
            value, deep = self._value(event, depth + 1)
            found.append(value)
            deepest = max(deepest, deep)
        return found, deepest + 1

    def _table(self, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        deepest = 0
        while not isinstance(event := next(self._events), self._yaml.MappingEndEvent):
            line = event.start_mark.line
            if not isinstance(event, self._yaml.ScalarEvent | self._yaml.AliasEvent):
                raise _bad("a key that is a list or a table", line)
            is_merge = isinstance(event, self._yaml.ScalarEvent) and event.value == "<<" and not event.style
            key = event.value if isinstance(event, self._yaml.ScalarEvent) else self._value(event, depth + 1)[0]
            if not isinstance(key, str):
                raise _bad("a key that is no text", line)
            value, deep = self._value(next(self._events), depth + 1)
            deepest = max(deepest, deep)
            if is_merge:
                for each in reversed(value if isinstance(value, list) else [value]):
                    if not isinstance(each, dict):
                        raise _bad("<< merges what is no table", line)
                    self._add(len(each), line)
                    merged.update(each)
            elif key in found:
                raise _bad(f"the key {clean(key)[:80]!r} stands twice in one table", line)
            else:
                found[key] = value
        return ({**merged, **found} if merged else found), deepest + 1

    def _add(self, count: int, line: int) -> None:
        self._count += count
        if self._count > MOST:
            raise _bad(f"more than {MOST} values, counting aliases as often as they are used", line)


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.style or not event.implicit[0]:  # libyaml says '' where Python says None
        return _tagged(event.tag, text)
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    return int(text) if _INTEGER.fullmatch(text) else text


def _tagged(tag: str | None, text: str) -> Any:
    """Return a scalar that was quoted, or that says its own type."""
    if tag == _CORE + "null":
        return None
    if tag == _CORE + "bool" and text in _BOOL:
        return _BOOL[text]
    return int(text) if tag == _CORE + "int" and _INTEGER.fullmatch(text) else text
