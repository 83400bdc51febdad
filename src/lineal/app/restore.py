"""Write a recorded version back to disk, every byte checked: from the object store, or from where it lives."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast, get_args

from lineal.app.elsewhere import BucketObject, find_object, hold, open_origin
from lineal.app.hashed import Hashed, record_hashed
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core.digest import Digest
from lineal.datasets import restore as datasets
from lineal.datasets.contents import Contents, Link, StoredContents
from lineal.errors import AlreadyExists, BadRef, ObjectMissing, UsageError
from lineal.objects.durable import replacing, write_all

KINDS: Final = ("code", "dataset", "model", "file")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored and from where: files and bytes written, files there already, others left alone.

    `lacks` says what of code never was on record: submodules, contents of Git LFS.
    """

    version: NodeView
    target: Path
    origin: str
    files: int
    bytes: int
    skipped: int = 0
    others: int = 0
    content: str | None = None
    lacks: tuple[str, ...] = ()

    @classmethod
    def tree(
        cls, view: NodeView, target: Path, origin: str, done: datasets.Restored, content: str | None = None
    ) -> "Restored":
        """Return what is to be said of the tree of `view` that `done` wrote."""
        return cls(
            version=view,
            target=target,
            origin=origin,
            files=done.files,
            bytes=done.bytes,
            skipped=done.skipped,
            others=done.others,
            content=content,
        )


def restore(
    session: Session,
    text: str,
    target: Path,
    *,
    link: Link | None = None,
    offline: bool = False,
    force: bool = False,
    on_total: Progress | None = None,
    on_progress: Progress | None = None,
) -> Restored:
    """Write the version that `text` names into `target`: the folder of a tree, the file of a single object.

    Code comes by its commit from its host, unless `offline` or that cannot give it: see `restore_code`.
    `link` says how files come from the object store, see `StoredContents`. After the restore of a version whose files
    were pinned, the digests of the bytes that came are recorded as a version of the same artifact: ``content`` of what
    is returned. Raises `BadRef` for a kind that has no files, `AlreadyExists` for what would be overwritten without
    `force`, `ObjectMissing` where no bytes are kept, `DigestMismatch` where they are not the recorded ones.
    """
    asked = view = session.catalog.resolve(text)
    pinned = asked.detail.get("pinned")
    if pinned and asked.detail.get("stored") != "dataset":  # known by what its files had; they lie where the pins say
        view = session.catalog.resolve(pinned)
    if view.kind not in KINDS:
        raise BadRef(f"{view.ref} is a {view.kind}: it has no files to restore", fix=f"One of {', '.join(KINDS)}.")
    if view.digest is None:
        raise ObjectMissing(f"{view.ref} is recorded without a digest: it cannot be restored")
    digest = Digest.parse(view.digest)
    stored = view.detail.get("stored")
    there = find_object(session, view) if stored is None else None
    if stored == "object" or there is not None:
        return _restore_file(session, view, digest, target, there, force=force)
    if view.kind == "code":
        from lineal.app.restore_code import restore_code

        return restore_code(session, view, target, offline=offline, link=link, force=force, on_progress=on_progress)
    if on_total is not None and isinstance(view.detail.get("bytes"), int):
        on_total(view.detail.get("files", 0), view.detail["bytes"])
    contents, origin = _contents(session, view)
    if contents is not None and asked is not view and asked.digest is not None:
        contents = hold(session, contents, Digest.parse(asked.digest))
    if contents is not None and link is not None:
        raise UsageError(f"--link is for what the object store holds; {view.ref} comes from the {origin}")
    is_elsewhere = contents is not None and session.ledger.can_append
    with session.objects.batch() if is_elsewhere else nullcontext() as batch:
        hashed = Hashed(batch)
        done = datasets.restore(
            digest,
            session.objects,
            target,
            contents=contents or StoredContents(session.objects, link),
            force=force,
            on_progress=on_progress,
            on_entry=hashed.take,
        )
        manifest = hashed.finish()
    content = None if manifest is None else record_hashed(session, view, manifest, target)
    return Restored.tree(view, target, origin, done, content)


def read_link(text: str | None) -> Link | None:
    """Return the way of linking that `text` names, None for None; raise `UsageError` for any other word."""
    for link in get_args(Link):
        if text == link:
            return cast(Link, link)
    if text is not None:
        raise UsageError(f"no such way of linking: {text!r}", fix=f"One of {', '.join(get_args(Link))}.")
    return None


def _contents(session: Session, view: NodeView) -> tuple[Contents | None, str]:
    """Return where the bytes of a tree are had from, None for the object store, and what to call that."""
    if view.detail.get("stored") == "dataset":
        return None, "object store"
    if (origin := open_origin(session, view)) is not None:
        return origin.contents, origin.name
    raise ObjectMissing(
        f"only the digests of {view.ref} are recorded, not its bytes",
        fix="Snapshot it with --store where it still is, or restore it there from a backup.",
    )


def _restore_file(
    session: Session, view: NodeView, digest: Digest, target: Path, there: BucketObject | None, *, force: bool
) -> Restored:
    """Write one object to the file `target`, or into that folder: from the store, or from `there`."""
    name = os.path.basename(view.name if there is None else there.uri)
    place = target / name if target.is_dir() else target
    if os.path.lexists(place) and not force:
        raise AlreadyExists(
            f"{str(place)!r} exists; it was not changed", fix="Name another file, or add --force to replace it."
        )
    if there is None:
        session.objects.fetch(digest, place)
        size, origin = session.objects.size(digest), "object store"
    else:
        with replacing(place) as descriptor:
            there.fetch(lambda piece: write_all(descriptor, piece))
        size, origin = there.size, there.uri
    return Restored(version=view, target=place, origin=origin, files=1, bytes=size)
