"""Moments in time as text: RFC 3339, UTC, six decimals, so that text order is time order."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from lineal.errors import BadInput, BadTime

_CANONICAL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_SPAN: Final = re.compile(r"([0-9]+)\s*(s|m|h|d|w|seconds?|minutes?|hours?|days?|weeks?)\s+ago")
_LENGTH: Final = re.compile(r"(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?")
_LONGEST: Final = 7 * 86400
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def spell(moment: datetime) -> str:
    """Return `moment` (aware) as ``2026-11-23T10:32:11.123456Z``.

    Raises `BadTime` if it has no time zone, or lies outside of the years 1 to 9999 in UTC.
    """
    if moment.tzinfo is None:
        raise BadTime(f"a moment without a time zone: {moment}")
    try:
        return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    except OverflowError as error:
        raise BadTime(f"no year that can be written: {moment}") from error


def next_after(text: str) -> str:
    """Return the moment after the canonical `text`, the least that a record can tell from it: a microsecond later."""
    return spell(datetime.fromisoformat(text) + timedelta(microseconds=1))


@lru_cache(maxsize=65536)
def shift(text: str, seconds: int = 0, *, minutes: int = 0, hours: int = 0, days: int = 0) -> str:
    """Return the moment so long after the canonical `text`, before it if negative; `text` where there is no such."""
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    try:
        return spell(datetime.fromisoformat(text) + span)
    except OverflowError:
        return text


@lru_cache(maxsize=1024)
def check(text: str) -> str:
    """Return `text` if it is a moment in its canonical spelling; raise `BadTime` otherwise."""
    if _CANONICAL.fullmatch(text) is None:
        raise BadTime(f"not a canonical moment: {text!r}")
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise BadTime(f"no such moment: {text!r}") from error
    return text


def read(text: str, now: datetime) -> str:
    """Return the canonical spelling of a moment as a person writes it.

    Takes ISO 8601 dates and date-times (without a zone: UTC), ``now``, and spans such as ``2h ago``, counted from
    `now`. Raises `BadTime` for anything else.
    """
    words = text.strip()
    if words == "now":
        return spell(now)
    span = _SPAN.fullmatch(words)
    try:
        if span is not None:
            return spell(now - timedelta(seconds=int(span[1]) * _SECONDS[span[2][0]]))
        moment = datetime.fromisoformat(words)
        return spell(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise BadTime(f"not a moment in time: {text!r}") from error


def read_length(text: object, what: str, least: int = 1) -> int:
    """Return the seconds of a length of time such as ``15m``, ``1h30m``, ``90s``, at least `least` and at most 7 days.

    Raises `BadInput`, which names `what`, for anything else.
    """
    words = text.strip() if isinstance(text, str) else ""
    match = _LENGTH.fullmatch("0s" if words == "0" else words)
    if match is None or not any(match.groups()):
        raise BadInput(f"{what} is not a span of time: {text!r}", fix="Write 90s, 15m, 6h, 1d or 1h30m.")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    found = days * 86400 + hours * 3600 + minutes * 60 + seconds
    if not least <= found <= _LONGEST:
        raise BadInput(f"{what} is out of bounds: {text}", fix=f"Between {least}s and 7d.")
    return found
