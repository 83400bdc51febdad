"""The log of one thing, or of all, with proofs."""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lineal.app.session import Session
from lineal.catalog import tables
from lineal.core.checkpoint import open_checkpoint
from lineal.ledger.verify import EntryProof, prove_entry

_MOST: Final = 2**31


@dataclass(frozen=True, slots=True)
class Logged:
    """One entry of the log as its statement describes it, with the proof that the log holds it."""

    event: dict[str, Any]
    proof: EntryProof | None


def log(session: Session, text: str | None, *, limit: int | None, prove: bool) -> list[Logged]:
    """Return the entries that speak of `text`, or all, newest first; with `prove`, each with its inclusion proof.

    Entries after the last signed checkpoint have no proof yet: publishing gives them one. Raises `IntegrityError`
    branches when a proof does not hold.
    """
    catalog = session.catalog
    entries = None if text is None else _entries_of(session, catalog.resolve(text).id)
    signed = session.ledger.files.read_checkpoint()
    size = 0 if signed is None else open_checkpoint(signed, session.ledger.key).size
    found = catalog.events(entries, limit=None if limit is None else min(limit, _MOST))
    return [
        Logged(event, prove_entry(session.ledger, event["idx"]) if prove and event["idx"] < size else None)
        for event in found
    ]


def _entries_of(session: Session, node: int) -> list[int]:
    fact, edge = tables.fact.c, tables.edge.c
    joined = sa.select(edge.idx).where((edge.source == node) | (edge.target == node))
    query = sa.select(fact.idx).where(fact.node == node).union(joined)
    with session.catalog_database.reading() as connection:
        return sorted(connection.scalars(query))
