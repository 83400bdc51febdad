"""What git knows of a folder: commit, branch, remotes, uncommitted changes, untracked files, submodules."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lineal.capture.git_state import GitState, Submodule, TrackedFile
from lineal.core import path
from lineal.core.observation import Gap
from lineal.core.redaction import clean, redact_bytes
from lineal.core.repository import complete, without_credentials
from lineal.program import MISSING, TIMED_OUT, TOO_LONG, Outcome, run_programs

TIMEOUT: Final = 30.0
LARGEST_PATCH: Final = 32 << 20
DEEPEST: Final = 4

# The tree without entries, which git knows without it being stored.
_EMPTY_TREE: Final = {
    b"sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    b"sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
# Variables that would point git at another repository, index or output than the folder's own.
_MISLEADING: Final = frozenset(
    {
        "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_EXTERNAL_DIFF", "GIT_DIFF_OPTS", "GIT_PAGER",
        "GIT_TRACE", "GIT_TRACE2", "GIT_TRACE2_EVENT", "GIT_TRACE_SETUP", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE",
    }
)  # fmt: skip
_GIT: Final = (
    "git", "--no-pager", "--no-replace-objects", "-c", "core.quotepath=off", "-c", "core.fsmonitor=false",
    "-c", "color.ui=false", "-c", "status.showUntrackedFiles=all",
)  # fmt: skip
_WHERE: Final = (
    "rev-parse", "--is-bare-repository", "--is-inside-work-tree", "--is-shallow-repository", "--show-object-format",
    "--absolute-git-dir", "--path-format=absolute", "--git-common-dir", "--show-toplevel",
)  # fmt: skip
_STATUS: Final = (
    "status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all", "--ignore-submodules=none", "--no-renames",
    "--no-ahead-behind",
)  # fmt: skip
_DIFF: Final = (
    "-c", "diff.suppressBlankEmpty=false", "-c", "diff.indentHeuristic=true", "diff", "--binary", "--full-index",
    "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--no-relative", "--diff-algorithm=myers", "-U3",
    "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/", "-O/dev/null", "--submodule=short",
    "--ignore-submodules=none",
)  # fmt: skip
_FILES: Final = ("ls-files", "-z", "-s", "-v", "--full-name", ":/")
_REMOTES: Final = ("config", "-z", "--get-regexp", r"^remote\..*\.url$")
_TAGS: Final = ("for-each-ref", "--points-at=HEAD", "--format=%(refname:strip=2)", "refs/tags")


def read_git(folder: Path, *, env: Mapping[str, str] | None = None, timeout: float = TIMEOUT) -> GitState | None:
    """Return the state of the repository that `folder` lies in, or None outside of one.

    Uses the git program with `env` (the process's own by default). What it refuses or does not finish in `timeout`
    seconds is a gap of the state, never an error: a missing git, a repository of another user (``safe.directory``), a
    damaged one.
    """
    found = _discover(folder)
    if found is None:
        return None
    base = os.environ if env is None else env
    own = {key: value for key, value in base.items() if key not in _MISLEADING}
    own.update(LC_ALL="C", GIT_OPTIONAL_LOCKS="0", GIT_TERMINAL_PROMPT="0", GIT_NO_LAZY_FETCH="1")
    return _read(folder, found, own, timeout, depth=0)


def _discover(folder: Path) -> Path | None:
    """Return the nearest folder upward that is, or holds, a repository; no program is run for it."""
    resolved = Path(os.path.realpath(folder))
    for each in (resolved, *resolved.parents):
        if os.path.lexists(each / ".git"):
            return each
        if (each / "HEAD").is_file() and (each / "objects").is_dir() and (each / "refs").is_dir():
            return each
    return None


def _read(folder: Path, found: Path, env: Mapping[str, str], timeout: float, depth: int) -> GitState | None:
    commands = (_WHERE, _STATUS, (*_DIFF, "HEAD", "--"), _FILES, _REMOTES, _TAGS)
    where, status, diff, files, remotes, tags = _ask(commands, folder, env, timeout)
    lines = where.stdout.split(b"\n", 6)
    if len(lines) < 7:
        return GitState(toplevel=found, gaps=(_refusal(where, found),))
    if lines[0] == b"true" or lines[1] != b"true":
        return _read_bare(folder, lines, remotes, tags, env, timeout)
    toplevel = Path(os.fsdecode(lines[6].removesuffix(b"\n")))
    gaps: list[Gap] = []
    head = _parse_status(status)
    if not status.ok:
        gaps.append(_gap("git.status", status, toplevel, "which files differ from the commit is not known"))
    if head.commit is None and status.ok:
        empty = _EMPTY_TREE.get(lines[3], _EMPTY_TREE[b"sha1"])
        (diff,) = _ask([(*_DIFF, empty, "--")], folder, env, timeout)
    if not diff.ok:
        gaps.append(_gap("git.patch", diff, toplevel, "the uncommitted changes are not recorded"))
    tracked = _parse_files(files, gaps, toplevel)
    patch, redactions = redact_bytes(diff.stdout) if diff.ok else (None, 0)
    submodules = _read_submodules(toplevel, files.stdout, gaps, env, timeout, depth)
    gaps += [Gap("git.nested", "a repository inside this one is not tracked by it; only its files that were read are "
                 "recorded", path.spell(each)) for each in head.untracked if each.endswith(b"/")]  # fmt: skip
    return GitState(
        toplevel=toplevel,
        git_dir=Path(os.fsdecode(lines[4])),
        commit=head.commit,
        branch=head.branch,
        tags=_parse_tags(tags),
        remotes=_parse_remotes(remotes, env),
        dirty=head.dirty if status.ok else None,
        patch=patch,
        redactions=redactions,
        tracked=tracked,
        untracked=tuple(sorted(each for each in head.untracked if not each.endswith(b"/"))),
        submodules=submodules,
        shallow=lines[2] == b"true",
        worktree=os.path.realpath(lines[4]) != os.path.realpath(lines[5]),
        gaps=tuple(gaps),
    )


def _ask(commands: Sequence[Sequence[str]], folder: Path, env: Mapping[str, str], timeout: float) -> list[Outcome]:
    return run_programs(
        [(*_GIT, *command) for command in commands], cwd=folder, env=env, timeout=timeout, limit=LARGEST_PATCH
    )


def _read_bare(
    folder: Path, lines: list[bytes], remotes: Outcome, tags: Outcome, env: Mapping[str, str], timeout: float
) -> GitState:
    head, branch = _ask(
        [("rev-parse", "--verify", "-q", "HEAD"), ("symbolic-ref", "-q", "--short", "HEAD")], folder, env, timeout
    )
    return GitState(
        toplevel=None,
        git_dir=Path(os.fsdecode(lines[4])),
        commit=clean(head.stdout.strip()) if head.ok else None,
        branch=clean(branch.stdout.strip()) if branch.ok else None,
        tags=_parse_tags(tags),
        remotes=_parse_remotes(remotes, env),
        bare=True,
        shallow=lines[2] == b"true",
        gaps=(Gap("git.bare", "a repository without a working tree: the files of the run are not in it"),),
    )


@dataclass(slots=True)
class _Head:
    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    untracked: list[bytes] = field(default_factory=list)


def _parse_status(status: Outcome) -> _Head:
    """Read ``git status --porcelain=v2 -z --branch``: headers ``# key value``, then one record for each path."""
    head = _Head()
    for record in status.stdout.split(b"\0"):
        if record.startswith(b"# branch.oid "):
            oid = record.removeprefix(b"# branch.oid ")
            head.commit = None if oid == b"(initial)" else clean(oid)
        elif record.startswith(b"# branch.head "):
            name = record.removeprefix(b"# branch.head ")
            head.branch = None if name == b"(detached)" else clean(name)
        elif record.startswith(b"? "):
            head.untracked.append(record[2:])
        elif record[:2] in (b"1 ", b"2 ", b"u "):
            head.dirty = True
    return head


def _parse_files(files: Outcome, gaps: list[Gap], toplevel: Path) -> tuple[TrackedFile, ...]:
    """Read ``git ls-files -z -s -v``: ``TAG MODE OID STAGE<tab>PATH``; a lower-case tag hides changes from git."""
    if not files.ok:
        gaps.append(_gap("git.files", files, toplevel, "which files are tracked is not known"))
        return ()
    found: dict[bytes, TrackedFile] = {}
    hidden = 0
    for record in files.stdout.split(b"\0"):
        facts, _, name = record.partition(b"\t")
        words = facts.split(b" ")
        if len(words) != 4:
            continue
        hidden += words[0].islower()
        found[name] = TrackedFile(name, words[1] == b"160000", words[0] in (b"S", b"s"))
    if hidden:
        gaps.append(
            Gap(
                "git.assume_unchanged",
                f"git was told not to look for changes in {hidden} files: theirs are not in the patch",
            )
        )
    return tuple(found[name] for name in sorted(found))


def _read_submodules(
    toplevel: Path, files: bytes, gaps: list[Gap], env: Mapping[str, str], timeout: float, depth: int
) -> tuple[Submodule, ...]:
    found = []
    for record in files.split(b"\0"):
        facts, _, name = record.partition(b"\t")
        words = facts.split(b" ")
        if len(words) != 4 or words[1] != b"160000":
            continue
        folder = toplevel / os.fsdecode(name)
        state = None
        if depth >= DEEPEST:
            gaps.append(Gap("git.submodule", f"submodules nested deeper than {DEEPEST} are not read", path.spell(name)))
        elif os.path.lexists(folder / ".git"):
            state = _read(folder, folder, env, timeout, depth + 1)
        else:
            gaps.append(Gap("git.submodule", "the submodule is not checked out here", path.spell(name)))
        if state is not None:
            gaps += state.gaps
        found.append(Submodule(path=name, commit=clean(words[2]), state=state))
    return tuple(found)


def _parse_remotes(remotes: Outcome, env: Mapping[str, str]) -> dict[str, str]:
    """Read ``git config -z --get-regexp``: ``key<newline>value``; the first address of a remote is the one fetched."""
    found: dict[str, str] = {}
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or None
    for record in remotes.stdout.split(b"\0"):
        key, newline, url = record.partition(b"\n")
        if newline:
            name = clean(key).removeprefix("remote.").removesuffix(".url")
            found.setdefault(name, without_credentials(complete(clean(url), region)))
    return found


def _parse_tags(tags: Outcome) -> tuple[str, ...]:
    return tuple(clean(line) for line in tags.stdout.splitlines() if line) if tags.ok else ()


def _gap(code: str, outcome: Outcome, about: Path, consequence: str) -> Gap:
    reasons = {
        MISSING: "the git program is not installed",
        TIMED_OUT: "git did not answer in time",
        TOO_LONG: f"git answered with more than {LARGEST_PATCH >> 20} MiB",
    }
    reason = reasons.get(outcome.failure or "", clean(outcome.complaint))
    return Gap(code, f"{reason}; {consequence}", path.spell(os.fsencode(about)))


def _refusal(where: Outcome, found: Path) -> Gap:
    """Say why git tells nothing at all of a repository that is there."""
    if b"dubious ownership" in where.stderr or b"safe.directory" in where.stderr:
        return Gap(
            "git.refused",
            "the repository belongs to another user, so git refuses to read it; "
            "`git config --global --add safe.directory FOLDER` allows it",
            path.spell(os.fsencode(found)),
        )
    return _gap("git.unreadable", where, found, "commit and changes are not recorded")
