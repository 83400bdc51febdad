"""Manifests and configurations: what is read of them, what is refused, and what never leaves them."""

import hashlib
import json
from typing import Any

import pytest

from lineal.errors import DigestMismatch
from lineal.sources.oci_config import read_config, read_created
from lineal.sources.oci_http import Unseen
from lineal.sources.oci_manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    read_descriptor,
    read_manifest,
    read_pairs,
)

SECRET = "hunter2hunter2"
PART = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:" + "1" * 64, "size": 7}


def spell(document: Any) -> bytes:
    return json.dumps(document).encode()


def image(**more: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": PART, "layers": [PART], **more}


def index(**more: Any) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [PART], **more}


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


@pytest.mark.parametrize(
    ("document", "declared", "kind"),
    [
        (image(), OCI_MANIFEST, OCI_MANIFEST),
        (image(), "", OCI_MANIFEST),
        (image(), "application/octet-stream", OCI_MANIFEST),
        (without(image(), "mediaType"), OCI_MANIFEST, OCI_MANIFEST),
        (without(image(), "mediaType"), "", OCI_MANIFEST),
        (image(mediaType=DOCKER_MANIFEST), DOCKER_MANIFEST, DOCKER_MANIFEST),
        (index(), OCI_INDEX, OCI_INDEX),
        (without(index(), "mediaType"), "text/plain", OCI_INDEX),
        (index(mediaType=DOCKER_LIST), DOCKER_LIST, DOCKER_LIST),
    ],
)
def test_the_four_formats_are_read(document: dict[str, Any], declared: str, kind: str) -> None:
    data = spell(document)
    found = read_manifest(data, "r.example/a:v1", declared)
    assert found.media_type == kind
    assert found.is_index == ("manifests" in document)
    assert found.digest.hex == hashlib.sha256(data).hexdigest()
    assert found.raw == data


@pytest.mark.parametrize(
    ("document", "declared", "code"),
    [
        (image(manifests=[]), OCI_MANIFEST, "oci.malformed"),
        (index(layers=[]), OCI_INDEX, "oci.malformed"),
        (index(config=PART), OCI_INDEX, "oci.malformed"),
        (image(), OCI_INDEX, "oci.malformed"),
        (without(image(), "mediaType"), OCI_INDEX, "oci.malformed"),
        (image(mediaType="text/plain"), "", "oci.malformed"),
        (image(mediaType=["x"]), "", "oci.malformed"),
        (image(schemaVersion=3), "", "oci.malformed"),
        (image(layers={}), "", "oci.malformed"),
        (image(layers=[1]), "", "oci.malformed"),
        (image(config=None), "", "oci.malformed"),
        (image(config={**PART, "digest": "sha256:xyz"}), "", "oci.malformed"),
        (image(config={**PART, "digest": "md5:" + "1" * 32}), "", "oci.malformed"),
        (image(config={**PART, "digest": "sha512:" + "1" * 64}), "", "oci.malformed"),
        (image(config={**PART, "size": -1}), "", "oci.malformed"),
        (image(config={**PART, "size": 2**53}), "", "oci.malformed"),
        (image(config={**PART, "size": True}), "", "oci.malformed"),
        (image(config={**PART, "size": 1.5}), "", "oci.malformed"),
        ({"schemaVersion": 1, "fsLayers": [], "name": "a"}, "", "oci.old_format"),
        ([], "", "oci.malformed"),
        ("text", "", "oci.malformed"),
    ],
)
def test_anything_else_is_refused(document: Any, declared: str, code: str) -> None:
    with pytest.raises(Unseen) as caught:
        read_manifest(spell(document), "r.example/a:v1", declared)
    assert caught.value.gap.code == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "oci.malformed"),
        (b'{"schemaVersion": 2', "oci.malformed"),
        (b"[" * 100_000, "oci.malformed"),
        (b'{"schemaVersion": ' + b"9" * 10_000 + b"}", "oci.malformed"),
        (b"\xff\xfe{}", "oci.malformed"),
        (b"<!DOCTYPE html><title>Sign in</title>", "oci.not_a_registry"),
        (b"\n\n<html>", "oci.not_a_registry"),
    ],
)
def test_bytes_that_are_no_document(data: bytes, code: str) -> None:
    with pytest.raises(Unseen) as caught:
        read_manifest(data, "r.example/a:v1")
    assert caught.value.gap.code == code


def test_a_part_is_checked_by_digest_and_size() -> None:
    for algorithm in ("sha256", "sha512"):
        digest = f"{algorithm}:{hashlib.new(algorithm, b'abc').hexdigest()}"
        part = read_descriptor({"mediaType": "x", "digest": digest, "size": 3}, "here")
        assert part.check(b"abc", "here") == b"abc"
        with pytest.raises(DigestMismatch):
            part.check(b"abd", "here")
        with pytest.raises(DigestMismatch, match="3 bytes, and 4"):
            read_descriptor({"mediaType": "x", "digest": digest, "size": 4}, "here").check(b"abc", "here")


def test_labels_lose_their_secrets_and_have_a_size() -> None:
    found = read_pairs({"api_token": SECRET, "url": f"https://bo:{SECRET}@x.example", "b": "\ud800", "n": 1, "a": "1"})
    assert SECRET not in json.dumps(found)
    assert found["a"] == "1"
    assert "n" not in found
    found["b"].encode()
    assert len(read_pairs({str(number): "x" for number in range(1000)})) == 200
    assert sum(map(len, read_pairs({str(number): "x" * 5000 for number in range(200)}).values())) <= 1 << 18
    assert read_pairs([1]) == {}


def config(**said: Any) -> bytes:
    inner = {name.capitalize(): said.pop(name) for name in ("env", "labels", "entrypoint", "cmd") if name in said}
    return spell({"architecture": "arm64", "variant": "v8", "os": "linux", "config": inner, **said})


def test_a_configuration_says_what_runs() -> None:
    found = read_config(
        config(
            env=["PATH=/usr/bin", "PYTHON_VERSION=3.11.7"],
            labels={"a": "b"},
            entrypoint=["python"],
            cmd=["train.py"],
            created="2026-03-01T10:00:00.123456789+01:00",
            rootfs={"type": "layers", "diff_ids": ["sha256:" + "1" * 64]},
            history=[{"created_by": "RUN pip install x", "empty_layer": True}, "no step"],
        ),
        "here",
    )
    assert found.platform == "linux/arm64/v8"
    assert found.created == "2026-03-01T09:00:00.123456Z"
    assert found.detail["environment"] == {"PATH": "/usr/bin", "PYTHON_VERSION": "3.11.7"}
    assert found.detail["entrypoint"] == ["python"]
    assert found.detail["history"][0] == {"created_by": "RUN pip install x", "empty_layer": True}
    assert found.diff_ids == ("sha256:" + "1" * 64,)
    assert found.is_plain


@pytest.mark.parametrize(
    "said",
    [
        {"env": [f"DB_PASSWORD={SECRET}"]},
        {"env": [f"OPAQUE={SECRET}"]},
        {"env": [f"PYTHON_API_TOKEN={SECRET}"]},
        {"env": [f"PIP_NO_INDEX_URL=https://bo:{SECRET}@pypi.example/simple"]},
        {"labels": {"db.password": SECRET}},
        {"entrypoint": ["serve", "--password", SECRET]},
        {"cmd": [f"--api-key={SECRET}"]},
        {"history": [{"created_by": f"ARG DB_PASSWORD={SECRET}"}]},
        {"history": [{"created_by": f"RUN git clone https://bo:{SECRET}@git.example/x"}]},
        {"author": f"https://bo:{SECRET}@x.example"},
    ],
)
def test_a_secret_in_a_configuration_is_not_recorded_and_its_bytes_are_not_kept(said: dict[str, Any]) -> None:
    found = read_config(config(**said), "here")
    assert SECRET not in json.dumps(found.detail)
    assert not found.is_plain


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "yesterday", "", "2026-03-01", 7, None]
)
def test_a_moment_that_cannot_be_is_none(text: object) -> None:
    assert read_created(text) is None


@pytest.mark.parametrize(
    "document", [{}, {"config": 1}, {"config": {"Env": 1, "Labels": [1], "Cmd": "sh"}, "history": 1}]
)
def test_a_configuration_of_odd_shape_is_read_as_far_as_it_goes(document: Any) -> None:
    assert read_config(spell(document), "here").detail == {}
