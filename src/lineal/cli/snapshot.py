"""`lineal snapshot`."""

from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, short, size


def snapshot(
    name: Annotated[str, typer.Argument(metavar="dataset:NAME", help="The dataset.", show_default=False)],
    path: options.PathArgument,
    store: Annotated[
        bool,
        typer.Option("--store/--reference", help="Keep the bytes in the ledger's objects, or only their digests."),
    ] = True,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record a file or folder as a version of a dataset.

    Examples: `lineal snapshot dataset:transactions data/2026-03/` · `lineal snapshot dataset:raw raw.csv --reference`
    """
    from lineal.app.snapshot import snapshot as take
    from lineal.wire.documents import describe_gap, describe_node

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with opened(ledger, actor) as session, terminal.progress(f"snapshot of {path}") as move:
        taken = take(session, name, path, keep=store, on_progress=move)
    document = {
        "version": describe_node(taken.version),
        "new": taken.new,
        "files": taken.files,
        "bytes": taken.bytes,
        "gaps": [describe_gap(gap.code, gap.explanation, gap.about) for gap in taken.gaps],
    }
    state = "recorded" if taken.new else "unchanged: recorded before as"
    line = f"{state} {taken.version.ref}  {short(taken.version.digest)}  {taken.files:,} files, {size(taken.bytes)}"
    terminal.emit(document, lambda out: out.print(line, markup=False))
    for gap in taken.gaps:
        terminal.note(f"gap: {gap.explanation} [{gap.code}]")
