"""Stages that DVC executed, as runs: what a lock file says went in and came out, and the commit that has the code."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lineal.app.dvc_text import tell_commands, tell_notes, tell_parameters
from lineal.app.naming import new_run_id
from lineal.core import path as paths
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import clean, strip_url
from lineal.sources.dvc_file import locate
from lineal.sources.dvc_seen import Placed, Seen

EXECUTED: Final = "stage.executed/1"
_SHOWN: Final = 500
_MODELS: Final = frozenset(
    ".joblib .pkl .pickle .pt .pth .onnx .safetensors .h5 .keras .ubj .cbm .skops .mlmodel .gguf .npz .bin".split()  # noqa: SIM905
)
_DATA: Final = frozenset(".csv .tsv .parquet .feather .arrow .avro .orc .jsonl .npy .tfrecord".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a stage is joined with: references that it used and made, its code, what to say with it, and gaps."""

    used: Iterable[str]
    made: Iterable[str]
    code: Node | None
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    metrics: Mapping[str, str]
    gaps: tuple[Gap, ...]


def run_ref(seen: Seen) -> str:
    """Return the reference of the run: of the stage and what its lock says, so the same at every commit that has it."""
    label = new_run_id(clean(seen.stage.name)).rpartition("-")[0]
    return f"run:dvc-{label}-{seen.key[:20]}"


def observe_run(seen: Seen, repository: str, actor: str, parts: Parts) -> Observation:
    """Return the observation ``stage.executed/1``: it ended well, or DVC would not have written its lock."""
    ref = run_ref(seen)
    used = [*parts.used, *([parts.code.ref] if parts.code is not None else [])]
    edges = [Edge(each, ref, "used") for each in sorted(set(used))]
    edges += [Edge(ref, each, "generated") for each in sorted(set(parts.made))]
    edges += parts.edges
    nodes = [Node(ref=ref, basis="observed", detail=_detail(seen, repository, parts)), *parts.nodes]
    if parts.code is not None and parts.code.basis == "claimed":
        nodes.append(parts.code)
    return Observation(
        type=EXECUTED,
        time=seen.commit.time,
        actor=actor,
        basis="observed",
        nodes=tuple(nodes),
        edges=tuple(edges),
        gaps=tuple(Gap(gap.code, gap.explanation, gap.about or ref) for gap in dict.fromkeys(parts.gaps)),
        subject=(ref,),
    )


def _detail(seen: Seen, repository: str, parts: Parts) -> dict[str, Any]:
    stage = seen.stage
    folder = locate(seen.file.rpartition(b"/")[0], stage.wdir, "inside")
    found: dict[str, Any] = {
        "name": clean(stage.name),
        "activity": guess_activity(seen),
        "argv": tell_commands(stage.commands),
        "cwd": paths.spell((folder or b"inside").rpartition(b"/")[0]) or ".",
        "state": "finished",
        "tool": "dvc",
        "repository": repository,
        "file": paths.spell(seen.file),
        "commit": seen.commit.id,
        "parameters": tell_parameters(stage.params),
        "metrics": {name: parts.metrics[name] for name in sorted(parts.metrics)},
        "inputs": [_describe(each) for each in seen.deps[:_SHOWN]],
        "outputs": [_describe(each) for each in seen.outs[:_SHOWN]],
    }
    if stage.is_frozen:
        found["frozen"] = True
    return {**found, **tell_notes(stage.notes)}


def _describe(placed: Placed) -> dict[str, Any]:
    item = placed.item
    path = strip_url(item.path)[0] if placed.path is None else paths.spell(placed.path)
    found: dict[str, Any] = {"path": path, "role": placed.role}
    if item.oid is not None:
        found["md5-dos2unix" if item.oid.is_dos2unix else "md5"] = str(item.oid)
    if item.size is not None:
        found["size"] = item.size
    if placed.agrees is not None:
        found["in_commit"] = placed.agrees
    return found


def guess_activity(seen: Seen) -> str:
    """Return what kind of work a stage was, by what it left: ``training``, ``data processing``, ``evaluation``, …"""
    kept = [out for out in seen.outs if out.item.is_cached and not out.item.is_metric]
    endings = {os.path.splitext(out.item.path)[1].lower() for out in kept}
    if endings & _MODELS or any(out.item.notes.get("type") == "model" for out in kept):
        return "training"
    if endings & _DATA:
        return "data processing"
    return "evaluation" if any(out.item.is_metric for out in seen.outs) else "run"
