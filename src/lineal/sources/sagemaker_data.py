"""What SageMaker's addresses stand for: data in S3, images in registries, commits; each as a node of the graph.

SageMaker names data by address and images by tag, and neither says which bytes were meant. What was meant is taken
from what is recorded, or from the object store where that can be sure: an object that was last written before it was
read is what was read. Else the address itself is all that is known: such a node says ``fixed: false``, and a gap says
what would fix it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lineal.core import canonical, image, path
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node
from lineal.core.redaction import clean, strip_url
from lineal.core.repository import canonical_name
from lineal.datasets.pin import Pin
from lineal.errors import BadInput, BadRef
from lineal.sources.aws_session import DENIED, MISSING, Refusal, ask
from lineal.sources.bucket import NULL_VERSION, BucketUri
from lineal.sources.s3_bucket import full_sha256
from lineal.sources.sagemaker_words import moment

_SLACK: Final = timedelta(hours=1)
_MOST_HEADS: Final = 50_000
_MOST_PAGES: Final = 50
_LONGEST_NAME: Final = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A version that is on record under some foreign name since `time`; `fixed` unless it is an address alone."""

    ref: str
    time: str
    fixed: bool
    detail: dict[str, Any] = field(default_factory=dict)


Named = Callable[[Sequence[str], str | None], Sequence[Recorded]]
"""What is recorded under any of some foreign names by a moment (None: until now), newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an address stands for: the version `ref`, with what is to be said of it where it is not on record."""

    ref: str
    digest: Digest | None = None
    fixed: bool = True
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    gaps: tuple[Gap, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Head:
    written: str
    digest: Digest
    detail: dict[str, Any]


class Places:
    """Finds out what addresses stand for; `s3` is a client of S3 or None, `named` what is on record."""

    def __init__(self, s3: Any, named: Named) -> None:
        self._s3 = s3
        self._named = named
        self._heads: dict[str, _Head | Refusal | None] = {}
        self._writes: dict[BucketUri, str | None] = {}

    def read(self, address: str, at: str) -> Found:
        """Return what was at `address` when it was read at the moment `at`."""
        uri = _uri(address)
        if uri is None:
            return _elsewhere(address)
        head = None if uri.is_prefix else self._head(uri)
        if isinstance(head, _Head) and head.written <= at:
            same = [each for each in self._named(uri.aliases, None) if each.fixed and each.time >= head.written]
            same = [each for each in same if each.ref.startswith("dataset:")]
            return Found(ref=same[-1].ref, digest=_digest(same[-1].ref)) if same else _object(uri, head)
        single = isinstance(head, _Head)
        aliases = uri.aliases if single else tuple(dict.fromkeys((*uri.aliases, *uri.as_prefix().aliases)))
        known = [each for each in self._named(aliases, at) if each.ref.startswith(("dataset:", "file:"))]
        place = next((each for each in known if not each.fixed), None)
        fixed = next((each for each in known if each.fixed), None)
        newest = None if single or fixed is None else self._newest(uri.as_prefix())
        changed = newest is not None and fixed is not None and fixed.time < newest <= at
        if fixed is not None and not changed:
            return _version(uri, fixed, place, newest, at)
        later = None if single or changed else self._recorded_later(uri, aliases, at, "", at)
        if later is not None:
            return later
        denied = (head.gap(str(uri)),) if isinstance(head, Refusal) and head.kind == DENIED else ()
        if isinstance(head, _Head):
            gap = Gap(
                "sagemaker.data_changed", f"it was written again at {head.written}, after it was read", uri.aliases[0]
            )
        elif changed and fixed is not None:
            gap = Gap(
                "sagemaker.data_changed",
                f"{fixed.ref} was recorded at {fixed.time}, and it was written to at {newest}, before it was read",
                uri.aliases[0],
            )
        else:
            gap = Gap(
                "sagemaker.data_not_fixed",
                f"no version of it was recorded before it was read: `lineal snapshot dataset:NAME {uri}` fixes it",
                uri.aliases[0],
            )
        if place is not None:
            return Found(ref=place.ref, digest=_digest(place.ref), fixed=False, gaps=(*denied, gap))
        return _place(uri, gaps=(*denied, gap), single=single)

    def written(self, address: str, began: str, ended: str, *, single: bool) -> Found:
        """Return what a job that ran from `began` to `ended` wrote to `address`: a `single` object or a prefix."""
        uri = _uri(address)
        if uri is None:
            return _elsewhere(address)
        head = self._head(uri) if single and not uri.is_prefix else None
        # S3 tells the second alone.
        if isinstance(head, _Head) and began[:19] <= head.written[:19] and head.written <= _later(ended):
            return _object(uri, head)
        later = None if single else self._recorded_later(uri, uri.as_prefix().aliases, ended, began, ended)
        if later is not None:
            return later
        if isinstance(head, _Head):
            why = f"the object was written at {head.written}, not while the job ran"
        elif isinstance(head, Refusal) and head.kind == DENIED:
            why = f"the object cannot be looked at: {head.text}"
        elif head is None:
            why = f"only its address is known: `lineal snapshot dataset:NAME {uri}` fixes what is there now"
        else:
            why = "the object is not there any more" if head.kind == MISSING else head.text
        gap = Gap("sagemaker.output_not_fixed", why, uri.aliases[0])
        return _place(uri, gaps=(gap,), single=single)

    def _recorded_later(
        self, uri: BucketUri, aliases: tuple[str, ...], at: str, began: str, ended: str
    ) -> Found | None:
        """Return the first version of a prefix recorded after `at`, if it was last written between `began` and `ended`.

        What was there and was deleted since leaves no trace in a list: a gap says so.
        """
        known = [each for each in self._named(aliases, None) if each.fixed and each.time > at]
        known = [each for each in known if each.ref.startswith("dataset:")]
        if not known:
            return None
        newest = self._newest(uri.as_prefix())
        if newest is None or not began[:19] <= newest[:19] or newest > ended:
            return None
        gap = Gap(
            "sagemaker.recorded_later",
            f"the version was recorded later, and nothing was written since {newest}: deletions leave no trace",
            uri.as_prefix().aliases[0],
        )
        return Found(ref=known[-1].ref, digest=_digest(known[-1].ref), gaps=(gap,))

    def _newest(self, prefix: BucketUri) -> str | None:
        """Return when the last object below `prefix` was written; None where that is not known, or there is none."""
        if self._s3 is None or prefix.scheme != "s3":
            return None
        if prefix not in self._writes:
            self._writes[prefix] = self._list(prefix)
        return self._writes[prefix]

    def _list(self, prefix: BucketUri) -> str | None:
        newest: str | None = None
        token: dict[str, Any] = {}
        for _ in range(_MOST_PAGES):
            page = ask(self._s3, "ListObjectsV2", Bucket=prefix.bucket, Prefix=prefix.key, **token)
            if isinstance(page, Refusal):
                return None
            times = [moment(each.get("LastModified")) or "" for each in page.get("Contents") or ()]
            newest = max([*times, newest or ""]) or None
            if not page.get("IsTruncated"):
                return newest
            token = {"ContinuationToken": page["NextContinuationToken"]}
        return None

    def image(self, address: str, at: str, resolved: str | None = None) -> Found:
        """Return the image that `address` meant at the moment `at`; `resolved` is its address by digest if known."""
        try:
            named = image.parse(address)
            exact = image.parse(resolved) if resolved else named
        except BadRef:
            return _elsewhere(address, kind="container")
        digest = exact.digest or named.digest
        aliases = tuple(dict.fromkeys(str(each) for each in (named, exact)))
        if digest is not None:
            node = Node(
                ref=f"{named.artifact}@{digest}",
                basis="observed",
                digest=digest,
                detail={"image": str(named.at(digest)), "digest": str(digest)},
                aliases=tuple(dict.fromkeys((str(named.at(digest)), *aliases))),
            )
            return Found(ref=node.ref, digest=digest, nodes=(node,))
        for each in self._named((str(named), address), at):
            if each.fixed and each.ref.startswith("container:"):
                return Found(ref=each.ref, digest=_digest(each.ref))
        gap = Gap("sagemaker.image_not_fixed", "the image is named by a tag: which one it was is not known", str(named))
        unfixed = Digest.of(canonical.encode({"uri": str(named)}))
        node = Node(
            ref=f"{named.artifact}@{unfixed}",
            basis="claimed",
            digest=unfixed,
            detail={"image": str(named), "fixed": False, "basis_of_identity": "address"},
            aliases=(str(named),),
        )
        return Found(ref=node.ref, digest=unfixed, fixed=False, nodes=(node,), gaps=(gap,))

    def code(self, commit: str, repository: str | None, at: str) -> Found:
        """Return the source that somebody named by `commit` and the address of its `repository`."""
        for each in self._named((commit,), None):
            if each.ref.startswith("code:") and not each.detail.get("dirty"):
                return Found(ref=each.ref, digest=_digest(each.ref))
        place = None if not repository else strip_url(repository)[0]
        document = {"commit": commit, "repository": place}
        digest = Digest.of(canonical.encode(document))
        name = _shorten(canonical_name(place)) if place else "code"
        aliases = (commit,) if place is None else (commit, f"{place}@{commit}")
        node = Node(
            ref=f"code:{name}@{digest}",
            basis="claimed",
            version=commit if commit.isalnum() else None,
            digest=digest,
            detail=document,
            aliases=aliases,
        )
        return Found(ref=node.ref, digest=digest, fixed=False, nodes=(node,))

    def known(self, aliases: Sequence[str], at: str | None) -> Found | None:
        """Return the model version that is on record under any of these names by the moment `at`, None if none is."""
        for each in self._named(tuple(aliases), at):
            if each.ref.startswith("model:"):
                return Found(ref=each.ref, digest=_digest(each.ref), detail=each.detail)
        return None

    def _head(self, uri: BucketUri) -> _Head | Refusal | None:
        """Return what S3 says of an object; None where nothing can be asked or there is no object of this name."""
        if self._s3 is None or uri.scheme != "s3":
            return None
        text = str(uri)
        if text not in self._heads:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[text] = self._ask(uri)
        return self._heads[text]

    def _ask(self, uri: BucketUri) -> _Head | Refusal | None:
        wanted = {"Bucket": uri.bucket, "Key": uri.key}
        found = ask(self._s3, "HeadObject", **wanted, ChecksumMode="ENABLED")
        if isinstance(found, Refusal) and found.kind == DENIED:
            found = ask(self._s3, "HeadObject", **wanted)  # the checksum of an encrypted object needs more permissions
        if isinstance(found, Refusal):
            return found
        written = moment(found.get("LastModified"))
        if written is None:
            return None
        version = found.get("VersionId")
        version = None if version in (None, NULL_VERSION) else str(version)
        etag = str(found.get("ETag", "")).strip('"') or None
        whole = full_sha256(found)
        pin = Pin.of(version=version, etag=etag)
        detail = {
            "uri": str(uri),
            "size": int(found.get("ContentLength", 0)),
            "written": written,
            "version": version,
            "etag": etag,
            "basis_of_identity": "sha256" if whole else "version" if version else "etag",
        }
        kept = {name: value for name, value in detail.items() if value is not None}
        return _Head(written, whole or pin.digest(), kept)


def as_code(found: Found) -> Found:
    """Return an object that holds source, such as the archive that the SDK uploads, as code; anything else as it is."""
    if not found.ref.startswith("file:") or not found.nodes:
        return found
    ref = f"code:{found.ref.removeprefix('file:')}"
    nodes = tuple(replace(each, ref=ref) if each.ref == found.ref else each for each in found.nodes)
    return replace(found, ref=ref, nodes=nodes)


def _uri(address: str) -> BucketUri | None:
    try:
        return BucketUri.parse(address)
    except BadInput:
        return None


def _version(uri: BucketUri, fixed: Recorded, place: Recorded | None, newest: str | None, at: str) -> Found:
    """Return the version that was on record when the data was read; `place` is the bare address that a run wrote to."""
    gap = Gap(
        "sagemaker.data_not_proved",
        f"it was recorded at {fixed.time}, read at {at} and written to since: whether also between is not known",
        uri.aliases[0],
    )
    return Found(
        ref=fixed.ref,
        digest=_digest(fixed.ref),
        edges=() if place is None else (Edge(place.ref, fixed.ref, "derived_from"),),
        gaps=(gap,) if newest is None or newest > at else (),
    )


def _later(ended: str) -> str:
    """Return until when what a job wrote can appear: SageMaker packs and uploads a model after the container ended."""
    later = datetime.fromisoformat(ended) + _SLACK
    return moment(later.astimezone(UTC)) or ended


def _digest(ref: str) -> Digest | None:
    version = ref.rpartition("@")[2]
    return Digest.parse(version) if version.startswith("sha256:") else None


def _object(uri: BucketUri, head: _Head) -> Found:
    node = Node(
        ref=f"file:{_shorten(uri.name)}@{head.digest}",
        basis="observed",
        digest=head.digest,
        detail=head.detail,
        aliases=uri.aliases,
    )
    return Found(ref=node.ref, digest=head.digest, nodes=(node,))


def _place(uri: BucketUri, *, gaps: tuple[Gap, ...], single: bool) -> Found:
    """Return the node of an address of which nothing but itself is known; without and with slash it is the same."""
    whole = uri if single else uri.as_prefix()
    kind = "file" if single else "dataset"
    digest = Digest.of(canonical.encode({"uri": str(whole)}))
    node = Node(
        ref=f"{kind}:{_shorten(uri.name)}@{digest}",
        basis="claimed",
        digest=digest,
        detail={"uri": str(whole), "fixed": False, "basis_of_identity": "address"},
        aliases=tuple(dict.fromkeys((*whole.aliases, *uri.aliases))),
    )
    return Found(ref=node.ref, digest=digest, fixed=False, nodes=(node,), gaps=gaps)


def _elsewhere(address: str, kind: str = "dataset") -> Found:
    """Return the node of an address that is no bucket: a file system, a table, a name of SageMaker's own."""
    shown = strip_url(clean(address))[0]
    digest = Digest.of(canonical.encode({"uri": shown}))
    plain = shown.isprintable() and not any(char.isspace() for char in shown)
    node = Node(
        ref=f"{kind}:{_shorten(path.spell(shown.encode()))}@{digest}",
        basis="claimed",
        digest=digest,
        detail={"uri": shown, "fixed": False, "basis_of_identity": "address"},
        aliases=(shown,) if plain else (),
    )
    gap = Gap("sagemaker.foreign_address", "the address is of no kind that Lineal can look at", shown[:300])
    return Found(ref=node.ref, digest=digest, fixed=False, nodes=(node,), gaps=(gap,))


def _shorten(name: str) -> str:
    """Return the name of a recorded thing; of a very long one its beginning and its hash."""
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    return f"{path.spell(name[:400].encode())}~{Digest.of(name.encode())}"
