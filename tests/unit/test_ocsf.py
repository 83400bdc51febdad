"""OCSF: held against the framework's own definition of a compliance finding; the same bytes each time."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lineal.app.rule_sets import load_rules
from lineal.core.conclusion import (
    COMPLIANT,
    INSUFFICIENT,
    NON_COMPLIANT,
    NOT_APPLICABLE,
    SEVERITIES,
    STATES,
    Conclusion,
)
from lineal.evidence.ocsf import VERSION, describe_ocsf

TOLD = json.loads(
    (Path(__file__).parents[1] / f"vectors/data/ocsf/compliance_finding-{VERSION}.json").read_text("utf-8")
)
RULES = load_rules().rules
TIME = "2026-03-01T12:00:00.000000Z"
BASE = Conclusion(
    rule="ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED",
    resource="arn:aws:ecr:eu-west-1:111122223333:repository/scorer",
    type="AWS::ECR::Repository",
    state=NON_COMPLIANT,
    severity="high",
    explanation="tags can be moved",
    account="111122223333",
    region="eu-west-1",
    evidence=("sha256:" + "a" * 64,),
    inputs="sha256:" + "b" * 64,
    more={"name": "scorer"},
)
_SCALARS: dict[str, type | tuple[type, ...]] = {
    "integer_t": int, "long_t": int, "timestamp_t": int, "boolean_t": bool, "float_t": (int, float)
}  # fmt: skip


def complaints(value: dict[str, Any], attributes: dict[str, Any], place: str, required: set[str]) -> list[str]:
    """Return how a document differs from what the framework says of an object."""
    found = [f"{place}.{name} is missing" for name in required if name not in value]
    for name, each in value.items():
        told = attributes.get(name)
        if told is None:
            found.append(f"{place}.{name} is not known")
            continue
        for one in each if told.get("array") else [each]:
            found += _of_type(one, told, f"{place}.{name}")
        if bool(told.get("array")) is not isinstance(each, list):
            found.append(f"{place}.{name} is a list, or should be one")
    return found


def _of_type(value: Any, told: dict[str, Any], place: str) -> list[str]:
    kind = told["type"]
    if kind in TOLD["objects"] and kind != "object":
        inner = TOLD["objects"][kind]
        required = {name for name, each in inner["attributes"].items() if each["requirement"] == "required"}
        found = complaints(value, inner["attributes"], place, required)
        if inner["at_least_one"] and not set(inner["at_least_one"]) & set(value):
            found.append(f"{place} has none of {inner['at_least_one']}")
        return found
    if kind == "object":
        return [] if isinstance(value, dict) else [f"{place} is no object"]
    wanted = _SCALARS.get(kind, str)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        return [f"{place} is no {kind}"]
    if "enum" in told and told["enum"] != [0] and value not in told["enum"]:
        return [f"{place} is {value}, which is not known"]
    return []


def check(finding: dict[str, Any]) -> list[str]:
    attributes = TOLD["class"]
    required = {name for name, each in attributes.items() if each["requirement"] == "required"}
    if "cloud" not in finding["metadata"]["profiles"]:
        required -= {"cloud"}
    return complaints(finding, attributes, "finding", required)


def some() -> list[Conclusion]:
    found = [replace(BASE, state=state, resource=f"r{n}", more={}) for n, state in enumerate(STATES)]
    found += [replace(BASE, severity=severity, resource=f"s-{severity}") for severity in SEVERITIES]
    found.append(
        replace(BASE, rule="SOMETHING_OF_A_PACK", resource="*", state=INSUFFICIENT, type="*", account="", region="")
    )
    return [*found, replace(BASE, type="Kubernetes::apps/Deployment", account="cluster", region="default")]


@pytest.mark.parametrize("conclusion", some(), ids=lambda each: f"{each.state}-{each.resource}")
def test_it_is_what_the_framework_says(conclusion: Conclusion) -> None:
    (finding,) = describe_ocsf([conclusion], RULES, TIME, "1")
    assert check(finding) == []


def test_the_definition_would_notice() -> None:
    (finding,) = describe_ocsf([BASE], RULES, TIME, "1")
    broken = {**finding, "severity_id": 9, "odd": 1, "time": TIME}
    del broken["compliance"]
    assert len(check(broken)) == 4


def test_it_says_what_was_concluded() -> None:
    (finding,) = describe_ocsf([BASE], RULES, TIME, "1.2.3")
    assert (finding["class_uid"], finding["category_uid"], finding["type_uid"]) == (2003, 2, 200301)
    assert (finding["severity_id"], finding["time"], finding["metadata"]["version"]) == (4, 1772366400000, "1.5.0")
    assert finding["compliance"] == {
        "control": BASE.rule, "standards": ["Lineal"], "requirements": [BASE.rule], "status_id": 3, "status": "Fail",
        "status_code": NON_COMPLIANT,
    }  # fmt: skip
    assert finding["resources"] == [{"uid": BASE.resource, "type": BASE.type, "name": "scorer", "region": "eu-west-1"}]
    assert finding["cloud"]["account"]["uid"] == BASE.account
    assert finding["remediation"]["desc"]
    assert finding["metadata"]["product"]["version"] == "1.2.3"


def test_states_become_statuses() -> None:
    found = describe_ocsf([replace(BASE, state=state, resource=state) for state in STATES], RULES, TIME, "1")
    statuses = {each["resources"][0]["uid"]: each["compliance"]["status_id"] for each in found}
    assert statuses == {COMPLIANT: 1, NON_COMPLIANT: 3, NOT_APPLICABLE: 99, INSUFFICIENT: 2}


def test_the_bytes_are_the_same_in_whatever_order_it_is_told() -> None:
    first = json.dumps(describe_ocsf(some(), RULES, TIME, "1"))
    assert json.dumps(describe_ocsf(some()[::-1], RULES[::-1], TIME, "1")) == first
    assert len({each["finding_info"]["uid"] for each in json.loads(first)}) == len(some())
