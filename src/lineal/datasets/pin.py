"""Pins: what identifies a file whose bytes nobody here has read, by the word of the system that keeps it.

A bucket names an object's state by version and ETag, DVC a file by its MD5. A pin is the small canonical document
that says so. Its SHA-256 stands in a manifest where the digest of the bytes would stand (kind ``p``), and the document
itself is an object of the store, so that whoever fetches the file later can hold it against what was said.
"""

from dataclasses import dataclass
from typing import Final

from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.errors import BadManifest, NotCanonical

FIELDS: Final = frozenset({"version", "etag", "crc64nvme", "crc32c", "sha256-parts", "md5", "md5-dos2unix"})
"""What can identify a file: version and ETag of a bucket; checksums in the spelling of S3 (Base64); DVC's MD5 (hex)."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What another system says identifies a file: pairs of a field of `FIELDS` and its value, sorted by field."""

    said: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, **said: str | None) -> "Pin":
        """Return the pin of what is known; fields are written with ``_`` for ``-``, and what is None is left out."""
        known = {name.replace("_", "-"): value for name, value in said.items() if value is not None}
        return cls(tuple(sorted(known.items())))

    @classmethod
    def decode(cls, data: bytes) -> "Pin":
        """Return the pin whose bytes are exactly `data`; raise `BadManifest` for any others."""
        try:
            said = canonical.decode(data)
        except NotCanonical as error:
            raise BadManifest(f"not a pin: {error.message}") from error
        if not isinstance(said, dict) or not said or not FIELDS.issuperset(said):
            raise BadManifest("not a pin: it does not say what identifies a file")
        if not all(isinstance(value, str) for value in said.values()):
            raise BadManifest("not a pin: a value is not text")
        return cls(tuple(sorted(said.items())))

    def get(self, field: str) -> str | None:
        """Return what the pin says of `field`, None if nothing."""
        return next((value for name, value in self.said if name == field), None)

    @property
    def is_proof(self) -> bool:
        """Whether bytes can be held against it: it has an MD5 of them. (An ETag may be one, and may look like one.)"""
        return self.get("md5") is not None or self.get("md5-dos2unix") is not None

    def encode(self) -> bytes:
        """Return the canonical bytes of the pin."""
        return canonical.encode(dict(self.said))

    def digest(self) -> Digest:
        """Return the digest by which a manifest names the pin."""
        return Digest.of(self.encode())
