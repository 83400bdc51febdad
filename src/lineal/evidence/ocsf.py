"""Conclusions of rules as OCSF Compliance Findings (class 2003): what security lakes and SIEMs read."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT, NOT_APPLICABLE, Conclusion
from lineal.evidence.sarif import DescribedRule, fingerprint

VERSION: Final = "1.5.0"
"""The version of the Open Cybersecurity Schema Framework that the findings are written in."""
_CLASS: Final = 2003
_SEVERITIES: Final = {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
_STATES: Final = {
    COMPLIANT: (1, "Pass"),
    INSUFFICIENT: (2, "Warning"),
    NON_COMPLIANT: (3, "Fail"),
    NOT_APPLICABLE: (99, "Not Applicable"),
}


def describe_ocsf(
    conclusions: Iterable[Conclusion], rules: Iterable[DescribedRule], time: str, version: str
) -> list[dict[str, Any]]:
    """Return a finding for each of `conclusions`, made by this `version` at the moment `time`, by rule and resource.

    The same conclusions and moment give the same bytes. The identifier of a finding is of rule and resource alone.
    """
    described = {rule.id: rule for rule in rules}
    told = sorted(conclusions, key=lambda each: (each.rule, each.resource))
    milliseconds = int(datetime.fromisoformat(time).timestamp() * 1000)
    product = {"name": "Lineal", "vendor_name": "Lineal", "version": version}
    return [_describe(each, described.get(each.rule), milliseconds, product) for each in told]


def _describe(each: Conclusion, rule: DescribedRule | None, time: int, product: dict[str, str]) -> dict[str, Any]:
    uid = fingerprint(each.rule, each.resource)
    number, status = _STATES[each.state]
    aws = each.type.startswith("AWS::")
    found: dict[str, Any] = {
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Compliance Finding",
        "type_uid": _CLASS * 100 + 1,
        "type_name": "Compliance Finding: Create",
        "time": time,
        "severity_id": _SEVERITIES[each.severity],
        "severity": each.severity.capitalize(),
        "status_id": 1,
        "status": "New",
        "message": each.explanation or each.state,
        "metadata": {
            "version": VERSION,
            "product": product,
            "profiles": ["cloud"] if aws else [],
            "uid": uid,
        },
        "finding_info": {
            "uid": uid,
            "title": rule.description if rule is not None else each.rule,
            "desc": each.explanation or each.state,
            "created_time": time,
            "types": list(rule.tags) if rule is not None else [],
        },
        "compliance": {
            "control": each.rule,
            "standards": ["Lineal"],
            "requirements": [each.rule],
            "status_id": number,
            "status": status,
            "status_code": each.state,
        },
        "resources": [_describe_resource(each)],
        "unmapped": {"evidence": list(each.evidence), "inputs": each.inputs},
    }
    if aws:
        account = {"uid": each.account, "type_id": 10, "type": "AWS Account"}
        place = {"region": each.region} if each.region else {}
        found["cloud"] = {"provider": "AWS", **place, **({"account": account} if each.account else {})}
    remedy = each.remedy or (rule.remedy if rule is not None and each.state == NON_COMPLIANT else "")
    if remedy:
        found["remediation"] = {"desc": remedy}
    return found


def _describe_resource(each: Conclusion) -> dict[str, Any]:
    name = each.more.get("name")
    found: dict[str, Any] = {"uid": each.resource, "type": each.type}
    if isinstance(name, str) and name:
        found["name"] = name
    if each.region:
        found["region"] = each.region
    return found
