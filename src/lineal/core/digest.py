"""SHA-256 digests in their one spelling."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from lineal.errors import BadDigest

_SPELLING: Final = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A SHA-256 value (32 bytes). Its only spelling is ``sha256:`` and 64 lowercase hex digits."""

    value: bytes

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Return the digest spelled by `text`; raise `BadDigest` for any other spelling."""
        match = _SPELLING.fullmatch(text)
        if match is None:
            shown = text if len(text) <= 80 else text[:77] + "..."
            raise BadDigest(f"not a digest: {shown!r}")
        return cls(bytes.fromhex(match[1]))

    @classmethod
    def of(cls, data: bytes) -> "Digest":
        """Return the digest of `data`."""
        return cls(hashlib.sha256(data).digest())

    @property
    def hex(self) -> str:
        """The 64 lowercase hex digits alone."""
        return self.value.hex()

    def __str__(self) -> str:
        return f"sha256:{self.value.hex()}"
