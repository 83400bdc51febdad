"""The command line is the same on every database."""

import json
import sys
from pathlib import Path

import pytest
from places import Place

from lineal.cli.main import run

TRAIN = "import shutil; shutil.copy('raw.csv', 'model.joblib')\n"


@pytest.fixture
def here(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a little project, and a ledger on the database of `place` beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "raw.csv").write_text("a,b\n1,2\n")
    (folder / "train.py").write_text(TRAIN)
    monkeypatch.setenv("LINEAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LINEAL_LEDGER", place.server.url(place.name) if place.server else str(folder))
    return folder


def test_a_run_is_recorded_traced_and_verified(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def lineal(*arguments: str) -> dict[str, object]:
        status = run(list(arguments))
        said = capfd.readouterr().out
        assert status == 0, (arguments, said)
        return dict(json.loads(said.splitlines()[-1] if arguments[0] == "run" else said))

    lineal("init", "--json")
    lineal("snapshot", "dataset:raw", "raw.csv", "--json")
    lineal("run", "--json", "--", sys.executable, "train.py")
    traced = lineal("trace", "file:model.joblib" if (here / ".lineal").exists() else "file:" + _name(here), "--json")
    kinds = {node["kind"] for node in traced["nodes"]}  # type: ignore[attr-defined]
    assert {"file", "run", "code", "environment", "dataset"} == kinds
    assert lineal("verify", "--json")["verified"]
    assert lineal("rebuild", "--json")["same"]
    proofs = lineal("log", "--prove", "--json")["entries"]
    assert len(proofs) == 4
    assert all("proof" in entry for entry in proofs)  # type: ignore[attr-defined]


def _name(folder: Path) -> str:
    return str(folder / "model.joblib")
