"""Notifications through Apprise, to a real HTTP server: what is new is sent, the address stays a secret."""

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from test_check_rules import KEY, TAGS, repository, say

from lineal.app.notify import name_of, notify
from lineal.app.rule_news import news_of
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT, Conclusion
from rule_world import World, day, look, world_in

SECRET = "s3cr3t-token-of-a-webhook"


@dataclass
class Hook:
    """A webhook: what it was told, and what it answers."""

    url: str
    status: int = 200
    told: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.told.append({"path": self.path, **json.loads(body)})
            self.send_response(made.status)
            self.end_headers()

        def log_message(self, *_words: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    made = Hook(f"json://127.0.0.1:{server.server_port}/{SECRET}")
    monkeypatch.setattr("apprise.url.URLBase.socket_read_timeout", 60.0)  # of a machine that has other things to do
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("LINEAL_LEDGER", "LINEAL_NOTIFY"):
        monkeypatch.delenv(name, raising=False)
    with world_in(tmp_path) as made:
        made.cover([look("AWS::ECR::Repository")])
        yield made


def test_an_answer_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    going, ended = threading.Event(), threading.Event()

    class Dripping(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            while not ended.wait(0.05):
                self.wfile.write(b"x")
                going.set()

        def log_message(self, *_words: Any) -> None:
            pass

    monkeypatch.setattr("lineal.app.notify._LONGEST", 1)
    server = HTTPServer(("127.0.0.1", 0), Dripping)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        (warning,) = notify([f"json://127.0.0.1:{server.server_port}/{SECRET}"], "title", ["a line"])
        assert "no answer within" in warning
        assert SECRET not in warning
        assert going.wait(30)
    finally:
        ended.set()
        for each in threading.enumerate():
            if each.name == "lineal-notify":
                each.join(30)
        server.shutdown()
        server.server_close()
        thread.join()


def test_only_what_is_new_is_sent(world: World, hook: Hook) -> None:
    world.see(repository("MUTABLE"))
    words = ("check", "--rules", "ecr", "--notify", hook.url)
    assert say(*words)[0] == 1
    (first,) = hook.told
    assert (first["path"], first["title"]) == (f"/{SECRET}", "lineal check: 1 newly broken")
    assert first["message"].strip() == (
        f"[high] NON_COMPLIANT {TAGS} {KEY}: tags can be moved to another image: "
        "configuration.repository.imageTagMutability is MUTABLE, and must be IMMUTABLE"
    )
    assert say(*words)[0] == 1
    assert len(hook.told) == 1
    world.see(repository("IMMUTABLE", time=day(2)))
    assert say(*words)[0] == 0
    assert hook.told[1]["title"] == "lineal check: 1 no longer broken"
    assert "COMPLIANT (was NON_COMPLIANT)" in hook.told[1]["message"]


def test_the_address_stays_a_secret(world: World, hook: Hook, capfd: pytest.CaptureFixture[str]) -> None:
    world.see(repository("MUTABLE"))
    hook.status = 500
    status, out, err = say("check", "--rules", "ecr", "--json", "--notify", hook.url)
    assert status == 1
    document = json.loads(out)
    assert document["rules"]["warnings"] == ["notification 1 (json://) was not told: it did not take the message"]
    status, _, err = say("check", "--rules", "ecr", "--notify", f"json://127.0.0.1:1/{SECRET}")
    assert "warning" not in err  # nothing is new by now
    printed = "".join((out, err, *capfd.readouterr()))
    assert SECRET not in printed
    files = [each for each in world.folder.rglob("*") if each.is_file()]
    assert files
    assert [each.name for each in files if SECRET.encode() in each.read_bytes()] == []


def test_a_server_that_is_gone_is_a_warning_and_the_status_stays(world: World) -> None:
    world.see(repository("MUTABLE"))
    gone = f"json://127.0.0.1:1/{SECRET}"
    status, _, err = say("check", "--rules", "ecr", "--notify", gone)
    assert status == 1
    assert "warning: notification 1 (json://) was not told" in err
    assert SECRET not in err
    world.see(repository("IMMUTABLE", time=day(2)))
    assert say("check", "--rules", "ecr", "--notify", gone)[0] == 0


def test_addresses_come_from_the_environment(world: World, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    world.see(repository("MUTABLE"))
    monkeypatch.setenv("LINEAL_NOTIFY", f"{hook.url}/1 {hook.url}/2")
    assert say("check", "--rules", "ecr")[0] == 1
    assert [each["path"][-2:] for each in hook.told] == ["/1", "/2"]


@pytest.mark.parametrize("url", [f"nosuchscheme://{SECRET}", SECRET, "", "json://"])
def test_what_is_no_address_is_refused_before_anything_is_asked(world: World, url: str) -> None:
    world.see(repository("MUTABLE"))
    status, out, err = say("check", "--rules", "ecr", "--notify", url)
    assert status == 2
    assert "no address that Apprise can use" in err
    assert SECRET not in out + err
    assert world.session.configuration.conclusions() == []


def test_hostile_words_stay_on_their_line(hook: Hook) -> None:
    assert notify([hook.url], "title", ["a\nb\x1b[2J <b>", "c" * 40_000, *["d"] * 300]) == ()
    lines = hook.told[0]["message"].splitlines()
    assert lines[0].startswith("a b")
    assert len(hook.told[0]["message"]) < 31_000


def test_no_lines_and_no_addresses_send_nothing(hook: Hook) -> None:
    assert notify([hook.url], "title", []) == ()
    assert notify([], "title", ["x"]) == ()
    assert hook.told == []


def test_apprise_logs_as_before_afterwards(hook: Hook) -> None:
    notify([hook.url], "title", ["x"])
    assert logging.getLogger("apprise").disabled is False


def test_the_name_of_an_address_shows_none_of_it() -> None:
    assert name_of("slack://tokenA/tokenB", 2) == "notification 2 (slack://)"
    assert name_of("tokenA", 1) == "notification 1 (an address)"
    assert name_of("weird tokenA://x", 1) == "notification 1 (an address)"


def test_what_is_news() -> None:
    base = Conclusion(rule="R", resource="r", type="t", state=NON_COMPLIANT, severity="low", explanation="why")

    def made(state: str, before: str | None, severity: str = "low") -> tuple[Conclusion, str | None]:
        from dataclasses import replace

        return replace(base, state=state, severity=severity), before

    title, lines = news_of(
        [
            made(COMPLIANT, None), made(INSUFFICIENT, None), made(COMPLIANT, NON_COMPLIANT), made(NON_COMPLIANT, None),
            made(NON_COMPLIANT, COMPLIANT, "critical"), made(INSUFFICIENT, COMPLIANT),
        ]
    )  # fmt: skip
    assert title == "lineal check: 2 newly broken, 1 no longer broken"
    assert [line.partition(" R ")[0] for line in lines] == [
        "[critical] NON_COMPLIANT (was COMPLIANT)", "[low] NON_COMPLIANT", "[low] COMPLIANT (was NON_COMPLIANT)",
        "[low] INSUFFICIENT_DATA (was COMPLIANT)",
    ]  # fmt: skip
    assert news_of([made(COMPLIANT, None)])[1] == []
