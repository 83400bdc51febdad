"""Opening a bucket: which of the readers its address asks for."""

from lineal.errors import UsageError
from lineal.sources.bucket import SCHEMES, Bucket, BucketUri


def is_address(text: str) -> bool:
    """Return whether `text` begins like the address of a bucket."""
    scheme, found, _ = text.partition("://")
    return bool(found) and scheme.lower() in SCHEMES


def reopen_bucket(uri: BucketUri, recorded: str | None) -> Bucket:
    """Open the bucket of a recorded version: on the server that the environment names now, else on that `recorded`."""
    if uri.scheme != "s3":
        return open_bucket(uri)
    from lineal.sources.s3_access import configured_endpoint

    return open_bucket(uri, configured_endpoint() or recorded)


def open_bucket(uri: BucketUri, endpoint: str | None = None) -> Bucket:
    """Open the bucket of `uri` for reading; `endpoint` is another server that speaks like S3.

    Raises `BadInput` for a missing package or bucket, `UsageError` for an endpoint of another store, and `SourceError`.
    """
    if uri.scheme == "s3":
        from lineal.sources.s3_bucket import S3Bucket

        return S3Bucket.open(uri, endpoint)
    if endpoint is not None:
        raise UsageError(f"--endpoint-url is for s3://, not {uri.scheme}://")
    from lineal.sources.bucket_store import StoreBucket

    return StoreBucket.open(uri)
