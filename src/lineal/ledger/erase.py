"""Erasing bodies (GDPR Art. 17): the only thing that is ever removed from a ledger, and never without an entry.

The entry that says so is durable first; then the rows go, and with them the salts, so that the commitments left in the
log say nothing. A crash between the two leaves bodies that `verify` reports: erasing again finishes it.
"""

from collections.abc import Sequence
from typing import Final

from lineal.core import canonical
from lineal.core.event import Event, decode_entry
from lineal.errors import BadInput, NotCanonical, Refused, StoreUnavailable
from lineal.ledger import tables
from lineal.ledger.commit import Receipt
from lineal.ledger.database import Database, chunks, translating
from lineal.ledger.log import Ledger
from lineal.ledger.verify_entries import CREATED, ERASED

_KEPT: Final = (CREATED, ERASED)


def erase_bodies(ledger: Ledger, event: Event) -> Receipt:
    """Record `event`, then erase the bodies of the entries it names, from the database and its write-ahead log.

    `event` has the type ``body.erased/1`` and the data ``{"entries": [index, …], "reason": text}``; its receipt is
    returned. Doing it again, with the same event or another, is harmless. On PostgreSQL the freed space, the server's
    own log and its backups are its administrator's. Raises `BadInput` for another event, `UnknownRef` or `Refused` for
    entries that are not there or must stay readable (nothing is recorded then), and what `Ledger.append` raises;
    `StoreUnavailable` if somebody kept reading the old bytes: they are gone when it has been done again.
    """
    entries = _entries_of(event)
    for idx in entries:
        statement, _ = decode_entry(ledger.reader.entry(idx).data)
        if statement["type"] in _KEPT:
            raise Refused(
                f"entry {idx} is {statement['type']}: without its body the log could not be verified",
                fix="Name only entries that hold what must be forgotten.",
            )
    receipt = ledger.append([event])[0]
    with ledger.database.writing() as connection:
        for part in chunks(entries):
            connection.execute(tables.body.delete().where(tables.body.c.idx.in_(part)))
    scrub(ledger.database)
    return receipt


def _entries_of(event: Event) -> Sequence[int]:
    try:
        document = canonical.decode(event.body)
    except NotCanonical as error:
        raise BadInput(f"the body of the erasure cannot be read: {error}") from error
    data = document.get("data") if isinstance(document, dict) else None
    entries = data.get("entries") if isinstance(data, dict) else None
    reason = data.get("reason") if isinstance(data, dict) else None
    if event.type != ERASED or not isinstance(entries, list) or not all(type(idx) is int for idx in entries):
        raise BadInput(f"an erasure has the type {ERASED} and lists the indexes of entries")
    if not entries or not isinstance(reason, str) or not reason:
        raise BadInput("an erasure names at least one entry, and its reason")
    return sorted(set(entries))


def scrub(database: Database) -> None:
    """Overwrite what the deletion left: SQLite's log of old pages, PostgreSQL's dead rows."""
    with translating():
        connection = database.engine.raw_connection()
        try:
            cursor = connection.cursor()
            if database.is_sqlite:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                busy = cursor.fetchone()
                if busy is None or busy[0]:
                    raise StoreUnavailable("somebody kept reading the erased bodies; erase them again to be sure")
            else:
                connection.driver_connection.autocommit = True  # type: ignore[union-attr]
                cursor.execute("VACUUM body")
                connection.driver_connection.autocommit = False  # type: ignore[union-attr]
            cursor.close()
        finally:
            connection.close()
