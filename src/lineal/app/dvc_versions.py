"""Versions of what DVC tracks: identified by the hashes that DVC recorded, listed in a manifest of pins."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from lineal.app.dvc_text import tell_notes
from lineal.app.naming import spell_name
from lineal.app.session import Session
from lineal.catalog.reader import Catalog, Fact, NodeView
from lineal.core import canonical
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import strip_url
from lineal.core.ref import ArtifactRef
from lineal.datasets import manifest
from lineal.datasets.manifest import Entry, Manifest
from lineal.errors import BadInput
from lineal.sources.bucket import BucketUri
from lineal.sources.dvc_items import Item, Listed
from lineal.sources.dvc_lists import Files, Lists, pin_of
from lineal.sources.dvc_seen import Declared, Placed, Seen

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
            aliases=self._aliases(seen, item, path, files),
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

    def _aliases(self, seen: Seen, item: Item, path: bytes, files: Files) -> tuple[str, ...]:
        """Return DVC's hash, and the address of the thing in a bucket that has it under its own name."""
        found = [str(item.oid)] if item.oid is not None else []
        names = {each.remote for each in files if each.remote is not None}
        remote = self.lists.remote(seen.project, names.pop()) if len(names) == 1 else None
        if remote is not None:
            with suppress(BadInput):
                base = BucketUri.parse(strip_url(remote.url)[0]).as_prefix()
                uri = base.below(base.key + _key(seen, path).decode("utf-8", "backslashreplace"))
                found += (uri if _is_single(item) else uri.as_prefix()).aliases
        return tuple(found)

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
        versions = _versions(seen, item, path, files)
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


def _versions(seen: Seen, item: Item, path: bytes, files: Iterable[Listed]) -> dict[str, Any]:
    """Return where each file lies under a name of its own: what a restore needs beside the MD5.

    A remote that keeps versions has files under their own paths in the project; an import has them at its source.
    """
    source = seen.deps[0].item if not seen.stage.commands and len(seen.deps) == 1 else None
    from_source = source is not None and source.origin is None and not source.path.startswith("/")
    known = {each.path: each for each in source.files or ()} if from_source and source is not None else {}
    found: dict[str, Any] = {}
    for each in files:
        inner = b"" if _is_single(item) else b"/" + each.path
        if each.remote is not None and (each.version is not None or each.etag is not None):
            said = {"version": each.version, "remote": each.remote, "key": paths.spell(_key(seen, path) + inner)}
        elif from_source and source is not None and "://" in source.path:
            above = known.get(each.path) or source.listed
            version = None if above is None else above.version
            said = {"version": version, "uri": strip_url(source.path)[0].rstrip("/"), "inner": paths.spell(inner)}
        else:
            continue
        found[paths.spell(each.path)] = {name: value for name, value in said.items() if value is not None}
    return found


def _key(seen: Seen, path: bytes) -> bytes:
    return path[len(seen.project) + 1 :] if seen.project else path


def _is_single(item: Item) -> bool:
    return item.files is None and not (item.oid is not None and item.oid.is_dir)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogatepass")


class Numbers:
    """Gives versions their numbers, in the order of the commits: one that came before the last numbered gets none."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._labels: dict[str, str | None] = {}
        self._last: dict[ArtifactRef, tuple[int, str]] = {}

    def say(self, drafts: Iterable[Draft]) -> list[Observation]:
        """Return what is to be said of `drafts`, which are in the order of their commits."""
        wanted = list(drafts)
        catalog = self._session.catalog
        known = catalog.find(draft.ref for draft in wanted)
        facts: dict[int, list[Fact]] = {}
        for fact in catalog.facts(view.id for view in known.values()):
            facts.setdefault(fact.node, []).append(fact)
        return [self._observe(draft, known.get(draft.ref), facts, catalog) for draft in wanted]

    def _observe(
        self, draft: Draft, known: NodeView | None, facts: Mapping[int, list[Fact]], catalog: Catalog
    ) -> Observation:
        every = facts.get(known.id, ()) if known is not None else ()
        said = [fact for fact in every if (fact.type, fact.basis) == (draft.type, draft.node.basis)]
        claims: tuple[str, ...] = ()
        if draft.ref not in self._labels:
            if known is not None and (known.version is not None or said):
                self._labels[draft.ref] = known.version
            else:
                number = self._labels[draft.ref] = self._next(draft, catalog)
                claims = () if number is None else (f"{draft.artifact}@{number}", f"{draft.type} {draft.ref}")
        label = self._labels[draft.ref]
        detail, time = draft.node.detail, draft.time
        again = _said_already(draft, said)
        if again is not None:
            label, detail, time = again.version, again.detail, again.time
        return Observation(
            type=draft.type,
            time=time,
            actor=self._session.actor,
            basis="observed",
            nodes=(replace(draft.node, version=label, detail=detail), *draft.nodes),
            edges=draft.edges,
            subject=(draft.ref,) if label is None else (draft.ref, f"{draft.artifact}@{label}"),
            claims=claims,
        )

    def _next(self, draft: Draft, catalog: Catalog) -> str | None:
        artifact = draft.artifact
        if artifact not in self._last:
            views = catalog.of_artifact(artifact.kind, artifact.name)
            labels = [(view.version or "", view.time or "") for view in views]
            numbered = [(int(label), time) for label, time in labels if label.isdecimal()]
            self._last[artifact] = max(numbered, default=(0, ""))
        number, time = self._last[artifact]
        if draft.time < time:
            return None
        self._last[artifact] = (number + 1, draft.time)
        return str(number + 1)


def _said_already(draft: Draft, said: Iterable[Fact]) -> Fact | None:
    """Return the statement that has all that `draft` says of the version, perhaps of another commit."""
    objects = draft.node.detail.get("objects")
    same = [fact for fact in said if objects is None or fact.detail.get("objects") == objects]
    exact = (fact for fact in same if (fact.time, fact.detail) == (draft.time, draft.node.detail))
    return next(exact, same[0] if same else None)
