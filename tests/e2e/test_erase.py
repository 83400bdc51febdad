"""Erasing bodies on record: gone from every file, and every proof still holds."""

import json
from pathlib import Path

import pytest

from lineal.cli.main import run

NAME = "PERSONAL-7f3e9a"


def _lineal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = run(list(arguments))
    return status, capsys.readouterr().out


def _files_with(folder: Path, text: bytes) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and text in file.read_bytes()]


def test_an_erased_body_is_in_no_file_and_the_ledger_verifies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw.csv").write_text("a,b\n1,2\n")
    _lineal(capsys, "init")
    _lineal(capsys, "snapshot", "dataset:raw", "raw.csv", "--as", NAME)
    _lineal(capsys, "snapshot", "dataset:other", "raw.csv", "--as", "somebody")
    _lineal(capsys, "ls")
    assert _files_with(tmp_path / ".lineal", NAME.encode())

    status, said = _lineal(capsys, "erase", "1", "--reason", "request 2026-114", "--yes", "--json")

    assert (status, json.loads(said)) == (0, {"erased": [1], "entry": 3})
    assert _files_with(tmp_path / ".lineal", NAME.encode()) == []
    status, said = _lineal(capsys, "verify", "--json")
    assert status == 0
    assert [finding["failed"] for finding in json.loads(said)["findings"]] == [False]
    events = json.loads(_lineal(capsys, "log", "--json")[1])["entries"]
    assert [(event["entry"], event["erased"]) for event in events] == [(3, False), (2, False), (1, True), (0, False)]
    assert json.loads(_lineal(capsys, "rebuild", "--json")[1])["same"]
    assert _lineal(capsys, "show", "dataset:raw")[0] == 2
    assert _lineal(capsys, "show", "dataset:other")[0] == 0


def test_entry_0_cannot_be_erased(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _lineal(capsys, "init")
    assert _lineal(capsys, "erase", "0", "--reason", "no", "--yes")[0] == 2
    assert len(json.loads(_lineal(capsys, "log", "--json")[1])["entries"]) == 1
