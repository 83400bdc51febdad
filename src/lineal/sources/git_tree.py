"""The tree of a commit: its files in the order of a manifest, their modes, and its id computed again from all of them.

Formats: gitformat-tree and gitformat-index of git; ``gitmodules``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lineal.core import path as paths
from lineal.core.redaction import clean
from lineal.errors import BadInput, SourceError
from lineal.sources.git_objects import Commit, ObjectReader, object_id
from lineal.sources.git_program import Git

KINDS: Final = {"100644": "f", "100755": "x", "120000": "l", "100664": "f"}
"""Which kind of entry of a manifest each mode of a file is; 100664 was written by the first versions of git."""
USUAL: Final = {"f": "100644", "x": "100755", "l": "120000"}
GITLINK: Final = "160000"
FOLDER: Final = "40000"

MOST_ENTRIES: Final = 2_000_000
LONGEST_PATH: Final = 4096

_SUBMODULE: Final = re.compile(r"submodule\.(?P<name>.+)\.(?P<field>path|url)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree: a file or link, a submodule (its id is that of a commit), or an empty folder."""

    path: bytes
    mode: str
    id: str


def list_tree(reader: ObjectReader, commit: Commit) -> list[TreeEntry]:
    """Return every file, link, submodule and empty folder in `commit`, sorted by path.

    The trees are read as they stand: git itself shows other modes than are written. Raises `SourceError` if a part is
    not there, `BadInput` if it holds a path or mode that no checkout may write (``..``, ``.git``), or is without end.
    """
    found: list[TreeEntry] = []
    level: dict[str, list[bytes]] = {commit.tree: [b""]}
    count = 0
    while level:
        below: dict[str, list[bytes]] = {}
        for tree in reader.each(list(level)):
            if tree.kind != "tree":
                raise SourceError(f"the tree {tree.id} of {commit.id} is not in the repository")
            entries = list(_parse_tree(commit.id, tree.id, tree.read()))
            for prefix in level[tree.id]:
                count += len(entries) + 1
                if not entries and prefix:
                    found.append(TreeEntry(prefix[:-1], FOLDER, tree.id))
                for entry in entries:
                    path = prefix + entry.path
                    if count > MOST_ENTRIES or len(path) > LONGEST_PATH:
                        raise BadInput(f"the tree of {commit.id} has too many files, or too long paths, to be kept")
                    if entry.mode == FOLDER:
                        below.setdefault(entry.id, []).append(path + b"/")
                    else:
                        found.append(TreeEntry(path, entry.mode, entry.id))
        level = below
    return sorted(found, key=lambda entry: entry.path)


def _parse_tree(commit: str, name: str, data: bytes) -> Iterator[TreeEntry]:
    """Yield the entries of one tree object: ``MODE NAME<NUL>`` and the raw id."""
    size = len(name) // 2
    place = 0
    while place < len(data):
        end = data.find(b"\0", place)
        mode, blank, path = data[place:end].partition(b" ")
        if end < 0 or not blank or end + 1 + size > len(data):
            raise BadInput(f"the tree {name} of {commit} is not one that git writes")
        spelled = mode.decode("ascii", "replace")
        if path in (b"", b".", b"..") or b"/" in path or path.lower() == b".git":
            raise BadInput(f"the tree of {commit} names {paths.spell(path)!r}, which no checkout may write")
        if spelled not in KINDS and spelled not in (FOLDER, GITLINK):
            raise BadInput(f"the tree of {commit} has {paths.spell(path)!r} with the mode {spelled!r}")
        yield TreeEntry(path, spelled, data[end + 1 : end + 1 + size].hex())
        place = end + 1 + size


def tree_id(entries: Iterable[TreeEntry], hash_name: str) -> str:
    """Return the id of the tree that holds exactly `entries`, computed from nothing else."""
    root: dict[bytes, TreeEntry | dict[bytes, object]] = {}
    for entry in entries:
        *folders, name = entry.path.split(b"/")
        place: dict[bytes, object] = root  # type: ignore[assignment]
        for folder in folders:
            inner = place.setdefault(folder, {})
            if not isinstance(inner, dict):
                raise BadInput(f"{paths.spell(entry.path)!r} lies within a path that is a file")
            place = inner
        place[name] = {} if entry.mode == FOLDER else entry
    return _folder_id(root, hash_name)


def _folder_id(folder: Mapping[bytes, object], hash_name: str) -> str:
    rows: list[tuple[bytes, bytes]] = []
    for name, item in folder.items():
        if isinstance(item, TreeEntry):
            rows.append((name, b"%s %s\0%s" % (item.mode.encode(), name, bytes.fromhex(item.id))))
        elif isinstance(item, dict):
            inner = bytes.fromhex(_folder_id(item, hash_name))
            # Folders are ordered as if their names ended with a slash.
            rows.append((name + b"/", b"%s %s\0%s" % (FOLDER.encode(), name, inner)))
    data = b"".join(row for _, row in sorted(rows))
    return object_id("tree", len(data), [data], hash_name)


@dataclass(frozen=True, slots=True)
class Module:
    """What ``.gitmodules`` says of a submodule: its name, its path, and the address that it is fetched from."""

    name: str
    path: bytes
    url: str | None


def read_modules(git: Git, commit: str) -> dict[bytes, Module]:
    """Return what ``.gitmodules`` in `commit` says, by path; nothing where it says nothing that git can read."""
    done = git.try_to("config", "-z", "--blob", f"{commit}:.gitmodules", "--get-regexp", r"^submodule\..*\.(path|url)$")
    said: dict[str, dict[str, bytes]] = {}
    for record in done.stdout.split(b"\0") if done.ok else ():
        key, newline, value = record.partition(b"\n")
        match = _SUBMODULE.fullmatch(clean(key))
        if newline and match is not None:
            said.setdefault(match["name"], {})[match["field"]] = value
    return {
        fields["path"]: Module(name, fields["path"], clean(fields["url"]) if "url" in fields else None)
        for name, fields in said.items()
        if "path" in fields
    }
