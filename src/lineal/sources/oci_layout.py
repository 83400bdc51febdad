"""Images on disk: an OCI layout, a folder or a tar of one (OCI image specification 1.1, "Image Layout").

Every byte is hashed.
"""

import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Protocol

from lineal.core.image import Image, parse
from lineal.core.observation import Gap
from lineal.errors import BadInput, BadRef, DigestMismatch
from lineal.sources.oci_http import LARGEST, NotThere, Unseen, read_object
from lineal.sources.oci_manifest import OCI_INDEX, Descriptor, Manifest, read_manifest

_REF_NAME: Final = "org.opencontainers.image.ref.name"
_CONTAINERD: Final = "io.containerd.image.name"
_FOREIGN_LAYER: Final = re.compile(r"nondistributable|foreign")
_PIECE: Final = 1 << 20
_MOST_MEMBERS: Final = 200_000
FIX: Final = "Name a folder with oci-layout, index.json and blobs/, or a file that `docker save` or skopeo wrote."


class Files(Protocol):
    """Files by their names below one root."""

    def open(self, name: str) -> IO[bytes] | None:
        """Return a regular file, open for reading; None if there is none of this name."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a folder."""

    root: Path

    def open(self, name: str) -> IO[bytes] | None:
        """Return a regular file, open for reading; None if there is none of this name."""
        place = self.root / name
        try:
            return open(place, "rb") if place.is_file() else None
        except OSError as error:
            raise BadInput(f"cannot read {place}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Archive:
    """The files of a tar, read where they are: nothing is unpacked."""

    file: Path
    tar: tarfile.TarFile
    members: Mapping[str, tarfile.TarInfo] = field(repr=False)

    @classmethod
    def read(cls, file: Path) -> "Archive":
        """Open the tar `file` (plain or compressed) and list it; raise `BadInput` if it is none."""
        try:
            tar = tarfile.open(file)  # noqa: SIM115  # closed with the process: it is read to the end
            members: dict[str, tarfile.TarInfo] = {}
            for member in tar:
                members[member.name.removeprefix("./")] = member
                if len(members) > _MOST_MEMBERS:
                    raise BadInput(f"{file} has more than {_MOST_MEMBERS} members: it is no image")
        except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
            raise BadInput(f"{file} is no tar that can be read to its end: {error}", fix=FIX) from error
        return cls(file, tar, members)

    def open(self, name: str) -> IO[bytes] | None:
        """Return a member that is a file, or a link to one, open for reading; None if there is none of this name."""
        member = self.members.get(name)
        try:
            return None if member is None else self.tar.extractfile(member)
        except (KeyError, tarfile.TarError, RecursionError):  # links that lead to each other
            return None


@dataclass(frozen=True, slots=True)
class Layout:
    """An OCI layout: it gives manifests and blobs by digest, every one hashed. Messages call it `name`."""

    files: Files
    name: str
    entries: tuple[Descriptor, ...]

    @classmethod
    def read(cls, files: Files, name: str) -> "Layout":
        """Read ``index.json``; raise `BadInput` if `files` are no layout."""
        marker, index = files.open("oci-layout"), files.open("index.json")
        if marker is None or index is None:
            raise BadInput(
                f"{name} is no OCI layout: it has no {'oci-layout' if marker is None else 'index.json'}", fix=FIX
            )
        try:
            version = read_object(read_file(marker, name, LARGEST), f"{name}/oci-layout").get("imageLayoutVersion")
            if not str(version).startswith("1."):
                raise BadInput(f"{name} is an OCI layout of the version {version!r}; 1.0.0 can be read", fix=FIX)
            read = read_manifest(read_file(index, name, LARGEST), f"{name}/index.json", OCI_INDEX)
        except Unseen as error:
            raise BadInput(f"{name} is no OCI layout: {error.gap.explanation}", fix=FIX) from error
        return cls(files, name, read.manifests)

    def manifest(self, reference: str, expected: Descriptor | None = None) -> Manifest:
        """Return the manifest with the digest `reference`; raise `NotThere`, `Unseen` and `DigestMismatch`."""
        found = expected or next((each for each in self.entries if each.digest == reference), None)
        if found is None:
            raise NotThere(Gap("oci.not_there", f"{self.name} has no {reference}"))
        if found.size > LARGEST:
            raise Unseen(Gap("oci.too_large", f"{self.name}: the manifest {found.digest} is over {LARGEST} bytes"))
        return read_manifest(self.blob(found, LARGEST), f"{self.name}: {found.digest}", found.media_type)

    def blob(self, descriptor: Descriptor, limit: int) -> bytes:
        """Return a blob of at most `limit` bytes, checked."""
        return descriptor.check(read_file(self._open(descriptor), self.name, limit), self.name)

    def check_layers(self, manifest: Manifest) -> None:
        """Hash every layer; raise `NotThere` if one is missing, `DigestMismatch` if it holds other bytes."""
        for layer in dict.fromkeys((each.digest, each.size, each.media_type) for each in manifest.layers):
            digest, size, media_type = layer
            descriptor = Descriptor(media_type=media_type, digest=digest, size=size)
            if _FOREIGN_LAYER.search(media_type) and self.files.open(_place(descriptor)) is None:
                continue  # kept by whoever may give it away, never with the image
            found = hash_file(self._open(descriptor), digest.partition(":")[0], self.name)
            if found != digest:
                raise DigestMismatch(
                    f"{self.name}: the layer {digest} holds bytes with the digest {found}; nothing of it was recorded",
                    fix="Copy the image again from where it came from.",
                )

    def _open(self, descriptor: Descriptor) -> IO[bytes]:
        opened = self.files.open(_place(descriptor))
        if opened is None:
            why = f"{self.name} lacks {descriptor.digest}: the image is not whole, and was not recorded"
            raise NotThere(Gap("oci.incomplete", why))
        return opened


def names_of(descriptor: Descriptor) -> tuple[str, ...]:
    """Return what a layout calls one of its images: a tag, or a name in full."""
    said = descriptor.annotations
    return tuple(dict.fromkeys(said[name] for name in (_CONTAINERD, _REF_NAME) if name in said))


def choose(layout: Layout, wanted: list[Image]) -> Iterator[tuple[Image, Descriptor]]:
    """Yield the images of `layout` that `wanted` names, each under its name; all that have a full name if none is.

    Raises `BadInput` for a name that the layout has not, and when it has more than one.
    """
    known = ", ".join(name for each in layout.entries for name in names_of(each)) or "none with a name"
    if not wanted:
        for each in layout.entries:
            full = [name for name in names_of(each) if "/" in name]
            if not full:
                why = f"{layout.name} does not say what its image is called ({known})"
                raise BadInput(why, fix="Name it: lineal collect oci REGISTRY/REPOSITORY:TAG --layout DIR")
            yield _named(full[0], layout.name), each
        return
    for image in wanted:
        called = {str(image), image.tag or "", f"{image.name}:{image.tag}", str(image.digest or "")}
        found = [each for each in layout.entries if called & {*names_of(each), each.digest}]
        found = found or [each for each in layout.entries if len(layout.entries) == 1 and image.digest is None]
        if len({each.digest for each in found}) != 1:
            raise BadInput(f"{layout.name} has {len(found)} images called {image}; it has {known}", fix=FIX)
        yield image, found[0]


def _named(text: str, name: str) -> Image:
    try:
        return parse(text)
    except BadRef as error:
        raise BadInput(f"{name}: {error.message}") from error


def _place(descriptor: Descriptor) -> str:
    return f"blobs/{descriptor.digest.replace(':', '/')}"


def read_file(opened: IO[bytes], name: str, limit: int) -> bytes:
    """Return what is left of an open file and close it; raise `BadInput`, and `Unseen` if it is over `limit` bytes."""
    try:
        with opened:
            data = opened.read(limit + 1)
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise BadInput(f"{name} cannot be read to its end: {error}") from error
    if len(data) > limit:
        raise Unseen(Gap("oci.too_large", f"{name} holds a document of more than the {limit} bytes that are read"))
    return data


def hash_file(opened: IO[bytes], algorithm: str, name: str) -> str:
    """Return the digest of an open file, ``ALGORITHM:HEX``, and close it; raise `BadInput`."""
    running = hashlib.new(algorithm)
    try:
        with opened:
            while piece := opened.read(_PIECE):
                running.update(piece)
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise BadInput(f"{name} cannot be read to its end: {error}") from error
    return f"{algorithm}:{running.hexdigest()}"
