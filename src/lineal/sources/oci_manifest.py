"""Manifests and indexes, as OCI and Docker write them: bytes become values, or are refused.

OCI image specification 1.1 ("Image Manifest", "Image Index"); Docker's image manifest version 2, schema 2.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.core.redaction import clean, redact_value
from lineal.errors import DigestMismatch
from lineal.sources.oci_http import Unseen, read_object

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS: Final = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES: Final = (OCI_INDEX, DOCKER_LIST)
ACCEPT: Final = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))
CONFIGS: Final = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
ATTESTATION: Final = "vnd.docker.reference.type"
"""The annotation by which BuildKit marks an entry of an index that is no image for a platform."""

MAX_LISTED: Final = 1000
_MAX_TEXT: Final = 4096
_MAX_PAIRS: Final = 200
_PAIRS_SIZE: Final = 1 << 18
_FOREIGN: Final = re.compile(r"(?P<algorithm>sha256|sha512):(?P<hex>[0-9a-f]{64}|[0-9a-f]{128})")
_LENGTHS: Final = {"sha256": 64, "sha512": 128}


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a manifest says of another blob: media type, digest as written, size in bytes, and more if it is there."""

    media_type: str
    digest: str
    size: int
    platform: str | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> Digest | None:
        """The digest, if it is a SHA-256."""
        return Digest.parse(self.digest) if self.digest.startswith("sha256:") else None

    def check(self, data: bytes, where: str) -> bytes:
        """Return `data`, which came from `where`, if it is what is described; raise `DigestMismatch` if not."""
        algorithm = self.digest.partition(":")[0]
        found = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
        if found != self.digest:
            raise DigestMismatch(
                f"{where} gave {len(data)} bytes with the digest {found} for {self.digest}; nothing of it was recorded",
                fix="Ask who runs the registry, and compare with another copy of the image.",
            )
        if len(data) != self.size:
            raise DigestMismatch(
                f"{where}: {self.digest} has {len(data)} bytes, and {self.size} in the manifest that names it",
                fix="The manifest is wrong about its own parts: build and push the image anew.",
            )
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest or index whose bytes were hashed here. An index has `manifests`; others have `config` and `layers`."""

    raw: bytes = field(repr=False)
    digest: Digest
    media_type: str
    artifact_type: str | None
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None
    annotations: Mapping[str, str]

    @property
    def is_index(self) -> bool:
        """Whether it only refers to other manifests."""
        return self.media_type in INDEXES

    @property
    def is_image(self) -> bool:
        """Whether a container can be made of it: not a chart, a signature or another artifact."""
        return self.config is not None and self.config.media_type in CONFIGS


def read_manifest(data: bytes, where: str, declared: str = "") -> Manifest:
    """Return what the bytes `data`, which came from `where` as the media type `declared`, say.

    Raises `Unseen` for anything but one of the four media types, and for a document that is two of them at once
    (GHSA-mc8v-mgrf-8f4m): its digest would not say what it means.
    """
    document = read_object(data, where, declared)
    if "fsLayers" in document or document.get("schemaVersion") == 1:
        raise Unseen(
            Gap("oci.old_format", f"{where} is in the format of 2014 (schema 1), which has no digest of its parts")
        )
    media_type = _media_type(document, where, declared)
    index = media_type in INDEXES
    if document.get("schemaVersion") != 2 or ("manifests" in document) != index or ("layers" in document) == index:
        raise _malformed(where, f"it is not a document of the type {media_type}")
    if index and "config" in document:
        raise _malformed(where, "it is index and manifest at once")
    subject = document.get("subject")
    return Manifest(
        raw=data,
        digest=Digest.of(data),
        media_type=media_type,
        artifact_type=_text(document.get("artifactType")),
        config=None if index else read_descriptor(document.get("config"), where),
        layers=() if index else _descriptors(document["layers"], where),
        manifests=_descriptors(document["manifests"], where) if index else (),
        subject=None if subject is None else read_descriptor(subject, where),
        annotations=read_pairs(document.get("annotations")),
    )


def _media_type(document: Mapping[str, Any], where: str, declared: str) -> str:
    said = document.get("mediaType")
    known = (*MANIFESTS, *INDEXES)
    if said is None:
        if declared in known:
            return declared
        return OCI_INDEX if "manifests" in document else OCI_MANIFEST
    if said not in known:
        raise _malformed(where, f"media type {clean(str(said))[:80]!r}")
    if declared in known and declared != said:
        raise _malformed(where, f"it was sent as {declared} and calls itself {said}")
    return str(said)


def _descriptors(value: object, where: str) -> tuple[Descriptor, ...]:
    if not isinstance(value, list):
        raise _malformed(where, "its list of parts is none")
    return tuple(read_descriptor(item, where) for item in value)


def read_descriptor(value: object, where: str) -> Descriptor:
    """Return a content descriptor (OCI image 1.1, "Content Descriptors"); raise `Unseen` if it is none."""
    if not isinstance(value, dict):
        raise _malformed(where, "a part is not described")
    media_type, digest, size = value.get("mediaType"), value.get("digest"), value.get("size")
    match = _FOREIGN.fullmatch(digest) if isinstance(digest, str) else None
    if match is None or len(match["hex"]) != _LENGTHS[match["algorithm"]]:
        raise _malformed(where, "a part has no digest that can be checked (sha256 or sha512)")
    if type(size) is not int or not 0 <= size < 2**53 or not isinstance(media_type, str):
        raise _malformed(where, f"the part {digest} has no media type or no size")
    return Descriptor(
        media_type=_text(media_type) or "",
        digest=match[0],
        size=size,
        platform=_platform(value.get("platform")),
        artifact_type=_text(value.get("artifactType")),
        annotations=read_pairs(value.get("annotations")),
    )


def _platform(value: object) -> str | None:
    """Return a platform as people write it: ``linux/arm64/v8``."""
    if not isinstance(value, dict):
        return None
    parts = [_text(value.get(name)) for name in ("os", "architecture", "variant")]
    return "/".join(part for part in parts if part) or None


def read_pairs(value: object) -> dict[str, str]:
    """Return labels or annotations as they may be recorded: at most 200, of 4,096 characters, secrets cut out."""
    if not isinstance(value, dict):
        return {}
    found: dict[str, str] = {}
    for name in sorted(key for key in value if isinstance(key, str))[:_MAX_PAIRS]:
        if isinstance(value[name], str):
            found[clean(name)[:_MAX_TEXT]] = redact_value(clean(name), clean(value[name]))[0][:_MAX_TEXT]
    return shorten(found, _PAIRS_SIZE)


def shorten(pairs: Mapping[str, str], size: int) -> dict[str, str]:
    """Return as many of `pairs` as have together at most `size` characters: an event has room for so much."""
    found: dict[str, str] = {}
    for name, value in pairs.items():
        size -= len(name) + len(value)
        if size < 0:
            break
        found[name] = value
    return found


def _text(value: object) -> str | None:
    return clean(value)[:256] if isinstance(value, str) else None


def _malformed(where: str, why: str) -> Unseen:
    return Unseen(Gap("oci.malformed", f"{where} is not a manifest that can be read: {why}"))
