"""Collect container images from registries, layouts and archives: versions, tags, what is attached, what made them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lineal.app.collect import Collected, Collection, Progress, collect
from lineal.app.image_origin import Origins
from lineal.app.session import Session
from lineal.app.tag_history import find_moves, read_history
from lineal.core.digest import Digest
from lineal.core.finding import Finding
from lineal.core.image import Image, parse
from lineal.core.observation import Gap, Observation
from lineal.errors import BadInput, IntegrityError, LinealError, SourceError, StoreError
from lineal.sources.oci import OBSERVED, Looker, Seen, explain
from lineal.sources.oci_attached import Attachments
from lineal.sources.oci_http import Unseen, Wire
from lineal.sources.oci_layout import Archive, Files, Folder, Layout, choose
from lineal.sources.oci_manifest import Descriptor
from lineal.sources.oci_registry import Repository
from lineal.sources.oci_saved import observe_saved, read_saved
from lineal.sources.oci_tags import TAGGED, UNTAGGED, Survey

_HELD: Final = 100
_HELD_SIZE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which images to look at, and where: in their registries, or in a `layout` or an `archive` on disk.

    `environment` names credentials, proxies and AWS; `sleep` is for waiting, None for really waiting.
    """

    images: tuple[Image, ...]
    environment: Mapping[str, str]
    layout: Path | None = None
    archive: Path | None = None
    all_tags: bool = False
    attached: bool = True
    plain_http: bool = False
    sleep: Callable[[float], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedImage:
    """An image as it was asked for, the version that it is now, and the one that its tag named before, if another."""

    image: str
    ref: str
    before: str | None
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedImages:
    """What a collection did; the images it was about; the tags that it found moved or gone."""

    collected: Collected
    images: tuple[NamedImage, ...]
    findings: tuple[Finding, ...]


def collect_images(session: Session, request: Request, on_progress: Progress | None = None) -> CollectedImages:
    """Record the images of `request` and what is new of their tags; an image that cannot be seen leaves a gap.

    Raises `BadInput` for a layout or archive that is none, `SourceError` when not one image could be seen, and
    `IntegrityError`, after everything else was recorded, when one was not what its digest says.
    """
    _check(request)
    started = session.clock()
    scope = " ".join(sorted(str(image) for image in request.images)) or str(request.layout or request.archive)
    collection = Collection("oci", scope[:2000])
    looking = _Looking(session, request, started)
    done = collect(session, collection, looking.run(collection), on_progress)
    findings = [
        finding
        for image in sorted({image.name: image for image in request.images}.values())
        for finding in find_moves(read_history(session, image), started)
    ]
    return CollectedImages(collected=done, images=tuple(looking.named.values()), findings=tuple(findings))


def _check(request: Request) -> None:
    on_disk = [place for place in (request.layout, request.archive) if place is not None]
    if len(on_disk) > 1:
        raise BadInput("a layout and an archive cannot be read at once")
    if on_disk and request.all_tags:
        raise BadInput("--all-tags asks a registry: a layout or archive is read as a whole when no image is named")
    if not on_disk and not request.images:
        raise BadInput("no image is named", fix="lineal collect oci REGISTRY/REPOSITORY:TAG")


@dataclass(slots=True)
class _Looking:
    """One collection on its way: it stores what is to be kept, drops what is no news, and adds what made an image."""

    session: Session
    request: Request
    started: str
    named: dict[str, NamedImage] = field(default_factory=dict)
    _held: list[Seen] = field(default_factory=list)
    _standing: dict[str, dict[str, str]] = field(default_factory=dict)
    _known: dict[str, frozenset[str]] = field(default_factory=dict)

    def run(self, collection: Collection) -> Iterator[Observation | Gap]:
        """Yield what is to be recorded."""
        failures: list[LinealError] = []
        count = 0
        for image, look in self._looks():
            top = ""
            try:
                for seen in look:
                    if isinstance(seen, Gap):
                        yield seen
                        continue
                    count += 1
                    top = self._notice(seen, top)
                    if len(self._held) >= _HELD or sum(map(len, seen.objects)) >= _HELD_SIZE:
                        yield from self._release()
            except (Unseen, IntegrityError) as error:
                gap = explain(error, str(image))
                yield gap
                failures.append(error if isinstance(error, IntegrityError) else SourceError(gap.explanation))
            if top and not self.request.all_tags and str(image) not in self.named:
                self._name(image.name, str(image), top, None)
        yield from self._release()
        collection.covered = {"images": len(self.named), "statements": count}
        broken = next((error for error in failures if isinstance(error, IntegrityError)), None)
        if broken is not None or (failures and not count):
            raise broken or failures[0]

    def _looks(self) -> Iterator[tuple[Image, Iterator[Seen | Gap]]]:
        looker = Looker(actor=self.session.actor, now=self.started, kept=self._kept)
        request = self.request
        if request.layout is not None:
            yield from _look_at_layout(looker, Folder(request.layout), str(request.layout), request)
        elif request.archive is not None:
            yield from _look_at_archive(looker, Archive.read(request.archive), request)
        more = {} if request.sleep is None else {"sleep": request.sleep}
        wire = Wire(request.environment, plain_http=request.plain_http, **more)
        for image in request.images if request.layout is None and request.archive is None else ():
            survey = Survey(
                looker=looker,
                repository=Repository(image, request.environment, wire),
                standing=dict(self._stands(image.name)),
                environment=request.environment,
                attached=request.attached,
            )
            yield image, survey.all(image) if request.all_tags else survey.one(image)

    def _kept(self, digest: Digest) -> bytes | None:
        try:
            return self.session.objects.read(digest) if self.session.objects.has(digest) else None
        except StoreError:
            return None

    def _stands(self, name: str) -> dict[str, str]:
        if name not in self._standing:
            history = read_history(self.session, parse(name))
            self._standing[name], self._known[name] = history.standing(), history.versions
        return self._standing[name]

    def _notice(self, seen: Seen, top: str) -> str:
        """Hold `seen` until it is recorded, unless it says nothing new; return the last version that was described."""
        kind, detail = seen.observation.type, seen.node.detail
        if kind in (TAGGED, UNTAGGED):
            standing, digest = self._stands(detail["image"]), str(seen.node.digest)
            before = standing.get(detail["tag"])
            if kind == UNTAGGED:
                standing.pop(detail["tag"], None)
            elif seen.stated is None:
                standing[detail["tag"]] = digest
                self._name(detail["image"], f"{detail['image']}:{detail['tag']}", seen.node.ref, before)
                if before == digest:
                    return top
        self._held.append(seen)
        return seen.node.ref if kind == OBSERVED else top

    def _name(self, name: str, image: str, ref: str, before: str | None) -> None:
        self._stands(name)
        digest = ref.rpartition("@")[2]
        moved = before if before not in (None, digest) else None
        self.named[image] = NamedImage(image=image, ref=ref, before=moved, new=digest not in self._known[name])

    def _release(self) -> Iterator[Observation | Gap]:
        """Store the objects of what is held, then yield it, each version with what it was built from."""
        held, self._held = self._held, []
        missing = {Digest.of(data): data for seen in held for data in seen.objects}
        missing = {digest: data for digest, data in missing.items() if not self.session.objects.has(digest)}
        if missing:
            with self.session.objects.batch() as batch:
                for data in missing.values():
                    batch.put_bytes(data)
        yield from Origins.read(self.session, held).observe()


def _look_at_layout(
    looker: Looker, files: Files, name: str, request: Request
) -> Iterator[tuple[Image, Iterator[Seen | Gap]]]:
    layout = Layout.read(files, name)
    for image, descriptor in choose(layout, list(request.images)):
        yield image, _look_at_entry(looker, layout, image, descriptor, attached=request.attached)


def _look_at_entry(
    looker: Looker, layout: Layout, image: Image, descriptor: Descriptor, *, attached: bool
) -> Iterator[Seen | Gap]:
    manifest = layout.manifest(descriptor.digest, descriptor)
    yield from looker.observe(layout, image, manifest)
    if attached:
        yield from Attachments(looker, layout, image).observe(manifest)


def _look_at_archive(
    looker: Looker, archive: Archive, request: Request
) -> Iterator[tuple[Image, Iterator[Seen | Gap]]]:
    name = str(archive.file)
    if "index.json" in archive.members:
        yield from _look_at_layout(looker, archive, name, request)
        return
    saved = read_saved(archive, name)
    if request.images and len(saved) > 1:
        raise BadInput(f"{name} holds {len(saved)} images: they keep the names that they have there", fix="Name none.")
    for each in saved:
        images = request.images or tuple(parse(text) for text in each.names)
        if not images:
            raise BadInput(f"{name} does not say what its image is called", fix="Name it: REGISTRY/REPOSITORY:TAG.")
        for image in images:
            yield image, observe_saved(looker, image, each, name)
