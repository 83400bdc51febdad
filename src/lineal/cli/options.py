"""The options that many commands share, spelled once."""

from pathlib import Path
from typing import Annotated

import typer


def complete_ref(incomplete: str) -> list[str]:
    """Return the recorded references that begin with `incomplete`, for the shell; none when there is no ledger."""
    from lineal.cli.opening import opened
    from lineal.errors import LinealError

    try:
        with opened(None) as session:
            return session.catalog.names(incomplete)
    except LinealError:
        return []


Ledger = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="PATH|URL",
        help="The ledger: a folder or postgresql://… [env: LINEAL_LEDGER] [default: the nearest .lineal]",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but results and errors.")]
Actor = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="WHO",
        help="Who does this. [env: LINEAL_ACTOR] [default: you@this-host]",
        show_default=False,
    ),
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="As it was then: 2026-03-03T14:05:00Z, 2026-03-03, '2h ago'."),
]
Known = Annotated[
    str | None,
    typer.Option("--known", metavar="TIME", help="With only what the ledger had recorded by then."),
]
Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="The profile of the AWS configuration.")]
Depth = Annotated[int | None, typer.Option("--depth", min=0, metavar="N", help="At most N edges away.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", help="Show only this kind (repeatable): run, model, dataset, code, …"),
]
RefArgument = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        help="kind:name, kind:name@version, run:ID, or any foreign name seen: an ARN, a URI, a commit, a digest.",
        show_default=False,
        autocompletion=complete_ref,
    ),
]
PathArgument = Annotated[Path, typer.Argument(metavar="PATH", help="A file or folder.", show_default=False)]
