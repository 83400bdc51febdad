"""Prefixes that stand for one version each: ``…/v=3/``, ``…/dt=2026-03-01/``, ``…/2026/03/01/``.

A pipeline that gives each version of a dataset a prefix of its own promises never to write to it again. Where the
promise shows in the name, it can be held against what lies there later.
"""

import re
from typing import Final

_HIVE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)=([^/=]+)")
_DATE: Final = re.compile(r"(\d{4})-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?:[T_-]?\d{2}(?:[:-]?\d{2}){0,2}Z?)?")
_VERSION: Final = re.compile(r"v(?:ersion)?[-_.]?(\d+(?:\.\d+)*)", re.IGNORECASE)
_SPLIT_DATE: Final = re.compile(r"(?:^|/)(\d{4})/(0[1-9]|1[0-2])(?:/(0[1-9]|[12]\d|3[01]))?$")


def partition_of(key: str) -> dict[str, str] | None:
    """Return what the end of a prefix says of its version, None if nothing: ``scheme``, ``value`` and perhaps ``key``.

    The scheme is ``hive`` (``dt=2026-03-01``; of several levels, all of them), ``date`` or ``version``.
    """
    folder = key.rstrip("/")
    levels: list[tuple[str, str]] = []
    for segment in reversed(folder.split("/")):
        match = _HIVE.fullmatch(segment)
        if match is None:
            break
        levels.insert(0, (match[1], match[2]))
    if levels:
        return {
            "scheme": "hive",
            "key": "/".join(name for name, _ in levels),
            "value": "/".join(value for _, value in levels),
        }
    if split := _SPLIT_DATE.search(folder):
        return {"scheme": "date", "value": "-".join(part for part in split.groups() if part)}
    last = folder.rpartition("/")[2]
    if _DATE.fullmatch(last):
        return {"scheme": "date", "value": last}
    if match := _VERSION.fullmatch(last):
        return {"scheme": "version", "value": match[1]}
    return None
