"""What is attached to an image: signatures, attestations, lists of its contents. Listed, and kept where it is small.

Three ways are in use: the referrers of OCI distribution 1.1, its fallback tag ``sha256-HEX`` ("Referrers Tag Schema")
where the registry does not offer them, and cosign's own tags ``sha256-HEX.sig``, ``.att`` and ``.sbom``.
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

from lineal.core.digest import Digest
from lineal.core.image import Image
from lineal.core.observation import Gap, Node, Observation
from lineal.core.redaction import redact
from lineal.errors import IntegrityError
from lineal.sources.oci import Looker, Seen, explain
from lineal.sources.oci_http import NotThere, Unseen
from lineal.sources.oci_manifest import Descriptor, Manifest, read_manifest
from lineal.sources.oci_registry import Repository

ATTACHED: Final = "container.attached/1"
KEPT_SIZE: Final = 1 << 20
_MOST: Final = 100
_COSIGN: Final = ("sig", "att", "sbom")


def attach(
    looker: Looker, repository: Repository, subject: Digest, listed: Collection[str] | None
) -> Iterator[Seen | Gap]:
    """Yield what is attached to the image with the digest `subject`, and what of it could not be read.

    `listed` are all tags of the repository, where they are known: they spare questions.
    """
    about = str(repository.image.at(subject))
    found: dict[Digest, tuple[Manifest, str]] = {}
    for manifest, via in _find(looker, repository, subject, listed):
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
        manifest, via = found[digest]
        row, kept, gaps = _describe(looker, repository, manifest, via)
        yield from (Gap(gap.code, gap.explanation, about) for gap in gaps)
        rows.append(row)
        for name, data in kept:
            roles[f"attached {digest.hex[:12]} {name}"] = str(Digest.of(data))
            objects.append(data)
    yield _say(looker, repository.image, subject, rows, roles, tuple(objects))


def _find(
    looker: Looker, repository: Repository, subject: Digest, listed: Collection[str] | None
) -> Iterator[tuple[Manifest | Gap, str]]:
    try:
        referrers = repository.referrers(subject)
    except (Unseen, IntegrityError) as error:
        yield explain(error, ""), ""
        referrers = []
    for descriptor in referrers or ():
        yield _manifest(looker, repository, descriptor), "referrers"
    fallback = f"sha256-{subject.hex}"
    if referrers is None:
        for manifest in _at_tag(repository, fallback, listed):
            if isinstance(manifest, Manifest) and manifest.is_index:
                for descriptor in manifest.manifests:
                    yield _manifest(looker, repository, descriptor), "fallback tag"
            elif isinstance(manifest, Gap) or (manifest.subject and manifest.subject.sha256 == subject):
                yield manifest, "fallback tag"
    for kind in _COSIGN:
        for manifest in _at_tag(repository, f"{fallback}.{kind}", listed):
            yield manifest, f"cosign {kind}"


def _manifest(looker: Looker, repository: Repository, descriptor: Descriptor) -> Manifest | Gap:
    about = f"{repository.image.name}@{descriptor.digest}"
    try:
        known = None if descriptor.sha256 is None else looker.kept(descriptor.sha256)
        if known is not None:
            return read_manifest(descriptor.check(known, about), about, descriptor.media_type)
        return repository.manifest(descriptor.digest, descriptor)
    except (Unseen, IntegrityError) as error:
        return explain(error, about)


def _at_tag(repository: Repository, tag: str, listed: Collection[str] | None) -> Iterator[Manifest | Gap]:
    if listed is not None and tag not in listed:
        return
    try:
        yield repository.manifest(tag)
    except NotThere:
        return
    except (Unseen, IntegrityError) as error:
        yield explain(error, f"{repository.image.name}:{tag}")


def _describe(
    looker: Looker, repository: Repository, manifest: Manifest, via: str
) -> tuple[dict[str, Any], list[tuple[str, bytes]], list[Gap]]:
    """Return what is recorded of one thing attached, what of it is kept by role, and what could not be read."""
    kept: list[tuple[str, bytes]] = []
    gaps: list[Gap] = []
    if not redact(manifest.raw.decode("utf-8", "replace"))[1]:
        kept.append(("manifest", manifest.raw))
    blobs = []
    for number, layer in enumerate(manifest.layers[:_MOST]):
        row: dict[str, Any] = {"digest": layer.digest, "media_type": layer.media_type, "size": layer.size}
        if layer.size <= KEPT_SIZE:
            try:
                known = None if layer.sha256 is None else looker.kept(layer.sha256)
                data = known if known is not None else repository.blob(layer, KEPT_SIZE)
            except (Unseen, IntegrityError) as error:
                gaps.append(explain(error, f"{repository.image.name}@{layer.digest}"))
            else:
                row["kept"] = layer.sha256 is not None and not redact(data.decode("utf-8", "replace"))[1]
                kept += [(f"blob {number}", data)] if row["kept"] else []
        blobs.append(row)
    config = manifest.config.media_type if manifest.config is not None else None
    row = {
        "digest": str(manifest.digest),
        "artifact_type": manifest.artifact_type or config,
        "media_type": manifest.media_type,
        "size": len(manifest.raw),
        "via": via,
        "annotations": dict(manifest.annotations),
        "blobs": blobs,
    }
    return {name: value for name, value in row.items() if value not in (None, {}, [])}, kept, gaps


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
        detail={"attached": rows, "objects": roles},
    )
    observation = Observation(
        type=ATTACHED, time=looker.now, actor=looker.actor, basis="verified", nodes=(node,), subject=(node.ref,)
    )
    return Seen(observation=observation, objects=objects)
