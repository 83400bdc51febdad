"""`lineal retire`."""

from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal


def retire(
    endpoint: Annotated[str, typer.Argument(metavar="endpoint:NAME", help="Which.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="Why.", show_default=False)],
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Take an endpoint out of service, on record, and end the process that `deploy` started.

    Example: `lineal retire endpoint:scorer --reason "replaced by the batch job"`
    """
    from lineal.app.retire import retire as end
    from lineal.wire.documents import describe_node
    from lineal.wiring import default_actor

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with opened(ledger, actor) as session:
        made = end(session, endpoint, reason=reason, os_user=default_actor())
    document = {"revision": describe_node(made.revision), "retired": made.time, "ended": made.ended}
    line = f"retired {made.revision.ref}" + (", its process ended" if made.ended else "")
    terminal.emit(document, lambda out: out.print(line, markup=False))
