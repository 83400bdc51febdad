"""Reading a root: nothing outside of it, nothing that may not be read, nothing that is being written."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lineal.sources import config_files
from lineal.sources.config_files import FoundFile, Unread, kind_of_file, read_root

NOBODY = 65534


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for each in folder.rglob("*"):
            if each.is_dir():
                each.chmod(0o755)
        shutil.rmtree(folder)


@contextmanager
def _ordinary_user() -> Iterator[None]:
    """Be somebody who may not read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def _found(root: Path) -> dict[bytes, FoundFile | Unread]:
    return {each.path: each for each in read_root(root)}


def test_kinds_go_by_the_ending() -> None:
    kinds = {name: kind_of_file(name) for name in (b"a.YAML", b".env", b"x/.env.prod", b"b.tfstate", b"c.txt", b"yaml")}
    assert kinds == {
        b"a.YAML": "yaml", b".env": "env", b"x/.env.prod": "env", b"b.tfstate": "json", b"c.txt": "", b"yaml": ""
    }  # fmt: skip


def test_denied_files_and_folders_are_unread(shared: Path) -> None:
    (shared / "a.yaml").write_text("a: 1")
    (shared / "b.yaml").write_text("a: 1")
    (shared / "sub").mkdir()
    (shared / "sub" / "c.yaml").write_text("a: 1")
    (shared / "b.yaml").chmod(0)
    (shared / "sub").chmod(0)
    with _ordinary_user():
        found = _found(shared)
    assert isinstance(found[b"a.yaml"], FoundFile)
    for path in (b"b.yaml", b"sub/"):
        each = found[path]
        assert isinstance(each, Unread)
        assert each.gap.code == "files.denied"
    assert len(found) == 3


def test_a_root_that_may_not_be_read_is_unread_whole(shared: Path) -> None:
    (shared / "sub").mkdir()
    (shared / "sub" / "c.yaml").write_text("a: 1")
    (shared / "sub").chmod(0)
    with _ordinary_user():
        (only,) = read_root(shared / "sub")
    assert isinstance(only, Unread)
    assert only.path == b""


def test_links_are_followed_within_the_root_alone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    (tmp_path / "root-secret").write_text("outside")
    (root / "data" / "a.yaml").write_text("a: 1")
    (root / "..v1").mkdir()
    (root / "in.yaml").symlink_to("data/a.yaml")
    (root / "absolute.yaml").symlink_to(root / "data" / "a.yaml")
    (root / "out.yaml").symlink_to("../root-secret")
    (root / "up").symlink_to("..")
    (root / ".git").mkdir()
    (root / ".git" / "x.yaml").write_text("never")
    (root / "git.yaml").symlink_to(".git/x.yaml")
    found = _found(root)
    read = {path for path, each in found.items() if isinstance(each, FoundFile) and each.data == b"a: 1"}
    assert read == {b"data/a.yaml", b"in.yaml", b"absolute.yaml"}
    links = {path: each.target for path, each in found.items() if isinstance(each, FoundFile) and each.target}
    assert links == {b"out.yaml": b"../root-secret", b"up": b"..", b"git.yaml": b".git/x.yaml"}


def test_folders_deeper_than_the_stack_are_walked(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(900):
        folder = folder / "d"
    os.makedirs(folder)
    (folder / "a.yaml").write_text("a: 1")
    (only,) = read_root(tmp_path)
    assert only.path == b"d/" * 900 + b"a.yaml"


def test_a_file_written_to_while_it_is_read_is_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"x")
    plain = config_files._hash

    def slowly(stream: object) -> tuple[str, int]:
        found = plain(stream)
        file.write_bytes(b"xy")
        return found

    monkeypatch.setattr(config_files, "_hash", slowly)
    (only,) = read_root(tmp_path)
    assert isinstance(only, Unread)
    assert only.gap.code == "files.changed"


def test_documents_over_the_limit_are_unread_and_bytes_are_hashed(tmp_path: Path) -> None:
    (tmp_path / "big.yaml").write_bytes(b" " * (config_files.LARGEST + 1))
    (tmp_path / "big.bin").write_bytes(b" " * (config_files.LARGEST + 1))
    (tmp_path / "big.tfstate").write_bytes(b" " * (config_files.LARGEST + 1))
    found = _found(tmp_path)
    each = found[b"big.yaml"]
    assert isinstance(each, Unread)
    assert each.gap.code == "files.too_large"
    hashed, state = found[b"big.bin"], found[b"big.tfstate"]
    assert isinstance(hashed, FoundFile)
    assert (hashed.digest[:7], hashed.size) == ("sha256:", config_files.LARGEST + 1)
    assert isinstance(state, FoundFile)
