"""How fast a whole log is audited: every entry's hash, every proof up to the signed head, entries a second.

The log is one that the recording benchmark's bulk driver wrote. Before the clock counts for anything, a copy of
the store with one byte of a recorded digest changed must fail the same audit.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT, RefusedEnvironmentError, clean_environment, prepare
from benchmarks.measure import Clock, machine
from benchmarks.results import merge
from benchmarks.table import render
from benchmarks.workload import pipeline_run, pipeline_runs

DRIVER: Final = "benchmarks.drivers.lineal_store"
SEED: Final = 7


def measure_audit(runs: int, repeats: int, folder: Path) -> list[dict[str, Any]]:
    """The samples, taken in this process; the driver module's `audit(store)` returns the entries it verified
    and raises on any finding. Raises RuntimeError when a changed byte passes."""
    module = importlib.import_module(DRIVER)
    store = folder / "store"
    store.mkdir()
    driver = module.Statements()
    driver.open(store)
    for start in range(0, runs, 100):
        driver.record(list(pipeline_runs(SEED, start, min(start + 100, runs))))
    driver.finish()
    driver.close()
    shutil.copytree(store, folder / "tampered")
    change_byte(folder / "tampered", pipeline_run(SEED, runs // 2).raw.digest.encode())
    if passes(module, folder / "tampered"):
        raise RuntimeError("a changed byte passed the audit")
    samples: list[dict[str, Any]] = []
    for _ in range(repeats):
        clock = Clock()
        with clock.running():
            entries = module.audit(store)
        samples.append(
            {
                "entries": entries,
                "entries_per_second": entries / clock.wall,
                "cpu_us_per_entry": clock.cpu * 1e6 / entries,
            }
        )
    return samples


def change_byte(store: Path, known: bytes) -> None:
    """Change one byte of every place where `known` stands in the files of `store`; RuntimeError if nowhere."""
    changed = known[:-1] + (b"0" if known[-1:] != b"0" else b"1")
    found = False
    for path in store.rglob("*"):
        if path.is_file() and known in (held := path.read_bytes()):
            path.write_bytes(held.replace(known, changed))
            found = True
    if not found:
        raise RuntimeError("the recorded digest does not stand in the store as text")


def passes(module: Any, store: Path) -> bool:
    """Whether the audit of `store` ends without an error."""
    try:
        module.audit(store)
    except Exception:
        return False
    return True


def run_inside(runs: int, repeats: int, folder: Path) -> dict[str, Any]:
    """The one row of the table, measured by a process in Lineal's own environment."""
    row: dict[str, Any] = {"name": "whole log", "samples": []}
    if importlib.util.find_spec(DRIVER) is None:
        return row | {"refused": "no driver yet"}
    try:
        python = prepare("lineal")
    except RefusedEnvironmentError as error:
        return row | {"refused": str(error)}
    with tempfile.TemporaryDirectory(dir=folder, prefix="audit-") as scratch:
        command = [str(python), "-m", "benchmarks.audit", "--inside", scratch]
        command += ["--runs", str(runs), "--repeats", str(repeats)]
        done = subprocess.run(
            command, cwd=ROOT.parent, env=clean_environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            return row | {"refused": done.stderr.strip().splitlines()[-1]}
        return row | {"samples": json.loads((Path(scratch) / "samples.json").read_text())}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--runs", type=int, default=5_000, help="pipeline runs in the log")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=ROOT / ".data")
    parser.add_argument("--json", type=Path, help="merge the result into this file")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        samples = measure_audit(given.runs, given.repeats, given.inside)
        (given.inside / "samples.json").write_text(json.dumps(samples))
        return 0
    given.folder.mkdir(parents=True, exist_ok=True)
    row = run_inside(given.runs, given.repeats, given.folder)
    settings = {"repeats": given.repeats, "runs": given.runs}
    result = {"settings": settings, "rows": [row], "machine": machine(given.folder)}
    print(render("audit", result))
    if given.json:
        merge(given.json, "audit", result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
