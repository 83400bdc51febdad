"""What a file of DVC says, put in its place: which commit, which project, where in the repository each thing lies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lineal.sources.dvc_file import locate
from lineal.sources.dvc_git import Commit
from lineal.sources.dvc_items import Item, Stage
from lineal.sources.dvc_pipeline import Artifact, Pipeline

Role = Literal["data", "file", "code", "outside", "none"]


@dataclass(frozen=True, slots=True)
class Placed:
    """An output or dependency, where in the repository it lies (None: outside of it), and what it is there.

    ``data`` is tracked by DVC, or by nobody; ``file`` is left by a stage and not kept by DVC; ``code`` is tracked by
    git: `agrees` says whether git has the bytes at the commit that DVC hashed (None: not told); ``outside`` has an
    address; ``none`` has a path that leads out of the repository.
    """

    item: Item
    path: bytes | None
    role: Role
    agrees: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one file of DVC says of one thing: a stage that ran, or (without commands) things that are tracked.

    `key` is the same wherever the same was executed or tracked; `project` the folder of the DVC project in the
    repository; `metrics` what the metrics files in git said at `commit`.
    """

    key: str
    file: bytes
    project: bytes
    commit: Commit
    stage: Stage
    outs: tuple[Placed, ...]
    deps: tuple[Placed, ...]
    metrics: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Declared:
    """What the pipelines of all commits say of paths: declared artifacts, and which outputs are models."""

    artifacts: dict[bytes, Artifact] = field(default_factory=dict)
    models: set[bytes] = field(default_factory=set)

    def add(self, folder: bytes, pipeline: Pipeline) -> None:
        """Take what a ``dvc.yaml`` in `folder` says; later ones win."""
        for artifact in pipeline.artifacts:
            path = locate(folder, None, artifact.path)
            if path is not None:
                self.artifacts[path] = artifact
                if artifact.notes.get("type") == "model":
                    self.models.add(path)
        for spec in pipeline.stages.values():
            for output in spec.outputs:
                path = locate(folder, spec.wdir, output.path)
                if path is not None and output.notes.get("type") == "model":
                    self.models.add(path)
