"""Versions of what DVC tracks: identified by the hashes that DVC recorded, listed in a manifest of pins."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from lineal.app.dvc_text import tell_notes
from lineal.app.naming import spell_name
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core import canonical
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.core.ref import ArtifactRef
from lineal.datasets import manifest
from lineal.datasets.manifest import Entry, Manifest
from lineal.errors import BadInput
from lineal.sources.dvc import Declared, Placed, Seen
from lineal.sources.dvc_file import Item, Listed
from lineal.sources.dvc_lists import Files, Lists, pin_of

Put = Callable[[bytes], Digest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A version before it is said: what it is of, when it first stood in a commit, and what it came from."""

    artifact: ArtifactRef
    node: Node
    time: str
    files: Files = ()
    is_dos2unix: bool = False
    project: bytes = b""
    remote: str | None = None
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    @property
    def ref(self) -> str:
        """Its canonical reference."""
        return self.node.ref

    @property
    def type(self) -> str:
        """The type of the event that says it."""
        return f"{self.artifact.kind}.tracked/1"


@dataclass(slots=True)
class Drafts:
    """Makes drafts, each version once. `put` keeps pins and manifests; it is set for the time of a batch."""

    repository: str
    declared: Declared
    lists: Lists
    put: Put = Digest.of
    _made: dict[tuple[Any, ...], Draft | Gap] = field(default_factory=dict)

    def draft(self, seen: Seen, placed: Placed) -> tuple[Draft | Gap, bool]:
        """Return the version that is at this place, or why there is none; and whether it is met for the first time."""
        item, path = placed.item, placed.path
        if path is None:
            return Gap("dvc.outside", "it lies outside of the repository: no version of it is recorded"), True
        key = (path, item.oid, item.size if item.oid is None else None, item.listed, item.files)
        known = self._made.get(key)
        if known is not None:
            return known, False
        made = self._make(seen, item, path)
        self._made[key] = made if isinstance(made, Gap) else replace(made, files=())
        return made, True

    def _make(self, seen: Seen, item: Item, path: bytes) -> Draft | Gap:
        artifact = self.name(path)
        files = self.lists.files(seen.project, replace(item, path=_text(path)), str(artifact))
        if isinstance(files, Gap):
            return files
        try:
            kept = write_pins(files, self.put, is_dos2unix=item.is_dos2unix)
        except BadInput as error:
            return Gap("dvc.bad_list", f"its files are not known: {error.message}", str(artifact))
        said = self._detail(seen, item, path, files, kept)
        node = Node(
            ref=f"{artifact}@{kept.digest}",
            basis="observed",
            digest=kept.digest,
            detail=said,
            aliases=(str(item.oid),) if item.oid is not None else (),
        )
        return Draft(
            artifact=artifact,
            node=node,
            time=seen.commit.time,
            files=files,
            is_dos2unix=item.is_dos2unix,
            project=seen.project,
            remote=item.remote,
        )

    def name(self, path: bytes) -> ArtifactRef:
        """Return what the thing at `path` is called: by its repository and its path, a model if it is declared one."""
        kind = "model" if path in self.declared.models else "dataset"
        return ArtifactRef(kind, name_in(self.repository, path))

    def _detail(self, seen: Seen, item: Item, path: bytes, files: Files, kept: Manifest) -> dict[str, Any]:
        found: dict[str, Any] = {
            "files": kept.count,
            "bytes": kept.size,
            "stored": "manifest",
            "origin": "dvc",
            "basis_of_identity": _basis(files, is_dos2unix=item.is_dos2unix),
            "repository": self.repository,
            "tracked": paths.spell(path),
            "commit": seen.commit.id,
        }
        if seen.project:
            found["project"] = paths.spell(seen.project)
        if item.oid is not None:
            found["md5"] = str(item.oid)
        if item.remote is not None:
            found["remote"] = item.remote
        if item.is_executable:
            found["executable"] = True
        found.update(tell_notes(item.notes))
        artifact = self.declared.artifacts.get(path)
        if artifact is not None:
            found["artifact"] = {"name": artifact.name, **tell_notes(artifact.notes)}
        key = path[len(seen.project) + 1 :] if seen.project else path
        versions = _versions(files, key, is_single=item.files is None)
        if versions:
            found["objects"] = {"cloud": str(self.put(canonical.encode(versions)))}
        return found


def name_in(repository: str, path: bytes) -> str:
    """Return the name of the thing at `path` of a repository: ``github.com/acme/risk/data/raw``."""
    return spell_name(repository.encode() + b"/" + path)


def write_pins(files: Files, put: Put, *, is_dos2unix: bool) -> Manifest:
    """Keep the pins of `files` and their manifest; raise `BadInput` if they cannot be the files of one folder."""
    entries = (
        Entry(each.path, "p", put(pin_of(each, is_dos2unix=is_dos2unix).encode()), each.size or 0) for each in files
    )
    return manifest.write(entries, put)


def _basis(files: Iterable[Listed], *, is_dos2unix: bool) -> str:
    found = {field for each in files for field, _ in pin_of(each, is_dos2unix=is_dos2unix).said}
    return next(
        (name for name in ("etag", "md5-dos2unix", "md5") if name in found and "version" not in found), "version"
    )


def _versions(files: Iterable[Listed], key: bytes, *, is_single: bool) -> dict[str, Any]:
    """Return which object of which remote holds each file, where DVC says so: what a restore needs beside the MD5.

    A remote that keeps versions has files under their own names: `key` is that of the whole.
    """
    found: dict[str, Any] = {}
    for each in files:
        if each.remote is None or (each.version is None and each.etag is None):
            continue
        said = {"version": each.version, "etag": each.etag, "remote": each.remote}
        said["key"] = paths.spell(key if is_single else key + b"/" + each.path)
        found[paths.spell(each.path)] = {name: value for name, value in said.items() if value is not None}
    return found


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogatepass")


class Numbers:
    """Gives versions their numbers, in the order of the commits: one that came before the last numbered gets none."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._said: dict[str, str | None] = {}
        self._last: dict[ArtifactRef, tuple[int, str]] = {}

    def say(self, drafts: Iterable[Draft]) -> list[Observation]:
        """Return what is to be said of `drafts`, which are in the order of their commits."""
        wanted = list(drafts)
        known = self._session.catalog.find(draft.ref for draft in wanted)
        return [self._observe(draft, known.get(draft.ref)) for draft in wanted]

    def _observe(self, draft: Draft, known: NodeView | None) -> Observation:
        claims: tuple[str, ...] = ()
        if draft.ref not in self._said:
            if known is not None and (known.version is not None or known.type == draft.type):
                self._said[draft.ref] = known.version
            else:
                number = self._said[draft.ref] = self._next(draft)
                claims = () if number is None else (f"{draft.artifact}@{number}", f"{draft.type} {draft.ref}")
        label = self._said[draft.ref]
        node, time = replace(draft.node, version=label), draft.time
        objects = node.detail.get("objects")
        if known is not None and known.type == draft.type and objects in (None, known.detail.get("objects")):
            # Said before, perhaps of an earlier commit: nothing new, but that it may come from something else.
            node, time = replace(node, detail=known.detail), known.time or time
        subject = (draft.ref,) if label is None else (draft.ref, f"{draft.artifact}@{label}")
        return Observation(
            type=draft.type,
            time=time,
            actor=self._session.actor,
            basis="observed",
            nodes=(node, *draft.nodes),
            edges=draft.edges,
            subject=subject,
            claims=claims,
        )

    def _next(self, draft: Draft) -> str | None:
        artifact = draft.artifact
        if artifact not in self._last:
            views = self._session.catalog.of_artifact(artifact.kind, artifact.name)
            labels = [(view.version or "", view.time or "") for view in views]
            numbered = [(int(label), time) for label, time in labels if label.isdecimal()]
            self._last[artifact] = max(numbered, default=(0, ""))
        number, time = self._last[artifact]
        if draft.time < time:
            return None
        self._last[artifact] = (number + 1, draft.time)
        return str(number + 1)
