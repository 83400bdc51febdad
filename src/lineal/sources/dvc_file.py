"""The files that DVC keeps in git, as plain values: ``X.dvc``, ``dvc.lock`` of both schemas, ``dvc.yaml``.

Formats as DVC 1 to 3 writes them. A file in which anything is not as DVC would have written it is refused whole.
"""

import hashlib
import posixpath
import re
from collections.abc import Mapping
from typing import Any, Final

from lineal.core.redaction import clean
from lineal.errors import BadInput
from lineal.sources.dvc_items import Item, Listed, Oid, Origin, Stage
from lineal.sources.dvc_text import as_list, as_table, load_yaml

LOCK: Final = b"dvc.lock"
PIPELINE: Final = b"dvc.yaml"

_MD5: Final = re.compile(r"([0-9a-f]{32})(\.dir)?")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_LONGEST: Final = 4096
_NOTES: Final = ("type", "desc", "labels", "meta")


def read_dvc(data: bytes, name: str) -> Stage:
    """Return what a ``.dvc`` file says; raise `BadInput` if it is none."""
    found = as_table(load_yaml(data, name), name)
    return Stage(
        name=name,
        commands=_commands(found.get("cmd"), name),
        deps=_items(found.get("deps"), name),
        outs=_items(found.get("outs"), name),
        params=_old_params(found.get("deps"), name),
        wdir=_text(found.get("wdir"), name),
        is_frozen=found.get("frozen") is True or found.get("locked") is True,
        notes={key: found[key] for key in ("desc", "meta") if found.get(key) is not None},
        source=found,
    )


def _old_params(deps: Any, name: str) -> dict[str, dict[str, Any]]:
    """Return the parameters that the first DVC kept with the dependency on their file."""
    entries = [as_table(each, name) for each in as_list(deps, name)]
    return {str(each.get("path")): each["params"] for each in entries if isinstance(each.get("params"), dict)}


def read_lock(data: bytes, name: str) -> tuple[Stage, ...]:
    """Return the stages of a ``dvc.lock``, of schema 2.0 or the one before it; raise `BadInput` if it is none."""
    found = as_table(load_yaml(data, name), name)
    if "schema" in found:
        if found["schema"] != "2.0":
            raise BadInput(
                f"{name} has the schema {clean(str(found['schema']))[:40]!r}; 2.0 and the one before are read"
            )
        found = as_table(found.get("stages"), name)
    return tuple(_locked(stage, as_table(entry, name), name) for stage, entry in found.items())


def _locked(stage: str, entry: dict[str, Any], name: str) -> Stage:
    if not stage or len(stage) > _LONGEST:
        raise BadInput(f"{name} has a stage without a usable name")
    params = {file: as_table(values, name) for file, values in as_table(entry.get("params"), name).items()}
    return Stage(
        name=stage,
        commands=_commands(entry.get("cmd"), name),
        deps=_items(entry.get("deps"), name),
        outs=_items(entry.get("outs"), name),
        params=params,
        source=entry,
    )


def _items(value: Any, name: str) -> tuple[Item, ...]:
    return tuple(_item(as_table(each, name), name) for each in as_list(value, name))


def _item(said: dict[str, Any], name: str) -> Item:
    path = _database(said["db"], name) if "db" in said else _text(said.get("path"), name)
    if not path or len(path) > _LONGEST or "\0" in path:
        raise BadInput(f"{name} has an entry without a usable path")
    about = f"{clean(path)[:200]!r} in {name}"
    files = said.get("files")
    return Item(
        path=path,
        oid=_oid(said, about),
        size=_number(said.get("size"), about),
        count=_number(said.get("nfiles"), about),
        is_executable=said.get("isexec") is True,
        is_dos2unix=said.get("hash") != "md5",
        listed=_listed(said, b"", about),
        files=None if files is None else tuple(_file(as_table(each, name), about) for each in as_list(files, name)),
        origin=_origin(said.get("repo"), about),
        remote=_text(said.get("remote"), about),
        is_cached=said.get("cache") is not False,
        is_metric=bool(said.get("metric")),
        notes=_notes(said),
    )


def _database(value: Any, name: str) -> str:
    """Return an address for what ``dvc import-db`` read: of a query, by its hash."""
    said = as_table(value, name)
    query = hashlib.sha256((_text(said.get("query"), name) or "").encode()).hexdigest()[:16]
    table = _text(said.get("table"), name)
    return f"db://{_text(said.get('connection'), name) or 'database'}/{table or f'query-{query}'}"


def _notes(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: said[key] for key in _NOTES if said.get(key) is not None}


def _oid(said: dict[str, Any], about: str) -> Oid | None:
    value = _text(said.get("md5"), about)
    if value is None:
        return None
    match = _MD5.fullmatch(value.lower())
    if match is None:
        raise BadInput(f"the md5 of {about} is none: {clean(value)[:60]!r}")
    kind = said.get("hash")
    if kind not in (None, "md5", "md5-dos2unix"):
        raise BadInput(f"{about} has a hash of the kind {clean(str(kind))[:40]!r}, which is not read")
    return Oid(match[1], match[2] is not None, kind != "md5")


def _listed(said: dict[str, Any], path: bytes, about: str) -> Listed | None:
    """Return what a cloud says of one file: beside it, or below the name of a remote; None if nothing."""
    cloud = as_table(said.get("cloud"), about)
    remote, facts = next(iter(cloud.items()), (None, said))
    facts = as_table(facts, about)
    etag = _text(facts.get("etag"), about) or _text(facts.get("checksum"), about)
    version = _text(facts.get("version_id"), about)
    if etag is None and version is None and not path:
        return None
    md5 = _text(said.get("md5"), about)
    if path and md5 is not None and (match := _MD5.fullmatch(md5)) is not None and match[2] is None:
        md5 = match[1]
    elif path and md5 is not None:
        raise BadInput(f"the md5 of a file of {about} is none: {clean(md5)[:60]!r}")
    size = _number(said.get("size"), about)
    return Listed(path=path, md5=md5 if path else None, size=size, etag=etag, version=version, remote=remote)


def _file(said: dict[str, Any], about: str) -> Listed:
    path = check_inner(_text(said.get("relpath"), about), about)
    found = _listed(said, path, about)
    if found is None or (found.md5 is None and found.etag is None and found.version is None):
        raise BadInput(f"{about} lists a file that nothing identifies: {path!r}")
    return found


def check_inner(path: str | None, about: str) -> bytes:
    """Return a path that a folder's list names; raise `BadInput` for one that leaves the folder."""
    raw = (path or "").encode("utf-8", "surrogatepass")
    if len(raw) > _LONGEST or b"\0" in raw or any(part in (b"", b".", b"..") for part in raw.split(b"/")):
        raise BadInput(f"{about} lists a file outside of it: {clean(path or '')[:200]!r}")
    return raw


def _origin(value: Any, about: str) -> Origin | None:
    if value is None:
        return None
    said = as_table(value, about)
    url = _text(said.get("url"), about)
    if not url:
        raise BadInput(f"{about} comes from a repository without an address")
    return Origin(url, _text(said.get("rev"), about), _text(said.get("rev_lock"), about))


def locate(folder: bytes, wdir: str | None, path: str) -> bytes | None:
    """Return where in the repository `path` of a file in `folder` lies; None outside of it."""
    parts = [folder, (wdir or "").encode("utf-8", "surrogatepass"), path.encode("utf-8", "surrogatepass")]
    if any(part.startswith(b"/") for part in parts):
        return None
    joined = posixpath.normpath(b"/".join(part for part in parts if part) or b".")
    return None if joined in (b".", b"..") or joined.startswith(b"../") else joined


def _commands(value: Any, name: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    lines = as_list(value, name)
    if not all(isinstance(line, str) for line in lines):
        raise BadInput(f"{name} has a command that is not text")
    return tuple(lines)


def _text(value: Any, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise BadInput(f"{name} has something else where text belongs")


def _number(value: Any, about: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str) or _NUMBER.fullmatch(value) is None or int(value) >= 1 << 53:
        raise BadInput(f"the size of {about} is no number: {clean(str(value))[:40]!r}")
    return int(value)
