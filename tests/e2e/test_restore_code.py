"""Code comes back by its commit from its host, or from the ledger when the host is gone; the same tree either way."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import make_place
from git_world import GIT, World, codes, git, make_world

from lineal.app.add import add
from lineal.app.restore import restore
from lineal.errors import AlreadyExists, BadManifest, DigestMismatch, ObjectMissing, StoreError

pytestmark = GIT


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch) as made:
        yield made


def tree(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Return every file below `folder` with its kind and content."""
    found = {}
    for place in sorted(folder.rglob("*")):
        name = str(place.relative_to(folder))
        if place.is_symlink():
            found[name] = ("l", os.readlink(place).encode())
        elif place.is_file():
            found[name] = ("x" if place.stat().st_mode & stat.S_IXUSR else "f", place.read_bytes())
    return found


EXPECTED = {
    "link": ("l", b"src/train.py"),
    "run.sh": ("x", b"#!/bin/sh\n"),
    "src.md": ("f", b"sorted before src/ by a folder's own name\n"),
    "src/train.py": ("f", b"print('two')\n"),
}


def forget(world: World) -> None:
    """Remove every object from the store, as a lost disk would."""
    for part in (world.root / "ledger" / ".lineal" / "objects").iterdir():
        shutil.rmtree(part)


def test_from_the_host_from_the_ledger_and_the_host_gone(world: World) -> None:
    folder = world.repository()
    url = world.publish(folder)
    commit = git(folder, "rev-parse", "HEAD")
    world.collect(url)
    asked = len(world.host.requests)
    name = f"code:127.0.0.1/risk@{commit}"
    done = restore(world.session, name, world.root / "a")
    assert (tree(world.root / "a"), done.origin, done.files) == (EXPECTED, "host 127.0.0.1", 4)
    assert len(world.host.requests) > asked
    asked = len(world.host.requests)
    done = restore(world.session, commit[:9], world.root / "b", offline=True)
    assert (tree(world.root / "b"), done.origin, len(world.host.requests)) == (EXPECTED, "object store", asked)
    shutil.rmtree(world.host.root / "risk.git")
    done = restore(world.session, commit, world.root / "c")
    assert tree(world.root / "c") == EXPECTED
    assert done.origin.startswith("object store; http://127.0.0.1")
    assert restore(world.session, commit, world.root / "c").skipped == 4


def test_the_host_alone_is_enough(world: World) -> None:
    folder = world.repository()
    world.collect(world.publish(folder))
    forget(world)
    commit = git(folder, "rev-parse", "HEAD")
    restore(world.session, commit, world.root / "a")
    assert tree(world.root / "a") == EXPECTED
    with pytest.raises(StoreError):
        restore(world.session, commit, world.root / "b", offline=True)
    assert not (world.root / "b").exists()


def test_a_host_that_gives_no_commit_by_its_id_is_asked_for_its_branches(world: World) -> None:
    folder = world.repository()
    first = git(folder, "rev-parse", "v1.0")
    git(folder, "tag", "-d", "v1.0")
    url = world.publish(folder)
    world.collect(url, commits=(first,))
    done = restore(world.session, first, world.root / "a")
    assert done.origin == "host 127.0.0.1"
    assert tree(world.root / "a")["src/train.py"] == ("f", b"print('one')\n")


def test_a_claimed_commit_comes_from_where_it_was_said_to_be(world: World) -> None:
    folder = world.repository()
    url = world.publish(folder)
    commit = git(folder, "rev-parse", "HEAD")
    add(world.session, "code", "acme/risk", commit, where=url, os_user="t")
    done = restore(world.session, f"code:acme/risk@{commit}", world.root / "a")
    assert (tree(world.root / "a"), done.origin) == (EXPECTED, "host 127.0.0.1")
    with pytest.raises(ObjectMissing, match="not kept here"):
        restore(world.session, commit, world.root / "b", offline=True)


def test_another_tree_at_the_host_is_never_written(world: World) -> None:
    """A run recorded a tree that is not the one of its commit, as with line endings that a filter changed."""
    folder = world.repository()
    url = world.publish(folder)
    world.collect(url)
    commit = git(folder, "rev-parse", "HEAD")
    view = world.session.catalog.resolve(commit)
    fact = world.session.catalog.facts([view.id])[0]
    other = world.repository("other")
    (other / "src" / "train.py").write_text("print('another')\n")
    false = world.collect(other, refs=(world.commit(other, "x", 3),))
    wrong = world.session.catalog.resolve(false.versions[0]["ref"])
    from lineal.core.digest import Digest
    from lineal.core.observation import Node, Observation

    detail = {**fact.detail, "stored": "manifest"}
    ref = f"code:false@{wrong.digest}"
    node = Node(ref=ref, basis="observed", version=commit, digest=Digest.parse(str(wrong.digest)), detail=detail)
    said = Observation(type="test.said/1", time=world.session.clock(), actor="t", basis="observed", nodes=(node,))
    world.session.say(said)
    with pytest.raises(DigestMismatch, match="another tree"):
        restore(world.session, ref, world.root / "a")
    assert not (world.root / "a").exists()


def test_what_is_in_the_way_stays(world: World) -> None:
    folder = world.repository()
    world.collect(world.publish(folder))
    target = world.root / "a"
    target.mkdir()
    (target / "mine.txt").write_text("mine")
    commit = git(folder, "rev-parse", "HEAD")
    with pytest.raises(AlreadyExists):
        restore(world.session, commit, target)
    assert tree(target) == {"mine.txt": ("f", b"mine")}


def test_a_link_out_of_the_folder_is_not_followed(world: World) -> None:
    folder = world.repository()
    outside = world.root / "outside"
    outside.mkdir()
    blob = git(folder, "hash-object", "-w", str(folder / "run.sh"))
    (world.root / "target").write_text(str(outside))
    link = git(folder, "hash-object", "-w", str(world.root / "target"))
    file = world.root / "raw"
    # Two entries of one name: a link, and a folder whose file would be written through it.
    inner = world.root / "inner"
    inner.write_bytes(b"100644 evil\0" + bytes.fromhex(blob))
    subtree = git(folder, "hash-object", "-t", "tree", "-w", "--literally", str(inner))
    file.write_bytes(b"120000 a\0" + bytes.fromhex(link) + b"40000 a\0" + bytes.fromhex(subtree))
    tree_name = git(folder, "hash-object", "-t", "tree", "-w", "--literally", str(file))
    commit = git(folder, "commit-tree", tree_name, "-m", "hostile")
    found = world.collect(folder, commits=(commit,))
    assert (codes(found), found.versions) == (["git.commit"], ())
    assert list(outside.iterdir()) == []


def test_what_is_not_on_record_of_a_commit_is_said(world: World) -> None:
    library, folder = world.repository("library"), world.repository()
    git(folder, "submodule", "add", "-q", str(library), "lib")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 7\n"
    (folder / "weights.bin").write_text(pointer)
    commit = world.commit(folder, "with a submodule and a pointer", 3)
    bare = world.root / "bare.git"
    git(world.root, "clone", "-q", "--bare", str(folder), str(bare))
    assert codes(world.collect(bare, commits=(commit,))) == ["git.lfs", "git.submodule"]
    done = restore(world.session, commit, world.root / "out", offline=True)
    inner = git(library, "rev-parse", "HEAD")
    assert done.lacks == (
        f"the files of the submodule lib ({inner}) are not on record",
        "1 files of Git LFS are restored as their pointers: weights.bin",
    )


def test_a_ledger_in_a_commit_is_kept_and_not_written_back(world: World) -> None:
    folder = world.repository()
    (folder / "sub" / ".Lineal").mkdir(parents=True)
    (folder / "sub" / ".Lineal" / "format").write_text("lineal-ledger/1\n")
    commit = world.commit(folder, "with a ledger", 3)
    assert codes(world.collect(folder)) == ["git.reserved_path"]
    with pytest.raises(BadManifest, match="nothing was written"):
        restore(world.session, commit, world.root / "out", offline=True)
    assert not (world.root / "out").exists()


def test_submodules_come_back_too(world: World) -> None:
    library = world.repository("library")
    folder = world.repository()
    world.publish(library)
    git(folder, "submodule", "add", "-q", str(library), "lib")
    git(folder, "config", "-f", ".gitmodules", "submodule.lib.url", "../library.git")
    commit = world.commit(folder, "with a submodule", 3)
    world.collect(world.publish(folder))
    forget(world)
    with pytest.raises(StoreError):
        restore(world.session, commit, world.root / "b", offline=True)
    done = restore(world.session, commit, world.root / "a")
    assert done.origin == "host 127.0.0.1"
    assert tree(world.root / "a")["lib/src/train.py"] == ("f", b"print('two')\n")


def test_dirty_code_of_a_run_comes_back_with_its_changes(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    (place.folder / "train.py").write_text("print('clean')\n")
    (place.folder / ".gitignore").write_text(".lineal/\n")
    commit = place.repository()
    place.git("remote", "add", "origin", f"file://{place.folder}/.git")
    (place.folder / "train.py").write_text("print('changed')\n")
    assert place.run("cat", "train.py").status == 0
    done = place.lineal("restore", "--json", f"code:work@{commit}+dirty", str(tmp_path / "a"))
    assert done.status == 0, done.err
    assert done.json()["origin"] == "object store"
    assert (tmp_path / "a" / "train.py").read_text() == "print('changed')\n"


def test_the_command_line(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    (place.folder / "train.py").write_text("print(1)\n")
    (place.folder / ".gitignore").write_text(".lineal/\n")
    commit = place.repository()
    place.git("clone", "-q", "--bare", ".", str(tmp_path / "risk.git"))
    done = place.lineal("collect", "git", f"file://{tmp_path}/risk.git", "--json")
    assert done.status == 0, done.err
    (version,) = done.json()["versions"]
    assert (version["commit"], version["verification"]["holds"]) == (commit, True)
    told = place.within("collect", "git", f"file://{tmp_path}/risk.git", "--ref", "main")
    assert "  verified\n" in told.err
    assert "reachable yes: behind a branch or tag that counts as protected" in told.err
    target = tmp_path / "out"
    back = place.within("restore", f"code:risk@{commit}", str(target))
    assert back.status == 0, back.err
    assert b"(from the host file://" in back.out
    again = place.within("restore", "--offline", "--json", f"code:risk@{commit[:8]}", str(target))
    assert (again.json()["origin"], again.json()["skipped"]) == ("object store", 2)
    for arguments, said in (
        (("collect", "git", "nowhere"), "no such folder"),
        (("collect", "git", ".", "--ref", "nope"), "no branch, tag or commit"),
        (("show", "f" * 40), "lineal collect git REPO --commit"),
    ):
        refused = place.within(*arguments)
        assert refused.status == 2
        assert said in refused.err
        assert "Traceback" not in refused.err
    assert place.within("verify").status == 0
