"""What DVC recorded in a repository: tracked files and executed stages, each at the commit where it first stood."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from lineal.core import canonical
from lineal.core.observation import Gap
from lineal.core.path import spell
from lineal.core.redaction import clean
from lineal.errors import BadInput, LinealError
from lineal.sources.dvc_blobs import Blobs
from lineal.sources.dvc_cache import CHUNK, Hasher
from lineal.sources.dvc_file import LOCK, PIPELINE, locate, read_dvc, read_lock
from lineal.sources.dvc_git import Commit, Found, History, Repository
from lineal.sources.dvc_items import Item, Stage
from lineal.sources.dvc_metrics import read_numbers
from lineal.sources.dvc_pipeline import Pipeline, read_pipeline
from lineal.sources.dvc_seen import Declared, Placed, Seen
from lineal.sources.dvc_text import LARGEST

_CONFIG: Final = b".dvc/config"
_LARGEST_SOURCE: Final = 64 << 20
_MOST_PIPELINES: Final = 256
_MOST_KEPT: Final = 64 << 20


class Reader:
    """Reads one repository; `declared` and `tracked` are known after `prepare`."""

    def __init__(self, repository: Repository, history: History, blobs: Blobs) -> None:
        self._repository, self._history, self._blobs = repository, history, blobs
        self.projects = _projects(history)
        self.declared = Declared()
        self._tracked: set[bytes] = set()
        self._left: set[bytes] = set()
        self._pipelines: dict[bytes, Pipeline | None] = {}
        self._locks: dict[str, bytes | None] = {}
        self._older: dict[bytes, list[tuple[Commit, Found]]] = {}
        self._kept = 0
        self._seen: dict[str, Seen] = {}
        self._gaps: list[Gap] = []

    def read(self) -> Iterator[Seen | Gap]:
        """Yield everything that the selected files say, in the order in which it came."""
        if self._repository.place.history.is_shallow:
            yield Gap("dvc.shallow", "the clone is shallow: what came before its first commit is told of that commit")
        self._prepare()
        for seen in sorted(self._seen.values(), key=lambda each: (each.commit, bool(each.stage.commands), each.file)):
            yield self._place(seen)
        yield from self._gaps

    def _prepare(self) -> None:
        births = sorted(self._history.births.items(), key=lambda each: each[1])
        for found, commit in births:
            if _base(found.path) == PIPELINE:
                pipeline = self._pipeline(commit, _folder(found.path))
                if pipeline is not None:
                    self.declared.add(_folder(found.path), pipeline)
        selected = set(self._history.selected)
        for found, commit in births:
            if found in selected:
                self._take(found, commit)
            elif _base(found.path).endswith(b".dvc"):
                self._learn(found)

    def _learn(self, found: Found) -> None:
        """Take what a file that is not selected says of what things are: that does not depend on where one looks."""
        self._tracked.add(found.path.removesuffix(b".dvc"))
        data = self._blobs.read(found.blob, LARGEST)
        if data is not None and b"model" in data:
            with suppress(LinealError):
                stage = read_dvc(data, spell(found.path))
                for out in (_out(_folder(found.path), stage, item) for item in stage.outs):
                    self._note_model(out)

    def _note_model(self, out: Placed) -> None:
        if out.path is not None and out.item.notes.get("type") == "model":
            self.declared.models.add(out.path)

    def _take(self, found: Found, commit: Commit) -> None:
        base = _base(found.path)
        if base != LOCK and not (base.endswith(b".dvc") and base != b".dvc"):
            return
        data = self._blobs.read(found.blob, LARGEST)
        name = spell(found.path)
        if data is None:
            self._gaps.append(Gap("dvc.unreadable", "the object is not in this clone, or too large", name))
            return
        try:
            stages = read_lock(data, name) if base == LOCK else (read_dvc(data, name),)
            for stage in stages:
                self._keep(found, commit, stage)
        except LinealError as error:
            self._gaps.append(Gap("dvc.bad_file", f"at {commit.id[:12]}: {error.message}", name))

    def _keep(self, found: Found, commit: Commit, stage: Stage) -> None:
        document = {"file": spell(found.path), "stage": clean(stage.name), "said": stage.source}
        key = hashlib.sha256(canonical.encode(document)).hexdigest()
        if key in self._seen:
            return
        if _base(found.path) == LOCK:
            commit = self._birth(found, commit, stage)
            pipeline = self._pipeline(commit, _folder(found.path))
            stage = stage if pipeline is None else pipeline.complete(stage)
        folder = _folder(found.path)
        outs = tuple(_out(folder, stage, item) for item in stage.outs)
        self._tracked.update(out.path for out in outs if out.path is not None and out.role == "data")
        self._left.update(out.path for out in outs if out.path is not None and out.role == "file")
        for out in outs:
            self._note_model(out)
        project = next(each for each in self.projects if folder == each or folder.startswith(each + b"/") or not each)
        self._seen[key] = Seen(
            key=key, file=found.path, project=project, commit=commit, stage=stage, outs=outs, deps=()
        )

    def _birth(self, found: Found, commit: Commit, stage: Stage) -> Commit:
        """Return the first commit whose lock has this very entry: where the stage ran, not where it was looked at.

        Only locks that have all its hashes are parsed. Where all that ever came is read, the first met is the first.
        """
        if self._history.is_whole:
            return commit
        hashes = [item.oid.md5.encode() for item in (*stage.deps, *stage.outs) if item.oid is not None]
        if found.path not in self._older:
            self._older[found.path] = self._history.of_path(found.path)
        for earlier, other in self._older[found.path]:
            if earlier >= commit:
                break
            data = self._old_lock(other.blob)
            if data is None or not all(each in data for each in hashes):
                continue
            try:
                stages = read_lock(data, spell(found.path))
            except LinealError:
                continue
            if any(each.name == stage.name and each.source == stage.source for each in stages):
                return earlier
        return commit

    def _old_lock(self, blob: str) -> bytes | None:
        if blob not in self._locks:
            data = self._blobs.read(blob, LARGEST)
            self._kept += len(data or b"")
            if self._kept > _MOST_KEPT:
                return data
            self._locks[blob] = data
        return self._locks[blob]

    def _pipeline(self, commit: Commit, folder: bytes) -> Pipeline | None:
        path = b"/".join(part for part in (folder, PIPELINE) if part)
        data = self._blobs.read_at(commit.id, path, LARGEST)
        if data is None:
            return None
        if data not in self._pipelines:
            if len(self._pipelines) >= _MOST_PIPELINES:
                self._pipelines.clear()
            try:
                self._pipelines[data] = read_pipeline(data, spell(path))
            except LinealError as error:
                self._pipelines[data] = None
                self._gaps.append(Gap("dvc.bad_file", f"at {commit.id[:12]}: {error.message}", spell(path)))
        return self._pipelines[data]

    def _place(self, seen: Seen) -> Seen:
        """Return `seen` with its dependencies found, and the metrics that git has."""
        folder = _folder(seen.file)
        deps = tuple(self._dependency(seen.commit, folder, seen.stage, item) for item in seen.stage.deps)
        metrics: dict[str, str] = {}
        for out in seen.outs:
            if out.item.is_metric and not out.item.is_cached and out.path is not None:
                metrics.update(self._numbers(seen, out.item, out.path))
        return replace(seen, deps=deps, metrics=metrics)

    def _dependency(self, commit: Commit, folder: bytes, stage: Stage, item: Item) -> Placed:
        if item.is_foreign or item.origin is not None:
            return Placed(item, None, "outside")
        path = locate(folder, stage.wdir, item.path)
        if path is None:
            return Placed(item, None, "none" if stage.commands else "outside")
        if any(each in self._tracked for each in _upward(path)):
            return Placed(item, path, "data")
        if path in self._left:
            return Placed(item, path, "file")
        kind, data = self._blobs.look_at(commit.id, path, _LARGEST_SOURCE)
        if kind is None:
            return Placed(item, path, "data")
        return Placed(item, path, "code", None if data is None else _agrees(item, data))

    def _numbers(self, seen: Seen, item: Item, path: bytes) -> dict[str, str]:
        about = spell(path)
        data = self._blobs.read_at(seen.commit.id, path, _LARGEST_SOURCE)
        if data is None:
            self._gaps.append(Gap("dvc.metrics", f"the metrics file is not in git at {seen.commit.id[:12]}", about))
            return {}
        if _agrees(item, data) is False:
            differs = (
                f"git has another metrics file at {seen.commit.id[:12]} than the stage left: its values are left out"
            )
            self._gaps.append(Gap("dvc.metrics", differs, about))
            return {}
        try:
            return read_numbers(data, path)
        except BadInput as error:
            self._gaps.append(Gap("dvc.metrics", f"its values are not recorded: {error.message}", about))
            return {}


def _projects(history: History) -> tuple[bytes, ...]:
    """Return the folders of the DVC projects of the repository, the deepest first; its top is always one."""
    found = {found.path.removesuffix(_CONFIG).rstrip(b"/") for found in history.births if found.path.endswith(_CONFIG)}
    return tuple(sorted({b"", *found}, key=lambda each: (-each.count(b"/") - bool(each), each)))


def _out(folder: bytes, stage: Stage, item: Item) -> Placed:
    if item.is_foreign:
        return Placed(item, None, "outside")
    path = locate(folder, stage.wdir, item.path)
    return Placed(item, path, "none" if path is None else "data" if item.is_cached else "file")


def _agrees(item: Item, data: bytes) -> bool | None:
    if item.oid is None or item.oid.is_dir:
        return None
    hasher = Hasher()
    for start in range(0, len(data), CHUNK):
        hasher.update(data[start : start + CHUNK])
    return hasher.spell(item.oid) == item.oid.md5


def _upward(path: bytes) -> Iterator[bytes]:
    yield path
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path


def _folder(path: bytes) -> bytes:
    return path.rpartition(b"/")[0]


def _base(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def project_root(repository: Repository, project: bytes) -> Path:
    """Return where the folder of a DVC project lies, or would lie in a repository without a working tree."""
    root = repository.folder
    return root / project.decode("utf-8", "surrogateescape") if project else root
