"""Container images as they are in a registry or on disk: every version by the digest of its manifest, hashed here."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.image import Image
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import redact, strip_url
from lineal.errors import IntegrityError
from lineal.sources import oci_config
from lineal.sources.oci_config import Config
from lineal.sources.oci_http import Stopped, Unseen
from lineal.sources.oci_manifest import ATTESTATION, MAX_LISTED, Descriptor, Manifest, read_manifest

OBSERVED: Final = "container.observed/1"
_MOST_MANIFESTS: Final = 500
_DEEPEST: Final = 3
# Where builders say which commit of which repository they built: OCI image 1.1, "Pre-Defined Annotation Keys", and the
# names of label-schema.org that came before.
_SOURCE: Final = ("org.opencontainers.image.source", "org.label-schema.vcs-url")
_REVISION: Final = ("org.opencontainers.image.revision", "org.label-schema.vcs-ref")
_CREATED: Final = "org.opencontainers.image.created"


class Place(Protocol):
    """Where manifests and blobs are had from: a registry, a layout, an archive. Raises `Unseen`, `DigestMismatch`."""

    def manifest(self, reference: str, expected: Descriptor | None = None) -> Manifest:
        """Return what a tag or digest names."""

    def blob(self, descriptor: Descriptor, limit: int) -> bytes:
        """Return a blob of at most `limit` bytes, checked."""

    def check_layers(self, manifest: Manifest) -> None:
        """Check every layer whose bytes are at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What an image says it was built from: the address of a repository, a commit; and where it says so."""

    source: str | None
    revision: str | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One statement about an image, the objects that it names, and what the image says it was built from."""

    observation: Observation
    objects: tuple[bytes, ...] = ()
    stated: Stated | None = None

    @property
    def node(self) -> Node:
        """What the statement is about."""
        return self.observation.nodes[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looker:
    """Who looks, and when; `kept` gives bytes that are known already by their digest, or None."""

    actor: str
    now: str
    kept: Callable[[Digest], bytes | None]

    def observe(self, place: Place, image: Image, manifest: Manifest) -> Iterator[Seen | Gap]:
        """Yield an image of the repository of `image` as `manifest` describes it: of an index, its platforms first."""
        yield from _Look(self, place, image).observe(manifest, None, 0)


@dataclass(slots=True)
class _Look:
    """A look at one image. `found` are the manifests read so far by digest, with the time of those described."""

    looker: Looker
    place: Place
    image: Image
    found: dict[str, str | None] = field(default_factory=dict)

    def observe(self, manifest: Manifest, inherited: Stated | None, depth: int) -> Iterator[Seen | Gap]:
        if not manifest.is_index:
            yield from self._observe_manifest(manifest, inherited)
            return
        stated = read_stated(manifest.annotations, "annotation of the index") or inherited
        parts: dict[str, str] = {}
        for descriptor in manifest.manifests[:_MOST_MANIFESTS]:
            if ATTESTATION in descriptor.annotations:
                continue
            if descriptor.digest not in self.found:
                yield from self._observe_part(descriptor, stated, depth)
            time = self.found.get(descriptor.digest)
            if time is not None:
                parts[f"{self.image.artifact}@{descriptor.digest}"] = time
        if len(manifest.manifests) > _MOST_MANIFESTS:
            why = f"an index refers to {len(manifest.manifests)} manifests: {_MOST_MANIFESTS} of them were read"
            yield Gap("oci.too_many", why, reference(self.image, manifest.digest))
        created = oci_config.read_created(manifest.annotations.get(_CREATED)) or max(parts.values(), default=None)
        objects = _keep(manifest)
        yield from self._miss(manifest, objects)
        node = self._node(manifest, _describe_index(manifest), objects)
        edges = tuple(Edge(part, node.ref, "derived_from") for part in parts)
        yield self._seen(node, created, tuple(objects.values()), stated, edges)

    def _observe_part(self, descriptor: Descriptor, inherited: Stated | None, depth: int) -> Iterator[Seen | Gap]:
        about = f"{self.image.name}@{descriptor.digest}"
        if descriptor.sha256 is None or depth >= _DEEPEST:
            yield Gap("oci.not_read", "a part of the index was not read: no SHA-256, or too deep in indexes", about)
            return
        if len(self.found) >= _MOST_MANIFESTS:
            why = f"the image has more than the {_MOST_MANIFESTS} manifests that are read of one"
            yield Gap("oci.too_many", why, reference(self.image, descriptor.sha256))
            return
        self.found[descriptor.digest] = None
        try:
            part = self._part(descriptor, about)
            stated = read_stated(descriptor.annotations, "annotation in the index") or inherited
            yield from self.observe(part, stated, depth + 1)
        except Stopped:
            raise
        except Unseen as error:
            yield Gap(error.gap.code, error.gap.explanation, about)

    def _part(self, descriptor: Descriptor, about: str) -> Manifest:
        known = None if descriptor.sha256 is None else self.looker.kept(descriptor.sha256)
        if known is None:
            return self.place.manifest(descriptor.digest, descriptor)
        return read_manifest(descriptor.check(known, about), about, descriptor.media_type)

    def _observe_manifest(self, manifest: Manifest, inherited: Stated | None) -> Iterator[Seen | Gap]:
        name = reference(self.image, manifest.digest)
        self.place.check_layers(manifest)
        config, raw = self._config(manifest, name)
        detail = _describe_manifest(manifest)
        objects = _keep(manifest)
        if config is not None and raw is not None:
            detail = {**config.detail, **detail}
            objects |= {"config": raw} if config.is_plain else {}
            if not config.is_plain:
                why = "the configuration may hold secrets: it is recorded without them, and its bytes are not kept"
                yield Gap("oci.config_not_kept", why, name)
        yield from self._miss(manifest, objects)
        node = self._node(manifest, detail, objects)
        labels = {} if config is None else config.labels
        stated = (
            read_stated(manifest.annotations, "annotation of the manifest")
            or read_stated(labels, "label of the configuration")
            or inherited
        )
        created = None if config is None else config.created
        yield self._seen(node, created, tuple(objects.values()), stated)

    def _config(self, manifest: Manifest, name: str) -> tuple[Config | None, bytes | None]:
        descriptor = manifest.config
        if descriptor is None or not manifest.is_image:
            return None, None
        known = None if descriptor.sha256 is None else self.looker.kept(descriptor.sha256)
        raw = known if known is not None else self.place.blob(descriptor, oci_config.LARGEST)
        return oci_config.read_config(raw, f"the configuration of {name}"), raw

    def _node(self, manifest: Manifest, detail: dict[str, Any], objects: Mapping[str, bytes]) -> Node:
        roles = {role: str(Digest.of(data)) for role, data in objects.items()}
        parts = [*([] if manifest.config is None else [("config", manifest.config)])]
        parts += [(f"layers/{number}", layer) for number, layer in enumerate(manifest.layers[:MAX_LISTED])]
        return Node(
            ref=f"{self.image.artifact}@{manifest.digest}",
            basis="verified",
            digest=manifest.digest,
            detail={"image": self.image.name, **detail, **({"objects": roles} if roles else {})},
            aliases=(reference(self.image, manifest.digest),),
            members=tuple((part.sha256, path) for path, part in parts if part.sha256 is not None),
        )

    def _seen(
        self,
        node: Node,
        created: str | None,
        objects: tuple[bytes, ...],
        stated: Stated | None,
        edges: tuple[Edge, ...] = (),
    ) -> Seen:
        # An image came to be when its builder says, unless that cannot be, or has yet to come.
        now = self.looker.now
        time = created if created is not None and created <= now else now
        self.found[str(node.digest)] = time
        observation = Observation(
            type=OBSERVED,
            time=time,
            actor=self.looker.actor,
            basis="verified",
            nodes=(node,),
            edges=edges,
            subject=(node.ref,),
        )
        return Seen(observation=observation, objects=objects, stated=stated)

    def _miss(self, manifest: Manifest, objects: Mapping[str, bytes]) -> Iterator[Gap]:
        if "manifest" not in objects:
            why = "the manifest holds what looks like a secret: its bytes are not kept"
            yield Gap("oci.manifest_not_kept", why, reference(self.image, manifest.digest))


def reference(image: Image, digest: Digest) -> str:
    """Return ``REGISTRY/REPOSITORY@sha256:…``."""
    return str(image.at(digest))


def read_source(said: Mapping[str, str]) -> str | None:
    """Return the address of the repository that labels or annotations name, without a password."""
    source = next((said[name] for name in _SOURCE if said.get(name)), None)
    return None if source is None else strip_url(source)[0]


def read_stated(said: Mapping[str, str], by: str) -> Stated | None:
    """Return what labels or annotations say of the source, None if they name no commit."""
    revision = next((said[name] for name in _REVISION if said.get(name)), None)
    if revision is None:
        return None
    return Stated(source=read_source(said), revision=revision.strip(), by=by)


def explain(error: Unseen | IntegrityError, about: str) -> Gap:
    """Return the gap that an image leaves which could not be seen, or is not what its digest says."""
    if isinstance(error, Unseen):
        return Gap(error.gap.code, error.gap.explanation, error.gap.about or about)
    return Gap("oci.digest_mismatch", f"the bytes are not those of the digest; not recorded: {error.message}", about)


def _keep(manifest: Manifest) -> dict[str, bytes]:
    """Return the bytes of a manifest as they may be kept: none if they hold what looks like a secret."""
    return {} if redact(manifest.raw.decode("utf-8", "replace"))[1] else {"manifest": manifest.raw}


def _describe_manifest(manifest: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = {
        "media_type": manifest.media_type,
        "size": len(manifest.raw),
        "layers": [_describe(layer) for layer in manifest.layers[:MAX_LISTED]],
        "layers_count": len(manifest.layers),
        "layers_size": str(sum(layer.size for layer in manifest.layers)),
    }
    if manifest.config is not None:
        found["config"] = _describe(manifest.config)
    return {**found, **_describe_rest(manifest)}


def _describe_index(manifest: Manifest) -> dict[str, Any]:
    parts = [
        {**_describe(each), **({"platform": each.platform} if each.platform else {})}
        for each in manifest.manifests[:_MOST_MANIFESTS]
    ]
    return {
        "media_type": manifest.media_type,
        "size": len(manifest.raw),
        "manifests": parts,
        **_describe_rest(manifest),
    }


def _describe_rest(manifest: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if manifest.artifact_type is not None:
        found["artifact_type"] = manifest.artifact_type
    if manifest.annotations:
        found["annotations"] = dict(manifest.annotations)
    if manifest.subject is not None:
        found["subject"] = manifest.subject.digest
    return found


def _describe(part: Descriptor) -> dict[str, Any]:
    return {"digest": part.digest, "media_type": part.media_type, "size": part.size}
