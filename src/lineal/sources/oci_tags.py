"""The tags of a repository: what each names now, which are gone, which stay what they are."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lineal.core.digest import Digest
from lineal.core.image import Image
from lineal.core.observation import Gap, Node, Observation
from lineal.errors import IntegrityError
from lineal.sources import ecr
from lineal.sources.oci import Looker, Seen, Stated, explain, read_source
from lineal.sources.oci_attached import Attachments
from lineal.sources.oci_http import NotThere, Stopped, Unseen
from lineal.sources.oci_manifest import Manifest, read_manifest
from lineal.sources.oci_registry import Repository

TAGGED: Final = "container.tagged/1"
UNTAGGED: Final = "container.untagged/1"
DESCRIBED: Final = "container.described/1"
COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ATTACHMENT: Final = re.compile(r"sha256-[0-9a-f]{64}(\.[A-Za-z0-9._-]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A look at one repository. `standing` says which digest each tag had when it was last seen.

    With `attached`, what is attached to each image (signatures, attestations, lists of contents) is read, too.
    """

    looker: Looker
    repository: Repository
    standing: Mapping[str, str]
    environment: Mapping[str, str]
    attached: bool = True
    sources: dict[Digest, str] = field(default_factory=dict)
    """The repositories of code that images name, for those whose commit is only told by a tag."""

    def one(self, image: Image) -> Iterator[Seen | Gap]:
        """Yield the image that a tag or digest names. Raises `Unseen` and `IntegrityError`."""
        try:
            manifest = self.repository.manifest(str(image.digest) if image.digest is not None else image.tag or "")
        except NotThere:
            if image.digest is None and image.tag is not None and image.tag in self.standing:
                yield from self._gone(image.tag)
            raise
        yield from self._image(image, manifest, None)
        yield from self._settings(image, manifest)

    def all(self, image: Image) -> Iterator[Seen | Gap]:
        """Yield what every tag names, and the tags that are gone. Raises `Unseen` if the tags cannot be listed.

        What the registry says a tag names is believed only where it is what was hashed before, and is kept.
        """
        listed = set(self.repository.tags())
        failure: IntegrityError | None = None
        done: dict[Digest, Manifest] = {}
        for tag in sorted(each for each in listed if _ATTACHMENT.fullmatch(each) is None):
            named = image.tagged(tag)
            try:
                manifest = self._unchanged(tag) or self.repository.manifest(tag)
                if manifest.digest in done:
                    yield self._tagged(named, manifest)
                    yield from self._commit_of(named, manifest)
                    continue
                done[manifest.digest] = manifest
                yield from self._image(named, manifest, listed)
            except Stopped:
                raise
            except Unseen as error:
                yield explain(error, str(named))
            except IntegrityError as error:
                yield explain(error, str(named))
                failure = failure or error
        for tag in sorted(self.standing.keys() - listed):
            yield from self._gone(tag)
        if done:
            yield from self._settings(image, next(reversed(done.values())))
        if failure is not None:
            raise failure

    def _unchanged(self, tag: str) -> Manifest | None:
        if tag not in self.standing or self.repository.digest_said(tag) != self.standing[tag]:
            return None
        known = self.looker.kept(Digest.parse(self.standing[tag]))
        return None if known is None else read_manifest(known, f"{self.repository.image.name}:{tag}")

    def _image(self, image: Image, manifest: Manifest, listed: set[str] | None) -> Iterator[Seen | Gap]:
        for seen in self.looker.observe(self.repository, image, manifest):
            yield seen
            if isinstance(seen, Seen):
                said = {**seen.node.detail.get("labels", {}), **seen.node.detail.get("annotations", {})}
                if (source := read_source(said)) is not None:
                    self.sources.setdefault(manifest.digest, source)
        if image.tag is not None and image.digest is None:
            yield self._tagged(image, manifest)
            yield from self._commit_of(image, manifest)
        if self.attached:
            yield from Attachments(self.looker, self.repository, image, self.repository, listed).observe(manifest)

    def _tagged(self, image: Image, manifest: Manifest) -> Seen:
        before = self.standing.get(image.tag or "")
        # The moment is in it, so that a tag which comes back to an image is not what was said of it long ago.
        detail = {"image": image.name, "tag": image.tag, "seen": self.looker.now}
        node = Node(
            ref=f"{image.artifact}@{manifest.digest}",
            basis="verified",
            digest=manifest.digest,
            detail={**detail, **({"before": before} if before not in (None, str(manifest.digest)) else {})},
            aliases=(f"{image.name}:{image.tag}",),
        )
        return self._say(TAGGED, node, "verified")

    def _commit_of(self, image: Image, manifest: Manifest) -> Iterator[Seen]:
        """Yield that a tag which is a commit names what the image was built from, as CodeBuild and others tag."""
        if image.tag is not None and COMMIT.fullmatch(image.tag):
            stated = Stated(source=self.sources.get(manifest.digest), revision=image.tag, by="tag")
            yield replace(self._tagged(image, manifest), stated=stated)

    def _gone(self, tag: str) -> Iterator[Seen | Gap]:
        """Yield that a tag is gone, if the registry says so and lets us read the repository it was in."""
        image = self.repository.image
        try:
            next(self.repository.tags(), None)
            if self._is_there(tag):
                return
        except Unseen as error:
            yield explain(error, f"{image.name}:{tag}")
            return
        digest = Digest.parse(self.standing[tag])
        detail = {"image": image.name, "tag": tag, "seen": self.looker.now}
        node = Node(ref=f"{image.artifact}@{digest}", basis="observed", digest=digest, detail=detail)
        yield self._say(UNTAGGED, node, "observed")

    def _is_there(self, tag: str) -> bool:
        try:
            self.repository.digest_said(tag)
        except NotThere:
            return False
        return True

    def _settings(self, image: Image, manifest: Manifest) -> Iterator[Seen | Gap]:
        """Yield how the registry is set to treat the repository, as far as it tells anybody: only ECR does."""
        address = ecr.read_address(image)
        if address is None:
            if image.digest is None:
                why = "whether a tag can be moved to another image is not known: the registry has no way to ask"
                yield Gap("oci.mutability_unknown", why, image.name)
            return
        detail: dict[str, Any] = {"image": image.name}
        stated = None
        try:
            detail["repository"] = ecr.read_settings(address, self.environment)
            said = ecr.read_image(address, manifest.digest, self.environment)
        except Unseen as error:
            yield explain(error, image.name)
        else:
            detail |= {"tags": list(said.tags), **({"pushed": said.pushed} if said.pushed else {})}
            commits = [tag for tag in said.tags if COMMIT.fullmatch(tag)]
            source = self.sources.get(manifest.digest)
            stated = Stated(source=source, revision=commits[0], by="tag") if len(commits) == 1 else None
        if "repository" in detail:
            node = Node(
                ref=f"{image.artifact}@{manifest.digest}", basis="observed", digest=manifest.digest, detail=detail
            )
            yield replace(self._say(DESCRIBED, node, "observed"), stated=stated)

    def _say(self, kind: str, node: Node, basis: str) -> Seen:
        looker = self.looker
        return Seen(
            observation=Observation(
                type=kind, time=looker.now, actor=looker.actor, basis=basis, nodes=(node,), subject=(node.ref,)
            )
        )
