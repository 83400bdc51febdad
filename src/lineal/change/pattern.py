"""Patterns of names: ``*`` is any text, ``?`` any one character, all else (brackets, too) itself."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache


def fits(patterns: Sequence[str], names: Iterable[str]) -> bool:
    """Return whether one of `names` is what one of `patterns` says; any is where there are no patterns."""
    if not patterns:
        return True
    exact, wide = _compiled(tuple(patterns))
    for name in names:
        if name in exact:
            return True
        for each in wide:
            if each.fullmatch(name):
                return True
    return False


@lru_cache(maxsize=65536)
def _compiled(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[re.Pattern[str], ...]]:
    """Return the patterns that are names themselves, and those that may mean several, ready to be matched."""
    wide = [each for each in dict.fromkeys(patterns) if "*" in each or "?" in each]
    return frozenset(patterns).difference(wide), tuple(map(_read, wide))


def _read(pattern: str) -> re.Pattern[str]:
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(each) or re.escape(each) for each in pattern), re.DOTALL)
