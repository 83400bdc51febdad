"""A difference for a terminal."""

from rich.console import Console
from rich.markup import escape

from lineal.app.comparison import Change, Comparison, Section

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_LONGEST = 96


def print_comparison(found: Comparison, out: Console, indent: str = "") -> None:
    """Print what differs, section by section, then the steps; what is the same takes one line."""
    title = f"{indent}[bold]{escape(found.name)}[/]"
    if found.a is None or found.b is None:
        side = ("+", "green", found.b) if found.a is None else ("-", "red", found.a)
        out.print(f"{indent}[{side[1]}]{side[0]} [bold]{escape(found.name)}[/]  {escape(side[2] or '')}[/]")
        return
    arrow = _arrow(out)
    refs = (
        f"{escape(_plain(found.a))} {arrow} {escape(_plain(found.b))}"
        if found.a != found.b
        else escape(_plain(found.a))
    )
    out.print(f"{title}  [dim]{refs}[/]")
    same: list[str] = []
    for section in found.sections:
        if section.differs or section.note is not None:
            _print_section(section, out, indent + "  ", arrow)
        elif section.same is None or section.same > 0:
            same.append(_count(section))
    if same:
        out.print(f"{indent}  [dim]same: {escape(', '.join(same))}[/]")
    elif not found.sections:
        out.print(f"{indent}  [dim]the same[/]")
    for step in found.steps:
        out.print()
        print_comparison(step, out, indent)


def _count(section: Section) -> str:
    return section.name if section.same is None else f"{section.name} ({section.same:,})"


def _print_section(section: Section, out: Console, indent: str, arrow: str) -> None:
    counts = [
        f"{count:,} {kind}"
        for kind, count in (("changed", section.changed), ("added", section.added), ("removed", section.removed))
        if count
    ]
    if section.same:
        counts.append(f"{section.same:,} same")
    out.print(f"{indent}[bold]{escape(section.name)}[/]  [dim]{', '.join(counts)}[/]".rstrip())
    width = max((min(len(change.name), 40) for change in section.changes), default=0)
    for change in section.changes:
        _print_change(change, out, indent + "  ", width, arrow)
    more = section.added + section.removed + section.changed - len(section.changes)
    if more > 0 and section.changes:
        out.print(f"{indent}  [dim]and {more:,} more[/]")
    if section.note is not None:
        out.print(f"{indent}  [yellow]{escape(section.note)}[/]")


def _print_change(change: Change, out: Console, indent: str, width: int, arrow: str) -> None:
    sign, colour = _SIGNS[change.kind]
    if change.kind == "changed":
        value = f"{escape(_cut(change.old))} {arrow} {escape(_cut(change.new))}"
    else:
        value = escape(_cut(change.new if change.old is None else change.old))
    delta = f"  [bold]({change.delta})[/]" if change.delta is not None else ""
    out.print(f"{indent}[{colour}]{sign}[/] {escape(change.name.ljust(width))}  {value}{delta}")


def _cut(text: str | None) -> str:
    plain = _plain(text or "").replace("\n", " ")
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 3] + "..."


def _plain(text: str) -> str:
    """Shorten a digest in full to the 12 digits that people compare."""
    head, mark, rest = text.partition("sha256:")
    return f"{head}{rest[:12]}" if mark and len(rest) == 64 else text


def _arrow(out: Console) -> str:
    try:
        "→".encode(out.encoding)
    except (UnicodeEncodeError, LookupError):
        return "->"
    return "→"
