"""The bar: on a terminal it tells what is done, how fast, and what is left; elsewhere there is none."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for number in range(3):
        (tmp_path / "data" / f"{number}").write_bytes(os.urandom(1 << 20) * 8)
    subprocess.run([sys.executable, "-m", "lineal", "init"], cwd=tmp_path, env=environment(tmp_path), check=True)
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(place), "TERM": "xterm", "COLUMNS": "200", "LINES": "50"}


def run(place: Path, *words: str) -> tuple[int, bytes]:
    """Run a command with standard error on a terminal; return its status and what it wrote there."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "lineal", *words]
    process = subprocess.Popen(command, cwd=place, env=environment(place), stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    said = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        said += piece
    os.close(master)
    return process.wait(), said


def test_a_terminal_gets_a_bar(place: Path) -> None:
    status, said = run(place, "snapshot", "dataset:d", "data")
    assert status == 0
    assert b"snapshot of data" in said
    assert b"3 files, 24.0 MiB" in said
    assert b"MiB/s" in said
    status, said = run(place, "snapshot", "dataset:d", "data", "--paranoid")
    assert b"0:00:00" in said  # how long it still takes: the total is known by now
    status, said = run(place, "restore", "dataset:d@1", "out")
    assert status == 0
    assert b"3 files, 24.0 MiB" in said


@pytest.mark.parametrize("word", ["--quiet", "--json"])
def test_quiet_and_machines_get_none(place: Path, word: str) -> None:
    assert run(place, "snapshot", "dataset:d", "data", word) == (0, b"")


def test_a_pipe_gets_none(place: Path) -> None:
    command = [sys.executable, "-m", "lineal", "snapshot", "dataset:d", "data"]
    done = subprocess.run(command, cwd=place, env=environment(place), capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout.startswith(b"recorded dataset:d@1")
    assert b"\x1b" not in done.stdout
