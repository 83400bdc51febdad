"""`lineal rebuild`."""

import os
from dataclasses import replace

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal


def rebuild(
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make the catalog anew from the ledger, and say whether it is the same bit for bit.

    The ledger is only read. Example: `lineal rebuild`
    """
    from lineal.app.rebuild import rebuild as make_anew
    from lineal.wiring import Settings, discard_damaged_catalog

    terminal = Terminal(as_json=as_json, quiet=quiet)
    lost = discard_damaged_catalog(Settings.read(os.environ, ledger))
    with opened(ledger) as session, terminal.progress("rebuilding the catalog", unit="entries") as move:
        made = make_anew(session, move)
    if lost:
        made = replace(made, before=None)
    document = {"entries": made.entries, "before": made.before, "after": made.after, "same": made.same}
    state = (
        "the same, bit for bit" if made.same else "different from before: what stood there was not what the ledger says"
    )
    terminal.emit(document, lambda out: out.print(f"folded {made.entries:,} entries; the catalog is {state}"))
