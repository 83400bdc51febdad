"""`lineal tag`."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal


def tag(
    ref: options.RefArgument,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="What it is tagged with from now on.", show_default=False),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="KEY", help="What it is tagged with no longer (repeatable).")
    ] = None,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Tag a version, run or endpoint with words of your own, on record: who said so, and when.

    `lineal show` shows the tags of a thing, `lineal ls --tag` finds things by them; both with --at as they were then.

    Examples: `lineal tag dataset:sales@3 stage=gold owner=ana` · `lineal tag run:train-1f0c --remove candidate`
    """
    from lineal.app.tag import read_settings
    from lineal.app.tag import tag as record
    from lineal.wire.documents import describe_node
    from lineal.wiring import default_actor

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with opened(ledger, actor) as session:
        made = record(session, ref, read_settings(settings or ()), tuple(remove or ()), os_user=default_actor())

    def render(out: Console) -> None:
        state = "tagged" if made.new else "unchanged:"
        out.print(f"{state} [bold]{escape(made.node.ref)}[/]{'' if made.tags else '  [dim]it has no tags[/]'}")
        for key, value in made.tags.items():
            out.print(f"  [cyan]{escape(key)}[/] = {escape(value)}")

    document = {"node": describe_node(made.node), "tags": made.tags, "new": made.new, "redactions": made.redactions}
    terminal.emit(document, render)
    if made.redactions:
        terminal.note("what looks like a secret was not recorded")
