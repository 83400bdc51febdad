"""The process that one sample of the recording benchmark runs in: one driver, one empty store, one result file."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
from pathlib import Path

from benchmarks.drivers import ROUTES, Driver, Route
from benchmarks.measure import Clock, folder_bytes, load, sync_milliseconds
from benchmarks.workload import Content, expected_content, pipeline_runs

_WARM_UP = 1
"""Calls of `record` before the clock starts: imports, connections and prepared statements are not recording."""


def _differences(stored: Content, expected: Content) -> list[str]:
    """One line for each of nodes, edges and parameters that did not come back exactly."""
    found: list[str] = []
    for name in ("nodes", "edges", "params"):
        held, wanted = getattr(stored, name), getattr(expected, name)
        if held != wanted:
            found.append(f"{name}: {len(wanted - held)} missing, {len(held - wanted)} unexpected")
    return found


def measure_route(route: Route, folder: Path, seed: int, seconds: float) -> dict[str, object]:
    """Record until `seconds` of wall time are spent, then read everything back and compare."""
    driver: Driver = getattr(importlib.import_module(route.module), route.driver)()
    store = folder / "store"
    store.mkdir()
    sync = sync_milliseconds(folder)
    driver.open(store)
    count = _WARM_UP * route.batch
    driver.record(list(pipeline_runs(seed, 0, count)))
    driver.finish()
    warm_calls, warm_count, warm_bytes = driver.calls, count, folder_bytes(store)
    clock = Clock()
    while clock.wall < seconds:
        runs = list(pipeline_runs(seed, count, count + route.batch))
        with clock.running():
            driver.record(runs)
        count += route.batch
    with clock.running():
        driver.finish()
    calls = driver.calls - warm_calls
    durability = driver.close()
    expected = expected_content(seed, count)
    timed = count - warm_count
    return {
        "runs": timed,
        "wall": clock.wall,
        "cpu": clock.cpu,
        "bytes": folder_bytes(store) - warm_bytes,
        "calls": calls,
        "runs_per_second": timed / clock.wall,
        "cpu_ms_per_run": clock.cpu * 1000 / timed,
        "bytes_per_run": (folder_bytes(store) - warm_bytes) / timed,
        "calls_per_run": calls / timed,
        "nodes_stored": len(expected.nodes),
        "edges_stored": len(expected.edges),
        "differences": _differences(driver.read_back(store), expected),
        "durability": durability,
        "version": importlib.metadata.version(route.package),
        "sync_ms": sync,
        "load": load(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--route", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args()
    (route,) = (each for each in ROUTES if each.name == given.route)
    result = measure_route(route, given.folder, given.seed, given.seconds)
    given.out.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
