"""What can be shown now of a recorded thing: its bytes are there, they have their digest, its entry is in the log."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lineal.app.elsewhere import Origin, find_object, open_origin
from lineal.app.life import Known
from lineal.app.session import Session
from lineal.app.stored import promised
from lineal.catalog import project
from lineal.catalog.reader import NodeView
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.event import check_body
from lineal.datasets import manifest
from lineal.datasets.manifest import Entry
from lineal.datasets.pin import Pin
from lineal.errors import (
    BadInput,
    BadRef,
    IntegrityError,
    LinealError,
    ObjectChanged,
    SourceError,
    StoreError,
    UsageError,
)
from lineal.ledger.verify import prove_entry
from lineal.objects.copying import fingerprint, open_source
from lineal.sources.git_program import open_folder
from lineal.sources.git_remote import holds

MAX_BYTES: Final = 1 << 30
_GIT_SECONDS: Final = 30.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Whether something is `retrievable` and `verified` now, `where` it was found, what stands against it.

    None is: not asked for this kind of thing, or (verified) not read because there is too much of it.
    """

    retrievable: bool | None
    verified: bool | None
    where: str | None = None
    against: str | None = None


NOTHING: Final = Shown(retrievable=None, verified=None)


class Witness:
    """Reads, hashes and proves, each thing once.

    Without `deep`, at most `MAX_BYTES` are read in all; what is over that is looked for but not read.
    `on_progress` gets the number of files and bytes read so far.
    """

    def __init__(self, session: Session, *, deep: bool = False, on_progress: Progress | None = None) -> None:
        self._session = session
        self._objects = session.objects
        self._deep = deep
        self._on_progress = on_progress or (lambda _files, _bytes: None)
        self._files = self._bytes = 0
        self._proofs: dict[int, str | None] = {}
        self._seen: dict[tuple[Digest, bytes | None], Shown] = {}

    def prove(self, entry: int | None) -> str | None:
        """Return why the signed log does not prove entry `entry` and its body; None if it does."""
        if entry is None:
            return "no entry of the log speaks of it"
        if entry not in self._proofs:
            self._proofs[entry] = self._prove(entry)
        return self._proofs[entry]

    def _prove(self, entry: int) -> str | None:
        try:
            prove_entry(self._session.ledger, entry)
            found = self._session.ledger.reader.entry(entry)
            statement, _ = found.statement()
            if found.salt is None or found.body is None:
                return f"the body of entry {entry} was erased"
            check_body(statement, found.salt, found.body)
            if not project.holds(self._session.catalog_database, found):
                return f"the catalog has other things of entry {entry} than it says: `lineal rebuild` mends that"
        except LinealError as error:
            return f"entry {entry}: {error.message}"
        return None

    def show(self, known: Known) -> Shown:
        """Return what can be shown of the bytes of `known`: from the object store first, then where it was found."""
        view, detail = known.view, known.detail
        if view.kind in {"environment", "run"}:
            return self._show_objects(known)
        if view.digest is None or view.kind in {"container", "endpoint"}:
            return NOTHING
        digest = Digest.parse(view.digest)
        place = _read_place(detail)
        if "stored" not in detail and place is None and (there := find_object(self._session, view)) is not None:
            return self._fetched(there.size, there.uri, there.fetch, is_proof=there.is_proof)
        if detail.get("stored") in {"dataset", "manifest"} or view.kind in {"dataset", "code"}:
            found = self._show_tree(view, digest, place)
            return self._or_commit(found, detail) if view.kind == "code" and not found.retrievable else found
        size = detail.get("size", detail.get("bytes"))
        return self._show_bytes(digest, size if isinstance(size, int) else None, place, link=False)

    def _show_objects(self, known: Known) -> Shown:
        objects = promised(known.view) | {
            role: Digest.parse(text) for role, text in known.detail.get("objects", {}).items()
        }
        if not objects and known.view.kind == "run":
            return NOTHING
        if not objects:
            return Shown(retrievable=False, verified=None, against="no lock file of its packages is kept")
        return _together(self._show_bytes(digest, None, None, link=False) for digest in objects.values())

    def _show_tree(self, view: NodeView, digest: Digest, place: bytes | None) -> Shown:
        """Show every file of a manifest: from the store, else where the version lives, else below `place`, which may
        be the one file itself.
        """
        try:
            found = manifest.load(digest, self._objects)
            is_file = place is not None and os.path.isfile(place)
            origin = open_origin(self._session, view)
            return _together(
                self._show_bytes(entry.digest, entry.size, _place_of(entry, place, is_file), link=entry.kind == "l")
                if entry.kind != "p" and (origin is None or self._objects.has(entry.digest))
                else self._show_elsewhere(entry, origin)
                for entry in manifest.entries(found, self._objects)
            )
        except IntegrityError as error:
            return Shown(retrievable=False, verified=False, against=error.message)
        except (StoreError, SourceError, UsageError) as error:
            return Shown(retrievable=False, verified=None, against=error.message)

    def _show_elsewhere(self, entry: Entry, origin: Origin | None) -> Shown:
        if origin is None:
            return Shown(retrievable=False, verified=None, against=f"where {paths.spell(entry.path)} lies is not known")
        is_proof = entry.kind != "p" or Pin.decode(self._objects.read(entry.digest)).is_proof
        return self._fetched(entry.size, origin.name, lambda: origin.fetch(entry), is_proof=is_proof)

    def _fetched(self, size: int, where: str, fetch: Callable[[], object], *, is_proof: bool) -> Shown:
        """Show what lies elsewhere by fetching it; nothing is known of what is over the limit, and was not fetched.

        Without a digest that the bytes were held against (`is_proof`), having them verifies nothing.
        """
        if not self._may_read(size):
            return Shown(retrievable=None, verified=None, where=where)
        try:
            fetch()
        except IntegrityError as error:
            return Shown(retrievable=False, verified=False, where=where, against=error.message)
        except (StoreError, SourceError, UsageError) as error:
            return Shown(retrievable=False, verified=None, where=where, against=error.message)
        return Shown(retrievable=True, verified=True if is_proof else None, where=where)

    def _show_bytes(self, digest: Digest, size: int | None, place: bytes | None, *, link: bool) -> Shown:
        stored = self._objects.has(digest)
        key = digest, None if stored else place
        if key not in self._seen:
            self._seen[key] = self._show_stored(digest) if stored else self._show_at(digest, size, place, link=link)
        return self._seen[key]

    def _show_stored(self, digest: Digest) -> Shown:
        if not self._may_read(self._objects.size(digest)):
            return Shown(retrievable=True, verified=None, where="object store")
        fault = self._objects.verify_one(digest)
        if fault is None:
            return Shown(retrievable=True, verified=True, where="object store")
        return Shown(retrievable=False, verified=False, where="object store", against=fault.explanation)

    def _show_at(self, digest: Digest, size: int | None, place: bytes | None, *, link: bool) -> Shown:
        if place is None:
            return Shown(retrievable=False, verified=None, against=f"{digest} is not in the object store")
        name = paths.spell(place)
        try:
            now = os.lstat(place).st_size if link else os.stat(place).st_size
            if size is not None and now != size:
                return Shown(retrievable=False, verified=False, against=f"{name} has {now} bytes now, not {size}")
            if not self._may_read(now):
                return Shown(retrievable=True, verified=None, where=name)
            found = Digest.of(os.readlink(place)) if link else _hash(place)
        except OSError as error:
            against = f"not in the object store, and {name}: {error.strerror}"
            return Shown(retrievable=False, verified=None, against=against)
        except (BadInput, ObjectChanged) as error:
            return Shown(retrievable=False, verified=None, against=f"not in the object store, and {error.message}")
        if found != digest:
            return Shown(retrievable=False, verified=False, against=f"{name} has other bytes now: {found}")
        return Shown(retrievable=True, verified=True, where=name)

    def _may_read(self, size: int) -> bool:
        if not self._deep and self._bytes + size > MAX_BYTES:
            return False
        self._files, self._bytes = self._files + 1, self._bytes + size
        self._on_progress(self._files, self._bytes)
        return True

    def _or_commit(self, found: Shown, detail: dict[str, Any]) -> Shown:
        """Look for code whose tree is not kept in the repository it came from, by its commit."""
        commit, folder = detail.get("commit"), detail.get("toplevel")
        if not folder or not is_committed(detail):
            return found
        try:
            place = Path(os.fsdecode(paths.unspell(str(folder))))
            if not place.is_dir() or not holds(open_folder(place, _GIT_SECONDS), str(commit)):
                return found
        except (BadRef, BadInput, SourceError):  # no repository any more, or one that git refuses to read
            return found
        return Shown(retrievable=True, verified=found.verified, where=f"commit in {folder}", against=found.against)


def is_committed(detail: dict[str, Any]) -> bool:
    """Return whether all of a source is in its commit: nothing changed in it, and no file that git does not track."""
    files, tracked = detail.get("files"), detail.get("tracked")
    # The files of submodules are not among those that git tracks here.
    more = isinstance(files, int) and isinstance(tracked, int) and files > tracked and not detail.get("submodules")
    return bool(detail.get("commit")) and detail.get("dirty") is False and not more


def _read_place(detail: dict[str, Any]) -> bytes | None:
    """Return the path where the bytes were when they were recorded; None if there is none that can be read."""
    try:
        return paths.unspell(str(detail["path"])) if detail.get("path") else None
    except BadRef:
        return None


def _place_of(entry: Entry, place: bytes | None, is_file: bool) -> bytes | None:
    return place if place is None or is_file else os.path.join(place, entry.path)


def _hash(place: bytes) -> Digest:
    """Return the digest of the file at `place`; never wait for a FIFO, nor read a device without end."""
    shown = os.fsdecode(place)
    descriptor = open_source(place, shown)
    try:
        return fingerprint(descriptor, shown)[0]
    finally:
        os.close(descriptor)


def _together(found: Iterable[Shown]) -> Shown:
    """Return what holds of all: retrievable if each is, verified if each is, and what stands against the first."""
    missing = unasked = wrong = unread = count = 0
    where: str | None = None
    against: str | None = None
    for each in found:
        count += 1
        missing += each.retrievable is False
        unasked += each.retrievable is None
        wrong += each.verified is False
        unread += each.verified is None
        where = where or each.where
        against = against or each.against
    if missing and count > 1:
        against = f"{missing:,} of {count:,} files: {against}"
    verified = False if wrong else None if unread else True
    retrievable = False if missing else None if unasked else True
    return Shown(retrievable=retrievable, verified=verified, where=where, against=against)
