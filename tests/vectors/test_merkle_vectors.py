"""The published vectors of RFC 6962 trees: hashes, roots, and 196 proofs to accept or refuse."""

import json
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from lineal.core.merkle import (
    EMPTY_ROOT,
    Frontier,
    HashAt,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from lineal.errors import BadProof

DATA = Path(__file__).parent / "data"
PROOFS: dict[str, dict[str, Any]] = json.loads((DATA / "merkle-proofs.json").read_text())
TREE: dict[str, Any] = json.loads((DATA / "rfc6962.json").read_text())
SHORT_ROOTS = "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json"


def nodes_of(leaves: list[bytes]) -> HashAt:
    rows = [leaves]
    while len(rows[-1]) > 1:
        row = rows[-1]
        rows.append([node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)])
    return lambda level, index: rows[level][index]


def check(case: dict[str, Any]) -> None:
    proof = [b64decode(item) for item in case["proof"] or ()]
    if "leafIdx" in case:
        leaf, root = b64decode(case["leafHash"]), b64decode(case["root"])
        verify_inclusion(case["leafIdx"], case["treeSize"], leaf, proof, root)
    else:
        old_root, new_root = b64decode(case["root1"]), b64decode(case["root2"])
        verify_consistency(case["size1"], case["size2"], old_root, new_root, proof)


def test_all_196_are_here() -> None:
    assert len(PROOFS) == 196
    assert sum("leafIdx" in case for case in PROOFS.values()) == 98
    assert sum(case["wantErr"] for case in PROOFS.values()) == 184


@pytest.mark.parametrize("name", sorted(set(PROOFS) - {SHORT_ROOTS}))
def test_proof(name: str) -> None:
    case = PROOFS[name]
    if case["wantErr"]:
        with pytest.raises(BadProof):
            check(case)
    else:
        check(case)


def test_the_one_that_does_not_apply_has_roots_of_12_bytes() -> None:
    case = PROOFS[SHORT_ROOTS]
    assert not case["wantErr"]
    with pytest.raises(BadProof, match="32 bytes"):
        check(case)
    verify_consistency(case["size1"], case["size2"], EMPTY_ROOT, EMPTY_ROOT, [])


@pytest.mark.parametrize("name", [name for name, case in PROOFS.items() if not case["wantErr"] and case["proof"]])
def test_we_make_the_proof_that_is_published(name: str) -> None:
    case = PROOFS[name]
    hash_at = nodes_of([leaf_hash(bytes.fromhex(item)) for item in TREE["entries"]])
    wanted = tuple(b64decode(item) for item in case["proof"])
    if "leafIdx" in case:
        assert inclusion_proof(case["leafIdx"], case["treeSize"], hash_at) == wanted
    else:
        assert consistency_proof(case["size1"], case["size2"], hash_at) == wanted


def test_hashes_of_leaves_and_nodes() -> None:
    for case in TREE["hashes"]:
        if "leaf" in case:
            assert leaf_hash(bytes.fromhex(case["entry"])).hex() == case["leaf"]
        else:
            assert node_hash(bytes.fromhex(case["left"]), bytes.fromhex(case["right"])).hex() == case["node"]


def test_reference_tree() -> None:
    leaves = [leaf_hash(bytes.fromhex(item)) for item in TREE["entries"]]
    hash_at = nodes_of(leaves)
    for level, row in enumerate(TREE["nodes"]):
        assert [hash_at(level, index).hex() for index in range(len(row))] == row
    assert EMPTY_ROOT.hex() == TREE["roots"][0]
    assert [root_of(leaves[:size]).hex() for size in range(9)] == TREE["roots"]
    compact = {5: [(2, 0), (0, 4)], 6: [(2, 0), (1, 2)], 7: [(2, 0), (1, 2), (0, 6)], 8: [(3, 0)]}
    for size, places in compact.items():
        assert Frontier().extend(leaves[:size]).hashes == tuple(hash_at(*place) for place in places)


def subtrees(limit: int) -> Iterator[tuple[int, int]]:
    """Every range of leaves that a node of some tree covers, up to `limit`, in the order of the vectors."""
    for end in range(limit + 1):
        for start in range(end + 1):
            if start in (0, end) or start % (1 << (end - start - 1).bit_length()) == 0:
                yield start, end


def test_rolling_hash_of_all_subtrees() -> None:
    leaves = [leaf_hash(bytes([value])) for value in range(130)]
    rolling = sha256()
    for start, end in subtrees(130):
        rolling.update(f"[{start}, {end}) {root_of(leaves[start:end]).hex()}\n".encode())
    assert rolling.hexdigest() == TREE["subtrees"]["hashes"]


def test_rolling_hash_of_all_inclusion_proofs_in_subtrees() -> None:
    leaves = [leaf_hash(bytes([value])) for value in range(130)]
    rolling = sha256()
    for start, end in subtrees(130):
        hash_at = nodes_of(leaves[start:end])
        for index in range(start, end):
            proof = inclusion_proof(index - start, end - start, hash_at)
            rolling.update(" ".join([f"{index} [{start}, {end})", *(item.hex() for item in proof)]).encode() + b"\n")
    assert rolling.hexdigest() == TREE["subtrees"]["inclusion"]
