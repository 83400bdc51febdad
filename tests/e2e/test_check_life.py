"""Check and diff on two real cycles: real git, real runs, a real server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PREPARE = """
import sys
rows = open("raw/data.csv").read().splitlines()
open("clean.csv", "w").write("\\n".join(row.replace(",", ";") for row in rows) + sys.argv[1])
"""
TRAIN = """
import json, sys
data = open("clean.csv").read()
rate = sys.argv[2]
open("model.pkl", "w").write(f"model of {len(data)} bytes at {rate}")
json.dump({"auc": 0.5 + float(rate), "size": len(data)}, open("metrics.json", "w"))
"""
SERVE = """
import hashlib, http.server, json, sys
model = open(sys.argv[1], "rb").read()
answer = json.dumps({"model_digest": "sha256:" + hashlib.sha256(model).hexdigest()}).encode()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""


class Project:
    """A git repository with a ledger in it, worked on by commands alone."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LINEAL_", "GIT_"))},
            "HOME": str(home),
            "GIT_AUTHOR_NAME": "n",
            "GIT_AUTHOR_EMAIL": "n@example.org",
            "GIT_COMMITTER_NAME": "n",
            "GIT_COMMITTER_EMAIL": "n@example.org",
        }

    def call(self, *command: str, status: int = 0) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.variables, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert done.returncode == status, (command, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def lineal(self, *words: str, status: int = 0) -> str:
        return self.call(sys.executable, "-m", "lineal", *words, status=status)

    def ask(self, *words: str, status: int = 0) -> Any:
        return json.loads(self.lineal(*words, "--json", status=status))

    def cycle(self, number: int, rate: str) -> None:
        raw = "".join(f"{row},{row * row}\n" for row in range(10 * number))
        (self.folder / "raw").mkdir(exist_ok=True)
        (self.folder / "raw" / "data.csv").write_text(raw)
        python = sys.executable
        self.lineal("snapshot", "dataset:raw", "raw")
        self.lineal("run", "--name", "prepare", "--", python, "prepare.py", f"#{number}")
        self.lineal("run", "--name", "train", "--", python, "train.py", "--rate", rate)
        self.lineal("register", "model:risk", "model.pkl", "--as", "ann")
        self.lineal("approve", f"model:risk@{number}", "--as", "bob", "--reason", "looked at it")
        self.lineal("deploy", "endpoint:scorer", f"model:risk@{number}", "--", python, "serve.py", "{model}", "{port}")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Two cycles, the second with an uncommitted edit."""
    folder, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    project = Project(folder, home)
    for name, text in (("prepare.py", PREPARE), ("train.py", TRAIN), ("serve.py", SERVE)):
        (folder / name).write_text(text)
    (folder / ".gitignore").write_text("raw\nclean.csv\nmodel.pkl\nmetrics.json\n.lineal\n")
    project.call("git", "init", "-q")
    project.call("git", "add", ".")
    project.call("git", "commit", "-q", "-m", "one")
    project.lineal("init")
    project.cycle(1, "0.1")
    with (folder / "train.py").open("a") as file:
        file.write("# an edit that nobody committed\n")
    try:
        project.cycle(2, "0.25")
        yield project
    finally:
        project.lineal("retire", "endpoint:scorer", "--reason", "the test is over")


def test_a_real_life_is_complete(project: Project) -> None:
    card = project.ask("check", "endpoint:scorer")
    assert card["ref"] == "endpoint:scorer@2"
    assert card["complete"] is True
    assert [finding for finding in card["findings"] if finding["failed"]] == []
    required = [row for row in card["rows"] if row["required"]]
    assert {row["phase"] for row in required} == {"data processing", "training", "deployment"}
    for row in required:
        assert (row["tracked"], row["immutable"], row["retrievable"], row["verified"]) == (True, True, True, True), row
    code = next(row for row in required if (row["phase"], row["artifact"]) == ("training", "code"))
    assert code["how"].endswith("and uncommitted changes: tree kept")
    text = project.lineal("check", "endpoint:scorer")
    assert "uncommitted changes: tree kept" in text
    assert text.splitlines()[-1].startswith("complete: endpoint:scorer@2: ")
    lines = project.lineal("check").splitlines()
    assert [line.split(": ")[:2] for line in lines] == [["complete", "endpoint:scorer@2"], ["complete", "model:risk@2"]]
    shown = project.ask("show", "endpoint:scorer")
    assert shown["card"] == card
    assert "required rows hold" in project.lineal("show", "model:risk@1")
    assert project.ask("show", "dataset:raw@1")["card"] is None


def test_a_real_difference_names_what_changed(project: Project) -> None:
    found = project.ask("diff", "model:risk@1", "model:risk@2")
    (train,) = found["steps"]
    sections = {section["name"]: section for section in train["sections"]}
    assert sections["parameters"]["changes"] == [
        {"name": "rate", "change": "changed", "old": "0.1", "new": "0.25", "delta": None}
    ]
    auc = next(change for change in sections["metrics"]["changes"] if change["name"] == "auc")
    assert (auc["old"], auc["new"], auc["delta"]) == ("0.6", "0.75", "+0.15")
    assert [change["name"] for change in sections["source files"]["changes"]] == ["train.py"]
    assert not any(sections[name]["changed"] for name in ("environment", "packages", "hardware"))
    assert [change["name"] for change in sections["inputs"]["changes"]] == ["file:clean.csv"]
    (prepare,) = train["steps"]
    files = next(section for section in prepare["sections"] if section["name"] == "files of dataset:raw")
    assert [change["name"] for change in files["changes"]] == ["data.csv"]
    assert "+0.15" in project.lineal("diff", "model:risk@1", "model:risk@2")
    assert project.ask("diff", "endpoint:scorer@1", "endpoint:scorer@2")["differs"] is True
    project.lineal("diff", "model:risk@1", "model:risk@2", "--exit-code", status=1)
    project.lineal("diff", "model:risk@1", "model:risk@1", "--exit-code")
    error = project.ask("diff", "model:risk@1", "dataset:raw@1", status=2)
    assert error["error"]["code"] == "usage.bad_ref"


def test_a_model_from_nowhere_fails_the_check(project: Project, tmp_path: Path) -> None:
    stray = tmp_path / "stray.pkl"
    stray.write_bytes(b"from somewhere else")
    project.lineal("register", "model:stray", str(stray), "--as", "ann")
    card = project.ask("check", "model:stray", status=1)
    assert card["complete"] is False
    missing = {row["artifact"] for row in card["rows"] if row["phase"] == "training" and not row["holds"]}
    assert missing == {"code", "dataset", "environment", "parameters", "run"}
    assert "lineal run --name train" in project.lineal("check", "model:stray", status=1)
    assert [found["complete"] for found in project.ask("check", status=1)["cards"]] == [True, True, False]
