"""The change index: nothing unchanged is read again, nothing changed is missed, and damage costs time only."""

import os
import random
import socket
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from lineal.core.digest import Digest
from lineal.datasets import block, manifest, memory, survey
from lineal.datasets.ahead import looking_ahead
from lineal.datasets.manifest import entries, load
from lineal.datasets.reading import FileReader
from lineal.datasets.snapshot import Snapshot, snapshot
from lineal.errors import ObjectChanged
from lineal.objects.store import ObjectStore

LARGE = bytes(range(256)) * 5000


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "ledger" / "objects")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    (tmp_path / "ledger").mkdir()
    return tmp_path / "ledger" / "cache" / "changes.db"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for folder in ("a", "a/deep/er", "b", "empty"):
        (root / folder).mkdir(parents=True)
    for number in range(40):
        (root / "a" / f"{number:02d}.csv").write_bytes(b"%d" % number)
    (root / "a.b").write_bytes(b"sorts before a/")
    (root / "a" / "deep" / "er" / "large").write_bytes(LARGE)
    (root / "b" / "tool").write_bytes(b"#!")
    (root / "b" / "tool").chmod(0o755)
    (root / "b" / "link").symlink_to("../a/00.csv")
    age(root)
    return root


def age(root: Path) -> None:
    """Let the ctimes of everything below `root` be older than any clock's tick."""
    import time

    time.sleep(0.03)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The paths that snapshots read since this was emptied."""
    found: list[bytes] = []
    real = FileReader.read

    def watched(self: FileReader, part: block.Block, wanted: list[int], *more: int) -> None:
        found.extend(part.folder + part.names[number] for number in wanted)
        real(self, part, wanted, *more)

    monkeypatch.setattr(FileReader, "read", watched)
    return found


def plain(root: Path, tmp_path: Path) -> Snapshot:
    """The snapshot of `root` that nothing is remembered for."""
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        return snapshot(root, ObjectStore(Path(folder)), keep=False)


@pytest.mark.parametrize("keep", [True, False])
def test_an_unchanged_tree_is_not_read_and_nothing_is_written(
    store: ObjectStore, index: Path, data: Path, read: list[bytes], keep: bool
) -> None:
    first = snapshot(data, store, keep=keep, index=index)
    assert len(read) == 44
    read.clear()
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    progress: list[tuple[int, int]] = []
    again = snapshot(data, store, keep=keep, index=index, on_progress=lambda *told: progress.append(told))
    assert again == first
    assert read == []
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*")} == before
    assert progress[-1] == (first.files, first.bytes)


def test_paranoid_reads_everything(store: ObjectStore, index: Path, data: Path, read: list[bytes]) -> None:
    first = snapshot(data, store, index=index)
    read.clear()
    assert snapshot(data, store, index=index, paranoid=True) == first
    assert len(read) == 44


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: (root / "a" / "07.csv").write_bytes(b"other"),
    "new file": lambda root: (root / "a" / "07.csv.bak").write_bytes(b"new"),
    "new file at the end": lambda root: (root / "zzz").write_bytes(b"new"),
    "removed": lambda root: (root / "a" / "07.csv").unlink(),
    "renamed": lambda root: (root / "a" / "07.csv").rename(root / "b" / "renamed"),
    "made executable": lambda root: (root / "a" / "07.csv").chmod(0o755),
    "link elsewhere": lambda root: [(root / "b" / "link").unlink(), (root / "b" / "link").symlink_to("../a/01.csv")],
    "file becomes link": lambda root: [(root / "a.b").unlink(), (root / "a.b").symlink_to("a")],
    "file becomes folder": lambda root: [
        (root / "a" / "07.csv").unlink(),
        (root / "a" / "07.csv").mkdir(),
        (root / "a" / "07.csv" / "x").write_bytes(b"x"),
    ],
    "file becomes fifo": lambda root: [(root / "a" / "07.csv").unlink(), os.mkfifo(root / "a" / "07.csv")],
    "folder becomes file": lambda root: [
        (root / "a" / "deep" / "er" / "large").unlink(),
        (root / "a" / "deep" / "er").rmdir(),
        (root / "a" / "deep" / "er").write_bytes(b"file"),
    ],
    "folder removed": lambda root: [
        (root / "a" / "deep" / "er" / "large").unlink(),
        (root / "a" / "deep" / "er").rmdir(),
        (root / "a" / "deep").rmdir(),
    ],
    "folder moved": lambda root: (root / "a" / "deep").rename(root / "deep"),
    "folder replaced": lambda root: [(root / "a" / "deep").rename(root / "c"), (root / "a" / "deep").mkdir()],
    "folder filled": lambda root: (root / "empty" / "x").write_bytes(b"x"),
    "everything removed": lambda root: [(root / name).rename(root.parent / name) for name in os.listdir(root)],
}


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_every_kind_of_change_is_seen(
    store: ObjectStore, index: Path, data: Path, tmp_path: Path, change: str, keep: bool
) -> None:
    first = snapshot(data, store, keep=keep, index=index)
    CHANGES[change](data)
    second = snapshot(data, store, keep=keep, index=index)
    assert second == plain(data, tmp_path)
    assert second.digest != first.digest
    assert len(list(entries(load(second.digest, store), store))) == second.files
    assert snapshot(data, store, keep=keep, index=index) == second


def test_an_edit_of_the_same_size_with_its_time_set_back(
    store: ObjectStore, index: Path, data: Path, tmp_path: Path
) -> None:
    file = data / "a" / "07.csv"
    first = snapshot(data, store, index=index)
    before = file.stat()
    file.write_bytes(b"9")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns, file.stat().st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )
    second = snapshot(data, store, index=index)
    assert second == plain(data, tmp_path)
    assert second.digest != first.digest


def test_writes_right_before_and_after_a_snapshot(store: ObjectStore, index: Path, data: Path) -> None:
    file = data / "a" / "07.csv"
    for turn in range(30):
        file.write_bytes(b"%02d" % turn)
        taken = snapshot(data, store, index=index)
        found = {entry.path: entry.digest for entry in entries(load(taken.digest, store), store)}
        assert found[b"a/07.csv"] == Digest.of(b"%02d" % turn)


def test_a_clock_that_runs_ahead_is_not_relied_on(
    store: ObjectStore, index: Path, data: Path, read: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3_600_000_000_000)
    first = snapshot(data, store, index=index)
    monkeypatch.undo()
    snapshot(data, store, index=index)
    assert snapshot(data, store, index=index) == first


def test_one_change_reads_one_file(store: ObjectStore, index: Path, data: Path, read: list[bytes]) -> None:
    snapshot(data, store, index=index)
    (data / "a" / "07.csv").write_bytes(b"other")
    read.clear()
    snapshot(data, store, index=index)
    assert read == [b"a/07.csv"]


def test_without_bytes_first_then_with_them(store: ObjectStore, index: Path, data: Path, read: list[bytes]) -> None:
    first = snapshot(data, store, keep=False, index=index)
    read.clear()
    assert snapshot(data, store, index=index) == first
    assert len(read) == 44
    assert all(store.has(entry.digest) for entry in entries(load(first.digest, store), store))
    read.clear()
    assert snapshot(data, store, keep=False, index=index) == first
    assert snapshot(data, store, index=index) == first
    assert read == []


@pytest.mark.parametrize("what", ["packs", "sha256"])
def test_objects_that_are_gone_are_stored_again(store: ObjectStore, index: Path, data: Path, what: str) -> None:
    first = snapshot(data, store, index=index)
    for path in list((store.root / what).rglob("*")):
        if path.is_file():
            path.unlink()
    again = snapshot(data, ObjectStore(store.root), index=index)
    assert again == first
    assert all(store.has(entry.digest) for entry in entries(load(first.digest, store), store))
    assert list(ObjectStore(store.root).verify()) == []


def test_a_loose_object_cut_short_is_stored_again(store: ObjectStore, index: Path, data: Path) -> None:
    first = snapshot(data, store, index=index)
    digest = Digest.of(LARGE)
    path = store.root / "sha256" / digest.hex[:2] / digest.hex[2:]
    path.chmod(0o644)
    os.truncate(path, 100)
    assert snapshot(data, ObjectStore(store.root), index=index) == first
    assert store.read(digest) == LARGE


def test_any_damage_of_the_index_costs_only_time(store: ObjectStore, index: Path, data: Path, tmp_path: Path) -> None:
    draw = random.Random(5)
    snapshot(data, store, index=index)
    (data / "a" / "07.csv").write_bytes(b"other")
    (data / "a" / "08.csv").unlink()
    expected = plain(data, tmp_path)
    with sqlite3.connect(index) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    whole = index.read_bytes()
    for turn in range(60):
        broken = bytearray(whole)
        if turn % 4 == 3:
            del broken[draw.randrange(len(broken)) :]
        else:
            for _ in range(draw.choice((1, 3, 200))):
                broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
        for suffix in ("-wal", "-shm"):
            index.with_name(index.name + suffix).unlink(missing_ok=True)
        index.write_bytes(broken)
        assert snapshot(data, store, index=index) == expected
        assert snapshot(data, store, index=index) == expected


@pytest.mark.parametrize("what", ["text", "other database", "other version", "folder", "root by another"])
def test_a_foreign_index_is_thrown_away(
    store: ObjectStore, index: Path, data: Path, tmp_path: Path, read: list[bytes], what: str
) -> None:
    expected = plain(data, tmp_path)
    index.parent.mkdir(parents=True)
    if what == "text":
        index.write_text("not a database, and rather longer than a header of one " * 200)
    elif what == "folder":
        index.mkdir()
    elif what == "root by another":
        snapshot(data, store, index=index)
        with sqlite3.connect(index) as connection:
            connection.execute("UPDATE root SET digest = ?", (bytes(32),))
        connection.close()
    else:
        with sqlite3.connect(index) as connection:
            connection.execute("CREATE TABLE root (x)")
            connection.execute(f"PRAGMA user_version = {7 if what == 'other version' else 0}")
        connection.close()
    assert snapshot(data, store, index=index) == expected
    assert snapshot(data, store, index=index) == expected
    read.clear()
    assert snapshot(data, store, index=index) == expected
    assert (read == []) == (what != "folder")


def test_an_index_that_another_program_holds_is_left_alone(
    store: ObjectStore, index: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineal.datasets.index._BUSY_MS", 50)
    snapshot(data, store, index=index)
    (data / "a" / "07.csv").write_bytes(b"other")
    holder = sqlite3.connect(index, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    inode = index.stat().st_ino
    assert snapshot(data, store, index=index) == plain(data, tmp_path)
    holder.execute("ROLLBACK")
    holder.close()
    assert index.stat().st_ino == inode
    assert snapshot(data, store, index=index) == plain(data, tmp_path)


def test_a_failed_snapshot_makes_no_version_and_keeps_what_it_read(
    store: ObjectStore, index: Path, data: Path, read: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_PUBLISH_FILES", 30)
    real = FileReader._read_link

    def fail(*_given: object) -> None:
        raise ObjectChanged("in the middle")

    monkeypatch.setattr(FileReader, "_read_link", fail)
    with pytest.raises(ObjectChanged):
        snapshot(data, store, index=index)
    assert not any(store.read(digest).startswith(manifest.HEADER) for digest in store.digests())
    monkeypatch.setattr(FileReader, "_read_link", real)
    read.clear()
    taken = snapshot(data, store, index=index)
    assert not any(path.endswith(b".csv") for path in read)
    assert list(store.verify()) == []
    read.clear()
    assert snapshot(data, store, index=index) == taken
    assert read == []


def test_gaps_are_told_each_time(store: ObjectStore, index: Path, data: Path) -> None:
    os.mkfifo(data / "a" / "fifo")
    (data / "b" / "out").symlink_to("/etc/passwd")
    (data / "b" / ".git").mkdir()
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{short}/s")
        os.rename(f"{short}/s", data / "socket")
    first = snapshot(data, store, index=index)
    assert sorted(code for code, _ in first.gaps) == [
        "dataset.left_out",
        "dataset.link_outside",
        "dataset.special",
        "dataset.special",
    ]
    assert snapshot(data, store, index=index) == first
    (data / "b" / "tool").write_bytes(b"#!!")
    assert snapshot(data, store, index=index).gaps == first.gaps


def test_very_many_gaps_are_counted(
    store: ObjectStore, index: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "_MOST_GAPS", 3)
    for number in range(5):
        os.mkfifo(data / "a" / f"fifo{number}")
        os.mkfifo(data / "b" / f"fifo{number}")
    first = snapshot(data, store, index=index)
    assert [code for code, _ in first.gaps] == ["dataset.special"] * 3 + ["dataset.more_gaps"]
    assert first.gaps[-1][1].startswith("7 more")
    assert snapshot(data, store, index=index) == first


def test_one_file_as_a_root(store: ObjectStore, index: Path, data: Path, read: list[bytes]) -> None:
    file = data / "a" / "deep" / "er" / "large"
    first = snapshot(file, store, index=index)
    assert snapshot(file, store, index=index) == first
    file.write_bytes(LARGE + b"x")
    second = snapshot(file, store, index=index)
    assert (second.files, second.bytes) == (1, len(LARGE) + 1)
    assert second.digest != first.digest
    file.write_bytes(b"small")
    assert snapshot(file, store, index=index).bytes == 5


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are sorted on disk and cut into blocks as if they were very large."""
    monkeypatch.setattr(block, "_MOST_IN_MEMORY", 16)
    monkeypatch.setattr(block, "_WHOLE", 12)
    monkeypatch.setattr(block, "_CUT", 7)


@pytest.mark.usefixtures("small_parts")
def test_a_very_large_folder_in_blocks(
    store: ObjectStore, index: Path, data: Path, tmp_path: Path, read: list[bytes]
) -> None:
    draw = random.Random(3)
    folder = data / "a"
    (folder / "deep" / ".git").mkdir()
    for turn in range(25):
        for _ in range(draw.randrange(4)):
            name = f"{draw.randrange(60):02d}.csv"
            if draw.random() < 0.5 and (folder / name).is_file():
                (folder / name).unlink()
            else:
                (folder / name).write_bytes(b"%d" % draw.randrange(10))
        if draw.random() < 0.3:
            (folder / f"{draw.randrange(60):02d}").mkdir(exist_ok=True)
            (folder / f"{draw.randrange(60):02d}").mkdir(exist_ok=True)
        read.clear()
        taken = snapshot(data, store, index=index, keep=turn % 3 > 0)
        assert taken.digest == plain(data, tmp_path).digest
    snapshot(data, store, index=index)
    read.clear()
    snapshot(data, store, index=index)
    assert read == []


def test_many_at_once_on_one_tree_that_changes(store: ObjectStore, index: Path, data: Path, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        draw = random.Random(seed)
        try:
            for _ in range(12):
                (data / "b" / f"{seed}").write_bytes(b"%d" % draw.randrange(100))
                try:
                    snapshot(data, ObjectStore(store.root), index=index, keep=draw.random() < 0.5)
                except ObjectChanged:
                    continue
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert snapshot(data, store, index=index) == plain(data, tmp_path)


@pytest.mark.parametrize("ahead", [True, False])
def test_a_thousand_folders_deep(store: ObjectStore, index: Path, tmp_path: Path, ahead: bool) -> None:
    root = tmp_path / "deep"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(1000):
        os.mkdir("folder-ten", dir_fd=here)
        below = os.open("folder-ten", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    try:
        for _ in range(2):
            with looking_ahead(str(root)) if ahead else nullcontext() as seen:
                taken = snapshot(root, store, index=index, ahead=seen)
            (entry,) = entries(load(taken.digest, store), store)
            assert entry.path == b"folder-ten/" * 1000 + b"file"
        os.unlink("file", dir_fd=here)
        assert snapshot(root, store, index=index).files == 0
    finally:
        os.close(here)
        subprocess.run(["rm", "-rf", str(root)], check=True)


def test_many_folders_removed_at_once_between_others(
    store: ObjectStore, index: Path, data: Path, tmp_path: Path
) -> None:
    for number in range(60):
        (data / f"f{number:02d}").mkdir()
        (data / f"f{number:02d}" / "x").write_bytes(b"%d" % number)
        (data / f"f{number:02d}.txt").write_bytes(b"%d" % number)
    snapshot(data, store, index=index)
    for number in range(0, 60, 2):
        (data / f"f{number:02d}" / "x").unlink()
        (data / f"f{number:02d}").rmdir()
        (data / f"f{number + 1:02d}.txt").unlink()
    assert snapshot(data, store, index=index) == plain(data, tmp_path)


def test_links_that_lead_in_circles_are_links(store: ObjectStore, index: Path, data: Path) -> None:
    (data / "loop").symlink_to("loop")
    (data / "up").symlink_to("..")
    (data / "b" / "here").symlink_to(".")
    taken = snapshot(data, store, index=index)
    kinds = {entry.path: entry.kind for entry in entries(load(taken.digest, store), store)}
    assert kinds[b"loop"] == kinds[b"up"] == kinds[b"b/here"] == "l"
    assert snapshot(data, store, index=index) == taken


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    root = tmp_path / "flat"
    root.mkdir()
    for number in range(10_000):
        (root / f"{number}").write_bytes(b"%d" % (number % 7))
    return root


def test_ten_thousand_names_in_one_folder(store: ObjectStore, index: Path, flat: Path) -> None:
    taken = snapshot(flat, store, index=index)
    assert taken.files == 10_000
    assert snapshot(flat, store, index=index) == taken
    (flat / "5000").unlink()
    assert snapshot(flat, store, index=index).files == 9_999
