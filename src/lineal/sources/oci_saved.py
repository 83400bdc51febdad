"""What ``docker save`` wrote before version 25: images without a manifest, known by the digest of their configuration.

The archive is that of the Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format".
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core.digest import Digest
from lineal.core.image import Image
from lineal.core.observation import Gap, Node, Observation
from lineal.errors import BadInput, DigestMismatch
from lineal.sources import oci_config
from lineal.sources.oci import OBSERVED, Looker, Seen, read_stated
from lineal.sources.oci_http import LARGEST, Unseen, read_object
from lineal.sources.oci_layout import FIX, Files, hash_file, read_file

IDENTITY: Final = "image id"
"""How the detail of a version says that its digest is that of a configuration: the image id of Docker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """One image of an archive of ``docker save`` before version 25: a configuration and layers, and no manifest."""

    config: bytes = field(repr=False)
    digest: Digest
    names: tuple[str, ...]
    layers: tuple[str, ...]


def read_saved(files: Files, name: str) -> list[SavedImage]:
    """Return the images of an archive that Docker saved, every layer checked against its configuration.

    Raises `BadInput` for anything else, `DigestMismatch` for a configuration or layer that is not what it is named.
    """
    opened = files.open("manifest.json")
    if opened is None:
        raise BadInput(f"{name} holds no image: neither index.json nor manifest.json", fix=FIX)
    try:
        found = read_object(b'{"images":' + read_file(opened, name, LARGEST) + b"}", f"{name}/manifest.json")["images"]
    except Unseen as error:
        raise BadInput(f"{name} holds no image: {error.gap.explanation}", fix=FIX) from error
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise BadInput(f"{name}: manifest.json is no list of images", fix=FIX)
    return [_read_saved(files, name, item) for item in found]


def _read_saved(files: Files, name: str, item: dict[str, Any]) -> SavedImage:
    place = str(item.get("Config"))
    opened = files.open(place)
    if opened is None:
        raise BadInput(f"{name} lacks the configuration {place!r}", fix=FIX)
    try:
        config = read_file(opened, name, oci_config.LARGEST)
        rootfs = read_object(config, f"{name}/{place}").get("rootfs")
    except Unseen as error:
        raise BadInput(f"{name}: {error.gap.explanation}", fix=FIX) from error
    named = re.search(r"[0-9a-f]{64}", place)
    digest = hashlib.sha256(config).hexdigest()
    if named is None or named[0] != digest:
        raise DigestMismatch(f"{name}: the configuration {place} has the digest sha256:{digest}; nothing was recorded")
    stated = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    layers = item.get("Layers")
    if not isinstance(stated, list) or not isinstance(layers, list) or len(stated) != len(layers):
        raise BadInput(f"{name}: the layers of {place} are not those that its configuration names", fix=FIX)
    for diff_id, layer in zip(stated, layers, strict=True):
        opened = files.open(str(layer))
        if opened is None:
            raise BadInput(f"{name} lacks the layer {layer!r}: the image is not whole; nothing was recorded", fix=FIX)
        found = hash_file(opened, "sha256", name)
        if found != diff_id:
            raise DigestMismatch(
                f"{name}: the layer {layer} has the digest {found}, not {diff_id}; nothing was recorded"
            )
    tags = item.get("RepoTags")
    return SavedImage(
        config=config,
        digest=Digest.of(config),
        names=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        layers=tuple(map(str, stated)),
    )


def observe_saved(looker: Looker, image: Image, saved: SavedImage, name: str) -> Iterator[Seen | Gap]:
    """Yield the version of `image` that the archive called `name` holds; its digest is the image id."""
    config = oci_config.read_config(saved.config, f"the configuration in {name}")
    ref = f"{image.artifact}@{saved.digest}"
    why = "the archive holds no manifest: the image is known by its image id, which no registry knows it by"
    yield Gap("oci.no_manifest", why, ref)
    detail: dict[str, Any] = {
        **config.detail,
        "image": image.name,
        "identity": IDENTITY,
        "diff_ids": list(saved.layers),
    }
    if config.is_plain:
        detail["objects"] = {"config": str(saved.digest)}
    else:
        why = "the configuration may hold secrets: it is recorded without them, and its bytes are not kept"
        yield Gap("oci.config_not_kept", why, ref)
    known = config.created is not None and config.created <= looker.now
    observation = Observation(
        type=OBSERVED,
        time=config.created if known and config.created is not None else looker.now,
        actor=looker.actor,
        basis="verified",
        nodes=(Node(ref=ref, basis="verified", digest=saved.digest, detail=detail),),
        subject=(ref,),
    )
    objects = (saved.config,) if config.is_plain else ()
    stated = read_stated(config.labels, "label of the configuration")
    yield Seen(observation=observation, objects=objects, stated=stated)
