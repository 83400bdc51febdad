"""The example in docs/format-log.md, and its commands, hold."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lineal.core.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lineal.core.merkle import Frontier, consistency_proof, inclusion_proof, leaf_hash
from lineal.core.tile import Tile, bundle_path, encode_bundle, grow_tiles, hash_at_from_tiles, tile_path
from lineal.ledger.keys import SigningKey, VerifyingKey

PAGE = (Path(__file__).parents[2] / "docs" / "format-log.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
ENTRIES = [b"one", b"two", b"three"]
KEY = SigningKey("lineal.example/ledger", bytes(range(32)))
HASHES = {line[:11].strip(): bytes.fromhex(line[12:]) for line in BLOCKS["hashes"].splitlines()}


def test_hashes_and_proofs() -> None:
    leaves = [leaf_hash(entry) for entry in ENTRIES]
    tiles = dict(grow_tiles(0, leaves, {}.__getitem__))
    leaf, node = [HASHES[f"leaf {index}"] for index in range(3)], HASHES["node (1, 0)"]
    assert tiles == {Tile(0, 0, 3): b"".join(leaf)}
    assert tile_path(0, 0, 3) in PAGE
    hash_at = hash_at_from_tiles(3, tiles.__getitem__)
    assert hash_at(1, 0) == node
    frontier = Frontier().extend(leaves)
    assert frontier.root() == HASHES["root"]
    assert frontier.encode() == bytes.fromhex("0000000000000003") + node + leaf[2]
    assert [inclusion_proof(index, 3, hash_at) for index in (0, 2)] == [(leaf[1], leaf[2]), (node,)]
    assert [consistency_proof(old, 3, hash_at) for old in (1, 2)] == [(leaf[1], leaf[2]), (leaf[2],)]


def test_files() -> None:
    assert str(KEY.verifying_key) == BLOCKS["vkey"].strip()
    assert bundle_path(0, 3) in PAGE
    assert encode_bundle(ENTRIES).hex() == BLOCKS["bundle"].strip()
    checkpoint = Checkpoint(origin=KEY.name, size=3, root=HASHES["root"])
    assert sign_checkpoint(checkpoint, KEY) == BLOCKS["checkpoint"].encode()
    assert open_checkpoint(BLOCKS["checkpoint"].encode(), VerifyingKey.parse(BLOCKS["vkey"].strip())) == checkpoint


@pytest.mark.parametrize(("size", "status"), [("3", 0), ("4", 1)])
def test_openssl_verifies_the_signature(tmp_path: Path, size: str, status: int) -> None:
    for tool in ("sh", "openssl", "base64"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    (tmp_path / "checkpoint").write_text(BLOCKS["checkpoint"].replace("\n3\n", f"\n{size}\n"), encoding="utf-8")
    script = f"VKEY='{BLOCKS['vkey'].strip()}'\n{BLOCKS['sh']}"
    result = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, "Successfully" in result.stdout) == (status, status == 0), result.stderr
