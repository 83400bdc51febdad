"""600 resources of an account collected: Lineal beside Cloud Custodian, on one server of moto on loopback.

100 each of six types that both know. Custodian writes one JSON file for each type; Lineal records each configuration in
a ledger, signed, with what it points to; then it looks again, and finds nothing new. Both are new processes, with
start-up. The least that such a listing takes, by boto3 alone, is measured beside them. What each found is compared by
name, and the server counts the calls.
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

ROWS: Final = ("boto3, 8 threads", "c7n", "lineal", "lineal again")
TYPES: Final = {
    "aws.sagemaker-model": "AWS::SageMaker::Model",
    "aws.sagemaker-endpoint-config": "AWS::SageMaker::EndpointConfig",
    "aws.sagemaker-endpoint": "AWS::SageMaker::Endpoint",
    "aws.codebuild": "AWS::CodeBuild::Project",
    "aws.codepipeline": "AWS::CodePipeline::Pipeline",
    "aws.ecr": "AWS::ECR::Repository",
}
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
        self.variables: dict[str, str] = json.loads(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def calls(self) -> int:
        """How many calls came since this was asked last."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._read())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def measure(count: int, repeats: int) -> dict[str, Any]:
    """Each way `repeats` times, interleaved, every sample of Lineal in a ledger of its own."""
    rows: dict[str, dict[str, Any]] = {name: {"name": name, "samples": []} for name in ROWS}
    pythons: dict[str, Path] = {}
    for peer, names in (("c7n", ROWS[:2]), ("bucket", ROWS[2:])):
        try:
            pythons |= dict.fromkeys(names, prepare(peer))
        except RefusedEnvironmentError as error:
            for name in names:
                rows[name]["refused"] = str(error)
    account = Account(count)
    try:
        with tempfile.TemporaryDirectory() as held:
            folder = Path(held)
            environment = {**clean_environment(), **account.variables, "HOME": held, "LINEAL_ACTOR": "benchmark"}
            for _ in range(repeats):
                if "lineal" in pythons:
                    _new_ledger(pythons["lineal"], folder, environment)
                for name in (each for each in ROWS if each in pythons and "refused" not in rows[each]):
                    _sample(rows[name], pythons[name], account, folder, environment)
            _compare(rows, len(TYPES) * count)
    finally:
        account.close()
    settings = {"resources": len(TYPES) * count, "repeats": repeats, "load": load()}
    return {"settings": settings, "rows": list(rows.values())}


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
    account.calls()
    cost = run_process(_command(row["name"], python, out), where, environment)
    if cost.status:
        row["refused"] = f"ended with {cost.status}"
        return
    row["calls"] = account.calls()
    row["samples"].append({"wall": cost.wall, "cpu": cost.cpu})
    row["names"] = _found(row["name"], python, folder, environment)


def _command(name: str, python: Path, out: Path) -> list[str]:
    if name == "c7n":
        policies = [{"name": each.replace(".", "-"), "resource": each} for each in TYPES]
        (out / "policies.json").write_text(json.dumps({"policies": policies}))
        options = ["-s", "found", "--cache-period", "0", "--region", os.environ.get("AWS_REGION", "eu-west-1")]
        return [str(python.parent / "custodian"), "run", *options, "policies.json"]
    if name == "boto3, 8 threads":
        return [str(python), str(ROOT / "programs" / "collect_bare.py"), "names.json"]
    only = [word for each in TYPES.values() for word in ("--only", each)]
    return [str(python.parent / "lineal"), "collect", "aws", "--quiet", *only]


def _found(name: str, python: Path, folder: Path, environment: dict[str, str]) -> list[str]:
    """The names of what was found, in order."""
    if name == "c7n":
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


def _compare(rows: dict[str, dict[str, Any]], expected: int) -> None:
    """Refuse a row that did not find every resource; the names themselves are not kept."""
    for row in rows.values():
        names = row.pop("names", None)
        if names is not None and len(set(names)) != expected:
            row["refused"] = f"found {len(set(names))} of {expected}"


def show(result: dict[str, Any]) -> str:
    """The result as a table for a terminal."""
    lines = [f"{'':18}{'wall s':>22}{'CPU s':>22}{'calls':>8}"]
    for row in result["rows"]:
        if "refused" in row or not row["samples"]:
            lines.append(f"{row['name']:18}{row.get('refused', 'not run'):>22}")
            continue
        wall, cpu = (_spread([each[name] for each in row["samples"]]) for name in ("wall", "cpu"))
        lines.append(f"{row['name']:18}{wall:>22}{cpu:>22}{row['calls']:>8}")
    return "\n".join([*lines, json.dumps(result["settings"]), json.dumps(result["machine"])])


def _spread(values: list[float]) -> str:
    held = sorted(values)
    return f"{held[len(held) // 2]:.2f} ({held[0]:.2f}-{held[-1]:.2f})"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.collect_aws", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="resources of each of the six types")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="merge the result into this file")
    given = parser.parse_args()
    result = measure(given.count, given.repeats) | {"machine": machine(ROOT)}
    print(show(result))
    if given.json:
        merge(given.json, "collect_aws", result)
    return int(any("refused" in row for row in result["rows"]))


if __name__ == "__main__":
    sys.exit(main())
