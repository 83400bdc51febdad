"""The complete listing of what an address of a bucket names: a prefix, one object, or an inventory of them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lineal.core.observation import Gap
from lineal.errors import BadInput, SourceDenied
from lineal.sources.bucket import Bucket, BucketUri, Described, Listed, folder_of
from lineal.sources.bucket_listing import Listing
from lineal.sources.bucket_partition import partition_of
from lineal.sources.s3_inventory import Inventory

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Found:
    """A complete listing, in order, and the address of what was listed; what it says of itself, and its gaps."""

    uri: BucketUri
    listing: Listing
    detail: dict[str, Any]
    gaps: tuple[Gap, ...]


@contextmanager
def listed(
    bucket: Bucket, described: Described, inventory: Inventory | None = None, report: Progress | None = None
) -> Iterator[Found]:
    """Give the whole listing of what the address of `bucket` names, an object or a prefix.

    Raises `BadInput` if there is nothing, `SourceError` branches if the listing does not come to its end.
    """
    uri, report = bucket.uri, report or (lambda _files, _bytes: None)
    gaps: list[Gap] = []
    detail = {} if inventory is None else inventory.detail()
    single = None if uri.is_prefix or inventory is not None else bucket.find(uri.key)
    uri = uri if single is not None else uri.as_prefix()
    with Listing(folder_of(uri)) as listing:
        if single is not None:
            listing.add([single])
        else:
            if inventory is not None:
                _add(listing, inventory.pages(uri.key), report)
            else:
                gaps = _fill(listing, bucket, uri, described, report)
            if partition := partition_of(uri.key):
                detail["partition"] = partition
        listing.settle()
        if not listing.count:
            raise BadInput(f"there are no objects below {uri}", fix="`aws s3 ls` must list some there.")
        yield Found(uri, listing, detail, tuple(gaps))


def _fill(listing: Listing, bucket: Bucket, uri: BucketUri, described: Described, report: Progress) -> list[Gap]:
    if described.versioned:
        try:
            _add(listing, bucket.listing(uri.key, history=True), report)
        except SourceDenied as error:
            if listing.listed:
                raise
            _add(listing, bucket.listing(uri.key, history=False), report)
            return [Gap("bucket.versions_denied", f"the versions of the objects are not known: {error.message}")]
        return []
    _add(listing, bucket.listing(uri.key, history=False), report)
    return []


def _add(listing: Listing, pages: Iterable[list[Listed]], report: Progress) -> None:
    for page in pages:
        listing.add(page)
        report(listing.listed, 0)
