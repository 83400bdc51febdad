"""Killed at any moment, a store can be read, holds whatever was acknowledged, and takes the next writer."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lineal.core.digest import Digest
from lineal.objects.store import ObjectStore

WRITER = """
import os, random, sys
from pathlib import Path
from lineal.objects.store import ObjectStore

seed, root = int(sys.argv[1]), Path(sys.argv[2])
draw = random.Random(seed)
for turn in range(int(sys.argv[3])):
    store = ObjectStore(root)
    with store.batch() as batch:
        contents = [draw.randbytes(draw.choice((3, 400, 1_100_000))) for _ in range(6)]
        contents += [b"shared %d" % draw.randrange(50) for _ in range(20)]
        digests = [batch.put_bytes(data) for data in contents]
    digests.append(store.put_bytes(b"single %d" % draw.randrange(10**6)))
    os.write(1, b"".join(digest.hex.encode() + b"\\n" for digest in digests))
"""

# Kills itself just before or just after the n-th sync, rename or new folder, for each n until one run is through.
KILLED_AT_EACH_STEP = """
import os, signal, sys
from pathlib import Path
from lineal.objects.store import ObjectStore

def run(root, number, before):
    steps = 0
    def counted(real):
        def step(*arguments, **named):
            nonlocal steps
            steps += 1
            if steps == number and before:
                os.kill(os.getpid(), signal.SIGKILL)
            mine = steps
            try:
                return real(*arguments, **named)
            finally:
                if mine == number:
                    os.kill(os.getpid(), signal.SIGKILL)
        return step
    for name in ("fsync", "rename", "mkdir"):
        setattr(os, name, counted(getattr(os, name)))
    store = ObjectStore(root)
    acknowledged = os.open(root.parent / "acknowledged", os.O_WRONLY | os.O_CREAT)
    with store.batch() as batch:
        digests = [batch.put_bytes(b"small"), batch.put_bytes(bytes(1_500_000))]
    os.write(acknowledged, b"".join(digest.hex.encode() + b"\\n" for digest in digests))
    os.write(acknowledged, store.put_bytes(b"single").hex.encode() + b"\\n")

number = 0
while True:
    number += 1
    for before in (True, False):
        folder = Path(sys.argv[1]) / f"{number:03d}-{'before' if before else 'after'}"
        folder.mkdir()
        child = os.fork()
        if child == 0:
            run(folder / "objects", number, before)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        break
"""


def acknowledged(lines: bytes) -> list[Digest]:
    return [Digest(bytes.fromhex(line.decode())) for line in lines.split(b"\n") if len(line) == 64]


def assert_sound(store: ObjectStore, promised: list[Digest]) -> None:
    assert list(store.verify()) == []
    for digest in set(promised):
        assert store.read(digest) is not None
    assert store.read(store.put_bytes(b"life goes on")) == b"life goes on"


def test_killed_at_each_step(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_AT_EACH_STEP, str(tmp_path)], check=True)
    folders = sorted(tmp_path.iterdir())
    assert len(folders) > 40
    counts = []
    for folder in folders:
        note = folder / "acknowledged"
        promised = acknowledged(note.read_bytes()) if note.exists() else []
        counts.append(len(promised))
        assert_sound(ObjectStore(folder / "objects"), promised)
    assert sorted(set(counts)) == [0, 2, 3]
    assert counts == sorted(counts)


def test_killed_at_random_moments(tmp_path: Path) -> None:
    draw = random.Random(7)
    root = tmp_path / "objects"
    promised: list[Digest] = []
    for turn in range(8):
        command = [sys.executable, "-c", WRITER, str(turn), str(root), "1000"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            promised += acknowledged(writer.stdout.readline())
            time.sleep(draw.uniform(0, 0.1))
            writer.send_signal(signal.SIGKILL)
            promised += acknowledged(writer.stdout.read())
        assert_sound(ObjectStore(root), promised)
    assert len(promised) > 200
    store = ObjectStore(root)
    store.sweep(older_than=-1)
    assert list((root / "tmp").iterdir()) == []
    assert_sound(store, promised)


@pytest.mark.parametrize("writers", [4])
def test_many_processes_write_the_same_store(tmp_path: Path, writers: int) -> None:
    root = tmp_path / "objects"
    commands = [[sys.executable, "-c", WRITER, str(seed // 2), str(root), "6"] for seed in range(writers)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in commands]
    outputs = [writer.communicate()[0] for writer in running]
    assert [writer.returncode for writer in running] == [0] * writers
    promised = [digest for output in outputs for digest in acknowledged(output)]
    assert len(promised) == writers * 6 * 27
    assert os.listdir(root / "tmp") == []
    assert_sound(ObjectStore(root), promised)
