"""Read every file below a folder and hash it, the least that a snapshot can do; with a second name, write it there too.

Small files one by one; what is larger than a buffer in pieces. What is written goes to one file, synced in the end.
"""

import hashlib
import os
import sys

BUFFER = 1 << 20


def main(folder: str, target: str | None) -> None:
    view = memoryview(bytearray(BUFFER))
    out = None if target is None else open(target, "wb", buffering=4 << 20)  # noqa: SIM115
    digests = []
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            descriptor = os.open(f"{here}/{name}", os.O_RDONLY)
            running = hashlib.sha256()
            while got := os.readv(descriptor, [view]):
                running.update(view[:got])
                if out is not None:
                    out.write(view[:got])
                if got < BUFFER:
                    break
            os.close(descriptor)
            digests.append(running.digest())
    if out is not None:
        out.flush()
        os.fsync(out.fileno())
        out.close()
    print(len(digests), hashlib.sha256(b"".join(digests)).hexdigest())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
