"""References to images: what people write, in one spelling."""

import pytest

from lineal.core.digest import Digest
from lineal.core.image import check_tag, parse
from lineal.errors import BadRef

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.12", "docker.io/library/python:3.12"),
        ("acme/risk:v1", "docker.io/acme/risk:v1"),
        ("docker.io/python:3.12", "docker.io/library/python:3.12"),
        ("index.docker.io/library/python:3.12", "docker.io/library/python:3.12"),
        ("docker://registry-1.docker.io/library/python", "docker.io/library/python:latest"),
        (f"python@{DIGEST}", f"docker.io/library/python@{DIGEST}"),
        (f"ghcr.io/acme/risk:v1@{DIGEST}", f"ghcr.io/acme/risk:v1@{DIGEST}"),
        ("GHCR.io/acme/risk", "ghcr.io/acme/risk:latest"),
        ("registry.bank.example:443/a/b/c:v1", "registry.bank.example/a/b/c:v1"),
        ("registry.bank.example:0443/a:v1", "registry.bank.example/a:v1"),
        ("registry.bank.example:5000/a:v1", "registry.bank.example:5000/a:v1"),
        ("registry:443/a:v1", "registry:443/a:v1"),
        ("localhost/a:v1", "localhost/a:v1"),
        ("127.0.0.1:15000/demo/app:v1", "127.0.0.1:15000/demo/app:v1"),
        ("[::1]:5000/demo/app:v1", "[::1]:5000/demo/app:v1"),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/risk:v1",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/risk:v1",
        ),
        ("r.example/a__b/c-d.e--f:T_.-x", "r.example/a__b/c-d.e--f:T_.-x"),
    ],
)
def test_one_spelling(written: str, canonical: str) -> None:
    assert str(parse(written)) == canonical
    assert parse(canonical) == parse(written)


@pytest.mark.parametrize(
    "text",
    [
        "", "@", ":", "/", ":v1", "a:", "a@", "A", "Acme/risk", "a//b", "a/", "/a", "a..b", "a.-b", "-a", "a b", "a\n",
        "https://ghcr.io/acme/risk", "ghcr.io/Acme/risk", "r.example:99999/a", "r.example:x/a", "r_x.example/a",
        "a:v1:v2",
        "a:.v1", "a:" + "v" * 129, "a@sha256:" + "A" * 64, "a@sha512:" + "a" * 128, f"a@{DIGEST}@{DIGEST}", "é",
        "a" * 300,
        "user:pass@r.example/a:v1", "r.example/../a", "[::1/a",
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused(text: str) -> None:
    with pytest.raises(BadRef):
        parse(text)


def test_parts() -> None:
    image = parse(f"ghcr.io/acme/risk:v1@{DIGEST}")
    assert (image.registry, image.repository, image.tag) == ("ghcr.io", "acme/risk", "v1")
    assert image.digest == Digest.parse(DIGEST)
    assert image.name == "ghcr.io/acme/risk"
    assert image.artifact == "container:ghcr.io/acme/risk"
    assert str(image.tagged("v2")) == "ghcr.io/acme/risk:v2"
    assert str(image.at(Digest.parse(DIGEST))) == f"ghcr.io/acme/risk@{DIGEST}"
    assert check_tag("v1") == "v1"
    with pytest.raises(BadRef):
        image.tagged("v/1")
