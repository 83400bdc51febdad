"""Digests of CloudTrail: signatures, chains, and every way in which they can be wrong."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lineal.core.observation import Gap
from lineal.errors import BadInput
from lineal.sources.cloudtrail_chain import FORGED, PROVEN, UNSIGNED, Chain, check_chain
from lineal.sources.cloudtrail_digest import Digest, PublicKeys, read_digest, read_keys, same_hash
from lineal.sources.cloudtrail_place import read_name

ACCOUNT, REGION, BUCKET = "123456789012", "eu-west-1", "trail"


@cache
def private_key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def public_keys() -> dict[str, Any]:
    """Return the key as `aws cloudtrail list-public-keys` prints it."""
    der = private_key().public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return {"PublicKeyList": [{"Value": base64.b64encode(der).decode(), "Fingerprint": "F1"}]}


def keys() -> PublicKeys:
    found = PublicKeys()
    found.add(public_keys())
    return found


def name(hour: int) -> str:
    return f"{ACCOUNT}_CloudTrail-Digest_{REGION}_main_{REGION}_20261001T{hour:02d}0000Z.json.gz"


@dataclass
class Maker:
    """Writes digests hour by hour, each chained to the one before unless told otherwise."""

    made: list[Digest] = field(default_factory=list)
    last: dict[str, Any] = field(default_factory=dict)

    def hour(self, hour: int, *, restart: bool = False, sign: bool = True, bare: bool = False, **told: Any) -> Digest:
        key = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/2026/10/01/{name(hour)}"
        before = {} if restart else self.last
        document: dict[str, Any] = {
            "awsAccountId": ACCOUNT, "digestStartTime": f"2026-10-01T{hour - 1:02d}:00:00Z",
            "digestEndTime": f"2026-10-01T{hour:02d}:00:00Z", "digestS3Bucket": BUCKET, "digestS3Object": key,
            "digestPublicKeyFingerprint": "f1", "digestSignatureAlgorithm": "SHA256withRSA",
            "previousDigestS3Bucket": before.get("bucket"), "previousDigestS3Object": before.get("key"),
            "previousDigestHashValue": before.get("hash"), "previousDigestSignature": before.get("signature"),
            "logFiles": [],
        } | told  # fmt: skip
        content = json.dumps(document).encode()
        sha256 = hashlib.sha256(content).hexdigest()
        text = "\n".join(
            (document["digestEndTime"], f"{BUCKET}/{key}", sha256, document["previousDigestSignature"] or "null")
        )
        signature = private_key().sign(text.encode(), padding.PKCS1v15(), SHA256()).hex() if sign else "00" * 256
        self.last = {"bucket": BUCKET, "key": key, "hash": sha256, "signature": signature}
        file = read_name(key, len(content))
        assert file is not None
        digest = read_digest(file, content, sha256, None if bare else signature)
        assert isinstance(digest, Digest)
        self.made.append(digest)
        return digest


def states(chain: Chain) -> list[str]:
    return [hour.state for hour in chain.hours]


def test_a_chain_that_holds_is_proven_in_whatever_order_it_comes() -> None:
    maker = Maker()
    for hour in range(1, 6):
        maker.hour(hour)
    chain = check_chain(maker.made[::-1], None, keys())
    assert (states(chain), chain.breaks, chain.gaps) == ([PROVEN] * 5, [], [])
    assert (chain.hours[-1].remember("9999")["name"], chain.hours[-1].remember("2026-10-01T04:30")["covered"]) == (
        name(5),
        "2026-10-01T04:30",
    )


def test_without_signatures_of_their_own_those_before_the_last_are_proven_by_the_next() -> None:
    maker = Maker()
    for hour in range(1, 4):
        maker.hour(hour, bare=True)
    assert states(check_chain(maker.made, None, keys())) == [PROVEN, PROVEN, UNSIGNED]
    assert states(check_chain(maker.made, None, PublicKeys())) == [UNSIGNED] * 3, "no key, no proof"


def test_a_signature_that_does_not_hold_is_a_forgery() -> None:
    maker = Maker()
    maker.hour(1)
    maker.hour(2, sign=False)
    chain = check_chain(maker.made, None, keys())
    assert states(chain) == [PROVEN, FORGED]
    assert [gap.code for gap in chain.gaps] == ["cloudtrail.digest_forged"]


def test_a_digest_that_was_rewritten_is_not_the_one_that_the_next_names() -> None:
    maker = Maker()
    maker.hour(1)
    maker.hour(2)
    maker.hour(3)
    again = Maker(last={})
    again.last = {"bucket": BUCKET, "key": maker.made[0].file.key, "hash": maker.made[0].sha256, "signature": "ab"}
    forged = again.hour(2, newestEventTime="2026-10-01T01:30:00Z")
    assert states(check_chain([maker.made[0], forged, maker.made[2]], None, keys())) == [PROVEN, FORGED, PROVEN]
    assert states(check_chain([maker.made[0], forged, maker.made[2]], None, PublicKeys()))[1] == FORGED


@pytest.mark.parametrize("signature", ["", "xyz", "00", "é"])
def test_a_signature_that_is_none_proves_nothing(signature: str) -> None:
    digest = Maker().hour(1)
    assert keys().holds(digest, signature) is False
    assert PublicKeys().holds(digest, signature) is None


def test_what_lies_between_two_digests_that_do_not_join_is_a_break() -> None:
    maker = Maker()
    for hour in (1, 2, 3):
        maker.hour(hour)
    chain = check_chain([maker.made[0], maker.made[2]], None, keys())
    assert [(each.since[11:16], each.until[11:16], each.restarted) for each in chain.breaks] == [
        ("01:00", "02:00", False)
    ]
    late = Maker(last=dict(maker.last))
    late.hour(
        4, digestStartTime="2026-10-01T03:20:00Z"
    )  # it names the one before it, and does not go on where it ended
    chain = check_chain([*maker.made, *late.made], None, keys())
    assert [(each.since[11:16], each.until[11:16], each.restarted) for each in chain.breaks] == [
        ("03:00", "03:20", False)
    ]
    maker.hour(6, restart=True)
    chain = check_chain(maker.made, None, keys())
    assert [(each.since[11:16], each.until[11:16], each.restarted) for each in chain.breaks] == [
        ("03:00", "05:00", True)
    ]
    assert states(chain) == [PROVEN] * 4


def test_a_look_goes_on_from_the_one_before() -> None:
    maker = Maker()
    maker.hour(1)
    before = check_chain(maker.made, None, keys()).hours[-1].remember("2026-10-01T00:50:00.000000Z")
    maker.hour(2)
    chain = check_chain(maker.made[1:], before, keys())
    assert (states(chain), chain.joins, chain.breaks) == ([PROVEN], "2026-10-01T00:50:00.000000Z", [])
    chain = check_chain(maker.made[1:], before | {"sha256": "00"}, keys())
    assert chain.contradicted == ("2026-10-01T00:00:00.000000Z", "2026-10-01T01:00:00.000000Z")
    assert [gap.code for gap in chain.gaps] == ["cloudtrail.digest_forged"]
    maker.hour(3)
    assert len(check_chain(maker.made[2:], before, keys()).breaks) == 1


def test_hashes_are_numbers_and_may_lack_leading_zeros() -> None:
    assert same_hash("0" + "a" * 63, "A" * 63)
    assert not same_hash("a" * 63, "a" * 64)
    assert not same_hash("", "0")
    assert not same_hash("zz", "zz")


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"digestS3Object": "somewhere/else.json.gz"}, "another place"),
        ({"awsAccountId": "999999999999"}, "another account"),
        ({"digestStartTime": "2026-10-02T00:00:00Z"}, "span"),
        ({"digestEndTime": "never"}, "no digest"),
        ({"logFiles": None}, "no digest"),
        ({"logFiles": [{"s3Object": "x"}]}, "no digest"),
        ({"logFiles": [{"s3Object": "x", "hashValue": "a", "hashAlgorithm": "MD5"}]}, "no digest"),
    ],
)
def test_a_digest_that_says_nonsense_is_none(told: dict[str, Any], word: str) -> None:
    made = Maker().hour(1)
    document = {
        "awsAccountId": ACCOUNT, "digestStartTime": "2026-10-01T00:00:00Z", "digestEndTime": "2026-10-01T01:00:00Z",
        "digestS3Bucket": BUCKET, "digestS3Object": made.file.key, "logFiles": [],
    } | told  # fmt: skip
    found = read_digest(made.file, json.dumps(document).encode(), "00", None)
    assert isinstance(found, Gap)
    assert (found.code, word in found.explanation) == ("cloudtrail.digest_forged", True)
    assert isinstance(read_digest(made.file, b"[]", "00", None), Gap)
    assert isinstance(read_digest(made.file, b"{", "00", None), Gap)


def test_keys_are_read_from_a_file_and_nothing_else_is_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(public_keys()))
    assert len(read_keys(path)) == 1
    for text in (
        "",
        "[]",
        "{}",
        '{"PublicKeyList": [7]}',
        '{"PublicKeyList": [{"Value": "AA==", "Fingerprint": "x"}]}',
    ):
        path.write_text(text)
        with pytest.raises(BadInput):
            read_keys(path)
    with pytest.raises(BadInput):
        read_keys(tmp_path / "none")
