"""Record what lies below a prefix of a bucket as a dataset version, downloading as little as fixes its content."""

from dataclasses import dataclass, replace
from typing import Any, Final, cast, get_args

from lineal.app.bucket_files import Basis, BucketFiles, Progress
from lineal.app.bucket_known import ORIGIN, PINS, Known, stays
from lineal.app.bucket_listed import listed
from lineal.app.bucket_resume import Resume
from lineal.app.naming import next_number, parse_artifact, version_ref
from lineal.app.session import Session
from lineal.app.snapshot import MAX_MEMBERS, SNAPSHOTTED, Snapshotted, members_of
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import strip_url
from lineal.core.ref import ArtifactRef
from lineal.datasets import manifest
from lineal.datasets.manifest import Manifest
from lineal.errors import UsageError
from lineal.sources.bucket import Bucket, BucketUri, Described
from lineal.sources.bucket_open import open_bucket
from lineal.sources.bucket_reading import Reader
from lineal.sources.s3_inventory import open_inventory


def read_basis(text: str | None) -> Basis:
    """Return the basis that `text` names, ``auto`` for None; raise `UsageError` for any other word."""
    for basis in get_args(Basis):
        if text in (basis, None):
            return cast(Basis, basis)
    raise UsageError(f"no such basis of identity: {text!r}", fix=f"One of {', '.join(get_args(Basis))}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a snapshot of a bucket is to be taken.

    `basis` says what identifies a file. ``auto``: its version where the bucket keeps versions, else the SHA-256 that
    the store has of it, else its bytes, which are read. ``content``: always a SHA-256 of the bytes, the store's or our
    own. ``pin``: version and ETag, nothing is read. With `keep` every byte is read and stored. `endpoint` is another
    server than AWS, `inventory` an S3 Inventory to take for the listing. What has not changed since the last version
    is not read again, unless `paranoid`.
    """

    basis: Basis = "auto"
    keep: bool = False
    endpoint: str | None = None
    inventory: str | None = None
    paranoid: bool = False


_AS_USUAL: Final = Asked()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """What was read of a bucket: the manifests of its files and of their pins, and what is said of them."""

    files: Manifest
    pins: Manifest
    verified: bool
    detail: dict[str, Any]
    gaps: tuple[Gap, ...]


def snapshot_bucket(
    session: Session,
    name: str,
    address: str,
    asked: Asked = _AS_USUAL,
    *,
    on_total: Progress | None = None,
    on_progress: Progress | None = None,
) -> Snapshotted:
    """Record the objects below `address` (``s3://BUCKET/PREFIX/``, or one object) as a version of the dataset `name`.

    `on_total` gets the number of objects and their bytes once all are listed, `on_progress` those done so far. On any
    error there is no version. Raises `BadInput`, `BadRef`, `UsageError`, `ObjectChanged` if somebody writes to the
    prefix, and `SourceError` branches.
    """
    artifact = parse_artifact(name, "dataset")
    if asked.basis == "pin" and asked.keep:
        raise UsageError("--store keeps bytes, --basis pin reads none", fix="Leave one of them out.")
    happened = session.clock()
    bucket = open_bucket(BucketUri.parse(address), asked.endpoint)
    nothing: Progress = lambda _files, _bytes: None  # noqa: E731
    taken = _take(session, artifact, bucket, asked, on_total or nothing, on_progress or nothing)
    canonical = version_ref(artifact, taken.files.digest)
    uri = BucketUri.parse(taken.detail["uri"])

    def observe() -> Observation | None:
        known = session.catalog.find([canonical]).get(canonical)
        if known is not None and known.version is not None:
            return None
        named = f"{artifact}@{next_number(session.catalog, artifact)}"
        said = _observe(session, canonical, taken, version=named.rpartition("@")[2], uri=uri, happened=happened)
        return replace(said, subject=(canonical, named), claims=(named, f"{SNAPSHOTTED} {canonical}"))

    new = session.say_numbered(observe) is not None
    if not new:
        _say_again(session, canonical, taken, uri=uri, happened=happened)
    gaps = tuple(replace(gap, about=canonical) for gap in taken.gaps)
    return Snapshotted(session.catalog.resolve(canonical), new, taken.files.count, taken.files.size, gaps)


def _take(
    session: Session, artifact: ArtifactRef, bucket: Bucket, asked: Asked, on_total: Progress, report: Progress
) -> _Taken:
    described = bucket.describe()
    inventory = None if asked.inventory is None else open_inventory(asked.inventory, bucket.uri, asked.endpoint)
    with listed(bucket, described, inventory, report) as found:
        on_total(found.listing.count, found.listing.bytes)
        known = Known() if asked.paranoid else Known.of_last(session, artifact, found.uri, described.endpoint)
        file = session.ledger.home.change_index.with_name("buckets.db")
        with Resume(None if asked.paranoid else file, f"{described.endpoint or ''} {found.uri}") as resume:
            with session.objects.batch() as batch, Reader(bucket) as reader:
                files = BucketFiles(reader, session.objects, batch, known, resume, basis=asked.basis, keep=asked.keep)
                root = manifest.write(files.entries(found.listing, report), files.put)
                pins = files.pins.finish()
            resume.forget()
        gaps = [*described.gaps, *found.gaps, *found.listing.gaps]
        if weak := files.bases["etag"]:
            explanation = (
                f"{weak} of {root.count} files are known by their ETag alone: it tells a change, not the bytes"
            )
            gaps.append(Gap("bucket.pin_not_fixed", explanation))
        detail = {
            "uri": strip_url(str(found.uri))[0],
            "files": root.count,
            "bytes": root.size,
            "stored": "dataset" if asked.keep else "manifest",
            "origin": ORIGIN,
            "objects": {PINS: str(pins.digest)},
            "members": "all" if root.count <= MAX_MEMBERS else "too many to list: see the manifest",
            **files.describe(),
            **_describe(described),
            **found.detail,
        }
        if found.listing.markers:
            detail["folder_markers"] = found.listing.markers
    return _Taken(files=root, pins=pins, verified=set(files.bases) == {"bytes"}, detail=detail, gaps=tuple(gaps))


def _describe(described: Described) -> dict[str, Any]:
    said = {
        "region": described.region,
        "endpoint": described.endpoint,
        "versioned": described.versioned,
        "object_lock": described.object_lock,
    }
    return {name: value for name, value in said.items() if value is not None}


def _observe(
    session: Session, canonical: str, taken: _Taken, *, version: str | None, uri: BucketUri, happened: str
) -> Observation:
    basis = "verified" if taken.verified else "observed"
    members = members_of(session, taken.files.digest)
    node = Node(
        ref=canonical,
        basis=basis,
        version=version,
        digest=taken.files.digest,
        detail=taken.detail,
        aliases=uri.aliases,
        members=members,
    )
    return Observation(
        type=SNAPSHOTTED,
        time=happened,
        actor=session.actor,
        basis=basis,
        nodes=(node,),
        edges=tuple(_origins(session, canonical, members, taken.pins)),
        gaps=tuple(replace(gap, about=canonical) for gap in taken.gaps),
    )


def _say_again(session: Session, canonical: str, taken: _Taken, *, uri: BucketUri, happened: str) -> None:
    """Say of a version recorded before that it was found here, unless that is known: at this address, by these pins."""
    known = session.catalog.resolve(canonical)
    keys = ("uri", "endpoint", "stored", "objects")
    wanted = [taken.detail.get(key) for key in keys]
    kept = [*wanted[:2], "dataset", *wanted[3:]]
    facts = session.catalog.facts([known.id])
    if any([stay.detail.get(key) for key in keys] in (wanted, kept) for stay in stays(facts)):
        return
    said = _observe(session, canonical, taken, version=known.version, uri=uri, happened=happened)
    session.say(replace(said, subject=(canonical,)))


def _origins(session: Session, canonical: str, members: tuple[tuple[Digest, str], ...], pins: Manifest) -> list[Edge]:
    """Return an edge from each file version recorded before that is in the dataset: by its bytes, or by its pin."""
    digests = {str(digest) for digest, _ in members}
    digests |= {str(digest) for digest, _ in members_of(session, pins.digest)}
    known = session.catalog.with_digests(sorted(digests))
    files = {view.canonical for views in known.values() for view in views if view.kind == "file"}
    return [Edge(file, canonical, "derived_from") for file in sorted(files)]
