"""The statement that a run makes when it has ended."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from lineal.app.run_code import Code
from lineal.app.run_files import Files
from lineal.app.session import Session
from lineal.capture import trace
from lineal.capture.ci import CiJob
from lineal.capture.container import Container
from lineal.capture.environment import Environment
from lineal.capture.host import read_host
from lineal.capture.metrics import Metrics
from lineal.capture.parameters import Parameters
from lineal.capture.sagemaker import SageMakerJob
from lineal.capture.variables import Variables
from lineal.core import canonical, timestamp
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.event_type import FINISHED
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import redact_argv

if TYPE_CHECKING:
    from lineal.app.run import Started

_MODEL_ENDINGS: Final = frozenset(
    ".joblib .pkl .pickle .pt .pth .onnx .safetensors .h5 .keras .ubj .cbm .skops .mlmodel .gguf .npz .bin".split()  # noqa: SIM905
)
_DATA_ENDINGS: Final = frozenset(".csv .tsv .parquet .feather .arrow .avro .orc .jsonl .npy .tfrecord".split())  # noqa: SIM905
_SEEDS: Final = ("seed", "random_state", "random-state", "random_seed", "PYTHONHASHSEED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What was captured of a run beside its files and code."""

    environment: Environment
    parameters: Parameters
    metrics: Metrics
    variables: Variables
    container: Container | None
    ci: CiJob | None
    sagemaker: SageMakerJob | None
    printed: dict[str, tuple[Digest, int]] = field(default_factory=dict)
    objects: dict[str, Digest] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()


def observe(
    session: Session, started: "Started", outcome: trace.Outcome, captured: Captured, files: Files, code: Code
) -> Observation:
    """Return the observation ``run.finished/1``: the run, all that it used and made, and what could not be seen."""
    run = f"run:{started.id}"
    detail = _detail(started, outcome, captured, files, code)
    nodes = [Node(ref=run, basis="observed", detail=detail, aliases=_names(captured.sagemaker))]
    used = list(files.used)
    environment = environment_node(captured.environment, captured.objects)
    for node in (environment, _container_node(captured), code.node):
        if node is not None:
            nodes.append(node)
            used.append(node.ref)
    edges = [Edge(ref, run, "used") for ref in used]
    edges += [Edge(run, ref, "generated") for ref in files.generated]
    gaps = [*captured.gaps, *captured.parameters.gaps, *captured.metrics.gaps, *code.gaps, *files.gaps]
    for source in (captured.container, captured.sagemaker):
        gaps += source.gaps if source is not None else ()
    return Observation(
        type=FINISHED,
        time=_moment(outcome.ended),
        actor=session.actor,
        basis="observed",
        nodes=(*nodes, *files.nodes),
        edges=(*edges, *files.edges),
        gaps=tuple(Gap(gap.code, gap.explanation, gap.about or run) for gap in dict.fromkeys(gaps)),
        data={"host": read_host().describe()},
        subject=(run, *(node.ref for node in nodes[1:])),
    )


def _names(job: SageMakerJob | None) -> tuple[str, ...]:
    """Return the foreign names of a run: those of the job that it is, so that what SageMaker says of it joins it."""
    if job is None:
        return ()
    found = job.arn if job.arn is not None else f"{job.kind}-job/{job.name}" if job.name else ""
    return (found,) if found and found.isprintable() and " " not in found else ()


def _moment(seconds: float) -> str:
    return timestamp.spell(datetime.fromtimestamp(seconds, UTC))


def _detail(started: "Started", outcome: trace.Outcome, captured: Captured, files: Files, code: Code) -> dict[str, Any]:
    parameters = captured.parameters.describe()
    objects = {**captured.objects, **{name: digest for name, (digest, _) in captured.printed.items()}}
    if code.patch is not None:
        objects["patch"] = code.patch
    return {
        "name": started.name,
        "activity": started.options.activity or guess_activity(files, captured),
        "argv": redact_argv(started.argv)[0],
        "cwd": paths.spell(os.fsencode(started.cwd)),
        "state": "finished" if outcome.exit_status == 0 else "failed",
        "exit_status": outcome.exit_status,
        "signal": outcome.signal,
        "started": _moment(outcome.started),
        "ended": _moment(outcome.ended),
        "seconds": canonical.decimal(round(outcome.ended - outcome.started, 6)),
        "cpu_seconds": canonical.decimal(round(outcome.user_seconds + outcome.system_seconds, 6)),
        "peak_memory": outcome.peak_memory_bytes,
        "parameters": parameters,
        "metrics": captured.metrics.describe(),
        "seeds": _seeds(parameters, captured.variables.values),
        "environment_variables": captured.variables.describe(),
        "mechanism": outcome.trace.mechanism,
        "complete": outcome.trace.complete,
        "connections": list(outcome.trace.connections[:200]),
        "git": _git(code),
        "hardware": captured.environment.hardware.describe(),
        "container": None if captured.container is None else captured.container.describe(),
        "ci": None if captured.ci is None else captured.ci.describe(),
        "sagemaker": None if captured.sagemaker is None else captured.sagemaker.describe(),
        "printed": {name: seen for name, (_, seen) in captured.printed.items()},
        "files": {"inputs": len(files.inputs), "outputs": len(files.outputs)},
        "objects": {name: str(digest) for name, digest in sorted(objects.items())},
    }


def _git(code: Code) -> dict[str, Any] | None:
    if code.node is None or "commit" not in code.node.detail:
        return None
    return {name: code.node.detail[name] for name in ("commit", "branch", "dirty", "remotes")}


def _seeds(parameters: dict[str, Any], variables: Any) -> dict[str, Any]:
    found = {name: each["value"] for name, each in parameters.items() if name.rpartition(".")[2] in _SEEDS}
    return {**found, **{name: variables[name] for name in _SEEDS if name in variables}}


def guess_activity(files: Files, captured: Captured) -> str:
    """Return what kind of work a run was, by what it left: ``training``, ``data processing`` or ``run``."""
    endings = {os.path.splitext(record.path)[1].decode("ascii", "replace").lower() for record in files.outputs}
    if endings & _MODEL_ENDINGS or captured.metrics.values:
        return "training"
    return "data processing" if endings & _DATA_ENDINGS else "run"


def environment_node(environment: Environment, objects: Mapping[str, Digest]) -> Node:
    """Return the node of an environment; its lock file is the one of `objects` called ``pylock``."""
    interpreter = environment.interpreter
    name = environment.system.id if interpreter is None else "python"
    version = None if interpreter is None else interpreter.version
    detail = environment.describe()
    if "pylock" in objects:
        detail["objects"] = {"pylock": str(objects["pylock"])}
    return Node(
        ref=f"environment:{paths.spell(os.fsencode(name))}@{environment.digest}",
        basis="observed",
        digest=environment.digest,
        detail={**detail, "label": f"{name} {version or ''}".strip()},
    )


def _container_node(captured: Captured) -> Node | None:
    container = captured.container
    if container is None or container.digest is None:
        return None
    name = (container.image or "image").partition("@")[0]
    plain = paths.spell(os.fsencode(name))
    aliases = (container.image,) if container.image else ()
    return Node(
        ref=f"container:{plain}@{container.digest}",
        basis="observed",
        digest=container.digest,
        detail=container.describe(),
        aliases=aliases,
    )
