import pytest

from lineal.core.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from lineal.errors import BadInput, BadProof, Malformed

A, B, C = (leaf_hash(letter) for letter in (b"a", b"b", b"c"))


def test_an_empty_tree() -> None:
    assert Frontier().root() == root_of([]) == EMPTY_ROOT
    assert Frontier().extend([]) == Frontier()
    assert Frontier().encode() == bytes(8)


def test_three_leaves() -> None:
    frontier = Frontier().extend([A, B, C])
    assert frontier == Frontier(3, (node_hash(A, B), C))
    assert frontier.root() == node_hash(node_hash(A, B), C)
    assert frontier.encode() == (3).to_bytes(8, "big") + node_hash(A, B) + C


def test_a_leaf_is_no_node() -> None:
    assert leaf_hash(A + B) != node_hash(A, B) != node_hash(B, A)


@pytest.mark.parametrize("leaf", [b"", A[:-1], A + b"\x00"])
def test_a_leaf_hash_has_32_bytes(leaf: bytes) -> None:
    with pytest.raises(BadInput):
        Frontier().extend([A, leaf])


@pytest.mark.parametrize(
    ("size", "hashes"), [(1, ()), (0, (A,)), (3, (A,)), (1, (A[:-1],)), (-1, (A,)), (MAX_SIZE + 1, (A,))]
)
def test_hashes_that_do_not_fit_the_size(size: int, hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(Malformed):
        Frontier(size, hashes)


@pytest.mark.parametrize("data", [b"", bytes(7), bytes(9), bytes(7) + b"\x01", b"\xff" * (8 + 64 * 32)])
def test_bytes_that_are_no_frontier(data: bytes) -> None:
    with pytest.raises(Malformed):
        Frontier.decode(data)


def test_the_largest_tree_proves_and_cannot_grow() -> None:
    largest, before = Frontier(2**63 - 1, (A,) * 63), Frontier(2**63 - 2, (A,) * 62)
    assert largest.size == MAX_SIZE
    proof = inclusion_proof(MAX_SIZE - 1, MAX_SIZE, lambda level, index: A)
    verify_inclusion(MAX_SIZE - 1, MAX_SIZE, A, proof, largest.root())
    proof = consistency_proof(MAX_SIZE - 1, MAX_SIZE, lambda level, index: A)
    verify_consistency(MAX_SIZE - 1, MAX_SIZE, before.root(), largest.root(), proof)
    with pytest.raises(Malformed):
        largest.extend([A])


def test_the_empty_tree_is_a_prefix_of_every_tree() -> None:
    verify_consistency(0, 3, EMPTY_ROOT, root_of([A, B, C]), [])
    with pytest.raises(BadProof):
        verify_consistency(0, 3, A, root_of([A, B, C]), [])
    with pytest.raises(BadProof):
        verify_consistency(0, 3, EMPTY_ROOT, root_of([A, B, C]), [A])
