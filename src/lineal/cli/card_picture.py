"""The completeness card for a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lineal.app.card import PHASES, Card, Row
from lineal.cli.terminal import moment, short

_GLYPHS = {True: "✓", False: "✗", None: "–"}  # noqa: RUF001  # an en dash on purpose
_PLAIN = {True: "yes", False: "NO", None: "-"}
_STYLES = {True: "green", False: "bold red", None: "dim"}
_QUESTIONS = ("TRACKED", "FIXED", "HERE", "VERIFIED")


def _marks(out: Console) -> dict[bool | None, str]:
    """Return the glyphs that the encoding of `out` can write."""
    try:
        "".join(_GLYPHS.values()).encode(out.encoding)
    except (UnicodeEncodeError, LookupError):
        return _PLAIN
    return _GLYPHS


def print_card(card: Card, out: Console) -> None:
    """Print the card as a table, phase by phase, with what is missing and the command that fills it."""
    marks = _marks(out)
    dash = "-" if marks is _PLAIN else "·"
    out.print(f"[bold]completeness of {escape(card.ref)}[/]  [dim]{short(card.digest) if card.digest else ''}[/]")
    for phase in PHASES:
        rows = [row for row in card.rows if row.phase == phase]
        if rows:
            out.print(f"\n[bold]{phase}[/]")
            out.print(_table(rows, marks, dash))
    missing = [row for row in card.rows if row.missing is not None]
    if missing:
        out.print("\n[bold]missing[/]")
    for row in missing:
        mark = f"[bold red]{marks[False]}[/]" if row.failed else f"[dim]{marks[None]}[/]"
        out.print(f"  {mark} {row.phase}, {row.artifact}: {escape(row.missing or '')}")
        if row.fill is not None:
            out.print(f"      [cyan]{escape(row.fill)}[/]")
    if card.findings:
        out.print("\n[bold]findings[/]")
    for finding in card.findings:
        mark = f"[bold red]{marks[False]}[/]" if finding.failed else "[yellow]![/]"
        out.print(f"  {mark} {escape(finding.about)}: {escape(finding.explanation)} [dim]{finding.code}[/]")
    out.print("\n" + verdict(card))


def verdict(card: Card) -> str:
    """Return one line that says whether the card is complete, as markup."""
    required = [row for row in card.rows if row.required]
    held = sum(row.holds for row in required)
    if card.complete:
        return f"[bold green]complete[/]: {escape(card.ref)}: {held} of {len(required)} required rows hold"
    count = card.failures
    failures = f"{count} failure{'s' if count > 1 else ''}"
    return f"[bold red]incomplete[/]: {escape(card.ref)}: {held} of {len(required)} required rows hold, {failures}"


def _table(rows: list[Row], marks: dict[bool | None, str], dash: str) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    table.add_column("ARTIFACT", no_wrap=True)
    table.add_column("REF", overflow="fold")
    for title in _QUESTIONS:
        table.add_column(title, justify="center", no_wrap=True)
    table.add_column("BY", overflow="fold")
    for title in ("DIGEST", "BASIS", "TIME"):
        table.add_column(title, no_wrap=True)
    table.add_column("ACTOR", overflow="fold")
    for row in rows:
        answers = (row.tracked, row.immutable, row.retrievable, row.verified)
        table.add_row(
            row.artifact + (f" ({row.role})" if row.role else "") + ("" if row.required else " *"),
            escape(_name(row)),
            *(f"[{_STYLES[answer]}]{marks[answer]}[/]" for answer in answers),
            escape(row.how or "").replace("·", dash),
            short(row.digest),
            row.basis or "-",
            moment(row.time),
            escape(row.actor or "-"),
        )
    return table


def _name(row: Row) -> str:
    if row.ref is None:
        return "-"
    name, at, rest = row.ref.partition("@sha256:")
    return name + rest[64:] if at else name
