"""The history of a repository, as far as DVC's files go: which of them came when, and what they held.

Nothing is checked out and nothing is run that the repository names: two git programs read objects.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lineal.core import timestamp
from lineal.core.redaction import clean, strip_url
from lineal.core.repository import canonical_name
from lineal.errors import BadInput, BadTime, SourceError
from lineal.program import MISSING, Outcome, run_programs

TIMEOUT: Final = 600.0
LARGEST: Final = 1 << 30

_NAMES: Final = (":(top,glob)**/*.dvc", ":(top,glob)**/dvc.lock", ":(top,glob)**/dvc.yaml", ":(top,glob)**/.dvc/config")
GIT: Final = (
    "git", "--no-pager", "--no-replace-objects", "-c", "core.quotepath=off", "-c", "core.fsmonitor=false",
    "-c", "color.ui=false", "-c", "log.showSignature=false",
)  # fmt: skip
_LOG: Final = (
    "log", "-z", "--raw", "--no-abbrev", "--no-renames", "-m", "--root", "--full-history", "--date-order", "--reverse",
    "--no-ext-diff", "--no-textconv", "--ignore-submodules=all", "--format=%x01%H %ct",
)  # fmt: skip
# What people name. Not the stash, and not DVC's experiments, which no clone has.
_REFS: Final = ("--branches", "--tags", "--remotes")
_FILE_MODES: Final = (b"100644", b"100755")


def own_environment() -> dict[str, str]:
    """Return the environment for git: without what would point it at another repository, index or output."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    kept = ("GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_EXEC_PATH", "GIT_CEILING_DIRECTORIES")
    found.update({name: os.environ[name] for name in kept if name in os.environ})
    found.update(LC_ALL="C", GIT_OPTIONAL_LOCKS="0", GIT_TERMINAL_PROMPT="0", GIT_NO_LAZY_FETCH="1")
    return found


@dataclass(frozen=True, slots=True, order=True)
class Commit:
    """A commit: its place among those read (parents before children), its name, when it was made."""

    order: int
    id: str
    time: str


@dataclass(frozen=True, slots=True)
class Found:
    """A file of DVC at a commit: path in the repository, and the object that it is."""

    path: bytes
    blob: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which commits to read: those of `revs` (``HEAD`` if nothing is named), of tags, of branches, or all of them."""

    revs: tuple[str, ...] = ()
    tags: bool = False
    branches: bool = False
    commits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A git repository: where it is, its canonical name and address, None for one that is nowhere else."""

    folder: Path
    toplevel: Path | None
    name: str
    url: str | None
    is_shallow: bool


def open_repository(folder: Path) -> Repository:
    """Return the repository that `folder` lies in; raise `BadInput` outside of one, `SourceError` if git refuses."""
    commands = (
        ("rev-parse", "--is-inside-work-tree", "--is-shallow-repository"),
        ("rev-parse", "--show-toplevel"),
        ("config", "-z", "--get-regexp", r"^remote\..*\.url$"),
    )
    if not folder.is_dir():
        raise BadInput(f"no folder {clean(str(folder))!r}", fix="Name the folder of a git repository that uses DVC.")
    where, top, remotes = _ask(folder, commands)
    if where.failure == MISSING:
        raise SourceError("the git program is not installed", fix="Install git and run the command again.")
    if not where.ok and b"not a git repository" in where.stderr:
        raise BadInput(
            f"{clean(str(folder))!r} is in no git repository: DVC's history is read from git",
            fix="Name a folder in a git repository, or `lineal snapshot dataset:NAME PATH` the data itself.",
        )
    if not where.ok:
        raise SourceError(f"git does not read {clean(str(folder))!r}: {clean(where.complaint)}")
    toplevel = Path(os.fsdecode(top.stdout.removesuffix(b"\n"))) if top.ok else None
    known = _remotes(remotes)
    url = known.get("origin") or next((known[name] for name in sorted(known)), None)
    name = canonical_name(url or os.path.abspath(toplevel or folder))
    shown = None if url is None else strip_url(url)[0]
    is_shallow = where.stdout.splitlines()[1:2] == [b"true"]
    return Repository(folder=folder, toplevel=toplevel, name=name, url=shown, is_shallow=is_shallow)


def _ask(folder: Path, commands: Sequence[Sequence[str]]) -> list[Outcome]:
    every = [(*GIT, *command) for command in commands]
    return run_programs(every, cwd=folder, env=own_environment(), timeout=TIMEOUT, limit=LARGEST)


def _answer(folder: Path, *command: str) -> bytes:
    (outcome,) = _ask(folder, [command])
    if not outcome.ok:
        raise SourceError(f"git {command[0]} failed in {clean(str(folder))!r}: {clean(outcome.complaint)}")
    return outcome.stdout


def _remotes(remotes: Outcome) -> dict[str, str]:
    found: dict[str, str] = {}
    for record in remotes.stdout.split(b"\0"):
        key, newline, url = record.partition(b"\n")
        if newline:
            found.setdefault(clean(key).removeprefix("remote.").removesuffix(".url"), clean(url))
    return found


@dataclass(frozen=True, slots=True)
class History:
    """When each file of DVC came: the first commit of all that has this object at this path.

    `is_whole` is whether everything that ever came is `selected`.
    """

    births: Mapping[Found, Commit]
    selected: tuple[Found, ...]
    heads: tuple[str, ...]
    is_whole: bool = False

    def of_path(self, path: bytes) -> list[tuple[Commit, Found]]:
        """Return every object that was at `path`, oldest first."""
        return sorted((commit, found) for found, commit in self.births.items() if found.path == path)


def read_history(repository: Repository, selection: Selection) -> History:
    """Return the births of DVC's files in all branches and tags, and the files at the commits of `selection`.

    A birth does not depend on what is selected, so what is read twice is the same. Raises `BadInput` for a revision
    that is not there, `SourceError` when git fails.
    """
    tips = _tips(repository, selection)
    births = _read_log(repository, tips)
    if selection.commits:
        return History(births, tuple(births), tips, is_whole=True)
    found: dict[Found, None] = {}
    for tip in tips:
        found.update(dict.fromkeys(each for each in _list_tree(repository, tip) if each in births))
    return History(births, tuple(found), tips)


def _tips(repository: Repository, selection: Selection) -> tuple[str, ...]:
    wanted = list(selection.revs)
    every = selection.commits
    if not (wanted or selection.tags or selection.branches or every):
        wanted.append("HEAD")
    found: dict[str, None] = {}
    for rev in wanted:
        if rev.startswith("-"):
            raise BadInput(f"not a revision: {clean(rev)!r}")
        (outcome,) = _ask(repository.folder, [("rev-parse", "--verify", "-q", f"{rev}^{{commit}}")])
        if not outcome.ok:
            raise BadInput(f"no commit {clean(rev)!r} in {repository.name}", fix="`git log --all` lists the commits.")
        found[clean(outcome.stdout.strip())] = None
    kinds = [
        name
        for name, is_wanted in (
            ("refs/heads", selection.branches or every),
            ("refs/tags", selection.tags or every),
            ("refs/remotes", every),
        )
        if is_wanted
    ]
    if kinds:
        form = "--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname)"
        for line in clean(_answer(repository.folder, "for-each-ref", form, *kinds)).splitlines():
            words = line.split()
            if words[-2] == "commit":
                found[words[-1]] = None
    return tuple(found)


def _read_log(repository: Repository, tips: Sequence[str]) -> dict[Found, Commit]:
    """Read ``git log -z --raw``: ``\\x01COMMIT SECONDS``, then for each change ``:MODE MODE OLD NEW STATUS``, path."""
    answer = _answer(repository.folder, *_LOG, *_REFS, *tips, "--", *_NAMES) if tips else b""
    births: dict[Found, Commit] = {}
    commit: Commit | None = None
    words = iter(answer.split(b"\0"))
    order = 0
    for word in words:
        record = word.lstrip(b"\n")
        if record.startswith(b"\x01"):
            name, _, seconds = record[1:].partition(b" ")
            order += 1
            commit = Commit(order, name.decode("ascii"), _moment(seconds))
        elif record.startswith(b":") and commit is not None:
            _, mode, _, blob, status = record.split(b" ")
            path = next(words)
            if not status.startswith(b"D") and mode in _FILE_MODES:
                births.setdefault(Found(path, blob.decode("ascii")), commit)
    return births


def _moment(seconds: bytes) -> str:
    try:
        return timestamp.check(timestamp.spell(datetime.fromtimestamp(int(seconds), UTC)))
    except (ValueError, OverflowError, OSError, BadTime):
        return "1970-01-01T00:00:00.000000Z"  # git keeps any number that somebody wrote


def _list_tree(repository: Repository, commit: str) -> Iterator[Found]:
    for record in _answer(repository.folder, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
        facts, _, path = record.partition(b"\t")
        words = facts.split()
        if len(words) == 3 and words[0] in _FILE_MODES:
            yield Found(path, words[2].decode("ascii"))
