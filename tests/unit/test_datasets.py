import fcntl
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lineal.core.digest import Digest
from lineal.datasets import reading
from lineal.datasets.check import retrievable, verify_dataset
from lineal.datasets.difference import diff
from lineal.datasets.manifest import HEADER, Entry, entries, load, write
from lineal.datasets.restore import Restored, restore
from lineal.datasets.snapshot import snapshot
from lineal.errors import (
    AlreadyExists,
    BadInput,
    BadManifest,
    DigestMismatch,
    LinealError,
    ObjectChanged,
    ObjectMissing,
)
from lineal.objects import batch, copying
from lineal.objects.copying import check_unchanged, signature
from lineal.objects.store import ObjectStore

LARGE = bytes(range(256)) * 5000


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "ledger" / "objects")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A tree with most of what trees have."""
    root = tmp_path / "data"
    (root / "sub" / "deeper").mkdir(parents=True)
    (root / "empty folder").mkdir()
    (root / "a.csv").write_bytes(b"x,y\n1,2\n")
    (root / "sub.txt").write_bytes(b"sorts between sub and sub/")
    (root / "sub" / "copy.csv").write_bytes(b"x,y\n1,2\n")
    (root / "sub" / "deeper" / "large.bin").write_bytes(LARGE)
    (root / "sub" / "tool.sh").write_bytes(b"#!/bin/sh\n")
    (root / "sub" / "tool.sh").chmod(0o755)
    (root / "sub" / "link").symlink_to("../a.csv")
    (root / "sub" / "broken").symlink_to("nowhere")
    (root / "Case").write_bytes(b"1")
    (root / "case").write_bytes(b"2")
    (root / "no\u00a0break\u2028line\x85").write_bytes(b"blanks that are not ASCII")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe name\n")).write_bytes(b"odd name")
    return root


def tree(root: Path) -> dict[bytes, tuple[str, bytes]]:
    """Every file and link below `root`, read in the plainest way."""
    found = {}
    for folder, folders, names in os.walk(os.fsencode(root)):
        for name in names + [each for each in folders if os.path.islink(os.path.join(folder, each))]:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                content = ("l", os.readlink(path))
            else:
                with open(path, "rb") as file:
                    content = ("x" if os.stat(path).st_mode & stat.S_IXUSR else "f", file.read())
            found[os.path.relpath(path, os.fsencode(root))] = content
    return found


def test_a_snapshot_holds_every_file_and_restores_to_the_same_tree(
    store: ObjectStore, data: Path, tmp_path: Path
) -> None:
    taken = snapshot(data, store)
    expected = tree(data)
    found = list(entries(load(taken.digest, store), store))
    assert [entry.path for entry in found] == sorted(expected)
    assert {entry.path: (entry.kind, entry.digest, entry.size) for entry in found} == {
        path: (kind, Digest.of(content), len(content)) for path, (kind, content) in expected.items()
    }
    assert (taken.files, taken.bytes) == (len(expected), sum(len(content) for _, content in expected.values()))
    assert taken.gaps == ()
    restored = restore(taken.digest, store, tmp_path / "new" / "out")
    assert tree(tmp_path / "new" / "out") == expected
    assert restored == Restored(taken.files, taken.bytes, 0, 0)
    assert snapshot(tmp_path / "new" / "out", store).digest == taken.digest


def test_names_and_content_alone_decide_the_digest(store: ObjectStore, data: Path) -> None:
    first = snapshot(data, store)
    os.utime(data / "a.csv", (1, 1))
    (data / "a.csv").chmod(0o600)
    assert snapshot(data, store).digest == first.digest
    assert snapshot(data, store, keep=False).digest == first.digest
    (data / "a.csv").chmod(0o700)
    assert snapshot(data, store).digest != first.digest


def test_without_keep_only_the_manifest_is_stored(store: ObjectStore, data: Path) -> None:
    taken = snapshot(data, store, keep=False)
    contents = {Digest.of(content) for _, content in tree(data).values()}
    assert retrievable(taken.digest, store) == sorted(contents)
    assert {fault.code for fault in verify_dataset(taken.digest, store)} == {"objects.missing"}
    snapshot(data, store)
    assert retrievable(taken.digest, store) == []


def test_a_single_file_is_a_dataset_of_one(store: ObjectStore, data: Path, tmp_path: Path) -> None:
    (tmp_path / "by another name").symlink_to(data / "a.csv")
    taken = snapshot(tmp_path / "by another name", store)
    (entry,) = entries(load(taken.digest, store), store)
    assert entry == Entry(b"by another name", "f", Digest.of(b"x,y\n1,2\n"), 8)
    restore(taken.digest, store, tmp_path / "out")
    assert tree(tmp_path / "out") == {b"by another name": ("f", b"x,y\n1,2\n")}


def test_an_empty_folder_is_the_empty_dataset(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "nothing" / "below").mkdir(parents=True)
    taken = snapshot(tmp_path / "nothing", store)
    assert (taken.files, taken.bytes) == (0, 0)
    assert restore(taken.digest, store, tmp_path / "out") == Restored(0, 0, 0, 0)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_cannot_be_kept_is_said(store: ObjectStore, data: Path) -> None:
    before = snapshot(data, store).digest
    (data / ".git").mkdir()
    (data / ".git" / "config").write_bytes(b"")
    (data / "sub" / ".lineal").mkdir()
    os.mkfifo(data / "fifo")
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{short}/s")
        os.rename(f"{short}/s", data / "socket")
    taken = snapshot(data, store)
    assert taken.digest == before
    assert sorted(code for code, _ in taken.gaps) == ["dataset.left_out"] * 2 + ["dataset.special"] * 2
    explanations = " ".join(text for _, text in taken.gaps)
    assert all(name in explanations for name in ("'.git'", "'sub/.lineal'", "'fifo'", "'socket'"))


def test_links_out_of_the_tree_are_recorded_and_said(store: ObjectStore, data: Path) -> None:
    (data / "sub" / "out").symlink_to("../../secret")
    (data / "absolute").symlink_to("/etc/passwd")
    (data / "sub" / "within").symlink_to("../sub/deeper")
    (data / "whole folder").symlink_to("/etc")
    taken = snapshot(data, store)
    said = [text for code, text in taken.gaps if code == "dataset.link_outside"]
    assert len(said) == len(taken.gaps) == 3
    kinds = {entry.path: entry.kind for entry in entries(load(taken.digest, store), store)}
    assert kinds[b"sub/out"] == kinds[b"absolute"] == kinds[b"whole folder"] == "l"


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A file below 1,000 folders: its path is longer than the system takes in one piece."""
    root = tmp_path / "deep"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(1000):
        os.mkdir("folder-ten", dir_fd=here)
        below = os.open("folder-ten", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    yield root
    for path in (root, tmp_path / "out"):
        subprocess.run(["rm", "-rf", str(path)], check=True)


def test_a_thousand_folders_deep(store: ObjectStore, deep: Path, tmp_path: Path) -> None:
    taken = snapshot(deep, store)
    (entry,) = entries(load(taken.digest, store), store)
    assert entry.path == b"folder-ten/" * 1000 + b"file"
    assert restore(taken.digest, store, tmp_path / "out").files == 1
    assert snapshot(tmp_path / "out", store).digest == taken.digest


@pytest.mark.parametrize("kind", ["missing", "broken link", "fifo"])
def test_a_root_that_is_no_folder_or_file_is_refused(store: ObjectStore, tmp_path: Path, kind: str) -> None:
    root = tmp_path / "thing"
    if kind == "broken link":
        root.symlink_to("nowhere")
    elif kind == "fifo":
        os.mkfifo(root)
    with pytest.raises(BadInput, match="thing"):
        snapshot(root, store)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["a.csv", "sub"])
def test_what_may_not_be_read_is_named_and_no_version_exists(store: ObjectStore, data: Path, name: str) -> None:
    (data / name).chmod(0)
    with pytest.raises(BadInput, match=name):
        snapshot(data, store)
    (data / name).chmod(0o755)
    assert list(store.digests()) == []


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("name", ["a.csv", "sub/deeper/large.bin"])
@pytest.mark.parametrize(("changes", "works"), [(2, True), (3, False)])
def test_a_file_being_written_is_tried_three_times(
    store: ObjectStore,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    keep: bool,
    name: str,
    changes: int,
    works: bool,
) -> None:
    left = changes

    def change_and_check(before: os.stat_result, descriptor: int, shown: str) -> None:
        nonlocal left
        if shown.endswith(name) and left:
            left -= 1
            with (data / name).open("ab") as file:
                file.write(b"more")
        check_unchanged(before, descriptor, shown)

    monkeypatch.setattr(batch, "check_unchanged", change_and_check)
    monkeypatch.setattr(copying, "check_unchanged", change_and_check)
    if works:
        taken = snapshot(data, store, keep=keep)
        content = (data / name).read_bytes()
        found = {entry.path.decode("latin-1"): entry for entry in entries(load(taken.digest, store), store)}
        assert found[name].digest == Digest.of(content)
    else:
        with pytest.raises(ObjectChanged, match=name):
            snapshot(data, store, keep=keep)
        assert list(store.digests()) == []
    assert left == 0


def test_a_folder_that_changes_during_the_walk_makes_no_version(
    store: ObjectStore, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reading.settled

    def settle(descriptor: int) -> os.stat_result:
        if signature(os.fstat(descriptor)) == signature((data / "sub" / "copy.csv").stat()):
            (data / "sub" / "late arrival").write_bytes(b"")
        return real(descriptor)

    monkeypatch.setattr(reading, "settled", settle)
    with pytest.raises(ObjectChanged, match="sub"):
        snapshot(data, store)
    assert list(store.digests()) == []


def test_progress_ends_with_every_file_and_byte(store: ObjectStore, data: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    taken = snapshot(data, store, on_progress=lambda count, size: seen.append((count, size)))
    assert seen[-1] == (taken.files, taken.bytes)
    assert seen == sorted(seen)
    seen.clear()
    restore(taken.digest, store, tmp_path / "out", on_progress=lambda count, size: seen.append((count, size)))
    assert seen[-1] == (taken.files, taken.bytes)


def test_many_large_files_come_in_their_order(store: ObjectStore, tmp_path: Path) -> None:
    root = tmp_path / "many"
    root.mkdir()
    for number in range(30):
        (root / f"{number:02d}").write_bytes(b"%02d" % number * (700_000 if number % 3 else 2))
    taken = snapshot(root, store)
    assert {entry.path: entry.digest for entry in entries(load(taken.digest, store), store)} == {
        path: Digest.of(content) for path, (_, content) in tree(root).items()
    }
    assert list(store.verify()) == []


def test_restore_again_skips_and_repairs_only_by_force(store: ObjectStore, data: Path, tmp_path: Path) -> None:
    taken = snapshot(data, store)
    out = tmp_path / "out"
    restore(taken.digest, store, out)
    assert restore(taken.digest, store, out) == Restored(0, 0, taken.files, 0)
    (out / "sub.txt").unlink()
    assert restore(taken.digest, store, out).files == 1
    untouched = (out / "case").stat()
    (out / "a.csv").write_bytes(b"x,y\n1,3\n")
    (out / "sub" / "link").unlink()
    (out / "sub" / "link").symlink_to("elsewhere")
    (out / "mine").write_bytes(b"mine")
    before = tree(out)
    with pytest.raises(AlreadyExists):
        restore(taken.digest, store, out)
    assert tree(out) == before
    assert restore(taken.digest, store, out, force=True) == Restored(2, 8 + 8, taken.files - 2, 1)
    assert tree(out) == tree(data) | {b"mine": ("f", b"mine")}
    assert signature((out / "case").stat()) == signature(untouched)


def test_force_turns_one_version_into_the_next(store: ObjectStore, data: Path, tmp_path: Path) -> None:
    first = snapshot(data, store)
    (data / "a.csv").write_bytes(b"x,y\n1,2\n3,4\n")
    (data / "sub" / "deeper" / "new").write_bytes(b"new")
    second = snapshot(data, store)
    found = diff(load(first.digest, store), load(second.digest, store), store)
    assert [(each.path, each.change) for each in found] == [(b"a.csv", "changed"), (b"sub/deeper/new", "added")]
    restore(first.digest, store, tmp_path / "out")
    assert restore(second.digest, store, tmp_path / "out", force=True).files == 2
    assert tree(tmp_path / "out") == tree(data)


def test_a_leftover_of_a_killed_restore_is_cleared(store: ObjectStore, data: Path, tmp_path: Path) -> None:
    taken = snapshot(data, store)
    left = tmp_path / "out" / f".lineal-restore-{taken.digest.hex[:16]}"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"half")
    restore(taken.digest, store, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(data)


def test_a_link_planted_for_the_temporary_folder_is_not_followed(
    store: ObjectStore, data: Path, tmp_path: Path
) -> None:
    taken = snapshot(data, store)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"not ours")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f".lineal-restore-{taken.digest.hex[:16]}").symlink_to(outside)
    with pytest.raises(LinealError):
        restore(taken.digest, store, tmp_path / "out")
    assert [file.name for file in outside.iterdir()] == ["precious"]


def put_manifest(store: ObjectStore, lines: list[tuple[str, bytes, str]]) -> Digest:
    """Store a manifest of (kind, content, spelled path) without any of the checks that writing one makes."""
    text = "".join(f"{kind} {store.put_bytes(data).hex} {len(data)} {path}\n" for kind, data, path in lines)
    size = sum(len(data) for _, data, _ in lines)
    part = store.put_bytes(text.encode())
    root = f"{len(lines)} {size}\n{part.hex} {len(lines)} {size} {lines[0][2]} {lines[-1][2]}\n"
    return store.put_bytes(HEADER + root.encode())


HOSTILE = {
    "above": [("f", b"evil", "../evil")],
    "above, deeper": [("f", b"evil", "a/../../evil")],
    "absolute": [("f", b"evil", "/tmp/evil")],
    "empty segment": [("f", b"evil", "a//b")],
    "dot": [("f", b"evil", "a/./b")],
    "nul": [("f", b"evil", "a%00b")],
    "another spelling": [("f", b"evil", "%2E%2E/evil")],
    "through a link": [("l", b"..", "a"), ("f", b"evil", "a/evil")],
    "twice": [("f", b"good", "a"), ("f", b"evil", "a")],
    "out of order": [("f", b"good", "b"), ("f", b"evil", "a")],
    "git hook": [("x", b"evil", ".git/hooks/pre-commit")],
    "git hook, other case": [("x", b"evil", "sub/.Git/hooks/pre-commit")],
    "a device": [("c", b"evil", "a")],
}


@pytest.mark.parametrize("lines", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("force", [True, False])
def test_a_hostile_manifest_writes_nothing(
    store: ObjectStore, tmp_path: Path, lines: list[tuple[str, bytes, str]], force: bool
) -> None:
    digest = put_manifest(store, [("f", b"first, and harmless", "!"), *lines])
    target = tmp_path / "yard" / "out"
    target.mkdir(parents=True)
    with pytest.raises(BadManifest):
        restore(digest, store, target, force=force)
    assert list((tmp_path / "yard").rglob("*")) == [target]


def test_a_size_that_the_object_does_not_have_is_refused(store: ObjectStore, tmp_path: Path) -> None:
    entry = Entry(b"a", "f", store.put_bytes(b"four"), 5)
    digest = write([entry], store.put_bytes).digest
    with pytest.raises(BadManifest, match="size"):
        restore(digest, store, tmp_path / "out")
    assert [fault.code for fault in verify_dataset(digest, store)] == ["datasets.bad_manifest"]
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize("name", ["sub", "a.csv"])
def test_links_planted_in_the_target_are_not_followed(
    store: ObjectStore, data: Path, tmp_path: Path, name: str, force: bool
) -> None:
    taken = snapshot(data, store)
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (outside / "a.csv").write_bytes(b"precious")
    out.mkdir()
    (out / name).symlink_to(outside / "a.csv" if name == "a.csv" else outside)
    if name == "a.csv" and force:
        restore(taken.digest, store, out, force=True)
        assert tree(out) == tree(data)
    else:
        with pytest.raises(AlreadyExists):
            restore(taken.digest, store, out, force=force)
    assert tree(outside) == {b"a.csv": ("f", b"precious")}


def test_a_folder_in_the_way_of_a_file_is_left(store: ObjectStore, data: Path, tmp_path: Path) -> None:
    taken = snapshot(data, store)
    (tmp_path / "out" / "a.csv" / "precious").mkdir(parents=True)
    for force in (False, True):
        with pytest.raises(AlreadyExists):
            restore(taken.digest, store, tmp_path / "out", force=force)
    assert (tmp_path / "out" / "a.csv" / "precious").is_dir()


def test_restoring_into_a_file_or_of_what_is_no_dataset(store: ObjectStore, data: Path, tmp_path: Path) -> None:
    taken = snapshot(data, store)
    with pytest.raises(BadInput):
        restore(taken.digest, store, data / "a.csv")
    with pytest.raises(BadManifest, match="not a dataset"):
        restore(store.put_bytes(b"something else"), store, tmp_path / "out")
    with pytest.raises(ObjectMissing):
        restore(Digest.of(b"unknown"), store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_member_is_found_and_never_restored(store: ObjectStore, data: Path, tmp_path: Path) -> None:
    taken = snapshot(data, store)
    assert list(verify_dataset(taken.digest, store)) == []
    digest = Digest.of(LARGE)
    path = store.root / "sha256" / digest.hex[:2] / digest.hex[2:]
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"?")
    assert [(fault.digest, fault.code) for fault in verify_dataset(taken.digest, store)] == [
        (digest, "objects.digest_mismatch")
    ]
    with pytest.raises(DigestMismatch):
        restore(taken.digest, store, tmp_path / "out")
    assert not (tmp_path / "out" / "sub" / "deeper" / "large.bin").exists()


def test_missing_parts_of_a_version_are_listed(store: ObjectStore, tmp_path: Path) -> None:
    assert retrievable(Digest.of(b"unknown"), store) == [Digest.of(b"unknown")]
    assert [fault.code for fault in verify_dataset(Digest.of(b"unknown"), store)] == ["objects.missing"]
    manifest = write([Entry(b"a", "f", store.put_bytes(b"a"), 1)], store.put_bytes)
    part = manifest.ranges[0].digest
    shutil.rmtree(store.root / "sha256" / part.hex[:2])
    assert retrievable(manifest.digest, store) == [part]
    assert [(fault.digest, fault.code) for fault in verify_dataset(manifest.digest, store)] == [
        (part, "objects.missing")
    ]


def test_two_restores_into_one_folder_do_not_meet(store: ObjectStore, data: Path, tmp_path: Path) -> None:
    taken = snapshot(data, store)
    held = tmp_path / "out" / f".lineal-restore-{taken.digest.hex[:16]}"
    held.mkdir(parents=True)
    (held / "in progress").write_bytes(b"theirs")
    with open_folder(held) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(AlreadyExists, match="under way"):
            restore(taken.digest, store, tmp_path / "out")
    assert [path.name for path in held.iterdir()] == ["in progress"]


@contextmanager
def open_folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
