"""References to container images, in one canonical spelling: ``docker.io/library/python:3.12``.

The grammar is that of the distribution project (reference/reference.go) and of the OCI distribution specification 1.1,
"Pulling manifests", with the names that Docker leaves out put in: the registry ``docker.io``, its ``library/``, and
the tag ``latest``.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from lineal.core import path
from lineal.core.digest import Digest
from lineal.errors import BadDigest, BadRef

DOCKER_HUB: Final = "docker.io"
_HUB_HOSTS: Final = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
_LONGEST: Final = 255
_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY: Final = re.compile(rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::(?P<port>[0-9]{{1,5}}))?")
_REPOSITORY: Final = re.compile(r"{0}(?:/{0})*".format(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"))
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_FIX: Final = "Write NAME:TAG, REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:…"


@dataclass(frozen=True, slots=True, order=True)
class Image:
    """An image: where it lives, and what it is asked for by: a `tag`, a `digest`, or both (the digest holds then)."""

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @property
    def name(self) -> str:
        """``REGISTRY/REPOSITORY``: what all its versions have in common."""
        return f"{self.registry}/{self.repository}"

    @property
    def artifact(self) -> str:
        """The recorded thing whose versions are the images of this name: ``container:REGISTRY/REPOSITORY``."""
        return f"container:{path.spell(self.name.encode())}"

    def tagged(self, tag: str) -> "Image":
        """Return the image that `tag` names in the same repository; raise `BadRef` if it is not a tag."""
        return replace(self, tag=check_tag(tag), digest=None)

    def at(self, digest: Digest) -> "Image":
        """Return the version of the image with this `digest`, without a tag."""
        return replace(self, tag=None, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        return f"{self.name}{tag}{f'@{self.digest}' if self.digest is not None else ''}"


def parse(text: str) -> Image:
    """Return the image that `text` names; ``str`` of it is the canonical spelling, which reads back to the same.

    ``docker://`` in front, as skopeo writes it, may stand. The registry is in lower case, without the port 443 that
    HTTPS has anyway; neither tag nor digest means the tag ``latest``. Raises `BadRef`.
    """
    bare = text.removeprefix("docker://")
    rest, at, digest_text = bare.partition("@")
    registry, repository, tag = _split(rest, text)
    if len(registry) + 1 + len(repository) > _LONGEST:
        raise BadRef(f"the name of an image is over {_LONGEST} characters long: {text[:80]!r}…", fix=_FIX)
    try:
        digest = Digest.parse(digest_text) if at else None
    except BadDigest as error:
        raise BadRef(f"not an image: {text!r}: {error.message}", fix=_FIX) from error
    if tag is None and digest is None:
        tag = "latest"
    return Image(registry, repository, None if tag is None else check_tag(tag), digest)


def _split(rest: str, text: str) -> tuple[str, str, str | None]:
    """Return registry, repository and tag of ``[REGISTRY/]REPOSITORY[:TAG]``."""
    if "://" in text.removeprefix("docker://"):
        raise BadRef(f"not an image: {text!r}: an image has no {text.partition('://')[0]}://", fix=_FIX)
    first, slash, below = rest.partition("/")
    # A first part is a registry when it could be no folder of Docker Hub: it has a dot or a port.
    has_registry = bool(slash) and (first.lower() == "localhost" or re.search(r"[.:\[]", first) is not None)
    registry, path_and_tag = (first, below) if has_registry else (DOCKER_HUB, rest)
    repository, colon, tag = path_and_tag.partition(":")
    place = _REGISTRY.fullmatch(registry)
    if place is None or int(place["port"] or 443) > 65535:
        raise BadRef(f"not an image: {text!r}: {registry!r} is no registry", fix=_FIX)
    if _REPOSITORY.fullmatch(repository) is None:
        why = "names are in lower case" if repository.lower() != repository else "no such name of a repository"
        raise BadRef(f"not an image: {text!r}: {repository!r}: {why}", fix=_FIX)
    host, port = place["host"].lower(), str(int(place["port"] or 443))
    if host in _HUB_HOSTS and port == "443":
        return DOCKER_HUB, repository if "/" in repository else f"library/{repository}", tag if colon else None
    # Without its port, a host of one word would read as a folder of Docker Hub.
    plain = port == "443" and (re.search(r"[.\[]", host) is not None or host == "localhost")
    return host if plain else f"{host}:{port}", repository, tag if colon else None


def check_tag(text: str) -> str:
    """Return `text` if it is a tag: up to 128 letters, digits, ``_``, ``.`` and ``-``; raise `BadRef` otherwise."""
    if _TAG.fullmatch(text) is None:
        raise BadRef(f"not the tag of an image: {text[:140]!r}", fix=_FIX)
    return text
