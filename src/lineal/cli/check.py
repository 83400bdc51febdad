"""`lineal check`."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lineal.cli import options
from lineal.cli.opening import opened, read_moment
from lineal.cli.terminal import Terminal
from lineal.errors import CheckFailed

if TYPE_CHECKING:
    from lineal.app.card import Card
    from lineal.catalog.graph import Moment


def check(
    ref: Annotated[
        str | None,
        typer.Argument(metavar="[REF]", help="A model version or an endpoint.", show_default=False),
    ] = None,
    at: options.At = None,
    known: options.Known = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read and hash every byte, even if there is more than 1 GiB.")
    ] = False,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """The completeness card: is everything behind a model tracked, fixed, still here, verified? Exit 1 if not.

    Without REF: every endpoint that serves and the latest version of every model, a line each.

    Examples: `lineal check endpoint:scorer` · `lineal check model:risk@2 --json` · `lineal check --deep`
    """
    from lineal.cli.card_picture import print_card, verdict
    from lineal.wire.documents import describe_card

    terminal = Terminal(as_json=as_json, quiet=quiet)
    cards = _check(ref, read_moment(at, known), deep, ledger, terminal)
    failed = not all(card.complete for card in cards)

    def render(out: Console) -> None:
        if ref is not None:
            print_card(cards[0], out)
        else:
            for card in cards:
                out.print(verdict(card))

    if ref is not None:
        terminal.emit(describe_card(cards[0]), render)
    else:
        terminal.emit({"complete": not failed, "cards": [describe_card(card) for card in cards]}, render)
    if not cards:
        terminal.note("no model and no endpoint is recorded; next: lineal register, lineal deploy")
    if failed:
        raise typer.Exit(CheckFailed.exit_status)


def _check(ref: str | None, moment: "Moment", deep: bool, ledger: str | None, terminal: Terminal) -> "list[Card]":
    from lineal.app.check import check as ask
    from lineal.app.check import check_all

    with opened(ledger) as session, terminal.progress("checking") as move:
        if ref is None:
            return list(check_all(session, moment, deep=deep, on_progress=move))
        return [ask(session, ref, moment, deep=deep, on_progress=move)]
