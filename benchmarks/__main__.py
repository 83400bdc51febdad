"""All benchmarks, one after the other, into the results file and from it into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.environments import ROOT
from benchmarks.results import RESULTS

QUICK: Final = {
    "record": ("--seconds", "2", "--repeats", "2"),
    "start": ("--repeats", "5"),
    "run_overhead": ("--repeats", "2"),
    "snapshot": ("--repeats", "1", "--files", "5000", "--gib", "1", "--entries", "100000"),
    "audit": ("--runs", "1000", "--repeats", "2"),
    "bucket": ("--objects", "500", "--large", "64", "--repeats", "2"),
    "config_diff": ("--repeats", "3", "--seconds", "0.02"),
    "collect_aws": ("--count", "10", "--repeats", "2"),
    "rules": ("--items", "1000", "--repeats", "3"),
    "explain": ("--changes", "1000", "--events", "10000"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small settings: about two minutes")
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    worst = 0
    for name, small in QUICK.items():
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(given.json.resolve())]
        command += small if given.quick else ()
        worst = max(worst, subprocess.run(command, cwd=ROOT.parent, check=False).returncode)
    if given.json == RESULTS:
        subprocess.run([sys.executable, "-m", "benchmarks.table"], cwd=ROOT.parent, check=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
