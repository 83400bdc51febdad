"""Folding of events to accesses, and the names in them."""

import os
import socket
import stat
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.capture._loader import interpreters
from lineal.capture._names import peer_name, tidy
from lineal.capture.accesses import Access, Event, Fold, Op


class Run:
    """Stands in for a program: each method is one call, seen before it is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = os.fsencode(folder)
        self.fold = Fold()

    def at(self, name: str) -> bytes:
        return os.path.join(self.folder, name.encode())

    def open(self, name: str, flags: int, *, refused: bool = False, thread: int = 1) -> None:
        path = self.at(name)
        self.fold.settle(thread)
        self.fold.apply(Event(thread, Op.OPEN, path, flags, self.fold.look(path)))
        if not refused:
            os.close(os.open(path, flags))

    def rename(self, old: str, new: str, *, refused: bool = False, thread: int = 1) -> None:
        source, target = self.at(old), self.at(new)
        self.fold.settle(thread)
        before, target_before, mark = self.fold.look(source), self.fold.look(target), os.lstat(source)
        self.fold.apply(Event(thread, Op.RENAME, source, 0, before, target, target_before, mark))
        if not refused:
            os.rename(source, target)

    def remove(self, name: str, *, refused: bool = False) -> None:
        path = self.at(name)
        self.fold.apply(Event(1, Op.UNLINK, path, 0, self.fold.look(path)))
        if not refused:
            os.unlink(path)

    def end(self) -> dict[str, Access]:
        return {os.path.basename(access.path).decode(): access for access in self.fold.finish()}


@pytest.fixture
def program(tmp_path: Path) -> Run:
    return Run(tmp_path)


CREATE = os.O_WRONLY | os.O_CREAT


def test_calls_that_are_refused_leave_no_trace(program: Run) -> None:
    Path(os.fsdecode(program.at("there"))).touch()
    program.open("absent", os.O_RDONLY, refused=True)
    program.open("never", CREATE, refused=True)
    program.open("there", CREATE | os.O_EXCL, refused=True)
    program.remove("there", refused=True)
    program.rename("there", "elsewhere", refused=True)
    assert program.end() == {}


def test_a_refused_rename_is_not_believed_when_its_thread_goes_on(program: Run) -> None:
    for name in ("a", "b"):
        program.open(name, CREATE)
    program.rename("a", "b", refused=True)
    program.open("a", os.O_RDONLY)
    os.rename(program.at("a"), program.at("b"))  # not the run's doing, and too late
    found = program.end()
    assert set(found) == {"b"}


def test_a_rename_is_settled_when_another_thread_uses_the_file(program: Run) -> None:
    program.open("tmp", CREATE, thread=1)
    program.rename("tmp", "done", thread=1)
    program.open("done", os.O_RDONLY, thread=2)
    found = program.end()
    assert set(found) == {"done"}
    assert found["done"].first == "write"
    assert found["done"].read


def test_a_chain_of_renames_ends_at_the_last_name(program: Run) -> None:
    program.open("a", CREATE)
    for old, new in (("a", "b"), ("b", "c"), ("c", "d")):
        program.rename(old, new)
    assert set(program.end()) == {"d"}


def test_a_removed_and_remade_file_is_not_removed(program: Run) -> None:
    program.open("f", CREATE)
    program.remove("f")
    program.open("f", os.O_RDONLY, refused=True)
    program.open("f", CREATE)
    found = program.end()["f"]
    assert (found.removed, found.read, found.written) == (False, False, True)


def test_directories_and_devices_are_no_files(program: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    program.open("folder", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        program.open("s", os.O_RDONLY, refused=True)
        assert program.end() == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root is refused nothing")
def test_what_may_not_be_opened_was_not(program: Run, tmp_path: Path) -> None:
    (tmp_path / "locked").touch(mode=0o000)
    (tmp_path / "fixed").touch(mode=0o444)
    program.open("locked", os.O_RDONLY, refused=True)
    program.open("fixed", os.O_WRONLY, refused=True)
    program.open("fixed", os.O_RDONLY)
    assert set(program.end()) == {"fixed"}


@given(st.lists(st.sampled_from([b"a", b"b", b".", b"", b"c.d", b"..e"]), max_size=8))
def test_a_tidy_path_names_its_parts_and_stays_as_it_is(parts: list[bytes]) -> None:
    path = b"/" + b"/".join(parts)
    once = tidy(path)
    assert once == b"/" + b"/".join(part for part in parts if part not in (b"", b"."))
    assert tidy(once) == once


def test_steps_up_follow_symbolic_links(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    base = os.fsencode(os.path.realpath(tmp_path))
    assert tidy(base + b"/link/../x") == base + b"/real/x"
    assert tidy(base + b"/real/..") == base
    assert tidy(b"/../..") == b"/"


def test_peers_are_named_as_people_write_them() -> None:
    assert (
        peer_name(struct.pack("=H", socket.AF_INET) + b"\x01\xbb" + bytes([10, 0, 0, 7]) + bytes(8)) == "10.0.0.7:443"
    )
    wide = struct.pack("=H", socket.AF_INET6) + b"\x00\x50" + bytes(4) + bytes(15) + b"\x01" + bytes(4)
    assert peer_name(wide) == "[::1]:80"
    assert peer_name(struct.pack("=H", socket.AF_UNIX) + b"/run/a b\0junk") == "unix:/run/a%20b"
    assert peer_name(struct.pack("=H", socket.AF_UNIX) + b"\0name") == "unix:@name"
    assert peer_name(struct.pack("=H", socket.AF_INET) + bytes(14)) == ""  # the resolver's question about a route
    assert peer_name(struct.pack("=H", socket.AF_UNSPEC) + bytes(14)) == ""


@given(st.binary(max_size=128))
def test_no_address_breaks_the_reader(raw: bytes) -> None:
    assert isinstance(peer_name(raw), str)


def test_scripts_name_their_interpreters_and_those_theirs(tmp_path: Path) -> None:
    inner, outer, loop = tmp_path / "inner", tmp_path / "outer", tmp_path / "loop"
    inner.write_bytes(b"#! /no/such/program -x\n")
    outer.write_bytes(b"#!" + os.fsencode(inner) + b"\n")
    loop.write_bytes(b"#!" + os.fsencode(loop))
    assert interpreters(os.fsencode(outer)) == [os.fsencode(inner), b"/no/such/program"]
    assert interpreters(os.fsencode(loop)) == [os.fsencode(loop)]
    assert interpreters(os.fsencode(tmp_path)) == []
    assert interpreters(b"/no/such/program") == []


@pytest.mark.skipif(sys.platform != "linux", reason="ELF is Linux's")
def test_a_program_names_its_loader() -> None:
    (loader,) = interpreters(b"/bin/sh")
    assert b"/ld" in loader
    assert stat.S_ISREG(os.stat(loader).st_mode)


@given(st.binary(max_size=200))
def test_no_broken_program_breaks_the_reader(rest: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\x7fELF" + rest)
        file.flush()
        assert isinstance(interpreters(os.fsencode(file.name)), list)
