"""`lineal add`."""

from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, short


def add(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="code, container, environment, model, …", show_default=False)
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.", show_default=False)],
    identity: Annotated[
        str,
        typer.Argument(
            metavar="IDENTITY", help="sha256:…, IMAGE@sha256:…, or for code a git commit.", show_default=False
        ),
    ],
    where: Annotated[
        str | None, typer.Option("--repo", "--uri", metavar="URL", help="The address to find it by.")
    ] = None,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Put on record, as claimed, a version of something that lives elsewhere.

    Examples: `lineal add container scorer registry.bank.example/scorer@sha256:ab12…` ·
    `lineal add code github.com/acme/risk 4f5e… --repo https://github.com/acme/risk`
    """
    from lineal.app.add import add as claim
    from lineal.wire.documents import describe_node
    from lineal.wiring import default_actor

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with opened(ledger, actor) as session:
        made = claim(session, kind, name, identity, where=where, os_user=default_actor())
    document = {"version": describe_node(made.version), "new": made.new}
    state = "added" if made.new else "said once more of"
    line = f"{state} {made.version.ref.split('@')[0]}  {short(made.version.digest)}  (claimed)"
    terminal.emit(document, lambda out: out.print(line, markup=False))
