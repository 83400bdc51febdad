"""The bytes of what DVC tracks, for a restore: from DVC's cache, else its remote, held against DVC's hashes."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lineal.app.collect import last_covered
from lineal.app.collect_dvc import load_config
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core import canonical
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry
from lineal.datasets.pin import Pin
from lineal.errors import LinealError, ObjectMissing, SourceError
from lineal.objects.copying import pieces
from lineal.objects.durable import write_all
from lineal.objects.store import ObjectStore
from lineal.sources.dvc_cache import Cache, Hasher, check_oid
from lineal.sources.dvc_config import Config, Remote
from lineal.sources.dvc_git import open_repository
from lineal.sources.dvc_items import Oid
from lineal.sources.dvc_remote import Holder, open_remote

_ADDRESS: Final = re.compile(r"(?P<scheme>[a-z0-9+.-]+)://(?P<place>[^/]+)/(?P<key>.+)", re.DOTALL)
_FIX: Final = (
    "`dvc pull` (or `dvc fetch`) in the repository brings the bytes into DVC's cache; then run the command again."
)


def open_contents(session: Session, view: NodeView) -> "DvcContents":
    """Return where the bytes of the version `view`, collected from DVC, are had from.

    That is the repository in the working folder if it is the one, else where it was last collected; where neither is
    there, the remotes that the last collection saw. Raises `ObjectMissing` if none of these is known.
    """
    detail = view.detail
    covered = last_covered(session, "dvc", str(detail.get("repository")))
    cloud = detail.get("objects", {}).get("cloud")
    versions = {} if cloud is None else canonical.decode(session.objects.read(Digest.parse(cloud)))
    if not isinstance(versions, dict):
        raise ObjectMissing(f"which objects of a remote {view.ref} has is not readable")
    return DvcContents(session.objects, _find_config(detail, covered), view, versions)


def _find_config(detail: Mapping[str, Any], covered: Mapping[str, Any]) -> Config:
    project = paths.unspell(str(detail.get("project") or "")).decode("utf-8", "surrogateescape")
    places = [_repository_here(str(detail.get("repository")))]
    if covered.get("place"):
        places.append(Path(os.fsdecode(paths.unspell(covered["place"]))))
    for place in places:
        if place is not None and (place / project / ".dvc").is_dir():
            return load_config(place / project, None, user_config=bool(covered.get("user_config")))
    known = covered.get("projects", {}).get(paths.spell(os.fsencode(project)))
    if known is None:
        raise ObjectMissing(
            f"where the DVC repository {detail.get('repository')} lies is not known",
            fix="Run the command in a clone of it, or `lineal collect dvc` that clone first.",
        )
    remotes = {
        name: Remote(name, said["url"], {key: value for key, value in said.items() if key != "url"})
        for name, said in known["remotes"].items()
    }
    return Config(Path(os.fsdecode(paths.unspell(known["cache"]))), remotes, known["default"])


def _repository_here(name: str) -> Path | None:
    try:
        found = open_repository(Path.cwd())
    except (LinealError, OSError):
        return None
    return found.folder if found.name == name else None


class DvcContents:
    """DVC's cache and remotes as contents: each file is checked against the MD5, and known by SHA-256 then."""

    def __init__(
        self, store: ObjectStore, config: Config, view: NodeView, versions: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._store, self._config, self._view, self._versions = store, config, view, versions
        self._cache = Cache(config.cache)
        self._remotes: dict[str | None, Holder] = {}

    def copy_into(self, entry: Entry, target: int) -> Digest:
        """Write the file of `entry` to `target`; return the digest of its bytes.

        Raises `DigestMismatch` if it is not what DVC hashed, `ObjectMissing` if it is nowhere, `SourceError` if the
        remote refuses.
        """
        pin = self._pin(entry)
        oid = _oid(pin)
        for found in self._places(entry, oid):
            hasher = Hasher()
            try:
                for piece in found:
                    hasher.update(piece)
                    write_all(target, piece)
            except ObjectMissing:
                continue
            if oid is None:
                return hasher.digest  # the store gave the very version that the pin names
            check_oid(oid, hasher, f"{os.fsdecode(entry.path)!r} of {self._view.ref}")
            self._set_mode(target)
            return hasher.digest
        where = "DVC's cache" if self._config.remote(self._remote_name) is None else "DVC's cache nor its remote"
        raise ObjectMissing(f"{os.fsdecode(entry.path)!r} of {self._view.ref} is not in {where}", fix=_FIX)

    def confirm(self, entry: Entry, descriptor: int) -> Digest | None:
        """Return the digest of the open file if it has the MD5 of `entry`; None where a pin has none."""
        oid = _oid(self._pin(entry))
        if oid is None:
            return None
        hasher = Hasher()
        for piece in pieces(descriptor, 0, entry.size + 1):
            hasher.update(piece)
        return hasher.digest if hasher.size == entry.size and hasher.spell(oid) == oid.md5 else None

    def _pin(self, entry: Entry) -> Pin:
        return Pin.decode(self._store.read(entry.digest))

    def _places(self, entry: Entry, oid: Oid | None) -> Iterator[Iterator[bytes]]:
        if oid is not None:
            yield self._cache.pieces(oid)
        said = self._versions.get(paths.spell(entry.path))
        if said is not None:
            yield self._named(said)
        if oid is not None and self._config.remote(self._remote_name) is not None:
            yield self._open(self._remote_name).pieces(oid)

    def _named(self, said: Mapping[str, str]) -> Iterator[bytes]:
        """Return the file under its own name: in a remote that keeps versions, or at the source of an import."""
        if "remote" in said:
            return self._open(said["remote"]).pieces_of(paths.unspell(said["key"]), said.get("version"))
        match = _ADDRESS.fullmatch(said["uri"])
        if match is None:
            raise ObjectMissing(f"{said['uri']} is not the address of a file")
        key = match["key"].encode() + paths.unspell(said.get("inner", ""))
        if match["scheme"] == "remote":
            return self._open(match["place"]).pieces_of(key, said.get("version"))
        base = Remote(match["place"], f"{match['scheme']}://{match['place']}")
        return open_remote(base).pieces_of(key, said.get("version"))

    @property
    def _remote_name(self) -> str | None:
        name = self._view.detail.get("remote")
        return None if name is None else str(name)

    def _open(self, name: str | None) -> Holder:
        if name not in self._remotes:
            remote = self._config.remote(name)
            if remote is None:
                raise SourceError(f"the remote {name!r} of DVC is not in the configuration", fix=_FIX)
            self._remotes[name] = open_remote(remote)
        return self._remotes[name]

    def _set_mode(self, target: int) -> None:
        """Let be executed what DVC recorded as executable, by whoever may read it."""
        if self._view.detail.get("executable"):
            mode = stat.S_IMODE(os.fstat(target).st_mode)
            os.fchmod(target, mode | (mode & 0o444) >> 2)


def _oid(pin: Pin) -> Oid | None:
    if (md5 := pin.get("md5")) is not None:
        return Oid(md5, is_dir=False, is_dos2unix=False)
    if (md5 := pin.get("md5-dos2unix")) is not None:
        return Oid(md5, is_dir=False, is_dos2unix=True)
    return None
