"""The demo, told once by the real command in a fresh home; then its ledger is questioned."""

import contextlib
import fcntl
import importlib.util
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lineal.cli import main

if importlib.util.find_spec("sklearn") is None:  # to import it here would take every process of a run seconds
    pytest.skip("needs scikit-learn", allow_module_level=True)


def lineal(*words: str, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LINEAL_", "GIT_"))}
    # Another ledger in the environment must not be the one that the demo writes to.
    environment = {**kept, "HOME": str(home), "LINEAL_ACTOR": "somebody@else.example"}
    command = [sys.executable, "-m", "lineal", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=900)


@dataclass
class Told:
    """A told demo: where, what it printed as a story, its document."""

    folder: Path
    home: Path
    story: str
    document: dict[str, Any]

    def ask(self, *words: str, expect: int = 0) -> Any:
        printed = io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(printed):
            assert main.run([*words, "--json"]) == expect, printed.getvalue()
        return json.loads(printed.getvalue())


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Told:
    """Tell the demo, once for all workers of one run of the tests."""
    base = tmp_path_factory.getbasetemp()
    root = (base if worker_id == "master" else base.parent) / "demo-told-once"
    root.mkdir(exist_ok=True)
    with open(root / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "said.json").exists():
            (root / "home").mkdir()
            done = lineal("demo", "--json", cwd=root, home=root / "home")
            assert done.returncode == 0, done.stderr
            (root / "said.json").write_text(json.dumps([done.stderr, json.loads(done.stdout)]))
    story, document = json.loads((root / "said.json").read_text())
    return Told(root / "lineal-demo", root / "home", story, document)


def git(told: Told, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=told.folder, capture_output=True, text=True, check=True).stdout


def test_the_endpoint_descends_from_commit_dataset_environment_and_approval(told: Told) -> None:
    found = told.ask("trace", "endpoint:scorer")
    refs = {node["ref"] for node in found["nodes"]}
    assert found["root"] == "endpoint:scorer@2"
    assert {"model:tumours@2", "dataset:tumours@2"} <= refs
    commit = git(told, "rev-parse", "HEAD").strip()
    code = [node for node in found["nodes"] if node["kind"] == "code"]
    assert any(node["version"].startswith(commit) for node in code)
    assert any(node["kind"] == "environment" for node in found["nodes"])
    activities = {ref.partition("-")[0] for ref in refs if ref.startswith("run:")}
    assert activities == {"run:prepare", "run:train", "run:approval", "run:deploy"}
    joined = {(edge["source"], edge["type"], edge["target"]) for edge in found["edges"]}
    assert any(source == "dataset:tumours@2" and kind == "used" for source, kind, _ in joined)
    assert any(kind == "approved" and target == "model:tumours@2" for _, kind, target in joined)


def test_the_run_that_trained_it_has_its_parameters_and_metrics(told: Told) -> None:
    found = told.ask("trace", "model:tumours@2", "--kind", "run")
    [train] = [node["ref"] for node in found["nodes"] if node["ref"].startswith("run:train-")]
    detail = told.ask("show", train)["statements"][-1]["detail"]
    assert detail["parameters"]["C"]["value"] == "0.1"
    assert set(detail["metrics"]) == {"accuracy", "recall_malignant"}
    assert detail["git"]["dirty"] is True
    assert git(told, "status", "--short").split() == ["M", "train.py"]


def test_the_moment_before_the_second_deployment_still_has_the_first(told: Told) -> None:
    found = told.ask("trace", "endpoint:scorer", "--at", told.document["at"])
    refs = {node["ref"] for node in found["nodes"]}
    assert found["root"] == "endpoint:scorer@1"
    assert {"model:tumours@1", "dataset:tumours@1"} <= refs
    assert not {"model:tumours@2", "dataset:tumours@2"} & refs


def test_every_required_row_of_the_card_holds(told: Told) -> None:
    assert told.ask("check", "endpoint:scorer")
    assert told.ask("check", "endpoint:scorer@1")


def test_the_first_dataset_touches_the_first_endpoint_revision_only(told: Told) -> None:
    found = told.ask("impact", "dataset:tumours@1", "--kind", "endpoint")
    assert [node["ref"] for node in found["nodes"]] == ["dataset:tumours@1", "endpoint:scorer@1"]


def test_the_refusals_the_questions_and_the_tampering_are_told(told: Told) -> None:
    steps = [(step["command"].split()[1], step["status"]) for step in told.document["steps"]]
    assert ("approve", 2) in steps
    assert ("deploy", 2) in steps
    assert [command for command, _ in steps[-7:]] == ["trace", "check", "diff", "impact", "trace", "verify", "verify"]
    assert [status for _, status in steps[-7:]] == [0, 0, 0, 0, 0, 0, 10]
    for words in ("the same person ran run:train-", "nobody has approved it", "body.changed", "POST /predict -> 200"):
        assert words in told.story


def test_the_probes_are_on_record_and_the_server_said_what_it_loaded(told: Told) -> None:
    detail = told.ask("show", "endpoint:scorer@2")["statements"][0]["detail"]
    assert detail["model_check"] == "match"
    [probe] = detail["probes"]
    assert (probe["path"], probe["status"]) == ("/predict", 200)
    assert len(json.loads(probe["response"])["malignant"]) == 2


def test_the_ledger_verifies_and_no_server_is_left(told: Told) -> None:
    assert told.ask("verify")["verified"] is True
    pids = {
        told.ask("show", f"endpoint:scorer@{number}")["statements"][0]["detail"]["process"]["pid"] for number in (1, 2)
    }
    if Path("/proc/self/cwd").exists():
        left = [pid for pid in pids if _cwd(pid) == told.folder.resolve()]
        assert left == []


def _cwd(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None


def test_again_in_the_same_folder_it_asks_and_records_nothing(told: Told) -> None:
    before = told.ask("log")["entries"]
    again = lineal("demo", cwd=told.folder.parent, home=told.home)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "once more" in again.stdout
    assert "lineal register" not in again.stdout
    assert told.ask("log")["entries"] == before


def test_a_folder_with_other_files_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = lineal("demo", ".", cwd=tmp_path, home=tmp_path)
    assert done.returncode == 2
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_without_scikit_learn_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sklearn.py").write_text("raise ImportError('not here')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-m", "lineal", "demo", "made"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'lineal[demo]'" in done.stderr
    assert not (tmp_path / "made").exists()


def test_what_an_interrupted_demo_left_is_moved_aside(tmp_path: Path) -> None:
    from lineal.cli.demo_stage import look, make_folder

    folder = tmp_path / "demo"
    make_folder(folder)
    (folder / "kept.txt").write_text("kept")
    assert look(folder) is None
    [aside] = tmp_path.iterdir()
    assert aside.name.startswith("demo.unfinished-")
    assert (aside / "kept.txt").read_text() == "kept"
