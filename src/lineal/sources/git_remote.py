"""What a git host has, by its own word: its refs, its history, one commit; fetched into scratch repositories."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lineal.core.redaction import clean
from lineal.core.repository import without_credentials
from lineal.errors import SourceError
from lineal.program import Outcome, run_program
from lineal.sources.git_objects import ID
from lineal.sources.git_program import TIMEOUT, Git, complaint, environment, remote_error, speak

_ASKING: Final = 60.0
_REF: Final = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")
_TOGETHER: Final = 64
_ALL: Final = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_FETCH: Final = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", "--no-recurse-submodules")
# How hosts say that they have no such commit, or give none that is not the tip of a ref.
_NOT_OURS: Final = (b"not our ref", b"unadvertised object", b"no such remote ref", b"couldn't find remote ref")


@dataclass(frozen=True, slots=True)
class RemoteRefs:
    """The branches and tags of a host, by their full names, each with what it leads to; its default branch."""

    refs: dict[str, str]
    default: str | None

    @property
    def hash_name(self) -> str:
        """The hash of the repository's ids."""
        return "sha256" if any(len(each) == 64 for each in self.refs.values()) else "sha1"


def list_refs(url: str, cwd: Path, timeout: float = _ASKING) -> RemoteRefs:
    """Ask the host of `url` for its branches and tags; raise `SourceError` if it does not answer, or with nonsense."""
    done = speak(url, ["ls-remote", "--symref", "--end-of-options", without_credentials(url)], cwd=cwd, timeout=timeout)
    if not done.ok:
        raise remote_error(url, done, "its branches are not known")
    refs: dict[str, str] = {}
    default = None
    for line in clean(done.stdout).splitlines():
        said, _, name = line.partition("\t")
        if said.startswith("ref: ") and name == "HEAD":
            default = said.removeprefix("ref: ")
        elif ID.fullmatch(said) is not None and (
            name == "HEAD" or _REF.fullmatch(name.removesuffix("^{}")) is not None
        ):
            refs[name.removesuffix("^{}")] = said  # the line of what an annotated tag leads to follows its own
    if not refs:  # git takes a page of HTML for the list of an empty repository
        raise SourceError(
            f"{without_credentials(url)} shows no branch and no tag",
            fix="The repository is empty, or something else answers there: open the address in a browser.",
        )
    head = refs.pop("HEAD", None)
    kept = {name: value for name, value in refs.items() if name.startswith(("refs/heads/", "refs/tags/"))}
    if default is None and head is not None:  # an old server does not say which branch HEAD is
        default = next((name for name, value in kept.items() if value == head and name.startswith("refs/heads/")), None)
    return RemoteRefs(kept, default)


def make_scratch(folder: Path, hash_name: str = "sha1", timeout: float = TIMEOUT) -> Git:
    """Make an empty bare repository in the new folder `folder`."""
    command = ["git", "init", "--quiet", "--bare", "--template=", f"--object-format={hash_name}", str(folder)]
    done = run_program(command, cwd=folder.parent, env=environment("nothing"), timeout=timeout)
    if not done.ok:
        raise SourceError(f"git cannot make a repository to fetch into: {complaint(done)}")
    return Git(folder, hash_name, timeout=timeout)


def fetch_history(scratch: Git, url: str) -> None:
    """Fetch all branches and tags of `url` into `scratch`: without any file, where the host can leave those out."""
    done = _fetch(scratch, url, "--filter=tree:0", *_ALL)
    if not done.ok:
        raise remote_error(url, done, "its history was not fetched")


def fetch_commit(scratch: Git, url: str, commit: str, refs: Sequence[str] = (), *, bare: bool = False) -> bool:
    """Fetch one commit with its files (without them if `bare`) into `scratch`; return whether the host has it.

    Asks for it by its id; where the host gives only what a ref leads to, fetches the whole of `refs`, none of which
    means all. Raises `SourceError` if the host does not answer.
    """
    less = ("--filter=tree:0",) if bare else ()
    done = _fetch(scratch, url, "--depth=1", *less, commit)
    if done.ok and holds(scratch, commit):
        return True
    if not done.ok and not any(each in done.stderr for each in _NOT_OURS):
        raise remote_error(url, done, f"commit {commit} was not fetched")
    done = _fetch(scratch, url, *less, *(f"+{ref}:{ref}" for ref in refs), *(() if refs else _ALL))
    if not done.ok and not any(each in done.stderr for each in _NOT_OURS):
        raise remote_error(url, done, f"commit {commit} was not fetched")
    return holds(scratch, commit)


def prefetch(scratch: Git, url: str, commits: Sequence[str]) -> None:
    """Fetch many commits with their files, some at a time; what the host does not give so is left to `fetch_commit`."""
    for start in range(0, len(commits), _TOGETHER):
        _fetch(scratch, url, "--depth=1", *commits[start : start + _TOGETHER])


def holds(git: Git, commit: str) -> bool:
    """Return whether the repository has the commit itself."""
    return git.try_to("cat-file", "-e", f"{commit}^{{commit}}").ok


def _fetch(scratch: Git, url: str, *words: str) -> Outcome:
    options = [each for each in words if each.startswith("--")]
    specs = [each for each in words if not each.startswith("--")]
    command = [f"--git-dir={scratch.folder}", *_FETCH, *options, "--end-of-options", without_credentials(url), *specs]
    return speak(url, command, cwd=scratch.folder, timeout=scratch.timeout)
