"""What is to be recorded, before it has a place in the ledger: nodes, edges and gaps of one statement."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core import canonical, ref, timestamp
from lineal.core.digest import Digest
from lineal.core.edge import Edge, check_edge
from lineal.errors import BadInput

BASES: Final = ("observed", "claimed", "verified")
TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+/[1-9][0-9]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One artifact version, run or endpoint revision, and what this statement says of it.

    `ref` is its canonical reference; `version` the number or label people use; `digest` the identity of its content;
    `aliases` the foreign names it is known by; `members` the content digests inside it, with their paths.
    """

    ref: str
    basis: str
    version: str | None = None
    digest: Digest | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    members: tuple[tuple[Digest, str], ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return the node as it stands in an event body; what is empty is left out."""
        found: dict[str, Any] = {"ref": self.ref, "basis": self.basis}
        if self.version is not None:
            found["version"] = self.version
        if self.digest is not None:
            found["digest"] = str(self.digest)
        if self.detail:
            found["detail"] = self.detail
        if self.aliases:
            found["aliases"] = list(self.aliases)
        if self.members:
            found["members"] = [[str(digest), name] for digest, name in self.members]
        return found


@dataclass(frozen=True, slots=True)
class Gap:
    """What a source could not see, and why."""

    code: str
    explanation: str
    about: str | None = None

    def describe(self) -> dict[str, Any]:
        """Return the gap as it stands in an event body."""
        found = {"code": self.code, "explanation": self.explanation}
        return found if self.about is None else {**found, "about": self.about}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One statement about the outside world: what happened, when, who did it, on what basis it is known.

    `claims` are names that no other event of the ledger may hold (version numbers); `subject` the references that the
    entry itself names, for whoever reads the log without its bodies.
    """

    type: str
    time: str
    actor: str
    basis: str
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    gaps: tuple[Gap, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    subject: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()

    def body(self) -> bytes:
        """Return the canonical bytes of the event body; raise `BadInput` or `NotCanonical` if it breaks a rule."""
        check(self)
        return canonical.encode(
            {
                "actor": self.actor,
                "nodes": [node.describe() for node in self.nodes],
                "edges": [[edge.source, edge.target, edge.type] for edge in self.edges],
                "gaps": [gap.describe() for gap in self.gaps],
                "data": self.data,
            }
        )


def check(observation: Observation) -> None:
    """Raise `BadInput`, `BadRef` or `BadTime` if `observation` breaks a rule of the graph or of its words."""
    if TYPE.fullmatch(observation.type) is None:
        raise BadInput(f"not an event type: {observation.type!r}")
    timestamp.check(observation.time)
    for basis in (observation.basis, *(node.basis for node in observation.nodes)):
        if basis not in BASES:
            raise BadInput(f"no such basis: {basis!r} (one of {', '.join(BASES)})")
    for node in observation.nodes:
        named = ref.parse_node(node.ref)
        if isinstance(named, ref.VersionRef) and named.kind != "endpoint" and str(node.digest) != named.version:
            raise BadInput(f"the digest of {node.ref} is not the one in its reference")
    for edge in observation.edges:
        check_edge(edge)
        ref.parse_node(edge.source)
        ref.parse_node(edge.target)
