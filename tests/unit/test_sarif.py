"""SARIF: valid by the schema of OASIS, the same bytes each time, a finding the same one while its reason changes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
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
from lineal.evidence.sarif import FINGERPRINT, describe_sarif

SCHEMA = json.loads((Path(__file__).parents[1] / "vectors/data/sarif/sarif-schema-2.1.0.json").read_text("utf-8"))
RULES = load_rules().rules
BASE = Conclusion(
    rule="ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED",
    resource="arn:aws:ecr:eu-west-1:111122223333:repository/scorer",
    type="AWS::ECR::Repository",
    state=NON_COMPLIANT,
    severity="high",
    explanation="tags can be moved",
    account="111122223333",
    region="eu-west-1",
    remedy="make them immutable",
    evidence=("sha256:" + "a" * 64,),
    inputs="sha256:" + "b" * 64,
    more={"name": "scorer"},
)


def some() -> list[Conclusion]:
    found = [replace(BASE, state=state, resource=f"r{n}", more={}) for n, state in enumerate(STATES)]
    found += [replace(BASE, severity=severity, resource=f"s-{severity}") for severity in SEVERITIES]
    return [*found, BASE, replace(BASE, rule="SOMETHING_OF_A_PACK", resource="*", state=INSUFFICIENT)]


def results(log: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (each["ruleId"], each["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]): each
        for each in log["runs"][0]["results"]
    }


@pytest.mark.parametrize("conclusions", [[], [BASE], some()], ids=["none", "one", "all"])
def test_it_is_valid(conclusions: list[Conclusion]) -> None:
    log = describe_sarif(conclusions, RULES, "1.2.3")
    jsonschema.Draft7Validator(SCHEMA).validate(log)
    assert len(log["runs"][0]["results"]) == len(conclusions)


def test_the_schema_would_notice() -> None:
    log = describe_sarif([BASE], RULES, "1.2.3")
    log["runs"][0]["results"][0]["level"] = "high"
    assert not jsonschema.Draft7Validator(SCHEMA).is_valid(log)


def test_states_and_severities_become_kinds_and_levels() -> None:
    found = results(describe_sarif(some(), RULES, "1"))
    rule = BASE.rule
    kinds = {state: found[rule, f"r{n}"]["kind"] for n, state in enumerate(STATES)}
    assert kinds == {COMPLIANT: "pass", NON_COMPLIANT: "fail", NOT_APPLICABLE: "notApplicable", INSUFFICIENT: "open"}
    assert {each["level"] for each in found.values() if each["kind"] != "fail"} == {"none"}
    levels = [found[rule, f"s-{severity}"]["level"] for severity in SEVERITIES]
    assert levels == ["note", "note", "warning", "error", "error"]
    assert all(each["suppressions"] == [] for each in found.values())


def test_every_result_leads_to_its_rule_also_one_that_could_not_be_asked() -> None:
    log = describe_sarif(some(), RULES, "1")
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert [each["id"] for each in rules] == sorted(each["id"] for each in rules)
    for each in log["runs"][0]["results"]:
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"]
    assert all(each["help"]["text"] for each in rules)


def test_the_bytes_are_the_same_in_whatever_order_it_is_told() -> None:
    first = json.dumps(describe_sarif(some(), RULES, "1"))
    assert json.dumps(describe_sarif(some()[::-1], RULES[::-1], "1")) == first


def test_a_finding_stays_the_same_one_while_its_reason_changes() -> None:
    def mark(conclusion: Conclusion) -> str:
        return str(
            describe_sarif([conclusion], RULES, "1")["runs"][0]["results"][0]["partialFingerprints"][FINGERPRINT]
        )

    assert mark(replace(BASE, explanation="other", inputs="x", state=COMPLIANT)) == mark(BASE)
    assert len({mark(BASE), mark(replace(BASE, resource="other")), mark(replace(BASE, rule="OTHER"))}) == 3
