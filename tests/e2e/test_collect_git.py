"""Commits become versions: by their objects alone, with the digest that a run records in a clean checkout."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import make_place
from git_world import GIT, World, codes, git, make_world

from lineal.app.add import add
from lineal.capture.git import read_git
from lineal.capture.source_tree import SourceFile, walk_source
from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.errors import BadInput, DigestMismatch, SourceError, UnknownRef

pytestmark = GIT


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch) as made:
        yield made


def history(world: World, name: str = "risk") -> tuple[dict[str, object], bytes]:
    """Return the newest history on record and its lists of commits, one after another."""
    view = world.session.catalog.resolve(f"file:{name}/git-history")
    document = canonical.decode(world.session.objects.read(Digest.parse(str(view.digest))))
    assert isinstance(document, dict)
    lists = [world.session.objects.read(Digest.parse(each["list"])) for each in document["commits"]]
    return document, b"".join(lists)


def test_head_becomes_a_version_that_its_commit_names(world: World) -> None:
    folder = world.repository()
    commit = git(folder, "rev-parse", "HEAD")
    found = world.collect(folder / "src")
    assert codes(found) == []
    for text in (commit, commit[:10], f"code:risk@{commit}", f"code:risk@{commit[:8]}", "code:risk"):
        view = world.session.catalog.resolve(text)
        assert (view.kind, view.name, view.version) == ("code", "risk", commit)
    assert [(each.path, each.kind) for each in world.entries(view.digest)] == [
        (b"link", "l"),
        (b"run.sh", "x"),
        (b"src.md", "f"),
        (b"src/train.py", "f"),
    ]
    assert view.detail["tree"] == git(folder, "rev-parse", "HEAD^{tree}")
    assert view.detail["author"] == "Ada <ada@example.org>"
    assert (view.basis, view.time) == ("observed", "2025-10-09T08:53:21.000000Z")
    assert found.versions == ({"ref": view.ref, "commit": commit, "new": True},)


def test_the_digest_is_the_one_of_a_run_in_a_clean_checkout(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    (place.folder / "sub").mkdir()
    (place.folder / "sub" / "a b.py").write_text("print(1)\n")
    (place.folder / "sub.py").write_text("import sub\n")
    (place.folder / "empty.txt").write_text("")
    (place.folder / "x.sh").write_text("#!/bin/sh\n")
    (place.folder / "x.sh").chmod(0o755)
    (place.folder / "link").symlink_to("sub/a b.py")
    (place.folder / "caf\udce9.py").write_text("x")
    (place.folder / ".gitignore").write_text(".lineal/\n__pycache__/\n")
    commit = place.repository()
    assert place.run("cat", "sub/a b.py").status == 0
    run = place.lineal("show", commit, "--json").json()
    done = place.lineal("collect", "git", ".", "--json")
    assert done.status == 0, done.err
    assert done.json()["versions"][0]["ref"].endswith(run["node"]["digest"] if "node" in run else run["digest"])
    assert [each["commit"] for each in done.json()["versions"]] == [commit]


def test_refs_tags_and_commits_as_asked(world: World) -> None:
    folder = world.repository()
    git(folder, "tag", "-a", "-m", "signed off", "v2.0")
    git(folder, "tag", "-a", "-m", "a tag of a tag", "v2.1", "v2.0")
    git(folder, "branch", "side", "v1.0")
    first, second = git(folder, "rev-parse", "v1.0"), git(folder, "rev-parse", "HEAD")
    assert [each["commit"] for each in world.collect(folder, refs=("side", "v2.0")).versions] == [first, second]
    assert [each["commit"] for each in world.collect(folder, all_tags=True).versions] == [first, second]
    assert [each["commit"] for each in world.collect(folder, commits=(first[:9],)).versions] == [first]
    document, _ = history(world)
    refs = document["refs"]
    assert refs == {
        "refs/heads/main": second, "refs/heads/side": first, "refs/tags/v1.0": first, "refs/tags/v2.0": second,
        "refs/tags/v2.1": second,
    }  # fmt: skip


def test_looking_again_records_only_what_is_new(world: World) -> None:
    folder = world.repository()
    assert world.collect(folder).done.recorded == 2
    again = world.collect(folder)
    assert (again.done.recorded, again.versions[0]["new"]) == (0, False)
    (folder / "src" / "train.py").write_text("print('three')\n")
    third = world.commit(folder, "third", 2)
    assert world.collect(folder).done.recorded == 2
    document, lists = history(world)
    assert [each["count"] for each in document["commits"]] == [2, 1]  # type: ignore[index, attr-defined]
    assert f"\n{third} ".encode() in lists
    assert lists.count(b"\n") - 2 == 3
    assert b"ada" not in lists.lower()


def test_many_collections_merge_their_lists(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineal.app.code_history._MOST_SEGMENTS", 3)
    folder = world.repository()
    for number in range(6):
        world.commit(folder, f"commit {number}", 10 + number)
        world.collect(folder)
    document, lists = history(world)
    listed = document["commits"]
    assert isinstance(listed, list)
    assert len(listed) <= 3
    assert sum(each["count"] for each in listed) == 8
    wanted = git(folder, "rev-list", "--all").split()
    assert all(f"\n{each} ".encode() in lists for each in wanted)


def test_a_commit_that_is_listed_and_no_version_says_how_it_becomes_one(world: World) -> None:
    folder = world.repository()
    first = git(folder, "rev-parse", "v1.0")
    world.collect(folder)
    with pytest.raises(UnknownRef) as refused:
        world.session.catalog.resolve(first)
    assert "lineal collect git REPO --commit" in refused.value.hint
    world.collect(folder, commits=(first,))
    assert world.session.catalog.resolve(first).version == first


def test_commits_with_the_same_tree_are_one_version_with_many_names(world: World) -> None:
    folder = world.repository()
    second = git(folder, "rev-parse", "HEAD")
    empty = world.commit(folder, "nothing changed", 2)
    found = world.collect(folder, commits=(second, empty))
    assert len({each["ref"] for each in found.versions}) == 1
    refs = {
        world.session.catalog.resolve(text).ref for text in (second, empty, f"code:risk@{empty}", f"code:risk@{second}")
    }
    assert len(refs) == 1
    again = world.collect(folder, commits=(second, empty))
    assert [each["new"] for each in again.versions] == [False, False]


def test_a_commit_names_what_was_read_of_it_before_what_was_claimed(world: World) -> None:
    folder = world.repository()
    commit = git(folder, "rev-parse", "HEAD")
    (ref,) = [each["ref"] for each in world.collect(folder).versions]
    add(world.session, "code", "risk", commit, where=None, os_user="t")
    for text in (commit, commit[:12], f"code:risk@{commit}", f"code:risk@{commit[:12]}"):
        assert world.session.catalog.resolve(text).ref == ref


def test_a_linked_worktree_a_detached_head_and_a_bare_repository(world: World) -> None:
    folder = world.repository()
    first, second = git(folder, "rev-parse", "v1.0"), git(folder, "rev-parse", "HEAD")
    linked = world.root / "linked"
    git(folder, "worktree", "add", "-q", "--detach", str(linked), "v1.0")
    assert [each["commit"] for each in world.collect(linked).versions] == [first]
    assert [each["commit"] for each in world.collect(linked, refs=("HEAD",)).versions] == [first]
    bare = world.root / "risk.git"
    git(world.root, "clone", "-q", "--bare", str(folder), str(bare))
    found = world.collect(bare)
    assert [each["commit"] for each in found.versions] == [second]
    assert found.versions[0]["ref"].startswith("code:risk@")


def test_sha256_repositories(world: World) -> None:
    folder = world.repository(hash_name="sha256")
    commit = git(folder, "rev-parse", "HEAD")
    assert len(commit) == 64
    url = world.publish(folder)
    for place in (folder, url):
        found = world.collect(place, verify=True)
        assert found.versions[0]["commit"] == commit
        assert found.versions[0]["verification"]["holds"] is True, found


def test_an_empty_repository_is_a_gap(world: World) -> None:
    folder = world.root / "new"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    found = world.collect(folder)
    assert (codes(found), found.versions) == (["git.empty"], ())


def test_replacements_and_grafts_are_not_believed(world: World) -> None:
    folder = world.repository()
    first, second = git(folder, "rev-parse", "v1.0"), git(folder, "rev-parse", "HEAD")
    git(folder, "replace", second, first)
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "grafts").write_text(f"{second}\n")
    world.collect(folder)
    view = world.session.catalog.resolve(second)
    contents = {entry.path: world.session.objects.read(entry.digest) for entry in world.entries(view.digest)}
    assert contents[b"src/train.py"] == b"print('two')\n"
    assert view.detail["parents"] == [first]
    _, lists = history(world)
    assert f"\n{first} ".encode() in lists


def test_nothing_that_the_repository_says_is_run(world: World) -> None:
    folder = world.repository()
    trap = world.root / "trap"
    touch = f"touch {trap}"
    script = folder / ".git" / "hooks" / "post-checkout"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f"#!/bin/sh\n{touch}\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "gpg.program", "diff.external", "core.askPass",
                "core.alternateRefsCommand", "credential.helper", "filter.x.smudge", "filter.x.clean", "alias.log",
                "uploadpack.packObjectsHook", "core.editor"):  # fmt: skip
        git(folder, "config", key, f"!{touch}" if key.startswith(("alias", "credential")) else touch)
    (folder / ".gitattributes").write_text("* filter=x\n")
    (folder / ".git" / "info" / "attributes").write_text("* filter=x diff=x\n")
    git(folder, "-c", "filter.x.clean=cat", "-c", "core.fsmonitor=false", "add", ".gitattributes")
    git(folder, "-c", "filter.x.clean=cat", "-c", "core.fsmonitor=false", "commit", "-q", "-m", "filters")
    git(folder, "remote", "add", "origin", f"ext::sh -c '{touch}'")
    trap.unlink(missing_ok=True)
    world.collect(folder, verify=False)
    assert codes(world.collect(folder, verify=True)) == ["git.remote"]
    with pytest.raises(BadInput, match="no such folder"):
        world.collect(f"ext::sh -c '{touch}'")
    with pytest.raises(BadInput, match="no such folder"):
        world.collect(f"ext::ssh://example.org/{touch}")
    with pytest.raises(BadInput):
        world.collect(f"--upload-pack={touch}")
    assert not trap.exists()


def test_what_is_no_repository_or_no_commit(world: World) -> None:
    folder = world.repository()
    (world.root / "plain").mkdir()
    for place, wanted, said in (
        (world.root / "plain", {}, "not in a git repository"),
        (world.root / "nowhere", {}, "no such folder"),
        (folder, {"refs": ("nope",)}, "no branch, tag or commit"),
        (folder, {"commits": ("f" * 40,)}, "no branch, tag or commit|not recorded"),
        (folder, {"refs": ("--all",)}, "no branch, tag or commit"),
        (folder, {"refs": ("a b\n",)}, "no branch, tag or commit"),
        (folder, {"remote": "nope"}, "no remote called"),
    ):
        with pytest.raises(BadInput, match=said):
            world.collect(place, **wanted)  # type: ignore[arg-type]
    assert world.session.catalog.all_nodes() == []


def test_a_damaged_blob_makes_no_version(world: World) -> None:
    folder = world.repository()
    blob = git(folder, "rev-parse", "HEAD:src/train.py")
    other = git(folder, "rev-parse", "HEAD:run.sh")
    objects = folder / ".git" / "objects"
    place = objects / blob[:2] / blob[2:]
    place.chmod(0o644)
    shutil.copy(objects / other[:2] / other[2:], place)
    with pytest.raises((DigestMismatch, SourceError)):
        world.collect(folder)
    assert [view.kind for view in world.session.catalog.all_nodes()] in ([], ["run"])
    place.unlink()
    found = world.collect(folder)
    assert (codes(found), found.versions) == (["git.commit"], ())


def test_trees_that_no_checkout_may_write_are_refused(world: World) -> None:
    folder = world.repository()
    blob = git(folder, "rev-parse", "HEAD:run.sh")
    for name in (".git", "..", ".GIT"):
        raw = b"100644 %s\0%s" % (name.encode(), bytes.fromhex(blob))
        file = world.root / "raw"
        file.write_bytes(raw)
        tree = git(folder, "hash-object", "-t", "tree", "-w", "--literally", str(file))
        commit = git(folder, "commit-tree", tree, "-m", "hostile")
        found = world.collect(folder, commits=(commit,))
        assert (codes(found), found.versions) == (["git.commit"], ())


def test_a_tree_that_unfolds_without_end_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineal.sources.git_tree.MOST_ENTRIES", 20_000)
    folder = world.repository()
    kind, name = b"100644", bytes.fromhex(git(folder, "rev-parse", "HEAD:run.sh"))
    file = world.root / "raw"
    for _ in range(10):  # ten times ten files, ten times: a handful of objects, and more paths than any disk has
        file.write_bytes(b"".join(b"%s %d\0%s" % (kind, number, name) for number in range(10)))
        tree = git(folder, "hash-object", "-t", "tree", "-w", "--literally", str(file))
        kind, name = b"40000", bytes.fromhex(tree)
    found = world.collect(folder, commits=(git(folder, "commit-tree", tree, "-m", "bomb"),))
    assert (codes(found), found.versions) == (["git.commit"], ())
    assert "too many files" in found.done.gaps[0].explanation


def test_old_modes_and_empty_folders_are_kept_beside_the_manifest(world: World) -> None:
    folder = world.repository()
    blob = git(folder, "rev-parse", "HEAD:run.sh")
    empty = git(folder, "hash-object", "-t", "tree", "-w", "/dev/null")
    file = world.root / "raw"
    file.write_bytes(
        b"100664 a\0%s" % bytes.fromhex(blob)
        + b"40000 hollow\0%s" % bytes.fromhex(empty)
        + b"100644 z\0%s" % bytes.fromhex(blob)
    )
    tree = git(folder, "hash-object", "-t", "tree", "-w", "--literally", str(file))
    commit = git(folder, "commit-tree", tree, "-m", "old")
    found = world.collect(folder, commits=(commit,), verify=True)
    view = world.session.catalog.resolve(commit)
    assert (view.detail["modes"], view.detail["empty"]) == ({"a": "100664"}, ["hollow"])
    assert found.versions[0]["verification"]["tree"]["holds"] is True


def test_huge_files_are_streamed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.repository()
    data = os.urandom(1 << 20) * 20
    (folder / "model.bin").write_bytes(data)
    world.commit(folder, "large", 2)
    monkeypatch.setattr("lineal.sources.git_objects.Found.read", _refuse_large)
    found = world.collect(folder)
    view = world.session.catalog.resolve(found.versions[0]["ref"])
    assert {entry.path: entry.digest for entry in world.entries(view.digest)}[b"model.bin"] == Digest.of(data)


def _refuse_large(self: object) -> bytes:
    assert self.size <= 8 << 20  # type: ignore[attr-defined]
    return b"".join(self.pieces())  # type: ignore[attr-defined]


def test_a_shallow_clone_is_a_gap_and_its_head_a_version(world: World) -> None:
    folder = world.repository()
    shallow = world.root / "shallow"
    git(world.root, "clone", "-q", "--depth", "1", f"file://{folder}", str(shallow))
    found = world.collect(shallow)
    assert codes(found) == ["git.shallow"]
    assert found.versions[0]["commit"] == git(folder, "rev-parse", "HEAD")
    document, lists = history(world)
    assert document["shallow"] is True
    assert lists.count(b"\n") == 2


def test_a_partial_clone_without_the_files_is_a_gap(world: World) -> None:
    folder = world.repository()
    git(folder, "config", "uploadpack.allowFilter", "true")
    partial = world.root / "partial"
    git(world.root, "clone", "-q", "--bare", "--filter=blob:none", f"file://{folder}", str(partial))
    found = world.collect(partial)
    assert (codes(found), found.versions) == (["git.commit"], ())


def test_refs_that_moved_or_went_away_are_gaps(world: World) -> None:
    folder = world.repository()
    git(folder, "branch", "side")
    world.collect(folder)
    git(folder, "branch", "-D", "side")
    git(folder, "tag", "-f", "v1.0", "HEAD")
    git(folder, "reset", "-q", "--hard", "HEAD~1")
    (folder / "src" / "train.py").write_text("print('another two')\n")
    world.commit(folder, "rewritten", 5)
    found = world.collect(folder)
    said = {(gap.code, gap.about) for gap in found.done.gaps}
    assert said == {
        ("git.ref_gone", "refs/heads/side"),
        ("git.tag_moved", "refs/tags/v1.0"),
        ("git.rewritten", "refs/heads/main"),
    }


def test_names_of_people_stand_in_bodies_only(world: World) -> None:
    folder = world.repository()
    world.collect(folder)
    for digest in world.session.objects.digests():
        assert b"ada@example.org" not in world.session.objects.read(digest)


def test_a_secret_in_an_author_or_address_is_cut_out(world: World) -> None:
    token = "ghp_" + "a1B2" * 9
    folder = world.repository()
    git(folder, "remote", "add", "origin", f"https://ada:{token}@github.com/acme/risk.git")
    git(folder, "-c", f"user.name={token}", "commit", "-q", "--allow-empty", "-m", "x", env={"GIT_AUTHOR_NAME": token})
    found = world.collect(folder, verify=False)
    view = world.session.catalog.resolve(found.versions[0]["ref"])
    assert view.name == "github.com/acme/risk"
    assert token not in json.dumps(view.detail)
    assert view.detail["permalink"] == f"https://github.com/acme/risk/commit/{view.version}"
    assert world.session.catalog.resolve(view.detail["permalink"]).ref == view.ref


def test_submodules_beside_the_repository_are_part_of_the_tree(world: World) -> None:
    library = world.repository("library")
    folder = world.repository()
    git(folder, "submodule", "add", "-q", str(library), "src-lib")
    commit = world.commit(folder, "with a submodule", 3)
    inner = git(library, "rev-parse", "HEAD")
    bare = world.root / "bare.git"
    git(world.root, "clone", "-q", "--bare", str(folder), str(bare))
    assert codes(world.collect(bare, commits=(commit,))) == ["git.submodule"]
    found = world.collect(folder, verify=True)
    view = world.session.catalog.resolve(commit)
    names = [entry.path for entry in world.entries(view.digest)]
    assert b"src-lib/src/train.py" in names
    assert names == sorted(names)
    checkout = read_git(folder)
    assert checkout is not None
    assert names == [each.path for each in walk_source(checkout) if isinstance(each, SourceFile)]
    said = view.detail["submodules"]
    assert [(each["path"], each["commit"]) for each in said] == [("src-lib", inner)]
    assert said[0]["tree"] == git(library, "rev-parse", "HEAD^{tree}")
    assert found.versions[0]["verification"]["tree"]["holds"] is True
    again = world.collect(bare, commits=(commit,), submodules=True)
    assert (codes(again), again.versions[0]["new"]) == ([], False)


def test_a_submodule_elsewhere_is_fetched_only_if_asked(world: World) -> None:
    library = world.repository("library")
    folder = world.repository()
    url = world.publish(library)
    git(folder, "submodule", "add", "-q", str(library), "lib")
    git(folder, "config", "-f", ".gitmodules", "submodule.lib.url", url)
    commit = world.commit(folder, "with a submodule", 3)
    shutil.rmtree(folder / "lib")
    shutil.rmtree(folder / ".git" / "modules")
    git(folder, "remote", "add", "origin", "https://other.example/acme/risk.git")
    assert codes(world.collect(folder, commits=(commit,))) == ["git.submodule_elsewhere"]
    asked = len(world.host.requests)
    found = world.collect(folder, commits=(commit,), submodules=True)
    assert codes(found) == []
    assert len(world.host.requests) > asked
    view = world.session.catalog.resolve(found.versions[0]["ref"])
    assert b"lib/src/train.py" in [entry.path for entry in world.entries(view.digest)]


@pytest.mark.parametrize(
    "said", ["ext::sh -c 'touch {trap}'", "--upload-pack=touch {trap}", "file://{secret}", "{secret}"]
)
def test_submodules_that_name_a_program_or_a_folder(world: World, said: str) -> None:
    trap, secret = world.root / "trap", world.repository("secret")
    folder = world.repository()
    git(folder, "submodule", "add", "-q", str(secret), "lib")
    git(folder, "config", "-f", ".gitmodules", "submodule.lib.url", said.format(trap=trap, secret=secret))
    git(folder, "config", "-f", ".gitmodules", "submodule.lib.update", f"!touch {trap}")
    commit = world.commit(folder, "with a submodule", 3)
    bare = world.root / "bare.git"
    git(world.root, "clone", "-q", "--bare", str(folder), str(bare))
    assert codes(world.collect(bare, commits=(commit,))) in (["git.submodule"], ["git.submodule_elsewhere"])
    asked = world.collect(bare, commits=(commit,), submodules=True)
    assert codes(asked) == ([] if "{secret}" in said else ["git.submodule"])
    assert not trap.exists()


def test_codecommit_takes_its_region_from_the_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.repository()
    git(folder, "remote", "add", "origin", "codecommit://profile@risk")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    checkout = read_git(folder)
    found = world.collect(folder)
    view = world.session.catalog.resolve(found.versions[0]["ref"])
    assert view.name == "git-codecommit.eu-west-1.amazonaws.com/v1/repos/risk"
    assert checkout is not None
    assert checkout.name == view.name
    assert view.detail["permalink"].startswith("https://eu-west-1.console.aws.amazon.com/codesuite/codecommit/")


def test_a_relative_submodule_comes_from_the_parents_host(world: World) -> None:
    library = world.repository("library")
    folder = world.repository()
    world.publish(library)
    git(folder, "submodule", "add", "-q", str(library), "lib")
    git(folder, "config", "-f", ".gitmodules", "submodule.lib.url", "../library.git")
    world.commit(folder, "with a submodule", 3)
    url = world.publish(folder)
    found = world.collect(url)
    assert codes(found) == []
    view = world.session.catalog.resolve(found.versions[0]["ref"])
    assert b"lib/src/train.py" in [entry.path for entry in world.entries(view.digest)]


def test_lfs_pointers_and_their_content(world: World) -> None:
    folder = world.repository()
    data = b"a large model\n" * 1000
    oid = Digest.of(data).hex
    for name, content in (("model.bin", data), ("copy.bin", data), ("lost.bin", b"nobody has this")):
        said = Digest.of(content).hex
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{said}\nsize {len(content)}\n"
        (folder / name).write_text(pointer)
    place = folder / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4]
    place.mkdir(parents=True)
    (place / oid).write_bytes(data)
    world.commit(folder, "large files", 3)
    found = world.collect(folder, verify=True)
    assert codes(found) == ["git.lfs", "git.no_remote"]
    view = world.session.catalog.resolve(found.versions[0]["ref"])
    lfs = {each["path"]: (each["oid"], each["size"], each["stored"]) for each in view.detail["lfs"]}
    assert lfs["model.bin"] == (oid, len(data), True)
    assert lfs["copy.bin"] == lfs["model.bin"]
    assert lfs["lost.bin"][2] is False
    assert world.session.objects.read(Digest.parse(view.detail["objects"]["lfs model.bin"])) == data
    assert found.versions[0]["verification"]["tree"]["holds"] is True
    (place / oid).write_bytes(data[:-1] + b"!")
    world.commit(folder, "again", 4)
    (folder / "more").write_text("")
    world.commit(folder, "another tree", 5)
    with pytest.raises(DigestMismatch):
        world.collect(folder)
