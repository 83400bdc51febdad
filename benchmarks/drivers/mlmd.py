"""ML Metadata on its SQLite store. Runs and endpoints are executions, all else artifacts, edges events."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.drivers.sqlite_file import durability
from benchmarks.workload import Content, Edge, Node, PipelineRun

_EXECUTIONS = ("run", "endpoint")
_FILE = "mlmd.sqlite"


class OneByOne:
    """put_artifacts, put_executions and put_events, one node or edge a call.

    Ids are kept in memory, so no look-up of an earlier node is charged to the peer.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.ids: dict[str, int] = {}

    def open(self, folder: Path) -> None:
        from ml_metadata.metadata_store import metadata_store  # type: ignore[import-not-found]
        from ml_metadata.proto import metadata_store_pb2  # type: ignore[import-not-found]

        self.proto: Any = metadata_store_pb2
        config = self.proto.ConnectionConfig()
        config.sqlite.filename_uri = str(folder / _FILE)
        config.sqlite.connection_mode = self.proto.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.path = folder / _FILE
        self.store: Any = metadata_store.MetadataStore(config)
        self.types: dict[str, int] = {}
        for kind in ("code", "dataset", "model", "container"):
            made = self.proto.ArtifactType(name=kind, properties={"digest": self.proto.STRING})
            self.types[kind] = self.store.put_artifact_type(made)
        for kind in _EXECUTIONS:
            self.types[kind] = self.store.put_execution_type(self.proto.ExecutionType(name=kind))

    def record(self, runs: Sequence[PipelineRun]) -> None:
        for run in runs:
            for node in (run.container, *run.nodes):
                if node.key in self.ids:
                    continue
                if node.kind in _EXECUTIONS:
                    (made,) = self.store.put_executions([self.execution(node, run)])
                else:
                    (made,) = self.store.put_artifacts([self.artifact(node)])
                self.ids[node.key] = made
                self.calls += 1
            for edge in run.edges:
                self.store.put_events([self.event(edge, run)])
                self.calls += 1

    def finish(self) -> None:
        """Nothing: every call has committed, and queries read the same tables."""

    def close(self) -> str:
        del self.store
        return durability(self.path)

    def artifact(self, node: Node) -> Any:
        made = self.proto.Artifact(type_id=self.types[node.kind], name=node.key, uri=node.uri)
        made.properties["digest"].string_value = node.digest
        made.state = self.proto.Artifact.LIVE
        return made

    def execution(self, node: Node, run: PipelineRun) -> Any:
        made = self.proto.Execution(type_id=self.types[node.kind], name=node.key)
        made.last_known_state = self.proto.Execution.COMPLETE
        for name, text in run.params.get(node.key, {}).items():
            made.custom_properties[name].string_value = text
        return made

    def event(self, edge: Edge, run: PipelineRun) -> Any:
        """The event of `edge`, with the ids of those of its ends that are stored already."""
        generated = edge.kind == "generated"
        artifact, execution = (edge.target, edge.source) if generated else (edge.source, edge.target)
        made = self.proto.Event(
            type=self.proto.Event.OUTPUT if generated else self.proto.Event.INPUT,
            milliseconds_since_epoch=run.moment * 1000,
        )
        if artifact in self.ids:
            made.artifact_id = self.ids[artifact]
        if execution in self.ids:
            made.execution_id = self.ids[execution]
        return made

    def read_back(self, folder: Path) -> Content:
        base = sqlite3.connect(folder / _FILE)
        nodes = {
            (str(name), str(digest))
            for name, digest in base.execute(
                "SELECT a.name, p.string_value FROM Artifact a"
                " JOIN ArtifactProperty p ON p.artifact_id = a.id AND p.name = 'digest'"
            )
        }
        nodes |= {(str(name), "") for (name,) in base.execute("SELECT name FROM Execution")}
        edges: set[tuple[str, str, str]] = set()
        for kind, artifact, execution, type_name in base.execute(
            "SELECT v.type, a.name, e.name, t.name FROM Event v JOIN Artifact a ON a.id = v.artifact_id"
            " JOIN Execution e ON e.id = v.execution_id JOIN Type t ON t.id = e.type_id"
        ):
            if kind == 4:  # Event.OUTPUT
                edges.add(("generated", execution, artifact))
            else:
                edges.add(("deployed" if type_name == "endpoint" else "used", artifact, execution))
        params = {
            (str(key), str(name), str(text))
            for key, name, text in base.execute(
                "SELECT e.name, p.name, p.string_value FROM ExecutionProperty p"
                " JOIN Execution e ON e.id = p.execution_id"
            )
        }
        base.close()
        return Content(frozenset(nodes), frozenset(edges), frozenset(params))


class Subgraph(OneByOne):
    """put_lineage_subgraph: everything that `record` is given in one call and one transaction."""

    def record(self, runs: Sequence[PipelineRun]) -> None:
        artifacts: list[Any] = []
        executions: list[Any] = []
        places: dict[str, int] = {}
        events: list[tuple[int | None, int | None, Any]] = []
        for run in runs:
            for node in (run.container, *run.nodes):
                if node.key in self.ids or node.key in places:
                    continue
                if node.kind in _EXECUTIONS:
                    places[node.key] = len(executions)
                    executions.append(self.execution(node, run))
                else:
                    places[node.key] = len(artifacts)
                    artifacts.append(self.artifact(node))
            for edge in run.edges:
                generated = edge.kind == "generated"
                artifact, execution = (edge.target, edge.source) if generated else (edge.source, edge.target)
                events.append((places.get(execution), places.get(artifact), self.event(edge, run)))
        execution_ids, artifact_ids, _ = self.store.put_lineage_subgraph(executions, artifacts, [], events)
        self.calls += 1
        for node_key, place in places.items():
            is_execution = node_key.partition(":")[0] in _EXECUTIONS
            self.ids[node_key] = (execution_ids if is_execution else artifact_ids)[place]
