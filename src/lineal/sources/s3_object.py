"""What identifies one object of S3, for sources that meet only its address: a model's archive, a job's output."""

from dataclasses import dataclass
from typing import Any, Final

from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.datasets.pin import Pin
from lineal.sources.bucket import NULL_VERSION, BucketUri
from lineal.sources.s3_bucket import full_sha256
from lineal.sources.s3_errors import code_of, is_denied, is_missing, s3_errors

_NO_BUCKET: Final = "NoSuchBucket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """An object by its canonical address, and what identifies it.

    `digest` is of its bytes if `basis` is ``checksum``; of its pin (version and ETag) if that is ``version`` or
    ``etag``; of the address itself if nothing else is known (``uri``). `fixed` is whether it names these bytes for
    ever. `etag` stands without its quotes. `gaps` say what could not be seen.
    """

    uri: str
    digest: Digest
    size: int | None
    version: str | None
    etag: str | None
    basis: str
    fixed: bool
    gaps: tuple[Gap, ...] = ()

    @property
    def aliases(self) -> tuple[str, ...]:
        """The foreign names that it is found by."""
        return BucketUri.parse(self.uri).aliases

    @property
    def name(self) -> str:
        """Its name as a recorded file."""
        return BucketUri.parse(self.uri).name

    def detail(self) -> dict[str, Any]:
        """Return what a node says of it; what is not known is left out."""
        found = {"uri": self.uri, "size": self.size, "version_id": self.version, "etag": self.etag}
        known = {name: value for name, value in found.items() if value is not None}
        return {**known, "basis_of_identity": self.basis, "fixed": self.fixed}


def identify(client: Any, uri: str, *, version: str | None = None) -> Located:
    """Return what identifies the object at `uri`, by one HEAD request of the boto3 `client`; no bytes are read.

    An object that is missing or denied is known by its address alone, with a gap. Raises `BadInput` for what is no
    address, `SourceError` branches when S3 cannot be asked at all.
    """
    from botocore.exceptions import ClientError

    place = BucketUri.parse(uri)
    if place.is_prefix:
        return _by_address(place, Gap("bucket.prefix_not_identified", "a prefix has no identity without its objects"))
    request: dict[str, Any] = {"Bucket": place.bucket, "Key": place.key, "ChecksumMode": "ENABLED"}
    if version is not None:
        request["VersionId"] = version
    with s3_errors(str(place)):
        try:
            found = client.head_object(**request)
        except ClientError as error:
            code = code_of(error)
            if is_missing(error) or code == _NO_BUCKET:
                return _by_address(place, Gap("bucket.object_missing", "there is no such object (any more)"))
            if is_denied(error):
                return _by_address(place, Gap("bucket.object_denied", f"the object may not be looked at: {code}"))
            raise
    return _located(place, found)


def _located(place: BucketUri, head: dict[str, Any]) -> Located:
    etag = str(head.get("ETag") or "").strip('"') or None
    version = head.get("VersionId")
    version = None if version in (None, "", NULL_VERSION) else str(version)
    digest, basis, fixed = full_sha256(head), "checksum", True
    gaps: tuple[Gap, ...] = ()
    if digest is None:
        if version is None and etag is None:
            return _by_address(place, Gap("bucket.not_fixed", "the store says neither version nor ETag of the object"))
        digest = Pin.of(version=version, etag=etag).digest()
        basis, fixed = ("version", True) if version is not None else ("etag", False)
        if not fixed:
            gaps = (Gap("bucket.not_fixed", "only its ETag is known: it tells a change, not which bytes", str(place)),)
    size = head.get("ContentLength")
    return Located(
        uri=str(place),
        digest=digest,
        size=None if size is None else int(size),
        version=version,
        etag=etag,
        basis=basis,
        fixed=fixed,
        gaps=gaps,
    )


def _by_address(place: BucketUri, gap: Gap) -> Located:
    uri = str(place)
    return Located(
        uri=uri,
        digest=Digest.of(canonical.encode({"uri": uri})),
        size=None,
        version=None,
        etag=None,
        basis="uri",
        fixed=False,
        gaps=(Gap(gap.code, gap.explanation, gap.about or uri),),
    )
