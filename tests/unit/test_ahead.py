"""Listing folders in another process: the same snapshot, whatever happens to that process or to the tree meanwhile."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit import runs, until
from lineal.datasets import ahead as ahead_module
from lineal.datasets import block
from lineal.datasets.ahead import look_ahead, looking_ahead
from lineal.datasets.snapshot import snapshot
from lineal.objects.store import ObjectStore

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or (os.cpu_count() or 1) < 2, reason="only where there is a second processor"
)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "objects")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for folder in ("a", "a/deep", "a-b", "b/c/d", "empty"):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(20):
            (root / folder / f"{number}").write_bytes(b"%d" % number)
    (root / "b" / "link").symlink_to("../a")
    os.mkfifo(root / "b" / "fifo")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe\n")).mkdir()
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe\n/odd")).write_bytes(b"odd")
    return root


def test_what_is_seen_is_what_is_there(store: ObjectStore, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = snapshot(data, store)
    with looking_ahead(str(data)) as ahead:
        assert ahead is not None
        monkeypatch.setattr("lineal.datasets.survey.scan", lambda *_: pytest.fail("listed here"))
        assert snapshot(data, store, ahead=ahead) == expected


def test_folders_that_change_after_they_were_listed_are_listed_again(store: ObjectStore, data: Path) -> None:
    with looking_ahead(str(data)) as ahead:
        assert ahead is not None
        assert ahead.take(b"") is not None
        time.sleep(0.3)  # by now the small tree has been listed whole
        (data / "a-b" / "new").write_bytes(b"new")
        (data / "b" / "c" / "d" / "5").unlink()
        (data / "a" / "deep").rename(data / "moved")
        (data / "a" / "7").write_bytes(b"other bytes")
        taken = snapshot(data, store, ahead=ahead)
    assert taken == snapshot(data, store)


@pytest.mark.parametrize("when", [0.0, 0.002, 0.01])
def test_the_other_process_may_be_killed(store: ObjectStore, data: Path, when: float) -> None:
    with looking_ahead(str(data)) as ahead:
        assert ahead is not None
        time.sleep(when)
        os.kill(ahead._process, signal.SIGKILL)
        assert snapshot(data, store, ahead=ahead) == snapshot(data, store)


def test_very_large_folders_are_left_to_whoever_reads(
    store: ObjectStore, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block, "_WHOLE", 12)
    monkeypatch.setattr(block, "_CUT", 7)
    expected = snapshot(data, store)
    with looking_ahead(str(data)) as ahead:
        assert snapshot(data, store, ahead=ahead) == expected


def test_more_than_the_pipe_takes_waits_in_the_other_process(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead_module, "_PIPE", 4096)
    monkeypatch.setattr(ahead_module, "_MOST_BYTES", 20_000)
    root = tmp_path / "wide"
    for folder in range(60):
        (root / f"{folder:02d}").mkdir(parents=True)
        for number in range(40):
            (root / f"{folder:02d}" / f"{number:04d}").touch()
    expected = snapshot(root, store, keep=False)
    with looking_ahead(str(root)) as ahead:
        time.sleep(0.2)
        assert snapshot(root, store, keep=False, ahead=ahead) == expected


def test_no_process_is_left_behind(data: Path, tmp_path: Path) -> None:
    assert look_ahead(str(tmp_path / "missing")) is None
    assert look_ahead(str(data / "a" / "1")) is None
    with looking_ahead(str(data)) as ahead:
        assert ahead is not None
        process = ahead._process
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    # One that nobody asks any more, because its parent was killed, ends by itself.
    program = (
        "import os, sys\nfrom lineal.datasets.ahead import look_ahead\n"
        "print(look_ahead(sys.argv[1])._process, flush=True)\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(data)], capture_output=True, text=True, check=False)
    orphan = int(done.stdout)
    until(lambda: not runs(orphan), "it ends")
