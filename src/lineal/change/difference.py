"""The difference of two configurations, field by field: one walk over both, elements of lists found by their names.

Values differ as JSON has it: ``true`` is not ``1``, ``"1"`` is not ``1``, null is not absence. Which lists are keyed,
which are sets, and where order counts, the table of types says; see `kinds`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from lineal.change.exact import Frozen, Named, are_alike, freeze, thaw
from lineal.change.kinds import Kind, Node, kind_of
from lineal.core.change import Edit, Path

ORDER: Final = "#order"
"""The end of a path that stands for the order of a keyed list."""

_NOTHING: Final = Node()
_ABSENT: Final = object()
_TEXTS: Final = {str}
_AS_THEY_ARE: Final = frozenset({str, int, type(None)})
_PATH: Final = attrgetter("path")


@dataclass(slots=True)
class Keyed:
    """Two lists of objects whose elements are known by name: those of each by theirs, and whether order is free."""

    old: dict[str, Any]
    new: dict[str, Any]
    free: bool


def diff(old: dict[str, Any], new: dict[str, Any], kind: str = "") -> tuple[Edit, ...]:
    """Return how `new` differs from `old`, configurations of a resource of the type `kind`, by path.

    All of both is compared, volatile fields too: `semantic.strip` takes those away first. Nothing is returned exactly
    when both are the same up to the order of sets and of keyed lists whose order is free.
    """
    # What Python takes for equal is trusted to be the same, and looked at afterwards, all at once.
    walk = _Walk(kind_of(kind), {}, [])
    _compare(old, new, walk)
    if walk.one and not are_alike(walk.one, walk.other):
        return diff_frozen(freeze(old), freeze(new), Frozen(kind_of(kind), holds=True))
    return tuple(walk.edits)


def diff_frozen(old: dict[str, Any], new: dict[str, Any], frozen: Frozen) -> tuple[Edit, ...]:
    """Return what `diff` does of two documents that were frozen with `frozen` (see `semantic.freeze`): much faster."""
    walk = _Walk(frozen.kind, frozen.names, None)
    _compare(old, new, walk)
    return tuple(map(_thaw, walk.edits) if frozen.holds else walk.edits)


def match(old: list[Any], new: list[Any], node: Node, kind: Kind, ordered: bool) -> Keyed | None:
    """Return the elements of two lists by name, None where they have none; `ordered` says that order counts here.

    They are known by the `keys` that the table gives the list, else by the first of `auto` that every one has as a
    text of its own.
    """
    if node.keys is not None:
        found = _name_both(old, new, node.keys)
        if found is not None:
            return Keyed(*found, free=not ordered)
    first, other = (old or new)[0], (new or old)[0]
    if type(first) is dict and type(other) is dict:
        for name in kind.auto:
            if name in first and name in other:
                found = _name_both(old, new, (name,))
                if found is not None:
                    return Keyed(*found, free=kind.free and not ordered)
    return None


def name_members(elements: list[Any], node: Node, kind: Kind, ordered: bool) -> Named | None:
    """Return what `match` says of a list beside itself, whose first element is an object."""
    if node.keys is not None:
        found = _name_each(elements, node.keys)
        if found is not None:
            return Named(elements, node.keys, found, free=not ordered)
    for name in kind.auto:
        if name in elements[0]:
            found = _name_each(elements, (name,))
            if found is not None:
                return Named(elements, (name,), found, free=kind.free and not ordered)
    return None


def is_set(node: Node, *lists: Sequence[Any]) -> bool:
    """Return whether `lists` are sets of values: where the table says so, and nothing in them has parts."""
    return node.unordered and not any(type(each) in (dict, list) for elements in lists for each in elements)


def spell_value(value: Any) -> str:
    """Return how a value of a set stands in a path: text as it is, anything else as JSON spells it."""
    if type(value) is bool:
        return "true" if value else "false"
    return "null" if value is None else str(value)


def rank(value: Any) -> tuple[str, str]:
    """Return where a value of a set stands among the others; different values, as JSON has it, never stand alike."""
    return type(value).__name__, str(value)


class _Walk:
    """One walk over two documents, and what it finds: `edits` whose values are as frozen as the documents are.

    Frozen documents are the same where Python says so. Of others it is kept what Python said of in `one` and `other`;
    `one` is None if they are frozen. `names` are the members of lists that are known, by the `id` of the list. `todo`
    are objects yet to be compared, and members of lists: both, what the table says, whether order counts, and where.
    """

    __slots__ = ("edits", "kind", "names", "one", "other", "todo")

    def __init__(self, kind: Kind, names: dict[int, Named], one: list[Any] | None) -> None:
        self.kind, self.names, self.one = kind, names, one
        self.other: list[Any] = []
        self.edits: list[Edit] = []
        self.todo: list[tuple[dict[str, Any], dict[str, Any], Node, bool, Path]] = []

    def trust(self, a: Any, b: Any) -> None:
        if self.one is not None:
            self.one.append(a)
            self.other.append(b)


def _compare(old: dict[str, Any], new: dict[str, Any], walk: _Walk) -> None:
    """Find all edits, in the order of their paths."""
    todo, edits, is_frozen = walk.todo, walk.edits, walk.one is None
    todo.append((old, new, walk.kind.root, False, ()))
    while todo:
        old, new, node, ordered, path = todo.pop()
        gone = 0
        for name, a in old.items():
            try:
                b = new[name]
            except KeyError:
                gone += 1
                edits.append(Edit("remove", (*path, name), a))
                continue
            if a == b:  # most are: that is found out many times faster than what is in them
                if not is_frozen and type(a) is not str:
                    walk.trust(a, b)
                continue
            kind = type(a)
            if kind is str or kind is not type(b) or (kind is not dict and kind is not list):
                edits.append(Edit("replace", (*path, name), a, b))
                continue
            child = node.children.get(name) or node.every or _NOTHING
            if kind is dict:
                todo.append((a, b, child, ordered or child.ordered, (*path, name)))
            else:
                _compare_lists(a, b, child, ordered or child.ordered, (*path, name), walk)
        if len(old) - gone != len(new):
            for name, b in new.items():
                if name not in old:
                    edits.append(Edit("add", (*path, name), None, b))
    edits.sort(key=_PATH)


def _compare_lists(old: list[Any], new: list[Any], node: Node, ordered: bool, path: Path, walk: _Walk) -> None:
    one, other = walk.names.get(id(old)), walk.names.get(id(new))
    if one is not None and other is not None and one.by == other.by:
        names, others, free = one.members, other.members, one.free
    elif node.unordered and is_set(node, old, new):
        return _compare_sets(old, new, path, walk)
    else:
        found = match(old, new, node, walk.kind, ordered) if type((old or new)[0]) is dict else None
        if found is None:
            return _compare_places(old, new, node.every or _NOTHING, ordered, path, walk)
        names, others, free = found.old, found.new, found.free
    if not free and list(names) != list(others):
        _compare_order(names, others, path, walk)
        names = {name: each for name, each in names.items() if name in others}
        others = {name: each for name, each in others.items() if name in names}
    # Members are compared as if they were fields of an object.
    walk.todo.append((names, others, Node(every=node.every) if node.children else node, ordered, path))
    return None


def _compare_order(old: dict[str, Any], new: dict[str, Any], path: Path, walk: _Walk) -> None:
    """Say what came, what went, and whether what stayed stands in another order."""
    for at, (name, a) in enumerate(old.items()):
        if name not in new:
            walk.edits.append(Edit("remove", (*path, name), a, None, at))
    for at, (name, b) in enumerate(new.items()):
        if name not in old:
            walk.edits.append(Edit("add", (*path, name), None, b, at))
    before, after = [name for name in old if name in new], [name for name in new if name in old]
    if before != after:
        walk.edits.append(Edit("replace", (*path, ORDER), before, after))


def _compare_sets(old: list[Any], new: list[Any], path: Path, walk: _Walk) -> None:
    """Say which values came and went; a value that stands twice in one of them is there twice."""
    left: dict[tuple[str, str], list[Any]] = {}
    for value in map(thaw, old):
        left.setdefault(rank(value), []).append(value)
    for value in map(thaw, new):
        held = left.get(rank(value))
        if held:
            held.pop()
        else:
            walk.edits.append(Edit("add", (*path, spell_value(value)), None, value))
    for held in left.values():
        for value in held:
            walk.edits.append(Edit("remove", (*path, spell_value(value)), value))


def _compare_places(old: list[Any], new: list[Any], node: Node, ordered: bool, path: Path, walk: _Walk) -> None:
    """Compare two lists place by place; where they differ in length, after what is the same at both ends."""
    start, surplus = 0, len(new) - len(old)
    end = min(len(old), len(new))
    if surplus:
        while start < end and old[start] == new[start]:
            start += 1
        while end > start and old[end - 1 - min(surplus, 0)] == new[end - 1 + max(surplus, 0)]:
            end -= 1
        if walk.one is not None:
            for n in range(start):
                walk.trust(old[n], new[n])
            for n in range(end, min(len(old), len(new))):
                walk.trust(old[n - min(surplus, 0)], new[n + max(surplus, 0)])
    for n in range(start, end):
        a, b = old[n], new[n]
        kind = type(a)
        if a == b:
            walk.trust(a, b)
        elif kind is not type(b) or (kind is not dict and kind is not list):
            walk.edits.append(Edit("replace", (*path, str(n)), a, b))
        elif kind is dict:
            walk.todo.append((a, b, node, ordered, (*path, str(n))))
        else:
            _compare_lists(a, b, node, ordered, (*path, str(n)), walk)
    for n in range(end, end - surplus):
        walk.edits.append(Edit("remove", (*path, str(n)), old[n], None, n))
    for n in range(end, end + surplus):
        walk.edits.append(Edit("add", (*path, str(n)), None, new[n], n))


def _name_both(old: list[Any], new: list[Any], keys: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    one = _name_each(old, keys)
    other = one if old is new or one is None else _name_each(new, keys)
    return None if one is None or other is None else (one, other)


def _name_each(elements: list[Any], keys: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the elements by the values of their `keys`, None where one has no name, or two have the same."""
    first, more = keys[0], keys[1:]
    try:
        found: dict[str, Any] = {each[first]: each for each in elements}
    except (TypeError, KeyError):
        return None
    if more or set(map(type, found)) != _TEXTS:
        found = {}
        for each in elements:
            parts = [each[first], *(each.get(key, "") for key in more)]
            if any(type(part) not in (str, int) for part in parts):
                return None
            found["/".join(map(str, parts))] = each
    return found if len(found) == len(elements) and ORDER not in found else None


def _thaw(edit: Edit) -> Edit:
    """Return an edit that was found in frozen documents with the values that it stands for."""
    if type(edit.old) in _AS_THEY_ARE and type(edit.new) in _AS_THEY_ARE:
        return edit
    return Edit(edit.op, edit.path, thaw(edit.old), thaw(edit.new), edit.at)
