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
from lineal.core.redaction import clean
from lineal.core.repository import without_credentials
from lineal.errors import BadInput, BadTime
from lineal.sources.git_objects import object_id
from lineal.sources.git_place import Place, open_place

_NAMES: Final = (":(top,glob)**/*.dvc", ":(top,glob)**/dvc.lock", ":(top,glob)**/dvc.yaml", ":(top,glob)**/.dvc/config")
_LOG: Final = (
    "log", "-z", "--raw", "--no-abbrev", "--no-renames", "-m", "--root", "--full-history", "--date-order", "--reverse",
    "--no-ext-diff", "--no-textconv", "--ignore-submodules=all", "--format=%x01%H %ct",
)  # fmt: skip
# What people name. Not the stash, and not DVC's experiments, which no clone has.
_REFS: Final = ("--branches", "--tags", "--remotes")
_SAID: Final = (b".dvc", b"dvc.lock")
_LARGEST: Final = 32 << 20
_FILE_MODES: Final = (b"100644", b"100755")


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


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository in a folder: with a working tree, or without."""

    place: Place

    @property
    def name(self) -> str:
        """Its one name: that of its remote, or of its folder."""
        return self.place.name

    @property
    def url(self) -> str | None:
        """The address of its remote, without credentials; None for one that is nowhere else."""
        return None if self.place.url is None else without_credentials(self.place.url)

    @property
    def folder(self) -> Path:
        """The top of its working tree, or the folder of a bare one."""
        return self.place.folder or self.place.history.folder


def open_repository(folder: Path) -> Repository:
    """Return the repository that `folder` lies in; raise `BadInput` outside of one, `SourceError` if git refuses."""
    if not folder.is_dir():
        raise BadInput(f"no folder {clean(str(folder))!r}", fix="Name the folder of a git repository that uses DVC.")
    return Repository(open_place(str(folder), folder, env=os.environ))


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
    for rev in wanted:
        if rev.startswith("-"):
            raise BadInput(f"not a revision: {clean(rev)!r}")
    found = dict.fromkeys(_find(repository.place, rev) for rev in wanted)
    kinds = (("refs/heads/", selection.branches or every), ("refs/tags/", selection.tags or every))
    starts = tuple(start for start, is_wanted in (*kinds, ("refs/remotes/", every)) if is_wanted)
    found.update((tip, None) for ref, tip in repository.place.refs.commits.items() if starts and ref.startswith(starts))
    return tuple(found)


def _find(place: Place, rev: str) -> str:
    """Return the commit that `rev` names: as git would, or an experiment of DVC by its name."""
    try:
        return place.find(rev)
    except BadInput:
        answer = clean(place.history.ask("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps"))
        named = {line.partition(" ")[0] for line in answer.splitlines() if line.endswith(f"/{rev}")}
        if len(named) != 1:
            raise
        return named.pop()


def _read_log(repository: Repository, tips: Sequence[str]) -> dict[Found, Commit]:
    """Read ``git log -z --raw``: ``\\x01COMMIT SECONDS``, then for each change ``:MODE MODE OLD NEW STATUS``, path."""
    answer = repository.place.history.ask(*_LOG, *_REFS, *tips, "--", *_NAMES) if tips else b""
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
    for record in repository.place.history.ask("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
        facts, _, path = record.partition(b"\t")
        words = facts.split()
        if len(words) == 3 and words[0] in _FILE_MODES:
            yield Found(path, words[2].decode("ascii"))


def uncommitted(repository: Repository) -> tuple[bytes, ...]:
    """Return the files of DVC in the working tree that differ from ``HEAD``, or are not in it; none without one."""
    head, git = repository.place.refs.head, repository.place.history
    if head is None or repository.place.folder in (None, git.folder):
        return ()
    found = set()
    for each in _list_tree(repository, head):
        if each.path.endswith(_SAID):
            data = _read(os.path.join(os.fsencode(repository.folder), each.path))
            spellings = () if data is None else (data, data.replace(b"\r\n", b"\n"))
            if all(object_id("blob", len(text), [text], git.format) != each.blob for text in spellings):
                found.add(each.path)
    new = git.run_in(repository.folder, "ls-files", "-o", "-z", "--exclude-standard", "--", *_NAMES)
    found.update(path for path in new.stdout.split(b"\0") if path.endswith(_SAID))
    return tuple(sorted(found))


def _read(file: bytes) -> bytes | None:
    try:
        with open(file, "rb") as stream:
            return stream.read(_LARGEST)
    except OSError:
        return None
