"""AiiDA on its sqlite_dos storage. Runs and endpoints are calculation nodes, all else data nodes, edges links."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.drivers.sqlite_file import durability
from benchmarks.workload import Content, Node, PipelineRun

_STORAGE = "storage"
_FILE = "database.sqlite"
_PROCESSES = ("run", "endpoint")


class NodeStore:
    """node.store() on each node, in the order in which its incoming links can be given to it.

    Earlier nodes are kept in memory, so no look-up is charged to the peer.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.nodes: dict[str, Any] = {}

    def open(self, folder: Path) -> None:
        os.environ["AIIDA_PATH"] = str(folder / "config")
        (folder / "config").mkdir()
        from aiida import load_profile, orm  # type: ignore[import-not-found]
        from aiida.common.links import LinkType  # type: ignore[import-not-found]
        from aiida.manage.configuration import (  # type: ignore[import-not-found]
            create_profile,
            get_config,
        )

        create_profile(
            get_config(create=True),
            storage_backend="core.sqlite_dos",
            storage_config={"filepath": str(folder / _STORAGE)},
            name="bench",
            email="bench@example.org",
        )
        load_profile("bench")
        self.path = folder / _STORAGE / _FILE
        self.orm: Any = orm
        self.links: Any = LinkType

    def record(self, runs: Sequence[PipelineRun]) -> None:
        for run in runs:
            for node in (run.container, *run.nodes):
                if node.key not in self.nodes:
                    self.nodes[node.key] = self.store(node, run)

    def store(self, node: Node, run: PipelineRun) -> Any:
        """`node` stored with the links that end in it; they are written in the same call."""
        if node.kind in _PROCESSES:
            made = self.orm.CalculationNode(label=node.key)
            made.base.attributes.set_many({"params": run.params.get(node.key, {})})
            link = self.links.INPUT_CALC
        else:
            made = self.orm.Data(label=node.key)
            made.base.attributes.set_many({"digest": node.digest, "uri": node.uri})
            link = self.links.CREATE
        place = 0
        for edge in run.edges:
            if edge.target == node.key:
                label = f"{edge.kind}_{place}"
                place += 1
                if link is self.links.CREATE:
                    label = f"made_{node.name.rpartition('/')[2]}"
                made.base.links.add_incoming(self.nodes[edge.source], link, label)
        made.store()
        self.calls += 1
        return made

    def finish(self) -> None:
        """Nothing: every store() has committed, and queries read the same tables."""

    def close(self) -> str:
        from aiida.manage import get_manager  # type: ignore[import-not-found]
        from sqlalchemy import text

        session = get_manager().get_profile_storage().get_session()
        level = session.execute(text("PRAGMA synchronous")).scalar()
        get_manager().reset_profile()
        return durability(self.path, level)

    def read_back(self, folder: Path) -> Content:
        base = sqlite3.connect(folder / _STORAGE / _FILE)
        names: dict[int, str] = {}
        nodes: set[tuple[str, str]] = set()
        params: set[tuple[str, str, str]] = set()
        for number, key, held in base.execute("SELECT id, label, attributes FROM db_dbnode"):
            attributes = json.loads(held)
            names[number] = key
            nodes.add((key, attributes.get("digest", "")))
            params.update((key, name, text) for name, text in attributes.get("params", {}).items())
        edges: set[tuple[str, str, str]] = set()
        for source, target, role in base.execute("SELECT input_id, output_id, type FROM db_dblink"):
            kind = "deployed" if names[target].startswith("endpoint:") else "used"
            edges.add(("generated" if role == "create" else kind, names[source], names[target]))
        base.close()
        return Content(frozenset(nodes), frozenset(edges), frozenset(params))
