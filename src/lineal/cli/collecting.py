"""What every `lineal collect` command prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lineal.cli.terminal import Terminal

if TYPE_CHECKING:
    from lineal.app.collect import Collected

MOST_SHOWN = 20


def emit_collected(terminal: Terminal, done: "Collected", more: dict[str, Any] | None = None) -> None:
    """Print what a collection did, and what it could not see; `more` are fields of the document for machines."""
    from lineal.wire.documents import describe_gap

    document = {
        "run": done.run,
        "seen": done.seen,
        "recorded": done.recorded,
        "gaps": [describe_gap(gap.code, gap.explanation, gap.about) for gap in done.gaps],
        **(more or {}),
    }
    line = f"collected: {done.seen:,} seen, {done.recorded:,} new on record, {len(done.gaps):,} gaps  {done.run}"
    terminal.emit(document, lambda out: out.print(line, markup=False))
    for gap in done.gaps[:MOST_SHOWN]:
        about = f" ({gap.about})" if gap.about else ""
        terminal.note(f"gap: {gap.explanation}{about} [{gap.code}]")
    if len(done.gaps) > MOST_SHOWN:
        terminal.note(f"and {len(done.gaps) - MOST_SHOWN:,} more gaps: lineal show {done.run}")


def emit_together(terminal: Terminal, done: "Sequence[Collected]") -> None:
    """Print what several collections did, as one; for machines with the names of all: ``runs``."""
    from lineal.app.collect import together

    emit_collected(terminal, together(done), {"runs": [each.run for each in done]})
