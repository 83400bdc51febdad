"""MLflow's client directly on its SQLite store, no server between.

Runs and endpoints are MLflow runs; dataset versions are dataset inputs of runs, marked by a tag where the run
made them, since MLflow has no dataset output; models are logged models with a registered version; commit and
container are tags of the runs that used them, since MLflow has no node for either.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.drivers.sqlite_file import durability
from benchmarks.workload import Content, Edge, Node, PipelineRun

_FILE = "mlflow.sqlite"
_CONTEXT = "mlflow.data.context"


class OneByOne:
    """One client call per run, parameter, tag, input, output, model and model version.

    Ids and digests of earlier nodes are kept in memory, so no look-up is charged to the peer.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.models: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.teams: set[str] = set()

    def open(self, folder: Path) -> None:
        os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
        import mlflow  # type: ignore[import-not-found]
        from mlflow import entities
        from mlflow.tracking import MlflowClient  # type: ignore[import-not-found]

        mlflow.set_tracking_uri(f"sqlite:///{folder / _FILE}")
        self.path = folder / _FILE
        self.entities: Any = entities
        self.client: Any = MlflowClient()
        self.experiment: str = self.client.create_experiment("bench", artifact_location=str(folder / "files"))

    def record(self, runs: Sequence[PipelineRun]) -> None:
        for run in runs:
            self.digests.update((node.key, node.digest) for node in (*run.nodes, run.container))
            for node in (run.process, run.train, run.endpoint):
                self.record_run(run, node)

    def record_run(self, run: PipelineRun, node: Node) -> None:
        made = self.call("create_run", self.experiment, start_time=run.moment * 1000, run_name=node.key)
        run_id = made.info.run_id
        for name, text in run.params.get(node.key, {}).items():
            self.call("log_param", run_id, name, text)
        for edge, other in _edges_of(run, node):
            match other.partition(":")[0]:
                case "dataset":
                    self.call("log_inputs", run_id, datasets=[self.dataset_input(edge, other)])
                case "model" if edge.kind == "generated":
                    self.log_model(run, run_id)
                case "model":
                    self.call("log_inputs", run_id, models=[self.model_input(other)])
                case kind:
                    self.call("set_tag", run_id, kind, f"{other}#{self.digests[other]}")
        self.call("set_terminated", run_id, end_time=run.moment * 1000 + 60_000)

    def log_model(self, run: PipelineRun, run_id: str) -> None:
        """The logged model that the training run made, and its version in the registry."""
        name = f"{run.team}-risk"
        if name not in self.teams:
            self.call("create_registered_model", name)
            self.teams.add(name)
        tags = {"key": run.model.key, "digest": run.model.digest}
        model = self.call("create_logged_model", self.experiment, name="risk", source_run_id=run_id, tags=tags)
        self.models[run.model.key] = model.model_id
        self.call("log_outputs", run_id, models=[self.entities.LoggedModelOutput(model.model_id, step=0)])
        self.call("finalize_logged_model", model.model_id, "READY")
        source = f"models:/{model.model_id}"
        self.call("create_model_version", name, source, run_id=run_id, await_creation_for=0)

    def call(self, verb: str, *given: Any, **named: Any) -> Any:
        self.calls += 1
        return getattr(self.client, verb)(*given, **named)

    def model_input(self, key: str) -> Any:
        return self.entities.LoggedModelInput(self.models[key])

    def dataset_input(self, edge: Edge, key: str) -> Any:
        """The dataset `key` as MLflow takes it: digests longer than 36 characters are refused, so it gets
        the first 36, and the whole digest as the source."""
        digest = self.digests[key]
        dataset = self.entities.Dataset(name=key, digest=digest[:36], source_type="s3", source=digest)
        return self.entities.DatasetInput(dataset, tags=[self.entities.InputTag(_CONTEXT, edge.kind)])

    def finish(self) -> None:
        """Nothing: every call has committed, and queries read the same tables."""

    def close(self) -> str:
        engine = self.client._tracking_client.store.engine
        with engine.connect() as connection:
            level = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        engine.dispose()
        return durability(self.path, level)

    def read_back(self, folder: Path) -> Content:
        base = sqlite3.connect(folder / _FILE)
        runs = dict(base.execute("SELECT run_uuid, name FROM runs"))
        nodes = {(str(name), "") for name in runs.values()}
        names = dict(runs)
        for model, key, digest in base.execute(
            "SELECT k.model_id, k.tag_value, d.tag_value FROM logged_model_tags k"
            " JOIN logged_model_tags d ON d.model_id = k.model_id AND d.tag_key = 'digest'"
            " JOIN model_versions v ON v.source = 'models:/' || k.model_id WHERE k.tag_key = 'key'"
        ):
            names[model] = key
            nodes.add((key, digest))
        for dataset, key, digest in base.execute("SELECT dataset_uuid, name, dataset_source FROM datasets"):
            names[dataset] = key
            nodes.add((key, digest))
        edges: set[tuple[str, str, str]] = set()
        for run, tag in base.execute("SELECT run_uuid, value FROM tags WHERE key IN ('code', 'container')"):
            key, _, digest = tag.partition("#")
            nodes.add((key, digest))
            edges.add(("used", key, runs[run]))
        for role, source, target, context in base.execute(
            "SELECT i.source_type, i.source_id, i.destination_id, t.value FROM inputs i"
            " LEFT JOIN input_tags t ON t.input_uuid = i.input_uuid AND t.name = ?",
            (_CONTEXT,),
        ):
            edges.add(_stored_edge(role, names[source], names[target], context))
        params = {
            (runs[run], str(name), str(text))
            for run, name, text in base.execute("SELECT run_uuid, key, value FROM params")
        }
        base.close()
        return Content(frozenset(nodes), frozenset(edges), frozenset(params))


class Batched(OneByOne):
    """As few calls as the client offers: tags with create_run, log_batch, log_inputs once per run."""

    def record_run(self, run: PipelineRun, node: Node) -> None:
        edges = _edges_of(run, node)
        tags = {
            other.partition(":")[0]: f"{other}#{self.digests[other]}"
            for _, other in edges
            if other.startswith(("code:", "container:"))
        }
        made = self.call("create_run", self.experiment, start_time=run.moment * 1000, tags=tags, run_name=node.key)
        run_id = made.info.run_id
        given = run.params.get(node.key, {})
        if given:
            params = [self.entities.Param(name, text) for name, text in given.items()]
            self.call("log_batch", run_id, params=params)
        datasets = [self.dataset_input(edge, other) for edge, other in edges if other.startswith("dataset:")]
        models = [self.model_input(other) for _, other in edges if other in self.models]
        if datasets or models:
            self.call("log_inputs", run_id, datasets=datasets, models=models)
        if node is run.train:
            self.log_model(run, run_id)
        self.call("set_terminated", run_id, end_time=run.moment * 1000 + 60_000)


def _edges_of(run: PipelineRun, node: Node) -> list[tuple[Edge, str]]:
    """The edges at `node` of `run`, each with the key of its other end."""
    found: list[tuple[Edge, str]] = []
    for edge in run.edges:
        if edge.target == node.key:
            found.append((edge, edge.source))
        elif edge.source == node.key:
            found.append((edge, edge.target))
    return found


def _stored_edge(role: str, source: str, target: str, context: str | None) -> tuple[str, str, str]:
    """One row of MLflow's `inputs` table as an edge of the workload."""
    if role == "DATASET":
        return ("generated", target, source) if context == "generated" else ("used", source, target)
    if role == "RUN_OUTPUT":
        return ("generated", source, target)
    return ("deployed" if source.startswith("endpoint:") else "used", target, source)
