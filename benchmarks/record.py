"""The recording benchmark: how many pipeline runs a second each peer stores durably.

Every sample is a new process with an empty store in the same folder; repeats are interleaved (A B C A B C), so
that a slow minute of the machine falls on all. Each sample reads its store back and compares it with the workload.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.drivers import ROUTES, Route
from benchmarks.environments import ROOT, RefusedEnvironmentError, clean_environment, prepare
from benchmarks.measure import machine
from benchmarks.results import merge
from benchmarks.table import render


class FailedSampleError(Exception):
    """A driver's process ended without a result; the message is its last line."""


def choose_routes(wanted: str) -> list[Route]:
    """The routes that `--peers` names, by peer or by route; `all` is every one. Raises SystemExit on a stranger."""
    names = set(wanted.split(","))
    known = {name for route in ROUTES for name in (route.name, route.peer)}
    if unknown := names - known - {"all"}:
        raise SystemExit(f"unknown peer {', '.join(sorted(unknown))}; known: all, {', '.join(sorted(known))}")
    return [route for route in ROUTES if "all" in names or names & {route.name, route.peer}]


def take_sample(route: Route, python: Path, folder: Path, seed: int, seconds: float) -> dict[str, Any]:
    """One sample of `route` in its own process and folder, which is removed afterwards. Raises FailedSampleError."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=f"{route.name}-") as scratch:
        out = Path(scratch) / "result.json"
        command = [str(python), "-m", "benchmarks.worker", "--route", route.name]
        command += ["--folder", scratch, "--out", str(out), "--seed", str(seed), "--seconds", str(seconds)]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT.parent,
                env=clean_environment(),
                capture_output=True,
                text=True,
                timeout=seconds * 10 + 300,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise FailedSampleError(f"no result after {error.timeout:.0f} s") from error
        if not out.exists():
            lines = done.stderr.strip().splitlines()
            raise FailedSampleError(lines[-1] if lines else f"ended with {done.returncode}")
        sample: dict[str, Any] = json.loads(out.read_text())
        return sample


def measure_routes(routes: Iterable[Route], folder: Path, seed: int, seconds: float, repeats: int) -> dict[str, Any]:
    """The whole benchmark as one JSON-ready value; a route that cannot run keeps its row, with the reason."""
    rows: list[dict[str, Any]] = []
    ready: list[tuple[Route, Path, dict[str, Any]]] = []
    for route in routes:
        row: dict[str, Any] = {"name": route.name, "peer": route.peer, "title": route.title, "samples": []}
        rows.append(row)
        if importlib.util.find_spec(route.module) is None:
            row["refused"] = "no driver yet"
            continue
        try:
            ready.append((route, prepare(route.peer), row))
        except RefusedEnvironmentError as error:
            row["refused"] = str(error)
    for repeat in range(repeats):
        for route, python, row in ready:
            if "refused" in row:
                continue
            try:
                sample = take_sample(route, python, folder, seed, seconds)
            except FailedSampleError as error:
                row["refused"] = str(error)
                continue
            row["samples"].append(sample)
            rate = f"{sample['runs_per_second']:.1f} runs/s, {sample['cpu_ms_per_run']:.2f} ms CPU"
            print(f"{repeat + 1}/{repeats} {route.name}: {rate}", file=sys.stderr)
    return {"settings": {"seconds": seconds, "repeats": repeats, "seed": seed}, "rows": rows}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="timed seconds of each sample")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", default="all", help="peers or routes, comma-separated")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=ROOT / ".data", help="where the stores are written")
    parser.add_argument("--json", type=Path, help="merge the result into this file")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    routes = choose_routes(given.peers)
    result = measure_routes(routes, given.folder, given.seed, given.seconds, given.repeats)
    result["machine"] = machine(given.folder)
    print(render("record", result))
    if given.json:
        merge(given.json, "record", result)
    failed = [row for row in result["rows"] if any(sample["differences"] for sample in row["samples"])]
    for row in failed:
        print(f"{row['name']} did not store what it was given", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
