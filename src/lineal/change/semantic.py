"""What counts in a configuration item: its configuration without volatile fields, in one order, and the digest of that.

Two items of a resource with the same digest say the same; the order of sets and of keyed lists whose order is free
makes no difference, nor does the spelling of a JSON document that a field holds as text.
"""

import json
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote

from lineal.change.difference import is_set, match, rank
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
_SIGNS: Final = ("{", "[", "%7B", "%5B", "%7b", "%5b")


def with_semantic(item: ConfigItem) -> ConfigItem:
    """Return `item` with its semantic digest; of what is gone or was not recorded there is none."""
    return replace(item, semantic=digest_of(item) if item.status == "ok" else None)


def digest_of(item: ConfigItem) -> str:
    """Return the digest of what counts in `item`; raise `NotCanonical` if that has no canonical spelling."""
    return str(Digest.of(canonical.encode(strip(item))))


def strip(item: ConfigItem) -> dict[str, Any]:
    """Return what counts in `item`: its configuration and, under ``tags``, its tags.

    Where the configuration has a key of that name, tags stand under ``#tags``; where they are read from the
    configuration (see the table), they are there alone.
    """
    kind = kind_of(item.resource.type)
    found = _strip_object(item.configuration, kind.root, kind, False)
    if item.tags and not _says_tags(item.configuration, kind.root):
        # Beside a key of the same name, not over it: then nothing is lost.
        found[TAGS if TAGS not in item.configuration else f"#{TAGS}"] = dict(item.tags)
    return found


def _strip_object(value: dict[str, Any], node: Node, kind: Kind, ordered: bool) -> dict[str, Any]:
    children, every = node.children, node.every or _NOTHING
    found: dict[str, Any] = {}
    for name, each in value.items():
        child = children.get(name, every)
        if child.volatile:
            continue
        if type(each) is dict or type(each) is list or child.text:
            each = _strip_value(each, child, kind, ordered or child.ordered)
        found[name] = each
    return found


def _strip_value(value: Any, node: Node, kind: Kind, ordered: bool) -> Any:
    if type(value) is str and node.text:
        value = read_text(value)
    if type(value) is dict:
        return _strip_object(value, node, kind, ordered)
    if type(value) is not list or not value:
        return value
    if node.unordered and is_set(node, value):
        return sorted(value, key=rank)
    child = node.every or _NOTHING
    stripped = [
        _strip_value(each, child, kind, ordered) if type(each) in (dict, list) or child.text else each for each in value
    ]
    if len(stripped) == 1 or ordered or type(stripped[0]) is not dict:
        return stripped
    found = match(stripped, stripped, node, kind, ordered)
    return [found.old[name] for name in sorted(found.old)] if found is not None and found.free else stripped


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
