"""Whether a dataset version is all there, and unaltered."""

from collections.abc import Iterator
from typing import Final

from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry, Manifest, load, read_range
from lineal.datasets.pin import Pin
from lineal.errors import BadManifest, DigestMismatch, ObjectMissing
from lineal.objects.audit import ObjectFault
from lineal.objects.store import ObjectStore

_MOST_SEEN: Final = 1 << 20


def retrievable(digest: Digest, store: ObjectStore) -> list[Digest]:
    """Return the members of the version that are not in the store, sorted: files, pins, ranges, or the root itself.

    File contents are not read. Below a part of the manifest that is missing nothing can be known to be missing.
    Raises `BadManifest` or `DigestMismatch` if the manifest is there and cannot be used.
    """
    if not store.has(digest):
        return [digest]
    manifest = load(digest, store)
    missing = set()
    for part in manifest.ranges:
        try:
            members = read_range(part, store)
        except ObjectMissing:
            missing.add(part.digest)
        else:
            missing.update(entry.digest for entry in members if not store.has(entry.digest))
    return sorted(missing)


def verify_dataset(digest: Digest, store: ObjectStore) -> Iterator[ObjectFault]:
    """Read every byte of the version and yield what is missing or altered, in its manifest or its files."""
    try:
        manifest = load(digest, store)
    except (ObjectMissing, DigestMismatch, BadManifest) as error:
        yield store.verify_one(digest) or ObjectFault(digest, "", "datasets.bad_manifest", error.message)
        return
    yield from _verify_members(manifest, store, with_files=True)


def verify_manifest(digest: Digest, store: ObjectStore) -> Iterator[ObjectFault]:
    """Yield what is missing or altered in the manifest of the version, and in the pins that it names; read no file."""
    try:
        manifest = load(digest, store)
    except (ObjectMissing, DigestMismatch, BadManifest) as error:
        yield store.verify_one(digest) or ObjectFault(digest, "", "datasets.bad_manifest", error.message)
        return
    yield from _verify_members(manifest, store, with_files=False)


def _verify_members(manifest: Manifest, store: ObjectStore, *, with_files: bool) -> Iterator[ObjectFault]:
    seen: set[Digest] = set()
    for part in manifest.ranges:
        try:
            members = read_range(part, store)
        except (ObjectMissing, DigestMismatch, BadManifest) as error:
            yield store.verify_one(part.digest) or ObjectFault(part.digest, "", "datasets.bad_manifest", error.message)
            continue
        for entry in members:
            if entry.digest in seen or not (with_files or entry.kind == "p"):
                continue
            if len(seen) < _MOST_SEEN:
                seen.add(entry.digest)
            if fault := store.verify_one(entry.digest):
                yield fault
            elif entry.kind == "p":
                yield from _verify_pin(entry, store)
            elif store.size(entry.digest) != entry.size:
                explanation = f"{entry.path!r} is recorded with {entry.size} bytes, which the object does not have"
                yield ObjectFault(entry.digest, "", "datasets.bad_manifest", explanation)


def _verify_pin(entry: Entry, store: ObjectStore) -> Iterator[ObjectFault]:
    """The size of a pinned entry is that of the file elsewhere; what is here is the pin, which has to be one."""
    try:
        Pin.decode(store.read(entry.digest))
    except BadManifest as error:
        yield ObjectFault(entry.digest, "", "datasets.bad_manifest", f"{entry.path!r}: {error.message}")
