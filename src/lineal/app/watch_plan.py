"""What a watcher does: which sources it collects, how often, and what it tells whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.errors import BadInput

EVERY: Final = 900
SETTLE: Final = 900

# What can be said of each source in a plan: the option, and whether it is a list of texts.
OPTIONS: Final[dict[str, dict[str, type]]] = {
    "aws": {
        "regions": list, "profiles": list, "roles": list, "external_id": str, "account": str, "only": list,
    },
    "aws-config": {"place": str},
    "cloudtrail": {"place": str, "lookup": bool, "regions": list, "accounts": list, "profile": str},
    "eventbridge": {"place": str},
    "files": {"paths": list, "cluster": str, "namespace": str},
    "git": {"repository": str},
    "kubernetes-audit": {"place": str, "cluster": str},
    "sagemaker": {"regions": list, "profiles": list, "only": list},
}  # fmt: skip
NEEDED: Final = {
    "aws-config": "place", "eventbridge": "place", "files": "paths", "git": "repository", "kubernetes-audit": "place",
}  # fmt: skip
_WORD: Final = {"aws": "regions", "cloudtrail": "place", "sagemaker": "regions", **NEEDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSource:
    """One source that is collected again and again; `name` tells it from the others, `every` is in seconds."""

    kind: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    every: int = EVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sources in the order of their collection, rules to check, addresses to notify; `settle` is in seconds."""

    sources: tuple[WatchedSource, ...]
    rules: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    settle: int = SETTLE


def read_words(words: tuple[str, ...], every: int) -> tuple[WatchedSource, ...]:
    """Return the sources that words name, ``KIND`` or ``KIND:WHERE``; raise `BadInput` for others.

    ``aws:eu-west-1``, ``cloudtrail:s3://BUCKET/PREFIX``, ``files:conf/``, ``git:https://…``.
    """
    found: list[WatchedSource] = []
    for word in words:
        kind, colon, where = word.partition(":")
        if kind not in OPTIONS:
            raise BadInput(f"no such source: {kind!r}", fix=f"One of {', '.join(OPTIONS)}, as in files:conf/.")
        if not where and (colon or kind in NEEDED):
            raise BadInput(f"{word!r} does not say what to look at", fix=f"Write {kind}:WHERE.")
        option = _WORD[kind]
        options: dict[str, Any] = {option: [where] if OPTIONS[kind][option] is list else where} if where else {}
        options |= {"lookup": True} if kind == "cloudtrail" and not where else {}
        found.append(WatchedSource(kind=kind, name=word, options=options, every=every))
    return check_names(tuple(found))


def check_names(sources: tuple[WatchedSource, ...]) -> tuple[WatchedSource, ...]:
    """Return `sources` if each has a name of its own; raise `BadInput` otherwise."""
    names = [source.name for source in sources]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"the source {twice!r} is named twice", fix="Name it once, or give one of them another name.")
    return sources
