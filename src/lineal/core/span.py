"""Spans of time between two canonical moments, the end excluded."""

from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """From `since` on until just before `until`."""

    since: str
    until: str


def overlap(one: tuple[str, str], other: tuple[str, str]) -> Span | None:
    """Return the time that two spans have in common, None if there is none."""
    both = Span(max(one[0], other[0]), min(one[1], other[1]))
    return both if both.since < both.until else None


def merge(spans: Iterable[tuple[str, str]]) -> list[Span]:
    """Return `spans` in order, those that touch or overlap as one; empty ones are dropped."""
    merged: list[Span] = []
    for began, ended in sorted(spans):
        if ended <= began:
            continue
        if merged and began <= merged[-1].until:
            merged[-1] = Span(merged[-1].since, max(merged[-1].until, ended))
        else:
            merged.append(Span(began, ended))
    return merged


def without(spans: Iterable[tuple[str, str]], holes: Iterable[tuple[str, str]]) -> list[Span]:
    """Return what is left of `spans` when `holes` are cut out of them, apart and in order."""
    cut = merge(holes)
    left: list[Span] = []
    for began, ended in merge(spans):
        at = began
        for since, until in cut:
            if until <= at or since >= ended:
                continue
            if since > at:
                left.append(Span(at, since))
            at = max(at, until)
        if at < ended:
            left.append(Span(at, ended))
    return left


def add(spans: list[Span], new: Span) -> bool:
    """Add `new` to `spans`, which are apart and in order, and return whether it says anything new."""
    if new.until <= new.since or any(each.since <= new.since and new.until <= each.until for each in spans):
        return False
    spans[:] = merge([*spans, new])
    return True
