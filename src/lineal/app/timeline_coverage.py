"""When nobody looked, as rows: without them a timeline would say that nothing happened."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from lineal.app.estate_state import looks_at
from lineal.app.pointers import Thing
from lineal.app.session import Session
from lineal.app.timeline_row import GAP, Row
from lineal.catalog.graph import Moment
from lineal.change.watermark import Coverage, Trail
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.resource import Resource, read_arn
from lineal.core.span import Span

LONGEST: Final = timedelta(hours=24)
"""So long may pass between two complete looks before the time between them is told as a gap."""


def coverage_rows(
    session: Session,
    things: Sequence[Thing],
    items: Mapping[str, Sequence[ConfigItem]],
    looks: Sequence[Look],
    moment: Moment,
    whole: Span,
) -> Iterator[Row]:
    """Yield the gaps within `whole`: of the configuration of each type of thing, and of the trail where it lives.

    `items` are what was seen of each thing.
    """
    places: dict[tuple[str, str, str], tuple[Thing, Resource]] = {}
    for thing in things:
        held = items.get(thing.key)
        of = held[-1].resource if held else read_arn(thing.key)
        if thing.node is None and thing.only is None and of is not None:
            places.setdefault((of.account, of.region, of.type), (thing, of))
    yield from _together(places.values(), looks, whole)
    trail = Trail(session.configuration.trail(moment))
    told: set[tuple[str, str]] = set()
    for thing, of in places.values():
        if (of.account, of.region) not in told:
            told.add((of.account, of.region))
            yield from _holes(thing, of, trail.of(of.account, of.region, of.key), whole)


def _together(places: Collection[tuple[Thing, Resource]], looks: Sequence[Look], whole: Span) -> Iterator[Row]:
    """Yield the spans in which nobody looked, each once for all the types that it is so of, at the nearest thing."""
    found: dict[tuple[str, str, Span, str], list[tuple[Thing, Resource]]] = {}
    for thing, of in places:
        for span, how in _unseen(of, looks, whole):
            found.setdefault((of.account, of.region, span, how), []).append((thing, of))
    for (_, _, span, how), held in found.items():
        types = ", ".join(sorted(of.type for _, of in held))
        thing, of = min(held, key=lambda each: each[0].depth)
        yield _gap(thing, of, span, f"{how}: what became of {types} is not known")


def _unseen(of: Resource, looks: Sequence[Look], whole: Span) -> Iterator[tuple[Span, str]]:
    there = looks_at(of, looks)
    seen = sorted((each.began, each.ended) for each in there if each.complete)
    if not seen:
        if there:
            yield Span(there[0].began, there[-1].ended), "no look was complete"
        return
    end = seen[0][1]
    for began, ended in [*seen[1:], (whole.until, whole.until)]:
        if _is_long(end, began):
            in_part = any(end < each.ended <= began for each in there if not each.complete)
            yield Span(end, began), "looks were not complete" if in_part else "nobody looked"
        end = max(end, ended)


def _is_long(since: str, until: str) -> bool:
    return since < until and datetime.fromisoformat(until) - datetime.fromisoformat(since) > LONGEST


def _holes(thing: Thing, of: Resource, coverage: Coverage, whole: Span) -> Iterator[Row]:
    for lost in coverage.missing:
        why = f"the trail is missing: {lost.why}" if lost.why else "the trail is missing"
        yield replace(_gap(thing, of, Span(lost.since, lost.until), why), name="trail")
    told = sorted([*coverage.covered, *(Span(each.since, each.until) for each in coverage.missing)])
    if not told:
        return  # no trail was ever read: that is no hole in it
    for hole in replace(coverage, covered=tuple(told)).holes(told[0][0], whole.until):
        if hole.since < coverage.watermark or _is_long(hole.since, whole.until):
            span = Span(hole.since, min(hole.until, whole.until))
            yield replace(_gap(thing, of, span, "no trail was read"), name="trail")


def _gap(thing: Thing, of: Resource, span: Span, what: str) -> Row:
    return Row(
        time=span.since, until=span.until, kind=GAP, what=what, of=thing.key, name=thing.name, type=thing.type,
        depth=thing.depth, where=" ".join(part for part in (of.account, of.region) if part),
    )  # fmt: skip
