"""The estate, one resource of it, and what changed in it, for a terminal."""

import json
from itertools import groupby
from typing import Final

from rich.console import Console
from rich.table import Table

from lineal.app.estate import Configured, Estate, Serving, Standing
from lineal.app.estate_diff import EndpointDifference, EstateDifference, ResourceDifference, Step
from lineal.cli.terminal import moment, plain, short
from lineal.cli.timeline_picture import print_before, print_edits, print_state, short_name, show_verdict
from lineal.core.change import Judgement
from lineal.core.resource import Resource

_SIGNS: Final = {
    "created": ("+", "green"),
    "deleted": ("-", "red"),
    "changed": ("~", "yellow"),
    "appeared": ("?", "cyan"),
    "reverted": ("=", "dim"),
}
_MEANINGS: Final = {
    "appeared": "seen for the first time; it may have been there before",
    "reverted": "it changed, or came and went, on the way, and is as it was",
}


def print_estate(found: Estate, out: Console) -> None:
    """Print every endpoint and resource in production, by account, region and type."""
    if found.endpoints:
        out.print("[bold]endpoints[/]")
        for each in found.endpoints:
            out.print(f"  {_serving(each)}")
    for (account, region), of_place in groupby(found.resources, key=_place):
        out.print(f"[bold]{plain(_where(account, region))}[/]")
        for kind, of_type in groupby(of_place, key=lambda each: each.item.resource.type):
            _print_type(kind, list(of_type), out)


def _print_type(kind: str, found: list[Standing], out: Console) -> None:
    looked = max((each.state.last_looked or "" for each in found), default="")
    when = f"last looked at {moment(looked)}" if looked else "nobody has looked at all of them"
    out.print(f"  [cyan]{plain(kind)}[/]  [dim]{len(found):,}; {when}[/]")
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for each in found:
        table.add_row(
            f"    {plain(short_name(each.item.resource.name))}", moment(each.state.changed), short(each.item.digest())
        )
    out.print(table)


def _place(found: Standing) -> tuple[str, str]:
    return found.item.resource.account, found.item.resource.region


def _where(account: str, region: str) -> str:
    return " ".join(part for part in (account, region) if part) or "outside of any account"


def _serving(found: Serving) -> str:
    approved = f"  [dim]approved by {plain(found.approved_by)}[/]" if found.approved_by else ""
    model = f"serves {plain(short_name(found.model))}" if found.model else "serves nobody knows what"
    return f"{plain(found.revision.ref)}  {model}  [dim]since {moment(found.revision.time)}[/]{approved}"


def print_configured(found: Configured, out: Console) -> None:
    """Print one resource: how it stands, its last change, what it points to, its configuration."""
    item = found.item
    out.print(f"[bold]{plain(item.resource.type)}[/]  {plain(short_name(item.resource.name))}")
    print_state(item.resource.key, found.state, out)
    if found.state.state == "gone":
        out.print("[dim]what follows is what it was before[/]")
    if found.change is not None:
        since = "" if found.change.since is None else f"after {moment(found.change.since)}, "
        out.print(
            f"last change: {found.change.kind}, {since}seen {moment(found.change.until)}{_judged(found.judgement)}"
        )
        print_edits(found.change.edits, out, "  ")
    for each in item.relationships:
        out.print(f"  {plain(each.name)} [dim]--{plain(each.type)}-->[/] {plain(each.key)}")
    for name, value in item.tags.items():
        out.print(f"  [cyan]{plain(name)}[/] = {plain(value)}")
    text = json.dumps(item.configuration, indent=2, ensure_ascii=False, sort_keys=True)
    out.print(plain(text))


def _judged(judgement: Judgement | None) -> str:
    if judgement is None:
        return "  [dim]not judged yet: lineal explain[/]"
    who = f"  [dim]by[/] {plain(', '.join(judgement.principals))}" if judgement.principals else ""
    return f"{who}  {show_verdict(judgement.verdict)}"


def print_estate_difference(found: EstateDifference, out: Console) -> None:
    """Print what changed between two moments, endpoints first, then resources by account and region."""
    out.print(f"[dim]from {moment(found.since)} to {moment(found.until)}[/]")
    for endpoint in found.endpoints:
        _print_endpoint(endpoint, out)
    for (account, region), part in groupby(found.resources, key=lambda each: _place_of(each.resource)):
        out.print(f"[bold]{plain(_where(account, region))}[/]")
        for each in part:
            _print_resource(each, out)
    if not found.differs:
        out.print("nothing changed, as far as anybody looked", style="dim")


def _place_of(resource: Resource) -> tuple[str, str]:
    return resource.account, resource.region


def _print_endpoint(found: EndpointDifference, out: Console) -> None:
    before = "nothing" if found.before is None else found.before.revision.ref
    after = "nothing" if found.after is None else found.after.revision.ref
    out.print(f"[bold]endpoint:{plain(found.name)}[/]  {plain(before)} -> {plain(after)}")
    for each in found.deployed:
        who = f"  [dim]by[/] {plain(each.revision.actor or '-')}"
        out.print(f"  [green]+[/] {_serving(each)}{who}")
    if found.retired is not None:
        out.print(f"  [red]-[/] retired {moment(found.retired)}")


def _print_resource(found: ResourceDifference, out: Console) -> None:
    sign, colour = _SIGNS[found.what]
    of = found.resource
    meaning = f"  [dim]{_MEANINGS[found.what]}[/]" if found.what in _MEANINGS else ""
    out.print(f"  [{colour}]{sign}[/] {plain(of.type)} [bold]{plain(short_name(of.name))}[/]  {found.what}{meaning}")
    print_edits(found.edits, out, "      ")
    for step in found.steps:
        out.print(f"    {_step(step)}")
        now = None if step.judgement is None else step.judgement.verdict
        print_before(step.judged_before, now, out, "      ")


def _step(step: Step) -> str:
    change = step.change
    since = "nobody had looked before" if change.since is None else f"after {moment(change.since)}"
    doubt = "" if step.certain else " [yellow](perhaps before the first moment)[/]"
    return f"{change.kind} [dim]{since}, seen {moment(change.until)}[/]{doubt}{_judged(step.judgement)}"


def print_patches(found: EstateDifference, out: Console) -> None:
    """Print the patch of each resource that changed: one JSON object a line, with the key of the resource."""
    for each in found.resources:
        line = json.dumps({"resource": each.resource.key, "patch": each.patch()}, ensure_ascii=False)
        out.print(line, markup=False, soft_wrap=True)
