"""What `verify` and `log` prove of a ledger, and that a catalog which lies is found out."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lineal.cli.main import run
from lineal.core.checkpoint import open_checkpoint
from lineal.core.merkle import verify_consistency, verify_inclusion
from lineal.ledger.keys import VerifyingKey


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A ledger with two snapshots, each signed by its own command."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw.csv").write_text("a,b\n1,2\n")
    for command in (["init"], ["snapshot", "dataset:raw", "raw.csv"], ["snapshot", "dataset:other", "raw.csv"]):
        assert run(command) == 0
    capsys.readouterr()
    return tmp_path / ".lineal"


def _said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    assert run([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("command", ["log", "verify"])
def test_proofs_hold_in_the_hands_of_others(ledger: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    said = _said(capsys, command, "dataset:raw")
    (proof,) = said["proofs"] if command == "verify" else [entry["proof"] for entry in said["entries"]]
    key = VerifyingKey.parse((ledger / "log.vkey").read_text().strip())
    new = open_checkpoint(proof["checkpoint"].encode(), key)
    old = open_checkpoint(proof["since"]["checkpoint"].encode(), key)
    assert (old.size, new.size) == (2, 3)
    path = tuple(bytes.fromhex(item) for item in proof["path"])
    verify_inclusion(proof["entry"], new.size, bytes.fromhex(proof["leaf"]), path, new.root)
    steps = tuple(bytes.fromhex(item) for item in proof["since"]["consistency"])
    verify_consistency(old.size, new.size, old.root, new.root, steps)


def test_text_shows_the_proofs(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("log", "verify"):
        assert run([command, "dataset:raw"]) == 0
        assert "in the signed log of 3 entries" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE catalog_fact SET actor = 'mallory'",
        "DELETE FROM catalog_edge",
        "UPDATE catalog_node SET name = 'better' WHERE name = 'raw'",
        "UPDATE catalog_event SET time = '2020-01-01T00:00:00.000000Z' WHERE idx = 1",
        "DELETE FROM catalog_member WHERE path = 'raw.csv'",
    ],
)
def test_a_catalog_that_lies_is_found_and_rebuilt(
    ledger: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    assert run(["run", "-q", "--", "cp", "raw.csv", "copy.csv"]) == 0
    assert _said(capsys, "verify")["verified"]
    with sqlite3.connect(ledger / "catalog.db") as catalog:
        assert catalog.execute(change).rowcount > 0
    catalog.close()
    said = _said(capsys, "verify", status=10)
    assert [finding["code"] for finding in said["findings"] if finding["failed"]] == ["catalog.differs"]
    assert not _said(capsys, "rebuild")["same"]
    assert _said(capsys, "verify")["verified"]


@pytest.mark.parametrize("subject", [[], ["dataset:raw"]])
def test_a_log_written_anew_is_told_from_the_one_that_was_kept(
    ledger: Path, capsys: pytest.CaptureFixture[str], subject: list[str]
) -> None:
    kept = ledger.parent / "kept"
    kept.mkdir()
    key = shutil.copy(ledger / "log.vkey", kept)
    checkpoint = shutil.copy(ledger / "log" / "checkpoint", kept)
    assert run(["snapshot", "-q", "dataset:third", "raw.csv"]) == 0
    capsys.readouterr()
    given = ["verify", *subject, "--key", key, "--checkpoint", checkpoint]
    assert _said(capsys, *given)["verified"]
    assert _said(capsys, "verify", *subject, "--key", Path(key).read_text().strip())["verified"]
    shutil.rmtree(ledger)
    origin = Path(key).read_text().partition("+")[0]
    for command in (["init", "--origin", origin], ["snapshot", "dataset:raw", "raw.csv"]):
        assert run(command) == 0
    capsys.readouterr()
    assert _said(capsys, "verify", *subject)["verified"]  # sound in itself
    findings = _said(capsys, *given, status=10)["findings"]
    assert [each["about"] for each in findings if each["failed"]] == ["ledger", "the checkpoint that was kept"]
    assert run(["verify", *subject, "--checkpoint", checkpoint]) == 10
    assert run(["verify", *subject, "--key", "no key"]) == 2
    assert run(["verify", *subject, "--checkpoint", str(kept / "none")]) == 2


def test_a_log_put_back_to_an_older_state_does_not_go_on_from_a_later_checkpoint(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ledger, ledger.with_name("older"))
    assert run(["snapshot", "-q", "dataset:third", "raw.csv"]) == 0
    checkpoint = shutil.copy(ledger / "log" / "checkpoint", ledger.parent / "kept")
    shutil.rmtree(ledger)
    ledger.with_name("older").rename(ledger)
    capsys.readouterr()
    assert _said(capsys, "verify")["verified"]
    assert not _said(capsys, "verify", "--checkpoint", checkpoint, status=10)["verified"]
