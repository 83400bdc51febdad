"""Two configurations of a pipeline, some 10 KB each, compared by Lineal, deepdiff and jsonpatch in one process.

Both are read from JSON anew, so that they share nothing. The ways take turns, sample by sample; what each of them says
is counted before any of it is timed.

A history of items is compared in two steps: each is stripped of what does not count and frozen, once, and then any two
are compared. Each step has rows of its own, and so has the whole: of one item more in a history, both steps, on a
document that was read for that sample alone, since an item is frozen once. Reading it is not timed, for none of the
ways. What two frozen items have in common is one object: that it is the same was found out when the second was frozen,
and is paid there. The row "lineal" alone is given what the other programs are given, and nothing is prepared for it.
"""

import argparse
import copy
import gc
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonpatch  # type: ignore[import-untyped]
from deepdiff import DeepDiff  # type: ignore[import-not-found]

from lineal.change.difference import diff, diff_frozen
from lineal.change.exact import Frozen
from lineal.change.kinds import kind_of
from lineal.change.semantic import digest_of, freeze
from lineal.core.config_item import ConfigItem
from lineal.core.resource import make_resource

KIND = "AWS::CodePipeline::Pipeline"
MOST = 200  # documents that one sample may be given


def build() -> dict[str, Any]:
    """Return a pipeline of eight stages with sixteen actions, as GetPipeline says it."""
    return {
        "pipeline": {
            "name": "risk-model-release",
            "roleArn": "arn:aws:iam::123456789012:role/service-role/codepipeline-risk-model-release",
            "artifactStore": {
                "type": "S3",
                "location": "codepipeline-eu-west-1-artifacts",
                "encryptionKey": {"id": "arn:aws:kms:eu-west-1:123456789012:key/4f1b", "type": "KMS"},
            },
            "stages": [_stage(number) for number in range(8)],
            "version": 41,
            "executionMode": "QUEUED",
            "pipelineType": "V2",
            "variables": [{"name": f"VARIABLE_{n}", "defaultValue": f"value-{n}"} for n in range(6)],
        },
        "metadata": {"pipelineArn": "arn:aws:codepipeline:eu-west-1:123456789012:risk-model-release"},
    }


def _stage(number: int) -> dict[str, Any]:
    return {"name": f"Stage-{number}", "actions": [_action(number, n) for n in range(2)]}


def _action(stage: int, number: int) -> dict[str, Any]:
    given = {"STEP": f"{stage}.{number}", "IMAGE": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/risk/train:1.4.2"}
    variables = [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in given.items()]
    return {
        "name": f"Action-{stage}-{number}",
        "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
        "runOrder": number + 1,
        "configuration": {
            "ProjectName": f"risk-model-step-{stage}-{number}",
            "EnvironmentVariables": json.dumps(variables),
            "BatchEnabled": "false",
        },
        "outputArtifacts": [{"name": f"Built{stage}{number}"}],
        "inputArtifacts": [{"name": "Source"}],
        "region": "eu-west-1",
        "namespace": f"Variables{stage}{number}",
    }


def edited(before: dict[str, Any]) -> dict[str, Any]:
    """Return it with three fields changed."""
    after = copy.deepcopy(before)
    after["pipeline"]["stages"][2]["actions"][0]["configuration"]["ProjectName"] = "risk-model-hotfix"
    after["pipeline"]["stages"][6]["actions"][1]["region"] = "us-east-1"
    after["pipeline"]["roleArn"] = "arn:aws:iam::123456789012:role/administrator"
    return after


def inserted(before: dict[str, Any]) -> dict[str, Any]:
    """Return it with three fields changed and an action put before the others of its stage."""
    after = edited(before)
    after["pipeline"]["stages"][3]["actions"].insert(0, _action(90, 1))
    return after


def as_item(document: dict[str, Any]) -> ConfigItem:
    """Return the item that a configuration is in."""
    resource = make_resource(KIND, "123456789012", "eu-west-1", "risk-model-release")
    moment = "2026-01-01T00:00:00.000000Z"
    return ConfigItem(resource=resource, time=moment, source="aws", shape="api", configuration=document)


def count_deepdiff(found: Any) -> int:
    return sum(map(len, found.values()))


def count_digests(found: tuple[str, str]) -> int:
    return int(found[0] != found[1])


Prepare = Callable[[str, str], tuple[Any, ...]]
"""Makes what a way is given of the texts of a pair."""


def read(old: str, new: str) -> tuple[Any, ...]:
    return json.loads(old), json.loads(new)


def read_items(old: str, new: str) -> tuple[Any, ...]:
    return as_item(json.loads(old)), as_item(json.loads(new))


def freeze_none(old: str, new: str) -> tuple[Any, ...]:
    """Return what a history begins with, and its first item."""
    return Frozen(kind_of(KIND)), as_item(json.loads(old))


def freeze_old(old: str, new: str) -> tuple[Any, ...]:
    """Return a history with one item in it, that item frozen, and the next."""
    frozen = Frozen(kind_of(KIND))
    return frozen, freeze(as_item(json.loads(old)), frozen), as_item(json.loads(new))


def freeze_both(old: str, new: str) -> tuple[Any, ...]:
    frozen, one, item = freeze_old(old, new)
    return one, freeze(item, frozen), frozen


@dataclass(frozen=True)
class Way:
    """A way to compare: `make` is what it does with what `prepare` returns; `once` says that it does that only once."""

    make: Callable[..., Any]
    count: Callable[[Any], int] = len
    prepare: Prepare = read
    once: bool = False


WAYS: dict[str, Way] = {
    "==, which says no more than yes or no": Way(lambda old, new: old != new, int),
    "lineal, two items once they are frozen": Way(diff_frozen, prepare=freeze_both),
    "lineal, to strip and freeze the first": Way(
        lambda frozen, item: freeze(item, frozen), lambda _: 0, freeze_none, once=True
    ),
    "lineal, to strip and freeze the next": Way(
        lambda frozen, old, item: freeze(item, frozen), lambda _: 0, freeze_old, once=True
    ),
    "lineal, the next item of a history, all in all": Way(
        lambda frozen, old, item: diff_frozen(old, freeze(item, frozen), frozen), prepare=freeze_old, once=True
    ),
    "lineal": Way(lambda old, new: diff(old, new, KIND)),
    "lineal, two semantic digests": Way(
        lambda old, new: (digest_of(old), digest_of(new)), count_digests, prepare=read_items
    ),
    "jsonpatch": Way(lambda old, new: jsonpatch.make_patch(old, new).patch),
    "deepdiff": Way(lambda old, new: DeepDiff(old, new), count_deepdiff),
    "deepdiff, ignore_order": Way(lambda old, new: DeepDiff(old, new, ignore_order=True), count_deepdiff),
}
CASES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "identical": copy.deepcopy,
    "3 edits": edited,
    "3 edits, 1 inserted": inserted,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--repeats", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=0.05, help="how long each sample takes")
    given = parser.parse_args()
    before = build()
    size = len(json.dumps(before, separators=(",", ":")))
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for case, make in CASES.items():
        old, new = json.dumps(before), json.dumps(make(before))
        counts: dict[str, int] = {}
        for name, way in WAYS.items():
            said = way.count(way.make(*way.prepare(old, new)))
            given_to = way.prepare(old, new)
            taken = time.perf_counter()
            way.make(*given_to)
            taken = time.perf_counter() - taken
            counts[name] = min(MOST if way.once else 10**9, max(1, int(given.seconds / max(taken, 1e-6))))
            rows[name, case] = {"name": name, "case": case, "said": said, "samples": []}
        for _ in range(given.repeats):
            for name, way in WAYS.items():
                rows[name, case]["samples"].append(sample(way, old, new, counts[name]))
    given.out.write_text(json.dumps({"bytes": size, "rows": list(rows.values())}))


def sample(way: Way, old: str, new: str, count: int) -> dict[str, float]:
    """Return what one of `count` comparisons takes."""
    given = [way.prepare(old, new) for _ in range(count)] if way.once else [way.prepare(old, new)] * count
    gc.collect()
    gc.freeze()  # neither what one way leaves behind nor what another is given shall burden this one
    start, used = time.perf_counter(), time.process_time()
    for each in given:
        way.make(*each)
    used = (time.process_time() - used) / count * 1e6
    wall = (time.perf_counter() - start) / count * 1e6
    gc.unfreeze()
    return {"cpu_us": used, "wall_us": wall}


if __name__ == "__main__":
    main()
