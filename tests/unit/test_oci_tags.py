"""Tags over time: what moved, what is gone, and what is only not seen."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.app.tag_history import find_moves, read_history
from lineal.core.image import parse
from lineal.errors import IntegrityError, SourceError
from looking import Looker, codes, looking
from servers.false_registry import FalseRegistry, Reply, Request, digest_of, lying, reply_of

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def registry() -> Iterator[FalseRegistry]:
    with lying() as found:
        yield found


@pytest.fixture
def looker(tmp_path: Path) -> Iterator[Looker]:
    with looking(tmp_path) as found:
        yield found


def list_tags(registry: FalseRegistry, *tags: str, then: str | None = None) -> Reply:
    link = {} if then is None else {"Link": f'<{then}>; rel="next"'}
    reply = Reply(200, json.dumps({"name": "app", "tags": list(tags)}).encode(), {**JSON, **link})
    registry.on("/v2/app/tags/list", reply)
    return reply


def standing(looker: Looker, registry: FalseRegistry) -> dict[str, str]:
    return read_history(looker.session, parse(f"{registry.address}/app")).standing()


def test_a_tag_is_recorded_when_it_moves_and_only_then(registry: FalseRegistry, looker: Looker) -> None:
    name = f"{registry.address}/app"
    first = registry.put_image("app", "v1", author="first", created="2026-01-01T00:00:00Z")
    second = registry.put_image("app", author="second", created="2026-02-01T00:00:00Z")
    done = looker.look(f"{name}:v1")
    assert (done.images[0].new, done.images[0].before, done.findings) == (True, None, ())
    done = looker.look(f"{name}:v1")
    assert (done.collected.recorded, done.images[0].new, done.images[0].before) == (0, False, None)

    registry.on("/v2/app/manifests/v1", reply_of(second))
    done = looker.look(f"{name}:v1")
    assert (done.images[0].new, done.images[0].before) == (True, digest_of(first))
    assert [(finding.code, finding.about, finding.failed) for finding in done.findings] == [
        ("container.tag_moved", f"{name}:v1", False)
    ]
    assert digest_of(first) in done.findings[0].explanation
    assert looker.session.catalog.resolve(f"{name}:v1").digest == digest_of(second)

    registry.on("/v2/app/manifests/v1", reply_of(first))  # and back again
    done = looker.look(f"{name}:v1")
    assert (done.images[0].new, done.images[0].before, done.collected.recorded) == (False, digest_of(second), 1)
    assert looker.session.catalog.resolve(f"{name}:v1").digest == digest_of(first)
    history = read_history(looker.session, parse(name))
    assert [state.digest for state in history.tags["v1"]] == [digest_of(first), digest_of(second), digest_of(first)]
    assert len(list(find_moves(history))) == 2
    assert standing(looker, registry) == {"v1": digest_of(first)}
    assert looker.look(f"{name}:v1").collected.recorded == 0


def test_two_tags_of_one_image_are_known_both(registry: FalseRegistry, looker: Looker) -> None:
    image = registry.put_image("app", "v1", "latest")
    list_tags(registry, "v1", "latest")
    looker.look(f"{registry.address}/app", all_tags=True)
    assert standing(looker, registry) == {"v1": digest_of(image), "latest": digest_of(image)}
    assert looker.look(f"{registry.address}/app", all_tags=True).collected.recorded == 0
    assert looker.look(f"{registry.address}/app:v1").collected.recorded == 0


def test_what_did_not_change_is_asked_for_by_its_head_alone(registry: FalseRegistry, looker: Looker) -> None:
    registry.put_image("app", "v1")
    list_tags(registry, "v1")
    looker.look(f"{registry.address}/app", all_tags=True)
    registry.asked.clear()
    looker.look(f"{registry.address}/app", all_tags=True)
    asked = [(request.method, request.path) for request in registry.asked if "referrers" not in request.path]
    assert asked == [("GET", "/v2/app/tags/list"), ("HEAD", "/v2/app/manifests/v1")]


def test_a_head_that_names_something_else_is_not_believed(registry: FalseRegistry, looker: Looker) -> None:
    image = registry.put_image("app", "v1")
    list_tags(registry, "v1")
    looker.look(f"{registry.address}/app", all_tags=True)
    lie = digest_of(b"another")

    def answer(request: Request) -> Reply:
        return reply_of(image, Docker_Content_Digest=lie if request.method == "HEAD" else digest_of(image))

    registry.on("/v2/app/manifests/v1", answer)
    done = looker.look(f"{registry.address}/app", all_tags=True)
    assert (done.collected.recorded, done.findings) == (0, ())


def test_a_tag_is_gone_when_the_registry_says_so(registry: FalseRegistry, looker: Looker) -> None:
    name = f"{registry.address}/app"
    image = registry.put_image("app", "v1", "v2")
    list_tags(registry, "v1", "v2")
    looker.look(name, all_tags=True)
    del registry.routes["/v2/app/manifests/v1"]
    list_tags(registry, "v2")
    done = looker.look(name, all_tags=True)
    assert [finding.code for finding in done.findings] == ["container.tag_removed"]
    assert standing(looker, registry) == {"v2": digest_of(image)}
    done = looker.look(name, all_tags=True)
    assert (done.collected.recorded, done.findings) == (0, ())
    del registry.routes["/v2/app/manifests/v2"]
    list_tags(registry)
    done = looker.look(f"{name}:v2")
    assert ([finding.code for finding in done.findings], codes(done)) == (["container.tag_removed"], ["oci.not_there"])
    registry.on("/v2/app/manifests/v2", reply_of(image))
    assert [finding.code for finding in looker.look(f"{name}:v2").findings] == ["container.tag_returned"]


@pytest.mark.parametrize(
    ("tags", "manifest"),
    [
        (Reply(403), Reply(404)),
        (Reply(404, b'{"errors": [{"code": "NAME_UNKNOWN"}]}', JSON), Reply(404)),
        (Reply(200, b"<html>", {"Content-Type": "text/html"}), Reply(404)),
        (Reply(200, b'{"tags": []}', JSON), Reply(403)),
        (Reply(200, b'{"tags": []}', JSON), Reply(500)),
        (Reply(200, b'{"tags": []}', JSON), Reply(404, b"<html>", {"Content-Type": "text/html"})),
    ],
)
def test_not_seen_is_not_gone(registry: FalseRegistry, looker: Looker, tags: Reply, manifest: Reply) -> None:
    name = f"{registry.address}/app"
    registry.put_image("app", "v1")
    looker.look(f"{name}:v1")
    before = standing(looker, registry)
    registry.on("/v2/app/tags/list", tags)
    registry.on("/v2/app/manifests/v1", manifest)
    with pytest.raises(SourceError):
        looker.look(f"{name}:v1")
    assert looker.run_gaps()
    assert standing(looker, registry) == before


def test_a_tag_that_the_list_forgets_and_the_registry_has_is_not_gone(registry: FalseRegistry, looker: Looker) -> None:
    registry.put_image("app", "v1")
    list_tags(registry, "v1")
    looker.look(f"{registry.address}/app", all_tags=True)
    list_tags(registry)
    assert looker.look(f"{registry.address}/app", all_tags=True).findings == ()


def test_pages_are_followed_and_attachments_are_no_images(registry: FalseRegistry, looker: Looker) -> None:
    images = [registry.put_image("app", f"v{number}", author=str(number)) for number in range(3)]
    pages = [
        list_tags(registry, "v0", then="/v2/app/tags/list?n=1&last=v0"),
        list_tags(registry, "v1", f"sha256-{'1' * 64}.sig", then=f"http://{registry.address}/v2/app/tags/list?last=v1"),
        list_tags(registry, "v2"),
    ]
    registry.on("/v2/app/tags/list", *pages)
    done = looker.look(f"{registry.address}/app", all_tags=True)
    assert sorted(standing(looker, registry).values()) == sorted(map(digest_of, images))
    assert codes(done) == []
    assert [request.query for request in registry.asked_for("/v2/app/tags/list")] == [
        "n=1000",
        "n=1&last=v0",
        "last=v1",
    ]


@pytest.mark.parametrize(
    "then",
    [
        "/v2/app/tags/list?n=1000",
        "http://another.example/v2/app/tags/list",
        "https://127.0.0.1/v2/app/tags/list",
        "http://[",
    ],
)
def test_pages_that_lead_astray_are_no_list(registry: FalseRegistry, looker: Looker, then: str) -> None:
    registry.put_image("app", "v1", "v2")
    list_tags(registry, "v1", "v2")
    looker.look(f"{registry.address}/app", all_tags=True)
    before = standing(looker, registry)
    list_tags(registry, "v1", then=then)
    with pytest.raises(SourceError):
        looker.look(f"{registry.address}/app", all_tags=True)
    assert looker.run_gaps()[0][0] == "oci.malformed"
    assert standing(looker, registry) == before


def test_a_page_that_cannot_be_had_takes_no_tag_away(registry: FalseRegistry, looker: Looker) -> None:
    registry.put_image("app", "v1", "v2")
    list_tags(registry, "v1", "v2")
    looker.look(f"{registry.address}/app", all_tags=True)
    registry.on("/v2/app/tags/list", list_tags(registry, "v1", then="/v2/app/tags/list?last=v1"), Reply(403))
    del registry.routes["/v2/app/manifests/v2"]
    with pytest.raises(SourceError):
        looker.look(f"{registry.address}/app", all_tags=True)
    assert set(standing(looker, registry)) == {"v1", "v2"}


@pytest.mark.parametrize("document", [b'{"tags": null}', b'{"tags": 7}', b"{}"])
def test_a_repository_without_tags(registry: FalseRegistry, looker: Looker, document: bytes) -> None:
    registry.on("/v2/app/tags/list", Reply(200, document, JSON))
    assert looker.look(f"{registry.address}/app", all_tags=True).images == ()


@pytest.mark.parametrize("tag", ["../../../etc", "", "a b", "x" * 200])
def test_a_list_of_what_is_no_tag_is_refused(registry: FalseRegistry, looker: Looker, tag: str) -> None:
    list_tags(registry, tag)
    with pytest.raises(SourceError, match="no tag"):
        looker.look(f"{registry.address}/app", all_tags=True)


def test_a_registry_that_has_had_enough_ends_the_sweep_which_goes_on_next_time(
    registry: FalseRegistry, looker: Looker
) -> None:
    images = {f"v{number}": registry.put_image("app", author=str(number)) for number in range(4)}
    list_tags(registry, *images)
    for tag in ("v0", "v1"):
        registry.on(f"/v2/app/manifests/{tag}", reply_of(images[tag]))
    registry.on("/v2/app/manifests/v2", Reply(429, b"", {"Retry-After": "3600"}))
    registry.on("/v2/app/manifests/v3", reply_of(images["v3"]))
    done = looker.look(f"{registry.address}/app", all_tags=True, attached=False)
    assert codes(done) == ["oci.throttled"]
    assert set(standing(looker, registry)) == {"v0", "v1"}
    assert registry.asked_for("/v2/app/manifests/v3") == []
    registry.on("/v2/app/manifests/v2", reply_of(images["v2"]))
    registry.asked.clear()
    looker.look(f"{registry.address}/app", all_tags=True, attached=False)
    assert set(standing(looker, registry)) == set(images)
    got = [request.path for request in registry.asked if request.method == "GET" and "manifests" in request.path]
    assert got == ["/v2/app/manifests/v2", "/v2/app/manifests/v3"]


def test_one_lie_in_a_sweep_fails_it_and_hides_no_other_tag(registry: FalseRegistry, looker: Looker) -> None:
    good, bad = registry.put_image("app", "v2", author="good"), registry.put_image("app", author="bad")
    registry.on("/v2/app/manifests/v1", reply_of(bad, Docker_Content_Digest=digest_of(b"another")))
    list_tags(registry, "v1", "v2")
    with pytest.raises(IntegrityError):
        looker.look(f"{registry.address}/app", all_tags=True)
    assert standing(looker, registry) == {"v2": digest_of(good)}
    assert ("oci.digest_mismatch", f"{registry.address}/app:v1") in looker.run_gaps()
