"""What rules concluded, for a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from lineal.cli.terminal import plain
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT, SEVERITIES, STATES, Conclusion

if TYPE_CHECKING:
    from lineal.app.check_rules import Checked
    from lineal.app.rule_sets import RuleSet

_STYLES: Final = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "informational": "dim"}
_MOST_UNKNOWN: Final = 25


def print_checked(found: "Checked", out: Console) -> None:
    """Print what is broken as a table, the worst first; then what is not known, and the count of each state."""
    broken = [each for each in found.conclusions if each.state == NON_COMPLIANT]
    if broken:
        out.print(_table(broken))
    _print_unknown(found, out)
    counts = {state: sum(each.state == state for each in found.conclusions) for state in STATES}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    verdict = "[bold green]compliant[/]" if found.compliant else "[bold red]not compliant[/]"
    if found.compliant and counts[INSUFFICIENT]:
        verdict = "[bold yellow]nothing broken is known, and not all is known[/]"
    elif found.compliant and found.milder:
        verdict = "[bold yellow]nothing so severe is broken[/]"
    elif found.compliant and not counts[COMPLIANT]:
        verdict = "[bold yellow]nothing to judge[/]"
    if found.milder:
        out.print(f"[dim]{found.milder} broken rules are less severe: --severity informational shows them[/]")
    out.print(f"{verdict}: {len(found.rules.rules)} rules asked: {told or 'none of them has anything to say'}")


def _table(broken: Sequence[Conclusion]) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    table.add_column("SEVERITY", no_wrap=True)
    table.add_column("RULE", overflow="fold")
    table.add_column("RESOURCE", overflow="fold")
    table.add_column("WHY", overflow="fold")
    for each in sorted(broken, key=lambda one: (-SEVERITIES.index(one.severity), one.rule, one.resource)):
        why = plain(each.explanation) + (f"\n[dim]{plain(each.remedy)}[/]" if each.remedy else "")
        severity = f"[{_STYLES[each.severity]}]{each.severity}[/]"
        table.add_row(severity, plain(each.rule), plain(each.resource), why)
    return table


def _print_unknown(found: "Checked", out: Console) -> None:
    """Print what is not known, for one reason on one line; rules of packs that have no equivalent each by name."""
    grouped: dict[str, list[str]] = {}
    for each in found.conclusions:
        if each.state == INSUFFICIENT and not each.more.get("unsupported"):
            where = each.rule if each.resource == "*" else f"{each.rule} {each.resource}"
            grouped.setdefault(each.explanation, []).append(where)
    if grouped:
        out.print("\n[bold]not known[/]")
    for why, rules in list(grouped.items())[:_MOST_UNKNOWN]:
        out.print(f"  [yellow]?[/] {plain(why)}: {plain(', '.join(rules))}")
    if len(grouped) > _MOST_UNKNOWN:
        out.print(f"  … and {len(grouped) - _MOST_UNKNOWN} more reasons: --json has them all")
    print_unsupported(found.rules, out)


def print_unsupported(rules: "RuleSet", out: Console) -> None:
    """Print the rules of packs that could not be asked, every one, by the reason."""
    grouped: dict[str, list[str]] = {}
    for each in rules.unsupported:
        grouped.setdefault(each.why, []).append(each.id)
    if grouped:
        out.print("\n[bold]not asked[/]")
    for why, ids in grouped.items():
        out.print(f"  [dim]–[/] {plain(why)}: {plain(', '.join(sorted(ids)))}")  # noqa: RUF001  # an en dash on purpose


def print_rules(rules: "RuleSet", sets: Sequence[str], out: Console) -> None:
    """Print the rules there are, and the names of the sets that come with Lineal."""
    table = Table(box=None, pad_edge=True, header_style="dim")
    for title in ("SEVERITY", "RULE", "ASKS"):
        table.add_column(title, overflow="fold", no_wrap=title == "SEVERITY")
    for each in sorted(rules.rules, key=lambda one: one.id):
        parameters = ", ".join(f"{name}={plain(str(one.value))}" for name, one in sorted(each.parameters.items()))
        more = f"\n[dim]{parameters}[/]" if parameters else ""
        table.add_row(f"[{_STYLES[each.severity]}]{each.severity}[/]", each.id, plain(each.description) + more)
    out.print(table)
    print_unsupported(rules, out)
    out.print(f"\nsets: {', '.join(sets)}")
