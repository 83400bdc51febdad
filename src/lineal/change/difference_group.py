"""Differences that many resources show at once: what a service added to all of them is one thing to know, not many."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lineal.change.kinds import Node, kind_of
from lineal.change.semantic import TAGS
from lineal.core import canonical
from lineal.core.change import Change, Path

FEWEST: Final = 3
"""How many resources must show the same for it to be the service's doing."""


@dataclass(frozen=True, slots=True)
class SchemaDrift:
    """Fields that resources of one `type` gained at once, each with the same value: its service says more now.

    `fields` are the paths with the values, ``*`` for the name of an element of a keyed list; `changes` are those that
    say nothing else; they all fit into one moment after `since`, by `until`.
    """

    type: str
    fields: tuple[tuple[Path, Any], ...]
    changes: tuple[Change, ...]
    since: str | None
    until: str


def group_drift(changes: Iterable[Change], fewest: int = FEWEST) -> list[SchemaDrift]:
    """Return what of `changes` looks like a new field of a service, and no act of anybody.

    That is: at least `fewest` resources of a type gained the same fields with the same values, and nothing else, and
    their windows have a moment in common, as those of one run of a collector have. Tags are people's: those never are.
    """
    alike: dict[tuple[str, bytes], tuple[tuple[tuple[Path, Any], ...], list[Change]]] = {}
    for change in changes:
        fields = _gained(change)
        if fields:
            key = (change.type, canonical.encode([[list(path), value] for path, value in fields]))
            alike.setdefault(key, (fields, []))[1].append(change)
    found = [
        SchemaDrift(kind, fields, together, _latest(together), min(each.until for each in together))
        for (kind, _), (fields, held) in alike.items()
        for together in _split(held)
        if len({each.resource for each in together}) >= fewest
    ]
    return sorted(found, key=lambda each: (each.until, each.type, [path for path, _ in each.fields]))


def _gained(change: Change) -> tuple[tuple[Path, Any], ...]:
    """Return the fields that a change adds, in order, none if it does anything else."""
    if change.kind != "updated" or any(each.op != "add" or each.path[0] == TAGS for each in change.edits):
        return ()
    root = kind_of(change.type).root
    found = {(_widen(each.path, root), canonical.encode(each.new)): each.new for each in change.edits}
    return tuple((path, found[path, value]) for path, value in sorted(found))


def _widen(path: Path, node: Node) -> Path:
    """Return a path with ``*`` in the place of the names of elements, as far as the table knows the lists."""
    said: list[str] = []
    for name in path:
        said.append("*" if node.keys is not None else name)
        node = node.children.get(name) or node.every or Node()
    return tuple(said)


def _split(changes: Sequence[Change]) -> list[tuple[Change, ...]]:
    """Return the changes in groups whose windows have a moment in common."""
    left = sorted(changes, key=lambda each: each.until)
    groups: list[tuple[Change, ...]] = []
    while left:
        first, rest = left[0], left[1:]
        groups.append((first, *(each for each in rest if (each.since or "") < first.until)))
        left = [each for each in rest if (each.since or "") >= first.until]
    return groups


def _latest(changes: Sequence[Change]) -> str | None:
    return max((each.since for each in changes if each.since is not None), default=None)
