"""The completeness card for a terminal."""

from collections.abc import Iterable
from dataclasses import replace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lineal.app.card import PHASES, Card, Row
from lineal.cli.terminal import moment, short

_GLYPHS = {True: "✓", False: "✗", None: "–"}  # noqa: RUF001  # an en dash on purpose
_PLAIN = {True: "yes", False: "NO", None: "-"}
_STYLES = {True: "green", False: "bold red", None: "dim"}
_WIDE = 150


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
    out.print(f"[bold]completeness of {escape(card.ref)}[/]  [dim]{short(card.digest) if card.digest else ''}[/]")
    for phase in PHASES:
        rows = [row for row in card.rows if row.phase == phase]
        if rows:
            out.print(f"\n[bold]{phase}[/]")
            out.print(_table(rows, marks, wide=not out.is_terminal or out.width >= _WIDE))
    _print_missing(card.rows, marks, out)
    if card.findings:
        out.print("\n[bold]findings[/]")
    for finding in card.findings:
        mark = f"[bold red]{marks[False]}[/]" if finding.failed else "[yellow]![/]"
        out.print(f"  {mark} {escape(finding.about)}: {escape(finding.explanation)} [dim]{finding.code}[/]")
    if any(not row.required for row in card.rows):
        out.print("\n[dim]* not required[/]")
    out.print("\n" + verdict(card))


def _print_missing(rows: Iterable[Row], marks: dict[bool | None, str], out: Console) -> None:
    """Print what is missing: artifacts that lack the same thing, filled by the same command, together."""
    grouped: dict[tuple[str, str, str | None, bool], list[str]] = {}
    for row in rows:
        if row.missing is not None:
            grouped.setdefault((row.phase, row.missing, row.fill, row.failed), []).append(row.artifact)
    if grouped:
        out.print("\n[bold]missing[/]")
    for (phase, why, fill, failed), artifacts in grouped.items():
        mark = f"[bold red]{marks[False]}[/]" if failed else f"[dim]{marks[None]}[/]"
        out.print(f"  {mark} {phase}, {', '.join(dict.fromkeys(artifacts))}: {escape(why)}")
        if fill is not None:
            out.print(f"      [cyan]{escape(fill)}[/]")


def verdict(card: Card) -> str:
    """Return one line that says whether the card is complete, as markup."""
    required = [row for row in card.rows if row.required]
    held = f"{escape(card.ref)}: {sum(row.holds for row in required)} of {len(required)} required rows hold"
    if card.complete:
        return f"[bold green]complete[/]: {held}"
    return f"[bold red]incomplete[/]: {held}, {card.failures} failure{'s' if card.failures > 1 else ''}"


def _table(rows: list[Row], marks: dict[bool | None, str], *, wide: bool) -> Table:
    """Return the rows as a table; on a narrow terminal the evidence stands below the reference."""
    table = Table(box=None, pad_edge=True, header_style="dim")
    table.add_column("ARTIFACT", no_wrap=wide, overflow="fold", max_width=None if wide else 16)
    for title in ("TRACKED", "FIXED", "HERE", "VERIFIED"):
        table.add_column(title, justify="center", no_wrap=True)
    for title in ("REF", "BY", "DIGEST", "BASIS", "TIME", "ACTOR") if wide else ("EVIDENCE",):
        table.add_column(title, no_wrap=title in {"DIGEST", "BASIS", "TIME"}, overflow="fold")
    for row in _merged(rows):
        answers = (row.tracked, row.immutable, row.retrievable, row.verified)
        evidence: tuple[str, ...] = (
            escape(_name(row)),
            escape(row.how or "-"),
            short(row.digest),
            row.basis or "-",
            moment(row.time),
            escape(row.actor or "-"),
        )
        if not wide:
            evidence = (evidence[0] + f"\n[dim]{' '.join(part for part in evidence[1:] if part != '-')}[/]",)
        role = f" ({row.role})" if row.role else ""
        table.add_row(
            f"{row.artifact}{role}{'' if row.required else ' *'}",
            *(f"[{_STYLES[answer]}]{marks[answer]}[/]" for answer in answers),
            *evidence,
        )
    return table


def _merged(rows: list[Row]) -> list[Row]:
    """Return `rows` with those that do not apply, for one reason, as one."""
    found: list[Row] = []
    for row in rows:
        before = found[-1] if found else None
        if before is not None and row.tracked is None and before.tracked is None and row.how == before.how:
            found[-1] = replace(before, artifact=f"{before.artifact}, {row.artifact}")
        else:
            found.append(row)
    return found


def _name(row: Row) -> str:
    if row.ref is None:
        return "-"
    name, at, rest = row.ref.partition("@sha256:")
    return name + rest[64:] if at else name
