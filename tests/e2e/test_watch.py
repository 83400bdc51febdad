"""`lineal watch` as it is run: changes are noticed, it can be stopped or killed at any moment, and there is one."""

import http.server
import json
import os
import signal
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from commandline import LINEAL, Place, make_place

from lineal import wiring
from lineal.cli import main
from lineal.core import timestamp
from lineal.errors import Refused, SourceError, UsageError
from lineal.wiring import Settings, create


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = make_place(tmp_path)
    (made.folder / "conf").mkdir()
    (made.folder / "conf" / "app.yaml").write_text("replicas: 1\n")
    return made


@contextmanager
def later(**span: float) -> Iterator[None]:
    """Let it be later than it is, for what runs in this process."""
    moment = timestamp.spell(datetime.now(UTC) + timedelta(**span))
    with patch.object(wiring, "now", lambda: moment):
        yield


class Watcher:
    """A watcher in a process of its own, whose lines are read as they come."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.lines: list[str] = []

    def line(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline().decode()
        assert said, f"it ended with {self.process.wait()}: {self.rest()}"
        self.lines.append(said)
        return said

    def round(self) -> Any:
        return json.loads(self.line())

    def rest(self) -> str:
        return b"" if self.process.stderr is None else self.process.stderr.read().decode()  # type: ignore[return-value]

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=900)


@contextmanager
def watching(place: Place, *words: str, **more: Any) -> Iterator[Watcher]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = place.start(*LINEAL, "watch", *words, **streams, **more)
    try:
        yield Watcher(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def sound(place: Place) -> None:
    """Assert that the ledger verifies, and that the catalog is what it says."""
    assert place.within("verify", "--json").json()["verified"]
    assert place.within("rebuild", "--json").json()["same"]


def write(place: Place, text: str, name: str = "app.yaml") -> None:
    """Change a file as an editor does: all at once."""
    staged = place.folder / "staged"
    staged.write_text(text)
    os.replace(staged, place.folder / "conf" / name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_change_is_noticed_in_the_next_round_and_stopping_is_no_failure(place: Place, number: signal.Signals) -> None:
    with watching(place, "files:conf", "--every", "1s", "--json") as watcher:
        first = watcher.round()
        assert (first["round"], first["sources"][0]["recorded"], first["failed"]) == (1, 1, {})
        assert first["next"] > first["ended"]
        write(place, "replicas: 2\n")
        seen = watcher.round()
        while not seen["sources"][0]["recorded"]:  # a round may have begun before
            seen = watcher.round()
        assert seen["sources"][0]["recorded"] == 1
        assert watcher.end(number) == 0
        assert watcher.rest() == ""
    shown = place.within("timeline", "app.yaml", "--json", "--kind", "change").json()
    assert [row["edits"] for row in shown["rows"]] == [[{"op": "replace", "path": ["replicas"], "old": 1, "new": 2}]]
    sound(place)


def test_it_says_in_words_what_it_did(place: Place) -> None:
    done = place.lineal("watch", "files:conf", "--once")
    assert done.status == 0
    assert b"files:conf: 1 seen, 1 new on record, 0 gaps" in done.out
    assert "nobody has watched" not in done.err
    assert place.within("watch", "files:conf", "--once", "--every", "1m").status == 0
    with later(minutes=2):
        assert "nobody has watched" not in place.within("watch", "files:conf", "--once", "--every", "1m").err
    with later(minutes=6):  # more than three times as long as there should be between two rounds
        assert "nobody has watched since 20" in place.within("watch", "files:conf", "--once").err
        again = place.within("watch", "files:conf", "--once", "--json").json()
    assert again["sources"][0]["recorded"] == 0
    shown = place.within("show", again["run"], "--json").json()
    assert shown["statements"][0]["detail"]["covered"]["sources"] == {"files:conf": "finished"}


def test_a_source_that_fails_stops_no_other_and_is_told_by_the_status_of_one_round(place: Place) -> None:
    done = place.within("watch", "files:nowhere", "files:conf", "--once", "--json")
    assert done.status == SourceError.exit_status
    first, second = done.json()["sources"]
    assert first["error"]["code"] == "usage.bad_input"
    assert second["recorded"] == 1
    assert place.within("show", done.json()["run"], "--json").json()["gaps"][0]["code"] == "watch.source_failed"
    with watching(place, "files:nowhere", "files:conf", "--every", "1s", "--json") as watcher:
        watcher.round()
        # The one that fails comes back by chance, the other at its ticks: on a slow machine in rounds of their own.
        while not any(source["name"] == "files:conf" for source in watcher.round()["sources"]):
            pass
        assert watcher.end(signal.SIGTERM) == 0


def test_a_repository_that_was_tampered_with_ends_no_watch_over_others(place: Place) -> None:
    git = ("git", "-C", "repo", "-c", "user.name=a", "-c", "user.email=a@b.example")
    (place.folder / "repo").mkdir()
    (place.folder / "repo" / "a.txt").write_text("hi\n")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "one")):
        assert place.do(*git, *words).status == 0
    name = place.do(*git, "rev-parse", "HEAD").out.decode().strip()
    kept = place.folder / "repo" / ".git" / "objects" / name[:2] / name[2:]
    kept.chmod(0o600)
    kept.write_bytes(zlib.compress(zlib.decompress(kept.read_bytes()).replace(b"one", b"two")))
    done = place.within("watch", "git:repo", "files:conf", "--once", "--json")
    assert done.status == SourceError.exit_status
    first, second = done.json()["sources"]
    assert first["error"]["code"] == "integrity.digest_mismatch"
    assert second["recorded"] == 1


def test_there_is_one_watcher(place: Place) -> None:
    with watching(place, "files:conf", "--every", "1h", "--json") as watcher:
        watcher.round()
        second = place.within("watch", "files:conf", "--once", "--json", "--as", "other")
        assert second.status == Refused.exit_status
        error = second.json()["error"]
        assert error["code"] == "usage.refused"
        assert f"tester, process {watcher.process.pid} on " in error["message"]
        place.within("collect", "files", "conf")  # others may work all the same
        assert watcher.end(signal.SIGKILL) == -signal.SIGKILL
    assert place.within("watch", "files:conf", "--once", "--quiet").status == 0


def test_a_lock_whose_file_is_removed_lets_in_one_watcher_all_the_same(place: Place) -> None:
    with watching(place, "files:conf", "--every", "1s", "--json") as first:
        first.round()
        (place.folder / ".lineal" / "watch.lock").unlink()
        first.round()
        first.round()  # by now it has the lock again
        second = place.within("watch", "files:conf", "--once", "--json", "--as", "other")
        assert second.status == Refused.exit_status
        assert first.end(signal.SIGTERM) == 0


def test_a_ledger_that_is_gone_for_a_while_is_waited_for_and_no_other_takes_its_place(place: Place) -> None:
    create(Settings(ledger=str(place.folder.parent), actor="tester"), place.folder.parent, None)
    home, away = place.folder / ".lineal", place.folder / "away"
    with watching(place, "files:conf", "--every", "1s", "--json") as watcher:
        watcher.round()
        home.rename(away)
        told = watcher.round()
        while "error" not in told:  # a round may have begun before
            told = watcher.round()
        assert told["error"]["code"] in ("store.unavailable", "store")
        away.rename(home)
        while "error" in told:
            told = watcher.round()
        assert told["failed"] == {}
        assert watcher.end(signal.SIGTERM) == 0
    sound(place)
    above = replace(place, folder=place.folder.parent)
    assert above.within("show", "--at", "now", "--json").json()["resources"] == []


def test_killed_at_any_moment_it_leaves_nothing_to_repair(place: Place) -> None:
    for number in range(150):
        write(place, f"n: {number}\n", f"{number}.yaml")
    for pause in (0.4, 0.55, 0.7, 0.9):
        with watching(place, "files:conf", "--every", "1s", "--json") as watcher:
            time.sleep(pause)
            watcher.end(signal.SIGKILL)
    done = place.within("watch", "files:conf", "--once", "--json")
    assert done.status == 0, done.err
    sound(place)
    resources = place.within("show", "--at", "now", "--json").json()["resources"]
    assert len(resources) == 151
    assert place.within("diff", "--at", "1h ago", "--at", "now", "--json").json()["differs"]


def test_what_is_new_is_told_to_whoever_listens(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apprise.url.URLBase.socket_read_timeout", 60.0)  # of a machine that has other things to do
    told: list[dict[str, Any]] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"json://user:hunter2@127.0.0.1:{server.server_address[1]}/"
    try:
        words = ("files:conf", "--once", "--settle", "1s", "--notify", url)
        for replicas in (1, 9):
            write(place, f"replicas: {replicas}\n")
            assert place.within("collect", "files", "conf").status == 0
        with later(minutes=1):  # until the change has settled
            done = place.within("watch", *words)
        assert done.status == 0, done.err
        assert b"NOT_OBSERVABLE" in done.out  # no trail says who changes files
        said = [each["message"] for each in told if "NOT_OBSERVABLE" in each["message"]]
        assert len(said) == 1
        assert "app.yaml" in said[0]
    finally:
        server.shutdown()
        server.server_close()
    with later(minutes=2):
        away = place.within("watch", *words, "--json")
    assert away.json()["news"] == []  # it was told
    assert b"hunter2" not in away.out + away.err.encode()
    for file in (place.folder / ".lineal").glob("*.db*"):
        assert b"hunter2" not in file.read_bytes()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "nothing to watch"),
        (("azure",), "no such source"),
        (("files:conf", "--every", "soon"), "not a span"),
        (("--config", "nowhere.yaml"), "cannot read"),
        (("files:conf", "--config", "watch.yaml"), "told by the file"),
        (("files:conf", "--rules", "nowhere.yaml", "--once"), "nowhere.yaml"),
        (("files:conf", "--notify", "nonsense", "--once"), "notification 1"),
    ],
)
def test_what_cannot_be_watched_is_refused_before_anything_is_done(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)  # where there is no ledger: it is not even looked for
    assert main.run(["watch", *words, "--json"]) == UsageError.exit_status
    assert says in json.loads(capsys.readouterr().out)["error"]["message"]


def test_a_file_says_what_to_watch(place: Place) -> None:
    (place.folder / "watch.yaml").write_text(
        "every: 30m\nsettle: 5m\nrules: [lineal]\nsources:\n  - source: files\n    paths: [conf]\n    every: 5m\n"
        "  - source: git\n    name: code\n    repository: .\n"
    )
    place.repository()
    done = place.within("watch", "--config", "watch.yaml", "--once", "--json")
    assert done.status == 0, done.out
    assert [(each["name"], each["error"]) for each in done.json()["sources"]] == [("files", None), ("code", None)]
    assert len(place.within("ls", "code", "--json").json()["nodes"]) >= 1
