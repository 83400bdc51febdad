"""Roots of configuration files: the one name under which a folder is known, wherever it lies, and its commit."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineal.capture.git import read_git
from lineal.core.observation import Gap
from lineal.core.path import spell
from lineal.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A folder or file that is collected: its `path`, its `name`, and where it stands in git, if it does.

    In a repository with a remote the name is that of the repository and the path in it, the same on every machine;
    elsewhere the whole path, since two folders called ``prod`` are two roots.
    """

    path: Path
    name: str
    git: dict[str, Any] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()


def open_root(path: Path, name: str | None = None) -> Root:
    """Return the root that `path` is, called `name` if that is given; raise `BadInput` where nothing is."""
    shown = spell(os.fsencode(os.path.abspath(path)))
    if not path.exists():
        raise BadInput(f"there is nothing at {shown}", fix="Name a folder or file that is there.")
    if name is not None and (not name or not name.isprintable() or len(name) > 500):
        raise BadInput(f"not the name of a root: {name[:100]!r}", fix="Write one printable line, such as prod/k8s.")
    folder = path if path.is_dir() else path.parent
    state = read_git(folder)
    if state is None or state.toplevel is None:
        return Root(path=path, name=name or shown)
    below = os.path.relpath(os.path.realpath(path), os.path.realpath(state.toplevel))
    within = os.fsencode(below)
    named = f"{state.name}/{spell(within)}".removesuffix("/.") if state.remotes else shown
    prefix = b"" if below == "." else within
    untracked = any(each == prefix or each.startswith(prefix + b"/" if prefix else b"") for each in state.untracked)
    git = {
        "repository": state.name,
        "commit": state.commit,
        "branch": state.branch,
        "dirty": None if state.dirty is None else state.dirty or untracked,
    }
    kept = {key: value for key, value in git.items() if value is not None}
    return Root(path=path, name=name or named, git=kept, gaps=state.gaps if state.commit is None else ())
