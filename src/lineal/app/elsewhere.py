"""The bytes of what lies elsewhere, fetched now: each file held against what was recorded of it."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core.digest import Digest
from lineal.datasets.contents import Contents
from lineal.datasets.manifest import Entry, entries, load
from lineal.errors import BadManifest, DigestMismatch, ObjectChanged, ObjectMissing

OBJECT_BASES: Final = frozenset({"version", "etag", "checksum"})
"""How an object of a bucket can be identified so that it can be fetched and held against that."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the bytes of one recorded tree are had from, and what to call that."""

    contents: Contents
    name: str

    def fetch(self, entry: Entry) -> Digest:
        """Fetch the file of `entry`, throw its bytes away, and return their digest. Raises as `Contents.copy_into`."""
        with tempfile.TemporaryFile(prefix="lineal-fetch-") as file:
            return self.contents.copy_into(entry, file.fileno())


def open_origin(session: Session, view: NodeView) -> Origin | None:
    """Return where the bytes of a dataset version are had from if that is not the object store; None if nowhere else.

    A version that says what pinned files turned out to be has theirs; the other way round, what they turned out to be
    is what they are held against. Raises `ObjectMissing`, `BadInput` and `SourceError` branches where that place cannot
    be opened.
    """
    origin = _open_origin(session, view)
    if origin is None or (known := _content_of(session, view)) is None:
        return origin
    return Origin(hold(session, origin.contents, known), origin.name)


def hold(session: Session, contents: Contents, content: Digest) -> Contents:
    """Return `contents` that give nothing but the files of the manifest `content`. Raises as `manifest.load`.

    What a bucket or DVC says identifies a file can be said of other bytes: an ETag by anybody, an MD5 can be met.
    """
    return _Held(contents, _Places(session, content))


def _content_of(session: Session, pinned: NodeView) -> Digest | None:
    """Return what the files of the pinned version were first found to be; None if nobody has had them yet."""
    if pinned.detail.get("stored") != "manifest":
        return None
    joined = {target for source, target, kind in session.catalog.edges_of(pinned.id) if kind == "same_as"}
    for fact in session.catalog.facts(joined - {pinned.id}):
        if fact.detail.get("pinned") == pinned.canonical and fact.basis == "verified" and fact.digest is not None:
            return Digest.parse(fact.digest)
    return None


def _open_origin(session: Session, view: NodeView) -> Origin | None:
    pinned = view.detail.get("pinned")
    if pinned is not None:
        behind = session.catalog.resolve(str(pinned))
        # What is pinned lies elsewhere: a version that names another of its kind, or itself, leads nowhere.
        origin = None if "pinned" in behind.detail else open_origin(session, behind)
        if origin is None or behind.digest is None:
            return None
        return Origin(_ByPins(origin.contents, _Places(session, Digest.parse(behind.digest))), origin.name)
    if view.detail.get("origin") == "bucket":
        from lineal.app.bucket_contents import open_contents

        return Origin(open_contents(session, view), "bucket")
    if view.detail.get("origin") == "dvc":
        from lineal.app.dvc_contents import open_contents as open_dvc

        return Origin(open_dvc(session, view), "cache or remote of DVC")
    return None


class _Places:
    """The entries of a manifest by their paths; quick for whoever asks in their order, as often as he likes."""

    def __init__(self, session: Session, digest: Digest) -> None:
        self._store, self._manifest = session.objects, load(digest, session.objects)
        self._rest = entries(self._manifest, self._store)

    def find(self, path: bytes) -> Entry:
        """Return the entry of `path`; raise `BadManifest` if there is none."""
        for again in (False, True):
            if again:
                self._rest = entries(self._manifest, self._store)
            for entry in self._rest:
                if entry.path == path:
                    return entry
        raise BadManifest(f"{path!r} is not a file of both the pinned version and the one with its content")


class _ByPins:
    """The files of a version by content, had as those of the pinned version that they are."""

    def __init__(self, contents: Contents, pinned: _Places) -> None:
        self._contents, self._pinned = contents, pinned

    def copy_into(self, entry: Entry, target: int) -> Digest:
        """Write the file to `target`; raise `DigestMismatch` if its bytes are not those of `entry`."""
        return _check(entry, entry, self._contents.copy_into(self._pinned.find(entry.path), target))

    def confirm(self, entry: Entry, descriptor: int) -> Digest | None:
        """Return the digest of the open file if it is the content of `entry`."""
        found = self._contents.confirm(self._pinned.find(entry.path), descriptor)
        return found if found == entry.digest else None


class _Held:
    """Contents whose bytes are known: see `hold`."""

    def __init__(self, contents: Contents, known: _Places) -> None:
        self._contents, self._known = contents, known

    def copy_into(self, entry: Entry, target: int) -> Digest:
        """Write the file to `target`; raise `DigestMismatch` if its bytes are not those known."""
        return _check(entry, self._known.find(entry.path), self._contents.copy_into(entry, target))

    def confirm(self, entry: Entry, descriptor: int) -> Digest | None:
        """Return the digest of the open file if it is the content of `entry`, and that is what is known."""
        found = self._contents.confirm(entry, descriptor)
        return found if found == self._known.find(entry.path).digest else None


def _check(entry: Entry, wanted: Entry, found: Digest) -> Digest:
    if found != wanted.digest:
        name = os.fsdecode(entry.path)
        raise DigestMismatch(f"{name!r} came with the digest {found}, recorded as {wanted.digest}")
    return found


@dataclass(frozen=True, slots=True)
class BucketObject:
    """One object of a bucket: its address, and what identifies it."""

    uri: str
    size: int
    version: str | None
    etag: str | None
    content: Digest | None

    @property
    def is_proof(self) -> bool:
        """Whether fetching it holds the bytes against a digest of them."""
        return self.content is not None

    def fetch(self, write: Callable[[bytes], object] | None = None) -> Digest:
        """Fetch the object, give its pieces to `write`, and return the digest of its bytes.

        Raises `ObjectMissing` if it is not there any more, `DigestMismatch` if it has other bytes, `BadInput` and
        `SourceError` branches if the bucket cannot be read.
        """
        from lineal.sources.bucket import BucketUri, Listed
        from lineal.sources.bucket_open import reopen_bucket
        from lineal.sources.bucket_reading import Reader

        uri = BucketUri.parse(self.uri)
        item = Listed(key=uri.key, size=self.size, etag=self.etag, version=self.version)
        try:
            with Reader(reopen_bucket(uri, None)) as reader:
                found = reader.fetch(item, write)
        except ObjectChanged as error:
            raise ObjectMissing(f"{self.uri} is not there any more as it was recorded") from error
        if self.content is not None and found != self.content:
            raise DigestMismatch(f"{self.uri} came with the digest {found}, recorded as {self.content}")
        return found


def find_object(session: Session, view: NodeView) -> BucketObject | None:
    """Return the object of a bucket that a recorded file or model is, None if it is none that is known.

    A model is the file with its identity.
    """
    if view.digest is None:
        return None
    same = session.catalog.with_digests([view.digest]).get(view.digest, [])
    for each in (view, *same):
        if (found := _object_of(view.digest, each.detail)) is not None:
            return found
    return None


def _object_of(digest: str, detail: dict[str, Any]) -> BucketObject | None:
    uri, size, basis = detail.get("uri"), detail.get("size"), detail.get("basis_of_identity")
    if not isinstance(uri, str) or not isinstance(size, int) or basis not in OBJECT_BASES or uri.endswith("/"):
        return None
    content = Digest.parse(digest) if basis == "checksum" else None
    return BucketObject(uri, size, detail.get("version"), detail.get("etag"), content)
