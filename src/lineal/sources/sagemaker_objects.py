"""What S3 says of objects and prefixes, each asked once."""

from typing import Any, Final

from lineal.datasets.pin import Pin
from lineal.sources.aws_session import DENIED, Refusal, ask
from lineal.sources.bucket import NULL_VERSION, BucketUri
from lineal.sources.s3_bucket import full_sha256
from lineal.sources.sagemaker_found import Head
from lineal.sources.sagemaker_words import moment

_MOST_HEADS: Final = 50_000
_MOST_PAGES: Final = 50


class Objects:
    """Asks S3 with one client; None where there is nobody to ask."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._heads: dict[str, Head | Refusal | None] = {}
        self._writes: dict[BucketUri, str | None] = {}

    def head(self, uri: BucketUri) -> Head | Refusal | None:
        """Return what S3 says of an object; None where nothing can be asked or there is no object of this name."""
        if self._s3 is None or uri.scheme != "s3":
            return None
        text = str(uri)
        if text not in self._heads:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[text] = self._ask(uri)
        return self._heads[text]

    def _ask(self, uri: BucketUri) -> Head | Refusal | None:
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
        if version is None and etag is None and whole is None:
            return None
        pin = Pin.of(version=version, etag=etag)
        detail = {
            "uri": str(uri),
            "size": int(found.get("ContentLength", 0)),
            "written": written,
            "version": version,
            "etag": etag,
            "basis_of_identity": "checksum" if whole else "version" if version else "etag",
        }
        kept = {name: value for name, value in detail.items() if value is not None}
        return Head(written, whole or pin.digest(), kept)

    def newest(self, prefix: BucketUri) -> str | None:
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
