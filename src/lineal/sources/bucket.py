"""Buckets: how their objects are named, what a listing says of each, and what reading them needs of a store."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from lineal.core import path
from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.core.ref import is_one_word
from lineal.datasets.pin import Pin
from lineal.errors import BadInput

SCHEMES: Final = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs", "az": "az", "azure": "az"}
"""What an address may begin with, and its one canonical spelling."""

NULL_VERSION: Final = "null"
"""The version of an object written while the bucket kept no versions: the next write replaces it."""

_URI: Final = re.compile(r"([a-z0-9]+)://([^/]*)(?:/(.*))?", re.DOTALL)
_MD5: Final = re.compile(r"[0-9a-f]{32}")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")


@dataclass(frozen=True, slots=True)
class BucketUri:
    """An object or a prefix of a bucket: ``s3://bucket/key``, or ``s3://bucket/prefix/`` with its slash."""

    scheme: str
    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> "BucketUri":
        """Return the address that `text` spells; ``s3a://`` and the like become ``s3://``. Raises `BadInput`."""
        match = _URI.fullmatch(text)
        scheme = SCHEMES.get(match[1]) if match is not None else None
        if match is None or scheme is None:
            raise BadInput(
                f"not the address of a bucket: {text[:200]!r}", fix="Write s3://BUCKET/PREFIX/, gs:// or az://."
            )
        if _BUCKET.fullmatch(match[2]) is None:
            raise BadInput(
                f"not the name of a bucket: {match[2][:200]!r}",
                fix="Write the plain name, without user, port or ARN; another server is named by --endpoint-url.",
            )
        return cls(scheme, match[2], match[3] or "")

    @property
    def is_prefix(self) -> bool:
        """Whether it names what lies below it: it ends with a slash, or is a whole bucket."""
        return not self.key or self.key.endswith("/")

    def as_prefix(self) -> "BucketUri":
        """Return the prefix of this name."""
        return self if self.is_prefix else BucketUri(self.scheme, self.bucket, f"{self.key}/")

    def below(self, key: str) -> "BucketUri":
        """Return the address of another key of the same bucket."""
        return BucketUri(self.scheme, self.bucket, key)

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names that it is found by: of a prefix, with the slash and without."""
        text = _in_one_word(str(self))
        return (text, text.rstrip("/")) if self.is_prefix else (text,)

    @property
    def name(self) -> str:
        """The address as the name of a recorded thing: spelled, without the slash at its end."""
        return path.spell(str(self).rstrip("/").encode())

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


def folder_of(uri: BucketUri) -> str:
    """Return what the keys of a recorded address begin with, before the paths of its files."""
    return uri.key if uri.is_prefix else uri.key[: uri.key.rfind("/") + 1]


def is_md5(etag: str | None) -> bool:
    """Return whether an ETag has the shape of the MD5 of the bytes: of one upload, not of parts."""
    return etag is not None and _MD5.fullmatch(etag) is not None


def _in_one_word(text: str) -> str:
    return text if is_one_word(text) else path.spell(text.encode())


@dataclass(frozen=True, slots=True)
class Listed:
    """One object, or one version of it, as a listing has it.

    `etag` stands without its quotes. `version` is None where the store keeps none. Of the versions of one key, one is
    `current`; a `deleted` one is a delete marker. `sha256` is whether the store has such a checksum of the object: None
    if the listing does not say.
    """

    key: str
    size: int
    etag: str | None
    version: str | None = None
    current: bool = True
    deleted: bool = False
    sha256: bool | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether its version names these bytes for ever: a version that no later write replaces."""
        return self.version is not None and self.version != NULL_VERSION

    @property
    def pin(self) -> Pin:
        """What identifies it by the word of the store; an empty ETag where the store says nothing at all."""
        version = self.version if self.is_fixed else None
        return Pin.of(version=version, etag=self.etag if self.etag is not None or version is not None else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a bucket is: whether it keeps versions (None: not known), where it is, how long it locks objects."""

    versioned: bool | None
    region: str | None = None
    endpoint: str | None = None
    object_lock: str | None = None
    gaps: tuple[Gap, ...] = field(default=())


class Bucket(Protocol):
    """One bucket, open for reading. Any number of threads may read from it."""

    uri: BucketUri

    def describe(self) -> Described:
        """Return what the bucket is; what could not be seen is a gap."""

    def listing(self, prefix: str, *, history: bool) -> Iterator[list[Listed]]:
        """Yield what lies below `prefix`, a page at a time, in the order of the store.

        With `history` every version of it, where the bucket keeps them. Raises `SourceError` branches if it does
        not come to the end.
        """

    def find(self, key: str) -> Listed | None:
        """Return the object of exactly this key as it is now, None if there is none."""

    def checksum(self, item: Listed) -> Digest | None:
        """Return the SHA-256 of the whole object as the store has it, None if it has none. Reads no content.

        Raises `ObjectChanged` if the object is not as it was listed.
        """

    def read(self, item: Listed, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to `end` of the object as it was listed.

        Raises `ObjectChanged` if it is not there or not so any more, `SourceError` branches for what is refused.
        """

    def is_opaque(self, item: Listed) -> bool:
        """Return whether the ETag of the object cannot be the MD5 of its bytes: keys of KMS or the customer."""
