"""The verifier of the documentation, which shares no code with Lineal, on ledgers as Lineal writes them."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lineal
from lineal.app.erase import erase
from lineal.core.observation import Observation
from lineal.wiring import Settings, create

VERIFIER = Path(__file__).resolve().parents[2] / "docs" / "verify_by_hand.py"
COUNT = 300  # more than one bundle


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ledger of several bundles and producers, with an erased body and text that is not ASCII."""
    home = create(Settings(), tmp_path_factory.mktemp("hand"), "example.com/by-hand").root
    for actor in ("ana", "bö 😀"):
        with lineal.open(str(home), actor=actor) as client:
            moment = client.session.clock()
            client.record(
                [
                    Observation(
                        type="file.claimed/1",
                        time=moment,
                        actor=actor,
                        basis="claimed",
                        subject=(f"é\u2028\x7f\x01😀 {n}",),
                    )
                    for n in range(COUNT // 2)
                ]
            )
    with lineal.open(str(home)) as client:
        erase(client.session, [7], "asked for")
    return home


def _verify(home: Path, *key: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(VERIFIER), str(home), *key]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)


def test_a_sound_ledger_holds(ledger: Path) -> None:
    done = _verify(ledger, (ledger / "log.vkey").read_text().strip())
    assert done.stdout.startswith(f"example.com/by-hand: {COUNT + 2} signed entries hold, {COUNT + 1} bodies"), (
        done.stderr
    )
    assert done.returncode == 0


def test_another_key_is_refused(ledger: Path, tmp_path: Path) -> None:
    other = create(Settings(), tmp_path, "example.com/by-hand").root
    done = _verify(ledger, (other / "log.vkey").read_text().strip())
    assert done.returncode == 1
    assert "has not signed" in done.stderr


def _sql(statement: str) -> Callable[[Path], None]:
    def change(home: Path) -> None:
        with sqlite3.connect(home / "ledger.db") as database:
            assert database.execute(statement).rowcount == 1
        database.close()

    return change


def _flip(path: str, at: int) -> Callable[[Path], None]:
    def change(home: Path) -> None:
        file = home / path
        data = bytearray(file.read_bytes())
        data[at] ^= 1
        file.write_bytes(data)

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_sql("UPDATE body SET bytes = bytes || x'20' WHERE idx = 9"), id="body"),
        pytest.param(_sql("UPDATE body SET salt = zeroblob(32) WHERE idx = 299"), id="salt"),
        pytest.param(_sql("DELETE FROM body WHERE idx = 30"), id="body gone"),
        pytest.param(_sql("UPDATE entry SET bytes = bytes || x'20' WHERE idx = 280"), id="entry in the database"),
        pytest.param(_sql("DELETE FROM entry WHERE idx = 100"), id="entry gone"),
        pytest.param(_flip("log/tile/entries/000", 3000), id="full bundle"),
        pytest.param(_flip("log/tile/entries/001.p/46", 90), id="partial bundle"),
        pytest.param(_flip("log/checkpoint", 25), id="checkpoint"),
        pytest.param(_flip("log/checkpoint", -5), id="signature"),
    ],
)
def test_a_changed_ledger_does_not(change: Callable[[Path], None], ledger: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ledger, copy)
    change(copy)
    done = _verify(copy)
    assert done.returncode == 1
    assert "hold" not in done.stdout
