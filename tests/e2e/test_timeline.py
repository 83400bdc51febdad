"""`lineal timeline`, `show --at` and `diff --at --at` on an account as moto plays it, collected by real commands."""

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
from commandline import Place, make_place
from sagemaker_life import ACCOUNT, PREFIX, Account, use

from lineal.cli import main
from servers.moto import REGION, moto_server

ENDPOINT = f"{PREFIX}endpoint/Scorer"


@dataclass
class World:
    """A ledger that an account was collected into twice, before and after another model was put into service."""

    place: Place
    env: dict[str, str]
    before: str
    between: str

    def json(self, *words: str, status: int = 0) -> Any:
        return json.loads(self.text(*words, "--json", status=status))

    def text(self, *words: str, status: int = 0) -> str:
        """Type a command, without a process of its own, and return what it prints."""
        said = io.StringIO()
        with contextlib.chdir(self.place.folder), contextlib.redirect_stdout(said):
            assert main.run(list(words)) == status
        return said.getvalue()


def _collect(place: Place, env: dict[str, str]) -> None:
    for source in ("aws", "sagemaker"):
        done = place.within("collect", source, "--region", REGION, "--only", _ONLY[source], "-q", env=env)
        assert done.status == 0, done.err


_ONLY = {"aws": "AWS::SageMaker::*", "sagemaker": "endpoint"}


def _moment(place: Place) -> str:
    """Return a moment after everything that is on record."""
    return str(place.within("log", "-n", "1", "--json").json()["entries"][0]["recorded"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("timeline")
    place = make_place(folder)
    with pytest.MonkeyPatch.context() as patch, moto_server() as moto:
        use(patch, moto.environment())
        account = Account(moto)
        account.bucket()
        env = {**moto.environment(), "AWS_MAX_ATTEMPTS": "1"}
        package = account.package()
        account.model(package=package)
        account.config("first")
        account.deploy("first")
        before = _moment(place)
        _collect(place, env)
        between = _moment(place)
        account.decide(package)
        account.model("risk-2", package)
        account.config("second", "risk-2")
        account.sagemaker.update_endpoint(EndpointName="Scorer", EndpointConfigName="second")
        account.sagemaker.delete_endpoint_config(EndpointConfigName="first")
        _collect(place, env)
    assert place.within("explain", "-q").status == 0
    return World(place, env, before, between)


def test_the_timeline_of_an_endpoint_is_that_of_what_it_serves(world: World) -> None:
    found = world.json("timeline", ENDPOINT)
    assert found["rows"] == world.json("timeline", "endpoint:Scorer")["rows"]
    things = {thing["name"]: thing for thing in found["things"]}
    assert {"first", "second", "risk-1", "risk-2", "risk/1"} <= things.keys()
    depths = {name: things[name]["depth"] for name in ("Scorer", "second", "risk-2", "risk/1")}
    assert depths == {"Scorer": 0, "second": 1, "risk-2": 2, "risk/1": 3}
    assert things["first"]["pointed"][0][1] is not None  # until the other took its place
    assert things["second"]["pointed"][0][1] is None
    kinds = [row["kind"] for row in found["rows"]]
    assert kinds.count("deployment") == 2
    changes = {row["name"]: row for row in found["rows"] if row["kind"] == "change"}
    edit = next(edit for edit in changes["Scorer"]["edits"] if edit["path"] == ["EndpointConfigName"])
    assert (edit["old"], edit["new"]) == ("first", "second")
    assert changes["Scorer"]["since"] < changes["Scorer"]["time"]
    assert changes["Scorer"]["verdict"] in ("PENDING", "NOT_OBSERVABLE")  # no trail was collected
    assert ["ModelApprovalStatus"] in [edit["path"] for edit in changes["risk/1"]["edits"]]
    times = [row["time"] for row in found["rows"]]
    assert times == sorted(times)


def test_what_is_left_out_when_it_is_asked_for(world: World) -> None:
    alone = world.json("timeline", ENDPOINT, "--no-follow")
    assert {thing["name"] for thing in alone["things"] if thing["depth"] == 0} == {
        thing["name"] for thing in alone["things"]
    }
    then = world.json("timeline", ENDPOINT, "--at", world.between)
    assert "second" not in {thing["name"] for thing in then["things"]}
    newest = world.json("timeline", ENDPOINT, "--limit", "1")
    every = world.json("timeline", ENDPOINT, "--limit", "0", "--reverse")
    assert newest["rows"] == every["rows"][:1]
    assert newest["left_out"] == len(every["rows"]) - 1
    known = world.json("timeline", ENDPOINT, "--known", world.between)
    assert len([row for row in known["rows"] if row["kind"] == "deployment"]) == 1
    later = world.json("timeline", ENDPOINT, "--since", world.between, "--kind", "change")
    assert {row["kind"] for row in later["rows"]} == {"change"}


def test_a_person_can_read_it(world: World) -> None:
    text = world.text("timeline", ENDPOINT, "--diff")
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "deployed endpoint:Scorer@2" in text
    assert "~ EndpointConfigName: first -> second" in text
    assert "there; last seen" in text


def test_one_resource_as_of_a_moment(world: World) -> None:
    now = world.json("show", "AWS::SageMaker::Endpoint/Scorer")
    assert now["item"]["configuration"]["EndpointConfigName"] == "second"
    assert now["state"] == "there"
    then = world.json("show", "AWS::SageMaker::Endpoint/Scorer", "--at", world.between)
    assert then["item"]["configuration"]["EndpointConfigName"] == "first"
    gone = world.json("show", "AWS::SageMaker::EndpointConfig/first")
    assert gone["state"] == "gone"
    assert gone["last_seen"] < gone["gone"]
    assert gone["item"]["configuration"]["EndpointConfigName"] == "first"
    assert "what follows is what it was before" in world.text("show", "AWS::SageMaker::EndpointConfig/first")
    both = world.json("show", ENDPOINT)
    assert both["node"]["ref"] == "endpoint:Scorer@2"
    assert both["configuration"]["item"]["configuration"]["EndpointConfigName"] == "second"
    assert "configuration" not in world.json("show", "endpoint:Scorer")
    error = world.json("show", "AWS::SageMaker::Endpoint/Scorer", "--at", "2020-01-01", status=2)["error"]
    assert "it was seen first at" in error["message"]


def test_the_whole_estate_as_of_a_moment(world: World) -> None:
    def names(*words: str) -> set[str]:
        return {each["name"] for each in world.json("show", *words)["resources"]}

    assert {"Scorer", "first", "risk-1"} <= names("--at", world.between)
    assert "second" not in names("--at", world.between)
    assert "first" not in names("--at", "now")
    assert names("--type", "AWS::SageMaker::EndpointConfig") == {"second"}
    assert names("--at", "now", "--account", "999999999999") == set()
    assert world.json("show", "--at", world.before)["resources"] == []
    found = world.json("show", "--at", "now")
    assert [each["revision"]["ref"] for each in found["endpoints"]] == ["endpoint:Scorer@2"]
    assert all(each["last_looked"] for each in found["resources"])
    text = world.text("show", "--at", "now")
    assert f"{ACCOUNT} {REGION}" in text
    assert "last looked at" in text


def test_everything_that_changed_between_two_moments(world: World) -> None:
    found = world.json("diff", "--at", world.between, "--at", "now")
    what = {each["name"]: each["change"] for each in found["resources"]}
    assert what == {
        "Scorer": "changed", "first": "deleted", "second": "created", "risk-2": "created", "risk/1": "changed"
    }  # fmt: skip
    (served,) = found["endpoints"]
    refs = [served[side]["revision"]["ref"] for side in ("before", "after")]
    assert (served["name"], refs) == ("Scorer", ["endpoint:Scorer@1", "endpoint:Scorer@2"])
    assert world.json("diff", "--at", "1h ago", "--at", world.before)["differs"] is False
    of_one = world.json("diff", "AWS::SageMaker::ModelPackage/risk/1", "--at", world.between, "--at", "now")
    assert [each["name"] for each in of_one["resources"]] == ["risk/1"]
    text = world.text("diff", "--at", world.between, "--at", "now", "--exit-code", status=1)
    assert "EndpointConfigName: first -> second" in text
    world.text("diff", "--at", "1h ago", "--at", world.before, "--exit-code")


def test_patches_are_those_of_the_standard(world: World) -> None:
    lines = world.text("diff", "--at", world.between, "--at", "now", "--patch").splitlines()
    patches = {each["resource"]: each["patch"] for each in map(json.loads, lines)}
    key = ENDPOINT.lower()
    before, after = (
        {name: shown["item"][name] for name in ("configuration", "tags")}
        for shown in (world.json("show", key, "--at", world.between), world.json("show", key)) if "item" in shown
    )  # fmt: skip
    assert jsonpatch.apply_patch(before, patches[key]) == after
    document = world.json("diff", "--at", world.between, "--at", "now", "--patch")
    assert {each["key"]: each["patch"] for each in document["resources"]} == patches


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("timeline", "nothing"), "nothing is recorded as nothing"),
        (("timeline", "x\udcff"), None),
        (("timeline", "Scorer", "--kind", "changes"), "no such kind"),
        (("timeline", "Scorer", "--since", "now", "--until", "2d ago"), "--since is after --until"),
        (("show",), "nothing to show"),
        (("show", "Scorer", "--type", "x"), "for the whole estate"),
        (("diff",), "nothing to compare was named"),
        (("diff", "model:a"), "nothing to compare model:a with"),
        (("diff", "--at", "now"), "--at was given 1 times"),
        (("diff", "--at", "now", "--at", "2d ago"), "is not before"),
        (("diff", "a", "b", "--at", "now", "--at", "now"), "--at was given 2 times"),
        (("diff", "a", "b", "--patch"), "for two moments"),
        (("diff", "--at", "2d ago", "--at", "now", "--rows", "3"), "for two versions"),
        (("diff", "nothing", "--at", "2d ago", "--at", "now"), "nothing is recorded as nothing"),
        (("diff", "--at", "soon", "--at", "now"), "not a moment"),
    ],
)
def test_what_cannot_be_asked_is_told(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    says: str | None,
) -> None:
    monkeypatch.chdir(world.place.folder)
    status = main.run([*words, "--json"])
    said = capsys.readouterr()
    assert status == 2
    error = json.loads(said.out)["error"]
    assert error["fix"]
    assert says is None or says in error["message"]


def test_files_of_a_folder_have_a_timeline_too(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    (place.folder / "conf").mkdir()
    for replicas in (1, 2):
        (place.folder / "conf" / "app.yaml").write_text(f"replicas: {replicas}\n")
        assert place.within("collect", "files", "conf", "--name", "prod").status == 0
    (place.folder / "conf" / "app.yaml").unlink()
    (place.folder / "conf" / "other.yaml").write_text("a: 1\n")
    assert place.within("collect", "files", "conf", "--name", "prod").status == 0
    rows = place.lineal("timeline", "app.yaml", "--json").json()
    assert [row["what"] for row in rows["rows"] if row["kind"] == "change"] == ["replicas 1 -> 2", "deleted"]
    assert rows["things"][0]["state"]["state"] == "gone"
    assert b"gone: last seen" in place.within("timeline", "app.yaml").out


def test_nothing_recorded_commands_the_terminal(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    (place.folder / "conf").mkdir()
    name = "app [bold]x[red].json"
    for value in ("one", "\x1b[31m[bold red]two[/]\u2028\x07"):
        document = {"a": value, "[link=http://x]k[/]": value}
        (place.folder / "conf" / name).write_text(json.dumps(document))
        assert place.within("collect", "files", "conf", "--name", "prod").status == 0
    for words in (
        ("timeline", name, "--diff"),
        ("show", name),
        ("show", "--at", "now"),
        ("diff", "--at", "1h ago", "--at", "now"),
    ):
        done = place.within(*words)
        assert done.status == 0, done.err
        text = done.out.decode()
        assert all(char.isprintable() or char == "\n" for char in text)
        assert "app%20[bold]x[red].json" in text
    assert "[bold red]two[/]" in place.within("timeline", name, "--diff").out.decode()
    lines = place.within("diff", "--at", "1h ago", "--at", "now", "--patch").out.decode().splitlines()
    assert json.loads(lines[0])["patch"][0]["value"]["a"].startswith("\x1b[31m")
