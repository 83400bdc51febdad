"""Rules as values: what is asked of which resources, how bad it is if it does not hold, and what to do then."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lineal.change.rule_checks import Check, show, spelled
from lineal.change.rule_paths import Path
from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What a rule can be told: its `kind` (text, integer, boolean, list) and the `value` it has, None for none."""

    kind: str
    value: Any = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is asked of every resource of some types (patterns, ``*`` and ``?`` as in a shell), one by one.

    `needs` are paths without which nothing can be said; `when` says of which resources it is asked. `digest` is that
    of the rule as written, with its parameters: conclusions by the same rule from the same item are the same.
    """

    id: str
    description: str
    resource_types: tuple[str, ...]
    severity: str
    message: str
    checks: tuple[Check, ...]
    needs: tuple[tuple[Path, ...], ...] = ()
    when: Path | None = None
    remedy: str = ""
    tags: tuple[str, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    source: str = ""
    written: str = ""

    @property
    def digest(self) -> str:
        """The digest of what the rule asks."""
        values = {name: spelled(each.value) for name, each in sorted(self.parameters.items())}
        return str(Digest.of(canonical.encode({"written": self.written, "parameters": values})))


def give_parameters(rule: str, held: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Parameter]:
    """Return the parameters that a `rule` has with the values `given`.

    Raises `BadInput` for a parameter that it does not have, or a value that it cannot take.
    """
    found = dict(held)
    for name, value in given.items():
        if name not in found:
            known = ", ".join(held) or "none"
            raise BadInput(f"rule {rule} has no parameter {name!r} (it has: {known})")
        found[name] = replace(found[name], value=read_parameter(rule, name, found[name].kind, value))
    return found


def read_parameter(rule: str, name: str, kind: str, value: Any) -> Any:
    """Return the value of a parameter of some `kind`; AWS spells them all as text, lists with commas."""
    if value is None or value == "":
        return None
    if kind == "text" and isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    if kind == "boolean" and (isinstance(value, bool) or str(value).lower() in {"true", "false"}):
        return str(value).lower() == "true"
    if kind == "integer" and not isinstance(value, bool) and str(value).strip().lstrip("-").isdecimal():
        return int(value)
    if kind == "list" and isinstance(value, list):
        return [str(each) for each in value]
    if kind == "list" and isinstance(value, str | int):
        return [each.strip() for each in str(value).split(",") if each.strip()]
    raise BadInput(f"rule {rule}: parameter {name} takes a value of the kind {kind}, not {show(value)}")
