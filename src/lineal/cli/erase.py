"""`lineal erase`."""

from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal


def erase(
    entries: Annotated[
        list[int],
        typer.Argument(metavar="ENTRY…", min=0, help="Numbers as `lineal log` shows them.", show_default=False),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; this stays on record.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Erase the bodies of entries (GDPR Art. 17); the entries stay, and every proof still verifies.

    What a body said is gone for good: who, which files, which parameters. That it was erased, by whom and why, is
    recorded. Objects in the store are not touched.

    Example: `lineal erase 17 18 --reason "request 2026-114 of the data subject" --yes`
    """
    from lineal.app.erase import erase as forget

    terminal = Terminal(as_json=as_json, quiet=quiet)
    if not yes:
        typer.confirm(f"Erase the bodies of {len(entries)} entries for good?", abort=True, err=True)
    with opened(ledger, actor) as session:
        receipt = forget(session, entries, reason)
    document = {"erased": sorted(set(entries)), "entry": receipt.idx}
    terminal.emit(document, lambda out: out.print(f"erased {len(set(entries))} bodies; entry {receipt.idx} says so"))
