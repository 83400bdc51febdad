"""Verify a Lineal ledger without Lineal: `python verify_by_hand.py .lineal [VKEY]`, VKEY as it was handed to you.

It needs `cryptography` and nothing else, and reads only log.vkey, log/ and ledger.db, as docs/format.md describes them.
"""

import base64
import hashlib
import json
import sqlite3
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def hold(condition, fault):
    """End with exit status 1 unless `condition` holds."""
    if not condition:
        sys.exit(f"BROKEN: {fault}")


def sha(*parts):
    """Return the SHA-256 of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def signed_head(log, vkey):
    """Return the size and root that the log's own key has signed; InvalidSignature is raised if it has not."""
    name, key_id, key = vkey.split("+", 2)
    key = base64.b64decode(key)
    hold(sha(name.encode(), b"\n", key)[:4].hex() == key_id, "the key is not what its id says")
    text, _, signatures = (log / "checkpoint").read_text("utf-8").rpartition("\n\n")
    lines = [line.removeprefix("\u2014 ").split(" ") for line in signatures.splitlines()]
    own = [base64.b64decode(data) for signer, data in lines if signer == name]
    own = [data[4:] for data in own if data[:4].hex() == key_id]
    hold(own, "the log's key has not signed the checkpoint")
    for signature in own:
        Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, f"{text}\n".encode())
    origin, size, root = text.split("\n")
    hold(origin == name, "the checkpoint is of another log")
    return int(size), base64.b64decode(root)


def entries(log, size):
    """Yield the bytes of every entry, from the bundles of 256."""
    for start in range(0, size, 256):
        width, digits = min(256, size - start), str(start // 256)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        full = log / "tile/entries" / "/".join([*("x" + each for each in groups[:-1]), groups[-1]])
        part = full.with_name(f"{full.name}.p") / str(width)
        data = (part if part.exists() else full).read_bytes()
        for _ in range(width):
            end = 2 + int.from_bytes(data[:2], "big")
            yield data[2:end]
            data = data[end:]


def root_of(hashes):
    """Return the root of the tree over leaf hashes (RFC 6962, 2.1)."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha()
    half = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\x01", root_of(hashes[:half]), root_of(hashes[half:]))


def main(home, vkey=None):
    """Verify the ledger in the folder `home`."""
    vkey = vkey or (home / "log.vkey").read_text("utf-8").strip()
    size, root = signed_head(home / "log", vkey)
    found = list(entries(home / "log", size))
    hold(root_of([sha(b"\x00", data) for data in found]) == root, "the entries do not give the signed root")
    with sqlite3.connect(f"file:{home / 'ledger.db'}?mode=ro", uri=True) as database:
        stored = dict(database.execute("SELECT idx, bytes FROM entry"))
        bodies = {
            row[0]: row[1:] for row in database.execute("SELECT idx, CAST(salt AS BLOB), CAST(bytes AS BLOB) FROM body")
        }
    erased, said = set(), {}
    for idx, data in enumerate(found):
        hold(stored.get(idx) == data, f"entry {idx} in the database is not the published one")
        entry = json.loads(data)
        if idx in bodies:
            hold(
                sha(*bodies[idx]).hex() == entry["payload"]["commit"],
                f"the body of entry {idx} is not the one committed to",
            )
            if entry["type"] == "body.erased/1":
                erased.update(json.loads(bodies[idx][1])["data"]["entries"])
        del entry["taken"]  # the ledger's addition: the rest is what the producer said, and chained
        statement = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        said[entry["producer"], entry["seq"]] = entry["prev"], sha(statement).hex()
    hold(set(range(size)) - bodies.keys() <= erased, "a body is gone, and no entry says that it was erased")
    for (producer, seq), (prev, _) in said.items():
        before = said.get((producer, seq - 1), (None, prev if seq else None))
        hold(before[1] == prev, f"statement {seq} of {producer} does not follow the one before")
    producers = {producer for producer, _ in said}
    print(f"{vkey.split('+')[0]}: {size} signed entries hold, {len(bodies)} bodies, {len(producers)} producers")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
