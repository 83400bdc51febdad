"""Collecting from repositories made by hand: odd ones, damaged ones, hostile ones. DVC itself is not needed for it."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lineal.app.collect import Collected
from lineal.app.collect_dvc import Options, collect_dvc
from lineal.app.restore import restore
from lineal.app.session import Session
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Node, Observation
from lineal.errors import BadInput, DigestMismatch, IntegrityError, ObjectMissing, SourceError
from lineal.sources.dvc_git import Selection
from lineal.wiring import Settings, create, open_session

EVERY = Selection(commits=True)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@dataclass
class Repository:
    """A git repository with a cache that is filled by hand, in the layout of DVC 3."""

    folder: Path
    now: int = field(default=1_700_000_000)

    def git(self, *arguments: str | bytes, when: str | None = None) -> str:
        moment = when or f"{self.now} +0000"
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": moment,
            "GIT_COMMITTER_DATE": moment,
        }
        who = ("-c", "user.name=T", "-c", "user.email=t@example.org")
        done = subprocess.run(["git", *who, *arguments], cwd=self.folder, env=env, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def write(self, name: str | bytes, data: bytes | str) -> None:
        path = os.path.join(os.fsencode(self.folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_bytes(data.encode() if isinstance(data, str) else data)

    def commit(self, when: str | None = None) -> str:
        self.git("add", "-A", "-f", ".", ":!.dvc/cache")
        self.git("commit", "-q", "--allow-empty", "-m", "m", when=when)
        self.now += 60
        return self.git("rev-parse", "HEAD")

    def keep(self, data: bytes, name: str | None = None) -> str:
        """Put `data` into the cache, under its own hash or under `name`; return the hash."""
        oid = name or md5(data)
        self.write(f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}", data)
        return oid

    def folder_of(self, files: dict[str, bytes]) -> str:
        listed = [{"md5": self.keep(data), "relpath": name} for name, data in sorted(files.items())]
        data = json.dumps(listed, sort_keys=True).encode()
        return self.keep(data, f"{md5(data)}.dir")


@pytest.fixture
def made(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "risk")
    repository.folder.mkdir()
    repository.git("init", "-q", "-b", "main")
    repository.write(".dvc/config", "")
    return repository


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    (tmp_path / "ledger").mkdir()
    create(Settings(), tmp_path / "ledger", "lineal.test/log")
    with open_session(Settings(ledger=str(tmp_path / "ledger"), actor="tester")) as opened:
        yield opened


def gather(session: Session, made: Repository, selection: Selection = EVERY, **options: bool) -> Collected:
    return collect_dvc(session, made.folder, selection, Options(**options))


def codes(done: Collected) -> set[tuple[str, str | None]]:
    return {(gap.code, gap.about) for gap in done.gaps}


def tracked(path: str, oid: str, size: int | None = None, more: str = "") -> str:
    length = "" if size is None else f", size: {size}"
    return f"outs: [{{hash: md5, md5: {oid}{length}, path: {path}{more}}}]\n"


def names(session: Session, kind: str = "dataset") -> set[str]:
    return {f"{view.name}@{view.version}" for view in session.catalog.all_nodes(kind)}


def test_no_repository_no_revision_no_dvc(session: Session, made: Repository, tmp_path: Path) -> None:
    for selection in (Selection(revs=("nowhere",)), Selection(revs=("-x",)), Selection()):
        with pytest.raises(BadInput, match=r"commit|revision"):
            gather(session, made, selection)
    (tmp_path / "plain").mkdir()
    for folder in (tmp_path / "plain", tmp_path / "absent"):
        with pytest.raises(BadInput, match=r"git repository|no folder"):
            collect_dvc(session, folder, EVERY)
    made.commit()
    assert gather(session, made).seen == 0


def test_the_same_content_at_many_commits_is_one_version(session: Session, made: Repository) -> None:
    one, two = made.keep(b"1"), made.keep(b"22")
    for oid, size, note in ((one, 1, ""), (two, 2, ""), (one, 1, ", desc: again"), (two, 2, ", desc: again")):
        made.write("a.dvc", tracked("a", oid, size, note))
        made.commit()
    gather(session, made)
    assert names(session) == {"risk/a@1", "risk/a@2"}


def test_hostile_paths_name_nothing_outside(session: Session, made: Repository, tmp_path: Path) -> None:
    oid = made.keep(b"x")
    made.write("up.dvc", tracked("../../etc/passwd", oid, 1))
    made.write("abs.dvc", tracked("/etc/passwd", oid, 1))
    made.write("wdir.dvc", tracked("x", oid, 1) + "wdir: ../..\n")
    for name, relpath in (("a", "../../evil"), ("b", "/evil"), ("c", ".git/hooks/post-checkout")):
        data = json.dumps([{"md5": oid, "relpath": relpath}]).encode()
        made.write(f"{name}.dvc", tracked(name, made.keep(data, f"{md5(data)}.dir")))
    made.commit()
    done = gather(session, made)
    assert names(session) == {"risk/c@1"}
    assert {code for code, _ in codes(done)} == {"dvc.outside", "dvc.bad_list"}
    with pytest.raises(Exception, match="belongs to a tool"):
        restore(session, "dataset:risk/c", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damaged_lists_make_no_version(session: Session, made: Repository) -> None:
    good = json.dumps([{"md5": made.keep(b"x"), "relpath": "f"}]).encode()
    oid = f"{md5(good)}.dir"
    cases = {
        "absent": f"{'a' * 32}.dir",
        "truncated": made.keep(good[:-4], oid),
        "text": made.keep(b"no list", f"{md5(b'no list')}.dir"),
    }
    lost = json.dumps([{"md5": "c" * 32, "relpath": "f"}]).encode()
    cases["lost"] = made.keep(lost, f"{md5(lost)}.dir")
    twice = json.dumps([{"md5": md5(b"x"), "relpath": "f"}, {"md5": md5(b"x"), "relpath": "f/g"}]).encode()
    cases["nested"] = made.keep(twice, f"{md5(twice)}.dir")
    for name, each in cases.items():
        made.write(f"{name}.dvc", tracked(name, each))
    made.commit()
    done = gather(session, made)
    assert names(session) == set()
    assert codes(done) == {
        ("dvc.no_list", "dataset:risk/absent"),
        ("dvc.bad_list", "dataset:risk/truncated"),
        ("dvc.bad_list", "dataset:risk/text"),
        ("dvc.no_size", "dataset:risk/lost"),
        ("dvc.bad_list", "dataset:risk/nested"),
    }


def test_what_does_not_add_up_is_no_version(session: Session, made: Repository) -> None:
    oid = made.folder_of({"f": b"xx"})
    made.write("size.dvc", tracked("size", oid, 3))
    made.write("count.dvc", tracked("count", oid, 2, ", nfiles: 2"))
    made.write("right.dvc", tracked("right", oid, 2, ", nfiles: 1"))
    made.write("none.dvc", tracked("none", "d" * 32))
    made.commit()
    done = gather(session, made)
    assert names(session) == {"risk/right@1"}
    assert codes(done) == {
        ("dvc.sizes_differ", "dataset:risk/size"),
        ("dvc.sizes_differ", "dataset:risk/count"),
        ("dvc.no_size", "dataset:risk/none"),
    }


def test_a_bad_file_is_a_gap_and_the_others_are_read(session: Session, made: Repository) -> None:
    made.write("bad.dvc", "outs: [\xff")
    made.write(b"\xff odd.dvc", tracked("odd", made.keep(b"1"), 1))
    made.write("dvc.lock", "s: {cmd: c, outs: 1}")
    made.write("dvc.yaml", "stages: 3")
    made.write("sub/dvc.yaml", "stages: {s: {cmd: c, wdir: '${where}'}}")
    made.write("sub/dvc.lock", "s: {cmd: c}")
    made.commit()
    done = gather(session, made)
    assert names(session) == {"risk/odd@1"}
    assert codes(done) == {("dvc.bad_file", name) for name in ("bad.dvc", "dvc.lock", "dvc.yaml", "sub/dvc.lock")}


def test_stages_of_the_first_dvc_and_of_projects_in_folders(session: Session, made: Repository) -> None:
    made.write("sub/.dvc/config", "[cache]\ndir = ../../../elsewhere\n")
    oid = made.keep(b"m")
    made.write("old.dvc", f"cmd: make m\nouts: [{{md5: {oid}, size: 1, path: m, metric: true, cache: false}}]\n")
    made.write("m", "m")
    made.write("sub/dvc.lock", f"s: {{cmd: c, outs: [{{md5: {'e' * 32}.dir, path: o}}]}}")
    made.commit()
    done = gather(session, made)
    runs = {view.detail["name"]: view for view in session.catalog.all_nodes("run") if view.detail.get("tool") == "dvc"}
    assert runs.keys() == {"old.dvc", "s"}
    assert runs["old.dvc"].detail["argv"] == ["sh", "-ec", "make m"]
    assert codes(done) == {("dvc.metrics", "m"), ("dvc.no_list", "dataset:risk/sub/o")}
    collection = next(view for view in session.catalog.all_nodes("run") if view.detail.get("source") == "dvc")
    assert collection.detail["covered"]["projects"]["sub"]["cache"].endswith("/elsewhere")


def test_code_that_git_does_not_have_is_a_gap_and_no_code(session: Session, made: Repository) -> None:
    lock = "s: {{cmd: c, deps: [{{path: t.py, md5: {md5}}}], outs: [{{path: o, md5: {out}, size: 1}}]}}"
    made.write("t.py", "1")
    made.write("dvc.lock", lock.format(md5=md5(b"1"), out="a" * 32))
    first = made.commit()
    made.write("t.py", "3")
    made.write("dvc.lock", lock.format(md5=md5(b"2"), out="b" * 32))
    second = made.commit()
    gather(session, made)
    runs = {view.detail["commit"]: view for view in session.catalog.all_nodes("run") if "commit" in view.detail}
    used = {
        commit: [edge for edge in session.catalog.edges_of(view.id) if edge[2] == "used"]
        for commit, view in runs.items()
    }
    assert len(used[first]) == 1
    assert used[second] == []
    assert [each["in_commit"] for each in runs[second].detail["inputs"]] == [False]
    assert {gap["code"] for gap in session.catalog.gaps([runs[second].idx or 0])} == {"dvc.code_differs"}


def test_recorded_code_is_used_again(session: Session, made: Repository) -> None:
    made.write("dvc.lock", f"s: {{cmd: c, outs: [{{path: o, md5: {'a' * 32}, size: 1}}]}}")
    commit = made.commit()
    digest = Digest.of(b"tree")
    node = Node(ref=f"code:risk@{digest}", basis="observed", version=commit, digest=digest, aliases=(commit,))
    session.say(Observation(type="test.said/1", time=session.clock(), actor="t", basis="observed", nodes=(node,)))
    gather(session, made)
    run = next(view for view in session.catalog.all_nodes("run") if view.detail.get("tool") == "dvc")
    (edge,) = [edge for edge in session.catalog.edges_of(run.id) if edge[2] == "used"]
    assert session.catalog.views([edge[0]])[edge[0]].canonical == node.ref
    assert gather(session, made).recorded == 0


SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"


def test_no_secret_reaches_the_ledger(session: Session, made: Repository, tmp_path: Path) -> None:
    made.write(
        ".dvc/config",
        f"[core]\nremote = s\n['remote \"s\"']\nurl = s3://user:{SECRET}@bucket/p\nsecret_access_key = {SECRET}\n",
    )
    made.git("remote", "add", "origin", f"https://bot:{SECRET}@git.example.org/team/risk.git")
    made.write(
        "dvc.lock",
        f"s: {{cmd: train --token {SECRET}, params: {{p.yaml: {{db.password: {SECRET}, lr: 1}}}},"
        f" deps: [{{path: 'https://u:{SECRET}@example.org/x', etag: e}}],"
        f" outs: [{{path: o, md5: {'a' * 32}, size: 1}}]}}",
    )
    made.write(
        "i.dvc",
        f"deps: [{{path: d, repo: {{url: 'https://u:{SECRET}@example.org/r', rev_lock: {'b' * 40}}}}}]\n"
        + tracked("i", "c" * 32, 1, f", meta: {{api_key: {SECRET}}}"),
    )
    made.commit()
    gather(session, made, use_remote=False)
    assert names(session) >= {"git.example.org/team/risk/o@1", "git.example.org/team/risk/i@1"}
    session.close()
    written = [file for file in (tmp_path / "ledger").rglob("*") if file.is_file()]
    assert written
    assert [file for file in written if SECRET.encode() in file.read_bytes()] == []


def test_a_damaged_cache_is_told_and_nothing_is_written(session: Session, made: Repository, tmp_path: Path) -> None:
    made.write("a.dvc", tracked("a", made.keep(b"right"), 5))
    made.commit()
    gather(session, made)
    made.keep(b"wrong", md5(b"right"))
    with pytest.raises(DigestMismatch):
        restore(session, "dataset:risk/a", tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == []
    assert {gap.code for gap in gather(session, made, hash_bytes=True).gaps} == {"dvc.not_hashed"}
    (made.folder / f".dvc/cache/files/md5/{md5(b'right')[:2]}/{md5(b'right')[2:]}").unlink()
    with pytest.raises(ObjectMissing) as raised:
        restore(session, "dataset:risk/a", tmp_path / "out")
    assert "dvc pull" in raised.value.hint


def test_bytes_are_joined_with_the_files_that_runs_read_and_left(session: Session, made: Repository) -> None:
    read, left = Digest.of(b"read"), Digest.of(b"left")
    nodes = [
        Node(ref=f"file:read@{read}", basis="verified", digest=read),
        Node(ref=f"file:left@{left}", basis="verified", digest=left),
        Node(ref="run:r", basis="observed"),
    ]
    edges = (Edge(nodes[0].ref, "run:r", "used"), Edge("run:r", nodes[1].ref, "generated"))
    said = {"type": "test.said/1", "time": session.clock(), "actor": "t", "basis": "observed"}
    session.say(Observation(**said, nodes=tuple(nodes), edges=edges))
    made.write("one.dvc", tracked("one", made.keep(b"read"), 4))
    made.write("many.dvc", tracked("many", made.folder_of({"a": b"left", "b": b"other"}), 9))
    made.commit()
    gather(session, made, hash_bytes=True)
    views = session.catalog.find([nodes[0].ref, nodes[1].ref])
    names = {view.id: view.name for kind in ("file", "dataset", "run") for view in session.catalog.all_nodes(kind)}
    found = {
        (names[source], names[target], kind)
        for view in views.values()
        for source, target, kind in session.catalog.edges_of(view.id)
    }
    assert found >= {("risk/one", "read", "same_as"), ("left", "risk/many", "derived_from")}
    assert gather(session, made, hash_bytes=True).recorded == 0


def test_an_empty_folder_is_the_same_by_hash_and_by_content(session: Session, made: Repository) -> None:
    made.write("none.dvc", tracked("none", made.folder_of({}), 0))
    made.commit()
    assert gather(session, made, hash_bytes=True).gaps == ()
    assert names(session) == {"risk/none@1"}


def test_what_breaks_a_rule_of_the_record_is_a_gap_and_the_rest_goes_on(session: Session, made: Repository) -> None:
    made.write("a.dvc", tracked("a", made.keep(b"1"), 1))
    outs = ", ".join(f"{{path: 'https://h/{'x' * 3000}{n}', md5: {'a' * 32}, size: 1}}" for n in range(2600))
    made.write("dvc.lock", f"s: {{cmd: c, outs: [{outs}]}}")
    made.commit()
    assert "dvc.not_recorded" in {code for code, _ in codes(gather(session, made))}
    assert "risk/a@1" in names(session)


def test_a_remote_that_is_not_read_is_named(session: Session, made: Repository, tmp_path: Path) -> None:
    made.write(".dvc/config", "[core]\nremote = s\n['remote \"s\"']\nurl = ssh://host/p\n")
    made.write("a.dvc", tracked("a", "a" * 32, 5))
    made.write("d.dvc", tracked("d", f"{'a' * 32}.dir", 5))
    made.commit()
    assert {gap.code for gap in gather(session, made).gaps} == {"dvc.remote", "dvc.no_list"}
    with pytest.raises(SourceError, match="ssh") as raised:
        restore(session, "dataset:risk/a", tmp_path / "out")
    assert "dvc pull" in raised.value.hint


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_remote_behind_a_web_server(session: Session, made: Repository, tmp_path: Path) -> None:
    oid = made.folder_of({"f": b"1" * 3_000_000, "g/h": b"2"})
    store = tmp_path / "store"
    (made.folder / ".dvc" / "cache").rename(store)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(store))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.write(
            ".dvc/config", f"[core]\nremote = web\n['remote \"web\"']\nurl = http://127.0.0.1:{server.server_port}/\n"
        )
        made.write("d.dvc", tracked("d", oid, 3_000_001))
        made.write("lost.dvc", tracked("lost", f"{'9' * 32}.dir"))
        made.commit()
        assert codes(gather(session, made)) == {("dvc.no_list", "dataset:risk/lost")}
        restore(session, "dataset:risk/d", tmp_path / "out")
        server.shutdown()
    assert (tmp_path / "out" / "f").read_bytes() == b"1" * 3_000_000
    assert (tmp_path / "out" / "g" / "h").read_bytes() == b"2"
    gone = collect_dvc(session, made.folder, EVERY)
    assert {gap.code for gap in gone.gaps} == {"dvc.remote", "dvc.no_list"}


def test_the_configuration_that_git_does_not_have_counts_when_asked(
    session: Session, made: Repository, tmp_path: Path
) -> None:
    oid = made.folder_of({"f": b"1"})
    (made.folder / ".dvc" / "cache").rename(tmp_path / "shared")
    made.write(".gitignore", ".dvc/config.local\n")
    made.write("d.dvc", tracked("d", oid, 1))
    made.commit()
    made.write(".dvc/config.local", f"[cache]\ndir = {tmp_path / 'shared'}\n")
    assert {gap.code for gap in gather(session, made).gaps} == {"dvc.no_list"}
    assert gather(session, made, user_config=True).gaps == ()
    restore(session, "dataset:risk/d", tmp_path / "out")
    assert (tmp_path / "out" / "f").read_bytes() == b"1"


def test_executables_stay_executable(session: Session, made: Repository, tmp_path: Path) -> None:
    made.write("run.dvc", tracked("run", made.keep(b"#!"), 2, ", isexec: true"))
    made.commit()
    gather(session, made)
    restore(session, "dataset:risk/run", tmp_path / "out")
    assert os.access(tmp_path / "out" / "run", os.X_OK)


def test_odd_commits_and_clones(session: Session, made: Repository, tmp_path: Path) -> None:
    made.write("a.dvc", tracked("a", made.keep(b"1"), 1))
    made.commit(when="@99999999999999 +0000")
    made.git("checkout", "-q", "-b", "side")
    made.write("b.dvc", tracked("b", made.keep(b"2"), 1))
    made.commit()
    made.git("checkout", "-q", "main")
    made.write("c.dvc", tracked("c", made.keep(b"3"), 1))
    made.commit()
    made.git("merge", "-q", "--no-edit", "side")
    made.git("stash")
    for name, more in (("bare", ["--bare"]), ("shallow", ["--depth", "1"])):
        made.git("clone", "-q", *more, f"file://{made.folder}", str(tmp_path / name))
        done = collect_dvc(session, tmp_path / name, EVERY)
        assert {view.name for view in session.catalog.all_nodes("dataset")} == {f"risk/{each}" for each in "abc"}
        assert ("dvc.shallow" in {gap.code for gap in done.gaps}) == (name == "shallow")


def test_objects_of_git_that_were_tampered_with_are_refused(session: Session, made: Repository) -> None:
    import zlib

    made.write("a.dvc", tracked("a", made.keep(b"1"), 1))
    made.commit()
    blob = made.git("rev-parse", "HEAD:a.dvc")
    other = tracked("a", made.keep(b"2"), 1).encode()
    file = made.folder / ".git" / "objects" / blob[:2] / blob[2:]
    file.chmod(0o644)
    file.write_bytes(zlib.compress(b"blob %d\0" % len(other) + other))
    with pytest.raises(IntegrityError):
        gather(session, made)
    assert names(session) == set()


def test_what_is_not_committed_is_a_gap(session: Session, made: Repository) -> None:
    made.write("a.dvc", tracked("a", made.keep(b"1"), 1))
    made.write("dvc.lock", "s: {cmd: c}")
    made.commit()
    assert codes(gather(session, made, Selection())) == set()
    made.write("a.dvc", tracked("a", made.keep(b"2"), 1))
    made.write("sub/b.dvc", tracked("b", made.keep(b"2"), 1))
    (made.folder / "dvc.lock").unlink()
    assert codes(gather(session, made, Selection())) == {("dvc.uncommitted", "risk")}
    assert names(session) == {"risk/a@1"}
    assert codes(gather(session, made, Selection(revs=("HEAD",)))) == set()


def test_an_experiment_is_read_by_its_name_alone(session: Session, made: Repository) -> None:
    made.write("a.dvc", tracked("a", made.keep(b"1"), 1))
    base = made.commit()
    made.write("a.dvc", tracked("a", made.keep(b"2"), 1))
    tip = made.commit()
    made.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/try1", tip)
    made.git("reset", "-q", "--hard", base)
    gather(session, made)
    assert names(session) == {"risk/a@1"}
    gather(session, made, Selection(revs=("try1",)))
    assert names(session) == {"risk/a@1", "risk/a@2"}


def test_the_command_line_says_it_as_json(made: Repository, tmp_path: Path) -> None:
    made.write("a.dvc", tracked("a", made.keep(b"1"), 1))
    made.write("b.dvc", "outs: [")
    made.commit()
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LINEAL_ACTOR": "tester"}

    def lineal(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-P", "-m", "lineal", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    assert lineal("init", "-q").returncode == 0
    done = lineal("collect", "dvc", "risk", "--all-commits", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["recorded"], [gap["code"] for gap in document["gaps"]]) == (1, ["dvc.bad_file"])
    refused = lineal("collect", "dvc", "risk", "--rev", "nowhere")
    assert refused.returncode == 2
    assert "'nowhere' is no branch, tag or commit" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("option", "place"),
    [("configpath", "../aws.ini"), ("credentialpath", "{here}/aws.ini"), ("configpath", "{here}/../link/aws.ini")],
)
def test_a_repository_names_no_program_to_run_for_credentials(
    session: Session, made: Repository, tmp_path: Path, option: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.folder.parent.joinpath("link").symlink_to(made.folder)
    program = f'/bin/sh -c "touch {tmp_path}/ran"'
    for folder in (".dvc/aws.ini", "aws.ini"):
        made.write(folder, f"[profile evil]\ncredential_process = {program}\n[evil]\ncredential_process = {program}\n")
    file = place.format(here=made.folder)
    lines = ["[core]", "remote = r", "['remote \"r\"']", "url = s3://bucket/x", "endpointurl = http://127.0.0.1:1"]
    made.write(".dvc/config", "\n".join([*lines, "profile = evil", f"{option} = {file}", ""]))
    made.write("d.dvc", tracked("d", "1" * 32 + ".dir"))
    made.commit()
    monkeypatch.chdir(made.folder)
    found = {code for code, _ in codes(gather(session, made))}
    assert not (tmp_path / "ran").exists()
    assert found == {"dvc.no_list", "dvc.remote"}
