"""Killed at any moment, a snapshot leaves no version and a sound store, and the next does not begin from nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lineal.datasets import memory
from lineal.datasets.manifest import HEADER
from lineal.datasets.reading import FileReader
from lineal.datasets.snapshot import snapshot
from lineal.objects.store import ObjectStore

SNAPSHOT = """
import json, os, sys
from pathlib import Path
from lineal.datasets import memory
from lineal.datasets.reading import FileReader
from lineal.datasets.snapshot import snapshot
from lineal.objects.store import ObjectStore

memory._PUBLISH_FILES = 100
read = 0
real = FileReader.read
def counted(self, block, wanted, *more):
    global read
    wanted = list(wanted)
    read += len(wanted)
    os.write(2, b".")
    return real(self, block, wanted, *more)
FileReader.read, FileReader.ahead = counted, 1  # blocks wait for one large file before them, and for no more
taken = snapshot(Path(sys.argv[1]), ObjectStore(Path(sys.argv[2])), keep=sys.argv[4] == "keep", index=Path(sys.argv[3]))
os.write(1, json.dumps([str(taken.digest), read]).encode())
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    draw = random.Random(1)
    for folder in range(40):
        (root / f"{folder:02d}").mkdir(parents=True)
        for number in range(30):
            (root / f"{folder:02d}" / f"{number}").write_bytes(draw.randbytes(300))
        if folder % 5 == 0:
            (root / f"{folder:02d}" / "large").write_bytes(draw.randbytes(3 << 20))
    return root


def run(data: Path, ledger: Path, keep: str, moment: float | None) -> tuple[str, int] | None:
    """Take a snapshot in a process of its own; return digest and files read.

    It is killed when it has begun to read so many blocks, of about forty, or a little later.
    """
    command = [sys.executable, "-c", SNAPSHOT, str(data), str(ledger / "objects"), str(ledger / "changes.db"), keep]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if moment is not None:
            process.stderr.read(int(moment))
            time.sleep(moment % 1 / 10)
            process.send_signal(signal.SIGKILL)
        found = process.stdout.read()
    return tuple(json.loads(found)) if found else None


@pytest.mark.parametrize("keep", ["keep", "reference"])
def test_killed_at_random_moments(tmp_path: Path, data: Path, keep: str) -> None:
    draw = random.Random(4)
    (tmp_path / "other").mkdir()
    expected = str(snapshot(data, ObjectStore(tmp_path / "other" / "objects"), keep=False).digest)
    (tmp_path / "whole").mkdir()
    assert run(data, tmp_path / "whole", keep, None) == (expected, 1208)
    left = []
    for turn in range(8):
        ledger = tmp_path / f"ledger-{turn // 4}"
        ledger.mkdir(exist_ok=True)
        done = run(data, ledger, keep, draw.uniform(0, 36))
        store = ObjectStore(ledger / "objects")
        assert list(store.verify()) == []
        versions = [digest for digest in store.digests() if store.read(digest).startswith(HEADER)]
        assert [str(digest) for digest in versions] in ([], [expected])
        if done is not None:
            assert done[0] == expected
        if turn % 4 == 3:
            again = run(data, ledger, keep, None)
            assert again is not None
            assert again[0] == expected
            left.append(again[1])
            assert run(data, ledger, keep, None) == (expected, 0)
            assert list(store.verify()) == []
    assert min(left) < 1208


@pytest.mark.parametrize("keep", [True, False])
def test_what_was_read_before_the_kill_is_not_read_again(
    tmp_path: Path, data: Path, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_PUBLISH_FILES", 100)
    (tmp_path / "ledger").mkdir()
    store, index = ObjectStore(tmp_path / "ledger" / "objects"), tmp_path / "ledger" / "changes.db"
    monkeypatch.setattr(FileReader, "ahead", 1)  # blocks wait for one large file before them, and for no more
    read: list[bytes] = []
    real = FileReader.read
    child = os.fork()
    if child == 0:

        def killed(self: FileReader, block, wanted, *more) -> None:  # type: ignore[no-untyped-def]
            if block.folder == b"25/":
                os.kill(os.getpid(), signal.SIGKILL)
            real(self, block, wanted, *more)

        FileReader.read = killed  # type: ignore[method-assign]
        snapshot(data, store, keep=keep, index=index)
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert not any(store.read(digest).startswith(HEADER) for digest in store.digests())

    def counted(self: FileReader, block, wanted, *more) -> None:  # type: ignore[no-untyped-def]
        read.extend(block.folder + block.names[number] for number in wanted)
        real(self, block, wanted, *more)

    monkeypatch.setattr(FileReader, "read", counted)
    taken = snapshot(data, store, keep=keep, index=index)
    assert taken.files == 1208
    # Blocks wait for those before them while a large file is being copied: some that were read are read again.
    assert min(read) > b"09"
    assert list(store.verify()) == []


def test_stopped_from_the_keyboard(tmp_path: Path, data: Path) -> None:
    """SIGINT while the command runs, at several moments: status 130, one line, nothing half-written, then it works."""
    environment = {**os.environ, "HOME": str(tmp_path), "LINEAL_LEDGER": str(tmp_path)}
    begun = "import os, runpy, sys; os.write(1, b'.'); runpy.run_module('lineal', run_name='__main__', alter_sys=True)"
    program = [sys.executable, "-c", begun]
    subprocess.run([*program, "init"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    statuses = set()
    for delay in (0.2, 0.4, 0.7, 1.0):
        command = [*program, "snapshot", "dataset:d", str(data)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.read(1) == b"."  # before that, Python itself may end in ways of its own
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate()
        statuses.add(process.returncode)
        if process.returncode == 130:
            assert b"Traceback" not in said
    assert statuses <= {0, 130, -signal.SIGINT}  # a signal before the command has begun ends it as any program
    done = subprocess.run(
        [*program, "snapshot", "dataset:d", str(data), "--json"], env=environment, capture_output=True, check=True
    )
    assert json.loads(done.stdout[1:])["version"]["ref"] == "dataset:d@1"
    assert list(ObjectStore(tmp_path / ".lineal" / "objects").verify()) == []
