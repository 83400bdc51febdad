"""The head of a log (C2SP tlog-checkpoint): its origin, size and root, as the text of a signed note."""

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from lineal.core.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE
from lineal.core.note import Signer, Verifier, decode_base64, open_note, sign_note
from lineal.errors import BadSignature, Malformed

_TEXT: Final = re.compile("([^\x00-\x1f\ud800-\udfff]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log signs: its origin (the log's name, one line), its size in entries and its root hash (32 bytes).

    Raises `Malformed` if the values cannot stand in a checkpoint, or size 0 comes with a root other than `EMPTY_ROOT`.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_SIZE or _TEXT.fullmatch(self.encode()) is None:
            raise Malformed(
                f"not a checkpoint: origin {self.origin!r}, size {self.size}, {len(self.root)} bytes of root"
            )
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise Malformed("a log without entries has the empty root")

    def encode(self) -> str:
        """Return the three lines of the checkpoint, without signatures."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Return the checkpoint whose text is exactly `text`; raise `Malformed` otherwise, also for extension lines."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise Malformed(f"not a checkpoint of three lines: {text[:200]!r}")
        return cls(origin=match[1], size=int(match[2]), root=decode_base64(match[3]))


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """Return the signed note of `checkpoint`; the key's name is the origin (so `BadInput` if it cannot be a key's)."""
    return sign_note(checkpoint.encode(), signer, checkpoint.origin)


def open_checkpoint(data: bytes, log_key: Verifier) -> Checkpoint:
    """Return the checkpoint in the note `data`, signed by the log's own key, whose name is the log's origin.

    Raises `Malformed` if `data` is no such note, `BadSignature` if the key has not signed it or the origin is another.
    """
    checkpoint = Checkpoint.parse(open_note(data, [log_key]).text)
    if checkpoint.origin != log_key.name:
        raise BadSignature(f"the key of {log_key.name} has signed a checkpoint of {checkpoint.origin}")
    return checkpoint
