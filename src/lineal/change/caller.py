"""What whoever made a call is called, and whether two names are those of one person."""

import re
import unicodedata
from functools import lru_cache
from typing import Any, Final

_BEHIND: Final = re.compile(r"(.+) \((.+)\)")


@lru_cache(maxsize=4096)
def names_of_caller(principal: str, session: str) -> tuple[str, ...]:
    """Return everything that whoever made a call is called: principal, its last word, session, and both together."""
    short = last_word(principal)
    if not session:
        return tuple(dict.fromkeys(filter(None, (principal, short))))
    parts: tuple[Any, ...] = ()
    if session[-1] == ")":  # a session that also says who is behind it: "deploy-7 (ana@bank.example)"
        behind = _BEHIND.fullmatch(session)
        parts = behind.groups() if behind is not None else ()
    found = (principal, short, session, f"{principal}/{session}", f"{short}/{session}", *parts)
    return tuple(dict.fromkeys(filter(None, found)))


@lru_cache(maxsize=4096)
def last_word(name: str) -> str:
    """Return what stands behind the last ``/`` or ``:`` of a name."""
    return name[max(name.rfind("/"), name.rfind(":")) + 1 :]


def person(name: str) -> str:
    """Return the spelling of a name that all spellings of it have: without case, width, outer blanks, unseen signs."""
    # ASCII has one width and no unseen signs, and its case folds by itself.
    return " ".join(name.lower().split()) if name.isascii() else _fold(name)


@lru_cache(maxsize=4096)
def _fold(name: str) -> str:
    seen = "".join(each for each in unicodedata.normalize("NFKC", name) if unicodedata.category(each) != "Cf")
    return " ".join(seen.casefold().split())
