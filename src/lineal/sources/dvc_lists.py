"""What files a tracked thing has, with the size and the identity of each: from the cache of DVC, else from a remote."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from lineal.core.observation import Gap
from lineal.datasets.pin import Pin
from lineal.errors import BadInput, DigestMismatch, LinealError
from lineal.sources.bucket import NULL_VERSION
from lineal.sources.dvc_cache import Cache, parse_list
from lineal.sources.dvc_config import Config, Remote
from lineal.sources.dvc_items import Item, Listed, Oid
from lineal.sources.dvc_remote import Holder, open_remote

_MOST_KEPT: Final = 500_000

Files = tuple[Listed, ...]


def pin_of(listed: Listed, *, is_dos2unix: bool) -> Pin:
    """Return what identifies one file: its MD5 as DVC made it; without one, version and ETag of the bucket's object."""
    if listed.md5 is not None:
        return Pin.of(md5_dos2unix=listed.md5) if is_dos2unix else Pin.of(md5=listed.md5)
    version = listed.version if listed.version != NULL_VERSION else None
    return Pin.of(version=version, etag=listed.etag)


class Lists:
    """Looks up the files of tracked things, in the projects whose configurations are `configs` (by their folder).

    Without `use_remote` only the cache is asked. What a remote refuses is said once, and it is not asked again.
    """

    def __init__(self, configs: Mapping[bytes, Config], *, use_remote: bool) -> None:
        self._configs = configs
        self._use_remote = use_remote
        self._remotes: dict[tuple[bytes, str | None], Holder | None] = {}
        self._kept: dict[Oid, Files] = {}
        self.gaps: list[Gap] = []

    def remote(self, project: bytes, name: str) -> Remote | None:
        """Return the remote of this name of a project, None if there is none."""
        return self._configs[project].remote(name)

    def holders(self, project: bytes, remote: str | None) -> list[Holder]:
        """Return where the bytes of a project are looked for, in this order."""
        config = self._configs[project]
        holders: list[Holder] = [Cache(config.cache)]
        if self._use_remote and (found := self._open(project, remote)) is not None:
            holders.append(found)
        return holders

    def _open(self, project: bytes, name: str | None) -> Holder | None:
        key = (project, name)
        if key not in self._remotes:
            remote = self._configs[project].remote(name)
            try:
                self._remotes[key] = None if remote is None else open_remote(remote)
            except LinealError as error:
                self._refuse(key, error)
        return self._remotes[key]

    def _refuse(self, key: tuple[bytes, str | None], error: LinealError) -> None:
        self._remotes[key] = None
        self.gaps.append(Gap("dvc.remote", f"a remote was not asked: {error.message}", key[1]))

    def files(self, project: bytes, item: Item, about: str) -> Files | Gap:
        """Return the files of `item`, sorted by path, each with its size; a gap if they are not all known.

        A single file has its base name. Nothing that does not add up to what DVC says of it is returned.
        """
        try:
            if item.files is not None:
                return _whole(item, tuple(sorted(item.files, key=lambda each: each.path)), about)
            if item.oid is not None and item.oid.is_dir:
                return self._folder(project, item, item.oid, about)
            return self._file(project, item, about)
        except (BadInput, DigestMismatch) as error:
            return Gap("dvc.bad_list", f"its files are not known: {error.message}", about)

    def _file(self, project: bytes, item: Item, about: str) -> Files | Gap:
        name = os.path.basename(item.path.rstrip("/")).encode("utf-8", "surrogatepass")
        if item.oid is None:
            if item.listed is None:
                return Gap(
                    "dvc.no_hash", "DVC says nothing that identifies it: it was not made, or not downloaded", about
                )
            found = replace(item.listed, path=name)
        else:
            listed = item.listed or Listed(path=name)
            found = replace(listed, path=name, md5=item.oid.md5)
        size = item.size
        if size is None and item.oid is not None:
            size = self._sizes(project, item, [item.oid]).get(item.oid)
        if size is None:
            return Gap("dvc.no_size", "its size is neither said nor to be seen in the cache or a remote", about)
        return (replace(found, size=size),)

    def _folder(self, project: bytes, item: Item, oid: Oid, about: str) -> Files | Gap:
        if oid in self._kept:
            return _whole(item, self._kept[oid], about)
        listed = self._read(project, item, oid)
        if listed is None:
            where = "neither the cache nor the remote has" if self._use_remote else "the cache has not"
            return Gap("dvc.no_list", f"{where} the list of its files: no version of it is recorded", about)
        names = {each.path: Oid(each.md5 or "", False, oid.is_dos2unix) for each in listed}
        sizes = self._sizes(project, item, list(dict.fromkeys(names.values())))
        missing = [path for path, name in names.items() if name not in sizes]
        if missing:
            more = f"the sizes of {len(missing)} of its files are not known (such as {missing[0]!r}): fetch them"
            return Gap("dvc.no_size", f"{more}; no version of it is recorded", about)
        files = tuple(replace(each, size=sizes[names[each.path]]) for each in listed)
        found = _whole(item, files, about)
        if not isinstance(found, Gap):
            self._kept[oid] = found
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
        return found

    def _read(self, project: bytes, item: Item, oid: Oid) -> Files | None:
        damage: LinealError | None = None
        for holder in self.holders(project, item.remote):
            try:
                data = holder.read(oid)
                if data is not None:
                    return parse_list(oid, data)
            except (BadInput, DigestMismatch) as error:
                damage = error
            except LinealError as error:
                self._refuse((project, item.remote), error)
        if damage is not None:
            raise damage
        return None

    def _sizes(self, project: bytes, item: Item, oids: list[Oid]) -> dict[Oid, int]:
        found: dict[Oid, int] = {}
        for holder in self.holders(project, item.remote):
            missing = [oid for oid in oids if oid not in found]
            if not missing:
                break
            try:
                found.update(holder.sizes(missing))
            except LinealError as error:
                self._refuse((project, item.remote), error)
        return found


def _whole(item: Item, files: Files, about: str) -> Files | Gap:
    """Return `files` if they add up to what DVC says of the folder, else a gap."""
    if any(each.size is None for each in files):
        return Gap("dvc.no_size", "DVC does not say the size of every file", about)
    size = sum(each.size or 0 for each in files)
    if item.size is not None and item.size != size:
        return Gap("dvc.sizes_differ", f"its files have {size} bytes together, DVC says {item.size}", about)
    if item.count is not None and item.count != len(files):
        return Gap("dvc.sizes_differ", f"its list has {len(files)} files, DVC says {item.count}", about)
    return files
