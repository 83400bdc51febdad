"""What an image was made from, as far as it says so: an edge from the commit, and from the same image elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lineal.app.naming import spell_name
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core import canonical, path, timestamp
from lineal.core.claim import claimed_code
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.core.repository import canonical_name
from lineal.sources.oci import OBSERVED, Seen, Stated
from lineal.sources.oci_saved import IDENTITY
from lineal.sources.oci_tags import COMMIT, TAGGED

STATED: Final = "container.source_stated/1"


@dataclass(frozen=True, slots=True)
class Origins:
    """Some statements about images, and what the catalog knows of the commits and digests that they name."""

    seen: Sequence[Seen]
    code: dict[str, list[NodeView]]
    same: dict[str, list[NodeView]]
    holders: dict[str, list[tuple[NodeView, str]]]
    observed: frozenset[int]
    stated: frozenset[tuple[str, bytes]]

    @classmethod
    def read(cls, session: Session, seen: Sequence[Seen]) -> "Origins":
        """Ask the catalog for everything that `seen` names, at once."""
        if not seen:
            return cls(seen, {}, {}, {}, frozenset(), frozenset())
        catalog = session.catalog
        commits = sorted({each.stated.revision for each in seen if each.stated and each.stated.revision})
        digests = sorted({str(digest) for each in seen for digest in _names(each)})
        same = catalog.with_digests(digests)
        holders = catalog.holders([str(each.node.digest) for each in seen if _is_saved(each)])
        ids = {view.id for views in same.values() for view in views if view.kind == "container"}
        observed = frozenset(fact.node for fact in catalog.facts(sorted(ids)) if fact.type == OBSERVED)
        about = {view.id: ref for ref, view in catalog.find({each.node.ref for each in seen if each.stated}).items()}
        stated = frozenset(
            (about[fact.node], canonical.encode(fact.detail))
            for fact in catalog.facts(list(about))
            if fact.type == STATED
        )
        return cls(seen, catalog.with_aliases(commits), same, holders, observed, stated)

    def observe(self) -> Iterator[Observation | Gap]:
        """Yield each statement, with edges to the same image under other names, and what it was built from."""
        for each in self.seen:
            if each.observation.type == OBSERVED:
                edges = (*each.observation.edges, *self._same(each))
                yield replace(each.observation, edges=edges)
            elif not (each.observation.type == TAGGED and each.stated is not None):
                yield each.observation
            if each.stated is not None and each.stated.revision is not None:
                origin = self._origin(each, each.stated, each.stated.revision)
                # Said by label, tag and provenance in turn, it is news once of each.
                if isinstance(origin, Gap) or self._is_news(origin.nodes[0]):
                    yield origin

    def _is_news(self, node: Node) -> bool:
        return (node.ref, canonical.encode(node.detail)) not in self.stated

    def _same(self, seen: Seen) -> Iterator[Edge]:
        """Yield edges that let a trace go on, from a name that only a claim or a run gave the image, to this one."""
        ref, found = seen.node.ref, []
        for digest in _names(seen):
            for view in self.same.get(str(digest), ()):
                unseen = view.id not in self.observed or view.detail.get("identity") == IDENTITY
                if view.kind == "container" and view.canonical != ref and unseen:
                    found.append(Edge(ref, view.canonical, "same_as"))
        if _is_saved(seen):
            for view, place in self.holders.get(str(seen.node.digest), ()):
                if view.kind == "container" and place == "config" and view.canonical != ref:
                    found.append(Edge(view.canonical, ref, "same_as"))
        yield from dict.fromkeys(found)

    def _origin(self, seen: Seen, stated: Stated, revision: str) -> Observation | Gap:
        about = seen.node.ref
        if COMMIT.fullmatch(revision) is None:
            why = f"the {stated.by} names the revision {revision[:80]!r}, which is no commit in full"
            return Gap("oci.no_commit", why, about)
        name = None if stated.source is None else spell_name(path.unspell(canonical_name(stated.source)))
        known = _best(self.code.get(revision, ()), name, revision)
        nodes: tuple[Node, ...] = ()
        if known is not None:
            code = known.canonical
        elif name is not None:
            node = claimed_code(name, revision, stated.source)
            nodes, code = (node,), node.ref
        else:
            why = f"the {stated.by} names the commit {revision}, and no recorded repository has it"
            return Gap("oci.no_repository", why, about)
        return Observation(
            type=STATED,
            # Of what is said of one thing at one time, the catalog would show whichever sorts first.
            time=timestamp.next_after(seen.observation.time),
            actor=seen.observation.actor,
            basis="claimed",
            nodes=(_with_origin(seen.node, stated, code), *nodes),
            edges=(Edge(code, about, "derived_from"),),
            subject=(about, code),
        )


def _names(seen: Seen) -> list[Digest]:
    """Return the digests by which others may know the image: its own, and that of its configuration."""
    config = [digest for digest, place in seen.node.members if place == "config"]
    return (
        [*([] if seen.node.digest is None else [seen.node.digest]), *config]
        if seen.observation.type == OBSERVED
        else []
    )


def _is_saved(seen: Seen) -> bool:
    return seen.node.detail.get("identity") == IDENTITY


def _best(found: Sequence[NodeView], name: str | None, commit: str) -> NodeView | None:
    """Return the code version that a commit most likely is: seen, not claimed; unchanged; of this name; newest."""
    code = [view for view in found if view.kind == "code"]
    return max(
        code,
        key=lambda view: (view.basis != "claimed", view.version == commit, view.name == name, view.age),
        default=None,
    )


def _with_origin(node: Node, stated: Stated, code: str) -> Node:
    """Return the node with what it says of its origin alone: a claim of whoever built it."""
    said = {"source": stated.source, "revision": stated.revision, "by": stated.by, "code": code}
    origin = {name: value for name, value in said.items() if value is not None}
    detail: dict[str, Any] = {"image": node.detail["image"], "built_from": origin}
    return replace(node, basis="claimed", detail=detail, aliases=(), members=())
