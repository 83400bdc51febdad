"""Spans of time of a trail, as pairs of canonical moments, their ends excluded."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from lineal.core import timestamp

Span = tuple[str, str]


def merge(spans: Iterable[Span]) -> list[Span]:
    """Return `spans` in order, those that touch or overlap as one; empty ones are dropped."""
    merged: list[Span] = []
    for began, ended in sorted(spans):
        if ended <= began:
            continue
        if merged and began <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ended))
        else:
            merged.append((began, ended))
    return merged


def without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """Return what is left of `spans` when `holes` are cut out of them, apart and in order."""
    cut: Sequence[Span] = merge(holes)
    left: list[Span] = []
    for began, ended in merge(spans):
        at = began
        for since, until in cut:
            if until <= at or since >= ended:
                continue
            if since > at:
                left.append((at, since))
            at = max(at, until)
        if at < ended:
            left.append((at, ended))
    return left


def shift(moment: str, **span: float) -> str:
    """Return the canonical moment that is a span (``hours=-6``) away; the moment itself where there is no such."""
    try:
        return timestamp.spell(datetime.fromisoformat(moment) + timedelta(**span))
    except OverflowError:
        return moment
