"""Proofs, small and checked by anyone who has the log's key: an entry is in the log, an older log is its beginning."""

from dataclasses import dataclass

from lineal.core.checkpoint import Checkpoint, open_checkpoint
from lineal.core.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from lineal.core.note import Verifier
from lineal.core.tile import hash_at_from_tiles
from lineal.errors import BadProof, InconsistentStore, UnknownRef
from lineal.ledger.log import Ledger


@dataclass(frozen=True, slots=True)
class EntryProof:
    """Entry `idx` with its bytes, its leaf hash, the audit path (RFC 6962 §2.1.1) and the checkpoint it leads to."""

    idx: int
    data: bytes
    leaf: bytes
    hashes: tuple[bytes, ...]
    note: bytes


def prove_entry(ledger: Ledger, idx: int) -> EntryProof:
    """Return the verified proof that entry `idx` is in the log as published.

    Raises `UnknownRef` for an entry that no published checkpoint covers, `IntegrityError` branches when the files or
    the stored entry do not give the signed root.
    """
    note = ledger.files.read_checkpoint()
    size = 0 if note is None else open_checkpoint(note, ledger.key).size
    if note is None or not 0 <= idx < size:
        raise UnknownRef(f"there is no entry {idx} in the published log of {size}", fix="Publish the log, then ask.")
    data = ledger.reader.entry(idx).data
    hashes = inclusion_proof(idx, size, hash_at_from_tiles(size, ledger.files.read_hashes))
    proof = EntryProof(idx, data, leaf_hash(data), hashes, note)
    check_proof(proof, ledger.key)
    return proof


def check_proof(proof: EntryProof, key: Verifier) -> Checkpoint:
    """Return the checkpoint, signed by `key`, of the log that `proof` shows to hold its entry.

    Raises `Malformed`, `BadSignature` or `BadProof` when it does not.
    """
    checkpoint = open_checkpoint(proof.note, key)
    if leaf_hash(proof.data) != proof.leaf:
        raise BadProof(f"the leaf hash of entry {proof.idx} is not that of its bytes")
    verify_inclusion(proof.idx, checkpoint.size, proof.leaf, proof.hashes, checkpoint.root)
    return checkpoint


@dataclass(frozen=True, slots=True)
class PrefixProof:
    """The checkpoints of an older and a newer log, and the hashes (RFC 6962 §2.1.2) that make the one a prefix."""

    old: bytes
    new: bytes
    hashes: tuple[bytes, ...]


def prove_prefix(ledger: Ledger, old: bytes) -> PrefixProof:
    """Return the verified proof that the log signed in the checkpoint `old` is the beginning of the published log.

    Raises `UnknownRef` when nothing is published, `IntegrityError` branches when it is not.
    """
    new = ledger.files.read_checkpoint()
    if new is None:
        raise UnknownRef("no checkpoint is published yet", fix="Publish the log, then ask.")
    size, older = open_checkpoint(new, ledger.key).size, open_checkpoint(old, ledger.key).size
    if older > size:
        raise InconsistentStore(f"a log of {older} entries was signed, the published one has {size}")
    hash_at = hash_at_from_tiles(size, ledger.files.read_hashes)
    proof = PrefixProof(old, new, consistency_proof(older, size, hash_at))
    check_prefix(proof, ledger.key)
    return proof


def check_prefix(proof: PrefixProof, key: Verifier) -> tuple[Checkpoint, Checkpoint]:
    """Return the older and the newer checkpoint, both signed by `key`; raise `IntegrityError` branches otherwise."""
    old, new = open_checkpoint(proof.old, key), open_checkpoint(proof.new, key)
    verify_consistency(old.size, new.size, old.root, new.root, proof.hashes)
    return old, new
