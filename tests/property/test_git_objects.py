"""What Lineal computes of git's objects by itself, against git; and objects that nobody should have written."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.errors import BadInput
from lineal.sources.git_host import _join
from lineal.sources.git_lfs import read_pointer
from lineal.sources.git_objects import object_id, parse_commit
from lineal.sources.git_tree import TreeEntry, _parse_tree, tree_id

BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

_NAME = st.binary(min_size=1, max_size=6).filter(
    lambda name: (
        not {b"/", b"\0"} & {bytes([each]) for each in name}
        and name not in (b".", b"..")
        and b".git" not in name.lower()
        and b"git~" not in name.lower()
    )
)
_PATHS = st.lists(st.lists(_NAME, min_size=1, max_size=3).map(b"/".join), min_size=1, max_size=12)


def _apart(paths: list[bytes]) -> list[bytes]:
    """Return those of `paths` that do not lie within another of them."""
    kept: list[bytes] = []
    for path in sorted(set(paths)):
        if not any(path.startswith(each + b"/") for each in kept):
            kept.append(path)
    return kept


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if shutil.which("git") is None:
        pytest.skip("the git program is not installed")
    found = {}
    for name in ("sha1", "sha256"):
        found[name] = tmp_path_factory.mktemp(name)
        subprocess.run(["git", "init", "-q", f"--object-format={name}", str(found[name])], check=True)
    return found


@settings(max_examples=25)
@given(_PATHS, st.data(), st.sampled_from(["sha1", "sha256"]))
def test_the_id_of_a_tree_is_the_one_that_git_computes(
    repositories: dict[str, Path], paths: list[bytes], data: st.DataObject, hash_name: str
) -> None:
    folder = repositories[hash_name]
    blob = object_id("blob", 0, [], hash_name)
    modes = {path: data.draw(st.sampled_from(["100644", "100755", "120000", "160000"])) for path in _apart(paths)}
    lines = b"".join(b"%s %s\t%s\0" % (mode.encode(), blob.encode(), path) for path, mode in modes.items())
    env = {**os.environ, "GIT_INDEX_FILE": str(folder / "index-of-test")}
    (folder / "index-of-test").unlink(missing_ok=True)
    command = ["git", "-C", str(folder), "-c", "core.protectNTFS=false", "-c", "core.protectHFS=false"]
    subprocess.run([*command, "update-index", "-z", "--index-info"], input=lines, env=env, check=True)
    said = subprocess.run([*command, "write-tree", "--missing-ok"], env=env, check=True, capture_output=True)
    assert (
        tree_id([TreeEntry(path, mode, blob) for path, mode in modes.items()], hash_name)
        == said.stdout.decode().strip()
    )


def test_known_ids() -> None:
    assert object_id("blob", 0, [], "sha1") == BLOB
    assert tree_id([], "sha1") == TREE
    assert object_id("blob", 6, [b"hel", b"lo\n"], "sha1") == "ce013625030ba8dba906f756967f9e9ca394464a"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_tree_or_refused(data: bytes) -> None:
    try:
        entries = list(_parse_tree("c", TREE, data))
    except BadInput:
        return
    assert all(entry.path not in (b"", b".", b"..") and b"/" not in entry.path for entry in entries)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda more: b"tree %s\n" % TREE.encode() + more))
def test_any_bytes_are_a_commit_or_refused(data: bytes) -> None:
    try:
        commit = parse_commit("a" * 40, data)
    except BadInput:
        return
    assert commit.tree == TREE or len(commit.tree) == 40
    assert commit.time is None or commit.time >= 0


def test_a_commit_is_read_as_git_writes_it() -> None:
    data = (
        f"tree {TREE}\nparent {'1' * 40}\nparent {'2' * 40}\nauthor A U <a@b> 1 +0000\n"
        "committer C <c@d> 1700000000 -0700\n"
        "gpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----\n\ntree of words\n\nparent of none\n"
    ).encode()
    commit = parse_commit("a" * 40, data)
    assert (commit.tree, commit.parents, commit.time) == (TREE, ("1" * 40, "2" * 40), 1700000000)
    assert (commit.author, commit.committer, commit.signed) == (b"A U <a@b>", b"C <c@d>", "ssh")
    for wrong in (
        b"",
        b"tree x\n\n",
        data.replace(b"parent 1", b"parent !", 1),
        data.replace(TREE.encode(), b"a" * 64),
    ):
        with pytest.raises(BadInput):
            parse_commit("a" * 40, wrong)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"oid sha256:" + b"a" * 64 + b"\nsize 12\n", 12),
        (b"ext-0-x sha256:" + b"b" * 64 + b"\noid sha256:" + b"a" * 64 + b"\nsize 0\n", 0),
        (b"oid sha256:" + b"A" * 64 + b"\nsize 12\n", None),
        (b"oid sha256:" + b"a" * 64 + b"\nsize -1\n", None),
        (b"oid sha1:" + b"a" * 40 + b"\nsize 1\n", None),
        (b"oid sha256:" + b"a" * 64 + b"\nsize 12\n" + b"x" * 2000, None),
        (b"", None),
    ],
)
def test_pointers(data: bytes, size: int | None) -> None:
    pointer = read_pointer(b"version https://git-lfs.github.com/spec/v1\n" + data)
    assert (None if pointer is None else pointer.size) == size


@pytest.mark.parametrize(
    ("base", "relative", "joined"),
    [
        ("https://github.com/acme/risk.git", "../lib.git", "https://github.com/acme/lib.git"),
        ("https://github.com/acme/risk", "./lib", "https://github.com/acme/risk/lib"),
        ("git@github.com:acme/risk.git", "../../other/lib.git", "git@github.com:other/lib.git"),
        ("ssh://git@host:2222/a/b.git", "../../../../../etc/x", "ssh://git@host:2222/etc/x"),
        ("file:///srv/git/risk.git", "../lib.git", "file:///srv/git/lib.git"),
    ],
)
def test_addresses_named_from_the_parents(base: str, relative: str, joined: str) -> None:
    assert _join(base, relative) == joined
