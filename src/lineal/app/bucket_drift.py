"""Whether what lies below a prefix is still what a recorded version says: objects changed, gone, or added since."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from lineal.app.bucket_contents import item_of
from lineal.app.bucket_known import Stay, stays
from lineal.app.session import Session
from lineal.catalog.reader import Fact, NodeView
from lineal.core.digest import Digest
from lineal.core.finding import Finding, FoundPaths
from lineal.datasets.manifest import Entry, entries, load
from lineal.errors import LinealError, SourceError, UsageError
from lineal.sources.bucket import Bucket, BucketUri, Listed, folder_of
from lineal.sources.bucket_listing import Listing, Placed
from lineal.sources.bucket_open import reopen_bucket


@dataclass(slots=True)
class Drift:
    """What a prefix has now beside what a version recorded, by path.

    `changed` and `vanished` are lost: what was recorded is not there any more. `replaced` and `deleted` can still be
    had, as older versions. `grown` was not there then.
    """

    changed: FoundPaths = field(default_factory=FoundPaths)
    vanished: FoundPaths = field(default_factory=FoundPaths)
    replaced: FoundPaths = field(default_factory=FoundPaths)
    deleted: FoundPaths = field(default_factory=FoundPaths)
    grown: FoundPaths = field(default_factory=FoundPaths)


def check_bucket(session: Session, view: NodeView, facts: Iterable[Fact]) -> Iterator[Finding]:
    """Yield what has become of the prefix where the recorded version `view` was last found, as `facts` of it say.

    Nothing if it is as it was, or if it was never in a bucket. Lists the prefix and reads no object. A finding fails if
    something recorded cannot be had any more, or if a prefix that stands for one version (`…/dt=2026-03-01/`) is no
    longer that. A bucket that cannot be asked is no failure.
    """
    found = stays(facts)
    if not found:
        return
    stay = found[-1]
    try:
        drift = compare(session, stay.pins, reopen_bucket(stay.uri, stay.detail.get("endpoint")), stay.uri)
    except (SourceError, UsageError) as error:
        explanation = f"{stay.detail['uri']} could not be looked at: {error.message}"
        yield Finding(code="dataset.prefix_unseen", about=view.ref, explanation=explanation, failed=False)
    except LinealError as error:
        yield Finding(code=error.code, about=view.ref, explanation=error.message)
    else:
        is_kept = "dataset" in (view.detail.get("stored"), *(each.detail.get("stored") for each in found))
        yield from _conclude(view, stay, drift, is_kept=is_kept)


def compare(session: Session, pins: Digest, bucket: Bucket, uri: BucketUri) -> Drift:
    """Return how what `bucket` has below `uri` differs from the manifest `pins`. Raises `SourceError` branches."""
    store = session.objects
    folder = folder_of(uri)
    drift = Drift()
    with Listing(folder, history=True) as listing:
        if uri.is_prefix:
            for page in bucket.listing(uri.key, history=bool(bucket.describe().versioned)):
                listing.add(page)
        else:
            _add_versions(listing, bucket, uri.key)
        listing.settle()
        recorded = entries(load(pins, store), store)
        now = groupby(listing.history(), key=lambda placed: placed.path)
        for entry, there in _side_by_side(recorded, ((path, list(group)) for path, group in now)):
            if entry is not None:
                _judge(drift, entry.path, item_of(entry, folder, store), there)
            elif any(placed.item.current and not placed.item.deleted for placed in there):
                drift.grown.add(there[0].path)
    return drift


def _add_versions(listing: Listing, bucket: Bucket, key: str) -> None:
    """Take the versions of one object, which a store lists before all keys that only begin with its own."""
    for page in bucket.listing(key, history=bool(bucket.describe().versioned)):
        listing.add([item for item in page if item.key == key])
        if any(item.key != key for item in page):
            return


def _side_by_side(
    recorded: Iterator[Entry], now: Iterator[tuple[bytes, list[Placed]]]
) -> Iterator[tuple[Entry | None, list[Placed]]]:
    entry, there = next(recorded, None), next(now, None)
    while entry is not None or there is not None:
        if there is None or (entry is not None and entry.path < there[0]):
            yield entry, []
            entry = next(recorded, None)
        elif entry is None or there[0] < entry.path:
            yield None, there[1]
            there = next(now, None)
        else:
            yield entry, there[1]
            entry, there = next(recorded, None), next(now, None)


def _judge(drift: Drift, path: bytes, then: Listed, there: list[Placed]) -> None:
    current = next((each.item for each in there if each.item.current and not each.item.deleted), None)
    if current is not None and _is_same(then, current):
        return
    is_kept = any(_is_same(then, each.item) for each in there)
    if current is None:
        (drift.deleted if is_kept else drift.vanished).add(path)
    else:
        (drift.replaced if is_kept else drift.changed).add(path)


def _is_same(then: Listed, now: Listed) -> bool:
    if now.deleted or then.size != now.size or then.etag != now.etag:
        return False
    return then.version is None or then.version == now.version


def _conclude(view: NodeView, stay: Stay, drift: Drift, *, is_kept: bool) -> Iterator[Finding]:
    """Yield what follows from a drift. Bytes that the ledger keeps are not lost with the bucket's."""
    own, uri = "partition" in stay.detail, stay.uri
    about, lost = view.ref, own or not is_kept
    if drift.changed.count:
        text = f"overwritten in {uri} since, with no older version to go back to: {drift.changed}"
        yield Finding(code="dataset.prefix_changed", about=about, explanation=text, failed=lost)
    if drift.replaced.count:
        text = f"overwritten in {uri} since; what was recorded is there as an older version: {drift.replaced}"
        yield Finding(code="dataset.prefix_replaced", about=about, explanation=text, failed=own)
    if drift.vanished.count:
        text = f"not in {uri} any more: {drift.vanished}"
        yield Finding(code="dataset.prefix_vanished", about=about, explanation=text, failed=lost)
    if drift.deleted.count:
        text = f"deleted from {uri} since; what was recorded is there as an older version: {drift.deleted}"
        yield Finding(code="dataset.prefix_deleted", about=about, explanation=text, failed=own)
    if drift.grown.count:
        text = f"added to {uri} since{', which stands for one version' if own else ''}: {drift.grown}"
        yield Finding(code="dataset.prefix_grown", about=about, explanation=text, failed=own)
