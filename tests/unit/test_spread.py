"""Hashing by the workers of an engine: the same digests, and none of what a worker cannot see or sees otherwise."""

import os
import random
import time
from pathlib import Path

import pytest

import lineal
from lineal.app.snapshot import snapshot as record
from lineal.datasets import spread
from lineal.datasets.block import KEY
from lineal.datasets.snapshot import Spread, snapshot
from lineal.errors import BadInput, SourceError, UsageError
from lineal.objects.store import ObjectStore
from lineal.wiring import Settings, create

pytest.importorskip("joblib")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    draw = random.Random(2)
    for folder in ("a", "a/deep/er", "b"):
        (root / folder).mkdir(parents=True)
        for number in range(30):
            (root / folder / f"{number}").write_bytes(draw.randbytes(200))
    (root / "b" / "large").write_bytes(draw.randbytes(3 << 20))
    (root / "b" / "tool").write_bytes(b"#!")
    (root / "b" / "tool").chmod(0o755)
    (root / "b" / "link").symlink_to("../a/0")
    Path(os.fsdecode(os.fsencode(root) + b"/a/\xff\xfe\n")).write_bytes(b"odd name")
    return root


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "objects")


@pytest.mark.parametrize("engine", [None, "dask", pytest.param("ray", marks=pytest.mark.torture)])
def test_an_engine_gives_the_same_digest(data: Path, store: ObjectStore, tmp_path: Path, engine: str | None) -> None:
    if engine is not None:
        pytest.importorskip({"dask": "distributed"}.get(engine, engine))
    expected = snapshot(data, store, keep=False)
    time.sleep(0.03)
    index = tmp_path / "changes.db"
    done = snapshot(data, store, keep=False, index=index, spread=Spread(engine, 2))
    assert done == expected
    assert snapshot(data, store, keep=False, index=index) == expected


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[spread.Task]:
    """An engine whose worker is this process; gives the tasks that were sent."""
    sent: list[spread.Task] = []

    def connect(_engine: str | None, _jobs: int | None) -> tuple[spread.Run, object]:
        def run(tasks: list[spread.Task]) -> list[list[spread.Hashed] | str]:
            sent.extend(tasks)
            return [spread.hash_files(task) for task in tasks]

        return run, lambda: None

    monkeypatch.setattr(spread, "_connect", connect)
    monkeypatch.setattr(spread, "_TASK_FILES", 7)
    monkeypatch.setattr(spread, "_TASKS_AT_ONCE", 3)
    return sent


def test_folders_are_cut_into_tasks(data: Path, store: ObjectStore, here: list[spread.Task]) -> None:
    expected = snapshot(data, store, keep=False)
    assert snapshot(data, store, keep=False, spread=Spread("dask")) == expected
    assert max(len(task.files) for task in here) == 7
    assert len(here) > 12


def test_a_worker_that_cannot_see_the_files_is_said(
    data: Path, store: ObjectStore, here: list[spread.Task], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = spread.hash_files

    def elsewhere(task: spread.Task) -> list[spread.Hashed] | str:
        return real(spread.Task(os.fsencode(tmp_path / "not mounted"), task.folder, task.files))

    monkeypatch.setattr(spread, "hash_files", elsewhere)
    with pytest.raises(BadInput, match="not mounted") as failure:
        snapshot(data, store, keep=False, spread=Spread("dask"))
    assert "same path" in failure.value.hint
    assert list(store.digests()) == []


def test_a_worker_that_sees_another_file_is_said(
    data: Path, store: ObjectStore, here: list[spread.Task], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / "a" / "deep").mkdir(parents=True)
    real = spread.hash_files

    def elsewhere(task: spread.Task) -> list[spread.Hashed] | str:
        (other / os.fsdecode(task.folder)).mkdir(parents=True, exist_ok=True)
        for _, name, key in task.files:
            (other / os.fsdecode(task.folder + name)).write_bytes(bytes(KEY.unpack(key)[1]))
        return real(spread.Task(os.fsencode(other), task.folder, task.files))

    monkeypatch.setattr(spread, "hash_files", elsewhere)
    with pytest.raises(BadInput, match="not the file that was seen"):
        snapshot(data, store, keep=False, spread=Spread("dask"))


def test_an_engine_that_breaks_is_an_error_of_the_house(
    data: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_tasks: list[spread.Task]) -> list[list[spread.Hashed] | str]:
        raise RuntimeError("the scheduler is gone\nwith a long story")

    monkeypatch.setattr(spread, "_connect", lambda _engine, _jobs: (run, lambda: None))
    with pytest.raises(SourceError, match="the scheduler is gone"):
        snapshot(data, store, keep=False, spread=Spread("dask"))
    assert list(store.digests()) == []


def test_words_for_engines(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(Settings(), tmp_path, "lineal.test/log")
    with lineal.open(str(tmp_path), actor="tester") as client:
        with pytest.raises(UsageError, match="no such engine"):
            record(client.session, "dataset:d", data, keep=False, engine="hadoop")
        with pytest.raises(UsageError, match="stored by this process"):
            record(client.session, "dataset:d", data, keep=True, engine="dask")
        monkeypatch.setattr(spread, "_import", lambda name: (_ for _ in ()).throw(ModuleNotFoundError(name=name)))
        with pytest.raises(UsageError, match="joblibspark") as failure:
            record(client.session, "dataset:d", data, keep=False, engine="spark")
        assert "lineal[spark]" in failure.value.hint
        done = record(client.session, "dataset:d", data, keep=False, jobs=2)
        assert done.version.ref == "dataset:d@1"
