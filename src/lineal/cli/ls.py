"""`lineal ls`."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lineal.cli import options
from lineal.cli.opening import opened, read_moment
from lineal.cli.terminal import Terminal, moment, plain, short, shorten
from lineal.errors import BadRef


def ls(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[KIND|KIND:NAME]", help="model, dataset, run, …, or one artifact.", show_default=False),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="KEY[=VALUE]", help="Only what has this tag (repeatable: every one of them)."),
    ] = None,
    at: options.At = None,
    known: options.Known = None,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """List what is recorded: everything but single files, one kind, or the versions of one artifact.

    Examples: `lineal ls` · `lineal ls model` · `lineal ls endpoint:scorer` · `lineal ls file` ·
    `lineal ls dataset --tag stage=gold`
    """
    from lineal.app.listing import list_nodes
    from lineal.core.ref import KINDS, ArtifactRef, RunRef, parse
    from lineal.wire.documents import describe_node

    terminal = Terminal(as_json=as_json, quiet=quiet)
    kind, colon, name = (what or "").partition(":")
    if what is not None and kind not in {*KINDS, "run"}:
        raise BadRef(f"no such kind: {kind!r}", fix=f"One of {', '.join(KINDS)}, run.")
    if colon and not isinstance(parse(f"{kind}:{name}"), ArtifactRef | RunRef):
        raise BadRef(f"{what!r} names one version, not an artifact", fix=f"lineal show {what}")
    with opened(ledger) as session:
        found = list_nodes(session, kind or None, name or None, read_moment(at, known), tuple(tag or ()))

    def render(out: Console) -> None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("REF", "VERSION", "DIGEST", "TIME", "ACTOR", "BASIS"):
            table.add_column(title, no_wrap=title != "REF", overflow="fold")
        for view in found:
            name = view.ref if "@sha256:" not in view.ref else view.ref.split("@")[0]
            row = (
                plain(name),
                plain(shorten(view.version)),
                short(view.digest),
                moment(view.time),
                plain(view.actor or "-"),
                view.basis or "-",
            )
            table.add_row(*row)
        out.print(table)

    terminal.emit({"nodes": [describe_node(view) for view in found]}, render)
    if not found:
        terminal.note(
            "nothing that is recorded has these tags; `lineal tag` sets them"
            if tag
            else "nothing of that is recorded; next: lineal snapshot, lineal run, lineal register"
        )
