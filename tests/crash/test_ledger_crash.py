"""Killed at any step and at any moment, a ledger has everything it acknowledged, once, and goes on without help."""

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kit import LOG, Speaker, failures, make_home, open_at, runs, until
from lineal.core.event import SALT_SIZE, Event
from lineal.core.merkle import leaf_hash, root_of
from lineal.errors import AlreadyExists
from lineal.ledger.commit import Prepared, prepare
from lineal.ledger.erase import erase_bodies
from lineal.ledger.home import Home
from lineal.ledger.log_files import LogFiles
from lineal.ledger.spool import Spool
from lineal.ledger.verify import audit_files, audit_log, check_proof, prove_entry, verify_ledger

sys.path.insert(0, str(Path(__file__).parent))
import nursery

Spoil = Callable[[Event], Event]


class Nursery:
    """The warm process that starts writers; see `nursery`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, nursery.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _order(self, **order: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order, default=str), file=self._process.stdin, flush=True)
        return int(json.loads(self._process.stdout.readline()))

    def start(self, run: str, **order: Any) -> int:
        """Start a process and return its id."""
        return self._order(run=run, **order)

    def wait(self, pid: int) -> int:
        """Return the exit status of the process, negative for the signal that killed it."""
        return self._order(run="wait", pid=pid)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(900)


@pytest.fixture(scope="module")
def writers() -> Iterator[Nursery]:
    nest = Nursery()
    yield nest
    nest.close()


def _acknowledged(*files: Path) -> list[tuple[str, int, str]]:
    lines = [line.split() for file in files if file.exists() for line in file.read_text().splitlines()]
    return [(kind, int(number), text) for kind, number, text in lines]


def _check_kept(home: Home, acknowledged: list[tuple[str, int, str]]) -> None:
    """Hold a ledger, opened as anyone would, against what its writers were told before they died."""
    with open_at(home) as ledger:
        entries = list(ledger.reader.entries())
        statements = [entry.checked()[0] for entry in entries]
        names = [(statement["producer"], statement["id"]) for statement in statements]
        assert len(set(names)) == len(names)
        leaves = [leaf_hash(entry.data) for entry in entries]
        erased = {number for kind, number, _ in acknowledged if kind == "erased"}
        for kind, number, text in acknowledged:
            if kind == "entry":
                assert statements[number]["id"] == text
            elif kind == "checkpoint":
                assert root_of(leaves[:number]).hex() == text
        assert all(entries[idx].body is None for idx in erased)
        assert {item.code for item in failures(ledger)} <= {"body.kept"}
        ledger.append([Speaker(f"after-{len(entries)}").says()])
        ledger.publish()
        assert audit_log(ledger) == audit_files(home.log_folder, ledger.key)
        for idx in {0, 1, len(entries) // 2, len(entries)}:
            check_proof(prove_entry(ledger, idx), ledger.key)


class Scenario:
    """One short life of a ledger, which dies at a numbered step."""

    def __init__(self, folder: Path, writers: Nursery) -> None:
        self.folder = folder
        self.writers = writers
        status, _, _ = self.run(0)
        assert status == 0
        self.steps = (folder / "steps").read_text().splitlines()

    def run(self, killed_at: int) -> tuple[int, Home, list[tuple[str, int, str]]]:
        """Return how the process ended, its ledger, and what it was told."""
        home, told = self.folder / f"{killed_at}" / ".lineal", self.folder / f"told-{killed_at}"
        home.parent.mkdir()
        steps = self.folder / "steps"
        order = {"home": home, "acknowledged": told, "killed_at": killed_at, "steps": steps}
        return self.writers.wait(self.writers.start("scenario", **order)), Home(home), _acknowledged(told)

    def check(self, killed_at: int) -> int:
        """Kill it there and judge what is left; return of how much it was told before."""
        status, home, told = self.run(killed_at)
        assert status == -signal.SIGKILL
        *said, (erasure,) = nursery.groups()
        if home.root.exists():
            _check_kept(home, told)
        else:
            assert not told
            make_home(home.root)
        with open_at(home) as ledger:
            # Whoever was not told says it all again: each statement is in the log once, and the erasure is finished.
            again = {receipt.idx for group in said for receipt in ledger.append(group)}
            again.add(erase_bodies(ledger, erasure).idx)
            assert again >= {number for kind, number, _ in told if kind == "entry"}
            assert len(again) == sum(map(len, said)) + 1
            ledger.publish()
            assert not failures(ledger)
        shutil.rmtree(home.root.parent)
        return len(told)


def test_killed_at_each_step_of_creating_committing_publishing_and_erasing(memory: Path, writers: Nursery) -> None:
    """Before and after each step, the first and the last time that it comes."""
    scenario = Scenario(memory, writers)
    assert len(set(scenario.steps)) == 2 * len(nursery.STEPS)
    first = {name: number for number, name in reversed(list(enumerate(scenario.steps, 1)))}
    last = {name: number for number, name in enumerate(scenario.steps, 1)}
    told = [scenario.check(number) for number in sorted({*first.values(), *last.values()})]
    assert told[0] == 0
    assert told[-1] > 260
    assert len(set(told)) >= 3


@pytest.mark.torture
def test_torture_of_every_step(memory: Path, writers: Nursery) -> None:
    scenario = Scenario(memory, writers)
    told = [scenario.check(number) for number in range(1, len(scenario.steps) + 1)]
    assert len(set(told)) >= 6


def _race(folder: Path, writers: Nursery, *, processes: int, events: int, kills: int, seed: int) -> None:
    """Let `processes` append `events` each, kill some at random, let others take their place, and judge the ledger."""
    home = make_home(folder / ".lineal")
    chance = random.Random(seed)
    logs: list[Path] = []
    running: list[int] = []

    def start() -> int:
        logs.append(folder / f"acknowledged-{len(logs)}")
        running.append(
            writers.start("writer", home=home.root, acknowledged=logs[-1], producer=f"w{len(logs)}", events=events)
        )
        return running[-1]

    def said(mark: int) -> bool:
        return sum(file.stat().st_size for file in logs if file.exists()) >= mark * 15 or not any(map(runs, running))

    for _ in range(processes):
        start()
    killed = set()
    total = processes * events
    for kill in range(1, kills + 1):
        mark = total * kill // (kills + 2)
        until(partial(said, mark), "they get that far")
        victim = chance.choice([pid for pid in running if pid not in killed and runs(pid)] or [start()])
        os.kill(victim, signal.SIGKILL)  # its parent has not waited for it: the id is still its own
        killed.add(victim)
        if kill % 2 == 0:
            start()
    statuses = {pid: writers.wait(pid) for pid in running}
    assert all(status in {0, -signal.SIGKILL} for status in statuses.values()), statuses
    assert any(status == -signal.SIGKILL for status in statuses.values())
    told = _acknowledged(*logs)
    assert sum(kind == "done" for kind, _, _ in told) == sum(status == 0 for status in statuses.values())
    places = [number for kind, number, _ in told if kind == "entry"]
    assert len(set(places)) == len(places)
    _check_kept(home, told)
    with open_at(home) as ledger:
        unheard = ledger.reader.size() - len(places) - 2  # beside entry 0 and the one that was said afterwards
        assert 0 <= unheard <= len(killed)
        assert not [item for item in verify_ledger(ledger) if item.code != "file.leftover"]


def test_twenty_writers_and_several_kills_lose_and_double_nothing(tmp_path: Path, writers: Nursery) -> None:
    _race(tmp_path, writers, processes=20, events=200, kills=6, seed=3)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(12))
def test_torture_of_writers(tmp_path: Path, writers: Nursery, seed: int) -> None:
    _race(tmp_path, writers, processes=24, events=500, kills=40, seed=seed)


def _wait_for_batch(home: Home) -> Path:
    until(lambda: any(home.spool_folder.glob("*.batch")), "a writer leaves its batch")
    return next(home.spool_folder.glob("*.batch"))


@pytest.fixture
def left_behind(tmp_path: Path, writers: Nursery) -> tuple[Home, Path]:
    """A ledger whose only other writer died while it waited for its turn."""
    home = make_home(tmp_path / ".lineal")
    with open(home.spool_folder / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pid = writers.start("writer", home=home.root, acknowledged=tmp_path / "told", producer="dead", events=1)
        file = _wait_for_batch(home)
        os.kill(pid, signal.SIGKILL)
        assert writers.wait(pid) == -signal.SIGKILL
    assert not _acknowledged(tmp_path / "told")
    return home, file


def test_what_a_waiting_writer_left_is_committed_by_the_next(left_behind: tuple[Home, Path]) -> None:
    home, file = left_behind
    with open_at(home) as ledger:
        ledger.append([Speaker("alive").says()])
        assert [entry.statement()[0]["producer"] for entry in ledger.reader.entries()] == ["ledger", "alive", "dead"]
        assert not file.exists()
        assert not failures(ledger)


def test_a_batch_that_was_cut_or_damaged_is_dropped_whole(left_behind: tuple[Home, Path]) -> None:
    home, file = left_behind
    sound = file.read_bytes()
    speaker = Speaker("alive")
    with open_at(home) as ledger:
        for data in (b"", sound[:3], sound[:20], sound[:-SALT_SIZE], sound[:-1], sound + b"x", b"\xff" * 200):
            file.write_bytes(data)
            (home.spool_folder / "1-a-1.tmp").write_bytes(data)
            ledger.append([speaker.says()])
            assert not file.exists()
        assert {entry.statement()[0]["producer"] for entry in ledger.reader.entries()} == {"ledger", "alive"}
        assert not failures(ledger)


def test_a_group_that_was_cut_between_its_events_is_dropped_whole(tmp_path: Path) -> None:
    home = make_home(tmp_path / ".lineal")
    group = [prepare(event, LOG) for event in Speaker("dead").many(2)]
    spool = Spool(home.spool_folder)
    file, shorter = spool._leave(group), spool._leave(group[:1])
    file.write_bytes(file.read_bytes()[: shorter.stat().st_size])
    shorter.unlink()
    with open_at(home) as ledger:
        ledger.append([Speaker("alive").says()])
        assert ledger.reader.size() == 2


def _double_claim(event: Event) -> Event:
    return replace(event, claims=("name", "name"))


def _of_another_log(event: Event) -> Event:
    return replace(event, log="lineal.test/another")


@pytest.mark.parametrize("spoil", [_double_claim, _of_another_log], ids=lambda each: each.__name__)
def test_what_could_never_be_an_entry_is_not_taken_from_the_spool(tmp_path: Path, spoil: Spoil) -> None:
    home = make_home(tmp_path / ".lineal")
    event = spoil(Speaker("dead").says())
    said = event.encode()
    file = Spool(home.spool_folder)._leave(
        [Prepared(event.statement(), said, bytes.fromhex(event.digest()), event.salt, event.body)]
    )
    _check_dropped(home, file)


def test_a_batch_with_zeros_for_its_end_is_dropped(tmp_path: Path) -> None:
    home = make_home(tmp_path / ".lineal")
    file = Spool(home.spool_folder)._leave([prepare(Speaker("dead").says(data={"long": "x" * 8000}), LOG)])
    file.write_bytes(file.read_bytes()[:4096].ljust(file.stat().st_size, b"\0"))
    _check_dropped(home, file)


def _check_dropped(home: Home, file: Path) -> None:
    with open_at(home) as ledger:
        ledger.append([Speaker("alive").says()])
        assert not file.exists()
        assert {entry.statement()[0]["producer"] for entry in ledger.reader.entries()} == {"ledger", "alive"}
        assert not failures(ledger)


@pytest.mark.parametrize("lock", ["spool", "log"])
def test_a_child_forked_under_a_lock_does_not_keep_it(tmp_path: Path, lock: str) -> None:
    home = make_home(tmp_path / ".lineal")
    spool, files = Spool(home.spool_folder), LogFiles(home.log_folder)
    read, write = os.pipe()
    with spool.holding([]) if lock == "spool" else files.publishing():
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)  # until the parent is done, or gone
            os._exit(0)
    os.close(read)
    try:
        descriptor = os.open(home.spool_folder / "lock" if lock == "spool" else home.log_folder / ".lock", os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises BlockingIOError when the child has it
        os.close(descriptor)
    finally:
        os.close(write)
        os.waitpid(child, 0)


def test_many_who_make_the_same_ledger_make_one(tmp_path: Path, writers: Nursery) -> None:
    home = tmp_path / ".lineal"
    told = [tmp_path / f"told-{number}" for number in range(6)]
    pids = [
        writers.start("scenario", home=home, acknowledged=file, killed_at=0, steps=tmp_path / "steps") for file in told
    ]
    statuses = [writers.wait(pid) for pid in pids]
    assert 0 in statuses
    assert set(statuses) <= {0, 7}  # the others are told that it exists
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [".lineal"]
    with pytest.raises(AlreadyExists):
        make_home(home)
    _check_kept(Home(home), _acknowledged(*told))
