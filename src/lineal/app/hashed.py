"""What the bytes of a pinned version turned out to be, once they were fetched: a version by content, the same thing."""

import os
from pathlib import Path
from typing import Final

from lineal.app.session import Session
from lineal.app.snapshot import members_of
from lineal.catalog.reader import NodeView
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Node, Observation
from lineal.datasets.manifest import Entry, Manifest, Writer
from lineal.objects.batch import Batch

HASHED: Final = "dataset.hashed/1"


class Hashed:
    """Takes the entries of a version in their order with the digests of their bytes, and writes the manifest of those.

    Without a `batch` to write into, or if nothing was pinned, there is none.
    """

    def __init__(self, batch: Batch | None) -> None:
        self._writer = None if batch is None else Writer(batch.put_bytes)
        self._pinned = False

    def take(self, entry: Entry, digest: Digest) -> None:
        """Take the next entry; the file has `digest`."""
        self._pinned = self._pinned or entry.kind == "p"
        if self._writer is not None:
            self._writer.add(Entry(entry.path, "f" if entry.kind == "p" else entry.kind, digest, entry.size))

    def finish(self) -> Manifest | None:
        """Return the manifest of the bytes; None if no entry was pinned: the version says it all then."""
        return self._writer.finish() if self._writer is not None and self._pinned else None


def record_hashed(session: Session, pinned: NodeView, content: Manifest, target: Path) -> str:
    """Record that `pinned` has the bytes that `content` lists, found in the folder `target`, unless that is known.

    Returns the canonical reference of the version by content.
    """
    canonical = f"{pinned.kind}:{pinned.name}@{content.digest}"
    detail = {
        "files": content.count,
        "bytes": content.size,
        "path": paths.spell(os.path.abspath(os.fsencode(target))),
        "stored": "manifest",
        "pinned": pinned.canonical,
    }
    members = members_of(session, content.digest)
    node = Node(ref=canonical, basis="verified", digest=content.digest, detail=detail, members=members)
    said = Observation(
        type=HASHED,
        time=session.clock(),
        actor=session.actor,
        basis="verified",
        nodes=(node,),
        edges=(Edge(pinned.canonical, canonical, "same_as"),),
        subject=(canonical, pinned.canonical),
    )
    known = session.catalog.find([canonical]).get(canonical)
    joined = known is not None and (pinned.id, known.id, "same_as") in session.catalog.edges_of(known.id)
    if not joined:
        session.say(said)
    return canonical
