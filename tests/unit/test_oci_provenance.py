"""Provenance of builders: which commit, of which repository, of this very image."""

import base64
import json
from typing import Any

import pytest

from lineal.core.digest import Digest
from lineal.sources.oci_provenance import BY, read_provenance

IMAGE = Digest.of(b"image")
COMMIT = "c" * 40
SOURCE = "https://github.com/acme/risk"
V02, V1 = "https://slsa.dev/provenance/v0.2", "https://slsa.dev/provenance/v1"


def statement(kind: str, predicate: Any, subject: Digest = IMAGE) -> bytes:
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": kind,
            "subject": [{"name": "other", "digest": {"sha256": "0" * 64}}, {"digest": {"sha256": subject.hex}}],
            "predicate": predicate,
        }
    ).encode()


VCS = {"vcs": {"source": f"{SOURCE}.git", "revision": COMMIT}}
BUILDKIT = statement(V02, {"metadata": {"https://mobyproject.org/buildkit@v1#metadata": VCS}})


@pytest.mark.parametrize(
    ("data", "source"),
    [
        (BUILDKIT, f"{SOURCE}.git"),
        (statement(V1, {"runDetails": {"metadata": {"buildkit_metadata": VCS}}}), f"{SOURCE}.git"),
        (
            statement(V02, {"invocation": {"configSource": {"uri": f"{SOURCE}.git#main", "digest": {"sha1": COMMIT}}}}),
            f"{SOURCE}.git",
        ),
        (
            statement(
                V1,
                {
                    "buildDefinition": {
                        "resolvedDependencies": [
                            {"uri": "pkg:docker/python@3.12", "digest": {"sha256": "1" * 64}},
                            {"uri": f"git+{SOURCE}@refs/heads/main", "digest": {"gitCommit": COMMIT}},
                        ]
                    }
                },
            ),
            SOURCE,
        ),
        (json.dumps({"payload": base64.b64encode(BUILDKIT).decode()}).encode(), f"{SOURCE}.git"),
        (json.dumps({"dsseEnvelope": {"payload": base64.b64encode(BUILDKIT).decode()}}).encode(), f"{SOURCE}.git"),
    ],
)
def test_the_commit_is_read_wherever_builders_put_it(data: bytes, source: str) -> None:
    found = read_provenance(data, IMAGE)
    assert found is not None
    assert (found.source, found.revision, found.by) == (source, COMMIT, BY)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b'{"payload": "no base64!"}',
        b'{"payload": 7}',
        b'{"dsseEnvelope": 7}',
        b"[" * 100_000,
        statement(V02, VCS),
        statement(V02, {"metadata": {"https://mobyproject.org/buildkit@v1#metadata": {"vcs": {"revision": COMMIT}}}}),
        statement(V1, [1]),
        statement("https://spdx.dev/Document", {"runDetails": {"metadata": {"buildkit_metadata": VCS}}}),
        statement(V1, {"runDetails": {"metadata": {"buildkit_metadata": VCS}}}, Digest.of(b"another image")),
    ],
)
def test_anything_else_says_nothing(data: bytes) -> None:
    assert read_provenance(data, IMAGE) is None


def test_a_password_in_the_address_is_cut_out() -> None:
    vcs = {"vcs": {"source": "https://bo:hunter2hunter2@git.example/acme/risk", "revision": COMMIT}}
    found = read_provenance(statement(V1, {"runDetails": {"metadata": {"buildkit_metadata": vcs}}}), IMAGE)
    assert found is not None
    assert found.source == "https://git.example/acme/risk"
