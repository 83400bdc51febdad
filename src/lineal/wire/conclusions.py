"""The documents of `--json` about rules: what they concluded, what could not be asked, which there are."""

from typing import TYPE_CHECKING, Any

from lineal.core.conclusion import STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineal.app.check_rules import Checked
    from lineal.app.rule_sets import RuleSet
    from lineal.change.pack import AnyRule
    from lineal.core.conclusion import Conclusion


def describe_conclusion(found: "Conclusion") -> dict[str, Any]:
    """Return a conclusion: ``rule resource type account region state severity explanation remedy evidence inputs``."""
    return {
        "rule": found.rule,
        "resource": found.resource,
        "type": found.type,
        "account": found.account,
        "region": found.region,
        "state": found.state,
        "severity": found.severity,
        "explanation": found.explanation,
        "remedy": found.remedy or None,
        "evidence": list(found.evidence),
        "inputs": found.inputs,
    }


def describe_checked(found: "Checked", warnings: "Sequence[str]" = ()) -> dict[str, Any]:
    """Return what rules said: ``compliant states conclusions changed unsupported milder …``."""
    counts = dict.fromkeys(STATES, 0)
    for each in found.conclusions:
        counts[each.state] += 1
    return {
        "compliant": found.compliant,
        "states": counts,
        "conclusions": [describe_conclusion(each) for each in found.conclusions],
        "changed": [
            {"rule": each.rule, "resource": each.resource, "state": each.state, "before": before}
            for each, before in found.changed
        ],
        "unsupported": describe_unsupported(found.rules),
        "milder": found.milder,
        "recorded": found.recorded,
        "warnings": list(warnings),
    }


def describe_unsupported(rules: "RuleSet") -> list[dict[str, Any]]:
    """Return the rules of packs that cannot be asked here: ``id name why source``."""
    return [{"id": each.id, "name": each.name, "why": each.why, "source": each.source} for each in rules.unsupported]


def describe_rule(rule: "AnyRule") -> dict[str, Any]:
    """Return a rule: ``id description severity resource_types parameters remedy tags source``."""
    return {
        "id": rule.id,
        "description": rule.description,
        "severity": rule.severity,
        "resource_types": list(rule.resource_types),
        "parameters": {name: each.value for name, each in sorted(rule.parameters.items())},
        "remedy": rule.remedy or None,
        "tags": list(rule.tags),
        "source": rule.source,
    }


def describe_rules(rules: "RuleSet") -> dict[str, Any]:
    """Return the rules there are: ``rules unsupported``."""
    return {"rules": [describe_rule(each) for each in rules.rules], "unsupported": describe_unsupported(rules)}
