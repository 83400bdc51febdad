"""A timeline for a terminal: a line for each row, and below it what was said, concluded and changed."""

import json
from typing import Any, Final

from rich.console import Console

from lineal.app.estate_state import State
from lineal.app.timeline import Timeline
from lineal.app.timeline_row import Row
from lineal.cli.terminal import moment, plain
from lineal.core.change import Edit

_LONGEST: Final = 100
_COLOURS: Final = {
    "deployment": "bold green",
    "retirement": "bold red",
    "decision": "magenta",
    "window": "magenta",
    "change": "cyan",
    "tag": "cyan",
    "gap": "yellow",
}
VERDICTS: Final = {
    "APPROVED": "green",
    "SERVICE_MANAGED": "green",
    "ATTRIBUTED_UNAPPROVED": "bold yellow",
    "UNEXPLAINED": "bold red",
    "EVENT_WITHOUT_EFFECT": "yellow",
    "APPROVED_NOT_DONE": "yellow",
    "PENDING": "dim",
    "NOT_OBSERVABLE": "yellow",
}
_SIGNS: Final = {"add": ("+", "green"), "remove": ("-", "red"), "replace": ("~", "yellow")}


def print_timeline(found: Timeline, out: Console, *, fields: bool) -> None:
    """Print the rows, after what is known of the thing asked about; with `fields`, each field that changed."""
    for thing in found.things:
        if thing.depth == 0 and thing.node is None:
            print_state(thing.key, found.states[thing.key], out)
    for row in found.rows:
        _print_row(row, out, fields=fields)
    if not found.rows:
        out.print("nothing is recorded of it in this time", style="dim")


def print_state(key: str, state: State, out: Console) -> None:
    """Print how a resource stands, in a line."""
    if state.state == "gone":
        line = f"[bold red]gone[/]: last seen {moment(state.last_seen)}, found to be gone {moment(state.gone)}"
    elif state.state == "there":
        line = f"there; last seen {moment(state.last_seen)}"
    else:
        line = "nobody has looked at its configuration"
    looked = "" if state.last_looked is None else f"; last looked at {moment(state.last_looked)}"
    out.print(f"[bold]{plain(key)}[/]  {line}{looked}")


def _print_row(row: Row, out: Console, *, fields: bool) -> None:
    colour = _COLOURS.get(row.kind, "default")
    when = moment(row.time) if row.until is None else f"{moment(row.time)} .. {moment(row.until)}"
    name = plain(f"{_word(row.type)}{short_name(row.name)}")
    verdict = f"  {show_verdict(row.verdict)}" if row.verdict else ""
    who = f"  [dim]by[/] {plain(row.who)}" if row.who else ""
    where = f" [dim]{'from' if row.kind == 'event' else 'in'} {plain(row.where)}[/]" if row.where else ""
    out.print(f"{when}  [{colour}]{row.kind:<12}[/] {name}  {plain(_cut(row.what))}{who}{where}{verdict}")
    indent = " " * 23
    if row.since is not None and row.kind in ("change", "tag"):
        out.print(f"{indent}[dim]after {moment(row.since)}, seen {moment(row.time)}[/]")
    if row.why:
        out.print(f"{indent}[dim]because[/] {plain(_cut(row.why))}")
    if row.because and row.because != row.what:
        out.print(f"{indent}[dim]{plain(row.because)}[/]")
    print_before(row.judged_before, row.verdict, out, indent)
    if fields:
        print_edits(row.edits, out, indent)


def show_verdict(verdict: str) -> str:
    """Return a verdict as markup."""
    return f"[{VERDICTS.get(verdict, 'default')}]{plain(verdict)}[/]"


def print_before(before: tuple[tuple[str, str], ...], now: str | None, out: Console, indent: str) -> None:
    """Print the verdicts that others took the place of: of several that are the same, the first."""
    verdicts = [verdict for verdict, _ in before]
    for place, (verdict, taken) in enumerate(before):
        following = [*verdicts[place + 1 :], now]
        if any(each != verdict for each in following) and verdicts[place - 1 : place] != [verdict]:
            out.print(f"{indent}[dim]judged {plain(verdict)} at {moment(taken)}, and otherwise since[/]")


def print_edits(edits: "tuple[Edit, ...]", out: Console, indent: str) -> None:
    """Print each field that differs: old and new."""
    for edit in edits:
        sign, colour = _SIGNS[edit.op]
        path = plain(".".join(edit.path) or "(all of it)")
        if edit.op == "replace":
            value = f"{plain(_value(edit.old))} -> {plain(_value(edit.new))}"
        else:
            value = plain(_value(edit.new if edit.op == "add" else edit.old))
        out.print(f"{indent}[{colour}]{sign}[/] {path}: {value}")


def short_name(name: str) -> str:
    """Return a name for people: of a version the first digits of its digest."""
    head, mark, rest = name.partition("sha256:")
    return f"{head}{mark}{rest[:12]}" if mark and len(rest) >= 64 else name


def _word(kind: str) -> str:
    """Return the last word of a type, with a blank: a model and an endpoint may have one name."""
    return f"{kind.rpartition('::')[2]} " if "::" in kind else ""


def _value(value: Any) -> str:
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))


def _cut(text: str) -> str:
    flat = text.replace("\n", " ")
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 3]}..."
