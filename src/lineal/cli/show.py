"""`lineal show`."""

import json
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape

from lineal.cli import estate_options, options
from lineal.cli.opening import opened, read_moment
from lineal.cli.terminal import Terminal, moment
from lineal.errors import BadRef, UnknownRef, UsageError

if TYPE_CHECKING:
    from lineal.app.session import Session
    from lineal.catalog.graph import Moment

_MOST_TABLES: Final = 20


def show(
    ref: Annotated[
        str | None,
        typer.Argument(
            metavar="[REF]",
            help="kind:name, kind:name@version, run:ID, any foreign name seen (an ARN, a URI, a commit, a digest), "
            "or the key or name of a resource.",
            show_default=False,
            autocompletion=options.complete_ref,
        ),
    ] = None,
    at: options.At = None,
    known: options.Known = None,
    kind: estate_options.Types = None,
    account: estate_options.Account = None,
    region: estate_options.Region = None,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Everything recorded of one thing: its statements, what it is joined with, its gaps.

    First its tags; of a model or endpoint the completeness card, too (see `lineal check`). Of a resource its
    configuration, what it points to, its last change, and when somebody last looked. Without REF, but with --at or
    --type: every resource and every endpoint in production.

    Examples: `lineal show model:risk@1` · `lineal show run:train-1f0c` · `lineal show endpoint:scorer --at 2026-03-03`
    · `lineal show --at 2026-03-03 --type 'AWS::SageMaker::*'` · `lineal show AWS::CodePipeline::Pipeline/release`
    """
    terminal = Terminal(as_json=as_json, quiet=quiet)
    then = read_moment(at, known)
    if ref is None and not (at or known or kind or account or region):
        raise UsageError(
            "nothing to show was named",
            fix="Name one thing: lineal show model:risk; or a moment: lineal show --at now.",
        )
    if ref is None:
        _show_estate(terminal, then, ledger, kind, account, region)
        return
    if kind or account or region:
        raise UsageError("--type, --account and --region are for the whole estate", fix="Leave REF out, or leave them.")
    with opened(ledger) as session:
        _show_one(terminal, session, ref, then)


def _show_estate(
    terminal: Terminal,
    then: "Moment",
    ledger: str | None,
    kind: list[str] | None,
    account: str | None,
    region: str | None,
) -> None:
    from lineal.app.estate import Filter, estate
    from lineal.cli.estate_picture import print_estate
    from lineal.wire.timeline import describe_estate

    with opened(ledger) as session:
        found = estate(session, then, Filter(types=tuple(kind or ()), account=account, region=region))
    terminal.emit(describe_estate(found), lambda out: print_estate(found, out))
    if not found.resources and not found.endpoints:
        terminal.note(
            "nothing of that is on record then; next: lineal collect aws, lineal collect files, lineal deploy"
        )


def _show_one(terminal: Terminal, session: "Session", ref: str, then: "Moment") -> None:
    from lineal.app.check import CHECKED, check
    from lineal.app.estate import configuration_of
    from lineal.app.listing import show as look
    from lineal.cli.card_picture import print_card
    from lineal.cli.estate_picture import print_configured
    from lineal.wire.documents import describe_card, describe_fact, describe_gap, describe_node
    from lineal.wire.timeline import describe_configured

    try:
        found = look(session, ref, then)
    except (BadRef, UnknownRef):
        configured = configuration_of(session, ref, then)
        if configured is None:
            raise
        of = configured
        terminal.emit(describe_configured(of), lambda out: print_configured(of, out))
        return
    card = check(session, found.view.canonical, then) if found.view.kind in CHECKED else None
    configured = configuration_of(session, ref, then) if ref.startswith("arn:") else None
    document = {
        "node": describe_node(found.view),
        "statements": [describe_fact(fact) for fact in found.facts],
        "edges": [{"source": source, "target": target, "type": kind} for source, target, kind in found.edges],
        "gaps": [describe_gap(gap["code"], gap["explanation"], gap["about"]) for gap in found.gaps],
        "tags": found.tags,
        "card": None if card is None else describe_card(card),
        **({} if configured is None else {"configuration": describe_configured(configured)}),
    }

    def render(out: Console) -> None:
        out.print(f"[bold]{escape(found.view.ref)}[/]  [dim]{found.view.digest or ''}[/]")
        for key, value in found.tags.items():
            out.print(f"  [cyan]{escape(key)}[/] = {escape(value)}")
        for fact in found.facts:
            said = f"{moment(fact.time)}  {escape(fact.actor)}  [dim]{fact.basis}, entry {fact.idx}[/]"
            out.print(f"\n[bold]{fact.type}[/]  {said}")
            print_detail(out, {name: value for name, value in fact.detail.items() if name != "tables"})
            print_tables(out, fact.detail.get("tables"))
        if found.edges:
            out.print("\n[bold]joined[/]")
        for source, target, kind in found.edges:
            out.print(f"  {escape(source)} [dim]--{kind}-->[/] {escape(target)}")
        for gap in found.gaps:
            out.print(f"[yellow]gap[/] {escape(gap['explanation'])} [dim]{gap['code']}[/]")
        if card is not None:
            out.print()
            print_card(card, out)
        if configured is not None:
            out.print()
            print_configured(configured, out)

    terminal.emit(document, render)


def print_tables(out: Console, tables: Any) -> None:
    """Print what is recorded of the tables in a dataset: a line for each, and one for its columns."""
    if not tables or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return
    out.print("  tables:")
    for table in tables[:_MOST_TABLES]:
        columns, rows, files = table.get("columns") or [], table.get("rows"), table.get("files") or 0
        words = [str(table.get("format")), "rows not counted" if rows is None else f"{rows:,} rows"]
        words.append(f"{table.get('column_count', len(columns)):,} columns")
        words += [f"{files:,} files"] if files > 1 else []
        if partitions := table.get("partitions"):
            words.append(f"{partitions['count']:,} partitions by {', '.join(partitions['columns'])}")
        words += [f"{name} {table[name]}" for name in ("version", "snapshot") if table.get(name) is not None]
        out.print(f"    [bold]{escape(str(table.get('path')))}[/]  {escape(', '.join(words))}")
        if columns:
            text = ", ".join(f"{each['name']} {each['type']}" for each in columns)
            out.print(f"      [dim]{escape(text if len(text) < 400 else text[:397] + '...')}[/]")
    if len(tables) > _MOST_TABLES:
        out.print(f"    [dim]and {len(tables) - _MOST_TABLES:,} more[/]")


def print_detail(out: Console, detail: dict[str, Any], indent: str = "  ") -> None:
    """Print a document as indented lines, tables below their names."""
    for name, value in detail.items():
        if isinstance(value, dict) and value:
            out.print(f"{indent}{escape(name)}:")
            print_detail(out, value, indent + "  ")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            out.print(f"{indent}{escape(name)}: {escape(text if len(text) < 400 else text[:397] + '...')}")
