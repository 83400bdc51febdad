"""`lineal show`."""

import json
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from lineal.cli import options
from lineal.cli.opening import opened, read_moment
from lineal.cli.terminal import Terminal, moment

_MOST_TABLES: Final = 20


def show(
    ref: options.RefArgument,
    at: options.At = None,
    known: options.Known = None,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Everything recorded of one thing: its statements, what it is joined with, its gaps.

    First its tags; of a model or endpoint the completeness card, too (see `lineal check`).

    Examples: `lineal show model:risk@1` · `lineal show run:train-1f0c` · `lineal show endpoint:scorer --at 2026-03-03`
    """
    from lineal.app.check import CHECKED, check
    from lineal.app.listing import show as look
    from lineal.cli.card_picture import print_card
    from lineal.wire.documents import describe_card, describe_fact, describe_gap, describe_node

    terminal = Terminal(as_json=as_json, quiet=quiet)
    then = read_moment(at, known)
    with opened(ledger) as session:
        found = look(session, ref, then)
        card = check(session, found.view.canonical, then) if found.view.kind in CHECKED else None
    document = {
        "node": describe_node(found.view),
        "statements": [describe_fact(fact) for fact in found.facts],
        "edges": [{"source": source, "target": target, "type": kind} for source, target, kind in found.edges],
        "gaps": [describe_gap(gap["code"], gap["explanation"], gap["about"]) for gap in found.gaps],
        "tags": found.tags,
        "card": None if card is None else describe_card(card),
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
