"""The code of a run: its source tree kept whole, so that it outlives the host it came from."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lineal.app.naming import spell_name
from lineal.capture.file_roles import Plan
from lineal.capture.git_state import GitState
from lineal.capture.source_tree import SourceFile, walk_files, walk_source
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.observation import Gap, Node
from lineal.core.repository import canonical_name
from lineal.datasets import manifest
from lineal.errors import BadInput, ObjectChanged
from lineal.objects.batch import Batch


@dataclass(frozen=True, slots=True)
class Code:
    """The node of the code that a run used, None if it used none that is known; its patch; the gaps."""

    node: Node | None
    patch: Digest | None
    gaps: tuple[Gap, ...]


def read_code(batch: Batch, state: GitState | None, cwd: Path, plan: Plan) -> Code:
    """Keep the source tree in `batch` and return its node: by commit inside git, by content everywhere."""
    gaps = list(state.gaps) if state is not None else []
    if state is not None and state.toplevel is not None:
        walked = walk_source(state, plan.untracked_source)
        name = state.name
    else:
        gaps.append(Gap("code.no_git", "the command did not run in a git repository: its source has no commit"))
        walked = walk_files(cwd, plan.source)
        name = canonical_name(os.fspath(cwd))
    found = manifest.write(_entries(batch, walked, gaps), batch.put_bytes)
    if found.count == 0:
        gaps.append(Gap("code.none", "no source of the command was found"))
        return Code(None, None, tuple(gaps))
    ref = f"code:{spell_name(os.fsencode(name))}@{found.digest}"
    if state is None or state.commit is None:
        detail = {"files": found.count, "size": found.size, "stored": "dataset"}
        return Code(Node(ref=ref, basis="observed", digest=found.digest, detail=detail), None, tuple(gaps))
    return _versioned(batch, ref, found, state, gaps)


def _versioned(batch: Batch, ref: str, found: manifest.Manifest, state: GitState, gaps: list[Gap]) -> Code:
    patch = batch.put_bytes(state.patch) if state.patch else None
    dirty = bool(state.dirty) or state.dirty is None
    detail = {**state.describe(), "files": found.count, "size": found.size, "stored": "dataset"}
    detail.pop("gaps", None)
    if patch is not None:
        detail["objects"] = {"patch": str(patch)}
    commit = state.commit or ""
    node = Node(
        ref=ref,
        basis="observed",
        version=f"{commit}+dirty" if dirty else commit,
        digest=found.digest,
        detail=detail,
        aliases=(commit,),
    )
    return Code(node, patch, tuple(gaps))


def _entries(batch: Batch, walked: Iterator[SourceFile | Gap], gaps: list[Gap]) -> Iterator[manifest.Entry]:
    for item in walked:
        if isinstance(item, Gap):
            gaps.append(item)
            continue
        try:
            if item.kind == "l":
                target = os.fsencode(os.readlink(item.file))
                yield manifest.Entry(item.path, "l", batch.put_bytes(target), len(target))
            else:
                stored = batch.put_file(item.file)
                yield manifest.Entry(item.path, item.kind, stored.digest, stored.size)
        except (OSError, BadInput, ObjectChanged) as error:
            gaps.append(Gap("code.unreadable", f"a source file is not kept: {error}", paths.spell(item.path)))
