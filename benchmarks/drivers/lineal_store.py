"""Lineal on its embedded SQLite ledger, through `lineal.open()` and `Client.record`, as a bulk importer would use it.

A pipeline run is said in one of two ways. *As one statement*: what an orchestrator says when its pipeline has ended,
every node, edge and parameter in one entry of the log. *As three*, each with its own entry: the processing run with
what it used and made, the training run with the model, and the deployment with the endpoint, as three programs say it
that know nothing of each other. Each version is described once, by the statement that sees it first; later statements
only draw edges to it.

Where Lineal's graph has another shape than the workload's, it is translated, and translated back in `read_back`:

- `deployed` goes from a run to an endpoint, never from a model. So the deployment is a run of its own, which used the
  model: one node and one edge more than the workload has. `model deployed endpoint` is read back only where both
  edges stand.
- A run's name has no `/` or `@`: `run:team0/train@7` is `run:team0.train.7`.
- A version's identity is its digest: `model:team0/risk@7` is `model:team0/risk@sha256:…` with the version `7`, a number
  that the ledger guards against being taken twice. Its URI is an alias that it can be found by.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import lineal
from benchmarks.drivers.sqlite_file import durability
from benchmarks.workload import Content, Node, PipelineRun
from lineal.core import edge, observation, timestamp
from lineal.core.digest import Digest
from lineal.ledger.audit import audit_log
from lineal.wiring import Settings, create

_ACTOR = "pipeline@bench"
_NUMBERED = ("dataset", "model", "endpoint")


class Statements:
    """`Client.record` with all three statements of each run given: one durable commit a call."""

    def __init__(self) -> None:
        self.calls = 0
        self.refs: dict[str, str] = {}

    def open(self, folder: Path) -> None:
        create(Settings(), folder, "bench.example/pipelines")
        self.file = folder / ".lineal" / "ledger.db"
        self.client = lineal.open(str(folder), actor=_ACTOR)

    def record(self, runs: Sequence[PipelineRun]) -> None:
        self.send([each for run in runs for each in self.observe(run)])

    def send(self, observations: Sequence[observation.Observation]) -> None:
        self.client.record(observations)
        self.calls += 1

    def finish(self) -> None:
        """Sign and publish the log, and let the catalog follow it: then everything can be proved and queried."""
        self.client.session.ledger.publish()
        self.client.session.catch_up()

    def close(self) -> str:
        with self.client.session.ledger.database.reading() as connection:
            level = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
        found = durability(self.file, level)
        self.client.close()
        return f"{found} (the catalog, which is rebuilt from it: NORMAL)"

    def observe(self, run: PipelineRun) -> Iterator[observation.Observation]:
        """The statements that tell of `run`."""
        for kind, doing, versions, edges in self.steps(run):
            yield self.state(kind, run, (doing,), versions, edges)

    def steps(self, run: PipelineRun) -> Iterator[tuple[str, observation.Node, Sequence[Node], Sequence[edge.Edge]]]:
        """What each of the three steps of `run` is, describes for the first time, and draws."""
        deploy = f"run:{run.team}.deploy.{run.index}"
        seen = [] if run.container.key in self.refs else [run.container]
        for node in (*seen, *run.nodes):
            self.refs[node.key] = _ref(node)
        around = {run.process.key: "processing", run.train.key: "training"}
        edges: dict[str, list[edge.Edge]] = {key: [] for key in (*around, run.endpoint.key)}
        for each in run.edges:
            source, target = self.refs[each.source], self.refs[each.target]
            if each.kind == "deployed":
                edges[each.target] += [edge.Edge(source, deploy, "used"), edge.Edge(deploy, target, "deployed")]
            else:
                edges[each.target if each.kind == "used" else each.source].append(edge.Edge(source, target, each.kind))
        for node, versions in (
            (run.process, (*seen, run.commit, run.raw, run.train_set, run.test_set)),
            (run.train, (run.model,)),
        ):
            detail = {
                "name": node.name,
                "activity": around[node.key],
                "state": "finished",
                "parameters": {name: {"value": text, "origin": "sdk"} for name, text in run.params[node.key].items()},
            }
            doing = observation.Node(ref=self.refs[node.key], basis="claimed", detail=detail)
            yield "run.finished/1", doing, versions, edges[node.key]
        detail = {"name": f"{run.team}/deploy", "activity": "deployment", "state": "finished"}
        doing = observation.Node(ref=deploy, basis="claimed", detail=detail)
        yield "endpoint.deployed/1", doing, (run.endpoint,), edges[run.endpoint.key]

    def state(
        self,
        kind: str,
        run: PipelineRun,
        doing: Sequence[observation.Node],
        versions: Sequence[Node],
        edges: Sequence[edge.Edge],
    ) -> observation.Observation:
        nodes = (*doing, *(self.describe(each) for each in versions))
        return observation.Observation(
            type=kind,
            time=timestamp.spell(datetime.fromtimestamp(run.moment, UTC)),
            actor=_ACTOR,
            basis="claimed",
            nodes=nodes,
            edges=tuple(edges),
            subject=tuple(each.ref for each in nodes),
            claims=tuple(each.key for each in versions if each.kind in _NUMBERED),
        )

    def describe(self, node: Node) -> observation.Node:
        return observation.Node(
            ref=self.refs[node.key],
            basis="claimed",
            version=node.key.rpartition("@")[2],
            digest=Digest(bytes.fromhex(node.digest)) if node.digest else None,
            aliases=(node.uri,) if node.uri else (),
        )

    def read_back(self, folder: Path) -> Content:
        base = sqlite3.connect(folder / ".lineal" / "catalog.db")
        keys: dict[int, str] = {}
        nodes: set[tuple[str, str]] = set()
        params: set[tuple[str, str, str]] = set()
        deployments: set[int] = set()
        for number, kind, name, digest, version, detail in base.execute(
            "SELECT n.id, n.kind, n.name, f.digest, f.version, f.detail"
            " FROM catalog_node n LEFT JOIN catalog_fact f ON f.node = n.id"
        ):
            if kind == "run":
                keys[number] = "run:{}/{}@{}".format(*name.rsplit(".", 2))
                given = json.loads(detail)
                if given["activity"] == "deployment":
                    deployments.add(number)
                    continue
                params |= {(keys[number], label, each["value"]) for label, each in given["parameters"].items()}
            else:
                keys[number] = f"{kind}:{name}@{version}"
            nodes.add((keys[number], (digest or "").removeprefix("sha256:")))
        edges: set[tuple[str, str, str]] = set()
        used: dict[int, int] = {}
        deployed: dict[int, int] = {}
        for kind, source, target in base.execute("SELECT type, source, target FROM catalog_edge"):
            if kind == "deployed":
                deployed[source] = target
            elif target in deployments:
                used[target] = source
            else:
                edges.add((kind, keys[source], keys[target]))
        edges |= {("deployed", keys[used[run]], keys[target]) for run, target in deployed.items() if run in used}
        base.close()
        return Content(frozenset(nodes), frozenset(edges), frozenset(params))


class Pipelines(Statements):
    """`Client.record` with one statement for each run given: one durable commit a call."""

    def observe(self, run: PipelineRun) -> Iterator[observation.Observation]:
        _, doing, versions, edges = zip(*self.steps(run), strict=True)
        yield self.state("run.finished/1", run, doing, list(chain(*versions)), list(chain(*edges)))


class OneByOne(Statements):
    """`Client.record` with one statement a call: three durable commits for a pipeline run."""

    def send(self, observations: Sequence[observation.Observation]) -> None:
        for each in observations:
            self.client.record([each])
            self.calls += 1


def audit(store: Path) -> int:
    """Audit the whole log in `store`, up to its signed head, and return the number of its entries."""
    with lineal.open(str(store)) as client:
        return audit_log(client.session.ledger).entries


def _ref(node: Node) -> str:
    """The canonical reference of `node` in Lineal's spelling."""
    kind, _, rest = node.key.partition(":")
    name, _, number = rest.rpartition("@")
    if kind == "run":
        return f"run:{name.replace('/', '.')}.{number}"
    return f"{kind}:{name}@{number if kind == 'endpoint' else 'sha256:' + node.digest}"
