"""References: what a person types to name a thing, in one canonical spelling."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lineal.core import path
from lineal.errors import BadRef

KINDS: Final = ("code", "dataset", "container", "environment", "model", "endpoint", "file")
MAX_LENGTH: Final = 8192
MAX_NODE: Final = 2048
"""Bytes of a recorded reference: a B-tree page of PostgreSQL holds keys of at most 2,704."""

_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z:._+-]{0,127}")
_RUN: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """A named thing that has versions: ``dataset:transactions``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class VersionRef:
    """One state of an artifact: ``model:risk@7``, ``@latest``, ``@sha256:…``, or a unique prefix of its digest."""

    kind: str
    name: str
    version: str

    @property
    def artifact(self) -> ArtifactRef:
        """The artifact whose version this is."""
        return ArtifactRef(self.kind, self.name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class RunRef:
    """Something that happened: ``run:ID``."""

    id: str

    def __str__(self) -> str:
        return f"run:{self.id}"


@dataclass(frozen=True, slots=True)
class ForeignRef:
    """A name that another system gave: an ARN, an S3 URI, an image URI, a git commit."""

    text: str

    def __str__(self) -> str:
        return self.text


Ref = ArtifactRef | VersionRef | RunRef | ForeignRef


def parse(text: str) -> Ref:
    """Return the reference that `text` spells; ``str`` of it is `text` again.

    Whatever does not begin with one of `KINDS` or ``run`` is a foreign name. Raises `BadRef` for an empty or
    over-long text, blanks and control characters, and a name or version outside the grammar.
    """
    if not text or len(text) > MAX_LENGTH:
        raise BadRef("a reference is empty" if not text else f"a reference of {len(text)} characters is too long")
    kind, colon, rest = text.partition(":")
    if colon and kind == "run":
        if _RUN.fullmatch(rest) is None:
            raise BadRef(f"not the identifier of a run: {rest!r}")
        return RunRef(rest)
    if colon and kind in KINDS:
        return _parse_artifact(kind, rest)
    if not is_one_word(text):
        raise BadRef(f"a reference holds blanks or control characters: {text!r}")
    return ForeignRef(text)


def is_one_word(text: str) -> bool:
    """Return whether `text` has neither blanks nor control characters, as every reference."""
    return text.isprintable() and not any(char.isspace() for char in text)


def _parse_artifact(kind: str, rest: str) -> ArtifactRef | VersionRef:
    name, at, version = rest.partition("@")
    if not name:
        raise BadRef(f"no name after {kind!r}:")
    path.unspell(name)
    if not at:
        return ArtifactRef(kind, name)
    if _VERSION.fullmatch(version) is None:
        raise BadRef(
            f"not a version: {version!r} (in {kind}:{rest})",
            fix="Write @7, @latest or @sha256:…; an @ in a name is %40.",
        )
    return VersionRef(kind, name, version)


@lru_cache(maxsize=4096)
def parse_node(text: str) -> VersionRef | RunRef:
    """Return the reference of one recorded thing in its canonical spelling; raise `BadRef` for any other.

    That is ``run:ID``, ``endpoint:NAME@NUMBER``, and ``KIND:NAME@sha256:…`` in full for every other kind.
    """
    ref = parse(text)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_NODE:
        raise BadRef(f"the name of a recorded thing is too long: over {MAX_NODE} bytes", fix="Choose a shorter name.")
    if isinstance(ref, RunRef):
        return ref
    if isinstance(ref, VersionRef):
        if ref.kind == "endpoint":
            if ref.version.isdecimal() and str(int(ref.version)) == ref.version:
                return ref
        elif _DIGEST.fullmatch(ref.version) is not None:
            return ref
    raise BadRef(f"not the canonical spelling of a version or run: {text!r}")
