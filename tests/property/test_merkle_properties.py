"""Trees and proofs against a naive twin that follows the recursive text of RFC 6962 §2.1."""

import contextlib
import itertools
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from lineal.errors import BadInput, BadProof, LinealError

LIMIT = 5000
LEAVES = [leaf_hash(index.to_bytes(4, "big")) for index in range(LIMIT)]
BIT = bytes(31) + b"\x01"


# The twin: MTH, PATH and SUBPROOF as they stand in RFC 6962, over LEAVES[low:high].


def split(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


@cache
def mth(low: int, high: int) -> bytes:
    if high - low == 0:
        return sha256(b"").digest()
    if high - low == 1:
        return LEAVES[low]
    middle = low + split(high - low)
    return sha256(b"\x01" + mth(low, middle) + mth(middle, high)).digest()


def path(index: int, low: int, high: int) -> list[tuple[str, bytes]]:
    if high - low == 1:
        return []
    middle = low + split(high - low)
    if index < middle:
        return [*path(index, low, middle), ("right", mth(middle, high))]
    return [*path(index, middle, high), ("left", mth(low, middle))]


def subproof(old: int, low: int, high: int, whole: bool) -> list[tuple[str, bytes]]:
    if old == high:
        return [] if whole else [("start", mth(low, high))]
    middle = low + split(high - low)
    if old <= middle:
        return [*subproof(old, low, middle, whole), ("right", mth(middle, high))]
    return [*subproof(old, middle, high, False), ("left", mth(low, middle))]


def hashes(steps: Sequence[tuple[str, bytes]]) -> tuple[bytes, ...]:
    return tuple(item for _, item in steps)


def sides(steps: Sequence[tuple[str, bytes]]) -> tuple[str, ...]:
    return tuple(side for side, _ in steps)


def hash_at(level: int, index: int) -> bytes:
    return mth(index << level, (index + 1) << level)


def broken(proof: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
    """Every proof that differs from `proof` in one step: a bit, a hash gone, repeated, swapped, added, cut short."""
    result = [(*proof, EMPTY_ROOT), (EMPTY_ROOT, *proof)]
    for at, item in enumerate(proof):
        before, after = proof[:at], proof[at + 1 :]
        flipped = bytes([item[0] ^ 0x80]) + item[1:]
        result += [(*before, flipped, *after), (*before, *after), (*before, item, item, *after)]
        result += [(*before, item[:-1], *after), (*before, item + b"\x00", *after), (*before, b"", *after)]
    swapped = [
        (*proof[:at], proof[at + 1], proof[at], *proof[at + 2 :]) for at in range(len(proof) - 1) if len(proof) > 1
    ]
    return result + [item for item in swapped if item != proof]


def refuses(check: Callable[..., None], *arguments: object) -> None:
    with pytest.raises(BadProof):
        check(*arguments)


def flip(value: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(value, BIT, strict=True))


def attack_inclusion(index: int, size: int) -> None:
    leaf, root, steps = LEAVES[index], mth(0, size), path(index, 0, size)
    proof = inclusion_proof(index, size, hash_at)
    assert proof == hashes(steps)
    verify_inclusion(index, size, leaf, proof, root)
    for other in broken(proof):
        refuses(verify_inclusion, index, size, leaf, other, root)
    refuses(verify_inclusion, index, size, flip(leaf), proof, root)
    refuses(verify_inclusion, index, size, leaf, proof, flip(root))
    refuses(verify_inclusion, index, size, leaf[1:], proof, root)
    refuses(verify_inclusion, index, size, leaf, proof, root + b"\x00")


def attack_consistency(old: int, new: int) -> None:
    old_root, new_root = mth(0, old), mth(0, new)
    proof = consistency_proof(old, new, hash_at)
    assert proof == (hashes(subproof(old, 0, new, True)) if old else ())
    verify_consistency(old, new, old_root, new_root, proof)
    for other in broken(proof):
        refuses(verify_consistency, old, new, old_root, new_root, other)
    refuses(verify_consistency, old, new, flip(old_root), new_root, proof)
    if old:  # the empty tree says nothing of what follows it
        refuses(verify_consistency, old, new, old_root, flip(new_root), proof)
    if old != new:
        refuses(verify_consistency, new, old, new_root, old_root, proof)
        refuses(verify_consistency, old, old, old_root, new_root, proof)


def test_all_trees_up_to_64() -> None:
    frontier = Frontier()
    for size in range(65):
        assert frontier.root() == root_of(LEAVES[:size]) == mth(0, size)
        assert Frontier.decode(frontier.encode()) == frontier == Frontier().extend(LEAVES[:size])
        for index in range(size):
            attack_inclusion(index, size)
        for old in range(size + 1):
            attack_consistency(old, size)
        frontier = frontier.extend([LEAVES[size]])


def test_another_index_or_size_is_refused_wherever_the_way_differs() -> None:
    """The way from leaf to root is all that an audit path fixes: the size must come from the signed checkpoint."""
    ways = {(index, size): sides(path(index, 0, size)) for size in range(1, 34) for index in range(size)}
    same = 0
    for (index, size), way in ways.items():
        proof, root = inclusion_proof(index, size, hash_at), mth(0, size)
        for other in [*((place, size) for place in range(size)), *((index, count) for count in range(1, 34))]:
            if ways.get(other) == way:
                same += other != (index, size)
                verify_inclusion(*other, LEAVES[index], proof, root)
            else:
                refuses(verify_inclusion, *other, LEAVES[index], proof, root)
        assert [place for place in range(size) if ways[place, size] == way] == [index]
    assert same > 0


def test_another_old_size_is_refused() -> None:
    for old, new in itertools.combinations(range(1, 25), 2):
        proof = consistency_proof(old, new, hash_at)
        for other in range(-1, 26):
            if other != old:
                refuses(verify_consistency, other, new, mth(0, old), mth(0, new), proof)


@given(st.integers(1, LIMIT), st.data())
@settings(max_examples=60, deadline=None)
def test_large_trees(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    assert root_of(LEAVES[:size]) == mth(0, size)
    attack_inclusion(index, size)
    attack_consistency(old, size)


@given(st.integers(0, LIMIT), st.lists(st.integers(0, LIMIT), max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_frontier_grows_the_same_in_any_steps(size: int, stops: list[int]) -> None:
    frontier = Frontier()
    for stop in sorted(min(stop, size) for stop in [*stops, size]):
        frontier = frontier.extend(iter(LEAVES[frontier.size : stop]))
        assert frontier.root() == mth(0, stop)
        frontier = Frontier.decode(frontier.encode())
    assert frontier == Frontier().extend(LEAVES[:size])


@given(st.integers(0, LIMIT), st.data())
@settings(max_examples=100, deadline=None)
def test_a_mutated_frontier_is_refused_or_another(size: int, data: st.DataObject) -> None:
    encoded = Frontier().extend(LEAVES[:size]).encode()
    at, change = data.draw(st.integers(0, len(encoded) - 1)), data.draw(st.integers(1, 255))
    mutated = encoded[:at] + bytes([encoded[at] ^ change]) + encoded[at + 1 :]
    try:
        found = Frontier.decode(mutated)
    except LinealError:
        return
    assert found.encode() == mutated
    assert found.root() != mth(0, size) or found.size != size


@given(st.binary(max_size=120))
@settings(deadline=None)
def test_arbitrary_bytes_are_a_frontier_or_refused(data: bytes) -> None:
    with contextlib.suppress(LinealError):
        assert Frontier.decode(data).encode() == data


@given(
    st.integers(-2, 2**64),
    st.integers(-2, 2**64),
    st.binary(min_size=31, max_size=33),
    st.lists(st.binary(min_size=32, max_size=32), max_size=70),
)
@settings(deadline=None)
def test_arbitrary_proofs_raise_bad_proof_and_nothing_else(
    first: int, size: int, root: bytes, proof: list[bytes]
) -> None:
    refuses(verify_inclusion, first, size, LEAVES[0], proof, root)
    refuses(verify_consistency, max(first, 1), size, LEAVES[0], root, [*proof, LEAVES[1]])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 4), (4, 4), (0, MAX_SIZE + 1)])
def test_no_proof_for_an_entry_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(BadInput):
        inclusion_proof(index, size, hash_at)


@pytest.mark.parametrize(("old", "new"), [(-1, 4), (5, 4), (0, MAX_SIZE + 1)])
def test_no_proof_for_a_log_that_shrinks(old: int, new: int) -> None:
    with pytest.raises(BadInput):
        consistency_proof(old, new, hash_at)
