"""What an address stands for, as a value: the version, and the nodes, edges and gaps to be said of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lineal.core import path
from lineal.core.claim import claimed_address
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.image import Image
from lineal.core.observation import Gap, Node
from lineal.core.redaction import clean, strip_url
from lineal.core.ref import is_one_word
from lineal.sources.bucket import BucketUri

_LONGEST_NAME: Final = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A version that is on record under some foreign name since `time`; `fixed` unless it is an address alone."""

    ref: str
    time: str
    fixed: bool
    detail: dict[str, Any] = field(default_factory=dict)


Named = Callable[[Sequence[str], str | None], Sequence[Recorded]]
"""What is recorded under any of some foreign names by a moment (None: until now), newest first."""


Tagged = Callable[[Image, str], str | None]
"""Which digest the tag of an image named at a moment, as far as that is on record; None where it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an address stands for: the version `ref`, with what is to be said of it where it is not on record."""

    ref: str
    digest: Digest | None = None
    fixed: bool = True
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()
    gaps: tuple[Gap, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """What S3 says of one object: when it was last written, and what identifies it."""

    written: str
    digest: Digest
    detail: dict[str, Any]


def as_code(found: Found) -> Found:
    """Return an object that holds source, such as the archive that the SDK uploads, as code; anything else as it is."""
    if not found.ref.startswith("file:") or not found.nodes:
        return found
    ref = f"code:{found.ref.removeprefix('file:')}"
    nodes = tuple(replace(each, ref=ref) if each.ref == found.ref else each for each in found.nodes)
    return replace(found, ref=ref, nodes=nodes)


def version_found(uri: BucketUri, fixed: Recorded, place: Recorded | None, newest: str | None, at: str) -> Found:
    """Return the version that was on record when the data was read; `place` is the bare address that a run wrote to."""
    gap = Gap(
        "sagemaker.data_not_proved",
        f"it was recorded at {fixed.time}, read at {at} and written to since: whether also between is not known",
        uri.aliases[0],
    )
    return Found(
        ref=fixed.ref,
        digest=digest_of(fixed.ref),
        edges=() if place is None else (Edge(place.ref, fixed.ref, "derived_from"),),
        gaps=(gap,) if newest is None or newest > at else (),
    )


def digest_of(ref: str) -> Digest | None:
    """Return the digest in the reference of a version."""
    version = ref.rpartition("@")[2]
    return Digest.parse(version) if version.startswith("sha256:") else None


def object_found(uri: BucketUri, head: Head) -> Found:
    """Return the object that is there now."""
    node = Node(
        ref=f"file:{shorten(uri.name)}@{head.digest}",
        basis="observed",
        digest=head.digest,
        detail=head.detail,
        aliases=uri.aliases,
    )
    return Found(ref=node.ref, digest=head.digest, nodes=(node,))


def address_found(uri: BucketUri, *, gaps: tuple[Gap, ...], single: bool) -> Found:
    """Return the node of an address of which nothing but itself is known; without and with slash it is the same."""
    whole = uri if single else uri.as_prefix()
    kind = "file" if single else "dataset"
    node = claimed_address(f"{kind}:{shorten(uri.name)}", str(whole), (*whole.aliases, *uri.aliases))
    return Found(ref=node.ref, digest=node.digest, fixed=False, nodes=(node,), gaps=gaps)


def foreign_found(address: str, kind: str = "dataset") -> Found:
    """Return the node of an address that is no bucket: a file system, a table, a name of SageMaker's own."""
    shown = strip_url(clean(address))[0]
    name = shorten(path.spell(shown.encode()) or "nowhere")
    node = claimed_address(f"{kind}:{name}", shown, (shown,) if is_one_word(shown) else ())
    gap = Gap("sagemaker.foreign_address", "the address is of no kind that Lineal can look at", shown[:300])
    return Found(ref=node.ref, digest=node.digest, fixed=False, nodes=(node,), gaps=(gap,))


def shorten(name: str) -> str:
    """Return the name of a recorded thing; of a very long one its beginning and its hash."""
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    return f"{path.spell(name[:400].encode())}~{Digest.of(name.encode())}"
