"""A bucket of S3, read: boto3 for what only S3 has (versions, checksums, locks), obstore for the bytes."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Final

from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.errors import SourceError
from lineal.sources import s3_listing
from lineal.sources.bucket import BucketUri, Described, Listed
from lineal.sources.client_errors import shown
from lineal.sources.s3_access import S3Access, open_s3, open_store
from lineal.sources.s3_errors import code_of, is_denied, is_missing, no_bucket, s3_errors, whole

STREAM: Final = 1 << 20
_NO_LOCK: Final = frozenset(
    {"ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound", "NoSuchObjectLockConfiguration"}
)
_NOT_THERE: Final = frozenset({"NotImplemented", "501", "MethodNotAllowed", "405"})


class S3Bucket:
    """A bucket of S3 or of a server that speaks like it; see `Bucket`."""

    def __init__(self, uri: BucketUri, access: S3Access, region: str | None = None) -> None:
        self.uri = uri
        self._access = access
        self._client = access.client
        self._store = open_store(access, uri.bucket, region)
        s3_listing.prepare(self._client)

    @classmethod
    def open(cls, uri: BucketUri, endpoint: str | None = None) -> "S3Bucket":
        """Open the bucket of `uri`, in whatever region; raise `BadInput` if there is none, `SourceError` branches."""
        access = open_s3(endpoint)
        return cls(uri, access, _region_of(access, uri.bucket))

    def describe(self) -> Described:
        """Return what the bucket is; what is denied is a gap."""
        gaps: list[Gap] = []
        found, refused = self._ask("get_bucket_versioning")
        versioned = found.get("Status") in ("Enabled", "Suspended")
        is_known = not refused or refused in _NOT_THERE
        if not is_known:
            gaps.append(Gap("bucket.versioning_unknown", f"whether {self._name} keeps versions: {refused}"))
        lock = self._object_lock(gaps) if versioned else None
        return Described(
            versioned=versioned if is_known else None,
            region=None if self._access.endpoint else self._store_region,
            endpoint=self._access.shown_endpoint,
            object_lock=lock,
            gaps=tuple(gaps),
        )

    def listing(self, prefix: str, *, history: bool) -> Iterator[list[Listed]]:
        """Yield the objects, or with `history` all versions, below `prefix`."""
        return s3_listing.list_pages(self._client, self.uri.bucket, prefix, history=history)

    def find(self, key: str) -> Listed | None:
        """Return the object of exactly this key as it is now, None if there is none."""
        from botocore.exceptions import ClientError

        with s3_errors(str(self.uri.below(key))):
            try:
                found = self._client.head_object(Bucket=self.uri.bucket, Key=key)
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
        etag = str(found.get("ETag") or "").strip('"') or None
        return Listed(key=key, size=int(found["ContentLength"]), etag=etag, version=found.get("VersionId") or None)

    def checksum(self, item: Listed) -> Digest | None:
        """Return the full-object SHA-256 that S3 has of `item`; None if it has none, or one of parts (``…-7``)."""
        with s3_errors(self.name_of(item)):
            found = self._client.head_object(**self._request(item), ChecksumMode="ENABLED")
        return full_sha256(found)

    def is_opaque(self, item: Listed) -> bool:
        """Return whether the object is encrypted with a key that makes its ETag something other than an MD5."""
        with s3_errors(self.name_of(item)):
            found = self._client.head_object(**self._request(item))
        return str(found.get("ServerSideEncryption", "")).startswith("aws:kms") or "SSECustomerAlgorithm" in found

    def read(self, item: Listed, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to `end` of `item`, held to its version and ETag by the request itself."""
        if end > start:
            yield from whole(self.name_of(item), lambda: self._open(item, start, end), end - start)

    def name_of(self, item: Listed) -> str:
        """Return the object for messages."""
        version = f" (version {item.version})" if item.is_fixed else ""
        return f"{self.uri.below(item.key)}{version}"

    @property
    def _name(self) -> str:
        return f"s3://{self.uri.bucket}"

    @property
    def _store_region(self) -> str:
        return str(self._store.config.get("region") or self._client.meta.region_name)

    def _open(self, item: Listed, start: int, end: int) -> Iterator[bytes]:
        if not is_plain(item.key):
            request = self._request(item)
            if (start, end) != (0, item.size):
                request["Range"] = f"bytes={start}-{end - 1}"
            body: Iterator[bytes] = self._client.get_object(**request)["Body"].iter_chunks(STREAM)
            return body
        import obstore

        options: dict[str, Any] = {}
        if item.etag is not None:
            options["if_match"] = f'"{item.etag}"'
        if item.is_fixed:
            options["version"] = item.version
        if (start, end) != (0, item.size):
            options["range"] = (start, end)
        found = obstore.get(self._store, item.key, options=options)  # type: ignore[arg-type]
        return iter(found.stream(min_chunk_size=STREAM))

    def _request(self, item: Listed) -> dict[str, Any]:
        request: dict[str, Any] = {"Bucket": self.uri.bucket, "Key": item.key}
        if item.etag is not None:
            request["IfMatch"] = f'"{item.etag}"'
        if item.is_fixed:
            request["VersionId"] = item.version
        return request

    def _object_lock(self, gaps: list[Gap]) -> str | None:
        found, refused = self._ask("get_object_lock_configuration")
        if refused and refused not in _NO_LOCK | _NOT_THERE:
            gaps.append(Gap("bucket.lock_unknown", f"whether {self._name} locks objects: {refused}"))
        lock = found.get("ObjectLockConfiguration", {})
        if lock.get("ObjectLockEnabled") != "Enabled":
            return None
        rule = lock.get("Rule", {}).get("DefaultRetention", {})
        span = [f"{rule[unit]} {unit.lower()}" for unit in ("Days", "Years") if rule.get(unit)]
        return " ".join([str(rule["Mode"]), *span]) if rule.get("Mode") else "enabled"

    def _ask(self, operation: str) -> tuple[dict[str, Any], str]:
        """Return what the bucket answers, or an empty answer and the code with which this one question is refused."""
        from botocore.exceptions import ClientError

        with s3_errors(self._name):
            try:
                return getattr(self._client, operation)(Bucket=self.uri.bucket), ""
            except ClientError as error:
                code = code_of(error)
                if is_denied(error) or code in _NO_LOCK | _NOT_THERE:
                    return {}, code
                raise


def full_sha256(head: dict[str, Any]) -> Digest | None:
    """Return the SHA-256 of the whole object in the answer of HeadObject or GetObjectAttributes; None if there is none.

    A ``COMPOSITE`` one is of the parts of an upload, not of the bytes. Raises `SourceError` if it is no SHA-256.
    """
    value = head.get("ChecksumSHA256")
    if not value or head.get("ChecksumType") == "COMPOSITE" or "-" in value:
        return None
    if head.get("ChecksumType") != "FULL_OBJECT" and "-" in str(head.get("ETag", "")):
        return None  # an upload in parts, by a server that does not say of what its checksum is
    try:
        data = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error) as error:
        raise SourceError(f"the store gave a checksum that is none: {shown(error)}") from error
    if len(data) != 32:
        raise SourceError("the store gave a checksum SHA-256 that does not have 32 bytes")
    return Digest(data)


def is_plain(key: str) -> bool:
    """Return whether obstore can name the key: no empty segment, no ``.`` or ``..``, no control characters."""
    return key.isprintable() and all(part not in ("", ".", "..") for part in key.split("/"))


def _region_of(access: S3Access, bucket: str) -> str | None:
    """Return the region of a bucket of AWS, wherever the client is; None for other servers."""
    from botocore.exceptions import ClientError

    with s3_errors(f"s3://{bucket}"):
        try:
            found = access.client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if code_of(error) in ("404", "NoSuchBucket"):
                raise no_bucket(f"s3://{bucket}") from error
            found = error.response  # says the region even to those who may not ask; the next question says the reason
    if access.endpoint is not None:
        return None
    headers = found.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = found.get("BucketRegion") or headers.get("x-amz-bucket-region")
    return None if region is None else str(region)
