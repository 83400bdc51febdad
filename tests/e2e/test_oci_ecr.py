"""Amazon ECR: its API as moto plays it over HTTP; its registry, which moto has not, as a false one behind a proxy."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.core.digest import Digest
from lineal.core.image import parse
from lineal.errors import SourceError
from lineal.sources.ecr import Address, find_password, read_address, read_image, read_settings
from lineal.sources.oci_http import NotThere, Unseen
from lineal.sources.oci_tags import DESCRIBED
from looking import Looker, codes, looking
from servers.false_registry import FalseRegistry, Reply, Request, digest_of, lying
from servers.moto import ACCOUNT, REGION, Moto, moto_server
from servers.registry import basic

COMMIT = "c" * 40
HOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
HERE = Address(ACCOUNT, REGION, "risk")


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Moto]:
    with moto_server() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def looker(tmp_path: Path) -> Iterator[Looker]:
    with looking(tmp_path / "ledger") as found:
        yield found


@pytest.fixture
def registry(moto: Moto, looker: Looker) -> Iterator[FalseRegistry]:
    """The registry of ECR: it asks for HTTP Basic, and is reached as any host by way of a proxy."""
    with lying() as found:
        looker.environment = {**moto.environment(), "HTTP_PROXY": f"http://{found.address}"}
        yield found


def lock(registry: FalseRegistry, password: str) -> None:
    """Let in only whoever has the password."""
    for path, replies in list(registry.routes.items()):
        whole = replies[0]

        def guard(request: Request, whole: Any = whole) -> Reply:
            if request.headers.get("authorization") == basic("AWS", password):
                return whole
            return Reply(401, b"", {"WWW-Authenticate": f'Basic realm="https://{HOST}/",service="ecr.amazonaws.com"'})

        registry.on(path, guard)


def put(moto: Moto, manifest: bytes, *tags: str, **settings: Any) -> None:
    client = moto.client("ecr")
    client.create_repository(repositoryName="risk", **settings)
    said = {"imageManifest": manifest.decode(), "imageDigest": digest_of(manifest)}  # moto would make up another
    for tag in tags:
        client.put_image(repositoryName="risk", imageTag=tag, **said)


@pytest.mark.parametrize(
    ("image", "address"),
    [
        (f"{HOST}/risk:v1", HERE),
        (f"{ACCOUNT}.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a/b:v1", Address(ACCOUNT, "us-gov-west-1", "a/b")),
        (f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn/risk", Address(ACCOUNT, "cn-north-1", "risk")),
        (f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws/risk", HERE),
        (f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com.evil.example/risk", None),
        (f"evil.example.{HOST}/risk", None),
        ("public.ecr.aws/docker/library/python:3.12", None),
        ("docker.io/library/python", None),
    ],
)
def test_which_registries_are_ecr(image: str, address: Address | None) -> None:
    assert read_address(parse(image)) == address


def test_the_settings_of_a_repository(moto: Moto) -> None:
    put(
        moto,
        b"",
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "KMS", "kmsKey": "arn:aws:kms:eu-west-1:123456789012:key/1"},
    )
    found = read_settings(HERE, moto.environment())
    assert found.pop("created")
    assert found == {
        "arn": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/risk",
        "tag_mutability": "IMMUTABLE",
        "scan_on_push": True,
        "encryption": "KMS",
        "kms_key": "arn:aws:kms:eu-west-1:123456789012:key/1",
    }
    assert find_password(HERE, moto.environment()).username == "AWS"


def test_what_ecr_does_not_know_or_say(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotThere):
        read_settings(HERE, moto.environment())
    with pytest.raises(NotThere):
        read_image(HERE, Digest.of(b"x"), moto.environment())
    with pytest.raises(Unseen) as caught:
        read_settings(HERE, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert caught.value.gap.code == "oci.aws"
    with pytest.raises(Unseen) as caught:
        read_settings(HERE, {"AWS_ENDPOINT_URL": "no address"})
    assert caught.value.gap.code == "oci.aws"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(Unseen) as caught:
        read_settings(HERE, moto.environment())
    assert caught.value.gap.code == "oci.aws"


@pytest.mark.parametrize(
    ("status", "code", "gap"),
    [
        (400, "AccessDeniedException", "oci.denied"),
        (400, "UnrecognizedClientException", "oci.denied"),
        (400, "ServerException", "oci.aws"),
        (400, "ThrottlingException", "oci.aws"),
        (500, "", "oci.aws"),
    ],
)
def test_refusals_of_aws(moto: Moto, status: int, code: str, gap: str) -> None:
    body = json.dumps({"__type": code, "message": "no"}).encode() if code else b"<html>moto</html>"
    with lying() as endpoint:
        endpoint.on("/", Reply(status, body, {"Content-Type": "application/x-amz-json-1.1"}))
        with pytest.raises(Unseen) as caught:
            read_settings(HERE, {**moto.environment(), "AWS_ENDPOINT_URL": f"http://{endpoint.address}"})
    assert caught.value.gap.code == gap


def test_an_image_of_ecr_with_the_commit_as_its_other_tag(moto: Moto, registry: FalseRegistry, looker: Looker) -> None:
    source = {"org.opencontainers.image.source": "https://github.com/acme/risk"}
    labels = {**source, "org.opencontainers.image.revision": COMMIT}
    registry.put_image("known", "v1", config={"Labels": labels})
    looker.look(f"{registry.address}/known:v1", attached=False)  # puts the commit on record

    manifest = registry.put_image("risk", "v1", author="risk")
    put(moto, manifest, "v1", COMMIT, imageTagMutability="IMMUTABLE")
    password = find_password(HERE, moto.environment()).password
    lock(registry, password)
    done = looker.look(f"{HOST}/risk:v1", plain_http=True)
    assert [gap.code for gap in done.collected.gaps] == []
    fact = next(fact for fact in looker.facts(f"{HOST}/risk:v1") if fact.type == DESCRIBED)
    assert fact.detail["repository"]["tag_mutability"] == "IMMUTABLE"
    assert fact.detail["tags"] == sorted(["v1", COMMIT])
    assert "pushed" in fact.detail
    views = looker.session.catalog.find(looker.sources_of(f"{HOST}/risk:v1"))
    assert [view.version for view in views.values() if view.kind == "code"] == [COMMIT]
    assert looker.look(f"{HOST}/risk:v1", plain_http=True).collected.recorded == 0
    assert password.encode() not in b"".join(
        file.read_bytes() for file in looker.session.ledger.home.root.rglob("*") if file.is_file()
    )


def test_a_tag_that_moves_where_none_may_is_a_failure(moto: Moto, registry: FalseRegistry, looker: Looker) -> None:
    manifest = registry.put_image("risk", "v1", author="first")
    put(moto, manifest, "v1", imageTagMutability="IMMUTABLE")
    lock(registry, find_password(HERE, moto.environment()).password)
    looker.look(f"{HOST}/risk:v1", plain_http=True)
    second = registry.put_image("risk", "v1", author="second")
    done = looker.look(f"{HOST}/risk:v1", plain_http=True)
    assert [(finding.code, finding.failed) for finding in done.findings] == [("container.immutable_tag_moved", True)]
    assert codes(done) == ["oci.not_there"]  # the API does not know what the registry gives
    assert done.images[0].ref.endswith(digest_of(second))


def test_settings_that_change_are_news(moto: Moto, registry: FalseRegistry, looker: Looker) -> None:
    manifest = registry.put_image("risk", "v1")
    put(moto, manifest, "v1", imageTagMutability="IMMUTABLE")
    looker.look(f"{HOST}/risk:v1", plain_http=True)
    moto.client("ecr").put_image_tag_mutability(repositoryName="risk", imageTagMutability="MUTABLE")
    assert looker.look(f"{HOST}/risk:v1", plain_http=True).collected.recorded == 1
    said = [
        fact.detail["repository"]["tag_mutability"]
        for fact in looker.facts(f"{HOST}/risk:v1")
        if fact.type == DESCRIBED
    ]
    assert said == ["IMMUTABLE", "MUTABLE"]
    moto.client("ecr").put_image_tag_mutability(repositoryName="risk", imageTagMutability="IMMUTABLE")
    assert looker.look(f"{HOST}/risk:v1", plain_http=True).collected.recorded == 1


def test_a_password_that_aws_does_not_give(moto: Moto, registry: FalseRegistry, looker: Looker) -> None:
    registry.put_image("risk", "v1")
    lock(registry, "another")
    looker.environment = {**looker.environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    with pytest.raises(SourceError, match="cannot be asked for"):
        looker.look(f"{HOST}/risk:v1", plain_http=True)
    looker.environment = {**looker.environment, "AWS_ENDPOINT_URL": moto.url}
    with pytest.raises(SourceError, match="does not let us read"):
        looker.look(f"{HOST}/risk:v1", plain_http=True)
