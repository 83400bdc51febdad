"""The tree of a commit: its files in the order of a manifest, their modes, and its id computed again from all of them.

Formats: gitformat-tree and gitformat-index of git; ``gitmodules``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from lineal.core import path as paths
from lineal.core.redaction import clean
from lineal.errors import BadInput
from lineal.sources.git_objects import object_id
from lineal.sources.git_program import Git

KINDS: Final = {"100644": "f", "100755": "x", "120000": "l", "100664": "f"}
"""Which kind of entry of a manifest each mode of a file is; 100664 was written by the first versions of git."""
USUAL: Final = {"f": "100644", "x": "100755", "l": "120000"}
GITLINK: Final = "160000"
FOLDER: Final = "40000"

_EMPTY: Final = {
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
_SUBMODULE: Final = re.compile(r"submodule\.(?P<name>.+)\.(?P<field>path|url)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree: a file or link, a submodule (its id is that of a commit), or an empty folder."""

    path: bytes
    mode: str
    id: str


def list_tree(git: Git, commit: str) -> list[TreeEntry]:
    """Return every file, link, submodule and empty folder in `commit`, sorted by path.

    Raises `SourceError` if a part of the tree is not there, `BadInput` if it holds a path or mode that no checkout may
    write: ``..``, ``.git``.
    """
    found: list[TreeEntry] = []
    for record in git.ask("ls-tree", "-r", "-t", "-z", "--full-tree", commit).split(b"\0"):
        facts, tab, path = record.partition(b"\t")
        words = clean(facts).split(" ")
        if not tab or len(words) != 3:
            continue
        mode, kind, name = words
        _check(commit, path, mode, kind)
        if kind != "tree" or name in _EMPTY:
            found.append(TreeEntry(path, FOLDER if kind == "tree" else mode, name))
    return sorted(found, key=lambda entry: entry.path)


def _check(commit: str, path: bytes, mode: str, kind: str) -> None:
    segments = path.split(b"/")
    if any(each in (b"", b".", b"..") or each.lower() == b".git" for each in segments):
        raise BadInput(f"the tree of {commit} names {paths.spell(path)!r}, which no checkout may write; it is not kept")
    if (kind != "tree" and mode not in KINDS and mode != GITLINK) or (kind == "commit") != (mode == GITLINK):
        raise BadInput(f"the tree of {commit} has {paths.spell(path)!r} with the mode {mode}, which git does not write")


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
