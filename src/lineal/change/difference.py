"""The difference of two configurations, field by field: one walk over both, elements of lists found by their names.

Values differ as JSON has it: ``true`` is not ``1``, ``"1"`` is not ``1``, null is not absence. Which lists are keyed,
which are sets, and where order counts, the table of types says; see `kinds`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from marshal import dumps
from operator import attrgetter
from typing import Any, Final

from lineal.change.kinds import Kind, Node, kind_of
from lineal.core.change import Edit, Path

ORDER: Final = "#order"
"""The end of a path that stands for the order of a keyed list."""

_NOTHING: Final = Node()
_ABSENT: Final = object()
_TEXTS: Final = {str}
_PATH: Final = attrgetter("path")


@dataclass(frozen=True, slots=True)
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
    walk = _Walk(kind_of(kind))
    _compare_objects(old, new, walk.kind.root, False, None, walk)
    if walk.one and not _write_alike(walk.one, walk.other) and not _alike_lists(walk.one, walk.other):
        walk = _Walk(walk.kind, trusting=False)
        _compare_objects(old, new, walk.kind.root, False, None, walk)
    walk.edits.sort(key=_PATH)
    return tuple(walk.edits)


def same(one: Any, other: Any) -> bool:
    """Return whether two documents are the same to the last value, as JSON has it."""
    if type(one) is not type(other) or one != other:
        return False
    return type(one) not in (dict, list) or _write_alike(one, other) or _alike_lists([one], [other])


def _write_alike(one: Any, other: Any) -> bool:
    """Return whether two documents that Python takes for equal are certainly the same: true is 1 to it.

    What marshal writes tells the two apart, many times faster than a walk does. It never says that documents are the
    same that are not; of the same it may say that they are not, by how many places refer to one text.
    """
    try:
        return dumps(one) == dumps(other)
    except ValueError:
        return False


def _alike_objects(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two objects that Python takes for equal are the same: only numbers and truth can deceive it."""
    for name, a in one.items():
        kind = type(a)
        if kind is str:
            continue
        b = other[name]
        if kind is dict:
            if not _alike_objects(a, b):
                return False
        elif kind is not type(b) or (kind is list and not _alike_lists(a, b)):
            return False
    return True


def _alike_lists(one: list[Any], other: list[Any]) -> bool:
    for a, b in zip(one, other, strict=True):
        kind = type(a)
        if kind is dict:
            if not _alike_objects(a, b):
                return False
        elif kind is not type(b) or (kind is list and not _alike_lists(a, b)):
            return False
    return True


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


@dataclass(slots=True)
class _Walk:
    """One walk over two documents: what it finds, and with `trusting` what it took for the same since Python does."""

    kind: Kind
    trusting: bool = True
    edits: list[Edit] = field(default_factory=list)
    one: list[Any] = field(default_factory=list)
    other: list[Any] = field(default_factory=list)

    def passes(self, a: Any, b: Any) -> bool:
        """Return whether two objects, or two lists, are the same, or are taken for it."""
        if a != b:
            return False
        if self.trusting:
            self.one.append(a)
            self.other.append(b)
            return True
        return _alike_lists([a], [b])

    def say(self, op: str, path: Any, old: Any = None, new: Any = None, at: int | None = None) -> None:
        self.edits.append(Edit(op, _unfold(path), old, new, at))


def _unfold(link: Any) -> Path:
    """Return the path that a chain of (the path above, a key) stands for: only what differs needs one."""
    keys: list[str] = []
    while link is not None:
        link, key = link
        keys.append(key)
    return tuple(reversed(keys))


def _compare_objects(
    old: dict[str, Any], new: dict[str, Any], node: Node, ordered: bool, link: Any, walk: _Walk
) -> None:
    children, every = node.children, node.every or _NOTHING
    met = 0
    for name, a in old.items():
        b = new.get(name, _ABSENT)
        if b is _ABSENT:
            walk.say("remove", (link, name), old=a)
            continue
        met += 1
        kind = type(a)
        if kind is str:
            if a != b:
                walk.say("replace", (link, name), a, b)
        elif kind is not type(b):
            walk.say("replace", (link, name), a, b)
        elif kind is dict or kind is list:
            # Most are the same: that is found out many times faster than what is in them.
            if not walk.passes(a, b):
                child = children.get(name, every)
                compare = _compare_objects if kind is dict else _compare_lists
                compare(a, b, child, ordered or child.ordered, (link, name), walk)
        elif a != b:
            walk.say("replace", (link, name), a, b)
    if met != len(new):
        for name, b in new.items():
            if name not in old:
                walk.say("add", (link, name), new=b)


def _compare_lists(old: list[Any], new: list[Any], node: Node, ordered: bool, link: Any, walk: _Walk) -> None:
    if node.unordered and is_set(node, old, new):
        _compare_sets(old, new, link, walk)
        return
    found = match(old, new, node, walk.kind, ordered) if type((old or new)[0]) is dict else None
    if found is None:
        _compare_places(old, new, node.every or _NOTHING, ordered, link, walk)
    else:
        _compare_named(found, node.every or _NOTHING, ordered, link, walk)


def _compare_named(found: Keyed, node: Node, ordered: bool, link: Any, walk: _Walk) -> None:
    old, new = found.old, found.new
    met = 0
    for name, a in old.items():
        b = new.get(name)
        if b is not None:
            met += 1
            if not walk.passes(a, b):
                _compare_objects(a, b, node, ordered, (link, name), walk)
        elif found.free:
            walk.say("remove", (link, name), old=a)
    if met != len(new) and found.free:
        for name, b in new.items():
            if name not in old:
                walk.say("add", (link, name), new=b)
    if not found.free and (met != len(old) or list(old) != list(new)):
        _compare_order(old, new, link, walk)


def _compare_order(old: dict[str, Any], new: dict[str, Any], link: Any, walk: _Walk) -> None:
    """Say what came, what went, and whether what stayed stands in another order."""
    for at, (name, a) in enumerate(old.items()):
        if name not in new:
            walk.say("remove", (link, name), old=a, at=at)
    for at, (name, b) in enumerate(new.items()):
        if name not in old:
            walk.say("add", (link, name), new=b, at=at)
    before, after = [name for name in old if name in new], [name for name in new if name in old]
    if before != after:
        walk.say("replace", (link, ORDER), before, after)


def _compare_sets(old: list[Any], new: list[Any], link: Any, walk: _Walk) -> None:
    """Say which values came and went; a value that stands twice in one of them is there twice."""
    left: dict[tuple[str, str], list[Any]] = {}
    for value in old:
        left.setdefault(rank(value), []).append(value)
    for value in new:
        held = left.get(rank(value))
        if held:
            held.pop()
        else:
            walk.say("add", (link, spell_value(value)), new=value)
    for held in left.values():
        for value in held:
            walk.say("remove", (link, spell_value(value)), old=value)


def _compare_places(old: list[Any], new: list[Any], node: Node, ordered: bool, link: Any, walk: _Walk) -> None:
    """Compare two lists place by place; where they differ in length, after what is the same at both ends."""
    start, surplus = 0, len(new) - len(old)
    end = min(len(old), len(new))
    if surplus:
        while start < end and same(old[start], new[start]):
            start += 1
        while end > start and same(old[end - 1 - min(surplus, 0)], new[end - 1 + max(surplus, 0)]):
            end -= 1
    for n in range(start, end):
        a, b = old[n], new[n]
        kind = type(a)
        if kind is not type(b):
            walk.say("replace", (link, str(n)), a, b)
        elif kind is dict or kind is list:
            if not walk.passes(a, b):
                compare = _compare_objects if kind is dict else _compare_lists
                compare(a, b, node, ordered, (link, str(n)), walk)
        elif a != b:
            walk.say("replace", (link, str(n)), a, b)
    for n in range(end, end - surplus):
        walk.say("remove", (link, str(n)), old=old[n], at=n)
    for n in range(end, end + surplus):
        walk.say("add", (link, str(n)), new=new[n], at=n)


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
