"""What ``dvc.yaml`` adds to a lock file: where a stage works, what its outputs are, and what people call them.

Values are templates there (``${item}``), and the lock has them resolved: so paths of the two are matched, the literal
pieces of a template in their order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lineal.core.redaction import clean
from lineal.errors import BadInput
from lineal.sources.dvc_items import Item, Stage
from lineal.sources.dvc_text import as_list, as_table, load_yaml

_NOTES: Final = ("type", "desc", "labels", "meta")
_MOST_PIECES: Final = 16


@dataclass(frozen=True, slots=True)
class Artifact:
    """An entry of ``artifacts``: its name there, the path that it names, and what is said of it."""

    name: str
    path: str
    notes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a stage as ``dvc.yaml`` names it, perhaps by a template."""

    path: str
    is_cached: bool
    is_metric: bool
    remote: str | None
    notes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Spec:
    """One stage of ``dvc.yaml``; of a ``foreach`` or ``matrix`` the pattern of its stages."""

    wdir: str | None
    is_frozen: bool
    outputs: tuple[Output, ...]
    notes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A ``dvc.yaml``: stages by name, declared artifacts, and the metrics files of the whole pipeline."""

    stages: Mapping[str, Spec] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    metrics: tuple[str, ...] = ()

    def spec_of(self, stage: str) -> Spec | None:
        """Return the spec of the stage with this name in the lock: its own, or that of the group before its ``@``."""
        return self.stages.get(stage) or self.stages.get(stage.rpartition("@")[0])

    def complete(self, stage: Stage) -> Stage:
        """Return the `stage` of a lock with what the pipeline says of it and of its outputs.

        Raises `BadInput` if where it works is a template that is not known here.
        """
        spec = self.spec_of(stage.name)
        if spec is None:
            return stage
        outs = tuple(_complete(out, spec.outputs, self.metrics) for out in stage.outs)
        wdir = _resolve(spec.wdir, stage.name)
        return replace(stage, wdir=wdir, is_frozen=spec.is_frozen, notes=spec.notes, outs=outs)


def _complete(item: Item, outputs: tuple[Output, ...], metrics: tuple[str, ...]) -> Item:
    for each in outputs:
        if matches(each.path, item.path):
            is_metric = each.is_metric or item.path in metrics
            return replace(
                item,
                is_cached=each.is_cached,
                is_metric=is_metric,
                remote=item.remote or each.remote,
                notes={**item.notes, **each.notes},
            )
    return replace(item, is_metric=True) if item.path in metrics else item


def _resolve(wdir: str | None, stage: str) -> str | None:
    if wdir is None or "${" not in wdir:
        return wdir
    key = stage.rpartition("@")[2]
    found = wdir.replace("${item}", key).replace("${key}", key)
    if "${" in found:
        raise BadInput(f"the working folder of the stage {clean(stage)[:100]!r} is a template: {clean(wdir)[:200]!r}")
    return found


def matches(template: str, path: str) -> bool:
    """Return whether `path` is `template` with something put in for each ``${…}``."""
    pieces = list(_pieces(template))
    if len(pieces) == 1 or len(pieces) > _MOST_PIECES:
        return template == path
    first, *middle, last = pieces
    if len(path) < len(first) + len(last) or not path.startswith(first) or not path.endswith(last):
        return False
    place, end = len(first), len(path) - len(last)
    for piece in middle:
        place = path.find(piece, place, end)
        if place < 0:
            return False
        place += len(piece)
    return True


def _pieces(template: str) -> Iterator[str]:
    start = 0
    while (opened := template.find("${", start)) >= 0 and (closed := template.find("}", opened)) >= 0:
        yield template[start:opened]
        start = closed + 1
    yield template[start:]


def read_pipeline(data: bytes, name: str) -> Pipeline:
    """Return what a ``dvc.yaml`` says; raise `BadInput` if it is none."""
    found = as_table(load_yaml(data, name), name)
    stages = {stage: _spec(as_table(said, name), name) for stage, said in as_table(found.get("stages"), name).items()}
    artifacts = []
    for artifact, said in as_table(found.get("artifacts"), name).items():
        entry = as_table(said, name)
        if isinstance(entry.get("path"), str):
            artifacts.append(Artifact(artifact, entry["path"], _notes(entry)))
    metrics = tuple(each for each in as_list(found.get("metrics"), name) if isinstance(each, str))
    return Pipeline(stages, tuple(artifacts), metrics)


def _spec(said: dict[str, Any], name: str) -> Spec:
    inner = as_table(said.get("do"), name) if "foreach" in said else said
    wdir = inner.get("wdir")
    return Spec(
        wdir=wdir if isinstance(wdir, str) else None,
        is_frozen=inner.get("frozen") is True,
        outputs=tuple(_outputs(inner, name)),
        notes={key: inner[key] for key in ("desc", "meta") if inner.get(key) is not None},
    )


def _outputs(said: dict[str, Any], name: str) -> Iterator[Output]:
    for kind in ("outs", "metrics", "plots"):
        for each in as_list(said.get(kind), name):
            entries = each.items() if isinstance(each, dict) else [(each, None)]
            for path, facts in entries:
                known = facts if isinstance(facts, dict) else {}
                remote = known.get("remote")
                yield Output(
                    path=str(path),
                    is_cached=known.get("cache") is not False,
                    is_metric=kind == "metrics",
                    remote=remote if isinstance(remote, str) else None,
                    notes=_notes(known) if kind == "outs" else {},
                )


def _notes(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: said[key] for key in _NOTES if said.get(key) is not None}
