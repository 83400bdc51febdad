"""How each peer records a pipeline run: one module per peer, one class per way of using it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from benchmarks.workload import Content, PipelineRun


class Driver(Protocol):
    """One way of recording runs in one store; used by one process, in the order of the methods below."""

    calls: int
    """Calls of the peer's public API that recording has made so far."""

    def open(self, folder: Path) -> None:
        """Create an empty store inside `folder` and whatever types or schema it needs; not timed."""

    def record(self, runs: Sequence[PipelineRun]) -> None:
        """Return when `runs` are stored as durably as this peer ever stores them; timed."""

    def finish(self) -> None:
        """Return when everything recorded can be queried; timed."""

    def close(self) -> str:
        """Release the store and return its durability settings as found; not timed."""

    def read_back(self, folder: Path) -> Content:
        """Everything in the store inside `folder`, read from its files after `close`; not timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of the table: which class drives which peer, and how many runs it takes per call of `record`."""

    name: str
    peer: str
    package: str
    title: str
    module: str
    driver: str
    batch: int = 1


ROUTES: Final = (
    Route(
        name="mlmd-natural",
        peer="mlmd",
        package="ml-metadata",
        title="ML Metadata, one call per node and edge",
        module="benchmarks.drivers.mlmd",
        driver="OneByOne",
    ),
    Route(
        name="mlmd-subgraph",
        peer="mlmd",
        package="ml-metadata",
        title="ML Metadata, put_lineage_subgraph, 1 run a call",
        module="benchmarks.drivers.mlmd",
        driver="Subgraph",
    ),
    Route(
        name="mlmd-subgraph-100",
        peer="mlmd",
        package="ml-metadata",
        title="ML Metadata, put_lineage_subgraph, 100 runs a call",
        module="benchmarks.drivers.mlmd",
        driver="Subgraph",
        batch=100,
    ),
    Route(
        name="mlflow-natural",
        peer="mlflow",
        package="mlflow",
        title="MLflow client on its SQLite store, one call per fact",
        module="benchmarks.drivers.mlflow_store",
        driver="OneByOne",
    ),
    Route(
        name="mlflow-batched",
        peer="mlflow",
        package="mlflow",
        title="MLflow client on its SQLite store, log_batch and log_inputs",
        module="benchmarks.drivers.mlflow_store",
        driver="Batched",
    ),
    Route(
        name="aiida-store",
        peer="aiida",
        package="aiida-core",
        title="AiiDA sqlite_dos, node.store()",
        module="benchmarks.drivers.aiida_store",
        driver="NodeStore",
    ),
    Route(
        name="lineal-natural",
        peer="lineal",
        package="lineal",
        title="Lineal, 3 statements a run, 1 a call",
        module="benchmarks.drivers.lineal_store",
        driver="OneByOne",
    ),
    Route(
        name="lineal-run",
        peer="lineal",
        package="lineal",
        title="Lineal, 3 statements a run, 1 run a call",
        module="benchmarks.drivers.lineal_store",
        driver="Statements",
    ),
    Route(
        name="lineal-bulk-100",
        peer="lineal",
        package="lineal",
        title="Lineal, 3 statements a run, 100 runs a call",
        module="benchmarks.drivers.lineal_store",
        driver="Statements",
        batch=100,
    ),
    Route(
        name="lineal-pipeline",
        peer="lineal",
        package="lineal",
        title="Lineal, 1 statement a run, 1 run a call",
        module="benchmarks.drivers.lineal_store",
        driver="Pipelines",
    ),
    Route(
        name="lineal-pipeline-100",
        peer="lineal",
        package="lineal",
        title="Lineal, 1 statement a run, 100 runs a call",
        module="benchmarks.drivers.lineal_store",
        driver="Pipelines",
        batch=100,
    ),
)
