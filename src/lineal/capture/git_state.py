"""A repository as it stood at one moment: plain values, and how they are written into an event."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lineal.core import path
from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.core.repository import canonical_name

SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class TrackedFile:
    """One path in the index: relative to the toplevel; `is_submodule` for a commit of another repository."""

    path: bytes
    is_submodule: bool
    is_sparse: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Submodule:
    """A repository inside the repository. `state` is None where it was not fetched, or lies too deep."""

    path: bytes
    commit: str
    state: "GitState | None"

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document."""
        found = {"path": path.spell(self.path), "commit": self.commit}
        return found if self.state is None else {**found, "state": self.state.describe()}


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """One repository as it stood when it was read.

    `toplevel` is None for a bare repository; `commit` before the first one; `branch` when detached. `dirty` says that
    a tracked file (or submodule) differs from the commit; `patch` is that difference as `git apply` takes it, with
    `redactions` secrets cut out; None when it could not be had. `untracked` files are those not ignored.
    """

    toplevel: Path | None
    git_dir: Path | None = None
    commit: str | None = None
    branch: str | None = None
    tags: tuple[str, ...] = ()
    remotes: Mapping[str, str] = field(default_factory=dict)
    dirty: bool | None = None
    patch: bytes | None = None
    redactions: int = 0
    tracked: tuple[TrackedFile, ...] = ()
    untracked: tuple[bytes, ...] = ()
    submodules: tuple[Submodule, ...] = ()
    bare: bool = False
    shallow: bool = False
    worktree: bool = False
    gaps: tuple[Gap, ...] = ()

    @property
    def name(self) -> str:
        """What the code is called: by its remote (``origin`` first), else by its folder."""
        for remote in ("origin", *sorted(self.remotes)):
            if remote in self.remotes:
                return canonical_name(self.remotes[remote])
        folder = self.toplevel or self.git_dir
        return canonical_name(os.fspath(folder)) if folder is not None else "code"

    def describe(self) -> dict[str, Any]:
        """Return the state as a plain document: paths spelled, the patch by its digest, the first `SHOWN` untracked."""
        return {
            "name": self.name,
            "toplevel": None if self.toplevel is None else path.spell(os.fsencode(self.toplevel)),
            "commit": self.commit,
            "branch": self.branch,
            "tags": list(self.tags),
            "remotes": dict(self.remotes),
            "dirty": self.dirty,
            "patch": None
            if not self.patch
            else {
                "digest": str(Digest.of(self.patch)),
                "size": len(self.patch),
                "redactions": self.redactions,
            },
            "tracked": len(self.tracked),
            "untracked": {
                "count": len(self.untracked),
                "paths": [path.spell(each) for each in self.untracked[:SHOWN]],
            },
            "submodules": [each.describe() for each in self.submodules],
            "bare": self.bare,
            "shallow": self.shallow,
            "worktree": self.worktree,
        }
