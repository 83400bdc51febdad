"""The pipeline runs that every peer records: the same values, whatever the store.

A pipeline run is eight nodes (commit, three dataset versions, a processing run, a training run, a model
version, an endpoint) and thirteen edges, with parameters on both runs. Ten consecutive runs share a container.
Teams are a hundred consecutive runs; every run but a team's first uses one dataset and one model of an earlier
run of its team, so the graph is deep, and a team's first run has eleven edges.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

TEAM = 100
CONTAINER_SHARED_BY = 10
EPOCH = 1_760_000_000


@dataclass(frozen=True, slots=True)
class Node:
    """A version or a run; `key` names it in the whole workload, `digest` is empty for runs and endpoints."""

    key: str
    kind: str
    name: str
    digest: str
    uri: str


@dataclass(frozen=True, slots=True)
class Edge:
    """What flowed where: `used` and `deployed` end in the user, `generated` ends in what was made."""

    kind: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """One run of the workload: `nodes` are new with it, `container` may have been recorded by an earlier one."""

    index: int
    moment: int
    team: str
    commit: Node
    raw: Node
    train_set: Node
    test_set: Node
    process: Node
    train: Node
    model: Node
    endpoint: Node
    container: Node
    edges: tuple[Edge, ...]
    params: dict[str, dict[str, str]]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The eight nodes of this run, in an order in which every edge's source can be known first."""
        return (
            self.commit,
            self.raw,
            self.process,
            self.train_set,
            self.test_set,
            self.train,
            self.model,
            self.endpoint,
        )


@dataclass(frozen=True, slots=True)
class Content:
    """What a store holds, as sets, so that what went in and what came back are compared by `==`."""

    nodes: frozenset[tuple[str, str]]
    edges: frozenset[tuple[str, str, str]]
    params: frozenset[tuple[str, str, str]]


def _node(seed: int, kind: str, name: str, version: int) -> Node:
    key = f"{kind}:{name}@{version}"
    if kind in ("run", "endpoint"):
        return Node(key, kind, name, "", "")
    digest = hashlib.sha256(f"{seed}/{key}".encode()).hexdigest()
    return Node(key, kind, name, digest, f"s3://lake/{kind}/{name}/{digest[:16]}")


def pipeline_run(seed: int, index: int) -> PipelineRun:
    """Run number `index` (from 0) of the workload `seed`; equal arguments give equal runs."""
    rng = random.Random(f"{seed}/{index}")
    number, place = divmod(index, TEAM)
    team = f"team{number}"
    commit = _node(seed, "code", f"{team}/pipeline", index)
    raw = _node(seed, "dataset", f"{team}/raw", index)
    train_set = _node(seed, "dataset", f"{team}/train", index)
    test_set = _node(seed, "dataset", f"{team}/test", index)
    process = _node(seed, "run", f"{team}/process", index)
    train = _node(seed, "run", f"{team}/train", index)
    model = _node(seed, "model", f"{team}/risk", index)
    endpoint = _node(seed, "endpoint", f"{team}/risk", index)
    container = _node(seed, "container", f"{team}/base", index // CONTAINER_SHARED_BY)
    edges = [
        Edge("used", commit.key, process.key),
        Edge("used", container.key, process.key),
        Edge("used", raw.key, process.key),
        Edge("generated", process.key, train_set.key),
        Edge("generated", process.key, test_set.key),
        Edge("used", commit.key, train.key),
        Edge("used", container.key, train.key),
        Edge("used", train_set.key, train.key),
        Edge("used", test_set.key, train.key),
        Edge("generated", train.key, model.key),
        Edge("deployed", model.key, endpoint.key),
    ]
    if place:
        earlier = index - rng.randint(1, place)
        edges.append(Edge("used", f"dataset:{team}/train@{earlier}", process.key))
        edges.append(Edge("used", f"model:{team}/risk@{earlier}", train.key))
    params = {
        process.key: {"rows": str(rng.randint(10_000, 5_000_000)), "split": f"0.{rng.randint(10, 40)}"},
        train.key: {
            "learning_rate": f"0.{rng.randint(1, 999):03d}",
            "max_depth": str(rng.randint(2, 12)),
            "trees": str(rng.randint(50, 2000)),
            "subsample": f"0.{rng.randint(50, 99)}",
            "objective": rng.choice(("logistic", "squared", "poisson")),
            "seed": str(rng.getrandbits(31)),
        },
    }
    return PipelineRun(
        index=index,
        moment=EPOCH + index * 60,
        team=team,
        commit=commit,
        raw=raw,
        train_set=train_set,
        test_set=test_set,
        process=process,
        train=train,
        model=model,
        endpoint=endpoint,
        container=container,
        edges=tuple(edges),
        params=params,
    )


def pipeline_runs(seed: int, start: int, stop: int) -> Iterator[PipelineRun]:
    """Runs `start` up to but not including `stop` of the workload `seed`."""
    return (pipeline_run(seed, index) for index in range(start, stop))


def expected_content(seed: int, count: int) -> Content:
    """What a faithful store must give back after the first `count` runs of the workload `seed`."""
    nodes: set[tuple[str, str]] = set()
    edges: set[tuple[str, str, str]] = set()
    params: set[tuple[str, str, str]] = set()
    for run in pipeline_runs(seed, 0, count):
        nodes.update((node.key, node.digest) for node in (*run.nodes, run.container))
        edges.update((edge.kind, edge.source, edge.target) for edge in run.edges)
        params.update((key, name, text) for key, given in run.params.items() for name, text in given.items())
    return Content(frozenset(nodes), frozenset(edges), frozenset(params))
