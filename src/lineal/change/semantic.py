"""What counts in a configuration item: its configuration without volatile fields, in one order, and the digest of that.

Two items of a resource with the same digest say the same; the order of sets and of keyed lists whose order is free
makes no difference, nor does the spelling of a JSON document that a field holds as text.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from marshal import dumps
from typing import Any, Final
from urllib.parse import unquote

from lineal.change.difference import is_set, name_members, rank
from lineal.change.exact import Frozen, hold
from lineal.change.kinds import VERSION, Kind, Node, kind_of
from lineal.core import canonical
from lineal.core.config_item import ConfigItem
from lineal.core.digest import Digest
from lineal.core.plain import DEEPEST
from lineal.errors import NotCanonical

RULES: Final = f"semantic/1 types@{VERSION}"
"""The version of what counts: of the rules, and of the table of types."""

TAGS: Final = "tags"
"""The key under which the tags of an item stand beside its configuration."""

_NOTHING: Final = Node()
_LIMIT: Final = 2**53
_TEXTS: Final = {str}
_SIGNS: Final = ("{", "[", "%7B", "%5B", "%7b", "%5b")


def with_semantic(item: ConfigItem) -> ConfigItem:
    """Return `item` with its semantic digest; of what is gone or was not recorded there is none."""
    return replace(item, semantic=digest_of(item) if item.status == "ok" else None)


def digest_of(item: ConfigItem) -> str:
    """Return the digest of what counts in `item`; raise `NotCanonical` if that has no canonical spelling."""
    return str(Digest.of(canonical.encode(_strip(item, _Way(kind_of(item.resource.type))))))


def strip(item: ConfigItem) -> dict[str, Any]:
    """Return what counts in `item`: its configuration and, under ``tags``, its tags.

    Where the configuration has a key of that name, tags stand under ``#tags``; where they are read from the
    configuration (see the table), they are there alone. Nothing in it is part of the item.
    """
    return _strip(item, _Way(kind_of(item.resource.type), copies=True))


def freeze(item: ConfigItem, frozen: Frozen) -> dict[str, Any]:
    """Return what `strip` does, to be compared by `difference.diff_frozen`: once for all comparisons.

    `frozen` is of the item's type; what was frozen with it before is found again. The document may hold parts of the
    item, which must not be changed as long as it is in use.
    """
    return _strip(item, _Way(frozen.kind, frozen=frozen))


@dataclass(slots=True)
class _Way:
    """How to strip: `copies` all of it, or only what holds something that changes; freezes it if `frozen` is given.

    `within` says that this is about a part that is kept.
    """

    kind: Kind
    copies: bool = False
    frozen: Frozen | None = None
    within: bool = False

    def hold(self, value: Any) -> Any:
        """Return a value without parts, which is no text, as it stands in the document."""
        if self.frozen is None or type(value) is int or value is None:
            return value
        self.frozen.holds = True
        return hold(value)


def _strip(item: ConfigItem, way: _Way) -> dict[str, Any]:
    configuration, root = item.configuration, way.kind.root
    found = _strip_object(configuration, root, False, way)
    if item.tags and not (root.tagged and _says_tags(configuration, root)):
        # Beside a key of the same name, not over it: then nothing is lost.
        found = {**found, (TAGS if TAGS not in configuration else f"#{TAGS}"): dict(item.tags)}
    return found


def _strip_object(value: dict[str, Any], node: Node, ordered: bool, way: _Way) -> dict[str, Any]:
    children, every, reads, frozen = node.children, node.every or _NOTHING, node.reads, way.frozen
    found = value
    if node.filters:
        found = {name: each for name, each in value.items() if not children.get(name, every).volatile}
    elif way.copies:
        found = value.copy()
    for name, each in found.items():
        kind = type(each)
        if kind is str:
            if not reads:
                continue
            child = children.get(name, every)
            new = _strip_text(each, child, ordered or child.ordered, way) if child.text else each
        elif kind is dict:
            child = children.get(name, every)
            new = _strip_object(each, child, ordered or child.ordered, way)
        elif kind is list:
            child = children.get(name, every)
            new = _strip_list(each, child, ordered or child.ordered, way)
        elif kind is int or frozen is None:
            continue
        else:
            new = way.hold(each)
        if new is not each:
            if found is value:
                found = value.copy()
            found[name] = new
    return found


def _strip_text(value: str, node: Node, ordered: bool, way: _Way) -> Any:
    found = read_text(value)
    if type(found) is dict:
        return _strip_object(found, node, ordered, way)
    return _strip_list(found, node, ordered, way) if type(found) is list else found


def _strip_list(value: list[Any], node: Node, ordered: bool, way: _Way) -> list[Any]:
    if node.unordered and is_set(node, value):
        return [each if type(each) is str else way.hold(each) for each in _sort(value)]
    child = node.every or _NOTHING
    below = ordered or child.ordered
    strip_object = _strip_object
    if len(value) > 1 and way.frozen is not None and not way.within and type(value[0]) is dict:
        # Here much is as it was before: most elements, or all of a list of objects that have no parts.
        if _is_flat(value[0]):
            kept: list[Any] = _keep(value, node, ordered, way, _strip_list)
            return kept
        strip_object = _keep_object
    found = value.copy() if way.copies else value
    new: Any
    for n, each in enumerate(value):
        kind = type(each)
        if kind is dict:
            new = strip_object(each, child, below, way)
        elif kind is list:
            new = _strip_list(each, child, below, way)
        elif kind is not str:
            new = way.hold(each)
        elif child.text:
            new = _strip_text(each, child, below, way)
        else:
            continue
        if new is not each:
            if found is value:
                found = value.copy()
            found[n] = new
    if len(found) > 1 and type(found[0]) is dict and (way.frozen is not None or not ordered):
        return _name(found, node, ordered, way)
    return found


def _is_flat(value: dict[str, Any]) -> bool:
    kinds = set(map(type, value.values()))
    return dict not in kinds and list not in kinds


def _keep_object(value: dict[str, Any], node: Node, ordered: bool, way: _Way) -> dict[str, Any]:
    found: dict[str, Any] = _keep(value, node, ordered, way, _strip_object)
    return found


def _keep(value: Any, node: Node, ordered: bool, way: _Way, strip_part: Callable[[Any, Node, bool, _Way], Any]) -> Any:
    """Return a part as it is frozen: the same object as before, if the very same was frozen before."""
    assert way.frozen is not None  # noqa: S101  # who calls this has looked
    try:
        key = (id(node), ordered, dumps(value))
    except ValueError:
        return strip_part(value, node, ordered, way)
    found = way.frozen.parts.get(key)
    if found is None:
        way.within = True
        found = way.frozen.parts[key] = strip_part(value, node, ordered, way)
        way.within = False
    return found


def _name(elements: list[Any], node: Node, ordered: bool, way: _Way) -> list[Any]:
    """Return the elements of a list in the order of their names, if they have any and order is free."""
    named = name_members(elements, node, way.kind, ordered)
    if named is None:
        return elements
    # In any case another list: one may stand at two places of an item, where the table says something else of each.
    named.elements = [named.members[name] for name in sorted(named.members)] if named.free else elements.copy()
    if way.frozen is not None:
        way.frozen.names[id(named.elements)] = named
    return named.elements


def _sort(values: list[Any]) -> list[Any]:
    return sorted(values) if set(map(type, values)) == _TEXTS else sorted(values, key=rank)


def _says_tags(configuration: dict[str, Any], node: Node) -> bool:
    """Return whether the tags of an item stand in its configuration, where the table says."""
    for name, child in node.children.items():
        if name in configuration:
            below = configuration[name]
            if child.tags or (child.children and type(below) is dict and _says_tags(below, child)):
                return True
    return False


def read_text(text: str) -> Any:
    """Return the JSON document that `text` holds, plain or escaped as in URLs, else the text itself.

    Decimals become text, as everywhere; what has no canonical spelling, or a key twice, stays text.
    """
    if not text.lstrip().startswith(_SIGNS):
        return text
    try:
        spelled = unquote(text) if text.lstrip().startswith("%") else text
        found = json.loads(
            spelled, parse_float=_spell_float, parse_int=_read_int, parse_constant=str, object_pairs_hook=_read_pairs
        )
        canonical.encode(found)
    except (ValueError, RecursionError, NotCanonical):
        return text
    return found if _is_shallow(found, DEEPEST) else text


def _spell_float(text: str) -> str:
    return canonical.decimal(float(text))


def _read_int(text: str) -> int | str:
    value = int(text) if len(text) < 18 else _LIMIT
    return value if -_LIMIT < value < _LIMIT else text


def _read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _is_shallow(value: Any, depth: int) -> bool:
    if type(value) is dict:
        value = list(value.values())
    if type(value) is not list:
        return True
    return depth > 0 and all(_is_shallow(each, depth - 1) for each in value)
