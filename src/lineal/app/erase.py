"""Erase the bodies of entries, where personal data is; the entries, and every proof, stay."""

from collections.abc import Collection

from lineal.app.session import Session
from lineal.catalog import project
from lineal.core.observation import Observation
from lineal.core.redaction import redact
from lineal.ledger.commit import Receipt
from lineal.ledger.erase import erase_bodies, scrub


def erase(session: Session, entries: Collection[int], reason: str) -> Receipt:
    """Erase the bodies of `entries` from ledger and catalog; the erasure itself becomes an entry, with its `reason`.

    Raises what `erase_bodies` raises.
    """
    observation = Observation(
        type="body.erased/1",
        time=session.clock(),
        actor=session.actor,
        basis="observed",
        data={"entries": sorted(set(entries)), "reason": redact(reason)[0]},
    )
    receipt = session.say_all([observation], lambda events: [erase_bodies(session.ledger, events[0])])[0]
    # The catalog was folded from the bodies: it forgets them by being folded anew.
    project.drop(session.catalog_database)
    session.catch_up()
    if session.catalog_database.is_sqlite:
        scrub(session.catalog_database)
    return receipt
