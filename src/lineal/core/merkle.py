"""The Merkle tree of RFC 6962 §2.1 over SHA-256: hashes, compact range, inclusion and consistency proofs.

A node is named by its level and index: the node (level, index) covers the leaves from index * 2^level to
(index + 1) * 2^level, and is *full* in a tree that has all of them. Every hash is 32 bytes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Final, TypeAlias

from lineal.errors import BadInput, BadProof, Malformed

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
MAX_SIZE: Final = 2**63 - 1  # what the verifiers of others count with

HashAt: TypeAlias = Callable[[int, int], bytes]
"""Gives the hash of the full node (level, index)."""

_NODE: Final = b"\x01"
_CHUNK: Final = 1024  # leaves hashed level by level at a time: bounds memory, and more is not faster


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of the leaf that holds `entry`: SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above `left` and `right`: SHA-256(0x01 || left || right)."""
    return sha256(_NODE + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The compact range of a tree of `size` leaves: the hashes of its largest full nodes, from left to right.

    There is one hash for each bit set in `size`, the largest node first. It is all that is needed to append to the
    tree and to compute its root. Raises `Malformed` when the hashes do not fit the size.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise Malformed(f"not the size of a tree: {self.size}")
        if len(self.hashes) != self.size.bit_count() or any(len(item) != HASH_SIZE for item in self.hashes):
            raise Malformed(f"these are not the hashes of a compact range of {self.size} leaves")

    def extend(self, leaves: Iterable[bytes]) -> "Frontier":
        """Return the compact range after appending `leaves` (leaf hashes); raise `BadInput` if one is not 32 bytes."""
        size = self.size
        levels = (level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1)
        peaks = dict(zip(levels, self.hashes, strict=True))
        rest = iter(leaves)
        while row := list(islice(rest, _CHUNK)):
            if set(map(len, row)) != {HASH_SIZE}:
                raise BadInput(f"a leaf hash has {HASH_SIZE} bytes")
            size += len(row)
            _merge(peaks, row)
        return Frontier(size, tuple(peaks[level] for level in sorted(peaks, reverse=True)))

    def root(self) -> bytes:
        """Return the root hash (Merkle Tree Hash) of the tree."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT

    def encode(self) -> bytes:
        """Return the bytes to store: `size` as 8 bytes, big-endian, then the hashes."""
        return self.size.to_bytes(8, "big") + b"".join(self.hashes)

    @classmethod
    def decode(cls, data: bytes) -> "Frontier":
        """Return the compact range stored in `data`; raise `Malformed` unless `encode` gives exactly `data`."""
        size = int.from_bytes(data[:8], "big")
        if len(data) != 8 + HASH_SIZE * size.bit_count():
            raise Malformed(f"{len(data)} bytes are not a compact range")
        return cls(size, tuple(data[at : at + HASH_SIZE] for at in range(8, len(data), HASH_SIZE)))


def _merge(peaks: dict[int, bytes], row: list[bytes]) -> None:
    """Append the leaf hashes of `row` to the full nodes in `peaks`, by level; both are changed."""
    level = 0
    while row:
        if level in peaks:
            row.insert(0, peaks.pop(level))
        if len(row) & 1:
            peaks[level] = row.pop()
        pairs = iter(row)
        row = [sha256(_NODE + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        level += 1


def _fold(peaks: Sequence[bytes]) -> bytes:
    """Return the root above the full nodes `peaks`, which stand from the largest to the smallest."""
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root hash of the tree with these leaf hashes; of no leaves, `EMPTY_ROOT`."""
    return Frontier().extend(leaves).root()


def inclusion_proof(index: int, size: int, hash_at: HashAt) -> tuple[bytes, ...]:
    """Return the audit path of leaf `index` in the tree of `size` leaves, from the leaf up (RFC 6962 §2.1.1).

    Raises `BadInput` if there is no such leaf, and whatever `hash_at` raises.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise BadInput(f"there is no entry {index} in a log of {size}")
    path = [_range_hash(low, high, hash_at) for low, high, _ in _siblings(index, index + 1, size)]
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, hash_at: HashAt) -> tuple[bytes, ...]:
    """Return the proof that the tree of `old` leaves is a prefix of the tree of `new` (RFC 6962 §2.1.2).

    It is empty when `old` is 0 or equal to `new`. Raises `BadInput` if `old` is larger, and whatever `hash_at` raises.
    """
    if not 0 <= old <= new <= MAX_SIZE:
        raise BadInput(f"a log of {old} entries is no earlier state of a log of {new}")
    if old in (0, new):
        return ()
    path = []
    start = 0
    for low, high, on_left in _siblings(0, old, new):
        path.append(_range_hash(low, high, hash_at))
        start = high if on_left else start
    if start:  # else the proof starts at the old root itself, which the verifier has
        path.append(_range_hash(start, old, hash_at))
    return tuple(reversed(path))


def _siblings(first: int, end: int, size: int) -> Iterator[tuple[int, int, bool]]:
    """Go down from the root of `size` leaves to a node that starts at or after `first` and ends at leaf `end`.

    Yields, from the root down, what hangs beside the way: the range of leaves (low, high) of the sibling, and whether
    it is on the left.
    """
    low, high = 0, size
    while high != end or low < first:
        middle = low + (1 << ((high - low - 1).bit_length() - 1))  # the largest power of two below the count
        if end <= middle:
            yield middle, high, False
            high = middle
        else:
            yield low, middle, True
            low = middle


def _range_hash(low: int, high: int, hash_at: HashAt) -> bytes:
    """Return the root over the leaves from `low` to `high`; a node of the tree that covers them starts at `low`."""
    peaks = []
    while low < high:
        level = (high - low).bit_length() - 1
        peaks.append(hash_at(level, low >> level))
        low += 1 << level
    return _fold(peaks)


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Return if `proof` shows that `leaf` (a leaf hash) is at `index` in the tree of `size` leaves with this `root`.

    Raises `BadProof` otherwise: the length of the proof is exact and every hash has 32 bytes.
    """
    _check_hashes(leaf, root, *proof)
    if not 0 <= index < size <= MAX_SIZE:
        raise BadProof(f"there is no entry {index} in a log of {size}")
    way = [on_left for _, _, on_left in _siblings(index, index + 1, size)]
    if len(proof) != len(way):
        raise BadProof(f"the inclusion proof of entry {index} in {size} has {len(proof)} hashes, not {len(way)}")
    found = leaf
    for on_left, sibling in zip(reversed(way), proof, strict=True):
        found = node_hash(sibling, found) if on_left else node_hash(found, sibling)
    if found != root:
        raise BadProof(f"the inclusion proof of entry {index} in {size} leads to another root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Return if `proof` shows that the tree of `old` leaves is a prefix of the tree of `new`, with these roots.

    The empty tree is a prefix of every tree: for `old` 0 the proof is empty and `old_root` must be `EMPTY_ROOT`, which
    says nothing of `new_root`. Raises `BadProof` otherwise: the length of the proof is exact, every hash has 32 bytes.
    """
    _check_hashes(old_root, new_root, *proof)
    if not 0 <= old <= new <= MAX_SIZE:
        raise BadProof(f"a log of {old} entries is no earlier state of a log of {new}")
    if (old == 0 and old_root != EMPTY_ROOT) or (old == new and old_root != new_root):
        raise BadProof(f"two logs of {old} entries have different roots")
    way = [on_left for _, _, on_left in _siblings(0, old, new)] if old else []
    path = list(proof) if True in way else [old_root, *proof]
    if len(path) != len(way) + 1:
        raise BadProof(f"the consistency proof of {old} in {new} has the wrong length: {len(proof)} hashes")
    found_old = found_new = path[0]
    for on_left, sibling in zip(reversed(way), path[1:], strict=True):
        found_new = node_hash(sibling, found_new) if on_left else node_hash(found_new, sibling)
        found_old = node_hash(sibling, found_old) if on_left else found_old
    if found_old != old_root:
        raise BadProof(f"the consistency proof of {old} in {new} leads to another old root")
    if old and found_new != new_root:
        raise BadProof(f"the consistency proof of {old} in {new} leads to another new root")


def _check_hashes(*hashes: bytes) -> None:
    if any(len(item) != HASH_SIZE for item in hashes):
        raise BadProof(f"a hash in a proof has {HASH_SIZE} bytes")
