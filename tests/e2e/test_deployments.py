"""Deployments of real servers, through the real command line."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit import until
from lineal.app import serving
from lineal.app.probe import answers, check_url, model_stated_by, read_probes
from lineal.cli import main
from lineal.errors import BadInput

SERVER = """
    import hashlib, http.server, json, os, signal, subprocess, sys
    from pathlib import Path

    file, port = Path(sys.argv[1]), int(sys.argv[2])
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
    if "--child" in sys.argv:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path("child.pid").write_text(str(child.pid))
    if "--stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    class Server(http.server.BaseHTTPRequestHandler):
        def answer(self, status, body, **headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            if self.path == "/moved":
                self.answer(302, b"", Location="http://127.0.0.1:1/elsewhere")
            elif self.path == "/bytes":
                self.answer(200, bytes(range(256)) * 40)
            elif self.path == "/" and "--header" in sys.argv:
                self.answer(200, b"hello", X_Model_Digest="sha256:" + digest)
            elif self.path == "/" and digest and "--silent" not in sys.argv:
                self.answer(200, json.dumps({"model_digest": digest}).encode())
            else:
                self.answer(404, b"nothing here")

        def do_POST(self):
            self.answer(200, self.rfile.read(int(self.headers["Content-Length"]))[::-1])

    http.server.HTTPServer(("127.0.0.1", port), Server).serve_forever()
"""


class Place:
    """A folder with a ledger and an approved model, which is also the present folder, and a server's program."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def lineal(self, *words: str, expect: int = 0) -> Any:
        """Run the command line in this process and return the document that it prints."""
        head, tail = (words[: words.index("--")], words[words.index("--") :]) if "--" in words else (words, ())
        printed, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
            status = main.run([*head, "--json", *tail])
        assert status == expect, printed.getvalue() + said.getvalue()
        return json.loads(printed.getvalue())

    def deploy(self, *server: str, options: tuple[str, ...] = (), model: str = "model:risk@1", expect: int = 0) -> Any:
        command = (sys.executable, "serve.py", *(server or ("{model}", "{port}")))
        return self.lineal("deploy", "endpoint:scorer", model, *options, "--", *command, expect=expect)

    def entries(self) -> int:
        return len(self.lineal("log")["entries"])

    def leaves(self, *pids: int) -> bool:
        """Wait until these processes are the only ones whose folder this is: one that was killed needs a moment."""
        until(lambda: sorted(self.running()) == sorted(pids), f"only {pids} are left")
        return True

    def running(self) -> list[int]:
        """Return the processes whose folder this is."""
        found = []
        for each in Path("/proc").iterdir():
            try:
                own = each.name == str(os.getpid())
                if each.name.isdecimal() and not own and (each / "cwd").readlink() == self.root:
                    found.append(int(each.name))
            except OSError:
                continue
        return found


pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are counted by /proc")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("place").resolve()
    (root / "serve.py").write_text(textwrap.dedent(SERVER))
    (root / "model.bin").write_bytes(b"weights")
    made = Place(root)
    with contextlib.chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.delenv("LINEAL_LEDGER", raising=False)
        made.lineal("init")
        made.lineal("register", "model:risk", "model.bin", "--as", "ana")
        made.lineal("approve", "model:risk@1", "--as", "bo", "--reason", "examined")
    return root


@pytest.fixture
def place(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    made = Place(tmp_path.resolve() / "place")
    shutil.copytree(template, made.root)
    monkeypatch.chdir(made.root)
    monkeypatch.setenv("LINEAL_ACTOR", "ana")
    monkeypatch.delenv("LINEAL_LEDGER", raising=False)
    monkeypatch.setattr(serving, "_PATIENCE", 0.5)
    yield made
    for pid in made.running():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


def test_a_deployment_serves_replaces_and_retires(place: Place) -> None:
    probes = [
        {"path": "/predict", "body": {"rows": [[1, 2]]}},
        {"path": "/moved"},
        {"path": "/bytes"},
        {"path": "/x", "method": "put", "body": "text"},
    ]
    (place.root / "probes.json").write_text(json.dumps(probes))
    first = place.deploy(options=("--probe", "probes.json"))
    assert first["revision"]["ref"] == "endpoint:scorer@1"
    assert first["model_check"] == "match"
    assert first["approved_by"] == "bo"
    assert [each["status"] for each in first["probes"]] == [200, 302, 200, 501]
    assert first["probes"][0]["response"] == first["probes"][0]["request"][::-1]
    assert first["probes"][2]["response_bytes"] == 256 * 40
    assert answers(first["url"])
    assert first["pid"] in place.running()

    second = place.deploy("{model}", "{port}", "--child", "--stubborn")
    assert (second["replaced"], second["ended"]) == ("endpoint:scorer@1", True)
    until(lambda: first["pid"] not in place.running(), "the first is gone")
    child = int((place.root / "child.pid").read_text())
    assert {second["pid"], child} <= set(place.running())

    gone = place.lineal("retire", "endpoint:scorer", "--reason", "over")
    assert gone["ended"] is True
    assert place.leaves()
    assert place.lineal("trace", "endpoint:scorer", expect=2)["error"]["code"] == "usage.unknown_ref"
    traced = place.lineal("trace", "endpoint:scorer@2")
    assert "model:risk@1" in {node["ref"] for node in traced["nodes"]}
    assert place.lineal("verify")["verified"] is True


def test_a_server_that_loaded_other_bytes_is_refused(place: Place) -> None:
    (place.root / "other.bin").write_bytes(b"other")
    before = place.entries()
    error = place.deploy("other.bin", "{port}", expect=10)["error"]
    assert error["code"] == "integrity.digest_mismatch"
    assert place.leaves()
    assert place.entries() == before


@pytest.mark.parametrize(
    ("program", "wait"),
    [("echo still loading >&2; exit 1", "600"), ("echo still loading; touch said; sleep 600", "0.5")],
)
def test_a_server_that_does_not_answer_is_ended_and_quoted(
    place: Place, program: str, wait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers_not(*_: Any, **_more: Any) -> bool:
        until(lambda: (place.root / "said").exists() or "exit" in program, "it has said so")
        return False

    monkeypatch.setattr("lineal.app.probe.answers", answers_not)
    before = place.entries()
    command = ("--wait", wait, "--", "sh", "-c", program, "{port}")
    error = place.lineal("deploy", "endpoint:scorer", "model:risk@1", *command, expect=12)["error"]
    assert error["code"] == "source.not_serving"
    assert "still loading" in error["message"]
    assert ("ended before it answered" in error["message"]) is (wait == "600")
    assert place.leaves()
    assert place.entries() == before


def test_a_probe_without_an_answer_ends_the_server_and_records_nothing(place: Place) -> None:
    program = """
        import http.server, os, sys
        class Server(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(204); self.end_headers()
            def do_POST(self):
                os._exit(1)
        http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
    """
    (place.root / "weak.py").write_text(textwrap.dedent(program))
    (place.root / "probes.json").write_text('[{"path": "/predict", "body": {}}]')
    before = place.entries()
    command = ("--probe", "probes.json", "--", sys.executable, "weak.py", "{port}")
    error = place.lineal("deploy", "endpoint:scorer", "model:risk@1", *command, expect=12)["error"]
    assert error["code"] == "source.not_serving"
    assert place.leaves()
    assert place.entries() == before


@pytest.mark.parametrize(("option", "check"), [("--header", "match"), ("--silent", "not stated")])
def test_a_server_says_which_model_it_loaded_in_more_than_one_way(place: Place, option: str, check: str) -> None:
    made = place.deploy("{model}", "{port}", option)
    assert made["model_check"] == check
    codes = {gap["code"] for gap in made["gaps"]}
    assert ("endpoint.model_not_stated" in codes) == (check == "not stated")


def test_a_server_that_runs_already_is_deployed_by_its_address(place: Place) -> None:
    port = serving.free_port()
    server = subprocess.Popen([sys.executable, "serve.py", "model.bin", str(port)], cwd=place.root)
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url), "it answers")
        made = place.lineal("deploy", "endpoint:scorer", "model:risk@1", "--url", url + "/")
        assert (made["url"], made["pid"], made["model_check"]) == (url, None, "match")
        assert place.lineal("show", url)["node"]["ref"] == "endpoint:scorer@1"
        assert place.lineal("retire", "endpoint:scorer", "--reason", "over")["ended"] is False
        assert server.poll() is None
    finally:
        server.kill()
        server.wait()


def test_of_two_deployments_at_the_same_time_one_server_is_left(place: Place) -> None:
    server = (sys.executable, "serve.py", "{model}", "{port}")
    command = [sys.executable, "-m", "lineal", "deploy", "endpoint:scorer", "model:risk@1", "--json", "--", *server]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    made = sorted((json.loads(each.communicate()[0]) for each in both), key=lambda each: each["revision"]["ref"])
    assert [each["revision"]["ref"] for each in made] == ["endpoint:scorer@1", "endpoint:scorer@2"]
    assert place.leaves(made[1]["pid"])
    assert made[1]["replaced"] == "endpoint:scorer@1"


def test_a_folder_is_restored_for_the_server(place: Place) -> None:
    (place.root / "export").mkdir()
    (place.root / "export" / "a.bin").write_bytes(b"a")
    place.lineal("register", "model:llm", "export")
    place.lineal("approve", "model:llm@1", "--as", "bo", "--reason", "examined")
    place.deploy(model="model:llm@1")
    kept = list((place.root / ".lineal" / "serving" / "scorer").glob("*/a.bin"))
    assert [file.read_bytes() for file in kept] == [b"a"]


def test_damaged_bytes_are_never_served(place: Place) -> None:
    for file in (place.root / ".lineal" / "objects").rglob("*"):
        if file.is_file() and file.read_bytes() == b"weights":
            file.chmod(0o644)
            file.write_bytes(b"weight5")
    assert place.deploy(expect=10)["error"]["code"].startswith("integrity")
    assert place.leaves()


def test_an_endpoint_cannot_lead_out_of_the_folder_of_the_servers(place: Place) -> None:
    command = ("--", sys.executable, "serve.py", "{model}", "{port}")
    place.lineal("deploy", "endpoint:../../../up", "model:risk@1", *command)
    serving_folder = place.root / ".lineal" / "serving"
    assert [each.name for each in serving_folder.iterdir()] == ["%2E%2E%2F%2E%2E%2F%2E%2E%2Fup"]


def test_a_process_is_known_by_more_than_its_number() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        assert serving.end(serving.Process(pid=child.pid, mark="another boot/1")) is False
        assert serving.end(serving.Process(pid=child.pid, mark="")) is False
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_a_command_must_say_where_the_port_goes(place: Place) -> None:
    error = place.deploy("{model}", expect=2)["error"]
    assert "{port}" in error["message"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:80", "http://", "http://h/?q=1"])
def test_an_address_is_http(url: str) -> None:
    with pytest.raises(BadInput):
        check_url(url)


@pytest.mark.parametrize(
    "text", ["{}", "[]", '[{"body": 1}]', '[{"path": "predict"}]', '[{"path": "/", "method": "BREW"}]', "not json"]
)
def test_probes_that_cannot_be_sent_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "probes.json"
    file.write_text(text)
    with pytest.raises(BadInput):
        read_probes(file)


@pytest.mark.parametrize("said", ["[1]", '{"model_digest": 7}', '{"model_digest": "abc"}', "\\xff"])
def test_what_is_no_digest_states_no_model(tmp_path: Path, said: str) -> None:
    program = f"""
        import http.server, sys
        class Server(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200); self.end_headers(); self.wfile.write({said.encode()!r})
        http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
    """
    port = serving.free_port()
    server = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(port)], stderr=subprocess.DEVNULL, cwd=tmp_path
    )
    try:
        url = f"http://127.0.0.1:{port}"
        until(lambda: answers(url), "it answers")
        assert model_stated_by(url) is None
    finally:
        server.kill()
        server.wait()
