"""When nobody looked, as rows: without them a timeline would say that nothing happened."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from lineal.app.pointers import Thing
from lineal.app.session import Session
from lineal.app.timeline_row import GAP, Row
from lineal.app.timeline_span import Span, without
from lineal.catalog.graph import Moment
from lineal.core.coverage import Look, TrailSpan
from lineal.core.resource import read_arn

LONGEST: Final = timedelta(hours=24)
"""So long may pass between two complete looks before the time between them is told as a gap."""

Place = tuple[str, str, str]


def coverage_rows(
    session: Session, things: Sequence[Thing], moment: Moment, looks: Sequence[Look], whole: Span
) -> Iterator[Row]:
    """Yield the gaps within `whole`: of the configuration of each type of thing, and of the trail where it lives."""
    resources = [thing for thing in things if thing.node is None and thing.only is None]
    places: dict[Place, Thing] = {}
    for thing in resources:
        known = read_arn(thing.key)
        if known is not None:
            places.setdefault((known.account, known.region, known.type), thing)
    for place, thing in places.items():
        yield from _unseen(place, thing, looks, whole)
    trail = session.configuration.trail(moment)
    for account, region in dict.fromkeys((account, region) for account, region, _ in places):
        thing = next(each for place, each in places.items() if place[:2] == (account, region))
        yield from _holes([each for each in trail if each.account == account and each.region == region], thing, whole)


def _unseen(place: Place, thing: Thing, looks: Sequence[Look], whole: Span) -> Iterator[Row]:
    account, region, kind = place
    of = [
        each for each in looks if each.account == account and each.region in (region, "") and each.type in (kind, "*")
    ]
    seen = sorted((each.began, each.ended) for each in of if each.complete)
    if not seen:
        if of:
            yield _gap(thing, Span(of[0].began, of[-1].ended), f"no look at {kind} was complete", place)
        return
    end = seen[0][1]
    for began, ended in [*seen[1:], (whole.until, whole.until)]:
        if _longer(end, began):
            partial = any(end < each.ended <= began for each in of if not each.complete)
            how = "only in part" if partial else "at all"
            yield _gap(thing, Span(end, began), f"nobody looked at {kind} {how}", place)
        end = max(end, ended)


def _longer(since: str, until: str) -> bool:
    return since < until and datetime.fromisoformat(until) - datetime.fromisoformat(since) > LONGEST


def _holes(trail: Sequence[TrailSpan], thing: Thing, whole: Span) -> Iterator[Row]:
    for each in trail:
        if each.missing:
            yield _gap(
                thing, Span(each.since, each.until), f"the trail is missing: {each.why or 'nobody knows why'}", None
            )
    covered = [Span(each.since, each.until) for each in trail]
    if not covered:
        return
    for hole in without(Span(min(covered).since, whole.until), covered):
        if _longer(*hole) or hole.until != whole.until:
            yield _gap(thing, hole, "no trail was read", None)


def _gap(thing: Thing, span: Span, what: str, place: Place | None) -> Row:
    known = read_arn(thing.key)
    where = "" if known is None else " ".join(part for part in (known.account, known.region) if part)
    return Row(
        time=span.since, until=span.until, kind=GAP, what=what, of=thing.key,
        name="trail" if place is None else thing.name, type=thing.type, depth=thing.depth, where=where,
    )  # fmt: skip
