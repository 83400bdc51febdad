"""600 resources of an account collected: Lineal beside Cloud Custodian, on one server of moto on loopback.

100 each of six types that both know. Custodian writes one JSON file for each type; Lineal records each configuration in
a ledger, signed, with what it points to; then it looks again, and finds nothing new. Both are new processes, with
start-up. The least that such a listing takes, by boto3 alone, is measured beside them. What each found is compared by
name, and the server counts the calls. Custodian asks less of a repository than Lineal does; in a row of its own it is
made to ask the same. Then once more all of it, with every answer as late as answers across a network are.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT, RefusedEnvironmentError, clean_environment, prepare
from benchmarks.measure import load, machine, run_process
from benchmarks.results import merge
from benchmarks.table import render

FULL: Final = "c7n, asked for as much"
ROWS: Final = ("boto3, 8 threads", "c7n", FULL, "lineal", "lineal again")
LATE: Final = (0.0, 0.03)
"""By how many seconds the answers of the server are late."""
TYPES: Final = {
    "aws.sagemaker-model": "AWS::SageMaker::Model",
    "aws.sagemaker-endpoint-config": "AWS::SageMaker::EndpointConfig",
    "aws.sagemaker-endpoint": "AWS::SageMaker::Endpoint",
    "aws.codebuild": "AWS::CodeBuild::Project",
    "aws.codepipeline": "AWS::CodePipeline::Pipeline",
    "aws.ecr": "AWS::ECR::Repository",
}
# What Lineal asks beyond that: the images of repositories, and their policies (the filter lets all of them pass).
_MORE: Final = (
    {
        "name": "aws-ecr",
        "resource": "aws.ecr",
        "filters": [{"or": [{"type": "lifecycle-rule", "state": False}, {"type": "cross-account"}]}],
    },
    {"name": "aws-ecr-image", "resource": "aws.ecr-image"},
)
_NAMES: Final = ("ModelName", "EndpointName", "EndpointConfigName", "repositoryName", "name")


class Account:
    """An account that a server plays in a process of its own."""

    def __init__(self, count: int) -> None:
        places = [str(ROOT.parent / "tests"), str(ROOT.parent / "tests" / "e2e")]
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "programs" / "aws_account.py"), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**clean_environment(), "PYTHONPATH": os.pathsep.join(places)},
        )
        told = self._read()
        if not told:
            self.close()
            raise RefusedEnvironmentError("the server did not start; it needs the test dependencies (make setup)")
        self.variables: dict[str, str] = json.loads(told)

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def calls(self, late: float | None = None) -> int:
        """How many calls came since this was asked last; if `late` is given, answers are so many seconds late now."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n" if late is None else f"{late}\n")
        self._process.stdin.flush()
        return int(self._read())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def measure(count: int, repeats: int) -> dict[str, Any]:
    """Each way `repeats` times, interleaved, every sample of Lineal in a ledger of its own."""
    rows: list[dict[str, Any]] = [{"name": name, "late": late, "samples": []} for late in LATE for name in ROWS]
    pythons: dict[str, Path] = {}
    for peer, names in (("c7n", ROWS[:3]), ("bucket", ROWS[3:])):
        try:
            pythons |= dict.fromkeys(names, prepare(peer))
        except RefusedEnvironmentError as error:
            for row in (each for each in rows if each["name"] in names):
                row["refused"] = str(error)
    settings = {"resources": len(TYPES) * count, "repeats": repeats}
    try:
        account = Account(count)
    except RefusedEnvironmentError as error:
        return {"settings": settings, "rows": [{**row, "refused": str(error)} for row in rows]}
    try:
        with tempfile.TemporaryDirectory() as held:
            folder = Path(held)
            environment = {**clean_environment(), **account.variables, "HOME": held, "LINEAL_ACTOR": "benchmark"}
            for _ in range(repeats):
                for row in rows:
                    if row["name"] == "lineal" and "refused" not in row:
                        _new_ledger(pythons["lineal"], folder, environment)
                    if "refused" not in row:
                        account.calls(row["late"])
                        _sample(row, pythons[row["name"]], account, folder, environment)
            _compare(rows, len(TYPES) * count)
    finally:
        account.close()
    return {"settings": settings, "rows": rows}


def _new_ledger(python: Path, folder: Path, environment: dict[str, str]) -> None:
    made = folder / "ledger"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    program = python.parent / "lineal"
    subprocess.run([program, "init", "-q"], cwd=made, env=environment, check=True, capture_output=True)


def _sample(row: dict[str, Any], python: Path, account: Account, folder: Path, environment: dict[str, str]) -> None:
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    where = folder / "ledger" if row["name"].startswith("lineal") else out
    cost = run_process(_command(row["name"], python, out), where, environment)
    if cost.status:
        row["refused"] = f"ended with {cost.status}"
        return
    row["calls"] = account.calls()
    row["samples"].append({"wall": cost.wall, "cpu": cost.cpu, "load": load()})
    row["names"] = _found(row["name"], python, folder, environment)


def _command(name: str, python: Path, out: Path) -> list[str]:
    if name.startswith("c7n"):
        policies: list[dict[str, Any]] = [{"name": each.replace(".", "-"), "resource": each} for each in TYPES]
        if name == FULL:
            policies = [each for each in policies if each["resource"] != "aws.ecr"] + list(_MORE)
        (out / "policies.json").write_text(json.dumps({"policies": policies}))
        options = ["-s", "found", "--cache-period", "0", "--region", os.environ.get("AWS_REGION", "eu-west-1")]
        return [str(python.parent / "custodian"), "run", *options, "policies.json"]
    if name == "boto3, 8 threads":
        return [str(python), str(ROOT / "programs" / "collect_bare.py"), "names.json"]
    only = [word for each in TYPES.values() for word in ("--only", each)]
    return [str(python.parent / "lineal"), "collect", "aws", "--quiet", *only]


def _found(name: str, python: Path, folder: Path, environment: dict[str, str]) -> list[str]:
    """The names of what was found, in order."""
    if name.startswith("c7n"):
        files = sorted((folder / "out" / "found").glob("*/resources.json"))
        found = [each for file in files for each in json.loads(file.read_text())]
        return sorted(next(str(each[word]) for word in _NAMES if word in each) for each in found)
    if name == "boto3, 8 threads":
        return list(json.loads((folder / "out" / "names.json").read_text()))
    program = (
        "import json, lineal\n"
        "with lineal.open('.lineal') as opened:\n"
        "    estate = opened.session.configuration.estate().values()\n"
        "    print(json.dumps(sorted(each.resource.name for each in estate)))\n"
    )
    done = subprocess.run(
        [python, "-c", program], cwd=folder / "ledger", env=environment, check=True, capture_output=True, text=True
    )
    return list(json.loads(done.stdout))


def _compare(rows: list[dict[str, Any]], expected: int) -> None:
    """Refuse a row that did not find every resource; the names themselves are not kept."""
    for row in rows:
        names = row.pop("names", None)
        if names is not None and len(set(names)) != expected:
            row["refused"] = f"found {len(set(names))} of {expected}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collect_aws", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="resources of each of the six types")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="merge the result into this file")
    given = parser.parse_args()
    result = measure(given.count, given.repeats) | {"machine": machine(ROOT)}
    print(render("collect_aws", result))
    if given.json:
        merge(given.json, "collect_aws", result)
    return int(any("refused" in row for row in result["rows"]))


if __name__ == "__main__":
    sys.exit(main())
