"""The law of the lineage graph, as a table.

An edge points the way data flows: whatever is at its source went into, or gave rise to, what is at its target. So
"what made it" follows edges against their direction and "what it touches" follows them along it, for every type.
"""

from dataclasses import dataclass
from typing import Final

from lineal.errors import BadInput

_VERSIONS: Final = frozenset({"code", "dataset", "container", "environment", "model", "file"})
_RUN: Final = frozenset({"run"})
_ENDPOINT: Final = frozenset({"endpoint"})


@dataclass(frozen=True, slots=True)
class EdgeRule:
    """Which kinds may stand at the source and the target of one type of edge."""

    source: frozenset[str]
    target: frozenset[str]


EDGE_RULES: Final = {
    "used": EdgeRule(_VERSIONS, _RUN),
    "generated": EdgeRule(_RUN, _VERSIONS),
    "derived_from": EdgeRule(_VERSIONS, _VERSIONS),
    "deployed": EdgeRule(_RUN, _ENDPOINT),
    "approved": EdgeRule(_RUN, _VERSIONS | _ENDPOINT),
    "same_as": EdgeRule(_VERSIONS, _VERSIONS),
}


@dataclass(frozen=True, slots=True)
class Edge:
    """A typed relation between two recorded things, each named by its canonical reference."""

    source: str
    target: str
    type: str


def check_edge(edge: Edge) -> None:
    """Raise `BadInput` if `EDGE_RULES` does not allow `edge`, or if it joins a thing with itself."""
    rule = EDGE_RULES.get(edge.type)
    if rule is None:
        raise BadInput(f"no such type of edge: {edge.type!r} (one of {', '.join(EDGE_RULES)})")
    if edge.source == edge.target:
        raise BadInput(f"an edge joins {edge.source} with itself")
    for end, allowed in ((edge.source, rule.source), (edge.target, rule.target)):
        kind = end.partition(":")[0]
        if kind not in allowed:
            raise BadInput(f"an edge {edge.type!r} cannot join {edge.source} to {edge.target}: not a {kind}")
