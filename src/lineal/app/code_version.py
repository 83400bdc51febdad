"""A commit as a version of code: its whole tree kept, byte by byte, from the objects of git; nothing is checked out."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.core.repository import without_credentials
from lineal.datasets import manifest
from lineal.datasets.tree import LEFT_OUT
from lineal.errors import BadInput, DigestMismatch, IntegrityError, SourceError
from lineal.objects.batch import StoredFile
from lineal.sources import git_lfs, git_tree
from lineal.sources.git_objects import Commit, Found, ObjectReader
from lineal.sources.git_program import Git
from lineal.sources.git_tree import KINDS, USUAL, Module, TreeEntry

DEEPEST: Final = 4
MOST_LFS: Final = 10_000
_IN_MEMORY: Final = 8 << 20

Progress = Callable[[int, int], None]


class Keeper(Protocol):
    """Where the bytes go: a batch of the object store."""

    def put_bytes(self, data: bytes) -> Digest:
        """Keep `data`."""

    def put_file(self, path: Path) -> StoredFile:
        """Keep the content of a file."""


class Host(Protocol):
    """Where submodules and files of Git LFS are had from; each answers with a `Gap` for what cannot be had."""

    def submodule(self, parent: Git, module: Module | None, entry: TreeEntry) -> Git | Gap:
        """Return a repository that has the commit of the submodule."""

    def lfs(self, git: Git, pointer: git_lfs.Pointer) -> Path | Gap:
        """Return a file that holds the content of an LFS file."""


@dataclass(slots=True)
class Tree:
    """The tree of a commit as it was kept: its manifest, and what a manifest cannot say of it."""

    manifest: manifest.Manifest
    tracked: int
    submodules: list[dict[str, Any]] = field(default_factory=list)
    lfs: list[dict[str, Any]] = field(default_factory=list)
    modes: dict[str, str] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Return it as part of a node's detail; what is empty is left out."""
        objects = {f"lfs {each['path']}": f"sha256:{each['oid']}" for each in self.lfs if each["stored"]}
        found = {
            "files": self.manifest.count,
            "size": self.manifest.size,
            "tracked": self.tracked,
            "submodules": self.submodules,
            "lfs": self.lfs,
            "modes": self.modes,
            "empty": self.empty,
            "objects": objects,
        }
        return {name: value for name, value in found.items() if value or isinstance(value, int)}


def keep_tree(
    keeper: Keeper, git: Git, commit: Commit, host: Host, *, with_submodules: bool = True, on_progress: Progress
) -> Tree:
    """Keep every file of `commit` in `keeper` and return its tree, proved to be the one that the commit names.

    The digest is the one that a run records in a clean checkout. Raises `SourceError` where a part cannot be read,
    `BadInput` for a tree that no checkout may write, `IntegrityError` where bytes are not those that git's ids name.
    """
    with tempfile.TemporaryDirectory(prefix="lineal-git-") as folder:
        work = _Work(keeper, host, Path(folder), on_progress, with_submodules)
        work.take(git, commit, b"", 0)
        found = manifest.write(work.entries(), keeper.put_bytes)
    tree = work.tree
    tree.manifest = found
    return tree


class _Work:
    """Collects the entries of a commit and of the submodules in it; each blob is read, hashed and kept once."""

    def __init__(self, keeper: Keeper, host: Host, folder: Path, on_progress: Progress, with_submodules: bool) -> None:
        self.tree = Tree(manifest.Manifest(Digest.of(b""), 0, 0, ()), 0)
        self._keeper, self._host, self._folder, self._progress = keeper, host, folder, on_progress
        self._with_submodules = with_submodules
        self._found: list[tuple[bytes, str, str]] = []
        self._kept: dict[str, tuple[Digest, int]] = {}
        self._pointers: dict[str, git_lfs.Pointer] = {}
        self._contents: dict[str, Path | Gap] = {}
        self._bytes = 0

    def entries(self) -> Iterator[manifest.Entry]:
        """Yield the entries of the manifest in their order."""
        for path, kind, name in sorted(self._found):
            digest, size = self._kept[name]
            yield manifest.Entry(path, kind, digest, size)

    def take(self, git: Git, commit: Commit, prefix: bytes, depth: int) -> None:
        """Keep the tree of `commit` below the path `prefix`."""
        with ObjectReader(git) as reader:
            entries = git_tree.list_tree(reader, commit)
        if git_tree.tree_id(entries, git.format) != commit.tree:
            raise IntegrityError(
                f"the tree of {commit.id} is not the one that the commit names: nothing was kept of it"
            )
        files = [entry for entry in entries if entry.mode in KINDS]
        self._keep(git, files, prefix)
        reserved = [each.path for each in files if any(part.lower() in LEFT_OUT for part in each.path.split(b"/"))]
        if reserved:
            explanation = (
                "the commit has files in a folder that belongs to a tool: they are kept, a restore refuses them"
            )
            self.tree.gaps.append(Gap("git.reserved_path", explanation, paths.spell(prefix + reserved[0])))
        for entry in files:
            kind = KINDS[entry.mode]
            self._found.append((prefix + entry.path, kind, entry.id))
            if entry.mode != USUAL[kind]:
                self.tree.modes[paths.spell(prefix + entry.path)] = entry.mode
        self.tree.empty += [paths.spell(prefix + each.path) for each in entries if each.mode == git_tree.FOLDER]
        if not prefix:
            self.tree.tracked = len(files)
        links = [entry for entry in entries if entry.mode == git_tree.GITLINK]
        modules = git_tree.read_modules(git, commit.id) if links else {}
        for entry in links:
            self._submodule(git, entry, modules.get(entry.path), prefix, depth)

    def _submodule(self, git: Git, entry: TreeEntry, module: Module | None, prefix: bytes, depth: int) -> None:
        path = prefix + entry.path
        said: dict[str, Any] = {"path": paths.spell(path), "commit": entry.id}
        if module is not None and module.url is not None:
            said["url"] = without_credentials(module.url)
        self.tree.submodules.append(said)
        if not self._with_submodules:
            return
        if depth >= DEEPEST:
            gap = Gap("git.submodule_depth", f"submodules nested deeper than {DEEPEST} are not read", paths.spell(path))
            self.tree.gaps.append(gap)
            return
        found = self._host.submodule(git, module, entry)
        if isinstance(found, Gap):
            self.tree.gaps.append(Gap(found.code, found.explanation, paths.spell(path)))
            return
        try:
            with ObjectReader(found) as reader:
                commit = reader.commit(entry.id)
            self.take(found, commit, path + b"/", depth + 1)
            said["tree"] = commit.tree
        except (SourceError, BadInput) as error:
            explanation = f"the submodule is recorded by its commit alone: {error.message}"
            self.tree.gaps.append(Gap("git.submodule_unreadable", explanation, paths.spell(path)))

    def _keep(self, git: Git, files: Sequence[TreeEntry], prefix: bytes) -> None:
        wanted: dict[str, bytes] = {}
        for entry in files:
            if entry.id not in self._kept:
                wanted.setdefault(entry.id, prefix + entry.path)
        with ObjectReader(git) as reader:
            for found in reader.each(wanted):
                if found.kind != "blob":
                    raise SourceError(
                        f"{paths.spell(wanted[found.id])} ({found.id}) is not in the repository",
                        fix="A partial or shallow clone lacks files: `git fetch --refetch`, or collect from the URL.",
                    )
                data = self._keep_blob(found)
                if data is not None and (pointer := git_lfs.read_pointer(data)) is not None:
                    self._pointers[found.id] = pointer
        for entry in files:
            if (pointer := self._pointers.get(entry.id)) is not None:
                self._keep_lfs(git, prefix + entry.path, pointer)

    def _keep_blob(self, found: Found) -> bytes | None:
        """Keep one blob and return its bytes if they are few enough to be an LFS pointer."""
        if found.size <= _IN_MEMORY:
            data = found.read()
            self._kept[found.id] = self._keeper.put_bytes(data), len(data)
        else:
            data = b""
            file = self._folder / found.id
            with open(file, "wb") as stream:
                for piece in found.pieces():
                    stream.write(piece)
            stored = self._keeper.put_file(file)
            file.unlink()
            self._kept[found.id] = stored.digest, stored.size
        self._bytes += found.size
        self._progress(len(self._kept), self._bytes)
        return data if 0 < len(data) <= git_lfs.LARGEST_POINTER else None

    def _keep_lfs(self, git: Git, path: bytes, pointer: git_lfs.Pointer) -> None:
        if len(self.tree.lfs) >= MOST_LFS:
            self.tree.gaps.append(Gap("git.lfs_many", f"of the files of Git LFS only {MOST_LFS} are recorded"))
            return
        file = self._contents.get(pointer.oid)
        if file is None:
            file = self._contents[pointer.oid] = self._host.lfs(git, pointer)
            if isinstance(file, Path):
                _keep_checked(self._keeper, file, pointer)
        if isinstance(file, Gap):
            self.tree.gaps.append(Gap(file.code, file.explanation, paths.spell(path)))
        stored = isinstance(file, Path)
        self.tree.lfs.append({"path": paths.spell(path), "oid": pointer.oid, "size": pointer.size, "stored": stored})


def _keep_checked(keeper: Keeper, file: Path, pointer: git_lfs.Pointer) -> None:
    stored = keeper.put_file(file)
    if (stored.digest.hex, stored.size) != (pointer.oid, pointer.size):
        raise DigestMismatch(
            f"{file} holds {stored.size} bytes with {stored.digest}, its LFS pointer says {pointer.size} bytes with "
            f"sha256:{pointer.oid}",
            fix="`git lfs fsck` in the repository says more.",
        )
