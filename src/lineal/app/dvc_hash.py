"""What the bytes in DVC's cache are: a version by content beside the one by DVC's hashes, joined as the same."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from lineal.app.dvc_versions import Draft
from lineal.app.hashed import HASHED
from lineal.app.session import Session
from lineal.app.snapshot import MAX_MEMBERS
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.datasets import manifest
from lineal.datasets.manifest import Entry
from lineal.errors import DigestMismatch, LinealError, ObjectMissing
from lineal.objects.batch import Batch
from lineal.sources.dvc_cache import Cache, Hasher, check_oid
from lineal.sources.dvc_items import Listed, Oid
from lineal.sources.dvc_lists import Lists

Alike = dict[Digest, list[str]]


def hash_draft(session: Session, draft: Draft, lists: Lists, batch: Batch, alike: Alike) -> Observation | Gap | None:
    """Read the files of `draft` in the cache and return the version by content; a gap if one is not there, or damaged.

    None is for what has no files: its version by content is the one by hashes.

    Joined with it are versions recorded before that have the same content, and files that are in it; `alike` are those
    that this collection met, by content.
    """
    try:
        known = _read_before(session, draft)
        entries = _hash_all(draft, lists) if known is None else known
        content = manifest.write(entries, batch.put_bytes)
    except LinealError as error:
        return Gap("dvc.not_hashed", f"its bytes were not read: {error.message}", draft.ref)
    ref = f"{draft.artifact}@{content.digest}"
    if ref == draft.ref:
        return None
    members = [(each.digest, paths.spell(each.path)) for each in entries if each.size]
    detail = {"files": content.count, "bytes": content.size, "stored": "manifest", "pinned": draft.ref}
    edges = [Edge(draft.ref, ref, "same_as"), *_likenesses(session, ref, content.digest, entries)]
    met = alike.setdefault(content.digest, [])
    edges += [_between(ref, other) for other in met if other != ref]
    met.append(ref)
    node = Node(
        ref=ref,
        basis="verified",
        digest=content.digest,
        detail=detail,
        members=tuple(members) if len(members) <= MAX_MEMBERS else (),
    )
    return Observation(
        type=HASHED,
        time=draft.time,
        actor=session.actor,
        basis="verified",
        nodes=(node,),
        edges=tuple(dict.fromkeys(edges)),
        subject=(ref, draft.ref),
    )


def _read_before(session: Session, draft: Draft) -> list[Entry] | None:
    """Return the files of `draft` by content, if they have been read before: DVC's hash names the same bytes."""
    view = session.catalog.find([draft.ref]).get(draft.ref)
    if view is None:
        return None
    edges = session.catalog.edges_of(view.id)
    joined = session.catalog.views(target for source, target, kind in edges if source == view.id and kind == "same_as")
    for each in joined.values():
        is_content = each.detail.get("pinned") == draft.ref and each.basis == "verified" and each.digest is not None
        if is_content and session.objects.has(digest := Digest.parse(str(each.digest))):
            return list(manifest.entries(manifest.load(digest, session.objects), session.objects))
    return None


def _hash_all(draft: Draft, lists: Lists) -> list[Entry]:
    cache = lists.holders(draft.project, None)[0]
    if not isinstance(cache, Cache):
        raise AssertionError
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # hashing lets others run meanwhile
        digests = pool.map(lambda each: _hash(cache, draft, each), draft.files)
        return [
            Entry(each.path, "f", digest, each.size or 0) for each, digest in zip(draft.files, digests, strict=True)
        ]


def _hash(cache: Cache, draft: Draft, listed: Listed) -> Digest:
    if listed.md5 is None:
        raise ObjectMissing(f"{os.fsdecode(listed.path)!r} has no MD5: it is not in the cache")
    oid = Oid(listed.md5, False, draft.is_dos2unix)
    hasher = Hasher()
    for piece in cache.pieces(oid):
        hasher.update(piece)
    check_oid(oid, hasher, repr(str(cache.path_of(oid))))
    if hasher.size != listed.size:
        raise DigestMismatch(f"{str(cache.path_of(oid))!r} has {hasher.size} bytes, not {listed.size}")
    return hasher.digest


def _likenesses(session: Session, ref: str, content: Digest, entries: list[Entry]) -> Iterator[Edge]:
    """Yield edges from what is recorded with the same content: other versions, and single files that are in it."""
    digests = [str(content), *(str(each.digest) for each in entries[:MAX_MEMBERS])]
    known = session.catalog.with_digests(digests)
    for view in known.get(str(content), ()):
        if view.canonical != ref and view.kind in ("dataset", "model"):
            # What somebody made a snapshot of came from here; two contents of DVC are alike, whichever is met first.
            yield _between(ref, view.canonical) if view.type == HASHED else Edge(ref, view.canonical, "same_as")
    kind = "same_as" if len(entries) == 1 else "derived_from"
    for digest in dict.fromkeys(digests[1:]):
        for view in known.get(digest, ()):
            if view.kind in ("file", "model") and view.canonical != ref:
                # What a run left was then given to DVC; anything else was had from there.
                is_made = any(edge[1:] == (view.id, "generated") for edge in session.catalog.edges_of(view.id))
                yield Edge(view.canonical, ref, kind) if is_made else Edge(ref, view.canonical, kind)


def _between(one: str, other: str) -> Edge:
    return Edge(min(one, other), max(one, other), "same_as")
