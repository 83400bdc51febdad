"""`lineal diff`."""

from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened, read_moment
from lineal.cli.terminal import Terminal


def diff(
    old: Annotated[str, typer.Argument(metavar="REF", help="The version or run before.", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="REF", help="The version or run after.", show_default=False)],
    at: options.At = None,
    known: options.Known = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="COLUMN", help="The column by which rows of a table are matched (repeatable)."),
    ] = None,
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=0, help="Show N added, removed and changed rows of each table.")
    ] = 0,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if they differ.")] = False,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Which inputs, files, parameters, packages, metrics and commits differ between two versions or runs.

    Behind models, datasets and endpoints, the runs that made them are compared, too. Of tables inside a dataset
    (Parquet, CSV, Delta, Iceberg): columns, and how many rows differ. Values are shown with --rows only.

    Examples: `lineal diff model:risk@1 model:risk@2` · `lineal diff run:train-1f0c run:train-77ab` ·
    `lineal diff dataset:raw@1 dataset:raw --json` · `lineal diff endpoint:scorer@1 endpoint:scorer@2 --exit-code` ·
    `lineal diff dataset:sales@1 dataset:sales@2 --key order_id --rows 5`
    """
    from lineal.app.diff import diff as ask
    from lineal.app.diff_tables import RowOptions, has_rows
    from lineal.cli.diff_picture import print_comparison
    from lineal.wire.documents import describe_difference

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with opened(ledger) as session, terminal.progress("comparing", unit="rows") as move:
        asked = RowOptions(key=tuple(key or ()), shown=rows, on_progress=move)
        found = ask(session, old, new, read_moment(at, known), asked)
    terminal.emit(describe_difference(found), lambda out: print_comparison(found.comparison, out))
    if not asked.key and not asked.shown and any(has_rows(section) for section in found.comparison.sections):
        terminal.note("--key COLUMN tells rows that changed from new ones; --rows N shows N rows of each kind")
    if exit_code and found.comparison.differs:
        raise typer.Exit(1)
