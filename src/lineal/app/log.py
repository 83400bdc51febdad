"""The log of one thing, or of all, with proofs."""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lineal.app.session import Session
from lineal.catalog import tables
from lineal.core.checkpoint import open_checkpoint
from lineal.errors import InconsistentStore
from lineal.ledger.verify import EntryProof, PrefixProof, prove_entry, prove_prefix

_MOST: Final = 2**31


@dataclass(frozen=True, slots=True)
class Proof:
    """That an entry is in the published log, and that the log first signed with it is the beginning of that log."""

    inclusion: EntryProof
    since: PrefixProof


@dataclass(frozen=True, slots=True)
class Logged:
    """One entry of the log as its statement describes it, with the proof that the log holds it."""

    event: dict[str, Any]
    proof: Proof | None


def log(session: Session, text: str | None, *, limit: int | None, prove: bool) -> list[Logged]:
    """Return the entries that speak of `text`, or all, newest first; with `prove`, each with its proof.

    Entries after the last signed checkpoint have no proof yet: publishing gives them one. Raises `IntegrityError`
    branches when a proof does not hold.
    """
    catalog = session.catalog
    entries = None if text is None else entries_of(session, catalog.resolve(text).id)
    found = catalog.events(entries, limit=None if limit is None else min(limit, _MOST))
    size = published_size(session) if prove else 0
    return [Logged(event, show_proof(session, event["idx"]) if event["idx"] < size else None) for event in found]


def published_size(session: Session) -> int:
    """Return how many entries the published checkpoint covers; raise `BadSignature` if it is not the log's own."""
    note = session.ledger.files.read_checkpoint()
    return 0 if note is None else open_checkpoint(note, session.ledger.key).size


def show_proof(session: Session, idx: int) -> Proof:
    """Return the checked proof of entry `idx`; raise `IntegrityError` branches when it does not hold."""
    inclusion = prove_entry(session.ledger, idx)
    first = session.ledger.reader.first_signed(idx)
    if first is None:
        raise InconsistentStore(f"the published checkpoint covers entry {idx}, but none in the database does")
    return Proof(inclusion, prove_prefix(session.ledger, first.note))


def entries_of(session: Session, node: int) -> list[int]:
    """Return the numbers of the entries that speak of the node numbered `node`."""
    fact, edge = tables.fact.c, tables.edge.c
    joined = sa.select(edge.idx).where((edge.source == node) | (edge.target == node))
    query = sa.select(fact.idx).where(fact.node == node).union(joined)
    with session.catalog_database.reading() as connection:
        return sorted(connection.scalars(query))
