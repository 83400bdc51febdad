"""What a reference names: the nodes that it can mean, and the one that it does."""

import difflib
import re
from operator import attrgetter
from typing import Final

import sqlalchemy as sa

from lineal.catalog import tables
from lineal.catalog.graph import Moment
from lineal.catalog.view import NodeView, read_facts, read_views
from lineal.core import ref
from lineal.core.event_type import RETIRED
from lineal.errors import AmbiguousRef, UnknownRef

_PREFIX_MIN: Final = 4
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_MOST_NAMES: Final = 5000


def resolve(connection: sa.Connection, text: str, moment: Moment) -> NodeView:
    """Return the one thing that `text` names; see `Catalog.resolve`."""
    named = ref.parse(text)
    found = read_views(connection, _candidates(connection, named, moment), moment)
    stated = [view for view in found.values() if view.time is not None]
    if not stated:
        raise _unknown(connection, text)
    if isinstance(named, ref.VersionRef) and named.kind == "code" and not _matching(named.version, stated):
        # One tree can be that of many commits: its label is one of them, all are its foreign names.
        known = _foreign(connection, named.version, moment) if _COMMIT.fullmatch(named.version) else set()
        of_commit = [view for view in stated if view.id in known]
        stated, named = (of_commit, ref.ForeignRef(named.version)) if of_commit else (stated, named)
    chosen = _choose(named, stated)
    if isinstance(named, ref.ArtifactRef) and named.kind == "endpoint":
        _refuse_retired(connection, chosen, moment)
    return chosen


def _candidates(connection: sa.Connection, named: ref.Ref, moment: Moment) -> set[int]:
    match named:
        case ref.ArtifactRef(kind, name) | ref.VersionRef(kind, name):
            return set(nodes_named(connection, kind, name))
        case ref.RunRef(name):
            exact = set(connection.scalars(sa.select(tables.node.c.id).where(tables.node.c.ref == f"run:{name}")))
            return exact or starting(connection, f"run:{name}")
        case ref.ForeignRef(text):
            return _foreign(connection, text, moment)


def nodes_named(connection: sa.Connection, kind: str, name: str) -> list[int]:
    """Return the numbers of every version of an artifact."""
    query = sa.select(tables.node.c.id).where(tables.node.c.kind == kind, tables.node.c.name == name)
    return list(connection.scalars(query))


def starting(connection: sa.Connection, prefix: str) -> set[int]:
    """Return the numbers of some nodes whose reference begins with `prefix`."""
    node = tables.node.c
    query = sa.select(node.id).where(node.ref >= prefix, node.ref < prefix + "\U0010ffff")
    return set(connection.scalars(query.limit(100)))


def _foreign(connection: sa.Connection, text: str, moment: Moment) -> set[int]:
    alias, node = tables.alias.c, tables.node.c
    stated = (alias.time <= moment.time) & (alias.taken <= moment.known)
    query = (
        sa.select(alias.node, node.kind, node.name, sa.func.max(alias.time).label("time"))
        .join(tables.node, node.id == alias.node)
        .where(alias.alias == text, stated)
        .group_by(alias.node, node.kind, node.name)
    )
    named = connection.execute(query).all()
    # The tag of an image moves, also back: it names the version that it was last said to name.
    last = {row.name: max(each.time for each in named if each.name == row.name) for row in named}
    found = {row.node for row in named if row.kind != "container" or row.time == last[row.name]}
    if found or len(text.removeprefix("sha256:")) < _PREFIX_MIN:
        return found
    digest = text if text.startswith("sha256:") else f"sha256:{text}"
    upper = "\U0010ffff"
    found = set(connection.scalars(sa.select(node.id).where(node.digest >= digest, node.digest < digest + upper)))
    starting = sa.select(alias.node).where(alias.alias >= text, alias.alias < text + upper, stated)
    return found | set(connection.scalars(starting))


def _unknown(connection: sa.Connection, text: str) -> UnknownRef:
    """Return the error for a name that nothing has, with the names most like it."""
    node = tables.node.c
    query = sa.select(node.kind, node.name).where(node.kind != "file").distinct().limit(_MOST_NAMES)
    names = [f"{kind}:{name}" for kind, name in connection.execute(query)]
    if _COMMIT.fullmatch(text.rpartition("@")[2]) is not None:
        commit = "A commit is put on record by `lineal collect git REPO --commit ID`; `lineal ls` lists what is there."
        return UnknownRef(f"nothing is recorded as {text}", fix=commit)
    like = difflib.get_close_matches(text.partition("@")[0], names, n=3)
    fix = f"Did you mean {', '.join(like)}? `lineal ls` lists what is recorded." if like else None
    return UnknownRef(f"nothing is recorded as {text}", fix=fix)


def _choose(named: ref.Ref, found: list[NodeView]) -> NodeView:
    """Return the one view of `found` that `named` means."""
    if isinstance(named, ref.VersionRef) and named.version != "latest":
        versions = ", ".join(view.ref for view in sorted(found, key=attrgetter("age"))[-3:])
        found = _matching(named.version, found)
        if not found:
            raise UnknownRef(f"nothing is recorded as {named}", fix=f"The latest recorded: {versions}.")
    elif isinstance(named, ref.ArtifactRef | ref.VersionRef) and found:
        return max(found, key=_start if named.kind == "endpoint" else attrgetter("age"))
    if isinstance(named, ref.RunRef):
        exact = [view for view in found if view.canonical == str(named)]
        found = exact or found
    if not found:
        raise UnknownRef(f"nothing is recorded as {named}")
    if isinstance(named, ref.ForeignRef | ref.VersionRef):
        found = _of_commit(found)
    if isinstance(named, ref.ForeignRef):  # an address alone gives way to a version that was found there
        found = [view for view in found if view.detail.get("fixed") is not False] or found
    if isinstance(named, ref.ForeignRef) and len({(view.kind, view.name) for view in found}) == 1:
        return max(found, key=_start if found[0].kind == "endpoint" else attrgetter("age"))
    if len(found) > 1:
        first = ", ".join(view.ref for view in sorted(found, key=attrgetter("age"))[:8])
        raise AmbiguousRef(f"{named} names {len(found)} things: {first}")
    return found[0]


def _of_commit(found: list[NodeView]) -> list[NodeView]:
    """Return of several versions of one commit the one that is meant: what was read goes before what was claimed, the
    later before the earlier, and the commit itself before what had changes upon it.
    """
    commits = {(view.kind, view.name, (view.version or "").partition("+")[0]) for view in found}
    clean = [view for view in found if view.kind == "code" and view.version and "+" not in view.version]
    if len(commits) != 1 or not clean:
        return found
    return [max(clean, key=lambda view: (view.basis != "claimed", view.age))]


def _refuse_retired(connection: sa.Connection, revision: NodeView, moment: Moment) -> None:
    for fact in read_facts(connection, [revision.id], moment):
        if fact.type == RETIRED:
            raise UnknownRef(
                f"nothing serves at endpoint:{revision.name}: {fact.actor} retired it at {fact.time}",
                fix=f"{revision.ref} served last; --at asks about an earlier moment.",
            )


def _matching(version: str, found: list[NodeView]) -> list[NodeView]:
    exact = [view for view in found if view.version == version or view.canonical.endswith(f"@{version}")]
    if exact:
        return exact
    prefix = version.removeprefix("sha256:")
    if len(prefix) < _PREFIX_MIN:
        return []
    return [
        view
        for view in found
        if (view.digest or "").startswith(f"sha256:{prefix}") or (view.version or "").startswith(version)
    ]


def _start(view: NodeView) -> tuple[str, tuple[int, str, int]]:
    return view.time or "", view.age
