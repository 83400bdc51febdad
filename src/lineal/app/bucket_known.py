"""What is known already of the objects below a prefix: what has not changed since then is not read again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

from lineal.app.session import Session
from lineal.catalog.reader import Fact
from lineal.core.digest import Digest
from lineal.core.ref import ArtifactRef
from lineal.datasets.manifest import Entry, entries, load
from lineal.errors import ObjectMissing
from lineal.sources.bucket import BucketUri

ORIGIN: Final = "bucket"
PINS: Final = "pins"
"""The role of the manifest that says by which version and ETag each object of a dataset version was found."""


@dataclass(frozen=True, slots=True)
class Stay:
    """One statement that a version was found in a bucket: where (`detail`), by which pins, and by what basis."""

    detail: dict[str, Any]
    pins: Digest
    basis: str
    digest: Digest
    taken: str

    @property
    def uri(self) -> BucketUri:
        """The address at which it was found."""
        return BucketUri.parse(str(self.detail["uri"]))


def stays(facts: Iterable[Fact]) -> list[Stay]:
    """Return those of `facts` that say where in a bucket a version was found, in their order.

    What somebody claims is not followed: it names the server to which requests signed with our keys would go.
    """
    found: list[Stay] = []
    for fact in facts:
        pins = fact.detail.get("objects", {}).get(PINS)
        is_seen = fact.detail.get("origin") == ORIGIN and fact.basis != "claimed"
        if is_seen and pins is not None and fact.digest is not None:
            digests = Digest.parse(pins), Digest.parse(fact.digest)
            found.append(Stay(fact.detail, digests[0], fact.basis, digests[1], fact.taken))
    return found


class Known:
    """The digests of a version recorded before, asked for in the order of their paths.

    An object that has the version, ETag and size that it had then has the bytes that it had then.
    """

    def __init__(self, session: Session | None = None, stay: Stay | None = None) -> None:
        """Know what `stay` says; without it, nothing."""
        self.basis = "bytes" if stay is not None and stay.basis == "verified" else "checksum"
        self._pairs = iter(()) if session is None or stay is None else _pairs(session, stay)
        self._next = next(self._pairs, None)

    @classmethod
    def of_last(cls, session: Session, artifact: ArtifactRef, uri: BucketUri, endpoint: str | None) -> Self:
        """Return what was said last of `uri` on this server, as a version of this dataset or of another."""
        views = session.catalog.of_artifact(artifact.kind, artifact.name)
        views += session.catalog.with_aliases(uri.aliases[:1]).get(uri.aliases[0], [])
        found = stays(session.catalog.facts({view.id for view in views}))
        here = [
            stay for stay in found if stay.detail.get("uri") == str(uri) and stay.detail.get("endpoint") == endpoint
        ]
        return cls(session, max(here, key=lambda stay: stay.taken, default=None))

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


def _pairs(session: Session, stay: Stay) -> Iterator[tuple[Entry, Entry]]:
    """Yield each entry of a version with its pin, in order; nothing if the store has been relieved of them."""
    store = session.objects
    try:
        roots = load(stay.digest, store), load(stay.pins, store)
        yield from zip(entries(roots[0], store), entries(roots[1], store), strict=True)
    except ObjectMissing:
        return
