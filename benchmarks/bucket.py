"""A prefix of a bucket listed, read and hashed: Lineal beside s3fs, on one real S3 server (SeaweedFS) on loopback.

Both are new processes, with start-up. Lineal also writes a manifest of it and records the version in a ledger; then it
takes the same snapshot again, for which nothing is read. The digests that both found are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT, RefusedEnvironmentError, clean_environment, prepare
from benchmarks.measure import load, machine, run_process
from benchmarks.results import merge
from benchmarks.table import render

sys.path.append(str(ROOT.parent / "tests"))
from servers.seaweed import S3Server, serving

BUCKET: Final = "benchmark"
ROWS: Final = ("s3fs", "lineal", "lineal again")


def fill(server: S3Server, objects: int, large: int) -> str:
    """Put `objects` objects of 4 KiB and one of `large` MiB below a prefix; return its address."""
    client = server.client(max_pool_connections=32)
    client.create_bucket(Bucket=BUCKET)

    def put(number: int) -> None:
        body = f"{number:08}".encode() * 512
        client.put_object(Bucket=BUCKET, Key=f"data/part={number % 50:02}/{number:06}.bin", Body=body)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(objects)))
    with tempfile.TemporaryFile() as file:
        for _ in range(large):
            file.write(os.urandom(1 << 20))
        file.seek(0)
        client.upload_fileobj(file, BUCKET, "data/large.bin")
    return f"s3://{BUCKET}/data/"


def measure(objects: int, large: int, repeats: int) -> dict[str, Any]:
    """Each way `repeats` times, interleaved, every sample of Lineal in a ledger of its own."""
    rows: dict[str, dict[str, Any]] = {name: {"name": name, "samples": []} for name in ROWS}
    pythons: dict[str, Path] = {}
    for peer, names in (("s3fs", ("s3fs",)), ("bucket", ("lineal", "lineal again"))):
        try:
            pythons |= dict.fromkeys(names, prepare(peer))
        except RefusedEnvironmentError as error:
            for name in names:
                rows[name]["refused"] = str(error)
    with tempfile.TemporaryDirectory() as held, serving(Path(held)) as server:
        folder = Path(held)
        uri = fill(server, objects, large)
        environment = {**clean_environment(), **server.variables, "HOME": held}
        for _ in range(repeats):
            shutil.rmtree(folder / "ledger", ignore_errors=True)
            if "lineal" in pythons:
                program = pythons["lineal"].parent / "lineal"
                made = folder / "ledger"
                made.mkdir()
                subprocess.run([program, "init", "-q"], cwd=made, env=environment, check=True, capture_output=True)
            for name in ROWS:
                if name in pythons and "refused" not in rows[name]:
                    _sample(rows[name], pythons[name], uri, server, folder, environment)
        _compare(rows)
    settings = {"objects": objects, "large_mib": large, "repeats": repeats, "load": load()}
    return {"settings": settings, "rows": list(rows.values())}


def _sample(
    row: dict[str, Any], python: Path, uri: str, server: S3Server, folder: Path, environment: dict[str, str]
) -> None:
    out = folder / "out.json"
    out.unlink(missing_ok=True)
    lineal = row["name"] != "s3fs"
    program = ROOT / "programs" / ("bucket_lineal.py" if lineal else "bucket_s3fs.py")
    where = str(folder / "ledger") if lineal else server.endpoint
    cost = run_process([str(python), str(program), uri, where, str(out)], folder, environment)
    if cost.status or not out.is_file():
        row["refused"] = f"ended with {cost.status}"
        return
    said = json.loads(out.read_text())
    row["files"] = said["files"]
    row["samples"].append({"wall": cost.wall, "cpu": cost.cpu, "peak_mib": said["peak_kib"] / 1024})


def _compare(rows: dict[str, dict[str, Any]]) -> None:
    """Refuse a row whose digests are not those of the first; the digests themselves are not kept."""
    found = [row.pop("files") for row in rows.values() if "files" in row]
    if any(files != found[0] for files in found):
        for row in rows.values():
            row["refused"] = "the ways do not agree on the digests"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bucket", description=__doc__)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--large", type=int, default=512, help="MiB of the one large object")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="merge the result into this file")
    given = parser.parse_args()
    result = measure(given.objects, given.large, given.repeats) | {"machine": machine(ROOT)}
    print(render("bucket", result))
    if given.json:
        merge(given.json, "bucket", result)
    return int(any("refused" in row for row in result["rows"]))


if __name__ == "__main__":
    sys.exit(main())
