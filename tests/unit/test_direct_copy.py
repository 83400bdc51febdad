"""Copies past the page cache: the same bytes and digests as any other, or another way where it cannot be done."""

import errno
import fcntl
import hashlib
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from lineal.core.digest import Digest
from lineal.errors import DigestMismatch, ObjectChanged, StoreError
from lineal.objects import direct
from lineal.objects import store as store_module
from lineal.objects.copying import copy_and_hash
from lineal.objects.direct import copy_direct
from lineal.objects.store import ObjectStore

pytestmark = pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="this system has no direct writing")


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_STEP", 64 << 10)
    monkeypatch.setattr(direct, "_LEAST", 100_000)


def copy(source: Path, target: Path, how: Callable[[int, int, int, str], bytes | None] = copy_direct) -> bytes | None:
    with source.open("rb") as read, target.open("w+b") as written:
        found = how(read.fileno(), written.fileno(), source.stat().st_size, "it")
        assert not fcntl.fcntl(written.fileno(), fcntl.F_GETFL) & os.O_DIRECT
        return found


def can_direct(folder: Path) -> bool:
    try:
        os.close(os.open(folder / "probe", os.O_WRONLY | os.O_CREAT | os.O_DIRECT))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("size", [100_000, 131_072, 131_073, 400_000, 1_048_576, 1_048_577, 2_000_001])
def test_any_size_is_copied_whole(tmp_path: Path, size: int) -> None:
    if not can_direct(tmp_path):
        pytest.skip("this file system cannot write directly")
    data = os.urandom(size)
    (tmp_path / "source").write_bytes(data)
    for how in (copy_direct, partial(copy_direct, cold=True)):
        assert copy(tmp_path / "source", tmp_path / "target", how) == hashlib.sha256(data).digest()
        assert (tmp_path / "target").read_bytes() == data


def test_very_large_objects_are_restored_past_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_PAST_CACHE", 100_000)
    data = os.urandom(3_000_001)
    (tmp_path / "source").write_bytes(data)
    store = ObjectStore(tmp_path / "objects")
    digest = store.put_file(tmp_path / "source").digest
    store.fetch(digest, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    path = store.root / "sha256" / digest.hex[:2] / digest.hex[2:]
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(2_000_000)
        file.write(b"?")
    with pytest.raises(DigestMismatch):
        store.fetch(digest, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_small_files_and_files_with_holes_are_left_to_the_other_way(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"small")
    assert copy(tmp_path / "small", tmp_path / "target") is None
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(5_000_000)
        file.write(b"begin")
    assert copy(tmp_path / "holes", tmp_path / "target") is None
    store = ObjectStore(tmp_path / "objects")
    stored = store.put_file(tmp_path / "holes")
    path = store.root / "sha256" / stored.digest.hex[:2] / stored.digest.hex[2:]
    assert path.stat().st_blocks * 512 < 1_000_000


def test_where_writing_directly_is_refused_the_other_way_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(500_000)
    (tmp_path / "source").write_bytes(data)

    def refuse(*_given: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(direct, "_write", refuse)
    assert copy(tmp_path / "source", tmp_path / "target") is None
    assert (tmp_path / "target").read_bytes() == b""
    store = ObjectStore(tmp_path / "objects")
    assert store.put_file(tmp_path / "source").digest == Digest.of(data)
    assert list(store.verify()) == []


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not can_direct(tmp_path):
        pytest.skip("this file system cannot write directly")
    (tmp_path / "source").write_bytes(os.urandom(2_000_000))
    real = direct._write

    def fail(target: int, part: memoryview, place: int) -> None:
        if place > 500_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(target, part, place)

    monkeypatch.setattr(direct, "_write", fail)
    store = ObjectStore(tmp_path / "objects")
    with pytest.raises(StoreError, match="no space"):
        store.put_file(tmp_path / "source")
    assert list((store.root / "tmp").iterdir()) == []


def test_a_source_that_becomes_shorter_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not can_direct(tmp_path):
        pytest.skip("this file system cannot write directly")
    source = tmp_path / "source"
    source.write_bytes(os.urandom(2_000_000))
    real = direct._fill

    def shrink(descriptor: int, part: memoryview, place: int, name: str) -> int:
        if place > 500_000:
            os.truncate(source, 400_000)
        return real(descriptor, part, place, name)

    monkeypatch.setattr(direct, "_fill", shrink)
    with pytest.raises(ObjectChanged, match="shorter"):
        copy(source, tmp_path / "target")


def test_the_digest_is_of_what_was_written_whoever_writes_to_the_source(tmp_path: Path) -> None:
    """A writer hammers on the source all the while: the copies differ from it, and never from their digests."""
    source = tmp_path / "source"
    source.write_bytes(os.urandom(4_000_000))
    ended = threading.Event()

    def hammer() -> None:
        with source.open("r+b", buffering=0) as file:
            while not ended.is_set():
                os.pwrite(file.fileno(), os.urandom(4096), int.from_bytes(os.urandom(2)) * 61)

    thread = threading.Thread(target=hammer)
    thread.start()
    try:
        for _ in range(5):
            with source.open("rb") as read, (tmp_path / "target").open("w+b") as written:
                digest = copy_and_hash(read.fileno(), written.fileno(), 4_000_000, "it", sync=True)
            assert Digest.of((tmp_path / "target").read_bytes()) == digest
    finally:
        ended.set()
        thread.join()
