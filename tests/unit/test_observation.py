"""What may be recorded, and what is refused before it is."""

from typing import Any

import pytest

from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.errors import BadInput, BadRef, BadTime, LinealError, NotCanonical

DIGEST = Digest.of(b"x")
MODEL = f"model:m@{DIGEST}"


def observation(**changes: Any) -> Observation:
    fields: dict[str, Any] = {
        "type": "test.said/1", "time": "2026-01-01T00:00:00.000000Z", "actor": "a", "basis": "claimed",
        "nodes": (Node(ref=MODEL, basis="claimed", digest=DIGEST), Node(ref="run:r", basis="observed")),
        "edges": (Edge("run:r", MODEL, "generated"),),
        "gaps": (Gap("x.y", "not seen", MODEL), Gap("x.z", "not seen")),
        "data": {"n": 1},
    }  # fmt: skip
    return Observation(**{**fields, **changes})


def test_a_body_says_what_there_is_and_nothing_that_is_empty() -> None:
    assert canonical.decode(observation().body()) == {
        "actor": "a",
        "nodes": [{"ref": MODEL, "basis": "claimed", "digest": str(DIGEST)}, {"ref": "run:r", "basis": "observed"}],
        "edges": [["run:r", MODEL, "generated"]],
        "gaps": [
            {"code": "x.y", "explanation": "not seen", "about": MODEL},
            {"code": "x.z", "explanation": "not seen"},
        ],
        "data": {"n": 1},
    }
    full = Node(
        ref=MODEL,
        basis="verified",
        version="1",
        digest=DIGEST,
        detail={"a": 1},
        aliases=("b",),
        members=((DIGEST, "c"),),
    )
    assert full.describe() == {
        "ref": MODEL, "basis": "verified", "version": "1", "digest": str(DIGEST), "detail": {"a": 1},
        "aliases": ["b"], "members": [[str(DIGEST), "c"]],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"type": "said"}, BadInput),
        ({"type": "test.said/1\n"}, BadInput),
        ({"time": "2026-01-01"}, BadTime),
        ({"time": "\uff12\uff10\uff12\uff16-01-01T00:00:00.000000Z"}, BadTime),
        ({"basis": "guessed"}, BadInput),
        ({"nodes": (Node(ref=MODEL, basis="", digest=DIGEST),)}, BadInput),
        ({"nodes": (Node(ref=MODEL, basis="claimed"),)}, BadInput),
        ({"nodes": (Node(ref=MODEL, basis="claimed", digest=Digest.of(b"y")),)}, BadInput),
        ({"nodes": (Node(ref="model:m@1", basis="claimed"),)}, BadRef),
        ({"nodes": (Node(ref="model:m", basis="claimed"),)}, BadRef),
        ({"nodes": (Node(ref="arn:aws:x", basis="claimed"),)}, BadRef),
        ({"nodes": (Node(ref="run:a b", basis="claimed"),)}, BadRef),
        ({"edges": (Edge(MODEL, "run:r", "generated"),)}, BadInput),
        ({"edges": (Edge("run:r", "model:m@7", "generated"),)}, BadRef),
        ({"edges": (Edge("run:r", "run:r", "used"),)}, BadInput),
        ({"data": {"x": 0.5}}, NotCanonical),
        ({"data": {"x": float("nan")}}, NotCanonical),
        ({"data": {"x": 2**53}}, NotCanonical),
        ({"data": {1: "x"}}, NotCanonical),
        ({"data": {"x": "\udcff"}}, NotCanonical),
        ({"actor": "\ud800"}, NotCanonical),
    ],
)
def test_what_breaks_a_rule_is_refused(changes: dict[str, Any], error: type[LinealError]) -> None:
    with pytest.raises(error):
        observation(**changes).body()
