"""Lists, reads and hashes every object of a prefix with s3fs: many small ones at once, a large one as a stream."""

import hashlib
import json
import sys
from pathlib import Path

import s3fs  # type: ignore[import-not-found]

BATCH, LARGE, PART = 500, 32 << 20, 8 << 20
uri, endpoint, out = sys.argv[1:4]
files = s3fs.S3FileSystem(client_kwargs={"endpoint_url": endpoint}, config_kwargs={"max_pool_connections": 32})
prefix = uri.removeprefix("s3://").rstrip("/")
sizes = {path: info["size"] for path, info in files.find(prefix, detail=True).items()}
found: dict[str, str] = {}
small = [path for path, size in sizes.items() if size < LARGE]
for start in range(0, len(small), BATCH):
    for path, data in files.cat(small[start : start + BATCH], batch_size=32).items():
        found[path] = hashlib.sha256(data).hexdigest()
for path in sizes.keys() - set(small):
    running = hashlib.sha256()
    with files.open(path, "rb", block_size=PART, cache_type="readahead") as source:
        while piece := source.read(PART):
            running.update(piece)
    found[path] = running.hexdigest()
(peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
named = {path.removeprefix(f"{prefix}/"): digest for path, digest in found.items()}
Path(out).write_text(json.dumps({"files": named, "peak_kib": int(peak)}))
