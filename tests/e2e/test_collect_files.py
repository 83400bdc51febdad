"""The command `lineal collect files` on real folders: what is recorded, what is gone, what is hostile."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from commandline import Place

from lineal.app.collect import Collected
from lineal.app.collect_files import Wanted, collect_files
from lineal.app.session import Session
from lineal.catalog.graph import Moment
from lineal.core.config_item import ConfigItem
from lineal.errors import BadInput
from lineal.wiring import Settings, create, open_session

POD = (
    "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: prod}}\n"
    "spec:\n  containers: [{{name: c, image: 'r/{name}:{tag}'}}]\n"
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "work", tmp_path / "home")
    made.folder.mkdir()
    made.home.mkdir()
    create(Settings(ledger=str(made.folder), actor="tester"), made.folder, None)
    (made.folder / "conf").mkdir()
    return made


@pytest.fixture
def conf(place: Place) -> Path:
    return place.folder / "conf"


def _session(place: Place) -> Session:
    return open_session(Settings(ledger=str(place.folder), actor="tester"))


def _pod(name: str, tag: str = "1") -> str:
    return POD.format(name=name, tag=tag)


def _collect(place: Place, where: str = "conf", **how: Any) -> Collected:
    """Collect as the command does, in this process: a new one takes a while each time."""
    with _session(place) as session:
        return collect_files(session, place.folder / where, Wanted(**how))


def _items(place: Place) -> dict[str, list[ConfigItem]]:
    with _session(place) as session:
        return dict(session.configuration.all_items())


def _estate(place: Place) -> dict[str, ConfigItem]:
    with _session(place) as session:
        return session.configuration.estate()


def _names(place: Place) -> set[str]:
    return {item.resource.name for item in _estate(place).values()}


def _codes(done: Collected) -> set[str]:
    return {gap.code for gap in done.gaps}


def test_what_changes_and_what_goes_is_recorded_once(place: Place, conf: Path) -> None:
    (conf / "a.yaml").write_text(_pod("a") + "---\n" + _pod("b"))
    (conf / "plain.toml").write_text("x = 1\n")
    said = place.lineal("collect", "files", "conf", "--json")
    assert said.status == 0, said.err
    first = said.json()
    assert first["runs"] == [first["run"]]
    assert (first["seen"], first["recorded"], first["gaps"]) == (3, 3, [])
    assert _collect(place).recorded == 0
    (conf / "a.yaml").write_text("# a comment is no change\n" + _pod("a", "2"))
    (conf / "plain.toml").unlink()
    third = _collect(place)
    assert third.recorded == 3
    assert _names(place) == {"a"}
    held = _items(place)
    changed = next(items for key, items in held.items() if key.endswith("/prod/a"))
    assert [item.configuration["spec"]["containers"][0]["image"] for item in changed] == ["r/a:1", "r/a:2"]
    gone = next(items for key, items in held.items() if key.endswith("/prod/b"))
    assert [item.status for item in gone] == ["ok", "deleted"]
    assert _collect(place).recorded == 0
    (conf / "a.yaml").write_text(_pod("a", "2") + "---\n" + _pod("b"))
    assert _collect(place).recorded == 1, "what came back"
    with _session(place) as session:
        looks = [look for look in session.configuration.looks() if look.source == "files"]
    assert len(looks) == 10
    assert all(look.complete for look in looks)
    assert {(look.account, look.region) for look in looks} == {(str(conf), ""), ("default", "prod")}


def test_a_file_that_broke_is_a_gap_and_nothing_of_it_is_gone(place: Place, conf: Path) -> None:
    (conf / "a.yaml").write_text(_pod("a"))
    (conf / "b.yaml").write_text(_pod("b"))
    (conf / "c.toml").write_text("x = 1\n")
    (conf / "d.toml").write_text("x = 1\n")
    _collect(place)
    (conf / "a.yaml").write_text("a: [")
    (conf / "b.yaml").write_text("just: words\n")
    (conf / "c.toml").write_text("=")
    (conf / "d.toml").unlink()
    done = _collect(place)
    assert _codes(done) == {"files.malformed"}
    assert {gap.about for gap in done.gaps} == {"a.yaml", "c.toml"}
    assert _names(place) == {"a", "b", "b.yaml", "c.toml"}, "b may have moved into a.yaml; d.toml is gone for certain"
    with _session(place) as session:
        assert not session.configuration.looks()[-1].complete
    (conf / "a.yaml").write_text(_pod("a"))
    _collect(place)
    assert _names(place) == {"a", "b.yaml", "c.toml"}


def test_what_two_files_define_is_neither_new_nor_gone(place: Place, conf: Path) -> None:
    (conf / "a.yaml").write_text(_pod("a", "1"))
    _collect(place)
    (conf / "b.yaml").write_text(_pod("a", "2"))
    done = _collect(place)
    assert (_codes(done), done.recorded) == ({"files.twice"}, 0)
    assert _names(place) == {"a"}


def test_an_empty_or_missing_root_says_nothing_of_what_was_there(place: Place, conf: Path) -> None:
    (conf / "a.yaml").write_text(_pod("a"))
    _collect(place)
    (conf / "a.yaml").unlink()
    assert _codes(_collect(place)) == {"files.empty"}
    conf.rmdir()
    done = place.lineal("collect", "files", "conf")
    assert done.status == 2
    assert "there is nothing at" in done.err
    assert _names(place) == {"a"}


def test_roots_do_not_speak_for_each_other(place: Place) -> None:
    for name in ("one", "two"):
        (place.folder / name / "k8s").mkdir(parents=True)
        (place.folder / name / "k8s" / "p.yaml").write_text(_pod(name))
        (place.folder / name / "k8s" / "x.toml").write_text("x = 1\n")
        _collect(place, f"{name}/k8s")
    for name in ("one", "two"):
        _collect(place, f"{name}/k8s")
    assert len(_estate(place)) == 4
    with _session(place) as session:
        shared = [look for look in session.configuration.looks() if look.region == "prod"]
    assert [look.complete for look in shared[-2:]] == [False, False], "another root has objects in that namespace"
    done = place.lineal("collect", "files", "one/k8s", "two/k8s", "--name", "prod")
    assert done.status == 2
    assert "prod/k8s" in done.err


def test_one_file_is_a_root_of_its_own(place: Place) -> None:
    file = place.folder / "rendered.yaml"
    file.write_text(_pod("a") + "---\n" + _pod("b"))
    _collect(place, "rendered.yaml", cluster="eu", name="prod")
    file.write_text(_pod("b"))
    _collect(place, "rendered.yaml", cluster="eu", name="prod")
    (only,) = _estate(place).values()
    assert only.resource.key == "Kubernetes::core/Pod/eu/prod/b"
    assert only.extra["root"] == "prod"


def test_hostile_names_links_and_special_files(place: Place, conf: Path) -> None:
    outside = place.folder / "outside.yaml"
    outside.write_text("hidden: words\n")
    (conf / "real.yaml").write_text("a: 1\n")
    (conf / "inner.yaml").symlink_to("real.yaml")
    (conf / "leaves.yaml").symlink_to(outside)
    (conf / "folder").symlink_to(place.folder)
    (conf / "dangling").symlink_to("nowhere")
    (conf / "loop").symlink_to("loop")
    os.mkfifo(conf / "pipe.yaml")
    for name in (b"bad-\xff.yaml", b"new\nline.yaml", b"esc\x1b[31m.yaml", b"tab\t.toml"):
        Path(os.fsdecode(os.path.join(os.fsencode(conf), name))).write_bytes(
            b"" if name.endswith(b"toml") else b"a: 2\n"
        )
    (conf / ".terraform").mkdir()
    (conf / ".terraform" / "config.yaml").write_text("never: read\n")
    (conf / "id_rsa").write_text("-----BEGIN KEY-----\n")
    done = _collect(place)
    assert {(gap.code, gap.about) for gap in done.gaps} == {("files.not_a_file", "pipe.yaml")}
    held = {item.resource.name: item for item in _estate(place).values()}
    assert set(held) == {
        "real.yaml", "inner.yaml", "leaves.yaml", "folder", "dangling", "loop", "bad-%FF.yaml", "new%0Aline.yaml",
        "esc%1B[31m.yaml", "tab%09.toml", "id_rsa",
    }  # fmt: skip
    assert held["inner.yaml"].configuration == {"a": 1}
    assert held["leaves.yaml"].resource.type == "File::link"
    assert held["leaves.yaml"].configuration == {"target": str(outside)}
    assert held["id_rsa"].configuration == {"present": True}
    assert held["tab%09.toml"].configuration == {}
    assert _collect(place).recorded == 0
    assert place.lineal("verify").status == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything; tests/unit/test_config_files_walk.py does it")
def test_what_may_not_be_read_is_a_gap_and_not_gone(place: Place, conf: Path) -> None:
    (conf / "a.yaml").write_text("a: 1\n")
    (conf / "sub").mkdir()
    (conf / "sub" / "b.yaml").write_text("a: 1\n")
    _collect(place)
    (conf / "a.yaml").chmod(0)
    (conf / "sub").chmod(0)
    try:
        done = _collect(place)
    finally:
        (conf / "sub").chmod(0o755)
    assert _codes(done) == {"files.denied"}
    assert _names(place) == {"a.yaml", "sub/b.yaml"}


def test_limits_give_gaps(place: Place, conf: Path) -> None:
    (conf / "big.yaml").write_bytes(b"a: '" + b"x" * (10 << 20) + b"'\n")
    bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (conf / "bomb.yaml").write_text("\n".join(bomb))
    (conf / "deep.json").write_text("[" * 100_000)
    (conf / "twice.yaml").write_text("a: 1\na: 2\n")
    done = _collect(place)
    told = {gap.about: gap for gap in done.gaps}
    assert told["big.yaml"].code == "files.too_large"
    assert {told[name].code for name in ("bomb.yaml", "deep.json", "twice.yaml")} == {"files.malformed"}
    assert "line 2" in told["twice.yaml"].explanation
    assert done.seen == 0


def test_in_a_repository_the_root_has_its_name_and_its_commit(place: Place, conf: Path) -> None:
    (conf / "a.yaml").write_text(_pod("a"))
    commit = place.repository()
    place.git("remote", "add", "origin", "https://user:hunter22@github.com/acme/deploy.git")
    _collect(place)
    (first,) = _estate(place).values()
    assert first.extra["root"] == "github.com/acme/deploy/conf"
    assert first.extra["git"] == {
        "repository": "github.com/acme/deploy", "commit": commit, "branch": "main", "dirty": False
    }  # fmt: skip
    (conf / "a.yaml").write_text(_pod("a", "2"))
    _collect(place)
    (second,) = _estate(place).values()
    assert second.extra["git"]["dirty"] is True


def test_secrets_are_nowhere_in_the_ledger(place: Place, conf: Path) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"x": "hunter22-x"}}
    state = {
        "version": 4, "serial": 1, "lineage": "l", "outputs": {"o": {"value": "hunter22-o", "sensitive": True}},
        "resources": [{"mode": "managed", "type": "t", "name": "n", "instances": [{
            "attributes": {"a": "hunter22-a"}, "sensitive_attributes": [[{"type": "get_attr", "value": "a"}]]}]}],
    }  # fmt: skip
    (conf / "s.json").write_text(json.dumps(secret))
    (conf / "t.tfstate").write_text(json.dumps(state))
    (conf / ".env").write_text("DB_PASSWORD=hunter22-e\n")
    (conf / "values.yaml").write_text("db: {password: hunter22-v}\n")
    assert _collect(place).recorded == 5
    for file in (place.folder / ".lineal").rglob("*"):
        if file.is_file():
            assert b"hunter22" not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("how", "word"),
    [
        ({"taken": "docker"}, "kubernetes, helm"), ({"cluster": "a\nb"}, "cluster"), ({"namespace": ""}, "namespace"),
        ({"name": ""}, "name of a root"), ({"name": "a\nb"}, "name of a root"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(place: Place, how: dict[str, Any], word: str) -> None:
    with pytest.raises(BadInput) as error:
        _collect(place, **how)
    assert word in error.value.message + error.value.hint


def test_history_answers_as_of_a_moment(place: Place, conf: Path) -> None:
    (conf / "a.yaml").write_text(_pod("a", "1"))
    _collect(place)
    with _session(place) as session:
        between = session.clock()
    (conf / "a.yaml").write_text(_pod("a", "2"))
    _collect(place)
    with _session(place) as session:
        (then,) = session.configuration.estate(Moment(time=between)).values()
    assert then.configuration["spec"]["containers"][0]["image"] == "r/a:1"
