"""Moments as API events say them: CloudTrail writes those of requests as Java does, and services answer in ISO 8601."""

import re
from datetime import datetime
from typing import Final

# Whatever the locale.
_MONTHS: Final = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]
# "Mar 3, 2026 9:00:00 PM"; newer versions of Java put a comma after the year, and a narrow blank before the half day.
_JAVA: Final = re.compile(r"([A-Z][a-z]{2}) ([0-9]{1,2}), ([0-9]{4}),? ([0-9]{1,2}):([0-9]{2}):([0-9]{2})\s([AP])M")
_ISO: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?Z")


def is_same_moment(asked: str, seen: str) -> bool:
    """Return whether two texts are moments in UTC, and the same one: to the second, if a request says no more."""
    one, other = _read(asked), _read(seen)
    if one is None or other is None or one[0] != other[0]:
        return False
    return not one[1] or one[1] == other[1]


def _read(text: str) -> tuple[str, str] | None:
    """Return the second of a moment, and what of it has passed, as far as that is said; None for another text."""
    if (iso := _ISO.fullmatch(text)) is not None:
        return iso[1], (iso[2] or "").rstrip("0")
    said = _JAVA.fullmatch(text)
    if said is None or said[1] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(said[each]) for each in (2, 3, 4, 5, 6))
    try:
        found = datetime(year, _MONTHS.index(said[1]) + 1, day, hour % 12 + 12 * (said[7] == "P"), minute, second)  # noqa: DTZ001
    except ValueError:
        return None
    return found.isoformat(timespec="seconds"), ""
