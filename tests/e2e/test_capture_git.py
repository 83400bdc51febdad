"""Real repositories, made by the real git in a HOME of their own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.capture.git import read_git
from lineal.capture.git_state import GitState
from lineal.capture.source_tree import LARGEST_UNTRACKED, SourceFile, walk_files, walk_source
from lineal.core import canonical
from lineal.core.observation import Gap
from lineal.core.repository import canonical_name

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="the git program is not installed")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "home"
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    return folder


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "protocol.file.allow=always", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, errors="surrogateescape").stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "risk"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "train.py").write_text("print('one')\n")
    (folder / "data").mkdir()
    (folder / "data" / "rows.csv").write_text("a,b\n1,2\n")
    (folder / ".gitignore").write_text("*.log\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def read(folder: Path) -> GitState:
    state = read_git(folder)
    assert state is not None
    canonical.encode([state.describe(), [gap.describe() for gap in state.gaps]])
    return state


def paths(state: GitState, extra: list[bytes] | None = None) -> list[tuple[bytes, str]]:
    return [(each.path, each.kind) for each in walk_source(state, extra or []) if isinstance(each, SourceFile)]


def test_outside_git_there_is_no_state(tmp_path: Path) -> None:
    assert read_git(tmp_path) is None


def test_clean_repository(repository: Path) -> None:
    git(repository, "tag", "v1")
    git(repository, "tag", "-a", "-m", "signed off", "v1.0")
    git(repository, "remote", "add", "origin", "https://ada:s3cret@github.com/acme/risk.git")
    git(repository, "remote", "add", "mirror", "git@gitlab.com:acme/mirror.git")
    state = read(repository / "data")
    assert state.toplevel == repository.resolve()
    assert state.commit == git(repository, "rev-parse", "HEAD")
    assert (state.branch, state.tags, state.dirty, state.patch) == ("main", ("v1", "v1.0"), False, b"")
    assert state.remotes == {"origin": "https://github.com/acme/risk.git", "mirror": "git@gitlab.com:acme/mirror.git"}
    assert state.name == "github.com/acme/risk"
    assert (state.bare, state.shallow, state.worktree, state.untracked, state.gaps) == (False, False, False, (), ())
    assert [each.path for each in state.tracked] == [b".gitignore", b"data/rows.csv", b"train.py"]


def test_the_patch_makes_the_working_tree_from_the_commit(repository: Path, tmp_path: Path) -> None:
    (repository / "train.py").write_text("print('two')\n")
    (repository / "staged.bin").write_bytes(bytes(range(256)) * 20)
    git(repository, "add", "staged.bin")
    (repository / "data" / "rows.csv").unlink()
    (repository / ".gitignore").chmod(0o755)
    (repository / "notes.txt").write_text("not added")
    (repository / "noise.log").write_text("ignored")
    state = read(repository)
    assert state.dirty is True
    assert state.untracked == (b"notes.txt",)
    assert state.patch is not None
    copy = tmp_path / "copy"
    git(tmp_path, "clone", "-q", str(repository), str(copy))
    subprocess.run(["git", "-C", str(copy), "apply", "--binary", "-"], input=state.patch, check=True)
    assert (copy / "train.py").read_text() == "print('two')\n"
    assert (copy / "staged.bin").read_bytes() == bytes(range(256)) * 20
    assert not (copy / "data" / "rows.csv").exists()
    assert (copy / ".gitignore").stat().st_mode & 0o100


def test_the_users_own_settings_do_not_change_the_patch(
    repository: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "train.py").write_text("print('two')\n")
    plain = read(repository).patch
    settings = home / "gitconfig"
    settings.write_text(
        "[diff]\n\texternal = false\n\tmnemonicPrefix = true\n\tnoprefix = true\n\tcontext = 0\n\trenames = copies\n"
        "\talgorithm = patience\n[color]\n\tui = always\n\tdiff = always\n[core]\n\tpager = false\n\tquotepath = true\n"
        "[status]\n\tshowUntrackedFiles = no\n\trelativePaths = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    (repository / "new.py").write_text("")
    state = read(repository)
    assert state.patch == plain
    assert state.untracked == (b"new.py",)


def test_secrets_are_cut_out_of_the_patch(repository: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    (repository / "train.py").write_text(f"url = 'x'\nuse('{token}')\n")
    state = read(repository)
    assert state.patch is not None
    assert token.encode() not in state.patch
    assert state.redactions == 1


def test_detached_head(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    state = read(repository)
    assert state.branch is None
    assert state.commit == git(repository, "rev-parse", "HEAD")


def test_before_the_first_commit(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "a.py").write_text("a\n")
    (folder / "b.py").write_text("b\n")
    git(folder, "add", "a.py")
    state = read(folder)
    assert (state.commit, state.branch, state.dirty, state.untracked) == (None, "trunk", True, (b"b.py",))
    assert b"+a" in (state.patch or b"")
    assert state.gaps == ()
    assert state.name == "new"


def test_names_that_are_not_utf8_or_hold_newlines(repository: Path) -> None:
    names = [b"caf\xe9.py", b"two\nlines.py", b'quo"te.py', "日本.py".encode()]
    for name in names:
        (repository / os.fsdecode(name)).write_text("x")
    git(repository, "add", os.fsdecode(names[0]))
    git(repository, "commit", "-q", "-m", "odd names")
    state = read(repository)
    assert names[0] in [each.path for each in state.tracked]
    assert set(state.untracked) == set(names[1:])
    assert {each[0] for each in paths(state, names[1:])} >= set(names)


def test_shallow_clone_and_linked_worktree(repository: Path, tmp_path: Path) -> None:
    (repository / "train.py").write_text("print('two')\n")
    git(repository, "commit", "-q", "-a", "-m", "second")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(shallow))
    assert read(shallow).shallow is True
    linked = tmp_path / "linked"
    git(repository, "worktree", "add", "-q", str(linked), "-b", "side")
    state = read(linked)
    assert (state.worktree, state.branch, state.toplevel) == (True, "side", linked.resolve())


def test_bare_repository(repository: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    state = read(bare)
    assert (state.bare, state.toplevel, state.branch) == (True, None, "main")
    assert state.commit == git(repository, "rev-parse", "HEAD")
    assert [gap.code for gap in state.gaps] == ["git.bare"]
    assert list(walk_source(state)) == []


def test_submodules_are_read_and_walked_into(repository: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "-q", "-b", "main")
    (library / "lib.py").write_text("one\n")
    git(library, "add", ".")
    git(library, "commit", "-q", "-m", "lib")
    git(repository, "submodule", "add", "-q", str(library), "vendor/lib")
    git(repository, "commit", "-q", "-m", "with a submodule")
    commit = git(library, "rev-parse", "HEAD")
    state = read(repository)
    assert state.dirty is False
    assert [(each.path, each.commit) for each in state.submodules] == [(b"vendor/lib", commit)]
    assert (b"vendor/lib/lib.py", "f") in paths(state)
    (repository / "vendor/lib/lib.py").write_text("two\n")
    state = read(repository)
    assert state.dirty is True
    assert f"Subproject commit {commit}-dirty".encode() in (state.patch or b"")
    inner = state.submodules[0].state
    assert inner is not None
    assert b"+two" in (inner.patch or b"")
    fresh = tmp_path / "fresh"
    git(tmp_path, "clone", "-q", str(repository), str(fresh))
    assert "git.submodule" in [gap.code for gap in read(fresh).gaps]


def test_hidden_changes_and_nested_repositories_are_gaps(repository: Path) -> None:
    git(repository, "update-index", "--assume-unchanged", "train.py")
    nested = repository / "nested"
    nested.mkdir()
    git(nested, "init", "-q")
    (nested / "x.py").write_text("")
    git(nested, "add", ".")
    git(nested, "commit", "-q", "-m", "x")
    state = read(repository)
    assert {gap.code for gap in state.gaps} == {"git.assume_unchanged", "git.nested"}
    assert state.untracked == ()


def test_without_the_git_program_there_is_a_gap(repository: Path) -> None:
    state = read_git(repository, env={"PATH": "/nonexistent"})
    assert state is not None
    assert (state.toplevel, state.commit, state.dirty) == (repository.resolve(), None, None)
    assert [gap.code for gap in state.gaps] == ["git.unreadable"]
    assert "not installed" in state.gaps[0].explanation


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_repository_of_another_user_is_a_gap(repository: Path) -> None:
    for place in (repository, repository / ".git"):
        os.chown(place, 65534, 65534)
    state = read(repository)
    assert [gap.code for gap in state.gaps] == ["git.refused"]
    assert state.commit is None


def test_a_damaged_repository_is_a_gap(repository: Path) -> None:
    (repository / ".git" / "index").write_bytes(b"nonsense")
    codes = {gap.code for gap in read(repository).gaps}
    assert codes == {"git.status", "git.patch", "git.files"}
    (repository / ".git" / "HEAD").write_bytes(b"nonsense")
    assert [gap.code for gap in read(repository).gaps] == ["git.unreadable"]


def test_the_source_tree_is_the_working_tree_in_order(repository: Path) -> None:
    (repository / "run.sh").write_text("#!/bin/sh\n")
    (repository / "run.sh").chmod(0o755)
    (repository / "link").symlink_to("train.py")
    git(repository, "add", ".")
    (repository / "train.py").write_text("edited")
    (repository / "data" / "rows.csv").unlink()
    (repository / "new.py").write_text("new")
    found = list(walk_source(read(repository), [b"new.py", b"./new.py", b"train.py"]))
    assert [(each.path, each.kind) for each in found if isinstance(each, SourceFile)] == [
        (b".gitignore", "f"),
        (b"link", "l"),
        (b"new.py", "f"),
        (b"run.sh", "x"),
        (b"train.py", "f"),
    ]
    assert not any(isinstance(each, Gap) for each in found)


def test_what_the_source_tree_leaves_out_is_a_gap(repository: Path) -> None:
    with open(repository / "huge.py", "wb") as file:
        file.truncate(LARGEST_UNTRACKED + 1)
    (repository / ".env").write_text("KEY=1")
    os.mkfifo(repository / "pipe.py")
    extra = [b"huge.py", b".env", b"pipe.py", b"gone.py", b"../escape.py", b"/etc/passwd"]
    gaps = [each for each in walk_source(read(repository), extra) if isinstance(each, Gap)]
    assert sorted(gap.code for gap in gaps) == [
        "source.outside",
        "source.outside",
        "source.secret",
        "source.special",
        "source.too_large",
        "source.vanished",
    ]


def test_a_folder_replaced_by_a_link_is_not_followed(repository: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "rows.csv").write_text("other")
    shutil.rmtree(repository / "data")
    (repository / "data").symlink_to(outside)
    assert b"data/rows.csv" not in dict(paths(read(repository)))


def test_sparse_files_are_gaps_not_deletions(repository: Path) -> None:
    git(repository, "sparse-checkout", "set", "--no-cone", "/train.py")
    found = list(walk_source(read(repository)))
    assert [each.path for each in found if isinstance(each, SourceFile)] == [b"train.py"]
    assert {each.code for each in found if isinstance(each, Gap)} == {"source.sparse"}


def test_source_outside_git_is_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    (tmp_path / "b.py").write_text("")
    read_files = [os.fsencode(tmp_path / "b.py"), os.fsencode(tmp_path / "a.py"), b"/usr/lib/x.py"]
    found = list(walk_files(tmp_path, read_files))
    assert [each.path for each in found if isinstance(each, SourceFile)] == [b"a.py", b"b.py"]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://github.com/acme/risk.git", "github.com/acme/risk"),
        ("https://github.com/acme/risk/", "github.com/acme/risk"),
        ("http://ada:pw@GitHub.com:8080/acme/risk", "github.com/acme/risk"),
        ("git@github.com:acme/risk.git", "github.com/acme/risk"),
        ("github.com:acme/risk", "github.com/acme/risk"),
        ("ssh://git@github.com:22/acme/risk.git", "github.com/acme/risk"),
        ("ssh://git@gitlab.acme.com:2222/group/sub/risk.git", "gitlab.acme.com/group/sub/risk"),
        ("codecommit::us-1://r", "git-codecommit.us-1.amazonaws.com/v1/repos/r"),
        ("https://git-codecommit.us-1.amazonaws.com/v1/repos/r", "git-codecommit.us-1.amazonaws.com/v1/repos/r"),
        ("ssh://[::1]:22/a/b.git", "[::1]/a/b"),
        ("/srv/git/risk.git", "risk"),
        ("file:///srv/git/risk.git/", "risk"),
        ("/home/ada/risk/.git", "risk"),
        ("../risk", "risk"),
        ("https://host/a%20b/c@d", "host/a%20b/c%40d"),
        ("", "code"),
    ],
)  # fmt: skip
def test_one_name_for_every_spelling_of_an_address(address: str, name: str) -> None:
    assert canonical_name(address) == name
