"""The law of the graph is a table: what it does not allow cannot be recorded."""

from itertools import product

import pytest

from lineal.core.edge import EDGE_RULES, Edge, check_edge
from lineal.core.ref import KINDS
from lineal.errors import BadInput

VERSIONS = {"code", "dataset", "container", "environment", "model", "file"}
ALLOWED = {
    "used": (VERSIONS, {"run"}),
    "generated": ({"run"}, VERSIONS),
    "derived_from": (VERSIONS, VERSIONS),
    "deployed": ({"run"}, {"endpoint"}),
    "approved": ({"run"}, VERSIONS | {"endpoint"}),
    "same_as": (VERSIONS, VERSIONS),
}


def test_the_table_is_this_and_nothing_else() -> None:
    assert set(EDGE_RULES) == set(ALLOWED)
    for kind, source, target in product(EDGE_RULES, (*KINDS, "run"), (*KINDS, "run")):
        edge = Edge(f"{source}:a", f"{target}:b", kind)
        if source in ALLOWED[kind][0] and target in ALLOWED[kind][1]:
            check_edge(edge)
        else:
            with pytest.raises(BadInput):
                check_edge(edge)


@pytest.mark.parametrize(
    "edge",
    [
        Edge("model:m", "model:m", "derived_from"),
        Edge("model:m", "run:r", "USED"),
        Edge("model:m", "run:r", ""),
        Edge("person:p", "run:r", "used"),
        Edge("", "run:r", "used"),
        Edge("run", "model:m", "used"),
    ],
)
def test_loops_and_strangers_are_refused(edge: Edge) -> None:
    with pytest.raises(BadInput):
        check_edge(edge)
