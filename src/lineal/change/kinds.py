"""Kinds of resources: what counts in the configuration of each type, read from ``types.yaml`` beside this file.

The table says which fields are volatile, how the elements of lists are known, where order says nothing, and what a
service sets by itself, each with its source. Paths of the table are compiled into a tree that is walked beside the
document.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from lineal.core.change import Path as FieldPath
from lineal.core.digest import Digest

TABLE: Final = Path(__file__).with_name("types.yaml").read_bytes()
VERSION: Final = Digest.of(TABLE).hex[:16]

_DOT: Final = re.compile(r"(?<!\\)\.")
_WORDS: Final = frozenset(
    {"volatile", "keys", "sets", "ordered", "texts", "tags", "managed", "auto", "order", "source"}
)


@dataclass(slots=True, eq=False)
class Node:
    """What the table says of one field, and of the `children` below it; `every` holds of the children it names not.

    `keys` are the fields by which elements of a list are known (None: nothing is said), `free` that the order of such
    a list says nothing; `unordered` marks a set of values, `ordered` that order counts from here down, `text` a JSON
    document as text, `tags` what says again what the tags of the item say. What follows from that for the children is
    known beforehand: that one may be volatile (`filters`) or a text (`reads`), that one, or one below, says tags
    (`tagged`).
    """

    children: dict[str, "Node"] = field(default_factory=dict)
    every: "Node | None" = None
    volatile: bool = False
    keys: tuple[str, ...] | None = None
    unordered: bool = False
    ordered: bool = False
    text: bool = False
    tags: bool = False
    filters: bool = False
    reads: bool = False
    tagged: bool = False


@dataclass(frozen=True, slots=True)
class Manager:
    """A service that sets fields of a resource by itself: `paths` (patterns), as whom and by which calls.

    `principals` are patterns of the ARN (or, for Kubernetes, the name) of whoever calls, `via` names of services as
    ``invokedBy`` says them, `actions` names of calls. `source` says where that is written. `unasked` says when it does
    so without any call (see ``types.yaml``).
    """

    paths: tuple[tuple[str, ...], ...]
    principals: tuple[str, ...]
    via: tuple[str, ...]
    actions: tuple[str, ...]
    source: str
    unasked: Mapping[str, Any] | None = None

    def covers(self, path: FieldPath) -> bool:
        """Return whether the field at `path`, or one that holds it, is the service's to set."""
        return any(
            len(each) <= len(path) and all(fnmatchcase(have, want) for have, want in zip(path, each, strict=False))
            for each in self.paths
        )


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """What the table says of one type of resource: a tree of its fields, and how its lists are taken by default.

    `auto` are the fields that make known the elements of a list that the table does not name, the first that fits;
    `free` says that the order of such lists says nothing.
    """

    root: Node
    auto: tuple[str, ...]
    free: bool
    managers: tuple[Manager, ...]


@lru_cache(maxsize=1024)
def kind_of(kind: str) -> Kind:
    """Return what the table says of the type `kind`: entries whose pattern fits it, then its own entry."""
    entries = _entries()
    fitting = [name for name in entries if "*" in name and fnmatchcase(kind, name)]
    fitting.sort(key=len)  # the widest first: the narrower has the last word
    if kind in entries and kind not in fitting:
        fitting.append(kind)
    root = Node()
    auto: tuple[str, ...] = ()
    free = True
    managers: list[Manager] = []
    for name in fitting:
        entry = entries[name]
        auto = tuple(entry["auto"]) if "auto" in entry else auto
        free = entry["order"] == "free" if "order" in entry else free
        managers += [_read_manager(each) for each in entry.get("managed", ())]
        for node in _reach_all(root, name, entry.get("volatile", ())):
            node.volatile = True
        for node in _reach_all(root, name, entry.get("sets", ())):
            node.unordered = True
        for node in _reach_all(root, name, entry.get("ordered", ())):
            node.ordered = True
        for node in _reach_all(root, name, entry.get("texts", ())):
            node.text = True
        for node in _reach_all(root, name, entry.get("tags", ())):
            node.tags = True
        for path, keys in entry.get("keys", {}).items():
            for spelled, named in zip(_spell(name, path), _spell(name, keys), strict=True):
                _reach(root, spelled).keys = tuple(named.split(","))
    _settle(root)
    _sum_up(root)
    return Kind(root, auto, free, tuple(managers))


def managers_of(kind: str, path: FieldPath) -> tuple[Manager, ...]:
    """Return the services that may set the field at `path` of a resource of the type `kind` by themselves."""
    return tuple(each for each in kind_of(kind).managers if each.covers(path))


def split_path(text: str) -> tuple[str, ...]:
    r"""Return the keys of a path of the table: parts between dots, where ``\.`` is a dot within a key."""
    return tuple(each.replace("\\.", ".") for each in _DOT.split(text))


@lru_cache(maxsize=1)
def _entries() -> dict[str, dict[str, Any]]:
    import yaml  # here, not above: most commands read no table

    found: dict[str, dict[str, Any]] = yaml.load(TABLE, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    for name, entry in found.items():
        if odd := entry.keys() - _WORDS:
            raise ValueError(f"types.yaml: {name} has {', '.join(sorted(odd))}, which no entry has")
    return found


def _read_manager(entry: Mapping[str, Any]) -> Manager:
    principals, via, actions = (tuple(entry.get(name, ())) for name in ("principals", "via", "actions"))
    paths = tuple(split_path(each) for each in entry["paths"])
    return Manager(paths, principals, via, actions, entry["source"], entry.get("unasked"))


def _reach_all(root: Node, name: str, paths: Iterable[str]) -> Iterator[Node]:
    for path in paths:
        for spelled in _spell(name, path):
            yield _reach(root, spelled)


def _spell(name: str, words: str) -> tuple[str, ...]:
    """Return a path, or keys, of the entry `name` in every spelling: AWS Config begins most with small letters."""
    if not name.startswith("AWS::"):
        return (words,)
    return words, re.sub(r"(?<![A-Za-z])[A-Z]", lambda found: found[0].lower(), words)


def _reach(node: Node, path: str) -> Node:
    """Return the node at `path` below `node`, made where it is not there yet."""
    for name in split_path(path):
        if name == "*":
            node.every = node.every or Node()
            node = node.every
        else:
            node = node.children.setdefault(name, Node())
    return node


def _settle(node: Node) -> None:
    """Let what is said of every child hold of those with a name, too, so that one look-up finds all of it."""
    if node.every is not None:
        for child in node.children.values():
            _merge(child, node.every)
        _settle(node.every)
    for child in node.children.values():
        _settle(child)


def _sum_up(node: Node) -> None:
    below = [*node.children.values(), *([] if node.every is None else [node.every])]
    for child in below:
        _sum_up(child)
    node.filters = any(child.volatile for child in below)
    node.reads = any(child.text for child in below)
    node.tagged = any(child.tags or child.tagged for child in node.children.values())


def _merge(into: Node, other: Node) -> None:
    into.keys = into.keys or other.keys
    for name in ("volatile", "unordered", "ordered", "text", "tags"):
        setattr(into, name, getattr(into, name) or getattr(other, name))
    _adopt(into.children, other.children.items())
    if other.every is not None:
        into.every = into.every or Node()
        _merge(into.every, other.every)


def _adopt(into: dict[str, Node], children: Iterable[tuple[str, Node]]) -> None:
    for name, child in children:
        _merge(into.setdefault(name, Node()), child)
