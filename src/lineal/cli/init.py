"""`lineal init`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.terminal import Terminal


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to make `.lineal`.")] = Path(),
    origin: Annotated[
        str | None,
        typer.Option("--origin", help="The log's name in its checkpoints, such as lineage.bank.example/credit-risk."),
    ] = None,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make a ledger in DIR/.lineal (default: here).

    Examples: `lineal init` · `lineal init --origin lineage.bank.example/credit-risk` ·
    `lineal --ledger postgresql://lineal@db/lineal init`
    """
    from lineal.wiring import Settings, create

    terminal = Terminal(as_json=as_json, quiet=quiet)
    home = create(Settings.read(os.environ, ledger), folder, origin)
    key = home.public_key_file.read_text(encoding="utf-8").strip()
    document = {"ledger": str(home.root), "origin": key.split("+")[0], "vkey": key}
    terminal.emit(document, lambda out: out.print(f"made {home.root}\nverifying key: {key}", markup=False))
    terminal.note("Give the verifying key to whoever must check this ledger; next: lineal snapshot, lineal run.")
