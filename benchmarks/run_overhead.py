"""What `lineal run` costs: three programs bare, under a new ledger, and again under a ledger that knows the inputs.

The programs are a scikit-learn training script, a Python program that reads many small files, and a native
pipeline in a shell (`cat … | sort | gzip`). Each runs in its own git repository; outputs must be equal bare and
recorded, and the recorded run must show the inputs that the program is known to read.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT, clean_environment, prepare
from benchmarks.measure import load, machine, run_process
from benchmarks.results import merge
from benchmarks.table import render

PROGRAMS: Final = ROOT / "programs"
MODES: Final = ("bare", "lineal run, new ledger", "lineal run, same inputs again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One program: its command (in its folder), the file it writes, and how many input files it reads."""

    title: str
    folder: Path
    command: tuple[str, ...]
    output: str
    inputs: int


def make_cases(scratch: Path, python: Path, files: int, trees: int) -> list[Case]:
    """The three programs with their data written under `scratch`, each a git repository with one commit."""
    rng = random.Random(7)
    train = scratch / "train"
    train.mkdir()
    shutil.copy(PROGRAMS / "train.py", train)
    rows = ([rng.gauss(0, 1) for _ in range(30)] for _ in range(2_000))
    (train / "data.csv").write_text("".join(f"{','.join(map(str, row))},{int(sum(row) > 0)}\n" for row in rows))
    small = scratch / "small"
    small.mkdir()
    shutil.copy(PROGRAMS / "read_files.py", small)
    for number in range(files):
        place = small / "data" / f"{number // 1000:03d}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06d}.bin").write_bytes(rng.randbytes(4096))
    native = scratch / "native"
    (native / "data").mkdir(parents=True)
    for number in range(20):
        lines = sorted(f"{rng.getrandbits(64):016x}\n" for _ in range(10_000))
        (native / "data" / f"part-{number:02d}.txt").write_text("".join(lines))
    (native / "README").write_text("Sorts.\n")
    cases = [
        Case(
            title=f"scikit-learn training, {trees} trees",
            folder=train,
            command=(str(python), "train.py", "data.csv", str(trees)),
            output="metrics.json",
            inputs=1,
        ),
        Case(
            title=f"Python reading {files:,} files of 4 KiB",
            folder=small,
            command=(str(python), "read_files.py", "data"),
            output="total.txt",
            inputs=files,
        ),
        Case(
            title="`cat data/* \\| sort \\| gzip`, 20 files",
            folder=native,
            command=("sh", "-c", "cat data/* | sort | gzip -n > sorted.gz"),
            output="sorted.gz",
            inputs=20,
        ),
    ]
    for case in cases:
        _commit_all(case.folder, case.output)
    return cases


def _commit_all(folder: Path, output: str) -> None:
    """A repository of the program alone: data and outputs are ignored, as they would be in a real one."""
    (folder / ".gitignore").write_text(f"/data\n/data.csv\n/model.joblib\n/{output}\n/.lineal/\n")
    git = ("git", "-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "Programs")):
        subprocess.run([*git, *words], cwd=folder, check=True)


def measure_case(case: Case, lineal: Path, environment: Mapping[str, str], repeats: int) -> list[dict[str, Any]]:
    """The three rows of one program; modes alternate within every repeat."""
    rows: list[dict[str, Any]] = [{"program": case.title, "mode": mode, "samples": []} for mode in MODES]
    wanted = ""
    for repeat in range(repeats + 1):
        shutil.rmtree(case.folder / ".lineal", ignore_errors=True)
        for row in rows[:1] if repeat == 0 else rows:  # the first, bare, fills the file cache for all modes
            if "refused" in row:
                continue
            command: Sequence[str] = case.command
            if row["mode"] != MODES[0]:
                _run_quietly([str(lineal), "init"], case.folder, environment)
                command = [str(lineal), "run", "--", *case.command]
            (case.folder / case.output).unlink(missing_ok=True)
            cost = run_process(command, case.folder, environment)
            made = _digest(case.folder / case.output)
            wanted = wanted or made
            if cost.status or made != wanted:
                row["refused"] = f"ended with {cost.status}, {'wrote nothing' if not made else 'wrote the output'}"
            elif row["mode"] != MODES[0]:
                recorded = count_inputs(lineal, case, environment)
                if recorded < case.inputs:
                    row["refused"] = f"{recorded} of {case.inputs} inputs found in the ledger"
            if repeat:
                row["samples"].append({"wall": cost.wall, "cpu": cost.cpu})
    for row in rows[1:]:
        row["bare"] = rows[0]["samples"]
    return rows


def count_inputs(lineal: Path, case: Case, environment: Mapping[str, str]) -> int:
    """How many input files the ledger lists, with their right digests, for the run that made the output; else 0."""
    command = [str(lineal.parent / "python"), "-m", "benchmarks.recorded_inputs", str(case.folder), case.output]
    done = _run_quietly(command, ROOT.parent, environment)
    return int(done.stdout) if done.returncode == 0 else 0


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def _run_quietly(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, cwd=folder, env=dict(environment), capture_output=True, check=False)


def measure_overhead(folder: Path, repeats: int, files: int, trees: int) -> dict[str, Any]:
    """All cases; a mode that did not run the program, or recorded less than it read, says so in its row."""
    python = prepare("lineal")
    lineal = python.parent / "lineal"
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=folder, prefix="overhead-") as scratch:
        environment = {**clean_environment(), "HOME": scratch}
        for case in make_cases(Path(scratch), python, files, trees):
            rows += measure_case(case, lineal, environment, repeats)
    return {"settings": {"repeats": repeats, "files": files, "trees": trees, "load": load()}, "rows": rows}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run_overhead", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=ROOT / ".data")
    parser.add_argument("--json", type=Path, help="merge the result into this file")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    result = measure_overhead(given.folder, given.repeats, given.files, given.trees)
    result["machine"] = machine(given.folder)
    print(render("run_overhead", result))
    if given.json:
        merge(given.json, "run_overhead", result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
