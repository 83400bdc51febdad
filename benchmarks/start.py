"""Start-up of the command line: `--version` and `--help`, beside the peers' and a bare Python.

Lineal answers `--version` before it imports anything, which the peers do not; `--help` builds the whole command
line everywhere. `lineal log` of a new ledger opens it, checks its signature and its database, and lets the catalog
follow: what every command that uses a ledger starts with.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT, RefusedEnvironmentError, clean_environment, prepare
from benchmarks.measure import load, machine, run_process
from benchmarks.results import merge
from benchmarks.table import render

COMMANDS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("lineal", "python -c print", ("python", "-c", "print('1.0')")),
    ("lineal", "lineal --version", ("lineal", "--version")),
    ("dvc", "dvc --version", ("dvc", "--version")),
    ("mlflow", "mlflow --version", ("mlflow", "--version")),
    ("lineal", "lineal --help", ("lineal", "--help")),
    ("dvc", "dvc --help", ("dvc", "--help")),
    ("mlflow", "mlflow --help", ("mlflow", "--help")),
    ("lineal", "lineal log", ("lineal", "log")),
)


def measure_commands(repeats: int) -> dict[str, Any]:
    """Each command `repeats` times, interleaved, after one untimed start that fills the file cache.

    A command that does not print what was asked for in that first start is not timed.
    """
    rows: list[dict[str, Any]] = []
    ready: list[tuple[list[str], dict[str, Any]]] = []
    for peer, title, command in COMMANDS:
        row: dict[str, Any] = {"name": title, "peer": peer, "samples": []}
        rows.append(row)
        try:
            program = prepare(peer).parent / command[0]
        except RefusedEnvironmentError as error:
            row["refused"] = str(error)
            continue
        ready.append(([str(program), *command[1:]], row))
    environment = {**clean_environment(), "MLFLOW_DISABLE_TELEMETRY": "true", "DVC_NO_ANALYTICS": "1"}
    with tempfile.TemporaryDirectory() as home:
        environment["HOME"] = home
        _make_ledger(Path(home), environment)
        ready = [(words, row) for words, row in ready if _answers(words, row, environment)]
        for _ in range(repeats):
            for words, row in ready:
                cost = run_process(words, Path(home), environment)
                if cost.status:
                    row["refused"] = f"ended with {cost.status}"
                row["samples"].append({"wall": cost.wall, "cpu": cost.cpu})
    return {"settings": {"repeats": repeats, "load": load()}, "rows": rows}


def _make_ledger(folder: Path, environment: dict[str, str]) -> None:
    """A new ledger in `folder`, for the commands that need one; without it they say so and are not timed."""
    try:
        program = prepare("lineal").parent / "lineal"
    except RefusedEnvironmentError:
        return
    subprocess.run([program, "init"], cwd=folder, capture_output=True, env=environment, check=False)


def _answers(command: list[str], row: dict[str, Any], environment: dict[str, str]) -> bool:
    done = subprocess.run(
        command, cwd=environment["HOME"], capture_output=True, text=True, env=environment, check=False
    )
    wanted = r"(?i)usage:" if "--help" in command else r"\d+\.\d+|ledger\.created"
    if done.returncode or not re.search(wanted, done.stdout):
        row["refused"] = f"did not answer, ended with {done.returncode}"
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, help="merge the result into this file")
    given = parser.parse_args()
    result = measure_commands(given.repeats) | {"machine": machine(ROOT)}
    print(render("start", result))
    if given.json:
        merge(given.json, "start", result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
