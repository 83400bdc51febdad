"""Events: the statement of a producer, and the entry bytes that the ledger keeps of it.

A *statement* is what the producer says; it commits to the event's body by a salted digest, so that the body can be
erased later while every proof still verifies. The *entry* is the statement and the moment at which the ledger took it.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core import canonical, timestamp
from lineal.core.observation import BASES, TYPE
from lineal.errors import BadInput, IntegrityError, LinealError, NotCanonical, TooLarge

MEDIA: Final = "application/vnd.lineal.body+json"
MAX_ENTRY: Final = 32 * 1024
MAX_BODY: Final = 16 * 1024 * 1024
SALT_SIZE: Final = 32

_FIELDS: Final = frozenset(
    "v id type log producer seq prev time said taken basis subject claims payload".split()  # noqa: SIM905
)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_TEXTS: Final = ("id", "type", "log", "producer", "time", "said", "basis")


def commitment(salt: bytes, body: bytes) -> str:
    """Return the lowercase hex SHA-256 of `salt` (32 bytes) followed by `body`."""
    digest = hashlib.sha256(salt)
    digest.update(body)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One statement as its producer made it, with the body and the salt that the statement commits to.

    `seq` counts the producer's events from 0; `prev` is the digest (64 hex digits) of the producer's statement before
    this one, None for the first; `time` is when it happened and `said` when the producer said so.
    """

    id: str
    type: str
    log: str
    producer: str
    seq: int
    prev: str | None
    time: str
    said: str
    basis: str
    subject: tuple[str, ...]
    claims: tuple[str, ...]
    salt: bytes
    body: bytes
    _said: bytes = field(default=b"", init=False, repr=False, compare=False)

    def statement(self) -> dict[str, Any]:
        """Return the statement as a document; raise `TooLarge` for a body over `MAX_BODY`."""
        if len(self.body) > MAX_BODY:
            raise TooLarge(f"an event body of {len(self.body)} bytes: the limit is {MAX_BODY}; nothing was recorded")
        return {
            "v": 1,
            "id": self.id,
            "type": self.type,
            "log": self.log,
            "producer": self.producer,
            "seq": self.seq,
            "prev": self.prev,
            "time": self.time,
            "said": self.said,
            "basis": self.basis,
            "subject": list(self.subject),
            "claims": list(self.claims),
            "payload": {"media": MEDIA, "size": len(self.body), "commit": commitment(self.salt, self.body)},
        }

    def encode(self) -> bytes:
        """Return the canonical bytes of the statement, made once; raises what `statement` and the encoder raise."""
        if not self._said:
            object.__setattr__(self, "_said", canonical.encode(self.statement()))
        return self._said

    def digest(self) -> str:
        """Return the lowercase hex SHA-256 of the canonical bytes of the statement."""
        return hashlib.sha256(self.encode()).hexdigest()


def statement_digest(statement: dict[str, Any]) -> str:
    """Return the lowercase hex SHA-256 of the canonical bytes of `statement` (without ``taken``)."""
    return hashlib.sha256(canonical.encode(statement)).hexdigest()


def encode_entry(statement: dict[str, Any], taken: str) -> bytes:
    """Return the entry bytes: `statement` with the moment at which the ledger took it; raises what `stamp` raises."""
    return stamp(canonical.encode(statement), taken)


def stamp(said: bytes, taken: str) -> bytes:
    """Return the entry bytes of the statement whose canonical bytes are `said`: with the moment ``taken`` in it.

    Raises `TooLarge` when they would be over `MAX_ENTRY`.
    """
    # Nothing is encoded again: in the order of keys ``taken`` stands before ``time``, the last key of that name, and
    # no text in a document can hold these bytes, since quotes inside of texts are escaped.
    before, mark, after = said.rpartition(b',"time":')
    entry = b"".join((before, b',"taken":', canonical.encode(taken), mark, after))
    if len(entry) > MAX_ENTRY:
        raise TooLarge(f"an entry of {len(entry)} bytes: the limit is {MAX_ENTRY}; name fewer subjects")
    return entry


def decode_entry(data: bytes) -> tuple[dict[str, Any], str]:
    """Return the statement and the moment ``taken`` of entry bytes; raise `IntegrityError` for anything else."""
    try:
        entry = canonical.decode(data)
    except NotCanonical as error:
        raise IntegrityError(f"not the bytes of an entry: {error}") from error
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        raise IntegrityError("not the bytes of an entry: its fields are not those of an entry")
    if type(entry["v"]) is not int or entry["v"] != 1:
        raise IntegrityError(f"an entry of version {entry['v']!r}, which this Lineal does not know")
    taken = entry.pop("taken")
    check_entry(entry, taken)
    return entry, taken


def check_entry(entry: dict[str, Any], taken: object) -> None:
    """Raise `IntegrityError` unless the statement `entry`, taken at `taken`, has values that an entry can have."""
    if set(map(type, (taken, *map(entry.__getitem__, _TEXTS)))) != {str}:
        raise IntegrityError("not the bytes of an entry: a field is not text")
    if any(
        type(items) is not list or not set(map(type, items)) <= {str} for items in (entry["subject"], entry["claims"])
    ):
        raise IntegrityError("not the bytes of an entry: subject or claims is not a list of texts")
    payload, prev = entry["payload"], entry["prev"]
    if type(payload) is not dict or payload.keys() != {"media", "size", "commit"} or payload["media"] != MEDIA:
        raise IntegrityError("not the bytes of an entry: its payload is not one")
    if type(payload["size"]) is not int or not 0 <= payload["size"] <= MAX_BODY or not _is_digest(payload["commit"]):
        raise IntegrityError("not the bytes of an entry: bad size or commitment of its body")
    if prev is not None and not _is_digest(prev):
        raise IntegrityError("not the bytes of an entry: bad digest of the statement before")
    if type(entry["seq"]) is not int or entry["seq"] < 0 or entry["basis"] not in BASES:
        raise IntegrityError("not the bytes of an entry: bad sequence number or basis")
    try:
        for moment in (taken, entry["time"], entry["said"]):
            timestamp.check(str(moment))
        if TYPE.fullmatch(entry["type"]) is None:
            raise BadInput(f"not an event type: {entry['type']}")
    except LinealError as error:
        raise IntegrityError(f"not the bytes of an entry: {error.message}") from error


def _is_digest(value: object) -> bool:
    return type(value) is str and _DIGEST.fullmatch(value) is not None


def check_body(statement: dict[str, Any], salt: bytes, body: bytes) -> None:
    """Raise `IntegrityError` unless `statement` commits to `salt` and `body`."""
    payload = statement["payload"]
    if len(salt) != SALT_SIZE or len(body) != payload["size"] or commitment(salt, body) != payload["commit"]:
        raise IntegrityError("an event body does not match the commitment in its entry")
