"""Write a version of code back to disk: by its commit from its host, or from the ledger's own objects.

Either way the tree must be the one on record: nothing is written before its digest is known to be the same. Nothing of
the repository is run: there is no checkout, so there are no hooks and no filters.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from lineal.app.code_version import keep_tree
from lineal.app.restore import Restored
from lineal.app.session import Session
from lineal.catalog.reader import Fact, NodeView
from lineal.core.digest import Digest
from lineal.core.repository import is_address, parse, without_credentials
from lineal.datasets import restore as datasets
from lineal.datasets.contents import Link, StoredContents
from lineal.errors import BadInput, DigestMismatch, ObjectMissing, SourceError
from lineal.objects.store import ObjectStore
from lineal.sources.git_host import GitHost
from lineal.sources.git_objects import ID, ObjectReader
from lineal.sources.git_program import Git
from lineal.sources.git_remote import fetch_commit, make_scratch

HOST_TIMEOUT: Final = 120.0
_MOST_PLACES: Final = 6
_KEPT: Final = ("dataset", "manifest")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Fetched:
    """The tree of a commit as its host gave it: in a store of its own, under the digest of its manifest."""

    store: ObjectStore
    digest: Digest
    host: str


def restore_code(
    session: Session,
    view: NodeView,
    target: Path,
    *,
    offline: bool = False,
    link: Link | None = None,
    force: bool = False,
    on_progress: Progress | None = None,
) -> Restored:
    """Write the code version `view` into the folder `target` and say where it came from.

    A commit comes from its host, unless `offline` or the host cannot give it; then, as all code that was dirty, from
    the ledger's own objects: the tree kept of dirty code is the one with its changes. Raises `ObjectMissing` where
    neither has it, `DigestMismatch` where what the host has under the commit is not the tree on record and the ledger
    does not have that itself, and what `datasets.restore` raises.
    """
    is_kept = view.detail.get("stored") == "dataset"
    with tempfile.TemporaryDirectory(prefix="lineal-git-") as folder:
        reasons: list[str] = []
        found = None if offline else _fetch(session, view, Path(folder), reasons)
        if found is not None and view.detail.get("stored") in _KEPT and str(found.digest) != view.digest:
            reason = f"{found.host} has another tree under this commit, {found.digest}"
            if not is_kept:
                raise DigestMismatch(f"{reason}: on record is {view.digest}; nothing was written")
            reasons.append(reason)
            found = None
        if found is not None:
            done = datasets.restore(found.digest, found.store, target, force=force, on_progress=on_progress)
            return _restored(session, view, target, f"host {found.host}", done)
    if not is_kept:
        raise ObjectMissing(
            f"the bytes of {view.ref} are not kept here{''.join(f'; {each}' for each in reasons)}",
            fix="`lineal collect git REPO --commit C` keeps them, where the repository still is.",
        )
    digest = Digest.parse(view.digest or "")
    contents = StoredContents(session.objects, link)
    done = datasets.restore(digest, session.objects, target, contents=contents, force=force, on_progress=on_progress)
    return _restored(session, view, target, "; ".join(["object store", *reasons]), done)


def _restored(session: Session, view: NodeView, target: Path, origin: str, done: datasets.Restored) -> Restored:
    lacks = tuple(dict.fromkeys(_lacking(session.catalog.facts([view.id]))))
    return replace(Restored.tree(view, target, origin, done), lacks=lacks)


def _lacking(facts: Iterable[Fact]) -> Iterator[str]:
    """Yield what a commit names and the version does not have: the tree restored is not all that a checkout is."""
    for fact in facts:
        if fact.type != "code.collected/1":
            continue
        for each in fact.detail.get("submodules", ()):
            if "tree" not in each:
                yield f"the files of the submodule {each['path']} ({each['commit']}) are not on record"
        pointers = [each["path"] for each in fact.detail.get("lfs", ())]
        if pointers:
            some = ", ".join(pointers[:3]) + (", …" if len(pointers) > 3 else "")
            yield f"{len(pointers):,} files of Git LFS are restored as their pointers: {some}"


def _fetch(session: Session, view: NodeView, scratch: Path, reasons: list[str]) -> _Fetched | None:
    """Return the tree of the version from the first host that has a commit of it; say in `reasons` why one has not.

    One tree can be that of several commits, and be recorded from several places.
    """
    facts = session.catalog.facts([view.id])
    for number, (commit, address) in enumerate(list(dict.fromkeys(_places(facts)))[:_MOST_PLACES]):
        place = scratch / str(number)
        place.mkdir()
        try:
            git = make_scratch(place / "files.git", "sha1" if len(commit) == 40 else "sha256", HOST_TIMEOUT)
            if fetch_commit(git, address, commit):
                return _keep(git, commit, address, place, Digest.parse(view.digest or ""))
            reasons.append(f"{_shown(address)} does not have the commit {commit}")
        except (SourceError, BadInput) as error:
            reasons.append(error.message)
    return None


def _places(facts: Iterable[Fact]) -> Iterator[tuple[str, str]]:
    """Yield each commit that is exactly this version, with each address that its repository was seen at."""
    for fact in facts:
        commit = str(fact.detail.get("commit") or "")
        if ID.fullmatch(commit) is not None and fact.version == commit:
            yield from ((commit, address) for address in _addresses(fact.detail))


def _keep(git: Git, commit: str, address: str, place: Path, wanted: Digest) -> _Fetched:
    """Keep the tree of `commit` in a store in `place`: with its submodules, without them if only that is `wanted`."""
    store = ObjectStore(place / "objects")
    host = GitHost(scratch=place, url=address, timeout=HOST_TIMEOUT)
    found = None
    with ObjectReader(git) as reader:
        said = reader.commit(commit)
    for with_submodules in (True, False):
        with store.batch() as batch:
            tree = keep_tree(
                batch, git, said, host, with_submodules=with_submodules, on_progress=lambda _files, _bytes: None
            )
        found = found or tree.manifest.digest
        if tree.manifest.digest == wanted or not tree.submodules:
            found = tree.manifest.digest
            break
    return _Fetched(store, found or wanted, _shown(address))


def _addresses(detail: dict[str, Any]) -> Iterator[str]:
    """Yield where the repository was: the remotes that were recorded, ``origin`` first; what a claim names."""
    remotes = detail.get("remotes")
    named = dict(remotes) if isinstance(remotes, dict) else {}
    ordered = [named[name] for name in ("origin", *sorted(named)) if name in named]
    for address in dict.fromkeys([*ordered, detail.get("remote"), detail.get("repository")]):
        if not isinstance(address, str) or not address:
            continue
        if is_address(address):
            yield address
        elif address.startswith("/") and Path(address).is_dir():
            yield f"file://{address}"


def _shown(address: str) -> str:
    return parse(address).host or without_credentials(address)
