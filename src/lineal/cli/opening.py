"""How commands open the ledger and read moments; everything heavy is imported here, when a command runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineal.app.session import Session
    from lineal.catalog.graph import Moment


@contextmanager
def opened(ledger: str | None, actor: str | None = None) -> "Iterator[Session]":
    """Open the ledger for one command."""
    from lineal.wiring import Settings, open_session

    with open_session(Settings.read(os.environ, ledger, actor)) as session:
        yield session


def read_moment(at: str | None, known: str | None) -> "Moment":
    """Return the moment that ``--at`` and ``--known`` say; what is left open means now and everything."""
    from lineal.catalog.graph import FOREVER, Moment
    from lineal.core import timestamp

    now = datetime.now(UTC)
    return Moment(
        time=FOREVER if at is None else timestamp.read(at, now),
        known=FOREVER if known is None else timestamp.read(known, now),
    )
