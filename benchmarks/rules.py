"""One rule asked of 10,000 items of some 2 KB: a rule of Lineal, the same as a plain function, filters of Custodian.

The rule: a KMS key, data captured, two instances or more of every variant; 4,000 items comply. CPU seconds of one
process; items are in memory. A verdict is the state alone; a conclusion also has what decides it and the digest of the
item, as it goes on record. Every way must say the same as the function before it is timed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT, RefusedEnvironmentError, clean_environment, prepare
from benchmarks.measure import load, machine
from benchmarks.results import merge
from benchmarks.table import render

ROWS: Final = {
    "function": "Python function",
    "verdict": "Lineal, verdicts",
    "conclusion": "Lineal, conclusions",
    "c7n": "c7n",
}
_PEERS: Final = (("bucket", ("function", "verdict", "conclusion")), ("c7n", ("c7n",)))


def measure(items: int, repeats: int) -> dict[str, Any]:
    """Each way `repeats` times in the environment of whoever it belongs to."""
    rows = {way: {"name": name, "samples": []} for way, name in ROWS.items()}
    told: dict[str, Any] = {}
    for peer, ways in _PEERS:
        try:
            found = _run(prepare(peer), ways, items, repeats)
        except (RefusedEnvironmentError, subprocess.CalledProcessError) as error:
            for way in ways:
                rows[way]["refused"] = str(error)
            continue
        told |= {"bytes": found["bytes"], "complying": found["complying"]}
        for way in ways:
            rows[way]["samples"] = [{"cpu": cpu, "cpu_us_per_item": cpu * 1e6 / items} for cpu in found["samples"][way]]
    settings = {"items": items, "repeats": repeats, "load": load(), **told}
    return {"settings": settings, "rows": list(rows.values())}


def _run(python: Path, ways: tuple[str, ...], items: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as held:
        out = Path(held) / "samples.json"
        command = [str(python), str(ROOT / "programs" / "rules_inside.py"), *ways]
        command += ["--items", str(items), "--repeats", str(repeats), "--out", str(out)]
        subprocess.run(command, cwd=held, env=clean_environment(), check=True, capture_output=True)
        return dict(json.loads(out.read_text()))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rules", description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, help="merge the result into this file")
    given = parser.parse_args()
    result = {**measure(given.items, given.repeats), "machine": machine(ROOT)}
    print(render("rules", result))
    if given.json:
        merge(given.json, "rules", result)
    return int(any("refused" in row for row in result["rows"]))


if __name__ == "__main__":
    sys.exit(main())
