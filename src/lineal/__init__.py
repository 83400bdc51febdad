"""Proof of descent for every model in production."""

import os

TYPE_CHECKING = False  # importing `typing` for it would double the start of `lineal --version`
if TYPE_CHECKING:
    from lineal.client import Client

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(ledger: str | None = None, *, actor: str | None = None) -> "Client":  # noqa: A001
    """Open a ledger and return a client: `with lineal.open() as ledger: …`.

    `ledger` is a folder or ``postgresql://…``, by default ``LINEAL_LEDGER`` or the nearest ``.lineal``; `actor` says
    who speaks. Raises `lineal.errors.NotALedger` and the other errors of opening.
    """
    from lineal.client import Client
    from lineal.wiring import Settings, open_session

    return Client(open_session(Settings.read(os.environ, ledger, actor)))
