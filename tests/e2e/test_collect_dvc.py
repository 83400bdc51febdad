"""Repositories that the real DVC made, 2.58 and 3: read without it, and compared with what it says itself."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lineal.app.collect import Collected
from lineal.app.collect_dvc import Options, collect_dvc
from lineal.app.restore import restore
from lineal.app.session import Session
from lineal.app.snapshot import snapshot
from lineal.catalog.reader import NodeView
from lineal.core.digest import Digest
from lineal.core.path import unspell
from lineal.datasets import manifest
from lineal.sources.dvc_cache import CHUNK, Hasher
from lineal.sources.dvc_git import Selection
from lineal.sources.dvc_items import Oid
from lineal.wiring import Settings, create, open_session
from servers.dvc_program import Project, dvc_program, make_project
from servers.seaweed import S3Server

EVERY = Selection(commits=True)
PIPELINE = """
stages:
  split:
    foreach: [north, south]
    do:
      cmd: mkdir -p parts/${item} && cp one.csv parts/${item}/f.csv
      deps: [one.csv]
      outs: ["parts/${item}"]
  train:
    wdir: work
    cmd: python train.py
    desc: fits the model
    deps: [train.py, ../data/crlf.csv]
    params: [../params.yaml: [train.lr, train.layers]]
    outs: [{model.pkl: {desc: the weights}}]
    metrics: [{scores.json: {cache: false}}, more.json]
artifacts:
  risk: {path: work/model.pkl, type: model, labels: [scorer]}
"""
TRAIN = """
import json
lr = open("../params.yaml").read()
open("model.pkl", "w").write(lr + open("../data/crlf.csv").read())
json.dump({"auc": 0.75, "by": {"n": 3}}, open("scores.json", "w"))
json.dump({"loss": 1e-3}, open("more.json", "w"))
"""


@dataclass
class Made:
    """What was made once for all tests: a project of DVC 2, continued with 3, and one of DVC 3 that uses S3."""

    old: Project
    new: Project
    server: S3Server


def fill(project: Project) -> None:
    project.write("data/crlf.csv", b"a,b\r\n1,2\r\n" * 40)
    project.write("data/deep/x y.bin", bytes(range(256)) * 8)
    project.write("one.csv", "1\n")
    project.write("params.yaml", "train: {lr: 0.10, layers: [3, 4]}\n")
    project.write("work/train.py", TRAIN)
    project.write("dvc.yaml", PIPELINE)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Made:
    root = tmp_path_factory.mktemp("dvc")
    old = make_project(root, "old", 2)
    old.write(".dvc/config", f"[core]\n    remote = here\n['remote \"here\"']\n    url = {root / 'store'}\n")
    fill(old)
    old.dvc("add", "-q", "data", "one.csv")
    old.dvc("repro", "-q")
    old.commit("first")
    old.git("tag", "v1")
    old.write("readme", "nothing of DVC changes")
    old.commit("aside")
    old.write("data/crlf.csv", b"a,b\r\n1,3\r\n")
    old.write("params.yaml", "train: {lr: 0.20, layers: [3, 4]}\n")
    old.dvc("repro", "-q")
    old.dvc("add", "-q", "data")
    old.commit("second")
    old.write("late.csv", b"x\r\n")
    old.dvc("add", "-q", "late.csv", version=3)
    old.commit("continued with DVC 3")
    old.dvc("push", "-q", "--all-commits", version=3)
    return Made(old, make_new(root, old, s3_server), s3_server)


def make_new(root: Path, old: Project, server: S3Server) -> Project:
    variables = {name: value for name, value in server.variables.items() if name != "AWS_ENDPOINT_URL"}
    client = server.client()
    client.create_bucket(Bucket="dvc-store")
    client.create_bucket(Bucket="dvc-versions")
    client.put_bucket_versioning(Bucket="dvc-versions", VersioningConfiguration={"Status": "Enabled"})
    for name in ("a", "b"):
        client.put_object(Bucket="dvc-versions", Key=f"raw/{name}.csv", Body=name.encode() * 5)
    new = make_project(root, "new", 3, variables)
    end = f"    endpointurl = {server.endpoint}\n"
    new.write(
        ".dvc/config",
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = s3://dvc-store/cache\n{end}"
        f"['remote \"aware\"']\n    url = s3://dvc-versions/tree\n    version_aware = true\n{end}"
        f"['remote \"raw\"']\n    url = s3://dvc-versions/raw\n{end}",
    )
    fill(new)
    new.dvc("add", "-q", "data", "one.csv")
    new.dvc("repro", "-q")
    new.dvc("import", "-q", "--rev", "main", str(old.folder), "late.csv", "-o", "theirs.csv")
    new.dvc("import-url", "-q", "--version-aware", "remote://raw", "raw")
    new.dvc("import-url", "-q", "--no-download", "remote://raw/a.csv", "later.csv")
    new.dvc("push", "-q")
    new.commit("first")
    new.dvc("push", "-q", "-r", "aware", "data.dvc")
    new.commit("pushed under their own names")
    client.put_object(Bucket="dvc-versions", Key="tree/data/crlf.csv", Body=b"written over")
    return new


@pytest.fixture
def session(tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    for name, value in made.new.variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "ledger").mkdir()
    monkeypatch.chdir(tmp_path / "ledger")
    create(Settings(), tmp_path / "ledger", "lineal.test/log")
    with open_session(Settings(ledger=str(tmp_path / "ledger"), actor="tester")) as opened:
        yield opened


def gather(session: Session, project: Project, selection: Selection = EVERY, **options: bool) -> Collected:
    return collect_dvc(session, project.folder, selection, Options(**options))


def files_of(session: Session, view: NodeView) -> dict[str, int]:
    assert view.digest is not None
    found = manifest.load(Digest.parse(view.digest), session.objects)
    return {entry.path.decode(): entry.size for entry in manifest.entries(found, session.objects)}


def on_disk(folder: Path) -> dict[str, bytes]:
    files = (Path(path, name) for path, _, names in os.walk(folder) for name in names)
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.name != ".gitignore"}


def linked(session: Session, text: str, kind: str) -> set[str]:
    """Return what has an edge of this type to what `text` names."""
    view = session.catalog.resolve(text)
    edges = [edge for edge in session.catalog.edges_of(view.id) if edge[1] == view.id and edge[2] == kind]
    views = session.catalog.views(edge[0] for edge in edges)
    return {f"{each.kind}:{each.name}" for each in views.values()}


@pytest.mark.parametrize("name", ["old", "new"])
def test_what_is_recorded_is_what_dvc_lists(session: Session, made: Made, name: str) -> None:
    project: Project = getattr(made, name)
    gather(session, project, Selection())
    listed = json.loads(project.dvc("ls", ".", "-R", "--dvc-only", "--json", version=3))
    wanted = {each["path"] for each in listed if not each["isdir"]} - {"later.csv", "work/scores.json"}
    found: dict[str, int] = {}
    for view in [*session.catalog.all_nodes("dataset"), *session.catalog.all_nodes("model")]:
        if view.name.startswith(f"{name}/") and view.detail["tracked"] != "data/crlf.csv":
            tracked = unspell(view.detail["tracked"]).decode()
            is_folder = (project.folder / tracked).is_dir()
            for path, size in files_of(session, view).items():
                found[f"{tracked}/{path}" if is_folder else tracked] = size
    assert found.keys() == wanted
    assert all((project.folder / path).stat().st_size == size for path, size in found.items())


@pytest.mark.parametrize("name", ["old", "new"])
def test_a_restore_is_what_dvc_checks_out(session: Session, made: Made, tmp_path: Path, name: str) -> None:
    project: Project = getattr(made, name)
    gather(session, project)
    restore(session, f"dataset:{name}/data", tmp_path / "out")
    assert on_disk(tmp_path / "out") == on_disk(project.folder / "data")
    restore(session, f"model:{name}/work/model.pkl", tmp_path / "m")
    assert on_disk(tmp_path / "m") == {"model.pkl": (project.folder / "work/model.pkl").read_bytes()}
    again = restore(session, f"dataset:{name}/data", tmp_path / "out")
    assert (again.files, again.skipped) == (0, 2)
    assert again.content is not None
    assert session.catalog.resolve(again.content).basis == "verified"


def test_an_earlier_version_is_what_dvc_gets(session: Session, made: Made, tmp_path: Path) -> None:
    gather(session, made.old)
    made.old.dvc("get", "-q", ".", "data", "--rev", "v1", "-o", str(tmp_path / "wanted"), version=3)
    restore(session, "dataset:old/data@1", tmp_path / "out")
    assert on_disk(tmp_path / "out") == on_disk(tmp_path / "wanted")
    assert session.catalog.resolve("dataset:old/data").version == "2"
    restore(session, "dataset:old/late.csv", tmp_path / "late")
    assert on_disk(tmp_path / "late") == {"late.csv": b"x\r\n"}


def test_a_stage_is_one_run_however_many_commits_have_it(session: Session, made: Made) -> None:
    gather(session, made.old)
    runs = [view for view in session.catalog.all_nodes("run") if view.type == "stage.executed/1"]
    assert sorted(view.detail["name"] for view in runs) == ["split@north", "split@south", "train", "train"]
    first, second = (view for view in runs if view.detail["name"] == "train")
    assert [view.detail["commit"] for view in (first, second)] == [made.old.commits[0], made.old.commits[2]]
    assert first.detail["parameters"]["train.lr"] == {"value": "0.1", "origin": "../params.yaml"}
    assert second.detail["parameters"]["train.layers"]["value"] == ["3", "4"]
    assert first.detail["metrics"] == {"auc": "0.75", "by.n": "3", "loss": "0.001"}
    assert (first.detail["cwd"], first.detail["activity"], first.detail["desc"]) == (
        "work",
        "training",
        "fits the model",
    )
    assert linked(session, "model:old/work/model.pkl@2", "generated") == {f"run:{second.name}"}
    used = linked(session, f"run:{second.name}", "used")
    assert used == {"code:old", "dataset:old/data/crlf.csv"}
    assert linked(session, "dataset:old/data/crlf.csv", "derived_from") == {"dataset:old/data"}
    assert session.catalog.resolve(made.old.commits[2]).name == "old"
    assert session.catalog.resolve("dataset:old/parts/north").detail["commit"] == made.old.commits[0]


def test_looking_again_and_looking_at_less_says_nothing_new(session: Session, made: Made) -> None:
    for project in (made.old, made.new):
        assert gather(session, project).recorded > 0
        for selection in (EVERY, Selection(), Selection(tags=True), Selection(branches=True)):
            assert gather(session, project, selection).recorded == 0


def test_numbers_go_with_the_commits(session: Session, made: Made) -> None:
    gather(session, made.old, Selection())
    gather(session, made.old, Selection(revs=("v1",)))
    versions = session.catalog.of_artifact("dataset", "old/data")
    assert [view.version for view in versions] == [None, "1"]
    assert session.catalog.resolve("dataset:old/data@latest").detail["commit"] == made.old.commits[2]


def test_imports_come_from_where_they_came_from(session: Session, made: Made) -> None:
    done = gather(session, made.new)
    gather(session, made.old)
    assert linked(session, "dataset:new/theirs.csv", "derived_from") == {"dataset:old/late.csv"}
    (origin,) = session.catalog.of_artifact("dataset", "old/late.csv")  # as told by the import, and as it is there
    assert {fact.basis for fact in session.catalog.facts([origin.id])} == {"claimed", "observed"}
    assert origin.version == "1"
    assert linked(session, "dataset:old/late.csv", "derived_from") == {"code:old"}
    assert linked(session, "dataset:new/raw", "derived_from") == {"dataset:s3://dvc-versions/raw"}
    assert session.catalog.resolve("s3://dvc-versions/raw/").detail["basis_of_identity"] == "version"
    assert [(gap.code, gap.about) for gap in done.gaps] == [("dvc.no_hash", "dataset:new/later.csv")]


def test_an_import_from_a_bucket_is_what_a_snapshot_of_the_bucket_is(session: Session, made: Made) -> None:
    gather(session, made.new)
    name, address = "dataset:s3://dvc-versions/raw", "s3://dvc-versions/raw/"
    command = [sys.executable, "-m", "lineal", "snapshot", name, address, "--reference", "--json"]
    done = subprocess.run(
        [*command, "--endpoint-url", made.server.endpoint], capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    (source,) = session.catalog.of_artifact("dataset", "s3://dvc-versions/raw")
    assert source.digest == json.loads(done.stdout)["version"]["digest"]
    assert {fact.basis for fact in session.catalog.facts([source.id])} == {"claimed", "observed"}


def clone_of(project: Project, folder: Path) -> Path:
    """Clone without a cache; the name stays that of the folder cloned."""
    subprocess.run(["git", "clone", "-q", str(project.folder), str(folder)], check=True, env=project.environment())
    return folder


def test_a_clone_without_a_cache_reads_lists_and_bytes_from_s3(session: Session, made: Made, tmp_path: Path) -> None:
    clone = clone_of(made.new, tmp_path / "clone")
    done = collect_dvc(session, clone, Selection())
    assert {gap.about for gap in done.gaps} == {"dataset:new/later.csv", "dataset:new/raw"}
    restore(session, "dataset:new/parts/south", tmp_path / "parts")
    assert on_disk(tmp_path / "parts") == {"f.csv": b"1\n"}
    restore(session, "dataset:new/data", tmp_path / "data")  # from the versions of the bucket, since written over
    assert on_disk(tmp_path / "data") == on_disk(made.new.folder / "data")
    assert session.catalog.resolve("s3://dvc-versions/tree/data").ref == "dataset:new/data@1"
    shutil.rmtree(clone)
    restore(session, "dataset:new/one.csv", tmp_path / "one")  # from the remote that the collection saw
    assert on_disk(tmp_path / "one") == {"one.csv": b"1\n"}


def test_without_a_remote_a_folder_is_a_gap_and_a_file_a_version(session: Session, made: Made, tmp_path: Path) -> None:
    clone = clone_of(made.old, tmp_path / "clone")
    done = collect_dvc(session, clone, Selection(), Options(use_remote=False))
    codes = {(gap.code, gap.about) for gap in done.gaps}
    assert ("dvc.no_list", "dataset:old/data") in codes
    assert session.catalog.resolve("dataset:old/one.csv").detail["bytes"] == 2
    assert not session.catalog.of_artifact("dataset", "old/data")


def test_hashing_joins_the_content_with_a_snapshot(session: Session, made: Made) -> None:
    taken = snapshot(session, "dataset:mine", made.new.folder / "data", keep=False)
    gather(session, made.new, hash_bytes=True)
    versions = session.catalog.of_artifact("dataset", "new/data")
    assert {view.digest for view in versions if view.basis == "verified"} == {taken.version.digest}
    assert linked(session, "dataset:mine", "same_as") == {"dataset:new/data"}
    assert gather(session, made.new, hash_bytes=True).recorded == 0


@pytest.mark.parametrize("version", [2, 3])
def test_hashes_are_those_of_dvc(tmp_path: Path, version: int) -> None:
    texts = [
        b"",
        b"a\r\nb\n" * 9,
        b"\r" * 10,
        b"x" * (CHUNK - 1) + b"\r\n" + b"y\r\n" * 9,
        b"\0" + b"\r\n" * CHUNK,
        b"a\r\n" * CHUNK + b"\0" * 1000 + b"\r\n",
        b"\xff" * 200 + b"a" * 311 + b"\r\n",
        b"\xff" * 100 + b"a" * 411 + b"\r\n",
        b"t" * CHUNK + b"\0" * 600 + b"\r\n",
        b"\0" * CHUNK + b"t\r\n" * 600,
    ]
    for number, text in enumerate(texts):
        (tmp_path / f"{number:02}").write_bytes(text)
    kind = "" if version == 2 else ', name="md5-dos2unix"'
    program = (
        "import sys; from dvc_data.hashfile.hash import fobj_md5\n"
        f"for name in sys.argv[1:]: print(fobj_md5(open(name, 'rb'){kind}), fobj_md5(open(name, 'rb')))"
    )
    python = dvc_program(version).parent / "python"
    names = [str(tmp_path / f"{number:02}") for number in range(len(texts))]
    out = subprocess.run([str(python), "-c", program, *names], capture_output=True, text=True, check=True).stdout
    for text, line in zip(texts, out.splitlines(), strict=True):
        unix, plain = line.split()
        hasher = Hasher()
        for start in range(0, len(text), CHUNK):
            hasher.update(text[start : start + CHUNK])
        assert hasher.spell(Oid(unix, is_dir=False, is_dos2unix=True)) == unix
        if version == 3:
            assert hasher.spell(Oid(plain, is_dir=False, is_dos2unix=False)) == plain
        assert hasher.digest == Digest.of(text)


def test_the_page_about_dvc_does_what_it_says(tmp_path: Path) -> None:
    """Its blocks need DVC: other tests of the documentation leave them out."""
    import test_docs

    page = tmp_path / "dvc.md"
    page.write_text(
        (test_docs.DOCS / "sources" / "dvc.md").read_text("utf-8").replace("```console dvc\n", "```console\n")
    )
    work, environment = tmp_path / "work", test_docs._environment(tmp_path)
    work.mkdir()
    environment["PATH"] += f"{os.pathsep}{dvc_program(3).parent}"
    environment.update(DVC_NO_ANALYTICS="1", DVC_SITE_CACHE_DIR=str(tmp_path / "site"))
    for name, value in (("user.name", "Ana"), ("user.email", "ana@bank.example"), ("init.defaultBranch", "main")):
        subprocess.run(["git", "config", "--global", name, value], env=environment, check=True, cwd=work)
    assert len(test_docs._commands(page)) > 10
    test_docs._compare(page, work, environment)
