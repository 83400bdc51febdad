"""The history of a repository, cheaply: what its refs lead to, and one line for each commit.

The list of commits holds no names of people: it is an object of the store, which cannot be forgotten.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lineal.core import canonical
from lineal.core.redaction import clean
from lineal.errors import BadInput, SourceError
from lineal.sources.git_objects import ID, Commit, ObjectReader, parse_commit
from lineal.sources.git_program import Git

HEADER: Final = b"lineal-commits/1\n"
_MOST_EXCLUDED: Final = 2000
_REFS: Final = ("refs/heads", "refs/tags", "refs/remotes")


@dataclass(frozen=True, slots=True)
class Refs:
    """What the branches and tags of a repository lead to, by their full names; HEAD, and the branch that it is."""

    commits: dict[str, str]
    head: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class Segment:
    """A list of commits: its bytes, and how many they are."""

    data: bytes
    count: int


def read_refs(git: Git) -> Refs:
    """Return the refs of the repository; those that lead to no commit are left out."""
    form = "%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)%00%(refname)"
    found: dict[str, str] = {}
    for line in git.ask("for-each-ref", f"--format={form}", *_REFS).splitlines():
        fields = clean(line).split("\0")
        if len(fields) != 5 or fields[4].endswith("/HEAD"):
            continue
        kind, name, peeled_kind, peeled, ref = fields
        if kind == "commit":
            found[ref] = name
        elif peeled_kind == "commit":
            found[ref] = peeled
        elif peeled_kind == "tag" and (inner := resolve(git, ref)) is not None:
            found[ref] = inner
    branch = git.try_to("symbolic-ref", "-q", "HEAD")
    return Refs(found, resolve(git, "HEAD"), clean(branch.stdout.strip()) if branch.ok else None)


def resolve(git: Git, text: str) -> str | None:
    """Return the commit that `text` names in the repository: a branch, a tag, a ref, the beginning of an id."""
    if not text or any(char.isspace() or not char.isprintable() for char in text):
        return None
    done = git.try_to("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    name = clean(done.stdout.strip()).splitlines()[-1:] if done.ok else []
    return name[0] if name and ID.fullmatch(name[0]) is not None else None


def list_commits(git: Git, tips: Collection[str], known: Collection[str]) -> Iterator[str]:
    """Yield the ids of the commits behind `tips` and not behind `known`, children before parents."""
    if not tips:
        return
    excluded = [f"^{each}" for each in sorted(known)] if len(known) <= _MOST_EXCLUDED else []
    names = sorted(set(tips) - set(known))
    for start in range(0, len(names), _MOST_EXCLUDED):
        part = names[start : start + _MOST_EXCLUDED]
        done = git.ask("rev-list", "--topo-order", "--ignore-missing", *part, *excluded)
        yield from done.decode("ascii", "replace").split()


def list_segment(reader: ObjectReader, names: Iterable[str]) -> Segment:
    """Return the list of the commits `names`, one a line: ``ID TREE TIME SIGNATURE PARENTS``.

    TIME is the committer's in seconds since 1970, ``-`` if it says none; SIGNATURE the kind that the commit carries
    (``openpgp``, ``ssh``, ``x509``, ``unknown``), ``-`` for none: whether it holds is asked of single commits only;
    PARENTS are divided by commas, ``-`` for none.
    """
    lines = [HEADER]
    for found in reader.each(names):
        if found.kind != "commit":
            raise SourceError(f"the commit {found.id} is not in the repository, though its history names it")
        lines.append(_line(parse_commit(found.id, found.read())))
    return Segment(b"".join(lines), len(lines) - 1)


def _line(commit: Commit) -> bytes:
    time = "-" if commit.time is None else str(commit.time)
    parents = ",".join(commit.parents) or "-"
    return f"{commit.id} {commit.tree} {time} {commit.signed or '-'} {parents}\n".encode()


def is_ancestor(git: Git, older: str, newer: str) -> bool:
    """Return whether `newer` has `older` behind it, or is it; not so where either is not in the repository."""
    if ID.fullmatch(older) is None or ID.fullmatch(newer) is None:
        raise BadInput(f"not commits in full: {older!r}, {newer!r}")
    return git.try_to("merge-base", "--is-ancestor", older, newer).ok


def refs_with(git: Git, commit: str) -> list[str]:
    """Return the branches and tags that have `commit` behind them, by full name, sorted; none if it is not there."""
    done = git.try_to("for-each-ref", f"--contains={commit}", "--format=%(refname)", "refs/heads", "refs/tags")
    return sorted(clean(done.stdout).splitlines()) if done.ok else []


def describe_history(name: str, refs: Refs, segments: Iterable[tuple[str, int]], *, is_shallow: bool) -> bytes:
    """Return the canonical document of what the refs of a repository lead to, and where its commits are listed."""
    return canonical.encode(
        {
            "format": "lineal-git-history/1",
            "repository": name,
            "default": refs.branch,
            "head": refs.head,
            "refs": dict(sorted(refs.commits.items())),
            "commits": [{"list": digest, "count": count} for digest, count in segments],
            "shallow": is_shallow,
        }
    )
