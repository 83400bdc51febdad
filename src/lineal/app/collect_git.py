"""Collect from git: what the refs lead to, the list of commits, and the commits asked for as versions, kept whole."""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from lineal.app.code_history import record_history, spell_repository
from lineal.app.code_version import keep_tree
from lineal.app.collect import Collected, Collection, Seen, collect, last_covered
from lineal.app.session import Session
from lineal.app.verify_code import Kept, Verifier
from lineal.core import timestamp
from lineal.core.digest import Digest
from lineal.core.observation import Gap, Node, Observation
from lineal.core.permalink import permalink
from lineal.core.redaction import clean, redact
from lineal.core.repository import without_credentials
from lineal.errors import BadInput, BadTime, SourceError
from lineal.sources.git_host import GitHost
from lineal.sources.git_objects import Commit, ObjectReader
from lineal.sources.git_place import Place, open_place
from lineal.sources.git_program import TIMEOUT
from lineal.sources.git_protection import open_protection

COLLECTED: Final = "code.collected/1"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted of a repository: which commits as versions (HEAD if none is named), and whether to verify them.

    `verify` None means: if the repository is at a host. `protected` are patterns of branches and tags; `remote` the
    host of a folder, by name or address; `forge` who serves it, where its address does not say
    (`core.forge.FORGES`); `submodules` lets submodules be fetched from wherever they are said to be.
    """

    refs: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    all_tags: bool = False
    verify: bool | None = None
    protected: tuple[str, ...] = ()
    remote: str | None = None
    forge: str | None = None
    submodules: bool = False
    allowed_signers: str | None = None
    timeout: float = TIMEOUT


@dataclass(frozen=True, slots=True)
class CollectedCode:
    """What a collection of code did, and of each version asked for: its reference, its commit, its verification."""

    done: Collected
    versions: tuple[dict[str, Any], ...]


def collect_git(
    session: Session, repository: str, wanted: Wanted, on_progress: Progress | None = None
) -> CollectedCode:
    """Record what the refs of `repository` (a folder or an address) lead to, and the commits `wanted` as versions.

    Nothing is checked out. Raises `BadInput` for what is no repository or no commit, `SourceError` if a host does not
    answer, `IntegrityError` where bytes are not those that git's ids name; what could not be had is a gap.
    """
    if wanted.allowed_signers is not None:
        if not os.path.isfile(wanted.allowed_signers):
            raise BadInput(f"no such file of allowed signers: {wanted.allowed_signers!r}")
        wanted = replace(wanted, allowed_signers=os.path.abspath(wanted.allowed_signers))
    with tempfile.TemporaryDirectory(prefix="lineal-git-") as folder:
        scratch = Path(folder)
        try:
            place = open_place(
                repository,
                scratch,
                env=os.environ,
                remote=wanted.remote,
                forge=wanted.forge,
                timeout=wanted.timeout,
            )
        except SourceError as error:
            collect(session, Collection("git", without_credentials(repository)), _Failed(error))
            raise
        commits = _choose(place, wanted)
        look = _Look(session, place, wanted, scratch, on_progress or (lambda _files, _bytes: None))
        done = collect(session, look.collection, look.see(commits))
    return CollectedCode(done, tuple(look.versions))


class _Failed:
    """A source that fails at once, so that the collection records it."""

    def __init__(self, error: SourceError) -> None:
        self._error = error

    def __iter__(self) -> Iterator[Observation | Gap]:
        raise self._error


def _choose(place: Place, wanted: Wanted) -> list[str]:
    """Return the commits that are wanted as versions, each once."""
    named = [place.find(each) for each in (*wanted.refs, *wanted.commits)]
    if wanted.all_tags:
        named += [commit for ref, commit in sorted(place.refs.commits.items()) if ref.startswith("refs/tags/")]
    elif not named and place.refs.head is not None:
        named.append(place.refs.head)
    return list(dict.fromkeys(named))


@dataclass(slots=True)
class _Look:
    """One look at a repository."""

    session: Session
    place: Place
    wanted: Wanted
    scratch: Path
    on_progress: Progress
    versions: list[dict[str, Any]] = field(default_factory=list)
    collection: Collection = field(init=False)

    def __post_init__(self) -> None:
        scope = self.place.name if self.place.folder is None else f"{self.place.name} in {self.place.folder}"
        self.collection = Collection("git", clean(scope))

    def see(self, commits: list[str]) -> Seen:
        """Yield the versions, what was verified of them, and the history."""
        before = last_covered(self.session, "git", self.collection.scope)
        if not self.place.refs.commits and self.place.refs.head is None:
            yield Gap("git.empty", "the repository has no commit yet", self.place.name)
        if self.place.history.is_shallow:
            explanation = "the repository is a shallow clone: commits before its first are not listed, nor reachable"
            yield Gap("git.shallow", explanation, self.place.name)
        kept: list[Kept] = []
        recorded = self.session.catalog.with_aliases(commits)
        self.place.prefetch([commit for commit in commits if commit not in recorded])
        for commit in commits:
            yield from self._version(commit, kept)
        if self.wanted.verify or (self.wanted.verify is None and self.place.is_host):
            yield from self._verify(kept)
        yield from record_history(self.session, self.place, self.collection, before)

    def _version(self, name: str, kept: list[Kept]) -> Seen:
        try:
            with ObjectReader(self.place.having(name)) as reader:
                commit = reader.commit(name)
            known = self._known(commit)
            if known is not None:
                kept.append(known)
                return
            observation = self._keep(commit)
        except (SourceError, BadInput) as error:
            yield Gap("git.commit", f"the commit {name} is not recorded as a version: {error.message}", self.place.name)
            return
        node = observation.nodes[0]
        if node.digest is not None:
            kept.append(Kept(ref=node.ref, digest=node.digest, commit=commit, detail=node.detail))
            self.versions.append({"ref": node.ref, "commit": commit.id, "new": True})
        yield observation
        yield from observation.gaps  # they stand beside the version for good, and in this collection for who reads it

    def _known(self, commit: Commit) -> Kept | None:
        """Return the version that was collected of `commit` before, if its bytes are still kept and nothing lacks."""
        views = self.session.catalog.with_aliases([commit.id]).get(commit.id, [])
        named = {
            view.id: view for view in views if (view.kind, view.name) == ("code", spell_repository(self.place.name))
        }
        for fact in self.session.catalog.facts(named):
            digest = named[fact.node].digest
            if fact.type == COLLECTED and fact.version == commit.id and digest is not None and _is_whole(fact.detail):
                found = Digest.parse(digest)
                if self.session.objects.has(found):
                    ref = named[fact.node].canonical
                    self.versions.append({"ref": ref, "commit": commit.id, "new": False})
                    return Kept(ref=ref, digest=found, commit=commit, detail=fact.detail)
        return None

    def _keep(self, commit: Commit) -> Observation:
        git = self.place.content(commit.id)
        host = GitHost(
            scratch=self.scratch,
            url=self.place.url,
            worktree=self.place.folder,
            elsewhere=self.wanted.submodules,
            timeout=self.wanted.timeout,
        )
        with self.session.objects.batch() as batch:
            tree = keep_tree(batch, git, commit, host, on_progress=self.on_progress)
        ref = f"code:{spell_repository(self.place.name)}@{tree.manifest.digest}"
        page = permalink(self.place.repository, commit.id)
        detail: dict[str, Any] = {
            "commit": commit.id,
            "tree": commit.tree,
            "parents": list(commit.parents),
            "name": self.place.name,
            "dirty": False,
            "untracked": {"count": 0, "paths": []},
            "signed": commit.signed,
            # Names of people stand here, in a body, and nowhere else: a body can be erased.
            "author": redact(clean(commit.author))[0],
            "committer": redact(clean(commit.committer))[0],
            "stored": "dataset",
            **tree.describe(),
        }
        if self.place.url is not None:
            detail["remotes"] = {"origin": without_credentials(self.place.url)}
        if page is not None:
            detail["permalink"] = page
        node = Node(
            ref=ref,
            basis="observed",
            version=commit.id,
            digest=tree.manifest.digest,
            detail=detail,
            aliases=(commit.id,) if page is None else (commit.id, page),
        )
        return Observation(
            type=COLLECTED,
            time=self._when(commit),
            actor=self.session.actor,
            basis="observed",
            nodes=(node,),
            gaps=tuple(tree.gaps),
            subject=(ref,),
        )

    def _when(self, commit: Commit) -> str:
        """Return when the commit was made, by its own word; now where that is no time, or one that has not come."""
        now = self.session.clock()
        try:
            said = timestamp.spell(datetime.fromtimestamp(commit.time or 0, UTC))
        except (BadTime, ValueError, OverflowError, OSError):
            return now
        return now if commit.time is None else min(said, now)

    def _verify(self, kept: list[Kept]) -> Seen:
        if not kept:
            return
        wanted = self.wanted
        verifier = Verifier(
            self.session,
            self.place.url,
            self.scratch,
            hash_name=self.place.history.format,
            objects=self.place.object_folders,
            host=self.place.host,
            protected=wanted.protected,
            allowed_signers=wanted.allowed_signers,
            protection=open_protection(self.place.served, os.environ),
            timeout=wanted.timeout,
        )
        said = {each["commit"]: each for each in self.versions}
        for version in kept:
            observation = verifier.verify(version)
            if version.commit.id in said:
                said[version.commit.id]["verification"] = observation.nodes[0].detail["verification"]
            yield observation
        yield from verifier.gaps


def _is_whole(detail: dict[str, Any]) -> bool:
    """Return whether all submodules and files of Git LFS could be had when the version was recorded."""
    return all("tree" in each for each in detail.get("submodules", ())) and all(
        each["stored"] for each in detail.get("lfs", ())
    )
