"""Whether what was not stored is still where it was recorded: files of a machine, of a bucket, of DVC."""

import os
import stat
from collections.abc import Iterable, Iterator

from lineal.app.bucket_drift import check_bucket
from lineal.app.session import Session
from lineal.catalog.reader import Fact, NodeView
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.finding import Finding, FoundPaths
from lineal.datasets import manifest
from lineal.datasets.manifest import Entry
from lineal.errors import LinealError
from lineal.objects.copying import fingerprint, open_source


def is_reference(view: NodeView) -> bool:
    """Return whether only the digests of `view` are kept, and its bytes lie in a folder or file of a machine."""
    detail = view.detail
    elsewhere = detail.get("uri") or detail.get("origin") or detail.get("pinned")
    return view.kind == "dataset" and detail.get("stored") == "manifest" and bool(detail.get("path")) and not elsewhere


def lies_elsewhere(view: NodeView) -> bool:
    """Return whether bytes of `view` are not promised by the object store, but lie somewhere that is known."""
    detail = view.detail
    is_object = "stored" not in detail and str(detail.get("uri", "")).startswith("s3://") and "size" in detail
    return detail.get("stored") == "manifest" or is_object


def look_elsewhere(session: Session, view: NodeView, facts: Iterable[Fact]) -> Iterator[Finding]:
    """Yield what has become of the bytes of `view` that lie elsewhere, of which `facts` speak.

    Prefixes of buckets are listed, files of this machine are read. What could only be fetched whole is not looked at,
    and a finding says so.
    """
    yield from check_bucket(session, view, facts)
    if is_reference(view):
        yield from check_reference(session, view)
    elif view.detail.get("origin") == "dvc" and view.detail.get("stored") == "manifest":
        explanation = "its files lie in DVC's cache or remote and were not looked at: `lineal restore` fetches them"
        yield Finding(code="dataset.dvc_unseen", about=view.ref, explanation=explanation, failed=False)
    elif "stored" not in view.detail and lies_elsewhere(view):
        explanation = f"it lies at {view.detail['uri']} and was not looked at: `lineal restore` fetches it"
        yield Finding(code="bucket.object_unseen", about=view.ref, explanation=explanation, failed=False)


def check_reference(session: Session, view: NodeView) -> Iterator[Finding]:
    """Read the files of the reference `view` where they were, and yield what is gone, what has other bytes now.

    What another version put into the store since is had from there. A place that this machine does not have is no
    failure: it may be another machine's.
    """
    changed, vanished = FoundPaths(), FoundPaths()
    try:
        place = paths.unspell(str(view.detail["path"]))
        if not os.path.lexists(place):
            explanation = f"{view.detail['path']} is not on this machine: its files could not be looked at"
            yield Finding(code="dataset.files_unseen", about=view.ref, explanation=explanation, failed=False)
            return
        found = manifest.load(Digest.parse(view.digest or ""), session.objects)
        is_file = not os.path.isdir(place)
        for entry in manifest.entries(found, session.objects):
            if entry.kind == "p" or session.objects.has(entry.digest):
                continue
            digest = _read(place if is_file else os.path.join(place, entry.path), entry)
            if digest is None:
                vanished.add(entry.path)
            elif digest != entry.digest:
                changed.add(entry.path)
    except LinealError as error:
        yield Finding(code=error.code, about=view.ref, explanation=error.message)
        return
    where = view.detail["path"]
    if changed.count:
        explanation = f"files below {where} have other bytes now, and the ones recorded were not stored: {changed}"
        yield Finding(code="dataset.files_changed", about=view.ref, explanation=explanation)
    if vanished.count:
        explanation = f"files below {where} are gone or cannot be read, and were not stored: {vanished}"
        yield Finding(code="dataset.files_vanished", about=view.ref, explanation=explanation)


def _read(place: bytes, entry: Entry) -> Digest | None:
    """Return the digest of what is at `place` now; None if nothing like `entry` can be read there."""
    try:
        if entry.kind == "l":
            return Digest.of(os.readlink(place))
        if not stat.S_ISREG(os.stat(place).st_mode):
            return None
        shown = os.fsdecode(place)
        descriptor = open_source(place, shown)
    except (OSError, LinealError):
        return None
    try:
        return fingerprint(descriptor, shown)[0]
    finally:
        os.close(descriptor)
