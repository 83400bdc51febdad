"""A manifest of very many entries in an object store: made, made again with one entry changed, and compared."""

import hashlib
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lineal.core.digest import Digest
from lineal.datasets.difference import diff
from lineal.datasets.manifest import Entry, load, write
from lineal.datasets.rewrite import Rewrite
from lineal.objects.store import ObjectStore


def make(count: int) -> Iterator[Entry]:
    for number in range(count):
        path = b"%05d/%02d.bin" % divmod(number, 100)
        yield Entry(path, "f", Digest(hashlib.sha256(path).digest()), 4096)


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main(folder: Path, count: int) -> None:
    store = ObjectStore(folder / "objects")
    start = time.perf_counter()
    with store.batch() as batch:
        first = write(make(count), batch.put_bytes)
    build = time.perf_counter() - start
    whole = folder_bytes(folder)
    changed = b"%05d/%02d.bin" % divmod(count // 2, 100)
    start = time.perf_counter()
    with store.batch() as batch:
        rewrite = Rewrite(load(first.digest, store), store, batch.put_bytes)
        rewrite.change(changed, Entry(changed, "f", Digest.of(b"other"), 5))
        second = rewrite.finish()
    again = time.perf_counter() - start
    start = time.perf_counter()
    found = [each.path for each in diff(load(first.digest, store), load(second.digest, store), store)]
    compare = time.perf_counter() - start
    if found != [changed]:
        raise SystemExit(f"the difference is {found}")
    document = {
        "build": build,
        "bytes": whole,
        "again": again,
        "again_bytes": folder_bytes(folder) - whole,
        "diff": compare,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
