"""Conditions of rules: what must hold of a resource's document, whether it does, and what decides that."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from lineal.change.rule_ops import ABSENCE, BARE, OPS, WORDS, Answer
from lineal.change.rule_paths import MISSING, Path, Unanswerable
from lineal.core import canonical

_SHOWN: Final = 80
_MOST_FACTS: Final = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether something `holds` (None: it cannot be said), the `facts` that decide it, and the paths they are at."""

    holds: Answer
    facts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class Check(Protocol):
    """One thing that must hold of a resource's document: whether it does, and what decides that, which takes longer."""

    def holds(self, document: Mapping[str, Any]) -> Answer:
        """Say whether it holds of `document`, None if that cannot be said."""
        ...

    def judge(self, document: Mapping[str, Any]) -> Judged:
        """Say the same, with the facts that decide it."""
        ...


def show(value: Any) -> str:
    """Return a value as a person reads it, cut to a length."""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = value if isinstance(value, str) and value else canonical.encode(spelled(value)).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def spelled(value: Any) -> Any:
    """Return a value as it can stand in a canonical document: decimals as text."""
    if isinstance(value, list):
        return [spelled(each) for each in value]
    if isinstance(value, dict):
        return {str(key): spelled(each) for key, each in value.items()}
    return value if value is None or isinstance(value, bool | int | str) else str(value)


@dataclass(frozen=True, slots=True)
class Value:
    """What a value is compared with: a constant, a parameter of the rule, or another path of the document."""

    constant: Any = None
    parameter: str | None = None
    path: Path | None = None

    def read(self, document: Mapping[str, Any]) -> Any:
        """Return the value, `MISSING` where there is none."""
        if self.parameter is not None:
            found = document["parameters"].get(self.parameter)
            return MISSING if found is None else found
        return self.constant if self.path is None else self.path.find(document)


@dataclass(frozen=True, slots=True)
class PathCheck:
    """The value at the first of `paths` that is there, compared by `op` with `value`."""

    paths: tuple[Path, ...]
    op: str
    value: Value
    default: Any = MISSING

    def holds(self, document: Mapping[str, Any]) -> Answer:
        """Say whether it holds; a value that is missing answers only operators about absence."""
        return self.holds_in(document, document)

    def holds_in(self, scope: Any, document: Mapping[str, Any]) -> Answer:
        """Say whether it holds of what is in `scope`, a part of `document`.

        What compares with a parameter that has no value is not asked.
        """
        value = self.value
        if value.parameter is not None and document["parameters"].get(value.parameter) is None:
            return True
        try:
            found: Any = MISSING
            for path in self.paths:
                found = path.find(scope)
                if found is not MISSING:
                    break
            if self.op in ABSENCE:
                return (found is not MISSING and found is not None) is (self.op == "present")
            if found is MISSING:
                found = self.default
            wanted = value.constant if value.path is None and value.parameter is None else value.read(document)
        except Unanswerable:
            return None
        return None if found is MISSING or wanted is MISSING else OPS[self.op](found, wanted)

    def judge(self, document: Mapping[str, Any]) -> Judged:
        """Say the same, with what was found."""
        return self.judge_in(document, document, "")

    def judge_in(self, scope: Any, document: Mapping[str, Any], prefix: str) -> Judged:
        """Say the same as `holds_in`, with what was found; `prefix` names the part."""
        if self.value.parameter is not None and document["parameters"].get(self.value.parameter) is None:
            return Judged(True)
        try:
            path, found = self._find(scope)
        except Unanswerable as error:
            return Judged(None, (str(error),))
        name = prefix + path
        if self.op in ABSENCE:
            there = found is not MISSING and found is not None
            return Judged(there is (self.op == "present"), (f"{name} is {_told(found)}",), (name,))
        value = self.default if found is MISSING else found
        if value is MISSING:
            return Judged(None, (f"{name} is missing",), (name,))
        wanted = self.value.read(document)
        if wanted is MISSING:
            return Judged(None, ("what it is compared with is missing",), (name,))
        answer = OPS[self.op](value, wanted)
        told = f"{name} is {_told(found)}"
        if answer is None:
            return Judged(None, (f"{told}, which `{self.op}` cannot compare",), (name,))
        asked = "" if self.op in BARE else f" {show(wanted)}"
        return Judged(answer, (told if answer else f"{told}, and must {WORDS[self.op]}{asked}",), (name,))

    def _find(self, scope: Any) -> tuple[str, Any]:
        for path in self.paths:
            found = path.find(scope)
            if found is not MISSING:
                return path.text, found
        return self.paths[0].text, MISSING


def _told(found: Any) -> str:
    return "missing" if found is MISSING else "null" if found is None else show(found)


@dataclass(frozen=True, slots=True)
class EachCheck:
    """Every element of the list at the first of `paths` that is there; those that `where` leaves out do not count.

    A list that is missing says nothing unless it is `optional`; an empty one holds.
    """

    paths: tuple[Path, ...]
    where: Path | None
    checks: tuple[PathCheck, ...]
    optional: bool = False

    def holds(self, document: Mapping[str, Any]) -> Answer:
        """Say whether the checks hold of every element."""
        try:
            found = next((found for path in self.paths if (found := path.find(document)) is not MISSING), MISSING)
            if found is MISSING and self.optional:
                return True
            if not isinstance(found, list | dict):
                return None
            elements = found.values() if isinstance(found, dict) else found
            chosen = elements if self.where is None else [each for each in elements if truth(self.where.ask(each))]
        except Unanswerable:
            return None
        return all_of(check.holds_in(each, document) for each in chosen for check in self.checks)

    def judge(self, document: Mapping[str, Any]) -> Judged:
        """Say the same, with the elements that decide it."""
        try:
            name, found = next(
                ((path.text, found) for path in self.paths if (found := path.find(document)) is not MISSING),
                (self.paths[0].text, MISSING),
            )
            if found is MISSING and self.optional:
                return Judged(True, (f"{name} is missing",), (name,))
            if not isinstance(found, list | dict):
                return Judged(None, (f"{name} is {_told(found)}, no list",), (name,))
            elements = list(found.items()) if isinstance(found, dict) else list(enumerate(found))
            chosen = [(at, each) for at, each in elements if self.where is None or truth(self.where.ask(each))]
        except Unanswerable as error:
            return Judged(None, (str(error),))
        told = [check.judge_in(each, document, f"{name}[{at}].") for at, each in chosen for check in self.checks]
        return every(told) if told else Judged(True, (f"{name} has no element that counts",), (name,))


@dataclass(frozen=True, slots=True)
class ExpressionCheck:
    """A JMESPath expression that gives true or false."""

    expression: Path

    def holds(self, document: Mapping[str, Any]) -> Answer:
        """Say what the expression says; null, and whatever is neither true nor false, is no answer."""
        try:
            found = self.expression.ask(document)
        except Unanswerable:
            return None
        return found if isinstance(found, bool) else None

    def judge(self, document: Mapping[str, Any]) -> Judged:
        """Say the same, with what it gave."""
        try:
            found = self.expression.ask(document)
        except Unanswerable as error:
            return Judged(None, (str(error),))
        told = f"{self.expression.text} gives {show(found)}"
        return Judged(found if isinstance(found, bool) else None, (told,), (self.expression.text,))


@dataclass(frozen=True, slots=True)
class AnyCheck:
    """At least one of `checks`."""

    checks: tuple[Check, ...]

    def holds(self, document: Mapping[str, Any]) -> Answer:
        """Say whether one holds: yes if any does, no if none does, else it cannot be said."""
        answers = [check.holds(document) for check in self.checks]
        return True if True in answers else None if None in answers else False

    def judge(self, document: Mapping[str, Any]) -> Judged:
        """Say the same, with what decides it."""
        told = [check.judge(document) for check in self.checks]
        for each in told:
            if each.holds:
                return each
        return replace(_join(told), holds=None if any(each.holds is None for each in told) else False)


@dataclass(frozen=True, slots=True)
class AllCheck:
    """Every one of `checks`."""

    checks: tuple[Check, ...]

    def holds(self, document: Mapping[str, Any]) -> Answer:
        """Say whether all hold: no if one does not, else it cannot be said if it cannot of one."""
        return all_of(check.holds(document) for check in self.checks)

    def judge(self, document: Mapping[str, Any]) -> Judged:
        """Say the same, with what decides it."""
        return every([check.judge(document) for check in self.checks])


@dataclass(frozen=True, slots=True)
class FunctionCheck:
    """A condition in Python, for what no expression can say."""

    function: Callable[[Mapping[str, Any]], Judged]

    def holds(self, document: Mapping[str, Any]) -> Answer:
        """Say what the function says."""
        return self.function(document).holds

    def judge(self, document: Mapping[str, Any]) -> Judged:
        """Say the same, with its facts."""
        return self.function(document)


def all_of(answers: Iterable[Answer]) -> Answer:
    """Return what follows when all must hold: one that fails decides, then one that cannot be said."""
    found: Answer = True
    for each in answers:
        if each is False:
            return False
        if each is None:
            found = None
    return found


def every(told: list[Judged]) -> Judged:
    """Return what follows when all of `told` must hold: one that fails decides, then one that cannot be said."""
    for decisive in (False, None):
        chosen = [each for each in told if each.holds is decisive]
        if chosen:
            return replace(_join(chosen), holds=decisive)
    return replace(_join(told), holds=True)


def _join(told: list[Judged]) -> Judged:
    facts = list(dict.fromkeys(fact for each in told for fact in each.facts))
    more = len(facts) - _MOST_FACTS
    shown = (*facts[:_MOST_FACTS], *((f"and {more} more",) if more > 0 else ()))
    return Judged(None, shown, tuple(dict.fromkeys(path for each in told for path in each.paths))[:20])


def truth(found: Any) -> bool:
    """Return whether JMESPath takes a value for true: not null, false, or an empty text, list or object."""
    return not (found is None or found is False or found == "" or found == [] or found == {})
