"""Buckets of Google Cloud Storage and Azure Blob Storage, by obstore: listed, read, held to their ETags.

What only S3 has is not there: listings of old versions, stored SHA-256. obstore names an object without the slash that
its key may end with: an empty object that cannot be had under the name listed is such a marker of a folder.
"""

from collections.abc import Iterator
from typing import Any, Final

from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.errors import BadInput
from lineal.sources.bucket import BucketUri, Described, Listed
from lineal.sources.s3_access import client_options, retries
from lineal.sources.s3_errors import s3_errors, whole

_PAGE: Final = 1000
_STREAM: Final = 1 << 20
_INSTALL: Final = "pip install 'lineal[buckets]'"


class StoreBucket:
    """A bucket behind any store of obstore; see `Bucket`."""

    def __init__(self, uri: BucketUri, store: Any) -> None:
        self.uri = uri
        self._store = store

    @classmethod
    def open(cls, uri: BucketUri) -> "StoreBucket":
        """Open a bucket with the credentials of its own tools (``gcloud``, ``az``, variables, workload identity)."""
        try:
            from obstore.store import AzureStore, GCSStore
        except ImportError as error:
            raise BadInput(f"reading from {uri.scheme}:// needs obstore", fix=_INSTALL) from error
        make: Any = GCSStore if uri.scheme == "gs" else AzureStore
        with s3_errors(f"{uri.scheme}://{uri.bucket}"):
            return cls(uri, make(uri.bucket, client_options=client_options(None), retry_config=retries()))

    def describe(self) -> Described:
        """Return what is known: whether the bucket keeps versions is not."""
        return Described(
            versioned=None,
            gaps=(Gap("bucket.versioning_unknown", f"whether {self._name} keeps versions is not asked on this store"),),
        )

    def listing(self, prefix: str, *, history: bool) -> Iterator[list[Listed]]:
        """Yield the objects below `prefix`, of each its present state."""
        import obstore

        with s3_errors(f"the listing of {self._name}/{prefix}"):
            stream = iter(obstore.list(self._store, prefix.rstrip("/") or None, chunk_size=_PAGE))
        while True:
            with s3_errors(f"the listing of {self._name}/{prefix}"):
                page = next(stream, None)
            if page is None:
                return
            yield [self._listed(meta) for meta in page if meta["size"] or self.find(meta["path"])]

    def find(self, key: str) -> Listed | None:
        """Return the object of exactly this key as it is now, None if there is none."""
        import obstore

        with s3_errors(str(self.uri.below(key))):
            try:
                return self._listed(obstore.head(self._store, key))
            except FileNotFoundError:
                return None

    def checksum(self, item: Listed) -> Digest | None:
        """Return None: these stores keep no SHA-256."""
        return None

    def is_opaque(self, item: Listed) -> bool:
        """Return True: no ETag of these stores is promised to be an MD5."""
        return True

    def read(self, item: Listed, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to `end` of `item`, held to its ETag by the request itself."""
        import obstore

        if end <= start:
            return
        options: dict[str, Any] = {} if item.etag is None else {"if_match": item.etag}
        if (start, end) != (0, item.size):
            options["range"] = (start, end)

        def begin() -> Iterator[Any]:
            return iter(obstore.get(self._store, item.key, options=options).stream(min_chunk_size=_STREAM))  # type: ignore[arg-type]

        yield from whole(str(self.uri.below(item.key)), begin, end - start)

    @property
    def _name(self) -> str:
        return f"{self.uri.scheme}://{self.uri.bucket}"

    def _listed(self, meta: Any) -> Listed:
        # A generation of Google's names one state of the object, but whether it can be had later is not known.
        return Listed(key=meta["path"], size=meta["size"], etag=meta["e_tag"], sha256=False)
