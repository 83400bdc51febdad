"""Registries that lie, refuse, stall or send half: a clear error or a gap, and never a version that is not true."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import urllib3

from lineal.errors import IntegrityError, SourceError
from lineal.sources import oci_http
from looking import Looker, codes, looking
from servers.false_registry import INDEX, MANIFEST, FalseRegistry, Reply, Request, digest_of, lying, reply_of

JSON = {"Content-Type": "application/json"}
OPAQUE = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def registry() -> Iterator[FalseRegistry]:
    with lying() as found:
        found.on("/v2/app/tags/list", Reply(200, b'{"name": "app", "tags": ["v1"]}', JSON))
        yield found


@pytest.fixture
def looker(tmp_path: Path) -> Iterator[Looker]:
    with looking(tmp_path) as found:
        yield found


def test_an_honest_registry_for_comparison(registry: FalseRegistry, looker: Looker) -> None:
    manifest = registry.put_image("app", "v1")
    done = looker.look(f"{registry.address}/app:v1")
    assert codes(done) == []
    assert looker.containers() == [f"container:{registry.address}/app@{digest_of(manifest)}"]


def test_a_digest_that_is_a_lie_is_not_recorded_and_the_others_are(registry: FalseRegistry, looker: Looker) -> None:
    good = registry.put_image("app", "v2", author="good")
    bad = registry.put_image("app", author="bad")
    registry.on("/v2/app/manifests/v1", reply_of(bad, Docker_Content_Digest=digest_of(b"another")))
    with pytest.raises(IntegrityError, match="not recorded"):
        looker.look(f"{registry.address}/app:v1", f"{registry.address}/app:v2")
    assert looker.containers() == [f"container:{registry.address}/app@{digest_of(good)}"]
    assert ("oci.digest_mismatch", f"{registry.address}/app:v1") in looker.run_gaps()


def test_a_digest_asked_for_is_what_is_got(registry: FalseRegistry, looker: Looker) -> None:
    good, other = registry.put_image("app", author="good"), registry.put_image("app", author="other")
    registry.on(f"/v2/app/manifests/{digest_of(good)}", Reply(200, other, {"Content-Type": MANIFEST}))
    with pytest.raises(IntegrityError):
        looker.look(f"{registry.address}/app@{digest_of(good)}")
    assert looker.containers() == []


def test_no_header_is_no_lie(registry: FalseRegistry, looker: Looker) -> None:
    manifest = registry.put_image("app")
    registry.on("/v2/app/manifests/v1", Reply(200, manifest, {"Content-Type": MANIFEST}))
    looker.look(f"{registry.address}/app:v1")
    assert looker.containers() == [f"container:{registry.address}/app@{digest_of(manifest)}"]


def test_a_configuration_of_other_bytes_keeps_the_image_out(registry: FalseRegistry, looker: Looker) -> None:
    manifest = registry.put_image("app", "v1")
    config = json.loads(manifest)["config"]
    registry.on(f"/v2/app/blobs/{config['digest']}", Reply(200, b"x" * config["size"], OPAQUE))
    with pytest.raises(IntegrityError):
        looker.look(f"{registry.address}/app:v1")
    assert looker.containers() == []


def test_a_platform_of_other_bytes_keeps_the_index_out(registry: FalseRegistry, looker: Looker) -> None:
    good, bad = registry.put_image("app", author="good"), registry.put_image("app", author="bad")
    parts = [{"mediaType": MANIFEST, "digest": digest_of(each), "size": len(each)} for each in (good, bad)]
    registry.on(f"/v2/app/manifests/{digest_of(bad)}", Reply(200, good, {"Content-Type": MANIFEST}))
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts}).encode()
    registry.put_manifest("app", index, "v1", kind=INDEX)
    with pytest.raises(IntegrityError):
        looker.look(f"{registry.address}/app:v1")
    assert looker.containers() == [f"container:{registry.address}/app@{digest_of(good)}"]


def test_a_platform_that_is_not_there_leaves_a_gap(registry: FalseRegistry, looker: Looker) -> None:
    here = registry.put_image("app")
    parts = [
        {"mediaType": MANIFEST, "digest": digest_of(here), "size": len(here)},
        {"mediaType": MANIFEST, "digest": digest_of(b"gone"), "size": 4},
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts}).encode()
    registry.put_manifest("app", index, "v1", kind=INDEX)
    done = looker.look(f"{registry.address}/app:v1")
    assert codes(done) == ["oci.not_there"]
    assert done.collected.gaps[0].about == f"{registry.address}/app@{digest_of(b'gone')}"
    assert len(looker.containers()) == 2


@pytest.mark.parametrize("part", ["manifest", "config"])
def test_half_of_something_is_nothing(registry: FalseRegistry, looker: Looker, part: str) -> None:
    manifest = registry.put_image("app", "v1")
    digest = json.loads(manifest)["config"]["digest"]
    path = "/v2/app/manifests/v1" if part == "manifest" else f"/v2/app/blobs/{digest}"
    whole = registry.routes[path][0]
    assert isinstance(whole, Reply)
    registry.on(path, Reply(200, whole.body, whole.headers, cut=len(whole.body) // 2))
    with pytest.raises(SourceError, match="no answer"):
        looker.look(f"{registry.address}/app:v1")
    assert looker.containers() == []
    assert len(registry.asked_for(path)) == 5
    registry.on(path, Reply(200, whole.body, whole.headers, cut=3), whole)
    assert codes(looker.look(f"{registry.address}/app:v1")) == []


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(200, b'{"schemaVersion": 2, "mediaTy', JSON), "oci.malformed"),
        (Reply(200, b"<!DOCTYPE html><form>Sign in</form>", {"Content-Type": "text/html; a=b"}), "oci.not_a_registry"),
        (Reply(404, b"<html>nothing here</html>", {"Content-Type": "text/html"}), "oci.not_a_registry"),
        (Reply(200, b"{}" + b" " * (4 << 20), JSON), "oci.too_large"),
        (Reply(200, b"\x1f\x8b", {**JSON, "Content-Encoding": "gzip"}), "oci.malformed"),
        (Reply(401, b'{"errors": [{"code": "UNAUTHORIZED"}]}', JSON), "oci.denied"),
        (Reply(401, b"", {"WWW-Authenticate": 'Basic realm="x"'}), "oci.denied"),
        (Reply(403, b'{"errors": [{"code": "DENIED", "message": "\\ud800 no"}]}', JSON), "oci.denied"),
        (Reply(404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}', JSON), "oci.not_there"),
        (Reply(400, b'{"errors": 7}', JSON), "oci.refused"),
        (Reply(204, b"", {}), "oci.refused"),
        (Reply(302, b"", {"Location": "http://registry.example/v2/app/manifests/v1"}), "oci.unsafe"),
        (Reply(302, b"", {"Location": "ftp://127.0.0.1/x"}), "oci.unsafe"),
        (Reply(302, b"", {"Location": "/v2/app/manifests/v1"}), "oci.redirected"),
        (Reply(302, b"", {"Location": "http://127.0.0.1:x/"}), "oci.malformed"),
        (Reply(302, b"", {"Location": "http://[/"}), "oci.malformed"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_used(registry: FalseRegistry, looker: Looker, reply: Reply, code: str) -> None:
    registry.on("/v2/app/manifests/v1", reply)
    with pytest.raises(SourceError):
        looker.look(f"{registry.address}/app:v1")
    assert looker.containers() == []
    assert (code, f"{registry.address}/app:v1") in looker.run_gaps()


def test_one_image_that_cannot_be_read_does_not_hide_the_others(registry: FalseRegistry, looker: Looker) -> None:
    registry.put_image("app", "v1")
    done = looker.look(f"{registry.address}/secret:v1", f"{registry.address}/app:v1")
    assert codes(done) == ["oci.not_there"]
    assert len(looker.containers()) == 1


def test_it_waits_as_long_as_it_is_told(registry: FalseRegistry, looker: Looker) -> None:
    manifest = registry.put_image("app")
    busy = Reply(429, b"{}", {**JSON, "Retry-After": "7"})
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    later = Reply(503, b"", {"Retry-After": moment})
    registry.on("/v2/app/manifests/v1", busy, later, Reply(502), reply_of(manifest))
    assert codes(looker.look(f"{registry.address}/app:v1", attached=False)) == []
    assert looker.waited[0] == 7
    assert 10 < looker.waited[1] <= 20
    assert looker.waited[2] == 2.0


@pytest.mark.parametrize(("pause", "asked", "waits"), [("3600", 1, 0), ("25", 3, 2), ("soon", 5, 4)])
def test_it_gives_up_when_the_wait_is_too_long(
    registry: FalseRegistry, looker: Looker, pause: str, asked: int, waits: int
) -> None:
    registry.on("/v2/app/manifests/v1", Reply(429, b"", {"Retry-After": pause}))
    with pytest.raises(SourceError, match="no more requests for now"):
        looker.look(f"{registry.address}/app:v1")
    assert len(registry.asked) == asked
    assert len(looker.waited) == waits
    assert looker.run_gaps()[0][0] == "oci.throttled"


def test_a_server_that_stalls_is_not_waited_for(
    registry: FalseRegistry, looker: Looker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oci_http, "_TIMEOUT", urllib3.Timeout(connect=1.0, read=0.05))
    import threading

    stall = threading.Event()

    def wait(_: Request) -> Reply:
        stall.wait(10)
        return Reply(500)

    registry.on("/v2/app/manifests/v1", wait)
    try:
        with pytest.raises(SourceError, match="no answer"):
            looker.look(f"{registry.address}/app:v1")
    finally:
        stall.set()
    assert looker.run_gaps()[0][0] == "oci.unreachable"


@pytest.mark.parametrize("reply", [Reply(404), Reply(400), Reply(405), Reply(501)])
def test_a_registry_that_knows_no_referrers_is_not_asked_again(
    registry: FalseRegistry, looker: Looker, reply: Reply
) -> None:
    images = [registry.put_image("app", f"v{number}", author=str(number)) for number in range(2)]
    registry.on("/v2/app/tags/list", Reply(200, b'{"tags": ["v0", "v1"]}', JSON))
    for image in images:
        registry.on(f"/v2/app/referrers/{digest_of(image)}", reply)
    assert codes(looker.look(f"{registry.address}/app", all_tags=True)) == []
    assert len([request for request in registry.asked if "referrers" in request.path]) == 1


def test_referrers_are_read_where_a_registry_has_them(registry: FalseRegistry, looker: Looker) -> None:
    image = registry.put_image("app", "v1")
    subject = {"mediaType": MANIFEST, "digest": digest_of(image), "size": len(image)}
    bom = registry.put_image("app", more={"artifactType": "application/spdx+json", "subject": subject})
    gone = {"mediaType": MANIFEST, "digest": digest_of(b"gone"), "size": 4}
    lie = {"mediaType": MANIFEST, "digest": digest_of(b"lie"), "size": len(bom)}
    registry.on(f"/v2/app/manifests/{lie['digest']}", Reply(200, bom, {"Content-Type": MANIFEST}))
    pages = [
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{**subject, "digest": digest_of(bom), "size": len(bom)}],
        },
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [gone, lie]},
    ]
    path = f"/v2/app/referrers/{digest_of(image)}"
    replies = [Reply(200, json.dumps(page).encode(), {"Content-Type": INDEX}) for page in pages]
    registry.on(
        path, Reply(200, replies[0].body, {"Content-Type": INDEX, "Link": f'<{path}?next=1>; rel="next"'}), replies[1]
    )
    done = looker.look(f"{registry.address}/app:v1")
    assert sorted(codes(done)) == ["oci.digest_mismatch", "oci.not_there"]
    attached = [
        fact.detail["attached"] for fact in looker.facts(f"{registry.address}/app:v1") if "attached" in fact.detail
    ]
    assert [[row["digest"] for row in rows] for rows in attached] == [[digest_of(bom)]]


def test_plain_http_needs_leave(looker: Looker, registry: FalseRegistry) -> None:
    environment = {"HTTP_PROXY": f"http://{registry.address}", "HTTPS_PROXY": f"http://{registry.address}"}
    manifest = registry.put_image("app", "v1")
    with pytest.raises(SourceError):  # HTTPS: the false proxy knows no CONNECT
        looker.look("registry.example/app:v1", environment=environment)
    assert looker.containers() == []
    looker.look("registry.example/app:v1", environment=environment, plain_http=True, attached=False)
    assert looker.containers() == [f"container:registry.example/app@{digest_of(manifest)}"]
    assert {request.host for request in registry.asked if request.method == "GET"} == {"registry.example"}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(302, b"", {"Location": "http://127.0.0.1:8200/v1/secret"}),
        Reply(302, b"", {"Location": "http://[::1]:8200/v1/secret"}),
        Reply(401, b"", {"WWW-Authenticate": 'Bearer realm="http://localhost:8200/token",service="s"'}),
    ],
)
def test_another_machine_does_not_lead_us_to_our_own(registry: FalseRegistry, looker: Looker, reply: Reply) -> None:
    registry.on("/v2/app/manifests/v1", reply)
    environment = {"HTTP_PROXY": f"http://{registry.address}"}
    with pytest.raises(SourceError, match="this very machine"):
        looker.look("registry.example/app:v1", environment=environment, plain_http=True)
    assert looker.run_gaps()[0][0] == "oci.unsafe"


def test_a_redirection_does_not_take_the_password_along(registry: FalseRegistry, looker: Looker) -> None:
    environment = {
        "LINEAL_REGISTRY": registry.address,
        "LINEAL_REGISTRY_USERNAME": "bo",
        "LINEAL_REGISTRY_PASSWORD": "geheim",
    }
    manifest = registry.put_image("app", "v1")
    config = json.loads(manifest)["config"]
    path = f"/v2/app/blobs/{config['digest']}"
    blob = registry.routes[path][0]
    assert isinstance(blob, Reply)
    with lying() as elsewhere:
        elsewhere.on("/storage", blob)
        registry.on(path, Reply(307, b"", {"Location": f"http://{elsewhere.address}/storage?sig=x"}))
        registry.on(
            "/v2/app/manifests/v1",
            Reply(401, b"", {"WWW-Authenticate": 'Basic realm="test"'}),
            reply_of(manifest),
        )
        assert codes(looker.look(f"{registry.address}/app:v1", environment=environment)) == []
        assert "authorization" in registry.asked_for(path)[0].headers
        assert [request for request in elsewhere.asked if "authorization" in request.headers] == []
        assert len(elsewhere.asked) == 1


def test_credentials_are_for_the_registry_that_they_name(registry: FalseRegistry, looker: Looker) -> None:
    environment = {
        "LINEAL_REGISTRY": "another.example",
        "LINEAL_REGISTRY_USERNAME": "bo",
        "LINEAL_REGISTRY_PASSWORD": "geheim",
    }
    registry.on("/v2/app/manifests/v1", Reply(401, b"", {"WWW-Authenticate": 'Basic realm="test"'}))
    with pytest.raises(SourceError, match="no credentials are known"):
        looker.look(f"{registry.address}/app:v1", environment=environment)
    assert [request for request in registry.asked if "authorization" in request.headers] == []


def test_no_password_in_any_gap_or_record(registry: FalseRegistry, looker: Looker, tmp_path: Path) -> None:
    environment = {
        "LINEAL_REGISTRY": registry.address,
        "LINEAL_REGISTRY_USERNAME": "bo",
        "LINEAL_REGISTRY_PASSWORD": "geheim-geheim",
    }
    registry.on("/v2/app/manifests/v1", Reply(401, b"", {"WWW-Authenticate": 'Basic realm="test"'}))
    with pytest.raises(SourceError) as caught:
        looker.look(f"{registry.address}/app:v1", environment=environment)
    assert "geheim" not in caught.value.message
    for file in (tmp_path / ".lineal").rglob("*"):
        assert not file.is_file() or b"geheim" not in file.read_bytes(), file
