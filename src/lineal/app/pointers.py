"""What a name stands for and, from there, what that points to and when: endpoint, configuration, model, package, image.

Two records are joined here: the graph (what served, what it was made of) and the configuration of resources (what each
says that it uses). Foreign names join them: an ARN names a revision of an endpoint as well as a resource.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from lineal.app.pointers_back import find_belonging, held
from lineal.app.pointers_image import image_keys, tag_in
from lineal.app.session import Session
from lineal.catalog import tables
from lineal.catalog.graph import FOREVER, Moment
from lineal.catalog.reader import NodeView
from lineal.core import path, ref
from lineal.core.config_item import ConfigItem
from lineal.core.event_type import DEPLOYED, RETIRED
from lineal.core.resource import MAX_KEY, key_of, read_arn
from lineal.core.span import Span, add, overlap
from lineal.errors import AmbiguousRef, BadRef, UnknownRef
from lineal.ledger.database import chunks

DEPTH: Final = 6
MOST: Final = 2000
ALWAYS: Final = Span("", FOREVER)
_DATA: Final = frozenset({"S3"})
_PARTS: Final = frozenset({"model", "container", "file"})
_MADE_OF: Final = ("derived_from", "same_as")


@dataclass(slots=True, kw_only=True)
class Thing:
    """One thing that is spoken of: a resource (`key`) or a recorded version (`node`), and when it counted (`spans`).

    `depth` is how many pointers lead to it. `only` names the part of its configuration that is pointed to (the tag of
    a repository), None for all of it.
    """

    key: str
    name: str
    type: str
    depth: int
    node: NodeView | None = None
    only: tuple[str, ...] | None = None
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Named:
    """What a name stands for: recorded versions, and keys of resources."""

    nodes: tuple[NodeView, ...]
    keys: tuple[str, ...]


def find_named(session: Session, text: str, moment: Moment) -> Named:
    """Return what `text` names: of an artifact every version, also of what is over.

    It may be any reference, an ARN, the key of a resource, ``TYPE/NAME`` or the name of a resource alone. Raises
    `UnknownRef`, `BadRef`, and `AmbiguousRef` for several.
    """
    failure: BadRef | UnknownRef | None = None
    nodes: tuple[NodeView, ...] = ()
    try:
        nodes = tuple(_nodes_named(session, text, moment))
    except (BadRef, UnknownRef) as error:
        failure = error
    keys = find_resources(session, text, moment)
    if not nodes and not keys:
        raise failure if failure is not None else UnknownRef(f"nothing is recorded as {text}")
    return Named(nodes, keys)


def find_resources(session: Session, text: str, moment: Moment) -> tuple[str, ...]:
    """Return the key of the resource that `text` names, none if there is none; raise `AmbiguousRef` for several."""
    if not text.isprintable() or not 0 < len(text) <= MAX_KEY:
        return ()
    configuration = session.configuration
    key = key_of(text)
    found = configuration.resources_named(key) or configuration.resources_named(path.spell(key.encode()))
    if not found and configuration.events([key], moment=moment):
        return (key,)  # a trail speaks of it, though nobody looked at it
    if len(found) > 1:
        raise AmbiguousRef(
            f"{text} names {len(found)} resources: {', '.join(found[:8])}", fix="Give the key of one, or its ARN."
        )
    return tuple(found)


def _nodes_named(session: Session, text: str, moment: Moment) -> Iterator[NodeView]:
    catalog = session.catalog
    named = ref.parse(text)
    if isinstance(named, ref.ArtifactRef):
        found = catalog.of_artifact(named.kind, named.name, moment)
        if not found:
            catalog.resolve(text, moment)  # raises with the names most like it
        yield from found
        return
    view = catalog.resolve(text, moment)
    if isinstance(named, ref.ForeignRef) and view.kind == "endpoint":
        yield from catalog.of_artifact("endpoint", view.name, moment)
    else:
        yield view


def follow(session: Session, named: Named, moment: Moment, *, depth: int = DEPTH) -> tuple[list[Thing], bool]:
    """Return what `named` stands for and all that it points to, nearest first; and whether there was too much of it.

    A thing counts while it was pointed to. `depth` bounds the pointers, 0 follows none.
    """
    walk = _Walk(session, moment)
    for view in named.nodes:
        walk.reach_node(view, ALWAYS, 0)
    for key in named.keys:
        walk.reach_resource(key, ALWAYS, 0)
    walk.join(0)
    for level in range(1, depth + 1):
        if not walk.step(level):
            break
        walk.join(level)
    return sorted(walk.things.values(), key=lambda each: (each.depth, each.key)), walk.full


class _Walk:
    """A search by levels: what was reached anew at one level points to what is reached at the next."""

    def __init__(self, session: Session, moment: Moment) -> None:
        self.things: dict[tuple[str, tuple[str, ...] | None], Thing] = {}
        self.full = False
        self._session, self._catalog, self._moment = session, session.catalog, moment
        self._configuration = session.configuration
        self._read: dict[str, list[ConfigItem]] = {}
        self._new_nodes: dict[int, tuple[NodeView, list[Span]]] = {}
        self._new_keys: dict[str, list[Span]] = {}

    def reach_node(self, view: NodeView, span: Span, depth: int) -> None:
        """Note that a recorded version counts in `span`."""
        if self._reach(Thing(key=view.canonical, name=view.ref, type=view.kind, depth=depth, node=view), span):
            self._new_nodes.setdefault(view.id, (view, []))[1].append(span)

    def reach_resource(
        self, key: str, span: Span, depth: int, kind: str = "", only: tuple[str, ...] | None = None
    ) -> None:
        """Note that a resource counts in `span`."""
        known = read_arn(key)
        name, of = (known.name, known.type) if known is not None else (key.rpartition("/")[2] or key, kind)
        if self._reach(Thing(key=key, name=name, type=kind or of, depth=depth, only=only), span):
            self._new_keys.setdefault(key, []).append(span)

    def _reach(self, thing: Thing, span: Span) -> bool:
        """Return whether this says anything new."""
        place = (thing.key, thing.only)
        if place not in self.things and len(self.things) >= MOST:
            self.full = True
            return False
        return add(self.things.setdefault(place, thing).spans, span)

    def join(self, depth: int) -> None:
        """Reach, from what is new, what has the same foreign name on the other side."""
        nodes, keys = dict(self._new_nodes), dict(self._new_keys)
        for number, alias in _aliases(self._session, nodes, self._moment):
            if read_arn(alias) is not None:
                for span in nodes[number][1]:
                    self.reach_resource(key_of(alias), span, depth)
        names = {name: key for key, items in self._items(keys).items() for name in _foreign(key, items)}
        names.update({key: key for key in keys})
        for alias, views in self._catalog.with_aliases(sorted(names), self._moment).items():
            for view in views:
                if view.time is not None and view.kind in {*_PARTS, "endpoint", "run"}:
                    for span in keys[names[alias]]:
                        self.reach_node(view, span, depth)

    def step(self, depth: int) -> bool:
        """Reach what the new things point to; return whether there were any."""
        nodes, self._new_nodes = self._new_nodes, {}
        keys, self._new_keys = self._new_keys, {}
        for view, spans in nodes.values():
            for part, span in self._parts(view):
                for each in spans:
                    if (both := overlap(each, span)) is not None:
                        self.reach_node(part, both, depth)
        for key, items in self._items(keys).items():
            for item, span in held(items):
                for each in keys[key]:
                    if (both := overlap(each, span)) is not None:
                        self._point(item, both, depth)
        for key, found, span in find_belonging(self._session, keys, self._moment):
            for each in keys[key]:
                if (both := overlap(each, span)) is not None:
                    self.reach_resource(found, both, depth)
        return bool(self._new_nodes or self._new_keys)

    def _point(self, item: ConfigItem, span: Span, depth: int) -> None:
        for one in item.relationships:
            if one.type in _DATA or one.key.startswith("s3://"):
                continue  # data have versions of their own: lineal trace
            if (images := image_keys(one.type, one.key)) is not None:
                for key, kind, only in images:
                    self.reach_resource(key, span, depth, kind, only)
                self._point_tag(images, span, depth)
                continue
            self.reach_resource(key_of(one.key), span, depth, "" if read_arn(one.key) else one.type)

    def _point_tag(self, images: Sequence[tuple[str, str, tuple[str, ...] | None]], span: Span, depth: int) -> None:
        """Reach the images that a tag of a repository named in `span`, as far as its configuration tells."""
        for key, _, only in images:
            if only is not None:
                for item, held_in in held(self._items([key]).get(key, [])):
                    image, both = tag_in(item, only), overlap(span, held_in)
                    if image is not None and both is not None:
                        self.reach_resource(image, both, depth)

    def _items(self, keys: Iterable[str]) -> dict[str, list[ConfigItem]]:
        wanted = list(keys)
        unread = [key for key in wanted if key not in self._read]
        self._read.update(
            {key: [] for key in unread} | self._configuration.items(unread, self._moment) if unread else {}
        )
        return {key: self._read[key] for key in wanted if self._read[key]}

    def _parts(self, view: NodeView) -> Iterator[tuple[NodeView, Span]]:
        """Yield what a revision of an endpoint served, and what a model was made of."""
        catalog = self._catalog
        if view.kind == "endpoint":
            span = _served(self._session, view, self._moment)
            runs = [source for source, _, kind in catalog.edges_of(view.id, self._moment) if kind == "deployed"]
            edges = [edge for run in runs for edge in catalog.edges_of(run, self._moment) if edge[2] == "used"]
        elif view.kind == "model":
            span = ALWAYS
            edges = [each for each in catalog.edges_of(view.id, self._moment) if each[2] in _MADE_OF]
            edges = [each for each in edges if each[1] == view.id]
        else:
            return
        parts = catalog.views([source for source, _, _ in edges], self._moment)
        for part in parts.values():
            fixed = part.kind != "file" or "endpoint-config" in part.name
            if part.kind in _PARTS and fixed and part.time is not None:
                yield part, span


def _served(session: Session, view: NodeView, moment: Moment) -> Span:
    """Return from when to when a revision of an endpoint served."""
    facts = session.catalog.facts([view.id], moment)
    began = next((each.time for each in facts if each.type == DEPLOYED), view.time or "")
    ends = [each.time for each in facts if each.type == RETIRED]
    later = [each.time or "" for each in session.catalog.of_artifact("endpoint", view.name, moment)]
    ends += [each for each in later if each > began]
    return Span(began, min(ends, default=FOREVER))


def _foreign(key: str, items: Sequence[ConfigItem]) -> Iterator[str]:
    """Yield the spellings of a resource's ARN: services put some names into small letters, and not everywhere."""
    yield key
    for item in items[-1:]:
        name = item.resource.name
        if key.endswith(name.lower()):
            yield f"{key[: -len(name)]}{name}"
        for value in item.configuration.values():
            if isinstance(value, str) and value != key and value.startswith("arn:") and key_of(value) == key:
                yield value


def _aliases(session: Session, nodes: Iterable[int], moment: Moment) -> Iterator[tuple[int, str]]:
    """Yield the foreign names of the nodes numbered `nodes`."""
    alias = tables.alias.c
    with session.catalog_database.reading() as connection:
        for part in chunks(sorted(nodes)):
            query = sa.select(alias.node, alias.alias).where(
                alias.node.in_(part), alias.time <= moment.time, alias.taken <= moment.known
            )
            for row in connection.execute(query.distinct().order_by(alias.node, alias.alias)):
                yield row.node, row.alias
