"""Rebuild: the catalog once more from the ledger, and whether it is the same bit for bit."""

from collections.abc import Callable
from dataclasses import dataclass

from lineal.app.session import Session
from lineal.catalog import project
from lineal.errors import LinealError


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many entries were folded, and the catalog's fingerprint before and after."""

    entries: int
    before: str | None
    after: str

    @property
    def same(self) -> bool:
        """Whether the catalog was, bit for bit, what the ledger says."""
        return self.before == self.after


def rebuild(session: Session, on_progress: Callable[[int, int], None] | None = None) -> Rebuilt:
    """Drop the catalog and fold the whole ledger anew."""
    database = session.catalog_database
    try:
        session.catch_up()
        before = project.fingerprint(database)
    except LinealError:
        before = None  # a catalog that cannot be read is what rebuilding is for
    project.drop(database)
    return Rebuilt(session.catch_up(on_progress), before, project.fingerprint(database))
