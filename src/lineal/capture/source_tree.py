"""The source tree of a run: every file of the code as it was, in one order, so that it outlives its host."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lineal.capture.git_state import GitState
from lineal.core import path
from lineal.core.observation import Gap

LARGEST_UNTRACKED: Final = 10 << 20

# Files that hold nothing but secrets, by the names that everyone gives them. Only untracked ones are left out: what
# is tracked is in the commit already.
_SECRET_NAMES: Final = frozenset(
    {
        b".env", b".envrc", b".netrc", b".pgpass", b".pypirc", b".npmrc", b".git-credentials", b".htpasswd",
        b"credentials", b"credentials.json", b"secrets.toml", b"secrets.yaml", b"secrets.yml", b"secrets.json",
        b"id_rsa", b"id_dsa", b"id_ecdsa", b"id_ed25519", b"kubeconfig",
    }
)  # fmt: skip
_SECRET_ENDINGS: Final = (b".pem", b".key", b".p12", b".pfx", b".jks", b".keystore", b".kdbx", b".ppk")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the source tree: `path` relative to its root, kind ``f``, ``x`` (executable) or ``l`` (link).

    The bytes are those of `file`; for a link, those of its target as ``os.readlink`` gives it.
    """

    path: bytes
    kind: str
    file: Path


def is_secret_file(name: bytes) -> bool:
    """Return whether a file called `name` (a path) is one that holds secrets, by its name alone."""
    last = os.path.basename(name).lower()
    if last.endswith((b".example", b".sample", b".template", b".pub")):
        return False
    return last in _SECRET_NAMES or last.startswith(b".env.") or last.endswith(_SECRET_ENDINGS)


def walk_source(git: GitState, extra: Iterable[bytes] = ()) -> Iterator[SourceFile | Gap]:
    """Yield the tracked files of `git` as they stand in the working tree, and the untracked files `extra`.

    `extra` are paths relative to the toplevel, such as those that the trace says were read. Files come in the order of
    their path bytes, each once; submodules that are checked out are walked into. What is left out comes as a `Gap`
    in its place: an untracked file over `LARGEST_UNTRACKED` bytes, one that holds secrets by its name, one that is no
    file. A tracked file that was deleted is not there, which the patch records.
    """
    if git.toplevel is None:
        return
    tracked = dict(_tracked(git, b""))
    untracked = {os.path.normpath(each) for each in extra} - tracked.keys()
    real_folders: dict[bytes, bool] = {}
    root = os.fsencode(git.toplevel)
    for name in sorted(tracked.keys() | untracked):
        if name.startswith((b"/", b"../")) or name in (b".", b".."):
            yield Gap("source.outside", "a source file outside the repository is not kept", path.spell(name))
            continue
        if not _lies_in_folders(root, os.path.dirname(name), real_folders):
            continue
        if tracked.get(name):
            yield Gap("source.sparse", "a tracked file is not checked out (sparse)", path.spell(name))
            continue
        found = _look(root, name, tracked=name in tracked)
        if found is not None:
            yield found


def walk_files(root: Path, files: Iterable[bytes]) -> Iterator[SourceFile | Gap]:
    """Yield the source of a program outside git: those of `files` (absolute paths that it read) that lie under `root`.

    The order, kinds and gaps are those of `walk_source`; every file counts as untracked.
    """
    base = os.fsencode(root)
    prefix = base.rstrip(b"/") + b"/"
    for name in sorted({os.path.normpath(each) for each in files}):
        if name.startswith(prefix):
            found = _look(base, name.removeprefix(prefix), tracked=False)
            if found is not None:
                yield found


def _tracked(git: GitState, prefix: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield the path of every tracked file, also in submodules, and whether it is left out by a sparse checkout."""
    for each in git.tracked:
        if not each.is_submodule:
            yield prefix + each.path, each.is_sparse
    for submodule in git.submodules:
        if submodule.state is not None:
            yield from _tracked(submodule.state, prefix + submodule.path + b"/")


def _lies_in_folders(root: bytes, folder: bytes, known: dict[bytes, bool]) -> bool:
    """Return whether no part of `folder` is a link: what lies behind one is, to git, deleted here."""
    if folder == b"":
        return True
    answer = known.get(folder)
    if answer is None:
        answer = _lies_in_folders(root, os.path.dirname(folder), known)
        if answer:
            try:
                answer = stat.S_ISDIR(os.lstat(os.path.join(root, folder)).st_mode)
            except OSError:
                answer = False
        known[folder] = answer
    return answer


def _look(root: bytes, name: bytes, *, tracked: bool) -> SourceFile | Gap | None:
    full = os.path.join(root, name)
    try:
        facts = os.lstat(full)
    except FileNotFoundError:
        if tracked:
            return None
        return Gap("source.vanished", "an untracked source file was gone when it was to be kept", path.spell(name))
    except OSError as error:
        return Gap("source.unreadable", error.strerror or str(error), path.spell(name))
    file = Path(os.fsdecode(full))
    if stat.S_ISLNK(facts.st_mode):
        return SourceFile(name, "l", file)
    if not stat.S_ISREG(facts.st_mode):
        return Gap("source.special", "a source path that is neither a file nor a link is not kept", path.spell(name))
    if not tracked and is_secret_file(name):
        return Gap("source.secret", "an untracked file that holds secrets, by its name, is not kept", path.spell(name))
    if not tracked and facts.st_size > LARGEST_UNTRACKED:
        return Gap(
            "source.too_large",
            f"an untracked file of {facts.st_size} bytes is not kept with the source; the limit is {LARGEST_UNTRACKED}",
            path.spell(name),
        )
    return SourceFile(name, "x" if facts.st_mode & 0o111 else "f", file)
