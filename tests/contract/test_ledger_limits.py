"""What the world does to an embedded ledger: read-only folders, full disks, damaged and foreign files, odd clocks."""

import os
import shutil
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kit import LOG, Speaker, failures, make_home, now, open_at
from lineal.errors import (
    AlreadyExists,
    BadInput,
    InconsistentStore,
    IntegrityError,
    LinealError,
    NewerFormat,
    NotALedger,
    ReadOnlyStore,
    Refused,
    StoreError,
    StoreFull,
    StoreUnavailable,
    TooLarge,
)
from lineal.ledger.database import Database
from lineal.ledger.erase import erase_bodies
from lineal.ledger.home import Home, find_home
from lineal.ledger.log import Ledger, create_ledger
from lineal.ledger.verify import audit_files, audit_log, prove_entry, verify_ledger

TESTS = Path(__file__).resolve().parents[1]


def _run(code: str, *arguments: str | Path, **options: object) -> str:
    """Run `code` in a process of its own, an ordinary user's if we are root, and return what it prints."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(TESTS)!r})\n{code}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


AS_NOBODY = """
import os, sys
from pathlib import Path
from kit import *
from lineal.errors import *
from lineal.ledger.verify import audit_log, prove_entry
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
home = Home(Path(sys.argv[1]))
"""


@pytest.fixture
def read_only(home: Home) -> Iterator[Home]:
    """A ledger with 11 entries, in folders and files that nobody may write."""
    with open_at(home) as ledger:
        ledger.append(Speaker().many(10))
    # An ordinary user must get there at all: pytest's own folders are closed to others.
    copy = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    copy.chmod(0o755)
    closed = Home(copy / ".lineal")
    shutil.copytree(home.root, closed.root)
    shutil.rmtree(closed.private_key_file.parent)
    for path in (closed.root, *closed.root.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield closed
    for path in (closed.root, *closed.root.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(copy)


def test_a_folder_that_may_only_be_read_is_verified_and_not_written(read_only: Home) -> None:
    found = _run(
        AS_NOBODY
        + """
with open_at(home, read_only=True) as ledger:
    assert ledger.reader.size() == 11
    assert not failures(ledger), failures(ledger)
    audit_log(ledger)
    prove_entry(ledger, 5)
    for act in (lambda: ledger.append([Speaker().says()]), ledger.publish):
        try:
            act()
        except ReadOnlyStore:
            print("refused")
try:
    make_home(home.root / "inside")
except StoreError as error:
    print("refused", error)
""",
        read_only.root,
    )
    assert found.count("refused") == 3


def test_a_ledger_whose_key_is_not_at_hand_is_read_only(home: Home) -> None:
    shutil.rmtree(home.private_key_file.parent)
    with open_at(home) as ledger:
        assert not failures(ledger)
        with pytest.raises(ReadOnlyStore):
            ledger.append([Speaker().says()])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_may_read_is_not_used(home: Home, mode: int) -> None:
    home.private_key_file.chmod(mode)
    with open_at(home) as ledger:  # to be read and verified: that needs no key
        size = ledger.reader.size()
        assert not failures(ledger)
        with pytest.raises(Refused, match="open to others"):
            ledger.append([Speaker().says()])
        with pytest.raises(Refused, match="open to others"):
            ledger.publish()
        assert ledger.reader.size() == size
    home.private_key_file.chmod(0o600)
    with open_at(home) as ledger:
        assert ledger.append([Speaker().says()])[0].idx == size


def test_the_key_of_another_ledger_is_refused(home: Home, tmp_path: Path) -> None:
    other = make_home(tmp_path / "other")
    shutil.copy2(other.private_key_file, home.private_key_file)
    with pytest.raises(InconsistentStore):
        open_at(home)


def test_private_files_are_private(home: Home) -> None:
    assert stat.S_IMODE(home.private_key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.private_key_file.parent.stat().st_mode) == 0o700


FULL = """
import os, resource, signal, sys
from pathlib import Path
from kit import *
from lineal.errors import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
home = Home(Path(sys.argv[1]))
ledger = open_at(home)
speaker = Speaker("full")
held = []
size = max(path.stat().st_size for path in home.root.rglob("*") if path.is_file())
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200_000, hard))
refused = 0
for turn in range(60):
    event = speaker.says(data={"pad": "x" * 20_000})
    try:
        held.append(ledger.append([event])[0].idx)
    except StoreError:
        refused += 1
        break
assert refused and held, (refused, len(held))
assert ledger.reader.size() == held[-1] + 1
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
try:
    assert ledger.append([event])[0].idx == held[-1] + 1
except StoreUnavailable:
    ledger.database.close()
    ledger = open_at(home)
    assert ledger.append([event])[0].idx == held[-1] + 1
ledger.close()
print(len(held) + 1)
"""


def test_a_file_that_cannot_grow_is_told_and_nothing_acknowledged_is_lost(home: Home) -> None:
    held = int(_run(FULL, home.root))
    with open_at(home) as ledger:
        assert ledger.reader.size() == held + 1
        assert not list(verify_ledger(ledger))


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the privilege to mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_emptying_it_is_all_it_takes(tiny: Path) -> None:
    home = make_home(tiny / ".lineal")
    speaker = Speaker()
    ledger = open_at(home)
    held, told = 1, None
    while told is None and held < 100:
        event = speaker.says(data={"pad": "x" * 20_000})
        try:
            held += len(ledger.append([event]))
        except StoreFull as error:
            told = error
    assert told is not None
    assert held > 3
    assert ledger.reader.size() == held
    with pytest.raises(StoreError):
        ledger.append([event])
    assert not failures(ledger)
    subprocess.run(["mount", "-o", "remount,size=8m", str(tiny)], check=True)
    assert ledger.append([event])[0].idx == held
    ledger.close()
    with open_at(home) as again:
        assert not list(verify_ledger(again))


def test_no_ledger_is_made_on_a_full_disk_and_nothing_is_left_of_it(tiny: Path) -> None:
    (tiny / "filler").write_bytes(bytes(1_000_000))
    with pytest.raises(StoreError):
        make_home(tiny / ".lineal")
    assert [path.name for path in tiny.iterdir()] == ["filler"]


def test_an_event_of_a_gigabyte_is_refused_before_it_is_looked_at(ledger: Ledger) -> None:
    class Huge(bytes):
        """Bytes that say they are a gigabyte."""

        def __len__(self) -> int:
            return 2**30

    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            ledger.append([replace(Speaker().says(), body=Huge())])
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert ledger.reader.size() == 1


def test_what_is_no_ledger_is_told_so(tmp_path: Path, home: Home) -> None:
    for root in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(NotALedger):
            open_at(Home(root))
    with pytest.raises(NotALedger):
        find_home(Path("/"))
    assert find_home(home.root.parent) == home
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_home(deep) == home
    for mark in (b"", b"lineal-ledger/", b"lineal-ledger/0\n", b"lineal-ledger/1\n\n", b"\xff\xfe", b"x" * 10_000):
        home.format_file.write_bytes(mark)
        with pytest.raises(NotALedger):
            open_at(home)
    home.format_file.write_bytes(b"lineal-ledger/2\n")
    with pytest.raises(NewerFormat):
        open_at(home)
    home.format_file.unlink()
    home.format_file.mkdir()
    with pytest.raises(StoreError):
        open_at(home)


def test_a_database_that_is_not_one_is_told_so(home: Home) -> None:
    sound = home.ledger_file.read_bytes()
    cases: list[tuple[bytes, type[LinealError]]] = [
        (b"garbage" * 1000, InconsistentStore),
        (sound[: len(sound) // 2], IntegrityError),
        (b"", StoreError),
        (sound[:100], LinealError),
    ]
    for data, error in cases:
        home.ledger_file.write_bytes(data)
        for read_only in (True, False):
            with pytest.raises(error):
                open_at(home, read_only=read_only)
    home.ledger_file.unlink()
    for read_only in (True, False):
        with pytest.raises(StoreUnavailable):
            open_at(home, read_only=read_only)
    assert not home.ledger_file.exists()  # looking for a ledger makes none
    home.ledger_file.mkdir()
    with pytest.raises(StoreUnavailable):
        open_at(home)


def test_a_missing_public_key_is_told_so(home: Home) -> None:
    home.public_key_file.write_text("not a key\n")
    with pytest.raises(InconsistentStore):
        open_at(home)
    home.public_key_file.unlink()
    with pytest.raises(StoreError):
        open_at(home)


def test_a_clock_that_goes_back_before_the_ledger_was_made_changes_no_order(home: Home) -> None:
    with open_at(home, lambda: "1999-12-31T23:59:59.000000Z") as ledger:
        ledger.append(Speaker().many(3))
        taken = [entry.statement()[1] for entry in ledger.reader.entries()]
        assert taken == [taken[0]] * 4
        assert not failures(ledger)
    with open_at(home) as ledger:
        ledger.append([Speaker("q").says()])
        assert ledger.reader.entry(4).statement()[1] > taken[0]
        assert not failures(ledger)


def test_a_ledger_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail(_home: Home) -> Database:
        raise StoreFull("as if")

    with pytest.raises(StoreFull):
        create_ledger(Home(tmp_path / ".lineal"), LOG, now, fail)
    with pytest.raises(BadInput):
        make_home(tmp_path / ".lineal", "a name with blanks")
    assert not list(tmp_path.iterdir())
    (tmp_path / ".lineal").write_text("in the way")
    with pytest.raises(AlreadyExists):
        make_home(tmp_path / ".lineal")
    with pytest.raises(StoreError):
        make_home(tmp_path / ".lineal" / "below a file")


def test_names_that_need_quoting_in_a_url_are_plain_folders(tmp_path: Path) -> None:
    home = make_home(tmp_path / "100% ?mode=ro&x#y" / "é \N{SNOWMAN}" / ".lineal")
    with open_at(home) as ledger:
        ledger.append([Speaker().says()])
    assert [path.name for path in home.root.glob("ledger.db*")] == ["ledger.db"]


def test_erased_bytes_are_in_no_file_any_more(home: Home) -> None:
    """Bodies of every size: in a page, filling pages of their own, beside others that stay."""
    speaker = Speaker()
    secrets = [f"<secret {number}>" for number in range(12)]
    with open_at(home) as ledger:
        for number, secret in enumerate(secrets):
            ledger.append([speaker.says(data={"kept": "k" * 300})])
            ledger.append([speaker.says(data={"is": secret * (1 + 40 ** (number % 4) // 9)})])
            if number % 3 == 0:
                ledger.publish()
        salts = [ledger.reader.entry(idx).salt for idx in range(2, 25, 2)]
        assert all(_files_with(home, secret.encode()) for secret in secrets)
        for idx in (*range(2, 25, 4), *range(4, 25, 4)):  # not in the order in which they came
            erase_bodies(ledger, speaker.says(type="body.erased/1", data={"entries": [idx], "reason": "asked to"}))
            ledger.append([speaker.says(data={"kept": "k" * 300})])
        for secret, salt in zip(secrets, salts, strict=True):
            assert salt is not None
            assert not _files_with(home, secret.encode()), secret
            assert not _files_with(home, salt)
        ledger.publish()
        assert not failures(ledger)
        assert audit_log(ledger).root == audit_files(home.log_folder, ledger.key).root
        for idx in range(24):
            prove_entry(ledger, idx)


def _files_with(home: Home, text: bytes) -> list[Path]:
    return [path for path in home.root.rglob("*") if path.is_file() and text in path.read_bytes()]


def test_bodies_that_somebody_reads_are_erased_when_done_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineal.ledger.database._BUSY_MS", 50)
    with open_at(home) as ledger, open_at(home, read_only=True) as reader:
        speaker = Speaker()
        ledger.append([speaker.says(data={"is": "<secret>"})])
        erasure = speaker.says(type="body.erased/1", data={"entries": [1], "reason": "asked to"})
        with reader.database.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM body").scalar() == 2
            with pytest.raises(StoreUnavailable, match="again"):
                erase_bodies(ledger, erasure)
        assert not erase_bodies(ledger, erasure).new
        assert not _files_with(home, b"<secret>")
