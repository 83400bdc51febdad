"""Whether a commit is what it seems: on its host, behind a protected branch or tag, signed by whom, its tree kept.

Four questions, each answered yes, no or not known, with how it was found out. Only four times yes is verified.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from lineal.app.session import Session
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.observation import Gap, Node, Observation
from lineal.core.repository import without_credentials
from lineal.datasets import manifest
from lineal.errors import BadInput, IntegrityError, LinealError, SourceError
from lineal.sources import git_signature, git_tree
from lineal.sources.git_history import refs_with
from lineal.sources.git_objects import Commit, object_id
from lineal.sources.git_place import fetched
from lineal.sources.git_program import Git
from lineal.sources.git_protection import Protection
from lineal.sources.git_remote import RemoteRefs, fetch_commit, holds, make_scratch
from lineal.sources.git_tree import TreeEntry

VERIFIED: Final = "code.verified/1"
RELEASES: Final = ("v[0-9]*", "[0-9]*.[0-9]*", "release-*", "release/*")
"""Tags that count as releases, and so as protected, unless patterns are given."""
_MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question: yes, no, or None where it is not known; how it was found out; more of it."""

    holds: bool | None
    how: str
    more: dict[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document."""
        return {"holds": self.holds, "how": self.how, **self.more}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A code version on record whose tree is kept: by its reference, its commit, and what was recorded of its tree."""

    ref: str
    digest: Digest
    commit: Commit
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The four answers about one commit."""

    exists: Answer
    reachable: Answer
    signature: Answer
    tree: Answer

    @property
    def holds(self) -> bool:
        """Whether all four are yes."""
        return all(each.holds is True for each in (self.exists, self.reachable, self.signature, self.tree))

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document."""
        return {
            "holds": self.holds,
            "exists": self.exists.describe(),
            "reachable": self.reachable.describe(),
            "signature": self.signature.describe(),
            "tree": self.tree.describe(),
        }


class Verifier:
    """Asks the host of one repository, of which it fetches the history once, and answers about single commits.

    `objects` are the folders of git's objects that have the commits; `host` the history, where it was fetched already.
    What the host could not be asked is in `gaps`, and not known in the answers.
    """

    def __init__(
        self,
        session: Session,
        url: str | None,
        scratch: Path,
        *,
        hash_name: str,
        objects: Sequence[Path],
        host: tuple[Git, RemoteRefs] | None = None,
        protected: Sequence[str] = (),
        allowed_signers: str | None = None,
        protection: Protection | None = None,
        timeout: float = 600.0,
    ) -> None:
        self.gaps: list[Gap] = []
        self._session, self._url, self._scratch = session, url, scratch
        self._hash_name, self._objects = hash_name, tuple(objects)
        self._protected, self._allowed_signers, self._timeout = tuple(protected), allowed_signers, timeout
        self._host, self._protection = host, protection
        self._said: dict[str, bool] = {}
        if url is None:
            self.gaps.append(Gap("git.no_remote", "the repository has no remote: nothing can be said of any host"))
            return
        if host is not None:
            return
        try:
            self._host = fetched(url, scratch, timeout)
        except (SourceError, BadInput) as error:
            self.gaps.append(Gap("git.remote", f"the host could not be asked: {error.message}"))

    def verify(self, version: Kept) -> Observation:
        """Return the statement of what holds of `version` now."""
        commit = version.commit
        verdict = Verdict(
            exists=self._exists(commit),
            reachable=self._reachable(commit),
            signature=self._signature(commit),
            tree=self._tree(version),
        )
        detail = {"commit": commit.id, "verification": verdict.describe()}
        if self._url is not None:
            detail["remote"] = without_credentials(self._url)
        basis = "verified" if verdict.holds else "observed"
        node = Node(ref=version.ref, basis=basis, version=commit.id, digest=version.digest, detail=detail)
        return Observation(
            type=VERIFIED,
            time=self._session.clock(),
            actor=self._session.actor,
            basis=basis,
            nodes=(node,),
            subject=(version.ref,),
        )

    def _exists(self, commit: Commit) -> Answer:
        if self._host is None or self._url is None:
            return Answer(None, "the host was not reached")
        if holds(self._host[0], commit.id):
            return Answer(True, "fetched from the host, behind its branches and tags")
        try:
            aside = make_scratch(self._scratch / f"asked-{commit.id}.git", self._host[1].hash_name, self._timeout)
            found = fetch_commit(aside, self._url, commit.id, bare=True)
        except SourceError as error:
            return Answer(None, f"the host did not say: {error.message}")
        if found:
            return Answer(True, "the host gave it by its id, though none of its branches and tags leads to it")
        return Answer(False, "the host has no such commit, or does not give it to us")

    def _reachable(self, commit: Commit) -> Answer:
        if self._host is None:
            return Answer(None, "the host was not reached")
        git, listed = self._host
        containing = refs_with(git, commit.id) if holds(git, commit.id) else []
        asked = self._ask_host([name for name in containing if name.startswith("refs/heads/")])
        more: dict[str, Any] = {
            "basis": "by pattern" if asked is None else "by the host",
            "patterns": [*self._protected] or [*(["default branch"] if asked is None else []), *RELEASES],
        }
        if not containing:
            return Answer(
                False, "no branch or tag of the host leads to it: never merged, or the branch was rewritten", more
            )
        patterns = self._protected or RELEASES
        default = listed.default if asked is None else None
        leading = [name for name in containing if name in (asked or ()) or _is_protected(name, default, patterns)]
        # Every later release has it behind it, too: the first by name is enough, and is the same one next time.
        tags = [name for name in leading if name.startswith("refs/tags/")]
        if tags and len(tags) == len(leading):  # what the host says of branches says nothing of tags
            more["basis"] = "by pattern"
        exact = [name for name in tags if listed.refs.get(name) == commit.id]
        shown = [*(name for name in leading if name not in tags), *exact][:_MOST_SHOWN] or tags[:1]
        if shown:
            return Answer(True, "behind a branch or tag that counts as protected", {**more, "refs": shown})
        return Answer(False, f"only behind {', '.join(containing[:5])}: none counts as protected", more)

    def _ask_host(self, branches: Sequence[str]) -> set[str] | None:
        """Return those of `branches` that the host protects; None where it is not asked, or does not say.

        Patterns that were given are the rule instead.
        """
        if self._protected or self._protection is None or not branches:
            return None
        found: set[str] = set()
        for name in branches[:_MOST_SHOWN]:
            if name not in self._said:
                try:
                    self._said[name] = self._protection.is_protected(name.removeprefix("refs/heads/"))
                except SourceError as error:
                    explanation = f"the host does not say what it protects, so patterns decide: {error.message}"
                    self.gaps.append(Gap("git.protection", explanation))
                    self._protection = None
                    return None
            if self._said[name]:
                found.add(name)
        return found

    def _signature(self, commit: Commit) -> Answer:
        # A repository of ours: which program checks a signature is a setting, and theirs are not followed.
        folder = self._scratch / "signatures.git"
        git = Git(folder, self._hash_name, alternates=self._objects, timeout=self._timeout)
        try:
            if not folder.is_dir():
                make_scratch(folder, self._hash_name, self._timeout)
            found = git_signature.check_signature(git, commit, self._allowed_signers)
        except SourceError as error:
            return Answer(None, f"the signature could not be looked at: {error.message}")
        answer = found.state not in git_signature.REFUSED if found.state in git_signature.KNOWN else None
        return Answer(answer, found.explanation, found.describe())

    def _tree(self, version: Kept) -> Answer:
        try:
            found = stored_tree(self._session, version.digest, version.detail, self._hash_name)
        except IntegrityError as error:
            return Answer(False, f"the bytes kept do not hold: {error.message}")
        except LinealError as error:
            return Answer(None, f"the bytes kept could not be read: {error.message}")
        if found == version.commit.tree:
            return Answer(True, "computed from the bytes kept, and the same as the commit names", {"tree": found})
        return Answer(False, f"the bytes kept make the tree {found}, the commit names {version.commit.tree}")


def _is_protected(ref: str, default: str | None, patterns: Sequence[str]) -> bool:
    """Return whether `ref` counts as protected: the default branch does, and what a pattern matches, by its short name.

    Patterns that stand for releases (`RELEASES`) are held against tags only.
    """
    if ref == default:
        return True
    short = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    if patterns is RELEASES and not ref.startswith("refs/tags/"):
        return False
    return any(fnmatchcase(ref, each) or fnmatchcase(short, each) for each in patterns)


def stored_tree(session: Session, digest: Digest, detail: dict[str, Any], hash_name: str) -> str:
    """Return the id of the git tree that the files kept under `digest` make, computed from their bytes alone.

    `detail` says what a manifest cannot: unusual modes, empty folders, commits of submodules. Raises `IntegrityError`
    where stored bytes are not their own, or a submodule's files do not make the tree that was recorded for it.
    """
    links = {paths.unspell(each["path"]): each for each in detail.get("submodules", ())}
    groups: dict[bytes, list[TreeEntry]] = {b"": [], **{path: [] for path, each in links.items() if "tree" in each}}
    modes: dict[str, str] = detail.get("modes", {})
    for entry in manifest.entries(manifest.load(digest, session.objects), session.objects):
        mode = modes.get(paths.spell(entry.path), git_tree.USUAL.get(entry.kind, ""))
        name = object_id("blob", entry.size, session.objects.chunks(entry.digest), hash_name)
        _put(groups, entry.path, mode, name)
    for text in detail.get("empty", ()):
        _put(groups, paths.unspell(text), git_tree.FOLDER, "")
    for path, said in links.items():
        _put(groups, path, git_tree.GITLINK, said["commit"])
    for path, said in links.items():
        if path in groups and git_tree.tree_id(groups[path], hash_name) != said["tree"]:
            raise IntegrityError(f"the files kept of the submodule {said['path']} are not those of {said['commit']}")
    return git_tree.tree_id(groups[b""], hash_name)


def _put(groups: dict[bytes, list[TreeEntry]], path: bytes, mode: str, name: str) -> None:
    """Put an entry into the group of the innermost submodule that its path lies in, by its path in there."""
    for parent in _folders(path):
        if parent in groups:
            groups[parent].append(TreeEntry(path[len(parent) + 1 :] if parent else path, mode, name))
            return


def _folders(path: bytes) -> Iterator[bytes]:
    """Yield the folders that `path` lies in, innermost first; the last is the root."""
    while path:
        path = path.rpartition(b"/")[0]
        yield path
