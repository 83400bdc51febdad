import os
import socket
import threading
from pathlib import Path

import pytest

from lineal.capture.accesses import Access, Stat
from lineal.capture.file_roles import Plan, PlannedFile, classify
from lineal.capture.files import BUFFER, FileRecord, hash_files
from lineal.capture.git_state import GitState, TrackedFile
from lineal.core import canonical
from lineal.core.digest import Digest


def state(file: Path) -> Stat:
    now = file.stat()
    return Stat(now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_mode)


def access(
    path: Path | str,
    *,
    read: bool = False,
    written: bool = False,
    first: str = "read",
    existed: bool = True,
    removed: bool = False,
    executed: bool = False,
) -> Access:
    before = Stat(1, 2, 3, 4, 5, 0o100644) if existed else None
    return Access(os.fsencode(path), read, written, first, before, removed, executed)


def planned(file: Path, role: str = "input") -> PlannedFile:
    return PlannedFile(os.fsencode(file), "input" if role == "input" else "output", state(file))


def only(files: list[PlannedFile]) -> FileRecord:
    (record,) = hash_files(files)
    canonical.encode(record.describe())
    return record


def names(files: tuple[PlannedFile, ...]) -> list[str]:
    return [os.path.basename(os.fsdecode(each.path)) for each in files]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def plan(workspace: Path, *accesses: Access, tracked: tuple[bytes, ...] = (), **options: tuple[bytes, ...]) -> Plan:
    git = GitState(toplevel=workspace, tracked=tuple(TrackedFile(name, False, False) for name in tracked))
    return classify(accesses, workspace=workspace, git=git, **options)


def test_reading_and_writing_decide(workspace: Path) -> None:
    found = plan(
        workspace,
        access(workspace / "in.csv", read=True),
        access(workspace / "out.pkl", written=True, first="write", existed=False),
        access(workspace / "read-back.npy", read=True, written=True, first="write"),
        access(workspace / "updated.db", read=True, written=True, first="read"),
        access(workspace / "scratch", written=True, first="write", existed=False, removed=True),
        access(workspace / "moved.csv", read=True, removed=True),
        access(workspace / "deleted.csv", removed=True, first="write"),
    )
    assert names(found.inputs) == ["in.csv", "moved.csv", "updated.db"]
    assert names(found.outputs) == ["out.pkl", "read-back.npy", "updated.db"]
    assert [os.path.basename(each) for each in found.temporary] == [b"scratch"]


def test_code_is_source_and_data_is_input_tracked_or_not(workspace: Path) -> None:
    found = plan(
        workspace,
        access(workspace / "train.py", read=True),
        access(workspace / "helper.py", read=True),
        access(workspace / "tool", read=True, executed=True),
        access(workspace / "Makefile", read=True),
        access(workspace / "rows.csv", read=True),
        access(workspace / "made.py", written=True, first="write", existed=False),
        tracked=(b"train.py", b"rows.csv", b"Makefile"),
    )
    assert [os.path.basename(each) for each in found.source] == [b"Makefile", b"helper.py", b"tool", b"train.py"]
    assert found.untracked_source == (b"helper.py", b"tool")
    assert names(found.files) == ["made.py", "rows.csv"]


def test_outside_git_untracked_source_is_absolute(workspace: Path) -> None:
    found = classify([access(workspace / "train.py", read=True)], workspace=workspace)
    assert found.untracked_source == (os.fsencode(workspace / "train.py"),)


def test_the_deepest_folder_decides(workspace: Path) -> None:
    venv = workspace / ".venv"
    found = plan(
        workspace,
        access("/usr/lib/x86_64-linux-gnu/libm.so.6", read=True),
        access("/etc/hosts", read=True),
        access("/usr/bin/sort", read=True, executed=True),
        access(venv / "lib/python3.11/site-packages/numpy/core.py", read=True),
        access(venv / "pyvenv.cfg", read=True),
        access("/opt/tool/lib/python3.11/site-packages/x/data.json", read=True),
        access("/opt/ml/input/data/train/rows.csv", read=True),
        access("/srv/data/rows.csv", read=True),
        access("/root/.cache/huggingface/hub/model.bin", read=True),
        access("/root/.cache/matplotlib/fontlist.json", read=True),
        access(workspace / "data.json", read=True),
        interpreter_prefixes=(os.fsencode(venv), b"/usr"),
    )
    assert sorted(names(found.files)) == ["data.json", "model.bin", "rows.csv", "rows.csv"]
    assert len(found.environment) == 7
    assert found.gaps == ()


def test_a_workspace_below_a_system_folder_is_a_workspace() -> None:
    found = classify([access("/usr/src/app/rows.csv", read=True)], workspace=Path("/usr/src/app"))
    assert names(found.inputs) == ["rows.csv"]


def test_packages_that_the_run_wrote_are_a_gap_and_system_files_outputs(workspace: Path) -> None:
    found = plan(
        workspace,
        access("/opt/venv/lib/site-packages/new.py", written=True, first="write", existed=False),
        access("/usr/share/models/m.bin", written=True, first="write", existed=False),
    )
    assert names(found.outputs) == ["m.bin"]
    assert [gap.code for gap in found.gaps] == ["files.environment_altered"]


def test_what_is_always_ignored(workspace: Path) -> None:
    found = plan(
        workspace,
        *(
            access(name if name.startswith("/") else workspace / name, read=True, written=True, first="write")
            for name in (
                "__pycache__/train.cpython-311.pyc", "x.pyc", ".git/index", ".lineal/ledger.db", "/proc/self/maps",
                "/dev/null", "/sys/x", "logs/out.txt", "mine",
            )
        ),
        ignore=(os.fsencode(workspace / "logs"), os.fsencode(workspace / "mine")),
    )  # fmt: skip
    assert found == Plan()


def test_a_workspace_reached_by_a_link(workspace: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(workspace)
    (workspace / "train.py").write_text("")
    found = plan(workspace, access(link / "train.py", read=True), tracked=(b"train.py",))
    assert found.untracked_source == ()
    assert found.source == (os.fsencode(link / "train.py"),)


@pytest.mark.parametrize("size", [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, 3 * BUFFER])
def test_unaltered_files_have_the_digest_of_their_bytes(tmp_path: Path, size: int) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9 %")
    data = os.urandom(size)
    file.write_bytes(data)
    for role in ("input", "output"):
        record = only([planned(file, role)])
        assert (record.status, record.digest, record.size, record.role) == ("ok", Digest.of(data), size, role)


def test_many_files_keep_their_order(tmp_path: Path) -> None:
    files = []
    for number in range(40):
        file = tmp_path / f"{number}"
        file.write_bytes(bytes([number]) * (number % 3 * BUFFER + number))
        files.append(file)
    records = hash_files([planned(file) for file in files])
    assert [record.digest for record in records] == [Digest.of(file.read_bytes()) for file in files]


def test_an_input_that_is_not_as_it_was_has_no_digest(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("aaaa")
    wanted = planned(file)
    now = file.stat()
    file.write_text("bbbb")
    os.utime(file, ns=(now.st_atime_ns, now.st_mtime_ns))  # only ctime tells
    assert file.stat().st_mtime_ns == now.st_mtime_ns
    record = only([wanted])
    assert (record.status, record.digest) == ("mutated-during-run", None)
    assert only([PlannedFile(wanted.path, "output", wanted.before)]).status == "ok"


def test_a_replaced_input_and_one_that_was_not_there(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("aaaa")
    wanted = planned(file)
    (tmp_path / "other").write_text("aaaa")
    (tmp_path / "other").replace(file)
    assert only([wanted]).status == "mutated-during-run"
    assert only([PlannedFile(wanted.path, "input", None)]).status == "mutated-during-run"


def test_a_file_that_changes_while_it_is_hashed(tmp_path: Path) -> None:
    file = tmp_path / "growing"
    file.write_bytes(bytes(32 * BUFFER))
    wanted = planned(file, "output")
    begun, stop = threading.Event(), threading.Event()

    def write() -> None:
        with open(file, "ab") as stream:
            while not stop.is_set():
                stream.write(b"x")
                stream.flush()
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    try:
        record = only([wanted])
    finally:
        stop.set()
        writer.join()
    assert (record.status, record.digest) == ("mutated-during-run", None)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").symlink_to("nowhere")
    short = Path(os.path.relpath(tmp_path / "socket"))
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)
        try:
            server.bind(short.name)
        finally:
            os.chdir(here)
        wanted = [
            PlannedFile(os.fsencode(tmp_path / name), "output", None) for name in ("fifo", "folder", "broken", "socket")
        ]
        assert [record.status for record in hash_files(wanted)] == ["special"] * 4


def test_vanished_and_unreadable(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("data")
    assert only([PlannedFile(os.fsencode(tmp_path / "gone"), "input", None)]).status == "vanished"
    under_file = only([PlannedFile(os.fsencode(file / "below"), "input", None)])
    assert (under_file.status, under_file.reason) == ("unreadable", "Not a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("data")
    wanted = planned(file)
    file.chmod(0)
    assert only([wanted]).status == "unreadable"
