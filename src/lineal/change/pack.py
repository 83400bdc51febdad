"""Conformance packs of AWS Config: templates of CloudFormation that name rules, read as far as packs use them.

What a template may say: "Custom conformance packs" of the AWS Config Developer Guide. Nothing of it is deployed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from lineal.change.graph_rules import EstateRule
from lineal.change.rule import Rule, give_parameters
from lineal.change.rule_yaml import Sheet
from lineal.errors import BadInput

RULE: Final = "AWS::Config::ConfigRule"
MAX_NAME: Final = 256
_SUBSTITUTE: Final = re.compile(r"\$\{([^}!]+)\}")
_OWNERS: Final = {
    "CUSTOM_POLICY": "a rule in the language Guard, which is not evaluated here",
    "CUSTOM_LAMBDA": "a rule that a Lambda function evaluates, which is not called from here",
}


class _Absent:
    """The value of AWS::NoValue."""


ABSENT: Final = _Absent()


class _Unreadable(Exception):
    """A value needs something that only AWS knows."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A rule of a pack that cannot be asked here: its `id` (AWS's identifier, or its name), its `name`, and why."""

    id: str
    name: str
    why: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class PackRule:
    """One rule of a pack: who owns it, AWS's `identifier` of it, its parameters, or why those cannot be told."""

    name: str
    owner: str
    identifier: str
    parameters: Mapping[str, Any]
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of a pack, and what else stands in it by type: remediations are not carried out here."""

    name: str
    rules: tuple[PackRule, ...]
    others: Mapping[str, int]


def is_pack(sheet: Sheet) -> bool:
    """Return whether a file is a conformance pack."""
    return isinstance(sheet.value, dict) and "Resources" in sheet.value


def read_pack(sheet: Sheet) -> Pack:
    """Return the pack that a file is; raise `BadInput`, with the line, for a template that is malformed."""
    if not is_pack(sheet):
        raise BadInput(f"{sheet.at()}: no conformance pack: it has no Resources")
    value = sheet.value
    resources = _mapping(sheet, value, "Resources")
    template = _Template(sheet, _mapping(sheet, value, "Parameters"), _mapping(sheet, value, "Conditions"))
    rules: list[PackRule] = []
    others: dict[str, int] = {}
    for logical, resource in resources.items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise BadInput(f"{sheet.at('Resources', logical)}: {logical} is no resource: it has no Type")
        if resource["Type"] != RULE:
            others[resource["Type"]] = others.get(resource["Type"], 0) + 1
        else:
            rules.append(_read_rule(sheet, template, logical, resource))
    if not rules:
        raise BadInput(f"{sheet.at('Resources')}: no rule in the conformance pack")
    return Pack(sheet.name, tuple(rules), others)


def _mapping(sheet: Sheet, value: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key) or {}
    if not isinstance(found, dict):
        raise BadInput(f"{sheet.at(key)}: {key} must be a mapping")
    return found


def _read_rule(sheet: Sheet, template: "_Template", logical: str, resource: Mapping[str, Any]) -> PackRule:
    properties = resource.get("Properties")
    source = properties.get("Source") if isinstance(properties, dict) else None
    if not isinstance(properties, dict) or not isinstance(source, dict):
        raise BadInput(f"{sheet.at('Resources', logical)}: rule {logical} has no Source")
    owner = str(source.get("Owner", "AWS"))
    identifier = str(source.get("SourceIdentifier", ""))
    unreadable = ""
    given: Any = {}
    try:
        name = str(template.read(properties.get("ConfigRuleName", logical)))
    except _Unreadable:
        name = logical
    try:
        condition = resource.get("Condition")
        if condition is not None and not template.holds(condition):
            unreadable = f"switched off by the condition {condition}"
        given = template.read(_loaded(properties.get("InputParameters") or {}))
    except _Unreadable as error:
        unreadable = str(error)
    given = {} if given is ABSENT else given
    if not isinstance(given, dict):
        unreadable, given = unreadable or "its InputParameters are no mapping", {}
    found = {key: value for key, value in given.items() if value is not ABSENT}
    if owner == "AWS" and not identifier:
        raise BadInput(f"{sheet.at('Resources', logical)}: rule {logical} has no SourceIdentifier")
    for each in (name, identifier):
        if len(each) > MAX_NAME or not each.isprintable():
            raise BadInput(f"{sheet.at('Resources', logical)}: not the name of a rule: {each[:100]!r}")
    return PackRule(name, owner, identifier, found, unreadable)


def _loaded(value: Any) -> Any:
    """Return the parameters of a rule, which may be JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise _Unreadable("its InputParameters are no JSON") from error


class _Template:
    """Parameters with their defaults, conditions, and the functions of CloudFormation that packs use."""

    def __init__(self, sheet: Sheet, parameters: Mapping[str, Any], conditions: Mapping[str, Any]) -> None:
        self._sheet, self._parameters, self._conditions = sheet, parameters, conditions
        self._asked: list[str] = []

    def read(self, value: Any) -> Any:
        """Return `value` with its functions carried out; raise `_Unreadable` for what only AWS knows."""
        if isinstance(value, list):
            return [found for found in (self.read(each) for each in value) if found is not ABSENT]
        if not isinstance(value, dict):
            return value if value is None or isinstance(value, bool | int | str) else str(value)
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        return {key: self.read(each) for key, each in value.items()}

    def _call(self, name: str, argument: Any) -> Any:
        if name == "Ref" and isinstance(argument, str):
            return self._parameter(argument)
        parts = argument if isinstance(argument, list) else [argument]
        if name == "Fn::If" and len(parts) == 3:
            return self.read(parts[1] if self.holds(parts[0]) else parts[2])
        if name == "Fn::Join" and len(parts) == 2 and isinstance(parts[1], list):
            return str(parts[0]).join(str(self.read(each)) for each in parts[1])
        if name == "Fn::Sub" and isinstance(argument, str):
            return _SUBSTITUTE.sub(lambda found: str(self._parameter(found[1])), argument)
        raise _Unreadable(f"it uses {name}, which only AWS can carry out")

    def _parameter(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return ABSENT
        spec = self._parameters.get(name)
        if not isinstance(spec, dict):
            raise _Unreadable(f"it refers to {name}, which only AWS knows")
        if "Default" not in spec:
            raise _Unreadable(f"the parameter {name} of the pack has no value")
        return self.read(spec["Default"])

    def holds(self, condition: Any) -> bool:
        """Return whether a condition, or the one of a name, holds."""
        if isinstance(condition, str):
            if condition not in self._conditions:
                raise _Unreadable(f"there is no condition {condition}")
            if condition in self._asked:
                raise _Unreadable(f"the condition {condition} rests on itself")
            self._asked.append(condition)
            try:
                return self.holds(self._conditions[condition])
            finally:
                self._asked.pop()
        if isinstance(condition, dict) and len(condition) == 1:
            ((name, argument),) = condition.items()
            parts = argument if isinstance(argument, list) else [argument]
            if name == "Condition":
                return self.holds(argument)
            if name == "Fn::Equals" and len(parts) == 2:
                return str(self.read(parts[0])) == str(self.read(parts[1]))
            if name == "Fn::Not" and len(parts) == 1:
                return not self.holds(parts[0])
            if name in {"Fn::And", "Fn::Or"}:
                return (all if name == "Fn::And" else any)([self.holds(each) for each in parts])
        raise _Unreadable("a condition that cannot be read")


AnyRule = Rule | EstateRule


def choose(pack: Pack, managed: Mapping[str, AnyRule]) -> tuple[tuple[AnyRule, ...], tuple[Unsupported, ...]]:
    """Return the rules of `pack` that have an equivalent among `managed`, with its parameters, and all the others.

    Where a pack has one rule twice with different parameters, the second is called ``IDENTIFIER:NAME``.
    """
    rules: dict[str, AnyRule] = {}
    unsupported: list[Unsupported] = []
    for each in pack.rules:
        why = _why_not(each, managed)
        if not why:
            rule = managed[each.identifier]
            try:
                parameters = give_parameters(rule.id, rule.parameters, each.parameters)
            except BadInput as error:
                why = error.message
            else:
                rule = replace(rule, source=pack.name, parameters=parameters)
                held = rules.get(rule.id)
                if held is not None and held.parameters != rule.parameters:
                    rule = replace(rule, id=f"{rule.id}:{each.name}")
                rules[rule.id] = rule
                continue
        unsupported.append(Unsupported(each.identifier or each.name, each.name, why, pack.name))
    return tuple(rules.values()), tuple(unsupported)


def _why_not(rule: PackRule, managed: Mapping[str, AnyRule]) -> str:
    if rule.owner != "AWS":
        return _OWNERS.get(rule.owner, f"owned by {rule.owner}, which is not known here")
    if rule.unreadable:
        return rule.unreadable
    return "" if rule.identifier in managed else "no equivalent here"
