"""How many input files the ledger lists for the last run that made a file, with the digest that they have now.

    python -m benchmarks.recorded_inputs FOLDER OUTPUT

Runs in Lineal's own environment. The run is found by tracing OUTPUT back; its object `files` lists every file, also
where the graph has one node for a whole folder of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import lineal
from lineal.core import path
from lineal.core.digest import Digest


def count_recorded(folder: Path, output: str) -> int:
    """Input files of the last run that made `output` whose recorded digest is that of their bytes now."""
    with lineal.open(str(folder)) as ledger:
        found = ledger.trace(f"file:{output}", depth=1)
        makers = {source for source, target, kind in found.edges if kind == "generated" and target == found.root.id}
        run = max((view for view in found.nodes if view.id in makers), key=lambda view: view.time or "")
        table = ledger.session.objects.read(Digest.parse(run.detail["objects"]["files"]))
    inside = os.fsencode(folder.resolve()) + b"/"
    count = 0
    for line in table.splitlines():
        record = json.loads(line)
        place = path.unspell(record["path"])
        if record["role"] != "input" or not place.startswith(inside) or "digest" not in record:
            continue
        with open(place, "rb") as file:
            count += record["digest"] == f"sha256:{hashlib.sha256(file.read()).hexdigest()}"
    return count


if __name__ == "__main__":
    print(count_recorded(Path(sys.argv[1]), sys.argv[2]))
