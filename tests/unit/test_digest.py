"""SHA-256 digests have one spelling."""

import hashlib

import pytest

from lineal.core.digest import Digest
from lineal.errors import BadDigest


def test_a_digest_reads_back() -> None:
    digest = Digest.of(b"abc")
    assert str(digest) == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert Digest.parse(str(digest)) == digest
    assert digest.value == hashlib.sha256(b"abc").digest()
    assert str(digest) == f"sha256:{digest.hex}"
    assert sorted([Digest(b"\1" * 32), Digest(b"\0" * 32)])[0] == Digest(bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        "", "sha256:", "sha256:" + "a" * 63, "sha256:" + "a" * 65, "sha256:" + "A" * 64, "SHA256:" + "a" * 64,
        "a" * 64, "sha256:" + "g" * 64, " sha256:" + "a" * 64, "sha256:" + "a" * 64 + "\n", "md5:" + "a" * 32,
        "sha256:" + "\u0661" * 64, "sha256-" + "a" * 64, "x" * 100_000,
    ],
)  # fmt: skip
def test_any_other_spelling_is_refused_in_few_words(text: str) -> None:
    with pytest.raises(BadDigest) as refused:
        Digest.parse(text)
    assert len(refused.value.message) < 200
