"""Which files of AWS Config were read: remembered by days and months, so that years of files take little room.

Of each day (account, region, day in the key) that was read whole, the digest of the names and tags of its files; of
each month of which every day was, one digest in their place. A day in which a file could not be read is not remembered,
and so is tried again.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lineal.sources.aws_config_record_place import PlaceFile

_DAY: Final = re.compile(r"(?P<month>(?:.*/)?[0-9]{4}/[0-9]{1,2})/[0-9]{1,2}/")


def unread(files: list[PlaceFile], covered: Mapping[str, Any]) -> list[PlaceFile]:
    """Return those of `files` that stand in a day of which not exactly these files were read."""
    known = covered.get("read", {})
    skipped: set[str] = set()
    for group in (_months(files), _days(files)):
        for name, members in group.items():
            if known.get(name) == _digest(members):
                skipped.update(each.key for each in members)
    return [each for each in files if each.key not in skipped]


def remember(files: list[PlaceFile], failed: set[str]) -> dict[str, Any]:
    """Return what is to be remembered after all of `files` but the `failed` ones (keys) were read, now or before."""
    days, months = _days(files), _months(files)
    whole = {name for name, members in days.items() if not any(each.key in failed for each in members)}
    newest = max(months, key=_order, default="")
    found: dict[str, str] = {}
    for name, members in months.items():
        inner = {_day_of(each.key) for each in members}
        if name != newest and inner <= whole and name not in days:
            found[name] = _digest(members)
        else:
            found.update({day: _digest(days[day]) for day in sorted(inner & whole)})
    return {"read": found, "files": len(files), "failed": len(failed)}


def _days(files: Iterable[PlaceFile]) -> dict[str, list[PlaceFile]]:
    found: dict[str, list[PlaceFile]] = {}
    for each in files:
        found.setdefault(_day_of(each.key), []).append(each)
    return found


def _months(files: Iterable[PlaceFile]) -> dict[str, list[PlaceFile]]:
    found: dict[str, list[PlaceFile]] = {}
    for each in files:
        match = _DAY.match(each.key)
        found.setdefault(match["month"] if match else _day_of(each.key), []).append(each)
    return found


def _day_of(key: str) -> str:
    match = _DAY.match(key)
    return match[0].rstrip("/") if match else key.rpartition("/")[0] or "."


def _order(name: str) -> tuple[int, ...]:
    numbers = re.findall(r"/?([0-9]+)", name)
    return tuple(map(int, numbers[-2:]))


def _digest(members: list[PlaceFile]) -> str:
    found = hashlib.sha256()
    for each in sorted(members, key=lambda each: each.key):
        found.update(f"{each.key}\0{each.tag}\n".encode("utf-8", "surrogateescape"))
    return f"{len(members)}:{found.hexdigest()[:16]}"
