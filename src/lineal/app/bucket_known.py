"""What is known already of the objects below a prefix: what has not changed since then is not read again."""

from collections.abc import Iterator
from typing import Self

from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core.digest import Digest
from lineal.core.ref import ArtifactRef
from lineal.datasets.manifest import Entry, entries, load
from lineal.errors import ObjectMissing
from lineal.sources.bucket import BucketUri

PINS = "pins"
"""The role of the manifest that says by which version and ETag each object of a dataset version was found."""


def pins_of(view: NodeView) -> Digest | None:
    """Return the manifest of pins of a version that was read from a bucket, None if it has none."""
    text = view.detail.get("objects", {}).get(PINS)
    return None if view.detail.get("origin") != "bucket" or text is None else Digest.parse(text)


class Known:
    """The digests of a version recorded before, asked for in the order of their paths.

    An object that has the version, ETag and size that it had then has the bytes that it had then.
    """

    def __init__(self, session: Session | None = None, view: NodeView | None = None) -> None:
        """Know what `view` says; without it, nothing."""
        self.basis = "bytes" if view is not None and view.basis == "verified" else "checksum"
        self._pairs = iter(()) if session is None or view is None else _pairs(session, view)
        self._next = next(self._pairs, None)

    @classmethod
    def of_last(cls, session: Session, artifact: ArtifactRef, uri: BucketUri, endpoint: str | None) -> Self:
        """Return what the latest version says that was taken of `uri` on this server, of this dataset or another."""
        views = session.catalog.of_artifact(artifact.kind, artifact.name)
        views += session.catalog.with_aliases(uri.aliases[:1]).get(uri.aliases[0], [])
        same = [
            view
            for view in views
            if pins_of(view) is not None
            and view.detail.get("uri") == str(uri)
            and view.detail.get("endpoint") == endpoint
        ]
        return cls(session, max(same, key=lambda view: (view.taken or "", view.id), default=None))

    def digest(self, path: bytes, pin: Digest, size: int) -> Digest | None:
        """Return the digest that the file `path` had when it was found by this `pin`; None if that is not known.

        Paths come in their order.
        """
        while self._next is not None and self._next[0].path < path:
            self._next = next(self._pairs, None)
        if self._next is None:
            return None
        entry, pinned = self._next
        same = entry.path == pinned.path == path and pinned.digest == pin and entry.size == size
        return entry.digest if same and entry.kind == "f" else None


def _pairs(session: Session, view: NodeView) -> Iterator[tuple[Entry, Entry]]:
    """Yield each entry of a version with its pin, in order; nothing if the store has been relieved of them."""
    pins, store = pins_of(view), session.objects
    if pins is None or view.digest is None:
        return
    try:
        roots = load(Digest.parse(view.digest), store), load(pins, store)
        yield from zip(entries(roots[0], store), entries(roots[1], store), strict=True)
    except ObjectMissing:
        return
