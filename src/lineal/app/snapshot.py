"""Record a dataset version."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lineal.app.naming import next_number, parse_artifact, version_ref
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.core.ref import ArtifactRef
from lineal.datasets import manifest
from lineal.datasets.ahead import Ahead
from lineal.datasets.snapshot import ENGINES, Snapshot, Spread
from lineal.datasets.snapshot import snapshot as take
from lineal.datasets.tree import LEFT_OUT
from lineal.errors import BadInput, UsageError

MAX_MEMBERS: Final = 2000
SNAPSHOTTED: Final = "dataset.snapshotted/1"


@dataclass(frozen=True, slots=True)
class Snapshotted:
    """A dataset version, and whether this snapshot made it or found it recorded already."""

    version: NodeView
    new: bool
    files: int
    bytes: int
    gaps: tuple[Gap, ...]


def snapshot(
    session: Session,
    name: str,
    source: Path,
    *,
    keep: bool,
    paranoid: bool = False,
    ahead: Ahead | None = None,
    engine: str | None = None,
    jobs: int | None = None,
    on_total: Callable[[int, int], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Snapshotted:
    """Record the folder or file at `source` as a version of the dataset `name` (``dataset:NAME``).

    With `keep` the bytes are stored in the ledger's objects, else only their digests. What has not changed since it was
    read for this ledger is not read again, unless `paranoid`; `engine` and `jobs` spread the hashing. The same content
    as a version recorded before is that version again. Raises `BadRef`, `BadInput` for the ledger itself, and what
    `datasets.snapshot` raises.
    """
    artifact = parse_artifact(name, "dataset")
    _refuse_ledger(session, source)
    happened = session.clock()
    index = session.ledger.home.change_index
    taken = take(
        source,
        session.objects,
        keep=keep,
        index=index,
        ahead=ahead,
        paranoid=paranoid,
        spread=_spread(engine, jobs, keep=keep),
        on_total=on_total,
        on_progress=on_progress,
    )
    canonical = version_ref(artifact, taken.digest)
    known = session.catalog.find([canonical]).get(canonical)
    if known is not None and known.version is not None:
        return _find(session, known, taken, source, keep=keep)
    from lineal.app.tables import describe_tables  # takes longer to import than most versions to be found

    tables = describe_tables(session, canonical, taken.digest, source, happened)
    gaps = (*(Gap(code, explanation, canonical) for code, explanation in taken.gaps), *tables.gaps)
    members = members_of(session, taken.digest)

    def observe() -> Observation | None:
        known = session.catalog.find([canonical]).get(canonical)
        if known is not None and known.version is not None:
            return None  # the same content is the same version, whoever recorded it a moment ago
        observed = _observe(session, artifact, taken, happened=happened, source=source, keep=keep, members=members)
        (node,) = observed.nodes
        return replace(observed, nodes=(replace(node, detail={**node.detail, **tables.detail}),), gaps=gaps)

    new = session.say_numbered(observe) is not None
    return Snapshotted(session.catalog.resolve(canonical), new, taken.files, taken.bytes, gaps)


def _find(session: Session, known: NodeView, taken: Snapshot, source: Path, *, keep: bool) -> Snapshotted:
    """Return the version recorded before with this content; say so if its bytes are kept only now."""
    if keep and known.detail.get("stored") == "manifest":
        detail = {"path": paths.spell(os.path.abspath(os.fsencode(source))), "stored": "dataset"}
        node = Node(ref=known.canonical, basis="verified", version=known.version, digest=taken.digest, detail=detail)
        session.say(
            Observation(
                type=SNAPSHOTTED,
                time=session.clock(),
                actor=session.actor,
                basis="verified",
                nodes=(node,),
                subject=(known.canonical,),
            )
        )
    gaps = tuple(Gap(code, explanation, known.canonical) for code, explanation in taken.gaps)
    return Snapshotted(session.catalog.resolve(known.canonical), False, taken.files, taken.bytes, gaps)


def _spread(engine: str | None, jobs: int | None, *, keep: bool) -> Spread | None:
    if engine is None and jobs is None:
        return None
    if engine is not None and engine not in ENGINES:
        raise UsageError(f"no such engine: {engine!r}", fix=f"One of {', '.join(ENGINES)}.")
    if keep:
        raise UsageError(
            "--engine and --jobs spread the hashing; the bytes are stored by this process",
            fix="Add --reference, or leave them out.",
        )
    return Spread(engine, jobs)


def _refuse_ledger(session: Session, source: Path) -> None:
    home = session.ledger.home.root.resolve()
    if home in (found := source.resolve(), *found.parents):
        raise BadInput(f"{source} lies in the ledger itself, beside its private key; nothing was recorded")
    # That of a ledger in a database, or of one that was renamed, has a name of its own, which no walk leaves out.
    if found in home.parents and not any(os.fsencode(name) in LEFT_OUT for name in home.relative_to(found).parts):
        raise BadInput(
            f"the ledger itself, with its private key, lies in {source}, in {home}; nothing was recorded",
            fix="Name the folders that hold the data, or keep the ledger elsewhere.",
        )


def _observe(
    session: Session,
    artifact: ArtifactRef,
    taken: Snapshot,
    *,
    happened: str,
    source: Path,
    keep: bool,
    members: tuple[tuple[Digest, str], ...],
) -> Observation:
    number = next_number(session.catalog, artifact)
    canonical = version_ref(artifact, taken.digest)
    detail = {
        "files": taken.files,
        "bytes": taken.bytes,
        "path": paths.spell(os.path.abspath(os.fsencode(source))),
        "stored": "dataset" if keep else "manifest",
        "members": "all" if taken.files <= MAX_MEMBERS else "too many to list: see the manifest",
    }
    return Observation(
        type=SNAPSHOTTED,
        time=happened,
        actor=session.actor,
        basis="verified",
        nodes=(
            Node(
                ref=canonical,
                basis="verified",
                version=str(number),
                digest=taken.digest,
                detail=detail,
                members=members,
            ),
        ),
        edges=tuple(_origins(session, canonical, members)),
        gaps=tuple(Gap(code, explanation, canonical) for code, explanation in taken.gaps),
        subject=(canonical, f"{artifact}@{number}"),
        claims=(f"{artifact}@{number}", f"{SNAPSHOTTED} {canonical}"),
    )


def members_of(session: Session, digest: Digest) -> tuple[tuple[Digest, str], ...]:
    """Return the files of a manifest with their digests, none if there are more than `MAX_MEMBERS`."""
    found = manifest.load(digest, session.objects)
    if found.count > MAX_MEMBERS:
        return ()
    entries = manifest.entries(found, session.objects)
    return tuple((entry.digest, paths.spell(entry.path)) for entry in entries if entry.size)


def _origins(session: Session, canonical: str, members: tuple[tuple[Digest, str], ...]) -> list[Edge]:
    """Return an edge from each file version recorded before whose bytes are in the dataset."""
    known = session.catalog.with_digests([str(digest) for digest, _ in members])
    files = {view.canonical for views in known.values() for view in views if view.kind == "file"}
    return [Edge(file, canonical, "derived_from") for file in sorted(files)]
