"""`lineal diff`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lineal.cli import estate_options, options
from lineal.cli.opening import opened, read_moment
from lineal.cli.terminal import Terminal
from lineal.errors import UsageError

if TYPE_CHECKING:
    from lineal.app.estate import Filter

_FORMS: Final = (
    "Name two versions or runs (`lineal diff model:risk@1 model:risk@2`), or two moments "
    "(`lineal diff --at '7d ago' --at now`), with the one thing you ask about if it is one."
)

_Old = Annotated[str | None, typer.Argument(metavar="[REF]", help="The version or run before.", show_default=False)]
_New = Annotated[str | None, typer.Argument(metavar="[REF]", help="The version or run after.", show_default=False)]
_At = Annotated[
    list[str] | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="As it was then: 2026-03-03T14:05:00Z, 2026-03-03, '2h ago'. Given twice: what changed between.",
    ),
]
_Patch = Annotated[
    bool, typer.Option("--patch", help="Between two moments: print the changes as JSON patches (RFC 6902).")
]
_Key = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="COLUMN", help="The column by which rows of a table are matched (repeatable)."),
]
_Rows = Annotated[
    int, typer.Option("--rows", metavar="N", min=0, help="Show N added, removed and changed rows of each table.")
]
_ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if they differ.")]


def diff(
    old: _Old = None,
    new: _New = None,
    at: _At = None,
    known: options.Known = None,
    kind: estate_options.Types = None,
    account: estate_options.Account = None,
    region: estate_options.Region = None,
    patch: _Patch = False,
    key: _Key = None,
    rows: _Rows = 0,
    exit_code: _ExitCode = False,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Which inputs, files, parameters, packages, metrics and commits differ between two versions or runs.

    Behind models, datasets and endpoints, the runs that made them are compared, too. Of tables inside a dataset
    (Parquet, CSV, Delta, Iceberg): columns, and how many rows differ. Values are shown with --rows only.

    With --at twice: everything that changed in production between two moments, with who did it and what was concluded;
    with one REF, of that and of what it points to.

    Examples: `lineal diff model:risk@1 model:risk@2` · `lineal diff run:train-1f0c run:train-77ab` ·
    `lineal diff dataset:raw@1 dataset:raw --json` · `lineal diff endpoint:scorer@1 endpoint:scorer@2 --exit-code` ·
    `lineal diff dataset:sales@1 dataset:sales@2 --key order_id --rows 5` ·
    `lineal diff --at 2026-03-01 --at 2026-03-31 --type 'AWS::SageMaker::*'` ·
    `lineal diff endpoint:scorer --at '7d ago' --at now`
    """
    terminal = Terminal(as_json=as_json, quiet=quiet)
    moments = tuple(at or ())
    if new is None and len(moments) == 2:
        if key or rows:
            raise UsageError("--key and --rows are for two versions", fix=_FORMS)
        from lineal.app.estate import Filter

        wanted = Filter(types=tuple(kind or ()), account=account, region=region)
        differs = _diff_estate(terminal, ledger, (moments[0], moments[1]), known, wanted, old, patch=patch)
    elif old is not None and new is not None and len(moments) < 2:
        if kind or account or region or patch:
            raise UsageError("--type, --account, --region and --patch are for two moments", fix=_FORMS)
        differs = _diff_two(terminal, ledger, old, new, next(iter(moments), None), known, tuple(key or ()), rows)
    elif old is None and not moments:
        raise UsageError("nothing to compare was named", fix=_FORMS)
    elif old is not None and new is None:
        raise UsageError(f"nothing to compare {old} with was named", fix=_FORMS)
    else:
        raise UsageError(f"two things, or two moments, are compared; --at was given {len(moments)} times", fix=_FORMS)
    if exit_code and differs:
        raise typer.Exit(1)


def _diff_two(
    terminal: Terminal,
    ledger: str | None,
    old: str,
    new: str,
    at: str | None,
    known: str | None,
    key: tuple[str, ...],
    rows: int,
) -> bool:
    from lineal.app.diff import diff as ask
    from lineal.app.diff_tables import RowOptions, has_rows
    from lineal.cli.diff_picture import print_comparison
    from lineal.wire.documents import describe_difference

    with opened(ledger) as session, terminal.progress("comparing", unit="rows") as move:
        asked = RowOptions(key=key, shown=rows, on_progress=move)
        found = ask(session, old, new, read_moment(at, known), asked)
    terminal.emit(describe_difference(found), lambda out: print_comparison(found.comparison, out))
    if not asked.key and not asked.shown and any(has_rows(section) for section in found.comparison.sections):
        terminal.note("--key COLUMN tells rows that changed from new ones; --rows N shows N rows of each kind")
    return found.comparison.differs


def _diff_estate(
    terminal: Terminal,
    ledger: str | None,
    at: tuple[str, str],
    known: str | None,
    wanted: "Filter",
    text: str | None,
    *,
    patch: bool,
) -> bool:
    from lineal.app.estate_diff import diff_estate
    from lineal.cli.estate_picture import print_estate_difference, print_patches
    from lineal.core import timestamp
    from lineal.wire.timeline import describe_estate_difference

    now = datetime.now(UTC)
    since, until = (timestamp.read(each, now) for each in at)
    with opened(ledger) as session:
        found = diff_estate(session, since, until, known=read_moment(None, known).known, wanted=wanted, text=text)
    document = describe_estate_difference(found, patches=patch)
    terminal.emit(document, lambda out: (print_patches if patch else print_estate_difference)(found, out))
    return found.differs
