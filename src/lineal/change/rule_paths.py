"""Expressions of rules: JMESPath, compiled once, with what is missing told from what is empty, false or null."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from lineal.errors import BadInput, UsageError

if TYPE_CHECKING:
    from types import ModuleType

MAX_EXPRESSION: Final = 4096
_Step = str | int


class _Missing:
    """The value of what is not there."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "missing"


MISSING: Final = _Missing()


class Unanswerable(Exception):
    """An expression cannot be evaluated on this document. It never leaves the evaluation of a rule."""


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled JMESPath expression and its `text`.

    Plain paths (``configuration.Stages[0].Name``) are walked here, since JMESPath gives null for what is missing; where
    an expression does more than that, null means missing.
    """

    text: str
    _compiled: Any = field(repr=False, compare=False)
    _steps: tuple[_Step, ...] | None = field(repr=False, compare=False)

    def find(self, document: Any) -> Any:
        """Return the value in `document`, or `MISSING`; raise `Unanswerable`."""
        if self._steps is not None:
            return _walk(document, self._steps)
        found = self._search(document)
        return MISSING if found is None else found

    def ask(self, document: Any) -> Any:
        """Return what JMESPath gives, null for what is missing; raise `Unanswerable`."""
        return self._search(document)

    def _search(self, document: Any) -> Any:
        try:
            return self._compiled.search(document)
        except (ValueError, TypeError, KeyError, RecursionError) as error:  # those of JMESPath are ValueErrors
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise Unanswerable(f"{self.text}: {reason}") from error


def compile_path(text: str) -> Path:
    """Return the compiled expression `text`; raise `BadInput` for one that JMESPath does not take.

    Functions that do not exist are refused here, not when a resource meets them. Raises `UsageError` where jmespath is
    not installed.
    """
    jmespath = _jmespath()
    if len(text) > MAX_EXPRESSION:
        raise BadInput(f"an expression of {len(text):,} characters (at most {MAX_EXPRESSION:,})")
    try:
        compiled = jmespath.compile(text)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BadInput(f"no JMESPath: {text!r}: {reason}", fix="See https://jmespath.org/specification.html") from error
    _check_functions(compiled.parsed, text)
    return Path(text, compiled, _plain_steps(compiled.parsed))


def _jmespath() -> "ModuleType":
    try:
        import jmespath
        import jmespath.functions
    except ImportError as error:
        raise UsageError("rules need jmespath, which is not installed", fix="pip install 'lineal[aws]'") from error
    return cast("ModuleType", jmespath)


def _check_functions(node: Mapping[str, Any], text: str) -> None:
    import jmespath.functions

    waiting = [node]
    while waiting:
        each = waiting.pop()
        if each["type"] == "function_expression" and each["value"] not in jmespath.functions.Functions.FUNCTION_TABLE:
            raise BadInput(f"no function of JMESPath: {each['value']}() in {text!r}")
        waiting.extend(child for child in each["children"] if isinstance(child, dict))


def _plain_steps(node: Mapping[str, Any]) -> tuple[_Step, ...] | None:
    """Return the keys and indexes of an expression that is nothing else, None for any other."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        return (node["value"],)
    if kind == "index":
        return (node["value"],)
    if kind == "current":
        return ()
    if kind in {"subexpression", "index_expression"}:
        parts = [_plain_steps(child) for child in children]
        if None in parts:
            return None
        return tuple(step for part in parts if part is not None for step in part)
    return None


def _walk(value: Any, steps: tuple[_Step, ...]) -> Any:
    for step in steps:
        if type(step) is int:
            if type(value) is not list or not -len(value) <= step < len(value):
                return MISSING
            value = value[step]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return MISSING
    return value
