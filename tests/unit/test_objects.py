import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lineal.core.digest import Digest
from lineal.errors import (
    BadInput,
    DigestMismatch,
    IntegrityError,
    ObjectChanged,
    ObjectMissing,
    ReadOnlyStore,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from lineal.objects import batch as batch_module
from lineal.objects import copying
from lineal.objects.index import PackIndex, encode
from lineal.objects.pack import Row
from lineal.objects.store import ObjectStore

LARGE = bytes(range(256)) * 4096 * 3


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "objects")


def files_under(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_opening_a_store_creates_nothing(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "objects")
    assert not store.has(Digest.of(b""))
    assert list(store.verify()) == []
    assert list(store.digests()) == []
    assert not (tmp_path / "objects").exists()


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 5000, LARGE], ids=["empty", "one", "zeros", "large"])
def test_what_was_put_is_read_back(store: ObjectStore, data: bytes) -> None:
    digest = store.put_bytes(data)
    assert digest == Digest.of(data)
    assert store.has(digest)
    assert store.size(digest) == len(data)
    assert store.read(digest) == data
    assert b"".join(store.chunks(digest)) == data


def test_a_single_object_is_one_read_only_file_under_its_digest(store: ObjectStore) -> None:
    digest = store.put_bytes(b"hello")
    name = f"sha256/{digest.hex[:2]}/{digest.hex[2:]}"
    assert files_under(store.root) == {name}
    assert (store.root / name).stat().st_mode & 0o777 == 0o444


def test_a_batch_puts_small_objects_in_one_pack_and_large_ones_loose(store: ObjectStore) -> None:
    small = [b"%d" % number for number in range(300)]
    with store.batch() as batch:
        digests = [batch.put_bytes(data) for data in small]
        large = batch.put_bytes(LARGE)
    assert [store.read(digest) for digest in digests] == small
    assert store.read(large) == LARGE
    suffixes = sorted(Path(name).suffix for name in files_under(store.root))
    assert suffixes == ["", ".idx", ".pack"]
    assert set(store.digests()) == {*digests, large}
    assert list(store.verify()) == []


def test_a_pack_is_named_by_its_bytes(store: ObjectStore) -> None:
    with store.batch() as batch:
        batch.put_bytes(b"one")
    (pack,) = (store.root / "packs").glob("*.pack")
    assert pack.stem == Digest.of(pack.read_bytes()).hex


def test_a_full_pack_is_followed_by_another(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineal.objects.pack._COUNT_LIMIT", 10)
    with store.batch() as batch:
        digests = [batch.put_bytes(b"%d" % number) for number in range(35)]
    assert len(list((store.root / "packs").glob("*.pack"))) == 4
    assert [store.read(digest) for digest in digests] == [b"%d" % number for number in range(35)]
    assert list(store.verify()) == []


def test_a_batch_is_invisible_before_its_end_and_after_an_error(store: ObjectStore) -> None:
    reader = ObjectStore(store.root)
    digests = []

    def fail() -> None:
        with store.batch() as batch:
            digests.extend([batch.put_bytes(b"small"), batch.put_bytes(LARGE)])
            assert not any(reader.has(digest) for digest in digests)
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    assert not any(reader.has(digest) for digest in digests)
    assert files_under(store.root) == set()


def test_the_same_content_is_stored_once(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(LARGE)
    store.put_bytes(b"small")
    store.put_bytes(LARGE)
    before = files_under(store.root)
    with store.batch() as batch:
        batch.put_bytes(b"small")
        batch.put_file(tmp_path / "big")
    store.put_bytes(b"small")
    store.put_file(tmp_path / "big")
    assert files_under(store.root) == before


def test_a_pack_written_by_another_store_object_is_found(store: ObjectStore) -> None:
    other = ObjectStore(store.root)
    first = store.put_bytes(b"first")
    assert other.has(first)
    for number in range(5):
        with store.batch() as batch:
            digest = batch.put_bytes(b"later %d" % number)
        assert other.read(digest) == b"later %d" % number


def test_a_pack_written_within_the_same_tick_of_the_clock_is_found(store: ObjectStore) -> None:
    reader = ObjectStore(store.root)
    with store.batch() as batch:
        batch.put_bytes(b"first")
    tick = time.time_ns()
    os.utime(store.root / "packs", ns=(tick, tick))
    assert not reader.has(Digest.of(b"second"))
    with store.batch() as batch:
        batch.put_bytes(b"second")
    os.utime(store.root / "packs", ns=(tick, tick))
    assert reader.read(Digest.of(b"second")) == b"second"


@pytest.mark.parametrize("present", [True, False])
def test_a_digest_that_lies_across_two_others_in_an_index_is_not_mistaken(present: bool) -> None:
    key, pack = b"\1" * 32, Digest.of(b"")
    rows = [Row(b"\1" + bytes(15) + b"\1" * 16, 50, 1), Row(b"\1" * 16 + b"\2" * 16, 60, 1)]
    if present:
        rows.append(Row(key, 70, 7))
    assert PackIndex(encode(pack, rows), pack).find(key) == ((70, 7) if present else None)


def test_a_stored_file_does_not_follow_its_source(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "model.bin"
    source.write_bytes(LARGE)
    stored = store.put_file(source)
    with source.open("r+b") as file:
        file.write(b"changed in place")
    assert stored.size == len(LARGE)
    assert store.read(stored.digest) == LARGE
    assert list(store.verify()) == []


@pytest.mark.parametrize("fast", [True, False], ids=["copy_file_range", "read and write"])
def test_a_sparse_file_is_stored_with_its_holes(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: bool
) -> None:
    if not fast:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.seek(40 << 20)
        file.write(b"end of data")
        file.truncate(50 << 20)
    stored = store.put_file(source)
    assert stored.digest == Digest.of(source.read_bytes())
    name = store.root / "sha256" / stored.digest.hex[:2] / stored.digest.hex[2:]
    assert name.stat().st_blocks * 512 < 4 << 20


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
def test_a_file_that_changes_while_it_is_stored_is_refused(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    source = tmp_path / "moving"
    source.write_bytes(data)
    status = source.stat()

    def touch_then(real):  # type: ignore[no-untyped-def]
        def run(*arguments, **named):  # type: ignore[no-untyped-def]
            result = real(*arguments, **named)
            with source.open("r+b") as file:
                file.write(b"X")
            os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
            return result

        return run

    monkeypatch.setattr(batch_module, "read_small", touch_then(copying.read_small))
    monkeypatch.setattr(batch_module, "copy_and_hash", touch_then(copying.copy_and_hash))
    with pytest.raises(ObjectChanged, match="moving"):
        store.put_file(source)
    assert files_under(store.root) == set()


def test_a_file_that_shrinks_while_it_is_copied_is_refused(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "shrinking"
    source.write_bytes(LARGE)
    real = copying.copy_and_hash

    def shrink(descriptor: int, target: int, size: int, name: str, *, sync: bool) -> Digest:
        os.truncate(source, 10)
        return real(descriptor, target, size, name, sync=sync)

    monkeypatch.setattr(batch_module, "copy_and_hash", shrink)
    with pytest.raises(ObjectChanged, match="shrinking"):
        store.put_file(source)


def test_what_the_disk_says_while_a_large_file_is_copied_is_not_lost(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed write-back is told to one sync only: were that one not listened to, the last would say all is well."""
    source = tmp_path / "large"
    source.write_bytes(LARGE * 40)
    monkeypatch.setattr(copying, "_SYNC_EVERY", 8 << 20)
    monkeypatch.setattr(copying, "copy_direct", lambda *_, **_cold: None)

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    assert store.put_file(source).size == len(LARGE) * 40
    monkeypatch.setattr(os, "fdatasync", fail)
    with source.open("ab") as file:
        file.write(b"more")
    with pytest.raises(StoreError, match="Input/output"):
        store.put_file(source)
    assert list((store.root / "tmp").iterdir()) == []


def test_a_write_within_the_clock_tick_is_waited_out(tmp_path: Path) -> None:
    source = tmp_path / "fresh"
    source.write_bytes(b"x")
    with source.open("rb") as file:
        status = copying.settled(file.fileno())
    assert time.time_ns() - status.st_ctime_ns >= 20_000_000


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo"])
def test_what_is_not_a_readable_file_is_named_and_refused(store: ObjectStore, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "thing"
    if kind == "folder":
        source.mkdir()
    elif kind == "fifo":
        os.mkfifo(source)
    with pytest.raises(BadInput, match="thing"):
        store.put_file(source)


def test_a_missing_object_is_an_error_of_its_own(store: ObjectStore) -> None:
    digest = Digest.of(b"nowhere")
    for ask in (store.read, store.size, lambda each: list(store.chunks(each))):
        with pytest.raises(ObjectMissing, match=digest.hex):
            ask(digest)
    fault = store.verify_one(digest)
    assert fault is not None
    assert fault.code == "objects.missing"


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("packed", [True, False], ids=["batch", "single"])
def test_fetch_writes_the_object_in_one_step(store: ObjectStore, tmp_path: Path, data: bytes, packed: bool) -> None:
    if packed:
        with store.batch() as batch:
            digest = batch.put_bytes(data)
    else:
        digest = store.put_bytes(data)
    target = tmp_path / "out"
    target.write_bytes(b"old")
    store.fetch(digest, target, mode=0o600)
    assert target.read_bytes() == data
    assert target.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"objects", "out"}


def test_fetching_a_damaged_object_leaves_the_target_as_it_was(store: ObjectStore, tmp_path: Path) -> None:
    digest = store.put_bytes(LARGE)
    damage(store.root / "sha256" / digest.hex[:2] / digest.hex[2:], 12345)
    target = tmp_path / "out"
    target.write_bytes(b"old")
    with pytest.raises(DigestMismatch):
        store.fetch(digest, target)
    assert target.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"objects", "out"}


def damage(path: Path, place: int) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 0x01]))


def test_chunks_raises_after_the_last_piece_of_a_damaged_object(store: ObjectStore) -> None:
    digest = store.put_bytes(LARGE)
    damage(store.root / "sha256" / digest.hex[:2] / digest.hex[2:], len(LARGE) - 1)
    pieces = store.chunks(digest)
    assert [len(next(pieces)) for _ in range(3)] == [1 << 20] * 3
    with pytest.raises(DigestMismatch):
        next(pieces)


def test_putting_content_again_replaces_a_file_that_lost_its_end(store: ObjectStore) -> None:
    digest = store.put_bytes(b"whole content")
    path = store.root / "sha256" / digest.hex[:2] / digest.hex[2:]
    path.chmod(0o644)
    os.truncate(path, 3)
    assert store.put_bytes(b"whole content") == digest
    assert store.read(digest) == b"whole content"


def test_indexes_can_be_deleted_and_rebuilt_bit_for_bit(store: ObjectStore) -> None:
    digests = []
    for start in (0, 1000, 2000):
        with store.batch() as batch:
            digests += [batch.put_bytes(b"%d" % number) for number in range(start, start + 50)]
    indexes = {path: path.read_bytes() for path in (store.root / "packs").glob("*.idx")}
    assert len(indexes) == 3
    for path in indexes:
        path.unlink()
    fresh = ObjectStore(store.root)
    assert [fresh.read(digest) for digest in digests[:3]] == [b"0", b"1", b"2"]
    assert list(fresh.verify()) == []
    assert fresh.rebuild_index() == 3
    assert {path: path.read_bytes() for path in indexes} == indexes
    assert fresh.rebuild_index() == 0


def test_an_index_is_never_rebuilt_from_a_damaged_pack(store: ObjectStore) -> None:
    with store.batch() as batch:
        digest = batch.put_bytes(b"content")
    (pack,) = (store.root / "packs").glob("*.pack")
    pack.with_suffix(".idx").unlink()
    damage(pack, 20)
    with pytest.raises(IntegrityError, match=pack.name):
        store.rebuild_index()
    assert not pack.with_suffix(".idx").exists()
    assert list(store.verify())
    damage(pack, 0)
    with pytest.raises(IntegrityError, match="damaged"):
        ObjectStore(store.root).read(digest)


def test_sweep_removes_only_old_leftovers(store: ObjectStore) -> None:
    store.put_bytes(b"x")
    old, young = store.root / "tmp" / "1-old", store.root / "tmp" / "2-young"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert list(store.verify()) == []
    assert store.sweep() == 1
    assert not old.exists()
    assert young.exists()


def test_a_store_opened_for_reading_writes_nothing(store: ObjectStore) -> None:
    digest = store.put_bytes(b"x")
    reader = ObjectStore(store.root, read_only=True)
    assert reader.read(digest) == b"x"
    for write in (lambda: reader.put_bytes(b"y"), reader.rebuild_index, reader.sweep):
        with pytest.raises(ReadOnlyStore):
            write()


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EROFS, ReadOnlyStore), (errno.EIO, StoreUnavailable)],
)
@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
def test_what_the_disk_refuses_is_said_and_nothing_is_left(
    store: ObjectStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    expected: type[Exception],
    data: bytes,
) -> None:
    (tmp_path / "source").write_bytes(data)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    for name in ("write", "pwrite", "copy_file_range"):
        monkeypatch.setattr(os, name, refuse, raising=False)
    with pytest.raises(expected), store.batch() as batch:
        batch.put_file(tmp_path / "source")
    monkeypatch.undo()
    assert files_under(store.root) == set()
    assert store.read(store.put_bytes(data)) == data


NAMESPACE_SCRIPT = """
import sys
from pathlib import Path
from lineal.errors import LinealError
from lineal.objects.index import PackIndex, encode
from lineal.objects.pack import Row
from lineal.objects.store import ObjectStore
store = ObjectStore(Path(sys.argv[1]) / "objects")
try:
    store.put_bytes(bytes(1000))
    store.put_bytes(bytes(3_000_000))
except LinealError as error:
    print(error.code, sum(1 for _ in store.verify()), len(list((store.root / "tmp").glob("*"))))
"""


@pytest.mark.parametrize(("mount", "expected"), [("size=1m", "store.full 0 0"), ("size=1m,ro", "store.read_only 0 0")])
def test_a_real_disk_that_is_full_or_read_only(tmp_path: Path, mount: str, expected: str) -> None:
    command = f'mount -t tmpfs -o {mount} none "$1" && shift && exec "$@"'
    isolate = ["unshare", "-Urm", "sh", "-c", command, "sh", str(tmp_path)]
    try:
        usable = subprocess.run([*isolate, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        usable = False
    if not usable:
        pytest.skip("this machine allows no mount in a user namespace")
    run = [*isolate, sys.executable, "-c", NAMESPACE_SCRIPT, str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


def test_threads_may_share_a_batch(store: ObjectStore, tmp_path: Path) -> None:
    contents = [b"%d" % (number % 40) for number in range(200)] + [LARGE, LARGE, LARGE + b"x"]
    for number, data in enumerate(contents):
        (tmp_path / f"f{number}").write_bytes(data)
    with store.batch() as batch:
        mine = range(len(contents))
        threads = [
            threading.Thread(target=lambda part=part: [batch.put_file(tmp_path / f"f{n}") for n in mine[part::4]])
            for part in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(store.read(Digest.of(data)) == data for data in contents)
    assert len(set(store.digests())) == 42
    assert list(store.verify()) == []


def test_on_disk_before_the_call_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every renamed file was synced before its rename, and every folder with a new name after it got it."""
    log: list[tuple[str, str]] = []
    real_sync, real_rename, real_mkdir = os.fsync, os.rename, os.mkdir

    def fsync(descriptor: int) -> None:
        log.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
        real_sync(descriptor)

    def rename(source: str, target: str) -> None:
        real_rename(source, target)
        log.append((f"rename {os.fspath(source)}", os.fspath(target)))

    def mkdir(path: str, *rest: int) -> None:
        real_mkdir(path, *rest)
        log.append(("mkdir", os.fspath(path)))

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to name open files")
    (tmp_path / "file").write_bytes(LARGE + b"other")
    for name, function in (("fsync", fsync), ("rename", rename), ("mkdir", mkdir)):
        monkeypatch.setattr(os, name, function)
    store = ObjectStore(tmp_path / "objects")
    with store.batch() as batch:
        batch.put_bytes(b"small")
        batch.put_bytes(LARGE)
        batch.put_file(tmp_path / "file")
    store.put_bytes(b"alone")

    assert sum(step.startswith("rename") for step, _ in log) == 5
    for number, (step, path) in enumerate(log):
        before, after = log[:number], log[number + 1 :]
        if step.startswith("rename "):
            assert ("sync", step.removeprefix("rename ")) in before
        if step != "sync":
            assert ("sync", os.path.dirname(path)) in after


def test_objects_in_many_packs_are_found_and_others_are_not(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lineal.objects import pack, places

    monkeypatch.setattr(pack, "_COUNT_LIMIT", 20)
    monkeypatch.setattr(places, "_MANY_LOOKS", 3)
    contents = [b"%d" % number for number in range(400)]
    with store.batch() as batch:
        for data in contents[:300]:
            batch.put_bytes(data)
        first = batch.publish()
        for data in contents:
            batch.put_bytes(data)
        second = batch.publish()
    assert len(set(first.values())) == 15
    assert len(list((store.root / "packs").glob("*.pack"))) == 20
    assert {value: second[value] for value in first} == first
    assert [store.read(Digest.of(data)) for data in contents] == contents
    assert not any(store.has(Digest.of(b"not %d" % number)) for number in range(400))
    with ObjectStore(store.root).batch() as other:
        late = other.put_bytes(b"late")
    assert store.read(late) == b"late"


def test_what_is_published_in_between_stays_when_the_batch_fails(store: ObjectStore) -> None:
    kept, large = Digest.of(b"kept"), Digest.of(LARGE)

    def fail() -> None:
        with store.batch() as batch:
            batch.put_bytes(b"kept")
            batch.put_bytes(LARGE)
            (pack,) = set(batch.publish().values()) - {""}
            assert (store.root / "packs" / pack).exists()
            batch.put_bytes(b"lost")
            batch.put_bytes(LARGE + b"lost")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert set(store.digests()) == {kept, large}
    assert list((store.root / "tmp").iterdir()) == []
    assert list(store.verify()) == []
