"""Conclusions of rules as SARIF 2.1.0 (OASIS Standard, 27 March 2020): what code scanning and security tools read."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT, NOT_APPLICABLE, Conclusion

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT: Final = "linealRuleAndResource/v1"
# Section 3.27.9: what kind of result it is; only one that fails has a level (section 3.27.10).
_KINDS: Final = {COMPLIANT: "pass", NON_COMPLIANT: "fail", NOT_APPLICABLE: "notApplicable", INSUFFICIENT: "open"}
_LEVELS: Final = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "informational": "note"}


class DescribedRule(Protocol):
    """What is told of a rule beside its conclusions."""

    @property
    def id(self) -> str:
        """Its identifier."""
        ...

    @property
    def description(self) -> str:
        """What it asks, in a sentence."""
        ...

    @property
    def severity(self) -> str:
        """How bad it is if it does not hold."""
        ...

    @property
    def remedy(self) -> str:
        """What to do then."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """What it is about."""
        ...


def describe_sarif(conclusions: Iterable[Conclusion], rules: Iterable[DescribedRule], version: str) -> dict[str, Any]:
    """Return the log of one run of this `version`: `rules` sorted by identifier, `conclusions` by rule and resource.

    The same conclusions give the same bytes. A resource is a logical location (section 3.33); the partial fingerprint
    (section 3.27.18) is of rule and resource alone, so that a finding stays the same one while its reason changes.
    """
    told = sorted(conclusions, key=lambda each: (each.rule, each.resource))
    described = {rule.id: _describe_rule(rule) for rule in rules}
    for each in told:
        described.setdefault(each.rule, _describe_unknown(each))
    ids = sorted(described)
    driver = {"name": "Lineal", "version": version, "rules": [described[each] for each in ids]}
    places = {rule: number for number, rule in enumerate(ids)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": "lineal/check/"},
                "results": _describe_results(told, places),
            }
        ],
    }


def fingerprint(rule: str, resource: str) -> str:
    """Return what names the finding of a rule about a resource, whatever its state."""
    return hashlib.sha256(f"{rule}\0{resource}".encode()).hexdigest()


def _describe_rule(rule: DescribedRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.description},
        "fullDescription": {"text": rule.description},
        "help": {"text": rule.remedy or rule.description},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": list(rule.tags), "severity": rule.severity},
    }


def _describe_unknown(conclusion: Conclusion) -> dict[str, Any]:
    """Return the description of a rule that could not be asked."""
    text = f"{conclusion.rule}: not asked"
    return {
        "id": conclusion.rule,
        "shortDescription": {"text": text},
        "fullDescription": {"text": text},
        "help": {"text": conclusion.explanation},
        "defaultConfiguration": {"level": _LEVELS[conclusion.severity]},
        "properties": {"tags": [], "severity": conclusion.severity},
    }


def _describe_results(conclusions: Sequence[Conclusion], places: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "ruleId": each.rule,
            "ruleIndex": places[each.rule],
            "kind": _KINDS[each.state],
            "level": _LEVELS[each.severity] if each.state == NON_COMPLIANT else "none",
            "message": {"text": each.explanation or each.state},
            "locations": [{"logicalLocations": [_describe_place(each)]}],
            "partialFingerprints": {FINGERPRINT: fingerprint(each.rule, each.resource)},
            "suppressions": [],
            "properties": {
                "state": each.state,
                "severity": each.severity,
                "type": each.type,
                "account": each.account,
                "region": each.region,
                "evidence": list(each.evidence),
                "inputs": each.inputs,
            },
        }
        for each in conclusions
    ]


def _describe_place(conclusion: Conclusion) -> dict[str, Any]:
    name = conclusion.more.get("name")
    found = {"fullyQualifiedName": conclusion.resource, "kind": "resource"}
    return {"name": name, **found} if isinstance(name, str) and name else found
