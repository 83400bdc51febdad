"""The repository that is looked at: a folder here, or a host's, of which the history is fetched and files as asked."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lineal.core.redaction import clean
from lineal.core.repository import Repository, complete, is_address, parse, without_credentials
from lineal.errors import BadInput, SourceError
from lineal.sources.git_history import Refs, read_refs, resolve
from lineal.sources.git_objects import ID
from lineal.sources.git_program import TIMEOUT, Git, open_folder
from lineal.sources.git_remote import RemoteRefs, fetch_commit, fetch_history, holds, list_refs, make_scratch, prefetch


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository with its refs. `history` has its commits; `url` is its host's, with credentials, if it has one.

    `folder` is None for a repository at a host; then files come by `content`, into `scratch`.
    """

    repository: Repository
    history: Git
    refs: Refs
    scratch: Path
    url: str | None
    folder: Path | None
    listed: RemoteRefs | None = None

    @property
    def host(self) -> tuple[Git, RemoteRefs] | None:
        """The history that was fetched from the host, with its refs; None for a folder."""
        return None if self.listed is None else (self.history, self.listed)

    @property
    def name(self) -> str:
        """The one name of the repository."""
        return self.repository.name

    @property
    def served(self) -> Repository | None:
        """The repository at its host: where `url` is, served as the one that gives the name."""
        return None if self.url is None else parse(self.url, self.repository.forge)

    @property
    def is_host(self) -> bool:
        """Whether the repository is at a host, not in a folder."""
        return self.folder is None

    def find(self, text: str) -> str:
        """Return the commit that `text` names; raise `BadInput` if it names none."""
        found = self.refs.head if text == "HEAD" else resolve(self.history, text)
        if found is None and self.is_host and ID.fullmatch(text) is not None:
            found = text  # the host may have it though no ref leads to it
        if found is None:
            raise BadInput(
                f"{text!r} is no branch, tag or commit of {self.name}",
                fix="`git branch -a`, `git tag` and `git log` list them; an unshortened commit may be asked of a host.",
            )
        return found

    def having(self, commit: str) -> Git:
        """Return a repository that has the commit itself; raise `SourceError` if that cannot be had."""
        return self.history if holds(self.history, commit) else self.content(commit)

    @property
    def object_folders(self) -> tuple[Path, ...]:
        """Where the objects lie that were read so far."""
        return tuple(folder / "objects" for folder in (self.history.folder, self.scratch / "files.git"))

    def prefetch(self, commits: Sequence[str]) -> None:
        """Fetch `commits` with their files together, if they are at a host: one connection is quicker than many."""
        if self.is_host and self.url is not None and len(commits) > 1:
            prefetch(self._files(), self.url, commits)

    def _files(self) -> Git:
        """Return the scratch repository that has the files."""
        folder = self.scratch / "files.git"
        if folder.is_dir():
            return replace(self.history, folder=folder, is_shallow=False)
        return make_scratch(folder, self.history.format, self.history.timeout)

    def content(self, commit: str) -> Git:
        """Return a repository that has `commit` with its files; raise `SourceError` if that cannot be had."""
        if self.folder is not None or self.url is None:
            return self.history
        git = self._files()
        if holds(git, commit):
            return git
        containing = [ref for ref, tip in self.refs.commits.items() if tip == commit]
        if not fetch_commit(git, self.url, commit, containing):
            raise SourceError(f"{without_credentials(self.url)} does not have the commit {commit}")
        return git


def open_place(
    text: str,
    scratch: Path,
    *,
    env: Mapping[str, str],
    remote: str | None = None,
    forge: str | None = None,
    timeout: float = TIMEOUT,
) -> Place:
    """Return the repository that `text` names, a folder or an address; `remote` is the host to ask, by name or address.

    Raises `BadInput` for what is neither, `SourceError` if a host does not answer.
    """
    if os.path.isdir(text):
        return _open_folder(Path(text), scratch, env, remote, forge, timeout)
    if not is_address(text):
        raise BadInput(f"no such folder: {text!r}", fix="Name a folder of a repository, or the URL of one.")
    address = complete(text, region_of(env))
    listed = list_refs(address, scratch, min(timeout, 60.0))
    history = make_scratch(scratch / "history.git", listed.hash_name, timeout)
    if listed.refs:
        fetch_history(history, address)
    point_head(history, listed)
    return Place(
        repository=parse(address, forge),
        history=history,
        refs=read_refs(history),
        scratch=scratch,
        url=address,
        folder=None,
        listed=listed,
    )


def region_of(env: Mapping[str, str]) -> str | None:
    """Return the AWS region that holds where an address of CodeCommit names none."""
    return env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or None


def point_head(scratch: Git, listed: RemoteRefs) -> None:
    """Let HEAD of `scratch` be the default branch of the host."""
    if listed.default in listed.refs:
        scratch.ask("symbolic-ref", "HEAD", str(listed.default))


def _open_folder(
    folder: Path, scratch: Path, env: Mapping[str, str], remote: str | None, forge: str | None, timeout: float
) -> Place:
    git = open_folder(folder, timeout)
    remotes = _remotes(git, region_of(env))
    if remote is not None and remote not in remotes and not is_address(remote):
        raise BadInput(f"{folder} has no remote called {remote!r}: it has {', '.join(sorted(remotes)) or 'none'}")
    names = [name for name in ("origin", *sorted(remotes)) if name in remotes]
    named = remotes[names[0]] if names else None
    url = named if remote is None else remotes.get(remote, remote)
    top = _toplevel(folder, git)
    if url is not None and not is_address(url):  # a folder is named from the working tree
        url = os.path.join(os.path.realpath(top or git.folder), url)
    return Place(
        repository=parse(named if named is not None else os.path.realpath(top or git.folder), forge),
        history=git,
        refs=read_refs(_in_worktree(git, folder)),
        scratch=scratch,
        url=url,
        folder=top or git.folder,
    )


def _remotes(git: Git, region: str | None) -> dict[str, str]:
    done = git.try_to("config", "-z", "--local", "--get-regexp", r"^remote\..*\.url$")
    found: dict[str, str] = {}
    for record in done.stdout.split(b"\0") if done.ok else ():
        key, newline, url = record.partition(b"\n")
        if newline:
            found.setdefault(clean(key).removeprefix("remote.").removesuffix(".url"), complete(clean(url), region))
    return found


def _in_worktree(git: Git, folder: Path) -> Git:
    """Return the git folder of the working tree itself: a linked one has a HEAD of its own."""
    done = git.run_in(folder, "rev-parse", "--absolute-git-dir")
    return replace(git, folder=Path(os.fsdecode(done.stdout.removesuffix(b"\n")))) if done.ok else git


def _toplevel(folder: Path, git: Git) -> Path | None:
    done = git.run_in(folder, "rev-parse", "--show-toplevel")
    return Path(os.fsdecode(done.stdout.removesuffix(b"\n"))) if done.ok and done.stdout.strip() else None


def fetched(url: str, scratch: Path, timeout: float) -> tuple[Git, RemoteRefs]:
    """Return a scratch repository with the history that the host of `url` has now, and its refs."""
    listed = list_refs(url, scratch, min(timeout, 60.0))
    history = make_scratch(scratch / "host.git", listed.hash_name, timeout)
    if listed.refs:
        fetch_history(history, url)
    return history, listed
