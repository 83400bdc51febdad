"""Takes a snapshot of a prefix with Lineal: lists, reads and hashes every object, and records the version."""

import json
import sys
from pathlib import Path

import lineal
from lineal.app.snapshot_bucket import Asked, snapshot_bucket
from lineal.core.digest import Digest
from lineal.datasets import manifest

uri, ledger, out = sys.argv[1:4]
with lineal.open(ledger) as opened:
    taken = snapshot_bucket(opened.session, "dataset:benchmark", uri, Asked(basis="content"))
    objects = opened.session.objects
    root = manifest.load(Digest.parse(taken.version.digest or ""), objects)
    found = {entry.path.decode(): entry.digest.hex for entry in manifest.entries(root, objects)}
(peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
Path(out).write_text(json.dumps({"files": found, "peak_kib": int(peak)}))
