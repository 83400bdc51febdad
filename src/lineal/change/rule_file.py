"""Rules as people write them: YAML, read strictly, with file, rule and line in every complaint."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from lineal.change.rule import Parameter, Rule, read_parameter
from lineal.change.rule_checks import (
    AllCheck,
    AnyCheck,
    Check,
    EachCheck,
    ExpressionCheck,
    FunctionCheck,
    Judged,
    PathCheck,
    Value,
)
from lineal.change.rule_ops import ABSENCE, BARE, OPS
from lineal.change.rule_paths import MISSING, Path, compile_path
from lineal.change.rule_yaml import Sheet, read_yaml
from lineal.core import canonical
from lineal.core.conclusion import SEVERITIES
from lineal.errors import BadInput

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_TEXTS: Final = ("id", "description", "message", "remedy", "severity")
_KEYS: Final = frozenset([*_TEXTS, "resource_types", "needs", "when", "assert", "parameters", "tags"])
_EACH: Final = frozenset(["each", "where", "optional", "assert", "path", "op", "value", "default"])
_KINDS: Final = ("text", "integer", "boolean", "list")
Functions = Mapping[str, Callable[[Mapping[str, Any]], Judged]]


def read_rules(text: str, name: str, functions: Functions | None = None) -> tuple[Rule, ...]:
    """Return the rules of the YAML file called `name`; raise `BadInput`, with rule and line, for any mistake.

    `functions` are the conditions in Python that its rules may name (``python``): only rules of this package may.
    """
    return rules_of(read_yaml(text, name), functions)


def rules_of(sheet: Sheet, functions: Functions | None = None) -> tuple[Rule, ...]:
    """Return the rules of a file that was read; see `read_rules`."""
    value = sheet.value
    if not isinstance(value, dict) or not isinstance(value.get("rules"), list):
        raise BadInput(f"{sheet.at()}: no rules: a file of rules has a list called `rules`")
    for key in value:
        if key not in {"rules", "description"}:
            raise BadInput(f"{sheet.at(key)}: unknown key {key!r} beside `rules`")
    found: list[Rule] = []
    known: dict[str, int] = {}
    for number, document in enumerate(value["rules"]):
        rule = _Parser(sheet, number, functions or {}).read(document)
        if rule.id in known:
            raise BadInput(f"{sheet.at('rules', number)}: rule {rule.id} stands twice")
        known[rule.id] = number
        found.append(rule)
    return tuple(found)


class _Parser:
    """Reads one rule of a sheet; whatever it complains of says where that stands."""

    def __init__(self, sheet: Sheet, number: int, functions: Functions) -> None:
        self._sheet, self._at = sheet, ("rules", number)
        self._functions = functions
        self._id = f"number {number + 1}"
        self._parameters: dict[str, Parameter] = {}

    def read(self, document: Any) -> Rule:
        """Return the rule that `document` is."""
        if not isinstance(document, dict):
            raise self._wrong((), "a rule is a mapping")
        self._id = self._text(document, "id")
        if _ID.fullmatch(self._id) is None:
            raise self._wrong(("id",), "an id has letters, digits and _ . : -")
        self._only(document, _KEYS, ())
        severity = document.get("severity", "medium")
        if severity not in SEVERITIES:
            raise self._wrong(("severity",), f"no such severity: {severity!r} (one of {', '.join(SEVERITIES)})")
        self._parameters = self._read_parameters(document.get("parameters") or {})
        checks = self._list(document, "assert")
        if not checks:
            raise self._wrong(("assert",), "a rule asserts something")
        written = canonical.encode(_canonical(document)).decode()
        when = document.get("when")
        return Rule(
            id=self._id,
            description=self._text(document, "description"),
            resource_types=self._texts(document, "resource_types", required=True),
            severity=severity,
            message=self._text(document, "message"),
            checks=tuple(self._check(each, ("assert", number)) for number, each in enumerate(checks)),
            needs=tuple(self._paths(each, ("needs", n)) for n, each in enumerate(self._list(document, "needs"))),
            when=None if when is None else self._path(when, ("when",)),
            remedy=self._text(document, "remedy", required=False),
            tags=self._texts(document, "tags"),
            parameters=self._parameters,
            source=self._sheet.name,
            written=written,
        )

    def _wrong(self, place: tuple[str | int, ...], why: str) -> BadInput:
        return BadInput(
            f"{self._sheet.at(*self._at, *place)}: rule {self._id}: {why}",
            fix="docs/rules.md describes every key and operator.",
        )

    def _only(self, document: Mapping[str, Any], keys: frozenset[str], place: tuple[str | int, ...]) -> None:
        for key in document:
            if key not in keys:
                raise self._wrong((*place, key), f"unknown key {key!r} (there are: {', '.join(sorted(keys))})")

    def _text(self, document: Mapping[str, Any], key: str, *, required: bool = True) -> str:
        found = document.get(key, "")
        if not isinstance(found, str) or (required and not found.strip()):
            raise self._wrong((key,) if key in document else (), f"`{key}` must be text")
        return " ".join(found.split())

    def _list(self, document: Mapping[str, Any], key: str) -> list[Any]:
        found = document.get(key)
        if found is None:
            return []
        return found if isinstance(found, list) else [found]

    def _texts(self, document: Mapping[str, Any], key: str, *, required: bool = False) -> tuple[str, ...]:
        found = self._list(document, key)
        if any(not isinstance(each, str) or not each for each in found) or (required and not found):
            raise self._wrong((key,) if key in document else (), f"`{key}` must be a list of texts")
        return tuple(found)

    def _path(self, text: Any, place: tuple[str | int, ...]) -> Path:
        if not isinstance(text, str) or not text:
            raise self._wrong(place, "an expression must be text")
        try:
            return compile_path(text)
        except BadInput as error:
            raise self._wrong(place, error.message) from error

    def _paths(self, found: Any, place: tuple[str | int, ...]) -> tuple[Path, ...]:
        given = found if isinstance(found, list) else [found]
        if not given:
            raise self._wrong(place, "an empty list of paths")
        return tuple(self._path(each, place) for each in given)

    def _read_parameters(self, given: Any) -> dict[str, Parameter]:
        if not isinstance(given, dict):
            raise self._wrong(("parameters",), "`parameters` must be a mapping")
        found: dict[str, Parameter] = {}
        for name, spec in given.items():
            place = ("parameters", name)
            if isinstance(spec, dict):
                self._only(spec, frozenset({"type", "default", "description"}), place)
                kind, value = spec.get("type", "text"), spec.get("default")
                described = self._text(spec, "description", required=False)
            else:
                kind, value, described = _kind_of(spec), spec, ""
            if kind not in _KINDS:
                raise self._wrong(place, f"parameter {name}: no such type: {kind!r} (one of {', '.join(_KINDS)})")
            try:
                found[name] = Parameter(
                    kind=kind, value=read_parameter(self._id, name, kind, value), description=described
                )
            except BadInput as error:
                raise self._wrong(place, error.message) from error
        return found

    def _check(self, given: Any, place: tuple[str | int, ...]) -> Check:
        if isinstance(given, str):
            return ExpressionCheck(self._path(given, place))
        if not isinstance(given, dict):
            raise self._wrong(place, "an assertion is a mapping or an expression")
        if "expr" in given:
            self._only(given, frozenset({"expr"}), place)
            return ExpressionCheck(self._path(given["expr"], (*place, "expr")))
        for word, kind in (("any", AnyCheck), ("all", AllCheck)):
            if word in given:
                self._only(given, frozenset({word}), place)
                parts = self._list(given, word)
                if not parts:
                    raise self._wrong((*place, word), f"`{word}` of nothing")
                return kind(tuple(self._check(each, (*place, word, n)) for n, each in enumerate(parts)))
        if "each" in given:
            return self._each(given, place)
        if "python" in given:
            return self._function(given, place)
        return self._compare(given, place)

    def _each(self, given: Mapping[str, Any], place: tuple[str | int, ...]) -> EachCheck:
        self._only(given, _EACH, place)
        where = given.get("where")
        if "assert" in given:
            if "path" in given or "op" in given:
                raise self._wrong(place, "either `assert` or `path` and `op`")
            parts = self._list(given, "assert")
            if not parts or not all(isinstance(each, dict) for each in parts):
                raise self._wrong((*place, "assert"), "a list of comparisons")
            checks = tuple(self._compare(each, (*place, "assert", n)) for n, each in enumerate(parts))
        else:
            checks = (self._compare({k: v for k, v in given.items() if k not in {"each", "where", "optional"}}, place),)
        lists = self._paths(given["each"], (*place, "each"))
        chosen = None if where is None else self._path(where, (*place, "where"))
        return EachCheck(lists, chosen, checks, optional=given.get("optional") is True)

    def _function(self, given: Mapping[str, Any], place: tuple[str | int, ...]) -> FunctionCheck:
        self._only(given, frozenset({"python"}), place)
        if given["python"] not in self._functions:
            raise self._wrong((*place, "python"), f"no such condition: {given['python']!r}")
        return FunctionCheck(self._functions[given["python"]])

    def _compare(self, given: Mapping[str, Any], place: tuple[str | int, ...]) -> PathCheck:
        self._only(given, frozenset({"path", "op", "value", "default"}), place)
        if "path" not in given:
            raise self._wrong(place, "an assertion has a `path` (or `expr`, `any`, `each`)")
        op = given.get("op")
        if not isinstance(op, str) or (op not in OPS and op not in ABSENCE):
            raise self._wrong(
                (*place, "op"), f"no such operator: {op!r} (one of {', '.join(sorted({*OPS, *ABSENCE}))})"
            )
        if op in BARE:
            if "value" in given:
                raise self._wrong((*place, "value"), f"`{op}` takes no value")
        elif "value" not in given:
            raise self._wrong(place, f"`{op}` needs a value")
        if op in ABSENCE and "default" in given:
            raise self._wrong((*place, "default"), f"`{op}` is about what is there: it takes no default")
        value = self._value(given.get("value"), op, (*place, "value"))
        default = given.get("default", MISSING)
        return PathCheck(self._paths(given["path"], (*place, "path")), op, value, default)

    def _value(self, given: Any, op: str, place: tuple[str | int, ...]) -> Value:
        if isinstance(given, dict) and set(given) == {"parameter"}:
            name = given["parameter"]
            if name not in self._parameters:
                raise self._wrong(place, f"no parameter {name!r}")
            return Value(parameter=name)
        if isinstance(given, dict) and set(given) == {"path"}:
            return Value(path=self._path(given["path"], (*place, "path")))
        if op in {"matches", "not_matches"}:
            try:
                re.compile(str(given))
            except (re.error, OverflowError, RecursionError) as error:
                raise self._wrong(place, f"no regular expression: {given!r}: {error}") from error
        return Value(constant=given)


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "list" if isinstance(value, list) else "text"


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_canonical(each) for each in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)
