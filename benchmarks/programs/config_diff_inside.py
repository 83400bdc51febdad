"""Two configurations of a pipeline, some 10 KB each, compared by Lineal, deepdiff and jsonpatch in one process.

Both are read from JSON anew, so that they share nothing. The ways take turns, sample by sample; what each of them says
is counted before any of it is timed.
"""

import argparse
import copy
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonpatch  # type: ignore[import-untyped]
from deepdiff import DeepDiff  # type: ignore[import-not-found]

from lineal.change.difference import diff
from lineal.change.semantic import digest_of
from lineal.core.config_item import ConfigItem
from lineal.core.resource import make_resource

KIND = "AWS::CodePipeline::Pipeline"


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


WAYS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any], int]]] = {
    "==, which says no more than yes or no": (lambda old, new: old != new, int),
    "lineal": (lambda old, new: diff(old, new, KIND), len),
    "lineal, two semantic digests": (
        lambda old, new: digest_of(as_item(old)) != digest_of(as_item(new)),
        int,
    ),
    "jsonpatch": (lambda old, new: jsonpatch.make_patch(old, new).patch, len),
    "deepdiff": (lambda old, new: DeepDiff(old, new), count_deepdiff),
    "deepdiff, ignore_order": (lambda old, new: DeepDiff(old, new, ignore_order=True), count_deepdiff),
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
        pair = [json.loads(json.dumps(each)) for each in (before, make(before))]
        counts: dict[str, int] = {}
        for way, (function, count) in WAYS.items():
            taken = time.perf_counter()
            said = count(function(*pair))
            taken = time.perf_counter() - taken
            counts[way] = max(1, int(given.seconds / max(taken, 1e-6)))
            rows[way, case] = {"name": way, "case": case, "said": said, "samples": []}
        for _ in range(given.repeats):
            for way, (function, _count) in WAYS.items():
                gc.collect()  # what one way leaves behind shall not burden the next
                start, used = time.perf_counter(), time.process_time()
                for _ in range(counts[way]):
                    function(*pair)
                used = (time.process_time() - used) / counts[way] * 1e6
                wall = (time.perf_counter() - start) / counts[way] * 1e6
                rows[way, case]["samples"].append({"cpu_us": used, "wall_us": wall})
    given.out.write_text(json.dumps({"bytes": size, "rows": list(rows.values())}))


if __name__ == "__main__":
    main()
