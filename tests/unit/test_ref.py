"""References: one spelling for each thing, and no other is taken for it."""

import pytest

from lineal.core.ref import (
    KINDS,
    MAX_LENGTH,
    MAX_NODE,
    ArtifactRef,
    ForeignRef,
    RunRef,
    VersionRef,
    parse,
    parse_node,
)
from lineal.errors import BadRef

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("dataset:raw", ArtifactRef("dataset", "raw")),
        ("dataset:../../etc", ArtifactRef("dataset", "../../etc")),
        ("file:/a%20b", ArtifactRef("file", "/a%20b")),
        ("code:github.com/acme/risk", ArtifactRef("code", "github.com/acme/risk")),
        ("container:host:5000/image", ArtifactRef("container", "host:5000/image")),
        ("model:ümlaut", ArtifactRef("model", "ümlaut")),
        ("model:m@7", VersionRef("model", "m", "7")),
        ("model:m@latest", VersionRef("model", "m", "latest")),
        (f"model:m@{DIGEST}", VersionRef("model", "m", DIGEST)),
        ("model:m@ab12", VersionRef("model", "m", "ab12")),
        ("code:c@0f1e+dirty", VersionRef("code", "c", "0f1e+dirty")),
        ("run:train-1f0c", RunRef("train-1f0c")),
        ("arn:aws:sagemaker:eu-west-1:1:x/y", ForeignRef("arn:aws:sagemaker:eu-west-1:1:x/y")),
        ("s3://bucket/key@v", ForeignRef("s3://bucket/key@v")),
        ("Dataset:raw", ForeignRef("Dataset:raw")),
        ("dataset", ForeignRef("dataset")),
    ],
)
def test_what_a_reference_means(text: str, meant: object) -> None:
    assert parse(text) == meant
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "dataset:", "dataset:@1", "dataset:a@", "dataset:a@1@2", "dataset:a b", "dataset:a\n", "dataset:a%",
     "dataset:a%2f", "dataset:a%41", "dataset:%C3%BC", "dataset:a\x7f", "dataset:a@../x", "dataset:a@-1",
     "dataset:a@1 ", "dataset:a@\u0661", "dataset:\udcff", "run:", "run:a/b", "run:../x", "run:-x", "run:a@1",
     "run:" + "a" * 129, "a b", "a\tb", "a\u2028b", "a\x1bb", "a\u202eb", "\udcff", "x" * (MAX_LENGTH + 1),
     "model:m@" + "a" * 129],
)  # fmt: skip
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(BadRef):
        parse(text)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "endpoint"])
def test_a_version_is_named_by_its_whole_digest(kind: str) -> None:
    assert str(parse_node(f"{kind}:n@{DIGEST}")) == f"{kind}:n@{DIGEST}"
    for version in ("1", "latest", DIGEST[:-1], DIGEST.upper(), DIGEST[7:], DIGEST + "0", "sha256:", DIGEST + "\n"):
        with pytest.raises(BadRef):
            parse_node(f"{kind}:n@{version}")
    with pytest.raises(BadRef):
        parse_node(f"{kind}:n")


def test_a_revision_is_named_by_its_number() -> None:
    assert str(parse_node("endpoint:e@12")) == "endpoint:e@12"
    for text in ("endpoint:e", "endpoint:e@012", "endpoint:e@+1", "endpoint:e@1.0", f"endpoint:e@{DIGEST}", "s3://x"):
        with pytest.raises(BadRef):
            parse_node(text)


def test_the_name_of_a_node_has_a_length_that_every_database_can_index() -> None:
    room = MAX_NODE - len(f"file:@{DIGEST}")
    assert parse_node(f"file:{'n' * room}@{DIGEST}")
    for name in ("n" * (room + 1), "ü" * (room // 2 + 1)):
        with pytest.raises(BadRef, match="too long"):
            parse_node(f"file:{name}@{DIGEST}")
