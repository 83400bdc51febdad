"""The rule asked of all items in this process: by a function, by Lineal, or by filters of Cloud Custodian.

What each says is held against the function before anything is timed.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rules_items import build, complies

RULE = """\
rules:
  - id: SERVING_BASELINE
    description: Endpoints are encrypted, their data is captured, and no variant stands on one instance.
    resource_types: ["AWS::SageMaker::EndpointConfig"]
    message: the baseline of serving does not hold
    assert:
      - {path: configuration.KmsKeyId, op: not_empty, default: ""}
      - {path: configuration.DataCaptureConfig.EnableCapture, op: eq, value: true, default: false}
      - {each: configuration.ProductionVariants, path: InitialInstanceCount, op: ge, value: 2, default: 0}
"""
FILTERS = (
    {"type": "value", "key": "KmsKeyId", "value": "present"},
    {"type": "value", "key": "DataCaptureConfig.EnableCapture", "value": True},
    {"type": "value", "key": "min(ProductionVariants[].InitialInstanceCount)", "op": "ge", "value": 2},
)


def by_function(found: list[dict[str, Any]]) -> Callable[[], int]:
    """Return what counts those that comply, by the function."""
    return lambda: sum(map(complies, found))


def by_verdict(found: list[dict[str, Any]]) -> Callable[[], int]:
    """Return what counts those that comply, by the verdicts of a rule of Lineal."""
    from lineal.change.rule_evaluation import decide, describe_for_rules
    from lineal.change.rule_file import read_rules

    (rule,) = read_rules(RULE, "rules.yaml")
    items = _items(found)
    return lambda: sum(decide(rule, describe_for_rules(item, {})) == "COMPLIANT" for item in items)


def by_conclusion(found: list[dict[str, Any]]) -> Callable[[], int]:
    """Return what counts those that comply, by conclusions as they go on record: explained, with digests."""
    from lineal.change.rule_evaluation import Estate, evaluate_rules
    from lineal.change.rule_file import read_rules

    rules = read_rules(RULE, "rules.yaml")
    estate = Estate({item.resource.key: item for item in _items(found)}, [])
    return lambda: sum(each.state == "COMPLIANT" for each in evaluate_rules(rules, estate))


def _items(found: list[dict[str, Any]]) -> list[Any]:
    from lineal.core.config_item import ConfigItem
    from lineal.core.resource import make_resource

    kind = "AWS::SageMaker::EndpointConfig"
    return [
        ConfigItem(
            resource=make_resource(kind, "111122223333", "eu-west-1", each["EndpointConfigName"]),
            time="2026-03-01T12:00:00.000000Z",
            source="aws",
            shape="api",
            configuration=each,
        )
        for each in found
    ]


def by_filters(found: list[dict[str, Any]]) -> Callable[[], int]:
    """Return what counts those that comply, by three ValueFilters of Cloud Custodian."""
    from c7n.filters import ValueFilter

    filters = [ValueFilter(dict(each)) for each in FILTERS]
    for each in filters:
        each.annotate = False
    return lambda: sum(all(each.match(one) for each in filters) for one in found)


WAYS = {"function": by_function, "verdict": by_verdict, "conclusion": by_conclusion, "c7n": by_filters}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--repeats", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("ways", nargs="+", choices=WAYS)
    given = parser.parse_args()
    found = build(given.items)
    expected = sum(map(complies, found))
    ways = {name: WAYS[name](found) for name in given.ways}
    for name, ask in ways.items():
        if ask() != expected:
            raise SystemExit(f"{name} disagrees with the function")
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.repeats):
        for name, ask in ways.items():
            start = time.process_time()
            ask()
            samples[name].append(time.process_time() - start)
    size = sum(len(json.dumps(each)) for each in found) // len(found)
    given.out.write_text(json.dumps({"bytes": size, "complying": expected, "samples": samples}))


if __name__ == "__main__":
    main()
