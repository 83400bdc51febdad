"""Digests of CloudTrail: what an hour delivered, signed, each naming the one before it.

"CloudTrail digest file structure" and "Custom implementations of CloudTrail log file integrity validation" of the user
guide say what is hashed and what is signed: SHA-256 of the uncompressed content; RSA (PKCS #1 v1.5, SHA-256) over the
end of the hour, the place of the digest, its hash and the signature of the one before.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from lineal.core import timestamp
from lineal.core.observation import Gap
from lineal.errors import BadInput, BadTime
from lineal.sources.aws_session import Refusal, ask
from lineal.sources.cloudtrail_file import parse_document
from lineal.sources.cloudtrail_place import LogFile

_MOST_LOGS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Named:
    """A log file as a digest names it: its last part, its hash, and from when to when its events are."""

    key: str
    name: str
    hash: str
    oldest: str
    newest: str


@dataclass(frozen=True, slots=True)
class Previous:
    """The digest before, as a digest names it."""

    name: str
    hash: str
    signature: str


@dataclass(frozen=True, slots=True)
class Digest:
    """One digest: its hour, the log files delivered in it, and what its signature is over."""

    file: LogFile
    sha256: str
    start: str
    end: str
    logs: tuple[Named, ...]
    previous: Previous | None
    signature: str
    fingerprint: str
    signed: bytes


@dataclass(slots=True)
class PublicKeys:
    """Public keys of CloudTrail, by fingerprint."""

    _held: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._held)

    def add(self, document: Mapping[str, Any]) -> None:
        """Add the keys of an answer of ListPublicKeys; raise `BadInput` for what is none."""
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        listed = document.get("PublicKeyList")
        if not isinstance(listed, list):
            raise BadInput("there are no public keys: PublicKeyList is not there")
        for each in listed:
            try:
                value = each["Value"]
                data = value if isinstance(value, bytes) else base64.b64decode(str(value), validate=True)
                self._held[str(each["Fingerprint"]).lower()] = load_der_public_key(data)
            except (KeyError, TypeError, ValueError, binascii.Error) as error:
                raise BadInput(f"not a public key of CloudTrail: {error}") from error

    def holds(self, digest: Digest, signature: str) -> bool | None:
        """Return whether `signature` is that of the digest; None where its key is not known."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.hashes import SHA256

        key = self._held.get(digest.fingerprint.lower())
        if key is None:
            return None
        if not isinstance(key, RSAPublicKey):
            return False
        try:
            key.verify(bytes.fromhex(signature), digest.signed, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True


def read_keys(path: Path) -> PublicKeys:
    """Return the keys in a file as `aws cloudtrail list-public-keys` prints them; raise `BadInput` for another."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(
            f"no public keys can be read from {path}: {error}",
            fix="aws cloudtrail list-public-keys --start-time … > keys.json",
        ) from error
    keys = PublicKeys()
    keys.add(document if isinstance(document, dict) else {})
    return keys


def ask_keys(client: Any, keys: PublicKeys, since: str, until: str) -> Refusal | None:
    """Add the keys with which digests from `since` to `until` are signed in the region of `client`; return a refusal.

    Raises `SourceError` where no call would be answered.
    """
    span = {"StartTime": datetime.fromisoformat(since), "EndTime": datetime.fromisoformat(until)}
    token: dict[str, str] = {}
    while True:
        answer = ask(client, "ListPublicKeys", **span, **token)
        if isinstance(answer, Refusal):
            return answer
        keys.add(answer)
        if not answer.get("NextToken") or answer["NextToken"] == token.get("NextToken"):
            return None
        token = {"NextToken": str(answer["NextToken"])}


def same_hash(one: str, other: str) -> bool:
    """Return whether two hexadecimal hashes are the same number: CloudTrail has left out leading zeros."""
    try:
        return int(one, 16) == int(other, 16)
    except ValueError:
        return False


def read_digest(file: LogFile, content: bytes, sha256: str, signature: str | None) -> Digest | Gap:
    """Return the digest that the unpacked `content` spells; a gap where it is none, or speaks of another place."""
    try:
        told = parse_document(content)
        where = f"{told['digestS3Bucket']}/{told['digestS3Object']}"
        before = told.get("previousDigestSignature")
        end = str(told["digestEndTime"])
        found = Digest(
            file=file,
            sha256=sha256,
            start=_moment(told["digestStartTime"]),
            end=_moment(end),
            logs=tuple(_named(each) for each in _list(told.get("logFiles"))),
            previous=_previous(told),
            signature=signature or "",
            fingerprint=str(told.get("digestPublicKeyFingerprint") or ""),
            signed="\n".join((end, where, sha256, str(before) if before else "null")).encode(),
        )
    except (BadInput, BadTime, KeyError, TypeError, AttributeError, ValueError) as error:
        return Gap("cloudtrail.digest_forged", f"it is no digest: {type(error).__name__}: {error}"[:200], file.key)
    if _last(where) != file.name or found.start > found.end:
        return Gap("cloudtrail.digest_forged", f"it was made for another place or span: {where}"[:300], file.key)
    if str(told.get("awsAccountId")) != file.account:
        return Gap("cloudtrail.digest_forged", "it is that of another account", file.key)
    return found


def _named(entry: Any) -> Named:
    key = str(entry["s3Object"])
    oldest, newest = entry.get("oldestEventTime"), entry.get("newestEventTime")
    if str(entry.get("hashAlgorithm", "SHA-256")) != "SHA-256":
        raise BadInput(f"an unknown hash: {entry['hashAlgorithm']}")
    return Named(
        key=key,
        name=_last(key),
        hash=str(entry["hashValue"]),
        oldest=_moment(oldest) if oldest else "",
        newest=_moment(newest) if newest else "",
    )


def _previous(told: Mapping[str, Any]) -> Previous | None:
    key = told.get("previousDigestS3Object")
    if not key:
        return None
    return Previous(
        name=_last(str(key)),
        hash=str(told.get("previousDigestHashValue") or ""),
        signature=str(told.get("previousDigestSignature") or ""),
    )


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MOST_LOGS:
        raise BadInput("logFiles is no list, or endless")
    return value


def _last(key: str) -> str:
    return key.rpartition("/")[2]


def _moment(text: Any) -> str:
    return timestamp.spell(datetime.fromisoformat(str(text)))
