"""Register a model version."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lineal.app.life import bytes_of, rank
from lineal.app.naming import next_number, parse_artifact, version_ref
from lineal.app.registry import generations, runs_behind, stated
from lineal.app.session import Session
from lineal.app.snapshot import members_of
from lineal.capture.metrics import read_metrics_file
from lineal.catalog.reader import Catalog, NodeView
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.event_type import REGISTERED
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import redact
from lineal.core.ref import ArtifactRef
from lineal.datasets.snapshot import snapshot as take
from lineal.errors import AlreadyExists, BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a person says of a model when registering it; `origin` is the run that made it (``run:ID``)."""

    intended_use: str | None = None
    owner: str | None = None
    risk_tier: str | None = None
    restrictions: str | None = None
    review_due: str | None = None
    metrics: Path | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A new model version, the runs known to have made it, its metrics, and the gaps."""

    version: NodeView
    runs: tuple[NodeView, ...]
    metrics: dict[str, Any]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    digest: Digest
    detail: dict[str, Any]
    members: tuple[tuple[Digest, str], ...] = ()
    gaps: tuple[tuple[str, str], ...] = ()


def register(
    session: Session,
    name: str,
    source: Path,
    registration: Registration,
    *,
    os_user: str,
    on_progress: Callable[[int, int], None] | None = None,
) -> Registered:
    """Record the file or folder at `source` as the next version of the model `name` (``model:NAME``), and keep it.

    A file's identity is its own SHA-256, a folder's that of its manifest. Metrics are those of the file that
    `registration` names, else of the run that made the model, or most of its bytes. Raises `BadRef`, `BadInput`,
    `UnknownRef` for an origin not on record, `AlreadyExists` when this content is a version of the model already, and
    the store's errors.
    """
    artifact = parse_artifact(name, "model")
    _check_date(registration.review_due)
    given = None if registration.metrics is None else read_metrics_file(registration.metrics).describe()
    origin = None if registration.origin is None else _origin(session, registration.origin)
    content = _keep(session, source, on_progress)
    canonical = version_ref(artifact, content.digest)
    happened = session.clock()

    def observe() -> Observation:
        catalog = session.catalog
        _refuse_known(catalog, canonical)
        edges = _likenesses(catalog, canonical, content)
        runs = _runs(catalog, edges, happened)
        if origin is not None and all(run.id != origin.id for run in runs):
            edges.append(Edge(origin.canonical, canonical, "generated"))
        maker = origin or next(iter(runs), None)
        detail = {**content.detail, **_describe(registration), **_metrics(catalog, given, maker), "os_user": os_user}
        return _observation(session, artifact, content, happened, edges, detail, known=maker is not None)

    session.say_numbered(observe)
    catalog = session.catalog
    version = catalog.resolve(canonical)
    said = stated(catalog, version)
    gaps = [] if version.idx is None else catalog.gaps([version.idx])
    return Registered(
        version,
        tuple(runs_behind(catalog, version)),
        said.get("metrics", {}),
        tuple(Gap(gap["code"], gap["explanation"], gap["about"]) for gap in gaps),
    )


def _observation(
    session: Session,
    artifact: ArtifactRef,
    content: _Content,
    happened: str,
    edges: list[Edge],
    detail: dict[str, Any],
    *,
    known: bool,
) -> Observation:
    canonical = version_ref(artifact, content.digest)
    label = f"{artifact}@{next_number(session.catalog, artifact)}"
    gaps = [Gap(code, explanation, canonical) for code, explanation in content.gaps]
    if not known:
        gaps.append(Gap("registry.unknown_origin", "no recorded run is known to have made this model", canonical))
    return Observation(
        type=REGISTERED,
        time=happened,
        actor=session.actor,
        basis="verified",
        nodes=(
            Node(
                ref=canonical,
                basis="verified",
                version=label.rpartition("@")[2],
                digest=content.digest,
                detail=detail,
                members=content.members,
            ),
        ),
        edges=tuple(edges),
        gaps=tuple(gaps),
        data={"os_user": detail["os_user"]},
        subject=(canonical, label),
        claims=(label, f"{REGISTERED} {canonical}"),
    )


def _check_date(text: str | None) -> None:
    try:
        if text is not None:
            date.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"not a date: {text!r}", fix="Write it as 2027-03-31.") from error


def _origin(session: Session, text: str) -> NodeView:
    view = session.catalog.resolve(text)
    if view.kind != "run":
        raise BadInput(f"{view.ref} is not a run", fix="Name the run that made the model: `lineal ls run` lists them.")
    return view


def _keep(session: Session, source: Path, on_progress: Callable[[int, int], None] | None) -> _Content:
    """Put the model into the store and return its identity."""
    place = paths.spell(bytes(source.absolute()))
    if not source.is_dir():
        stored = session.objects.put_file(source)
        return _Content(digest=stored.digest, detail={"path": place, "bytes": stored.size, "stored": "object"})
    taken = take(source, session.objects, on_progress=on_progress)
    detail = {"path": place, "bytes": taken.bytes, "files": taken.files, "stored": "dataset"}
    return _Content(digest=taken.digest, detail=detail, members=members_of(session, taken.digest), gaps=taken.gaps)


def _refuse_known(catalog: Catalog, canonical: str) -> None:
    known = catalog.find([canonical]).get(canonical)
    if known is not None and known.version is not None:
        raise AlreadyExists(
            f"this content is registered already as {known.ref}, by {known.actor}",
            fix=f"Use {known.ref}, or register under another name.",
        )


def _likenesses(catalog: Catalog, canonical: str, content: _Content) -> list[Edge]:
    """Return an edge from each recorded file or dataset with the same bytes, and from each file inside a folder."""
    own = catalog.with_digests([str(content.digest)]).get(str(content.digest), [])
    same = {view.canonical for view in own if view.kind in {"file", "dataset"}}
    inside = catalog.with_digests([str(digest) for digest, _ in content.members])
    parts = {view.canonical for views in inside.values() for view in views if view.kind == "file"}
    return [Edge(each, canonical, "same_as") for each in sorted(same)] + [
        Edge(each, canonical, "derived_from") for each in sorted(parts - same)
    ]


def _runs(catalog: Catalog, edges: list[Edge], before: str) -> list[NodeView]:
    """Return the runs that made the sources of `edges`: whoever made most of their bytes first, as `rank` says."""
    made: dict[int, dict[str, int]] = {}
    found: dict[int, NodeView] = {}
    for view in catalog.find([edge.source for edge in edges]).values():
        for run, part in generations(catalog, view):
            found[run.id] = run
            made.setdefault(run.id, {})[part.digest or part.ref] = bytes_of(part)
    first = rank(made, {number: run.time or "" for number, run in found.items()}, before)
    return [found[number] for number in dict.fromkeys((*first, *found))]


def _describe(registration: Registration) -> dict[str, Any]:
    said = {
        "intended_use": registration.intended_use,
        "owner": registration.owner,
        "risk_tier": registration.risk_tier,
        "restrictions": registration.restrictions,
        "review_due": registration.review_due,
    }
    return {name: redact(value)[0] for name, value in said.items() if value is not None}


def _metrics(catalog: Catalog, given: dict[str, Any] | None, maker: NodeView | None) -> dict[str, Any]:
    if given is not None:
        return {"metrics": given, "metrics_from": "file"}
    metrics = None if maker is None else stated(catalog, maker).get("metrics")
    return {} if maker is None or not metrics else {"metrics": metrics, "metrics_from": maker.canonical}
