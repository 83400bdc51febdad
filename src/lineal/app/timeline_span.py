"""Spans of time between two canonical moments, the end excluded."""

from typing import Final, NamedTuple

from lineal.catalog.graph import FOREVER


class Span(NamedTuple):
    """From `since` on until just before `until`."""

    since: str
    until: str


ALWAYS: Final = Span("", FOREVER)


def overlap(one: Span, other: Span) -> Span | None:
    """Return the time that two spans have in common, None if there is none."""
    both = Span(max(one.since, other.since), min(one.until, other.until))
    return both if both.since < both.until else None


def add_span(spans: list[Span], new: Span) -> bool:
    """Add `new` to `spans`, which are apart and in order, and return whether it says anything new."""
    if any(each.since <= new.since and new.until <= each.until for each in spans):
        return False
    since, until = new
    for each in [each for each in spans if each.since <= until and since <= each.until]:
        since, until = min(since, each.since), max(until, each.until)
        spans.remove(each)
    spans.append(Span(since, until))
    spans.sort()
    return True
