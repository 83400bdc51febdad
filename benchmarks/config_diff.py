"""Two configurations of some 10 KB compared field by field: Lineal beside jsonpatch and deepdiff, in one process.

The pair is read from JSON anew, so that the two share nothing. Lineal strips each item of a history of what does not
count and freezes it, once, then compares it with the one before and the one after: both steps are timed alone and
together, and the comparison of documents as they are. Lineal's own question before that is also timed: whether two
items say the same, by the digests of what counts in them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT, RefusedEnvironmentError, clean_environment, prepare
from benchmarks.measure import load, machine
from benchmarks.results import merge
from benchmarks.table import render


def measure(repeats: int, seconds: float) -> dict[str, Any]:
    """All ways on all pairs, `repeats` samples of `seconds` each, interleaved."""
    settings = {"repeats": repeats, "seconds": seconds}
    refused: dict[str, Any] = {"name": "all ways", "case": "-", "said": 0, "samples": []}
    try:
        python = prepare("deepdiff")
    except RefusedEnvironmentError as error:
        return {"settings": settings, "rows": [refused | {"refused": str(error)}]}
    with tempfile.TemporaryDirectory() as held:
        out = Path(held) / "out.json"
        program = ROOT / "programs" / "config_diff_inside.py"
        command = [str(python), str(program), str(out), "--repeats", str(repeats), "--seconds", str(seconds)]
        done = subprocess.run(command, cwd=held, env=clean_environment(), capture_output=True, text=True, check=False)
        if done.returncode or not out.is_file():
            why = (done.stderr.strip().splitlines() or ["no answer"])[-1]
            return {"settings": settings, "rows": [refused | {"refused": why}]}
        found = json.loads(out.read_text())
    return {"settings": settings | {"bytes": found["bytes"], "load": load()}, "rows": found["rows"]}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.config_diff", description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.1, help="how long each sample takes")
    parser.add_argument("--json", type=Path, help="merge the result into this file")
    given = parser.parse_args()
    result = measure(given.repeats, given.seconds) | {"machine": machine(ROOT)}
    print(render("config_diff", result))
    if given.json:
        merge(given.json, "config_diff", result)
    return int(any("refused" in row for row in result["rows"]))


if __name__ == "__main__":
    sys.exit(main())
