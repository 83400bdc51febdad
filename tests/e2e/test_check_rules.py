"""`lineal check` asks rules: what a person, a pipeline and an auditor get of it, and what goes on record."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lineal.app.check_rules import check_rules
from lineal.app.rule_sets import load_rules
from lineal.catalog.graph import Moment
from lineal.cli.main import run
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT, NOT_APPLICABLE
from lineal.errors import BadInput, ReadOnlyStore
from rule_world import ACCOUNT, REGION, World, day, item, look, states, world_in

REPOSITORY = "AWS::ECR::Repository"
TAGS = "ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED"
SCAN = "ECR_PRIVATE_IMAGE_SCANNING_ENABLED"
KEY = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/scorer"


def repository(mutability: str = "IMMUTABLE", name: str = "scorer", *, scan: bool = True, **more: Any) -> Any:
    configuration = {
        "repository": {
            "repositoryName": name,
            "imageTagMutability": mutability,
            "imageScanningConfiguration": {"scanOnPush": scan},
        },
        "lifecyclePolicy": {"rules": [1]},
        "imageTags": {},
    }
    return item(REPOSITORY, name, configuration, **more)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LINEAL_ACTOR", "tester")
    for name in ("LINEAL_LEDGER", "LINEAL_NOTIFY"):
        monkeypatch.delenv(name, raising=False)
    with world_in(tmp_path) as made:
        yield made


def say(*words: str) -> tuple[int, str, str]:
    """Return the status of `lineal WORDS`, and what it printed on both streams."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(list(words))
    return status, out.getvalue(), err.getvalue()


def ask(*words: str) -> tuple[int, Any]:
    status, out, _ = say("check", *words, "--json")
    return status, json.loads(out)


def table(document: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(each["rule"], each["resource"]): each["state"] for each in document["rules"]["conclusions"]}


def entries(world: World) -> int:
    return sum(1 for _ in world.session.catalog.events() if _["type"] == "rules.evaluated/1")


def test_without_configuration_nothing_is_new(world: World) -> None:
    assert say("check")[:2] == (0, "")
    assert ask() == (0, {"complete": True, "cards": [], "rules": None})
    assert entries(world) == 0


def test_rules_are_asked_where_configuration_is_on_record(world: World) -> None:
    world.see(repository("MUTABLE"))
    world.cover([look(REPOSITORY)])
    status, document = ask("--rules", "ecr")
    assert status == 1
    assert (document["complete"], document["cards"]) == (True, [])
    assert table(document) == {
        (TAGS, KEY): NON_COMPLIANT,
        (SCAN, KEY): COMPLIANT,
        ("ECR_PRIVATE_LIFECYCLE_POLICY_CONFIGURED", KEY): COMPLIANT,
    }
    assert document["rules"]["states"] == {COMPLIANT: 2, NON_COMPLIANT: 1, NOT_APPLICABLE: 0, INSUFFICIENT: 0}
    assert (document["rules"]["compliant"], document["rules"]["recorded"]) == (False, 3)
    broken = next(each for each in document["rules"]["conclusions"] if each["state"] == NON_COMPLIANT)
    assert broken["remedy"]
    assert broken["evidence"][0].startswith("sha256:")
    status, document = ask()  # no set named: the default ones
    assert status == 1
    found = table(document)
    assert found[TAGS, KEY] == NON_COMPLIANT
    assert found["SAGEMAKER_DOMAIN_IN_VPC", "*"] == INSUFFICIENT
    assert {rule for rule, _ in found} >= {"TRAIL_ALWAYS_ON", "CHANGES_EXPLAINED", "ENDPOINT_MODEL_APPROVED"}


def test_what_it_prints_for_a_person(world: World) -> None:
    world.see(repository("MUTABLE"))
    status, out, _ = say("check", "--rules", "sagemaker-ai", "--rules", "ecr")
    assert status == 1
    text = " ".join(out.split())
    assert f"high {TAGS} {KEY} tags can be moved to another image" in text
    assert "Set imageTagMutability to IMMUTABLE" in text
    assert f"resources of {REPOSITORY} are on record" in text or f"nobody looked for {REPOSITORY}" in text
    assert "no equivalent here: ATHENA_DATA_CATALOG_DESCRIPTION" in text
    assert "not compliant: 18 rules asked: 2 COMPLIANT, 1 NON_COMPLIANT" in text


def test_only_what_differs_goes_on_record(world: World) -> None:
    world.see(repository("MUTABLE"), repository(name="other"))
    world.cover([look(REPOSITORY)])
    chosen = load_rules(["ecr"])
    first = check_rules(world.session, chosen)
    assert (first.recorded, len(first.changed), entries(world)) == (6, 6, 1)
    again = check_rules(world.session, chosen)
    assert (again.recorded, again.changed, entries(world)) == (0, (), 1)
    assert again.conclusions == first.conclusions
    world.see(repository("IMMUTABLE", time=day(2)))
    third = check_rules(world.session, chosen)
    assert [(each.rule, each.state, before) for each, before in third.changed] == [(TAGS, COMPLIANT, NON_COMPLIANT)]
    assert third.recorded == 3  # the other two hold by another item now
    assert states(world.session.configuration.conclusions()) == states(third.conclusions)
    world.see(replace(repository(name="other", time=day(3)), status="deleted", configuration={}))
    fourth = check_rules(world.session, chosen)
    assert {(each.state, before) for each, before in fourth.changed} == {(NOT_APPLICABLE, COMPLIANT)}
    assert len(fourth.conclusions) == 3
    assert check_rules(world.session, chosen).recorded == 0


def test_a_dry_look_and_a_look_back_leave_no_trace(world: World) -> None:
    world.see(repository("MUTABLE", time=day(1)), repository("IMMUTABLE", time=day(5)))
    world.cover([look(REPOSITORY)])
    assert states(check_rules(world.session, record=False).conclusions)[TAGS, "scorer"] == COMPLIANT
    then = check_rules(world.session, moment=Moment(time=day(3))).conclusions
    assert states(then)[TAGS, "scorer"] == NON_COMPLIANT
    assert entries(world) == 0
    status, document = ask("--at", day(3), "--rules", "ecr")
    assert (status, document["rules"]["changed"]) == (1, [])
    assert ask("--no-record", "--rules", "ecr")[0] == 0
    assert entries(world) == 0


def test_a_type_that_was_not_seen_whole_is_not_known_to_comply(world: World) -> None:
    world.see(repository())
    chosen = load_rules(["ecr"])

    def whole() -> str | None:
        found = [
            each for each in check_rules(world.session, chosen).conclusions if (each.rule, each.resource) == (TAGS, "*")
        ]
        return None if not found else f"{found[0].state}: {found[0].explanation}"

    assert whole() == f"{INSUFFICIENT}: nobody looked for {REPOSITORY}"
    world.cover([look(REPOSITORY, began=day(1), complete=False)])
    assert whole() == f"{INSUFFICIENT}: {REPOSITORY} could not be seen whole in {ACCOUNT} {REGION}"
    world.cover([look(REPOSITORY, began=day(2))])
    assert whole() is None
    world.cover([look(REPOSITORY, began=day(3), complete=False)])
    assert whole() is not None
    world.cover([look("*", began=day(4), source="files", account="laptop", region="")])
    assert whole() is not None  # whoever reads files does not see what a registry has
    world.see(replace(repository(time=day(4)), status="deleted", configuration={}))
    world.cover([look(REPOSITORY, began=day(5))])
    assert whole() == f"{NOT_APPLICABLE}: matched no resource: there is no {REPOSITORY}"


def test_a_rule_of_a_pattern_of_types_knows_who_looked(world: World, tmp_path: Path) -> None:
    text = "rules: [{id: A, description: d, resource_types: ['AWS::ECR::*'], message: m, assert: [name]}]"
    (tmp_path / "r.yaml").write_text(text)
    chosen = load_rules([str(tmp_path / "r.yaml")])

    def whole() -> tuple[str, str]:
        (found,) = check_rules(world.session, chosen).conclusions
        return found.state, found.explanation

    assert whole() == (INSUFFICIENT, "nobody looked for AWS::ECR::*")
    world.cover([look(REPOSITORY, began=day(1), complete=False)])
    assert whole() == (INSUFFICIENT, f"{REPOSITORY} could not be seen whole in {ACCOUNT} {REGION}")
    world.cover([look(REPOSITORY, began=day(2))])
    assert whole() == (NOT_APPLICABLE, "matched no resource: there is no AWS::ECR::*")


@pytest.mark.parametrize("name", ["scorer", KEY, f"{REPOSITORY}/scorer"])
def test_one_resource_can_be_asked_about(world: World, name: str) -> None:
    world.see(repository("MUTABLE"), repository("MUTABLE", name="other"))
    status, document = ask(name, "--rule", TAGS)
    assert status == 1
    assert table(document) == {(TAGS, KEY): NON_COMPLIANT}
    assert set(document) == {"rules"}
    assert say("check", "nothing-of-that-name")[0] == 2


def test_a_model_has_its_card_and_rules_only_if_they_are_asked_for(world: World, tmp_path: Path) -> None:
    """The card of a model is as it was; with rules named, they stand beside it, for the resource of that name."""
    (tmp_path / "model.pkl").write_bytes(b"model")
    assert say("register", "model:risk", "model.pkl", "-q")[0] == 0
    world.see(repository("MUTABLE", name="risk"))
    card = {"ref", "digest", "complete", "rows", "findings"}
    assert set(ask("model:risk")[1]) == card
    status, document = ask("model:risk", "--rules", "ecr")
    assert (status, set(document)) == (1, card | {"rules"})
    assert document["rules"]["conclusions"] == []  # no resource is called model:risk
    status, document = ask("risk", "--rules", "ecr")
    assert set(document) == {"rules"}
    assert len(table(document)) == 3


def test_severity_decides_what_fails(world: World) -> None:
    world.see(repository(scan=False))
    world.cover([look(REPOSITORY)])
    assert ask("--rules", "ecr")[0] == 1
    status, document = ask("--rules", "ecr", "--severity", "high")
    assert status == 0
    assert set(table(document)) == {(TAGS, KEY)}
    assert document["rules"]["milder"] == 1
    assert ask("--severity", "worst")[0] == 2


def test_who_asks_of_little_is_not_told_that_all_is_well(world: World) -> None:
    world.see(repository("MUTABLE"), item("File::yaml", "a", {}, source="files", shape="file"))
    world.cover([look(REPOSITORY)])
    status, out, _ = say("check", "--rules", "ecr", "--severity", "critical")
    assert status == 0
    assert "nothing so severe is broken: 3 rules asked" in " ".join(out.split())
    status, out, _ = say("check", "File::yaml/a", "--rules", "ecr")
    assert status == 0
    assert "nothing to judge: 3 rules asked: none of them has anything to say" in " ".join(out.split())


def test_documents_for_other_tools(world: World, tmp_path: Path) -> None:
    world.see(repository("MUTABLE"))
    words = ("check", "--rules", "ecr", "--at", day(9), "--format")
    printed = [say(*words, form)[1] for form in ("sarif", "sarif", "ocsf", "ocsf")]
    assert printed[0] == printed[1]
    assert printed[2] == printed[3]
    log = json.loads(printed[0])
    assert {each["kind"] for each in log["runs"][0]["results"]} == {"fail", "pass", "open"}
    assert {each["class_uid"] for each in json.loads(printed[2])} == {2003}
    target = tmp_path / "findings.sarif"
    status, out, _ = say(*words, "sarif", "-o", str(target))
    assert status == 1
    assert "not compliant" in out
    assert json.loads(target.read_text()) == log
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".findings")] == []
    assert json.loads(say(*words, "json")[1])["rules"]["compliant"] is False
    assert say("check", "-o", str(target))[0] == 2
    assert say("check", "--format", "xml")[0] == 2
    for nowhere in (tmp_path / "no" / "such" / "folder", tmp_path):
        status, _, err = say(*words, "ocsf", "-o", str(nowhere))
        assert status == 11
        assert str(nowhere) in err
        assert "no document was written" in err


def test_rules_are_listed_without_a_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LINEAL_LEDGER", raising=False)
    status, out, _ = say("check", "--list-rules")
    assert status == 0
    assert TAGS in out
    assert "sagemaker-ai" in out
    document = json.loads(say("check", "--list-rules", "--rules", "sagemaker-ai", "--json")[1])
    assert (len(document["rules"]), len(document["unsupported"])) == (15, 72)
    assert {"id", "description", "severity", "resource_types", "parameters"} <= set(document["rules"][0])


RULES = """\
rules:
  - id: OWNED
    description: Somebody owns a repository.
    resource_types: ["AWS::ECR::*"]
    severity: high
    parameters: {owner: risk}
    assert:
      - {path: tags.owner, op: eq, value: {parameter: owner}, default: nobody}
    message: nobody owns it
"""


def test_rules_of_ones_own(world: World, tmp_path: Path) -> None:
    world.see(repository(tags={"owner": "risk"}), repository(name="other"))
    (tmp_path / "mine.yaml").write_text(RULES)
    status, document = ask("--rules", "mine.yaml")
    assert status == 1
    own = {name.rpartition("/")[2]: state for (_, name), state in table(document).items()}
    assert own == {"scorer": COMPLIANT, "other": NON_COMPLIANT, "*": INSUFFICIENT}
    (tmp_path / "mine.yaml").write_text(RULES.replace("op: eq", "op: equals"))
    status, out, err = say("check", "--rules", "mine.yaml", "--json")
    assert status == 2
    assert json.loads(out)["error"]["message"].startswith("mine.yaml:8: rule OWNED: no such operator: 'equals'")
    assert "Traceback" not in err
    assert say("check", "--rules", "nowhere.yaml")[0] == 2
    assert say("check", "--rules", "ecr", "--rule", "NOSUCH")[0] == 2


def test_parameters_of_any_rule_can_be_given(world: World, tmp_path: Path) -> None:
    world.see(repository(tags={"owner": "risk"}))
    (tmp_path / "mine.yaml").write_text(RULES)
    words = ("--rules", "mine.yaml", "--rule", "OWNED", "--no-record")
    assert ask(*words)[0] == 0
    assert ask(*words, "--parameter", "OWNED.owner=ops")[0] == 1
    world.cover([look(REPOSITORY, began=day(1))])
    stale = ("--rule", "COLLECTION_FRESH", "--at", day(3))
    assert ask(*stale)[0] == 1
    assert ask(*stale, "--parameter", "COLLECTION_FRESH.hours=100")[0] == 0
    for wrong in (
        "hours=3",
        "COLLECTION_FRESH.hours",
        "COLLECTION_FRESH.days=3",
        "NOSUCH.x=3",
        "COLLECTION_FRESH.hours=x",
    ):
        assert say("check", "--parameter", wrong)[0] == 2, wrong


PYTHON = """\
from lineal.change.graph_rules import EstateRule, about
import pathlib
pathlib.Path("ran").touch()

def ask(questions, parameters):
    for item in questions.estate().values():
        yield about(item, "NON_COMPLIANT", "because")

RULES = [EstateRule(id="MINE", description="d", resource_types=("*",), severity="low", ask=ask)]
"""


def test_python_runs_only_where_a_person_says_so(world: World, tmp_path: Path) -> None:
    world.see(repository())
    (tmp_path / "mine.py").write_text(PYTHON)
    assert say("check", "--rules", "mine.py")[0] == 2
    assert not (tmp_path / "ran").exists()
    status, document = ask("--python-rules", "mine.py", "--rules", "ecr", "--rule", "MINE")
    assert (status, table(document)) == (1, {("MINE", KEY): NON_COMPLIANT})
    assert (tmp_path / "ran").exists()
    (tmp_path / "mine.py").write_text(PYTHON.replace("questions.estate()", "questions.nothing()"))
    status, document = ask("--python-rules", "mine.py", "--rules", "ecr")
    failed = next(each for each in document["rules"]["conclusions"] if each["rule"] == "MINE")
    assert failed["state"] == INSUFFICIENT
    assert "the rule itself failed: AttributeError" in failed["explanation"]
    assert len(table(document)) > 1
    for text, words in (("1/0", "ZeroDivisionError"), ("x = 1", "RULES must be"), ("RULES = [1]", "RULES must be")):
        (tmp_path / "mine.py").write_text(text)
        status, _, err = say("check", "--python-rules", "mine.py")
        assert status == 2
        assert words in err
        assert "Traceback" not in err


def test_installed_packages_bring_rules(world: World, tmp_path: Path) -> None:
    world.see(repository())
    (tmp_path / "site" / "mine-1.dist-info").mkdir(parents=True)
    (tmp_path / "site" / "mine.py").write_text(PYTHON)
    (tmp_path / "site" / "mine-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    points = tmp_path / "site" / "mine-1.dist-info" / "entry_points.txt"
    points.write_text("[lineal.rules]\nmine = mine:RULES\n")

    def check(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "lineal", "check", *words]
        kept = {**os.environ, "PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        return subprocess.run(command, env=kept, capture_output=True, text=True, cwd=tmp_path, timeout=900, check=False)

    done = check("--rule", "MINE", "--json")
    assert done.returncode == 1, done.stderr
    assert table(json.loads(done.stdout)) == {("MINE", KEY): NON_COMPLIANT}
    points.write_text("[lineal.rules]\nmine = mine:NOWHERE\n")
    done = check("--json")
    assert done.returncode == 2
    assert "entry point mine (mine:NOWHERE) could not be loaded" in json.loads(done.stdout)["error"]["message"]
    assert check("--rules", "ecr", "--json").returncode == 0  # sets that are named bring nobody else's


@pytest.mark.parametrize("text", ["\x1b[2J[red]", "a[/bold]b", "‮x"])
def test_what_resources_say_does_not_move_the_terminal(world: World, tmp_path: Path, text: str) -> None:
    world.see(repository(tags={"owner": text}))
    (tmp_path / "mine.yaml").write_text(RULES)
    status, out, _ = say("check", "--rules", "mine.yaml")
    assert status == 1
    assert "\x1b" not in out
    assert "‮" not in out


def test_a_ledger_that_cannot_be_written_can_be_checked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy for an auditor: what is concluded cannot go on record, which is said, and everything else is as ever."""
    world.see(repository("MUTABLE"))
    ledger = type(world.session.ledger)

    def refuse(*_words: Any) -> Any:
        raise ReadOnlyStore("read only")

    monkeypatch.setattr(ledger, "append", refuse)
    status, document = ask("--rules", "ecr")
    assert status == 1
    assert document["rules"]["recorded"] == 0
    assert document["rules"]["warnings"] == ["nothing was put on record: read only"]
    assert "nothing was put on record" in say("check", "--rules", "ecr")[2]
    assert ask("--rules", "ecr", "--no-record")[1]["rules"]["warnings"] == []


def test_the_hostile_file_is_refused(world: World, tmp_path: Path) -> None:
    world.see(repository())
    for text in ("rules: !!python/object/apply:os.system ['touch ran']", "rules: &a [*a]", "\0", "rules: [" * 3000):
        (tmp_path / "mine.yaml").write_text(text)
        with pytest.raises(BadInput):
            load_rules([str(tmp_path / "mine.yaml")])
    assert not (tmp_path / "ran").exists()
    huge = tmp_path / "huge.yaml"
    huge.write_text("# " + "x" * (5 * 1024 * 1024))
    with pytest.raises(BadInput, match="too large"):
        load_rules([str(huge)])
