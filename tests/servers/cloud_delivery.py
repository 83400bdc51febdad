"""How a trail's records come to S3: log files every five minutes, digests every hour, signed and chained.

After "Validating CloudTrail log file integrity" (CloudTrail digest file structure; custom implementations): a digest
names the files delivered in its hour and the digest before it; its signature stands in the metadata of the object.
"""

import gzip
import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from moto.s3.models import s3_backends

from servers.moto import ACCOUNT

SLOT: Final = timedelta(minutes=5)
HOUR: Final = timedelta(hours=1)
Record = dict[str, Any]


def spell(moment: datetime) -> str:
    """Return a moment as CloudTrail spells it: whole seconds, UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache
def signing_key(region: str) -> RSAPrivateKey:
    """Return the key that digests of a region are signed with: one for the life of the process."""
    del region
    return generate_private_key(65537, 2048)


def public_key(region: str) -> tuple[bytes, str]:
    """Return the public key of a region (PKCS #1, DER) and its fingerprint."""
    der = signing_key(region).public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return der, hashlib.md5(der, usedforsecurity=False).hexdigest()


@dataclass
class LogFile:
    """One log file that was delivered, with its records."""

    key: str
    delivered: datetime
    content: bytes
    records: list[Record]

    def name(self, bucket: str) -> dict[str, str]:
        """Return what a digest says of the file."""
        times = sorted(each["eventTime"] for each in self.records)
        return {
            "s3Bucket": bucket,
            "s3Object": self.key,
            "hashValue": hashlib.sha256(self.content).hexdigest(),
            "hashAlgorithm": "SHA-256",
            "newestEventTime": times[-1],
            "oldestEventTime": times[0],
        }


@dataclass
class Digest:
    """One digest that was delivered: the span it is about, what it says, and how it was signed."""

    key: str
    since: datetime
    until: datetime
    content: bytes
    signature: str


@dataclass
class Delivery:
    """What one trail delivers of one region: from when it was switched on until it was switched off.

    `lag` is how long after its five minutes a file comes.
    """

    account: str
    region: str
    trail: str
    home: str
    bucket: str
    prefix: str = ""
    lag: timedelta = timedelta(minutes=1)
    duplicates: int = 0
    files: list[LogFile] = field(default_factory=list)
    digests: list[Digest] = field(default_factory=list)
    waiting: list[tuple[datetime, Record]] = field(default_factory=list)
    began: datetime | None = None
    _chained: bool = False
    _random: Random = field(default_factory=lambda: Random(4))

    def start(self, now: datetime) -> None:
        """Begin a new chain of digests."""
        self.began = now.replace(microsecond=0)
        self._chained = False

    def stop(self, now: datetime) -> None:
        """Deliver what waits, and a last digest."""
        if self.began is None:
            return
        self.move_to(now)
        self.flush(now.replace(microsecond=0))
        self.began = None

    def flush(self, now: datetime) -> None:
        """Deliver what waits, and a digest of the time since the last one."""
        if self.began is not None and now > self.began:
            self._write_files(now, everything=True)
            self._write_digest(self.began, now)
            self.began = now

    def take(self, record: Record, due: datetime) -> None:
        """Take a record, to be delivered from the moment `due` on; none while the trail is off."""
        if self.began is not None:
            self.waiting.append((due, record))

    def move_to(self, now: datetime) -> None:
        """Deliver everything that is due by `now`."""
        while self.began is not None and self.began + HOUR <= now:
            until = self.began + HOUR
            self._write_files(until)
            self._write_digest(self.began, until)
            self.began = until
        self._write_files(now)

    def _write_files(self, now: datetime, *, everything: bool = False) -> None:
        slots: dict[datetime, list[Record]] = {}
        left: list[tuple[datetime, Record]] = []
        for due, record in self.waiting:
            midnight = due.replace(hour=0, minute=0, second=0, microsecond=0)
            ends = midnight + SLOT * ((due - midnight) // SLOT + 1) + self.lag
            if ends <= now or everything:
                slots.setdefault(min(ends, now), []).append(record)
            else:
                left.append((due, record))
        self.waiting = left
        for delivered, records in sorted(slots.items(), key=lambda each: each[0]):
            self._random.shuffle(records)  # files are in no order
            self._write_file(delivered, records)
            if self.duplicates:
                self.duplicates -= 1
                self._write_file(delivered, records)

    def _write_file(self, delivered: datetime, records: Sequence[Record]) -> None:
        name = f"{self.account}_CloudTrail_{self.region}_{delivered:%Y%m%dT%H%MZ}_{secrets.token_hex(8)}.json.gz"
        content = json.dumps({"Records": list(records)}).encode()
        file = LogFile(f"{self._folder('CloudTrail', delivered)}/{name}", delivered, content, list(records))
        put(self.bucket, file.key, gzip.compress(content, mtime=0), delivered)
        self.files.append(file)

    def _write_digest(self, since: datetime, until: datetime) -> None:
        before = self.digests[-1] if self._chained else None
        inside = [each for each in self.files if since < each.delivered <= until]
        times = sorted(record["eventTime"] for each in inside for record in each.records)
        name = f"{self.account}_CloudTrail-Digest_{self.region}_{self.trail}_{self.home}_{until:%Y%m%dT%H%M%SZ}.json.gz"
        key = f"{self._folder('CloudTrail-Digest', until)}/{name}"
        content = json.dumps(
            {
                "awsAccountId": self.account,
                "digestStartTime": spell(since),
                "digestEndTime": spell(until),
                "digestS3Bucket": self.bucket,
                "digestS3Object": key,
                "digestPublicKeyFingerprint": public_key(self.region)[1],
                "digestSignatureAlgorithm": "SHA256withRSA",
                "newestEventTime": times[-1] if times else None,
                "oldestEventTime": times[0] if times else None,
                "previousDigestS3Bucket": self.bucket if before else None,
                "previousDigestS3Object": before.key if before else None,
                "previousDigestHashValue": hashlib.sha256(before.content).hexdigest() if before else None,
                "previousDigestHashAlgorithm": "SHA-256" if before else None,
                "previousDigestSignature": before.signature if before else None,
                "logFiles": [each.name(self.bucket) for each in inside],
            }
        ).encode()
        signed = "\n".join(
            (
                spell(until),
                f"{self.bucket}/{key}",
                hashlib.sha256(content).hexdigest(),
                before.signature if before else "null",
            )
        )
        signature = signing_key(self.region).sign(signed.encode(), padding.PKCS1v15(), SHA256()).hex()
        self.digests.append(Digest(key, since, until, content, signature))
        self._chained = True
        put_digest(self.bucket, key, content, signature, until)

    def _folder(self, kind: str, moment: datetime) -> str:
        start = f"{self.prefix}/" if self.prefix else ""
        return f"{start}AWSLogs/{self.account}/{kind}/{self.region}/{moment:%Y/%m/%d}"

    def between(self, since: datetime, until: datetime) -> Iterator[LogFile]:
        """Yield the files that hold an event of this span."""
        for file in self.files:
            if any(spell(since) <= each["eventTime"] < spell(until) for each in file.records):
                yield file

    # What people do to the bucket behind the trail's back.

    def delete_logs(self, since: datetime, until: datetime) -> list[str]:
        """Delete every log file with an event of this span; return their keys."""
        gone = [each.key for each in self.between(since, until)]
        for key in gone:
            remove(self.bucket, key)
        return gone

    def alter_logs(self, since: datetime, until: datetime) -> list[str]:
        """Take what was changed out of each log file with an event of this span; return their keys."""
        changed = []
        for file in self.between(since, until):
            left = [each for each in file.records if each["readOnly"]]
            put(self.bucket, file.key, gzip.compress(json.dumps({"Records": left}).encode(), mtime=0))
            changed.append(file.key)
        return changed

    def drop_digest(self, moment: datetime) -> str:
        """Delete the digest about `moment`; return its key."""
        found = self.digest_at(moment)
        remove(self.bucket, found.key)
        return found.key

    def put_back_digest(self, moment: datetime) -> None:
        """Write the digest about `moment` as it was delivered."""
        found = self.digest_at(moment)
        put_digest(self.bucket, found.key, found.content, found.signature, found.until)

    def forge_digest(self, moment: datetime) -> str:
        """Write the digest about `moment` anew without its files, with the signature that it had; return its key."""
        found = self.digest_at(moment)
        told = json.loads(found.content) | {"logFiles": []}
        put_digest(self.bucket, found.key, json.dumps(told).encode(), found.signature)
        return found.key

    def digest_at(self, moment: datetime) -> Digest:
        """Return the digest whose span holds `moment`."""
        return next(each for each in self.digests if each.since <= moment < each.until)


def put(bucket: str, key: str, data: bytes, moment: datetime | None = None) -> Any:
    """Write an object as the service itself does: by no call that anybody records."""
    made = s3_backends[ACCOUNT]["aws"].put_object(bucket, key, data)
    if moment is not None:
        made.last_modified = moment.replace(tzinfo=None)
    return made


def put_digest(bucket: str, key: str, content: bytes, signature: str, moment: datetime | None = None) -> None:
    """Write a digest with its signature in the metadata of the object."""
    made = put(bucket, key, gzip.compress(content, mtime=0), moment)
    made.set_metadata({"x-amz-meta-signature": signature, "x-amz-meta-signature-algorithm": "SHA256withRSA"})


def remove(bucket: str, key: str) -> None:
    """Remove an object by no call that anybody records."""
    s3_backends[ACCOUNT]["aws"].delete_object(bucket, key)
