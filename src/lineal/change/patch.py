"""A difference as a JSON Patch (RFC 6902), which any tool can apply: pointers (RFC 6901) by place in place of names."""

from dataclasses import dataclass, field
from typing import Any, Final

from lineal.change.difference import ORDER, Keyed, is_set, match, rank
from lineal.change.kinds import Kind, Node, kind_of
from lineal.core.change import Edit

_NOTHING: Final = Node()
_LAST: Final = "-"
_Place = tuple[str | int, ...]


def to_patch(old: dict[str, Any], new: dict[str, Any], edits: tuple[Edit, ...], kind: str = "") -> list[dict[str, Any]]:
    """Return the operations that make `new` of `old`, where `edits` is what `diff` said of them as the type `kind`.

    Lists whose order is free may come out in another order; everything else is as in `new`.
    """
    found = _Finder(old, new, kind_of(kind))
    patch: list[dict[str, Any]] = []
    changed: dict[_Place, _List] = {}
    for edit in edits:
        place, held = found.find(edit)
        if held is None:
            patch.append(_operation(edit.op, place, edit.new))
        else:
            changed.setdefault(place, held).edits.append(edit)
    # Places are those of the old document: what moves elements of a list comes after everything within them.
    for place in sorted(changed, key=len, reverse=True):
        patch += changed[place].operations(place)
    return patch


def point(place: _Place) -> str:
    """Return a JSON pointer: each key and index after a slash (RFC 6901, 3)."""
    return "".join("/" + str(each).replace("~", "~0").replace("/", "~1") for each in place)


@dataclass(slots=True)
class _List:
    """A list whose elements come, go or move: `names` if they are known by name, `values` if it is a set."""

    old: list[Any]
    names: Keyed | None
    values: bool
    places: dict[str, int]
    edits: list[Edit] = field(default_factory=list)

    def operations(self, place: _Place) -> list[dict[str, Any]]:
        gone = sorted(self._places_gone(), reverse=True)
        found = [_operation("remove", (*place, at)) for at in gone]
        for edit in self.edits:
            if edit.op == "replace":
                found += _moves(place, edit.old, edit.new)
        come = [each for each in self.edits if each.op == "add"]
        if not self.values and (self.names is None or not self.names.free):
            come.sort(key=lambda each: each.at or 0)
            return found + [_operation("add", (*place, each.at or 0), each.new) for each in come]
        return found + [_operation("add", (*place, _LAST), each.new) for each in come]

    def _places_gone(self) -> list[int]:
        gone = [each for each in self.edits if each.op == "remove"]
        if not gone:
            return []
        if self.values:
            places: dict[tuple[str, str], list[int]] = {}
            for at, value in enumerate(self.old):
                places.setdefault(rank(value), []).append(at)
            return [places[rank(each.old)].pop() for each in gone]
        return [self.place_of(each.path[-1]) for each in gone]

    def place_of(self, name: str) -> int:
        """Return where the element that a path calls `name` stands in the old list."""
        return int(name) if self.names is None else self.places[name]


class _Finder:
    """Finds what edits mean in the two documents that they were found in; each list is read once."""

    def __init__(self, old: dict[str, Any], new: dict[str, Any], kind: Kind) -> None:
        self._old, self._new, self._kind = old, new, kind
        self._lists: dict[_Place, _List] = {}

    def find(self, edit: Edit) -> tuple[_Place, _List | None]:
        """Return the place of what an edit changes in the old document; of an element that comes, goes or moves, the
        place of its list, and the list.
        """
        old: Any = self._old
        new: Any = self._new
        node, ordered = self._kind.root, False
        place: _Place = ()
        last = len(edit.path) - 1
        for depth, name in enumerate(edit.path):
            step: str | int = name
            if isinstance(old, list):
                held = self._read(place, old, new, node, ordered)
                if depth == last and (edit.op != "replace" or name == ORDER):
                    return place, held
                step = held.place_of(name)
                old, new = old[step], new[step] if held.names is None else held.names.new[name]
                node = node.every or _NOTHING
            else:
                if depth < last:
                    old, new = old[name], new[name]
                node = node.children.get(name, node.every or _NOTHING)
            ordered = ordered or node.ordered
            place = (*place, step)
        return place, None

    def _read(self, place: _Place, old: list[Any], new: list[Any], node: Node, ordered: bool) -> _List:
        if place not in self._lists:
            values = is_set(node, old, new)
            keyed = type((old or new)[0]) is dict and not values
            names = match(old, new, node, self._kind, ordered) if keyed else None
            places = {} if names is None else {name: at for at, name in enumerate(names.old)}
            self._lists[place] = _List(old, names, values, places)
        return self._lists[place]


def _moves(place: _Place, before: list[str], after: list[str]) -> list[dict[str, Any]]:
    """Return the moves that bring what stayed in a list, and nothing else is in it any more, into its new order."""
    now = list(before)
    found: list[dict[str, Any]] = []
    for at, name in enumerate(after):
        if now[at] != name:
            have = now.index(name, at)
            now.insert(at, now.pop(have))
            found.append({"op": "move", "from": point((*place, have)), "path": point((*place, at))})
    return found


def _operation(op: str, place: _Place, value: Any = None) -> dict[str, Any]:
    found = {"op": op, "path": point(place)}
    return found if op == "remove" else {**found, "value": value}
