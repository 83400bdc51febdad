"""What is attached to an image: signatures, attestations, lists of its contents. Listed, and kept where it is small.

Three ways are in use: the referrers of OCI distribution 1.1, its fallback tag ``sha256-HEX`` ("Referrers Tag Schema")
where the registry does not offer them, and cosign's own tags ``sha256-HEX.sig``, ``.att`` and ``.sbom``.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lineal.core.digest import Digest
from lineal.core.image import Image
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import redact
from lineal.errors import IntegrityError
from lineal.sources.oci import Looker, Place, Seen, explain
from lineal.sources.oci_http import NotThere, Stopped, Unseen
from lineal.sources.oci_manifest import ATTESTATION, Descriptor, Manifest, read_manifest, shorten
from lineal.sources.oci_provenance import read_provenance
from lineal.sources.oci_registry import Repository

ATTACHED: Final = "container.attached/1"
KEPT_SIZE: Final = 1 << 20
_ROOM: Final = 32 << 20
_MOST: Final = 100
_ABOUT: Final = "vnd.docker.reference.digest"
_ANNOTATIONS_SIZE: Final = 1 << 14
_COSIGN: Final = ("sig", "att", "sbom")


@dataclass(frozen=True, slots=True)
class Attachments:
    """What is attached to images of the repository of `image`, whose bytes are had from `place`.

    `repository` is asked for what refers to them, None where there is no registry to ask; `listed` are all of its tags,
    where they are known: they spare questions.
    """

    looker: Looker
    place: Place
    image: Image
    repository: Repository | None = None
    listed: Collection[str] | None = None

    def observe(self, manifest: Manifest) -> Iterator[Seen | Gap]:
        """Yield what is attached to an image, and to each platform of an index; and what of it could not be read.

        BuildKit puts its attestations into the index itself.
        """
        inside: dict[str, list[Descriptor]] = {}
        subjects = [manifest.digest]
        for part in manifest.manifests[:_MOST]:
            if ATTESTATION in part.annotations:
                inside.setdefault(part.annotations.get(_ABOUT, str(manifest.digest)), []).append(part)
            elif part.sha256 is not None:
                subjects.append(part.sha256)
        for subject in dict.fromkeys(subjects):
            yield from self._observe_one(subject, inside.get(str(subject), []))

    def _observe_one(self, subject: Digest, inside: Sequence[Descriptor]) -> Iterator[Seen | Gap]:
        about = str(self.image.at(subject))
        found: dict[Digest, tuple[Manifest, str]] = {}
        for manifest, via in self._find(subject, inside):
            if isinstance(manifest, Gap):
                yield Gap(manifest.code, manifest.explanation, manifest.about or about)
            elif len(found) < _MOST:
                found.setdefault(manifest.digest, (manifest, via))
            else:
                yield Gap("oci.too_many", f"more than {_MOST} things are attached: the rest was not read", about)
                break
        if not found:
            return
        roles: dict[str, str] = {}
        objects: list[bytes] = []
        rows: list[dict[str, Any]] = []
        for digest in sorted(found):
            row, kept, gaps = self._describe(*found[digest], _ROOM - sum(map(len, objects)))
            yield from (Gap(gap.code, gap.explanation, about) for gap in gaps)
            rows.append(row)
            for name, data in kept:
                roles[f"attached {digest.hex[:12]} {name}"] = str(Digest.of(data))
                objects.append(data)
        said = (read_provenance(data, subject) for data in objects)
        stated = next((each for each in said if each is not None), None)
        yield replace(_say(self.looker, self.image, subject, rows, roles, tuple(objects)), stated=stated)

    def _find(self, subject: Digest, inside: Sequence[Descriptor]) -> Iterator[tuple[Manifest | Gap, str]]:
        for descriptor in inside:
            yield self._manifest(descriptor), "index"
        if self.repository is None:
            return
        try:
            referrers = self.repository.referrers(subject)
        except Stopped:
            raise
        except (Unseen, IntegrityError) as error:
            yield explain(error, str(self.image.at(subject))), ""
            referrers = []
        for descriptor in referrers or ():
            yield self._manifest(descriptor), "referrers"
        fallback = f"sha256-{subject.hex}"
        for manifest in self._at_tag(self.repository, fallback) if referrers is None else ():
            if isinstance(manifest, Manifest) and manifest.is_index:
                for descriptor in manifest.manifests:
                    yield self._manifest(descriptor), "fallback tag"
            elif isinstance(manifest, Gap) or (manifest.subject is not None and manifest.subject.sha256 == subject):
                yield manifest, "fallback tag"
        for kind in _COSIGN:
            for manifest in self._at_tag(self.repository, f"{fallback}.{kind}"):
                yield manifest, f"cosign {kind}"

    def _manifest(self, descriptor: Descriptor) -> Manifest | Gap:
        about = f"{self.image.name}@{descriptor.digest}"
        try:
            known = None if descriptor.sha256 is None else self.looker.kept(descriptor.sha256)
            if known is not None:
                return read_manifest(descriptor.check(known, about), about, descriptor.media_type)
            return self.place.manifest(descriptor.digest, descriptor)
        except Stopped:
            raise
        except (Unseen, IntegrityError) as error:
            return explain(error, about)

    def _at_tag(self, repository: Repository, tag: str) -> Iterator[Manifest | Gap]:
        if self.listed is not None and tag not in self.listed:
            return
        try:
            yield repository.manifest(tag)
        except NotThere:
            return
        except Stopped:
            raise
        except (Unseen, IntegrityError) as error:
            yield explain(error, f"{self.image.name}:{tag}")

    def _describe(
        self, manifest: Manifest, via: str, room: int
    ) -> tuple[dict[str, Any], list[tuple[str, bytes]], list[Gap]]:
        """Return what is recorded of one thing attached, what of it is kept by role, and what could not be read."""
        kept: list[tuple[str, bytes]] = []
        gaps: list[Gap] = []
        if not redact(manifest.raw.decode("utf-8", "replace"))[1]:
            kept.append(("manifest", manifest.raw))
        blobs = []
        for number, layer in enumerate(manifest.layers[:_MOST]):
            row: dict[str, Any] = {"digest": layer.digest, "media_type": layer.media_type, "size": layer.size}
            data = self._blob(layer) if layer.size <= min(KEPT_SIZE, room) else None
            if isinstance(data, Gap):
                gaps.append(data)
            elif data is not None and layer.sha256 is not None and not redact(data.decode("utf-8", "replace"))[1]:
                kept.append((f"blob {number}", data))
                room -= len(data)
                row["kept"] = True
            blobs.append(row)
        config = manifest.config.media_type if manifest.config is not None else None
        found = {
            "digest": str(manifest.digest),
            "artifact_type": manifest.artifact_type or config,
            "media_type": manifest.media_type,
            "size": len(manifest.raw),
            "via": via,
            "annotations": shorten(manifest.annotations, _ANNOTATIONS_SIZE),
            "blobs": blobs,
        }
        return {name: value for name, value in found.items() if value not in (None, {}, [])}, kept, gaps

    def _blob(self, layer: Descriptor) -> bytes | Gap:
        try:
            known = None if layer.sha256 is None else self.looker.kept(layer.sha256)
            return known if known is not None else self.place.blob(layer, KEPT_SIZE)
        except Stopped:
            raise
        except (Unseen, IntegrityError) as error:
            return explain(error, f"{self.image.name}@{layer.digest}")


def _say(
    looker: Looker,
    image: Image,
    subject: Digest,
    rows: list[dict[str, Any]],
    roles: dict[str, str],
    objects: tuple[bytes, ...],
) -> Seen:
    node = Node(
        ref=f"{image.artifact}@{subject}",
        basis="verified",
        digest=subject,
        detail={"image": image.name, "attached": rows, "objects": roles},
    )
    observation = Observation(
        type=ATTACHED, time=looker.now, actor=looker.actor, basis="verified", nodes=(node,), subject=(node.ref,)
    )
    return Seen(observation=observation, objects=objects)
