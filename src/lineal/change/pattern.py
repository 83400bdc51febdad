"""Patterns of names: ``*`` is any text, ``?`` any one character, all else (brackets, too) itself."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache


def fits(patterns: Sequence[str], names: Iterable[str]) -> bool:
    """Return whether one of `names` is what one of `patterns` says; any is where there are no patterns."""
    return not patterns or any(_compiled(pattern).fullmatch(name) for name in names for pattern in patterns)


@lru_cache(maxsize=65536)
def _compiled(pattern: str) -> re.Pattern[str]:
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(each) or re.escape(each) for each in pattern), re.DOTALL)
