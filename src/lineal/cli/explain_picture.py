"""An explanation for a terminal: what was looked at, then verdict by verdict each change with its fields."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rich.console import Console

from lineal.cli.terminal import moment, plain, tame
from lineal.cli.timeline_picture import VERDICTS as COLOURS
from lineal.cli.timeline_picture import print_edits
from lineal.core.change import (
    APPROVED,
    MANAGED,
    NOT_DONE,
    NOT_OBSERVABLE,
    PENDING,
    UNAPPROVED,
    UNEXPLAINED,
    WITHOUT_EFFECT,
    Change,
    FieldJudgement,
    Judgement,
)

if TYPE_CHECKING:
    from lineal.app.explain import Explained

_ORDER: Final = (
    UNEXPLAINED, UNAPPROVED, NOT_OBSERVABLE, WITHOUT_EFFECT, NOT_DONE, PENDING, MANAGED, APPROVED,
)  # fmt: skip
_MOST_EDITS: Final = 20
_MOST_HOLES: Final = 3
_INDENT: Final = " " * 4


def print_explained(found: "Explained", shown: list[Judgement], out: Console) -> None:
    """Print what was judged by what, and the judgements `shown`, the worst verdicts first."""
    print_coverage(found, out)
    for verdict in _ORDER:
        chosen = [each for each in shown if each.verdict == verdict]
        if chosen:
            out.print(f"\n[{COLOURS[verdict]}]{verdict}[/]  {len(chosen):,}")
        for each in chosen:
            _print_judgement(each, found, out)
    counts = Counter(each.verdict for each in found.judgements)
    told = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in _ORDER if counts[verdict]) or "nothing to judge"
    out.print(f"\n{told}; {found.recorded:,} judgements are new on record", markup=False, highlight=False)


def print_coverage(found: "Explained", out: Console) -> None:
    """Print how much was judged, and how far the trail is known."""
    failed = f" ({found.failed:,} further ones failed)" if found.failed else ""
    line = f"{found.resources:,} resources, {len(found.changes):,} changes, {found.events:,} events about them{failed}"
    out.print(line, markup=False, highlight=False)
    for (account, region), coverage in sorted(found.trail.items()):
        place = " ".join(each for each in (account, region or "(global)") if each)
        if not coverage.watermark:
            out.print(tame(f"trail of {place}: never collected"), style="yellow", markup=False, highlight=False)
            continue
        first = min([each[0] for each in coverage.covered] + [each.since for each in coverage.missing])
        line = f"trail of {place}: {moment(first)} to {moment(coverage.watermark)}"
        holes = coverage.known_holes()
        named = "; ".join(
            f"{moment(each.since)} to {moment(each.until)}" + (f" ({each.why})" if each.why else "")
            for each in holes[:_MOST_HOLES]
        )
        more = f" and {len(holes) - _MOST_HOLES} more" if len(holes) > _MOST_HOLES else ""
        line += f"; holes: {named}{more}" if holes else ", whole"
        out.print(tame(line), markup=False, highlight=False)


def _print_judgement(judgement: Judgement, found: "Explained", out: Console) -> None:
    change = found.changes.get(judgement.about)
    what = judgement.subject if change is None else change.kind
    about = judgement.about if judgement.subject == "approval" else judgement.resource
    when = moment(judgement.until)
    if judgement.since is not None and judgement.since != judgement.until:
        when = f"{moment(judgement.since)} .. {when}"
    out.print(f"  [bold]{plain(about)}[/]  {what}  [dim]{when}[/]")
    if change is not None and change.kind == "updated":
        _print_fields(judgement, change, found.tickets, out)
    out.print(f"{_INDENT}{plain(judgement.why)}")
    for note in judgement.notes:
        out.print(f"{_INDENT}[dim]{plain(note)}[/]")


def _print_fields(judgement: Judgement, change: Change, tickets: Mapping[str, str], out: Console) -> None:
    """Print each field with its values, and its own verdict where that differs from the one of the change."""
    by_path: dict[tuple[str, ...], FieldJudgement] = {each.path: each for each in judgement.fields}
    for edit in change.edits[:_MOST_EDITS]:
        print_edits((edit,), out, _INDENT)
        field = by_path.get(edit.path)
        if field is not None and field.verdict != judgement.verdict:
            ticket = f" by {plain(tickets.get(field.approval, field.approval))}" if field.approval else ""
            out.print(f"{_INDENT}  [{COLOURS[field.verdict]}]{field.verdict}[/]{ticket}")
    if len(change.edits) > _MOST_EDITS:
        out.print(f"{_INDENT}… and {len(change.edits) - _MOST_EDITS:,} more fields (--json has all)")
