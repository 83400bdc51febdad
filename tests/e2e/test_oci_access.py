"""Registries that let in whom they know: real ones, with HTTP Basic and with signed tokens."""

import base64
import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from lineal.errors import SourceError
from looking import Looker, codes, looking
from servers.false_registry import FalseRegistry, Reply, Request, lying
from servers.registry import Registry, basic, make_htpasswd, serving

USER, PASSWORD = "bo", "geheim:mit:doppelpunkt"
HASHED = "$2b$04$/hVZ7Posa5jfsMWoCm3m5.mKtVnEfJhU43Mzday24tyrmJTxpT0my"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry behind HTTP Basic, with one image."""
    folder = tmp_path_factory.mktemp("locked")
    settings = make_htpasswd(folder, USER, HASHED)
    with serving(folder / "registry", auth=settings, headers={"Authorization": basic(USER, PASSWORD)}) as registry:
        registry.put_image("team/app", "v1")
        yield registry


@pytest.fixture
def looker(tmp_path: Path) -> Iterator[Looker]:
    with looking(tmp_path / "ledger", {"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}) as found:
        yield found


def write_config(folder: Path, **config: Any) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return {"DOCKER_CONFIG": str(folder), "PATH": os.environ["PATH"]}


def auth(user: str = USER, password: str = PASSWORD) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def write_helper(folder: Path, answer: str, status: int = 0) -> dict[str, str]:
    """Put a credential helper ``docker-credential-test`` into `folder`, which answers to the registry asked for."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "docker-credential-test"
    program.write_text(
        f'#!/bin/sh\nread server\necho "$1 $server" >> {folder}/asked\ncat <<"END"\n{answer}\nEND\nexit {status}\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_without_a_password_it_is_denied(locked: Registry, looker: Looker) -> None:
    with pytest.raises(SourceError, match="no credentials are known"):
        looker.look(f"{locked.address}/team/app:v1")
    with pytest.raises(SourceError, match="does not let us read"):
        looker.look(
            f"{locked.address}/team/app:v1",
            environment=write_config(
                Path(looker.environment["HOME"]), auths={locked.address: {"auth": auth("bo", "x")}}
            ),
        )
    assert looker.containers() == []


@pytest.mark.parametrize("key", ["{}", "https://{}", "https://{}/v2/", "{}/team", "{}/team/app"])
def test_the_password_of_docker_and_podman(locked: Registry, looker: Looker, tmp_path: Path, key: str) -> None:
    auths = {key.format(locked.address): {"auth": auth()}}
    environment = write_config(tmp_path / "docker", auths=auths, credsStore="")
    assert codes(looker.look(f"{locked.address}/team/app:v1", environment=environment)) == []
    assert codes(looker.look(f"{locked.address}/team/app", environment=environment, all_tags=True)) == []


@pytest.mark.parametrize(
    ("file", "variables"),
    [
        (".docker/config.json", {"HOME": "."}),
        (".config/containers/auth.json", {"HOME": "."}),
        ("containers/auth.json", {"XDG_RUNTIME_DIR": "."}),
        ("any.json", {"REGISTRY_AUTH_FILE": "any.json"}),
    ],
)
def test_where_passwords_lie(
    locked: Registry, looker: Looker, tmp_path: Path, file: str, variables: dict[str, str]
) -> None:
    place = tmp_path / "user" / file
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"auths": {locked.address: {"username": USER, "password": PASSWORD}}}))
    environment = {name: str(tmp_path / "user" / value) for name, value in variables.items()}
    assert codes(looker.look(f"{locked.address}/team/app:v1", environment=environment)) == []


def test_the_variables_of_lineal(locked: Registry, looker: Looker) -> None:
    environment = {
        "LINEAL_REGISTRY": locked.address,
        "LINEAL_REGISTRY_USERNAME": USER,
        "LINEAL_REGISTRY_PASSWORD": PASSWORD,
    }
    assert codes(looker.look(f"{locked.address}/team/app:v1", environment=environment)) == []


@pytest.mark.parametrize("how", ["credHelpers", "credsStore"])
def test_a_program_that_keeps_passwords(locked: Registry, looker: Looker, tmp_path: Path, how: str) -> None:
    environment = write_config(
        tmp_path / "docker",
        auths={locked.address: {}},
        **{how: "test" if how == "credsStore" else {locked.address: "test"}},
    )
    answer = json.dumps({"ServerURL": locked.address, "Username": USER, "Secret": PASSWORD})
    environment |= write_helper(tmp_path / "bin", answer)
    assert codes(looker.look(f"{locked.address}/team/app:v1", environment=environment)) == []
    assert (tmp_path / "bin" / "asked").read_text().splitlines()[0] == f"get {locked.address}"


@pytest.mark.parametrize(
    ("answer", "status", "config"),
    [
        ("not json", 0, {"credsStore": "test"}),
        ("{}", 0, {"credsStore": "test"}),
        ("locked", 1, {"credsStore": "test"}),
        ("", 0, {"credsStore": "absent"}),
        ("", 0, {"credsStore": "../../bin/sh"}),
        ("", 0, {"auths": {"ADDRESS": {"auth": "no base64!"}}}),
    ],
)
def test_a_password_that_cannot_be_had_is_said_so(
    locked: Registry, looker: Looker, tmp_path: Path, answer: str, status: int, config: dict[str, Any]
) -> None:
    said = json.loads(json.dumps(config).replace("ADDRESS", locked.address))
    environment = write_config(tmp_path / "docker", **said) | write_helper(tmp_path / "bin", answer, status)
    with pytest.raises(SourceError):
        looker.look(f"{locked.address}/team/app:v1", environment=environment)
    assert looker.run_gaps()[0][0] == "oci.credentials"


def test_a_helper_that_has_no_password_leaves_us_anonymous(locked: Registry, looker: Looker, tmp_path: Path) -> None:
    environment = write_config(tmp_path / "docker", credsStore="test")
    environment |= write_helper(tmp_path / "bin", "credentials not found in native keychain", 1)
    with pytest.raises(SourceError, match="no credentials are known"):
        looker.look(f"{locked.address}/team/app:v1", environment=environment)


def test_a_configuration_that_cannot_be_read(locked: Registry, looker: Looker, tmp_path: Path) -> None:
    environment = write_config(tmp_path / "docker")
    (tmp_path / "docker" / "config.json").write_text("{")
    with pytest.raises(SourceError, match="cannot be read as the configuration"):
        looker.look(f"{locked.address}/team/app:v1", environment=environment)


class Tokens:
    """Who signs tokens for a registry: what it was asked for, and for how long it signs."""

    def __init__(self, issuer: FalseRegistry, folder: Path) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )
        self.certificate = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        self.file = folder / "issuer.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.lifetimes: list[int] = []
        self.issuer = issuer
        issuer.on("/token", self.issue)

    def issue(self, request: Request) -> Reply:
        form = parse_qs(request.body.decode() or request.query)
        allowed = request.headers.get("authorization") == basic(USER, PASSWORD)
        allowed |= form.get("refresh_token") == ["identity-of-bo"]
        kind, name, actions = form["scope"][0].split(":")
        lifetime = self.lifetimes.pop(0) if self.lifetimes else 300
        now = int(datetime.now(UTC).timestamp())
        access = (
            [{"type": kind, "name": name, "actions": actions.split(",")}] if allowed or name == "public/app" else []
        )
        claims = {
            "iss": "test", "sub": USER, "aud": form["service"][0], "exp": now + lifetime, "nbf": now - 300, "iat": now,
            "jti": str(len(self.issuer.asked)), "access": access,
        }  # fmt: skip
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self.certificate]}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (head, claims))
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        said = {"token": f"{signed}.{_base64url(signature)}", "expires_in": max(lifetime, 1)}
        return Reply(200, json.dumps(said).encode(), JSON)

    def token(self, scope: str) -> str:
        headers = {"authorization": basic(USER, PASSWORD)}
        reply = self.issue(Request("GET", "", "/token", f"service=registry&scope={scope}", headers, b""))
        return str(json.loads(reply.body)["token"])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tokens, Registry]]:
    """A registry that believes only signed tokens, and whoever signs them; with an image that all may read."""
    folder = tmp_path_factory.mktemp("tokens")
    with lying() as issuer:
        signer = Tokens(issuer, folder)
        settings = {
            "realm": f"http://{issuer.address}/token",
            "service": "registry",
            "issuer": "test",
            "rootcertbundle": str(signer.file),
        }
        with serving(folder / "registry", auth={"token": settings}) as registry:
            for name in ("team/app", "public/app"):
                token = signer.token(f"repository:{name}:pull,push")
                Registry(registry.address, registry.folder, {"Authorization": f"Bearer {token}"}).put_image(name, "v1")
            yield signer, registry


def test_a_token_for_everybody(tokens: tuple[Tokens, Registry], looker: Looker) -> None:
    _, registry = tokens
    assert codes(looker.look(f"{registry.address}/public/app:v1")) == []
    with pytest.raises(SourceError):
        looker.look(f"{registry.address}/team/app:v1")
    assert looker.run_gaps()[0][0] == "oci.denied"


@pytest.mark.parametrize(
    "entry",
    [
        {"auth": auth()},
        {"identitytoken": "identity-of-bo", "auth": auth("bo", "")},
        {"identitytoken": "identity-of-bo"},
    ],
)
def test_a_token_for_a_password_or_an_identity(
    tokens: tuple[Tokens, Registry], looker: Looker, tmp_path: Path, entry: dict[str, str]
) -> None:
    signer, registry = tokens
    signer.issuer.asked.clear()
    environment = write_config(tmp_path / "docker", auths={registry.address: entry})
    assert codes(looker.look(f"{registry.address}/team/app:v1", environment=environment)) == []
    asked = signer.issuer.asked_for("/token")
    assert len(asked) == 1  # one token for all that was read
    form = parse_qs(asked[0].body.decode() or asked[0].query)
    assert (form["scope"], form["service"]) == (["repository:team/app:pull"], ["registry"])


def test_a_token_of_a_helper(tokens: tuple[Tokens, Registry], looker: Looker, tmp_path: Path) -> None:
    _, registry = tokens
    environment = write_config(tmp_path / "docker", credsStore="test")
    environment |= write_helper(tmp_path / "bin", json.dumps({"Username": "<token>", "Secret": "identity-of-bo"}))
    assert codes(looker.look(f"{registry.address}/team/app:v1", environment=environment)) == []


def test_a_token_that_comes_too_late_is_no_leave(
    tokens: tuple[Tokens, Registry], looker: Looker, tmp_path: Path
) -> None:
    signer, registry = tokens
    signer.issuer.asked.clear()
    signer.lifetimes = [-120]  # beyond the leeway of a minute that registries grant
    environment = write_config(tmp_path / "docker", auths={registry.address: {"auth": auth()}})
    with pytest.raises(SourceError):
        looker.look(f"{registry.address}/team/app:v1", environment=environment)
    signer.lifetimes = [300]
    assert codes(looker.look(f"{registry.address}/team/app:v1", environment=environment)) == []


@pytest.fixture
def registry() -> Iterator[FalseRegistry]:
    with lying() as found:
        yield found


def challenge(realm: str) -> Reply:
    return Reply(
        401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="repository:app:pull,push,delete"'}
    )


def test_a_token_that_expires_on_the_way_is_renewed(registry: FalseRegistry, looker: Looker) -> None:
    issued = iter(range(100))

    def answer(request: Request) -> Reply:
        return Reply(200, json.dumps({"access_token": f"t{next(issued)}"}).encode(), JSON)

    registry.put_image("app", "v1")
    for path, replies in list(registry.routes.items()):
        whole = replies[0]

        def guard(request: Request, whole: Any = whole) -> Reply:
            current = "Bearer t1" if "blobs" in request.path else "Bearer t0"
            told = request.headers.get("authorization")
            return whole if told == current else challenge(f"http://{registry.address}/token")

        registry.on(path, guard)
    registry.on("/token", answer)
    assert codes(looker.look(f"{registry.address}/app:v1", attached=False)) == []
    assert [request.query for request in registry.asked_for("/token")] == [
        "service=s&scope=repository%3Aapp%3Apull"
    ] * 2


@pytest.mark.parametrize(
    ("realm", "code"),
    [
        ("http://token.example/token", "oci.unsafe"),
        ("ftp://127.0.0.1/", "oci.unsafe"),
        ("", "oci.unsafe"),
        ("http://[", "oci.unsafe"),
        ("{}/html", "oci.not_a_registry"),
        ("{}/empty", "oci.malformed"),
        ("{}/newline", "oci.malformed"),
        ("{}/denied", "oci.denied"),
        ("{}/elsewhere", "oci.redirected"),
    ],
)
def test_a_place_for_tokens_that_is_none(
    registry: FalseRegistry, looker: Looker, tmp_path: Path, realm: str, code: str
) -> None:
    registry.on("/v2/app/manifests/v1", challenge(realm.replace("{}", f"http://{registry.address}")))
    registry.on("/html", Reply(200, b"<html>Sign in", {"Content-Type": "text/html"}))
    registry.on("/empty", Reply(200, b"{}", JSON))
    registry.on("/newline", Reply(200, b'{"token": "a\\r\\nX-Evil: 1"}', JSON))
    registry.on("/denied", Reply(403, b'{"errors": [{"code": "DENIED"}]}', JSON))
    registry.on("/elsewhere", Reply(307, b"", {"Location": "/empty"}))
    environment = write_config(tmp_path / "docker", auths={registry.address: {"identitytoken": "identity-of-bo"}})
    with pytest.raises(SourceError):
        looker.look(f"{registry.address}/app:v1", environment=environment)
    assert looker.run_gaps()[0][0] == code


def test_a_registry_that_never_accepts_its_own_token_is_asked_twice(registry: FalseRegistry, looker: Looker) -> None:
    registry.on("/v2/app/manifests/v1", challenge(f"http://{registry.address}/token"))
    registry.on("/token", Reply(200, b'{"token": "t"}', JSON))
    with pytest.raises(SourceError, match="does not let us read"):
        looker.look(f"{registry.address}/app:v1")
    assert len(registry.asked_for("/v2/app/manifests/v1")) == 2
