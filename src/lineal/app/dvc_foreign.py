"""What DVC says of things that it does not keep: other repositories, objects of buckets, addresses, files of a host."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lineal.app.dvc_versions import name_in, write_pins
from lineal.app.naming import spell_name
from lineal.core import canonical
from lineal.core import path as paths
from lineal.core.claim import claimed_address, claimed_code
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node
from lineal.core.redaction import clean, strip_url
from lineal.core.ref import is_one_word
from lineal.core.repository import canonical_name
from lineal.datasets.pin import Pin
from lineal.errors import BadInput
from lineal.sources.bucket import BucketUri
from lineal.sources.dvc_config import Config
from lineal.sources.dvc_items import Item, Listed, Origin
from lineal.sources.dvc_lists import Files, pin_of

Put = Callable[[bytes], Digest]


@dataclass(frozen=True, slots=True)
class Foreign:
    """The node that a dependency outside of the repository is, with those it comes from in its turn."""

    node: Node
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()


def foreign(item: Item, config: Config, out: Item | None, files: Files | None, put: Put) -> Foreign | Gap:
    """Return the node of a dependency with an address; `out` is what was made of it, and `files` are its files.

    Kept by `put` are the pins of what has several files. A gap says what cannot be told.
    """
    if item.origin is not None:
        return _repository(item, item.origin, out, files, put)
    url = config.expand(item.path)
    if url is None:
        return Gap("dvc.source", f"the remote of the address is not in the configuration: {strip_url(item.path)[0]}")
    shown = strip_url(url)[0]
    try:
        uri = BucketUri.parse(shown)
    except BadInput:
        return Foreign(_single(item, shown))
    return Foreign(_in_bucket(item, uri, put))


def _repository(item: Item, origin: Origin, out: Item | None, files: Files | None, put: Put) -> Foreign | Gap:
    url = strip_url(origin.url)[0]
    if origin.commit is None:
        return Gap("dvc.source", f"the commit of {url} that {clean(item.path)!r} came from is not recorded")
    name = canonical_name(url)
    code = claimed_code(spell_name(name.encode()), clean(origin.commit), url)
    if out is None or files is None:
        return Foreign(code)
    path = item.path.strip("/").encode("utf-8", "surrogatepass")
    if len(files) == 1 and out.files is None and not (out.oid is not None and out.oid.is_dir):
        files = (replace(files[0], path=path.rpartition(b"/")[2]),)  # it may be called otherwise here
    kept = write_pins(files, put, is_dos2unix=out.is_dos2unix)
    ref = f"dataset:{name_in(name, path)}@{kept.digest}"
    detail = {
        "files": kept.count,
        "bytes": kept.size,
        "stored": "manifest",
        "origin": "dvc",
        "repository": name,
        "tracked": paths.spell(path),
        "commit": clean(origin.commit),
    }
    node = Node(ref=ref, basis="claimed", digest=kept.digest, detail=detail)
    return Foreign(node, (code,), (Edge(code.ref, ref, "derived_from"),))


def _in_bucket(item: Item, uri: BucketUri, put: Put) -> Node:
    """Return an object or prefix of a bucket, named and identified as `lineal snapshot` of the bucket does."""
    detail: dict[str, Any] = {"uri": str(uri)}
    if item.files is not None and all(each.size is not None for each in item.files):
        place = uri.as_prefix()
        kept = write_pins(tuple(sorted(item.files, key=lambda each: each.path)), put, is_dos2unix=False)
        detail.update(files=kept.count, bytes=kept.size, stored="manifest", origin="bucket", uri=str(place))
        detail["basis_of_identity"] = "version" if all(each.version for each in item.files) else "etag"
        ref = f"dataset:{place.name}@{kept.digest}"
        return Node(ref=ref, basis="claimed", digest=kept.digest, detail=detail, aliases=place.aliases)
    if item.listed is not None:
        return _pinned(item.listed, f"file:{uri.name}", detail, uri.aliases)
    is_folder = item.oid is not None and item.oid.is_dir
    place = uri.as_prefix() if is_folder else uri
    artifact = f"{'dataset' if is_folder else 'file'}:{place.name}"
    if item.oid is None:
        return claimed_address(artifact, str(place), place.aliases)
    said = {"uri": str(place), "etags_md5": str(item.oid)}
    digest = Digest.of(canonical.encode(said))
    detail.update(said, fixed=False)
    return Node(ref=f"{artifact}@{digest}", basis="claimed", digest=digest, detail=detail, aliases=place.aliases)


def _single(item: Item, url: str) -> Node:
    """Return what lies at another address, or at an absolute path of a host."""
    name = f"file:{spell_name(url.encode())}"
    aliases = (url,) if is_one_word(url) and "://" in url else ()
    if item.listed is not None and (item.oid is None or item.oid.is_dir):
        return _pinned(item.listed, name, {"uri": url}, aliases)
    if item.oid is not None and not item.oid.is_dir:
        pin = Pin.of(md5_dos2unix=item.oid.md5) if item.oid.is_dos2unix else Pin.of(md5=item.oid.md5)
        detail: dict[str, Any] = {"uri": url, "basis_of_identity": pin.said[0][0], "md5": str(item.oid)}
        if item.size is not None:
            detail["bytes"] = item.size
        return Node(ref=f"{name}@{pin.digest()}", basis="claimed", digest=pin.digest(), detail=detail, aliases=aliases)
    if item.oid is None:
        return claimed_address(name, url, aliases)
    said = {"uri": url, "md5": str(item.oid)}
    digest = Digest.of(canonical.encode(said))
    detail = {**said, "fixed": False}
    return Node(ref=f"{name}@{digest}", basis="claimed", digest=digest, detail=detail, aliases=aliases)


def _pinned(listed: Listed, name: str, detail: dict[str, Any], aliases: tuple[str, ...]) -> Node:
    pin = pin_of(replace(listed, md5=None), is_dos2unix=False)
    digest = pin.digest()
    more = {"basis_of_identity": "version" if pin.get("version") else "etag", **dict(pin.said)}
    if listed.size is not None:
        more["bytes"] = listed.size  # type: ignore[assignment]
    return Node(ref=f"{name}@{digest}", basis="claimed", digest=digest, detail={**detail, **more}, aliases=aliases)


def file_node(repository: str, item: Item, path: bytes, commit: str) -> Node | None:
    """Return a file of the repository that DVC hashed and does not keep, None if it has no hash."""
    if item.oid is None or item.oid.is_dir:
        return None
    pin = Pin.of(md5_dos2unix=item.oid.md5) if item.oid.is_dos2unix else Pin.of(md5=item.oid.md5)
    detail: dict[str, Any] = {
        "basis_of_identity": pin.said[0][0],
        "md5": str(item.oid),
        "repository": repository,
        "tracked": paths.spell(path),
        "commit": commit,
    }
    if item.size is not None:
        detail["bytes"] = item.size
    digest = pin.digest()
    return Node(ref=f"file:{name_in(repository, path)}@{digest}", basis="observed", digest=digest, detail=detail)
