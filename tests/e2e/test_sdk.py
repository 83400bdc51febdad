"""The Python SDK: what a program tells of itself is on record as a claim, and nothing it says can spoil the record."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import lineal
from lineal.client import Client
from lineal.core.path import unspell
from lineal.errors import BadInput, NotALedger, UnknownRef
from lineal.wiring import Settings, create


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    create(Settings(), tmp_path, "lineal.test/log")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINEAL_LEDGER", raising=False)
    with lineal.open(actor="tester") as opened:
        yield opened


def test_a_run_from_its_inputs_to_its_output(client: Client, tmp_path: Path) -> None:
    (tmp_path / "raw.csv").write_text("1\n")
    client.snapshot("dataset:raw", "raw.csv")
    with client.run("train", "training") as run:
        run.use("dataset:raw")
        run.use("dataset:raw@1")
        run.parameters({"layers": [64, 32]}, lr=0.1, seed=7)
        (tmp_path / "model.bin").write_bytes(b"weights")
        made = run.generate("model.bin")
        run.metrics(auc=0.75, epochs=3)
    shown = client.show(run.ref)
    assert shown.view.basis == "claimed"
    assert shown.view.detail["state"] == "finished"
    assert shown.view.detail["parameters"] == {
        "layers": {"value": ["64", "32"], "origin": "sdk"},
        "lr": {"value": "0.1", "origin": "sdk"},
        "seed": {"value": "7", "origin": "sdk"},
    }
    assert shown.view.detail["metrics"] == {"auc": "0.75", "epochs": "3.0"}
    assert len(shown.edges) == 2, "what was used twice was used"
    model = client.resolve(made)
    assert model.ref.startswith("file:model.bin@")
    assert unspell(model.detail["path"]) == bytes(tmp_path / "model.bin")
    assert [view.kind for view in client.trace(made).nodes] == ["file", "run", "dataset"]
    assert [view.kind for view in client.impact("dataset:raw", kinds=["file"]).nodes] == ["dataset", "file"]
    assert client.rebuild().same


def test_a_run_that_fails_is_recorded_as_such_and_the_error_goes_on(client: Client) -> None:
    with pytest.raises(ZeroDivisionError), client.run("broken") as run:
        run.parameters(x=1 // 0)
    detail = client.show(run.ref).view.detail
    assert (detail["state"], detail["failure"]) == ("failed", "ZeroDivisionError")


def test_what_cannot_be_said_is_refused_where_it_is_said(client: Client) -> None:
    with client.run("odd") as run:
        for value in ("many", None, [1], 10**400):
            with pytest.raises(BadInput):
                run.metrics(x=value)  # type: ignore[arg-type]
        with pytest.raises(UnknownRef):
            run.use("dataset:none")
        with pytest.raises(BadInput):
            run.generate("missing.bin")
        run.metrics(good=1.0, never=float("nan"))
        run.parameters({"\udcff": "\ud800", "nul": "a\0b", "deep": {"a": object}})
    assert client.show(run.ref).view.detail["metrics"]["good"] == "1.0"
    assert client.rebuild().same


def test_names_that_are_not_utf8_and_secrets(client: Client, tmp_path: Path) -> None:
    name = os.fsdecode(b"o\xff t.bin")
    (tmp_path / name).write_bytes(b"x")
    with client.run("odd\udcff name") as run:
        made = run.generate(name)
        run.parameters(api_key="hunter2hunter2", hf=["ghp_" + "Zx9Yw8Vu7T" * 4])
    assert made.startswith("file:o%FF%20t.bin@")
    said = json.dumps(client.show(run.ref).view.detail)
    assert "hunter2" not in said
    assert "Zx9Yw8Vu7T" not in said


def test_threads_share_a_client(client: Client) -> None:
    def work(number: int) -> None:
        with client.run(f"r{number}") as run:
            run.metrics(n=number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = client.session.catalog.all_nodes("run")
    assert sorted(view.detail["metrics"]["n"] for view in found) == sorted(f"{float(n)}" for n in range(10))


def test_no_ledger_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotALedger):
        lineal.open(str(tmp_path / "none"))
    create(Settings(), tmp_path / "new", "lineal.test/log")
    with pytest.raises(BadInput):
        lineal.open(str(tmp_path / "new"), actor="two\nlines")
