"""The completeness card: a whole life is complete, and whatever is taken away from it is missed."""

import io
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from lifecycle import Team, team_in
from lineal.app import witness
from lineal.app.card import Card, Row
from lineal.app.check import check, check_all
from lineal.app.verify import verify_all, verify_one
from lineal.catalog.graph import Moment
from lineal.cli.card_picture import print_card
from lineal.core.digest import Digest
from lineal.core.observation import Gap, Node
from lineal.errors import BadRef, UnknownRef
from lineal.wire.documents import describe_card

ENDPOINT = "endpoint:scorer"


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with team_in(tmp_path) as found:
        yield found


def card_of(team: Team, text: str = ENDPOINT, **options: bool) -> Card:
    team.publish()
    return check(team.session, text, **options)


def row(card: Card, phase: str, artifact: str, role: str | None = None) -> Row:
    found = [each for each in card.rows if (each.phase, each.artifact, each.role) == (phase, artifact, role)]
    assert len(found) == 1, [(each.phase, each.artifact, each.role) for each in card.rows]
    return found[0]


def failed(card: Card) -> set[tuple[str, str]]:
    return {(each.phase, each.artifact) for each in card.rows if each.failed}


def codes(card: Card, *, failures: bool = True) -> set[str]:
    return {finding.code for finding in card.findings if finding.failed is failures}


def test_a_whole_life_is_complete(team: Team) -> None:
    team.cycle(1)
    card = card_of(team)
    assert card.complete
    assert card.findings == ()
    assert [(each.phase, each.artifact, each.role) for each in card.rows] == [
        ("data processing", "code", None),
        ("data processing", "dataset", "input"),
        ("data processing", "environment", None),
        ("data processing", "parameters", None),
        ("data processing", "run", None),
        ("data processing", "dataset", "output"),
        ("training", "code", None),
        ("training", "dataset", "input"),
        ("training", "environment", None),
        ("training", "parameters", None),
        ("training", "run", None),
        ("training", "model", None),
        ("deployment", "code", None),
        ("deployment", "environment", None),
        ("deployment", "run", None),
        ("deployment", "model", None),
        ("deployment", "approval", None),
        ("deployment", "endpoint configuration", None),
    ]
    for each in card.rows:
        assert (each.tracked, each.immutable, each.retrievable, each.verified) == (True, True, True, True), each
        assert None not in (each.ref, each.basis, each.digest, each.time, each.actor), each
        assert (each.missing, each.fill) == (None, None)
    assert row(card, "deployment", "approval").actor == "bob"


def test_a_model_need_not_be_deployed_and_says_where_it_is(team: Team) -> None:
    team.cycle(1, deploy=False)
    card = card_of(team, "model:risk@1")
    assert card.complete
    configuration = row(card, "deployment", "endpoint configuration")
    assert (configuration.required, configuration.tracked) == (False, False)
    assert configuration.fill == "lineal deploy endpoint:NAME model:risk@1 -- python serve.py {model} {port}"
    team.deploy(replace(team.cycle(2, deploy=False), version="2"), 1)
    again = row(card_of(team, "model:risk@2"), "deployment", "endpoint configuration")
    assert again.how == "deployed as endpoint:scorer@1"


def test_each_life_has_its_own_runs(team: Team) -> None:
    team.cycle(1)
    team.cycle(2)
    for number in (1, 2):
        card = card_of(team, f"endpoint:scorer@{number}")
        assert card.complete
        assert row(card, "training", "run").ref == f"run:train-{number}"
        assert row(card, "data processing", "run").ref == f"run:prepare-{number}"
        assert row(card, "data processing", "dataset", "input").ref == f"dataset:raw@{number}"
    assert row(card, "training", "code").how == f"commit {2:040d}"[:19] + " and uncommitted changes: tree kept"


def test_bytes_made_twice_are_of_the_run_before(team: Team) -> None:
    team.cycle(1)
    clean = team.file("clean.csv", b"clean 1")
    team.run("prepare", [], [clean])
    assert row(card_of(team), "data processing", "run").ref == "run:prepare-1"


def test_a_folder_is_of_the_run_that_made_most_of_it(team: Team) -> None:
    weights, config = team.file("out/weights.bin", b"weights" * 100), team.file("out/config.json", b"{}")
    team.run("train", [], [weights, config])
    team.run("other", [], [team.file("o.json", b"{}")])
    folder = team.tree("model:risk", {"weights.bin": b"weights" * 100, "config.json": b"{}"}, version="1")
    same = Node(ref=f"file:o.json@{config.digest}", basis="observed", digest=config.digest)
    edges = [(each.ref, folder.ref, "derived_from") for each in (weights, config, same)]
    team.say("model.registered/1", [folder], edges)
    assert row(card_of(team, "model:risk@1"), "training", "run").ref == "run:train-1"


def test_a_dataset_of_several_runs_has_them_all_as_its_processing(team: Team) -> None:
    left, right = team.file("d/left.csv", b"left"), team.file("d/right.csv", b"right!")
    team.run("one", [], [left])
    team.run("two", [], [right])
    data = team.tree("dataset:both", {"left.csv": b"left", "right.csv": b"right!"}, version="1")
    team.say("dataset.snapshotted/1", [data], [(each.ref, data.ref, "derived_from") for each in (left, right)])
    pickle = team.file("model.pkl", b"model")
    team.run("train", [data], [pickle])
    team.register(pickle, 1)
    card = card_of(team, "model:risk@1")
    runs = [each.ref for each in card.rows if (each.phase, each.artifact) == ("data processing", "run")]
    assert runs == ["run:one-1", "run:two-1"]


def test_without_a_training_run_everything_of_it_is_missing(team: Team) -> None:
    model = team.register(team.file("model.pkl", b"model"), 1)
    team.decide(model)
    card = card_of(team, "model:risk@1")
    work = {"code", "dataset", "environment", "parameters", "run"}
    assert failed(card) == {(phase, each) for phase in ("data processing", "training") for each in work}
    assert row(card, "training", "run").fill == "lineal run --name train -- python train.py"
    assert row(card, "data processing", "run").fill == "lineal run --name prepare -- python prepare.py"
    assert row(card, "training", "model").holds


def test_a_dataset_that_nobody_made_enters_as_raw(team: Team) -> None:
    raw = team.dataset("raw", {"a.csv": b"1"})
    pickle = team.file("model.pkl", b"model")
    team.run("train", [raw, team.code({"train.py": b"t"}), team.environment()], [pickle])
    team.decide(team.register(pickle, 1))
    card = card_of(team, "model:risk@1")
    assert card.complete
    assert row(card, "data processing", "dataset", "input").ref == "dataset:raw@1"
    assert row(card, "data processing", "run").how == "not applicable: the dataset enters as raw"


def test_parts_of_a_run_that_are_not_recorded_are_missing(team: Team) -> None:
    pickle = team.file("model.pkl", b"model")
    team.run("train", [], [pickle], parameters={"lr": "1"}, without=["parameters"])
    team.decide(team.register(pickle, 1))
    card = card_of(team, "model:risk@1")
    missed = {artifact for phase, artifact in failed(card) if phase == "training"}
    assert missed == {"code", "dataset", "environment", "parameters"}
    assert row(card, "training", "code").fill == "lineal run --name train -- python train.py --lr=1"


def test_dirty_code_whose_tree_was_not_kept_is_not_fixed(team: Team) -> None:
    pickle = team.file("model.pkl", b"model")
    code = team.tree("code:risk", {"train.py": b"t"}, keep=False, detail={"commit": "ab" * 20, "dirty": True})
    team.run("train", [code], [pickle])
    team.register(pickle, 1)
    found = row(card_of(team, "model:risk@1"), "training", "code")
    assert (found.immutable, found.failed) == (False, True)
    assert found.how == "commit abababababab and uncommitted changes: tree not kept"


@pytest.mark.parametrize(
    ("submodules", "how"),
    [([], "commit abababababab and untracked files: tree not kept"), ([{}], "commit abababababab")],
)
def test_a_commit_does_not_fix_files_that_it_has_not(team: Team, submodules: list[object], how: str) -> None:
    pickle = team.file("model.pkl", b"model")
    detail = {"commit": "ab" * 20, "dirty": False, "tracked": 1, "files": 2, "submodules": submodules}
    code = team.tree("code:risk", {"train.py": b"t"}, keep=False, detail={**detail, "toplevel": str(team.folder)})
    team.run("train", [code], [pickle])
    team.register(pickle, 1)
    found = row(card_of(team, "model:risk@1"), "training", "code")
    assert (found.how, found.immutable) == (how, bool(submodules))


def test_dirty_source_is_not_looked_for_in_its_commit(team: Team) -> None:
    repository = team.folder / "repository"
    repository.mkdir()
    command = ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "one"]):
        subprocess.run([*command, *words], check=True, capture_output=True)
    said = subprocess.run([*command, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    detail = {"commit": said.stdout.strip(), "dirty": True, "toplevel": str(repository)}
    code = team.tree("code:risk", {"train.py": b"t"}, keep=False, detail=detail)
    shutil.rmtree(team.folder / "code-risk")
    pickle = team.file("model.pkl", b"model")
    team.run("train", [code], [pickle])
    team.register(pickle, 1)
    assert row(card_of(team, "model:risk@1"), "training", "code").retrievable is False


def test_a_configuration_that_has_not_its_digest_is_not_verified(team: Team) -> None:
    pickle = team.file("model.pkl", b"model")
    model = team.register(pickle, 1)
    team.deploy(model, 1, configuration={"command": ["other"]})
    found = row(card_of(team), "deployment", "endpoint configuration")
    assert (found.verified, found.failed) == (False, True)


def test_whoever_ran_the_training_cannot_have_approved(team: Team) -> None:
    pickle = team.file("model.pkl", b"model")
    team.run("train", [], [pickle])  # by ann
    model = team.register(pickle, 1, by="carl")
    team.decide(model, by="ann")
    assert "approval.same_identity" in codes(card_of(team, "model:risk@1"))


def test_a_clean_commit_in_the_repository_is_a_second_source(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(team.folder))
    repository = team.folder / "repository"
    repository.mkdir()
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]

    def git(*words: str) -> str:
        command = ["git", "-C", str(repository), *identity, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "one")
    pickle = team.file("model.pkl", b"model")
    for commit, here in ((git("rev-parse", "HEAD"), True), ("ab" * 20, False)):
        detail = {"commit": commit, "dirty": False, "toplevel": str(repository)}
        code = team.tree("code:risk", {"train.py": commit.encode()}, keep=False, detail=detail)
        shutil.rmtree(team.folder / "code-risk")
        team.run("train", [code], [pickle])
        if here:
            team.register(pickle, 1)
            found = row(card_of(team, "model:risk@1"), "training", "code")
            assert (found.how, found.where) == (f"commit {commit[:12]}", f"commit in {repository}")
        else:
            team.register(team.file("other.pkl", b"other"), 2)
            team.run("train", [code], [team.file("other.pkl", b"other")])
            found = row(card_of(team, "model:risk@2"), "training", "code")
        assert (found.immutable, found.retrievable, found.failed) == (True, here, not here)


def test_a_container_stands_for_an_environment(team: Team) -> None:
    digest = Digest.of(b"image")
    image = Node(ref=f"container:acme/train@{digest}", basis="observed", digest=digest, detail={"image": "acme/train"})
    raw, pickle = team.dataset("raw", {"a.csv": b"1"}), team.file("model.pkl", b"model")
    team.run("train", [raw, team.code({"train.py": b"t"}), image], [pickle])
    team.decide(team.register(pickle, 1))
    card = card_of(team, "model:risk@1")
    assert card.complete
    found = row(card, "training", "container")
    assert (found.immutable, found.retrievable, found.verified) == (True, None, None)


def test_reference_only_data_is_hashed_where_it_lies(team: Team) -> None:
    raw = team.dataset("raw", {"a.csv": b"1", "b.csv": b"2"}, keep=False)
    pickle = team.file("model.pkl", b"model")
    team.run("train", [raw, team.code({"train.py": b"t"}), team.environment()], [pickle])
    team.decide(team.register(pickle, 1))
    found = row(card_of(team, "model:risk@1"), "training", "dataset", "input")
    assert (found.retrievable, found.verified) == (True, True)
    place = team.folder / "dataset-raw"
    assert found.where == str(place / "a.csv")

    (place / "a.csv").write_bytes(b"x")
    found = row(card_of(team, "model:risk@1"), "training", "dataset", "input")
    assert (found.tracked, found.immutable, found.retrievable, found.verified) == (True, True, False, False)
    assert found.missing is not None
    assert found.missing.startswith(f"1 of 2 files: {place / 'a.csv'} has other bytes now")

    (place / "a.csv").unlink()
    found = row(card_of(team, "model:risk@1"), "training", "dataset", "input")
    assert (found.retrievable, found.verified) == (False, None)
    assert found.fill == f"lineal snapshot dataset:raw {place}"


def test_a_damaged_object_is_found_and_a_lost_one_is_missing(team: Team) -> None:
    model = team.cycle(1)
    assert model.digest is not None
    (loose,) = team.session.objects.root.rglob(model.digest.hex[2:])
    loose.chmod(0o600)
    loose.write_bytes(b"forged!")
    found = row(card_of(team), "training", "model")
    assert (found.retrievable, found.verified, found.failed) == (False, False, True)
    loose.unlink()
    assert row(card_of(team), "training", "model").where == model.detail["path"]  # the file itself is still there
    Path(model.detail["path"]).unlink()
    found = row(card_of(team), "training", "model")
    assert (found.tracked, found.retrievable, found.verified) == (True, False, None)
    assert failed(card_of(team)) == {("training", "model"), ("deployment", "model")}


def test_what_a_run_printed_must_still_be_there(team: Team) -> None:
    raw, pickle = team.dataset("raw", {"a.csv": b"1"}), team.file("model.pkl", b"model")
    printed = team.session.objects.put_bytes(b"epoch 1")
    used = [raw, team.code({"train.py": b"t"}), team.environment()]
    team.run("train", used, [pickle], objects={"stdout": str(printed)})
    team.register(pickle, 1)
    found = row(card_of(team, "model:risk@1"), "training", "run")
    assert (found.retrievable, found.verified) == (True, True)
    (loose,) = team.session.objects.root.rglob(printed.hex[2:])
    loose.unlink()
    found = row(card_of(team, "model:risk@1"), "training", "run")
    assert (found.retrievable, found.failed, found.missing) == (False, True, f"{printed} is not in the object store")


def test_a_gap_of_the_registry_is_told(team: Team) -> None:
    pickle = team.file("model.pkl", b"model")
    model = team.register(pickle, 1)
    team.say("model.approved/1", [model], by="bob", gaps=[Gap("registry.one_account", "one account", model.ref)])
    findings = card_of(team, "model:risk@1").findings
    assert [(each.code, each.about) for each in findings] == [("gap.registry.one_account", "model:risk@1")]


def test_what_is_not_signed_is_not_verified(team: Team) -> None:
    team.cycle(1)
    pickle = team.file("other.pkl", b"other")
    team.run("train", [], [pickle], parameters={"lr": "1"})
    team.register(pickle, 2)
    unsigned = check(team.session, "model:risk@2")
    assert row(unsigned, "training", "run").verified is False
    assert row(unsigned, "training", "model").fill == "lineal verify"
    assert row(card_of(team, "model:risk@2"), "training", "run").verified is True


@pytest.mark.parametrize("table", ["entry", "body"])
def test_a_changed_entry_is_not_verified_though_the_catalog_stands(team: Team, table: str) -> None:
    team.cycle(1)
    assert card_of(team).complete  # the catalog has followed the log by now, and will not read it again
    run = team.session.catalog.resolve("run:train-1")
    entry = max(fact.idx for fact in team.session.catalog.facts([run.id]))
    with closing(sqlite3.connect(team.session.ledger.home.ledger_file)) as connection, connection:
        query = f"SELECT bytes FROM {table} WHERE idx = ?"
        ((content,),) = connection.execute(query, (entry,)).fetchall()
        changed = bytes(content).replace(b'"', b"'", 1)
        assert connection.execute(f"UPDATE {table} SET bytes = ? WHERE idx = ?", (changed, entry)).rowcount == 1
    card = check(team.session, ENDPOINT)
    assert not card.complete
    found = row(card, "training", "run")
    assert (found.tracked, found.verified, found.fill) == (True, False, "lineal verify")


def test_a_catalog_that_was_changed_shows_nothing(team: Team) -> None:
    pickle = team.file("model.pkl", b"model")
    team.run("train", [], [pickle])
    model = team.register(pickle, 1)
    team.decide(model, approve=False)
    team.session.ledger.publish()
    assert not verify_one(team.session, "model:risk@1").findings
    with team.session.catalog_database.writing() as connection:
        connection.exec_driver_sql("UPDATE catalog_fact SET type = 'model.approved/1' WHERE type = 'model.rejected/1'")
    approval = row(card_of(team, "model:risk@1"), "deployment", "approval")
    assert approval.verified is False
    assert approval.fill == "lineal verify"
    assert {each.code for each in verify_one(team.session, "model:risk@1").findings} == {"catalog.differs"}


def _lost(team: Team) -> list[set[str]]:
    """Return the codes of what failed, of all and of the model."""
    findings = verify_all(team.session, lambda *_: None), verify_one(team.session, "model:risk@1").findings
    return [{each.code for each in found if each.failed} for found in findings]


def test_a_patch_that_only_the_second_statement_of_a_source_names_must_be_there(team: Team) -> None:
    team.session.objects.put_bytes(b"first")
    patch = team.session.objects.put_bytes(b"second, of another commit")
    code = team.code({"train.py": b"t"})
    pickle = team.file("model.pkl", b"model")
    for digest in (Digest.of(b"first"), patch):
        team.run("train", [replace(code, detail={**code.detail, "objects": {"patch": str(digest)}})], [pickle])
    team.register(pickle, 1)
    team.session.ledger.publish()
    assert _lost(team) == [set(), set()]
    (loose,) = team.session.objects.root.rglob(patch.hex[2:])
    loose.unlink()
    assert _lost(team) == [{"objects.missing"}, {"objects.missing"}]


def test_a_lost_file_of_a_dataset_is_missing(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    data = team.dataset("raw", {"a.csv": b"1", "b.csv": b"22"})
    pickle = team.file("model.pkl", b"model")
    team.run("train", [data], [pickle])
    team.register(pickle, 1)
    team.session.ledger.publish()
    lost = Digest.of(b"22")
    assert _lost(team) == [set(), set()]
    has = team.session.objects.has
    monkeypatch.setattr(team.session.objects, "has", lambda digest: digest != lost and has(digest))
    assert _lost(team)[0] == {"objects.missing"}


def test_bytes_over_the_limit_are_read_only_when_asked(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.cycle(1)
    monkeypatch.setattr(witness, "MAX_BYTES", 3)
    found = row(card_of(team), "training", "model")
    assert (found.retrievable, found.verified, found.failed) == (True, None, False)
    assert row(card_of(team, deep=True), "training", "model").verified is True


def test_very_many_files_are_one_row(team: Team) -> None:
    files = [team.file(f"part-{number:02d}.csv", b"%d" % number, keep=False) for number in range(12)]
    pickle = team.file("model.pkl", b"model")
    team.run("train", [*files, team.code({"train.py": b"t"}), team.environment()], [pickle])
    team.register(pickle, 1)
    found = row(card_of(team, "model:risk@1"), "training", "dataset", "input")
    assert (found.how, found.holds) == ("12 files, each by digest", True)
    (team.folder / "part-07.csv").write_bytes(b"x")
    found = row(card_of(team, "model:risk@1"), "training", "dataset", "input")
    assert found.failed
    assert found.ref == f"file:part-07.csv@{Digest.of(b'7')} and 11 more files"


@pytest.mark.parametrize(
    ("decisions", "after", "expected"),
    [
        ([], [], "approval.missing"),
        ([], [("bob", True)], "approval.late"),
        ([("ann", True)], [], "approval.same_identity"),
        ([("Ann", True)], [], "approval.same_identity"),
        ([("bob", True), ("eve", False)], [], "approval.rejected"),
        ([("bob", True)], [("eve", False)], "approval.withdrawn"),
    ],
)
def test_approvals_that_do_not_stand(
    team: Team, decisions: list[tuple[str, bool]], after: list[tuple[str, bool]], expected: str
) -> None:
    pickle = team.file("model.pkl", b"model")
    team.run("train", [], [pickle])
    model = team.register(pickle, 1)
    for by, approve in decisions:
        team.decide(model, by=by, approve=approve)
    team.deploy(model, 1)
    for by, approve in after:
        team.decide(model, by=by, approve=approve)
    card = card_of(team)
    assert codes(card) == {expected}
    approved_before = any(approve for _, approve in decisions) and expected != "approval.rejected"
    assert row(card, "deployment", "approval").failed is not approved_before


def test_findings_of_runs_and_of_what_is_served(team: Team) -> None:
    claimed = Node(ref=f"file:x.csv@{Digest.of(b'x')}", basis="claimed", digest=Digest.of(b"x"))
    pickle = team.file("model.pkl", b"model")
    gaps = [Gap("capture.stat_only", "seen in part", "x"), Gap("capture.stat_only", "seen in part", "y")]
    team.run("train", [claimed], [pickle], gaps=gaps, complete=False, exit_status=3)
    model = team.register(pickle, 1)
    team.decide(model)
    team.deploy(model, 1, model_check="mismatch")
    card = card_of(team)
    assert codes(card) == {"endpoint.digest_mismatch"}
    known = {"run.incomplete", "run.failed", "gap.capture.stat_only", "basis.claimed"}
    assert codes(card, failures=False) == known
    gap = next(finding for finding in card.findings if finding.code == "gap.capture.stat_only")
    assert (gap.about, gap.explanation) == ("run:train-1", "seen in part: x, y")
    team.deploy(model, 2, model_check="not asked")
    assert "endpoint.digest_unknown" in codes(card_of(team), failures=False)


def test_the_past_is_checked_as_it_was(team: Team) -> None:
    team.cycle(1)
    then = Moment(time=team.session.clock())
    team.cycle(2)
    card = check(team.session, ENDPOINT, then)
    assert (card.ref, card.complete) == ("endpoint:scorer@1", True)


def test_without_a_name_all_that_serves_is_checked(team: Team) -> None:
    assert list(check_all(team.session)) == []
    team.cycle(1)
    team.cycle(2)
    team.register(team.file("later.pkl", b"later"), 3)
    team.publish()
    cards = list(check_all(team.session))
    assert [(card.ref, card.complete) for card in cards] == [("endpoint:scorer@2", True), ("model:risk@3", False)]
    endpoint = team.session.catalog.resolve(ENDPOINT)
    team.say("endpoint.retired/1", [Node(ref=endpoint.canonical, basis="claimed")])
    assert [card.ref for card in check_all(team.session)] == ["model:risk@3"]


def test_only_models_and_endpoints_have_a_card(team: Team) -> None:
    team.cycle(1)
    with pytest.raises(BadRef, match="is a dataset"):
        check(team.session, "dataset:raw")
    with pytest.raises(UnknownRef):
        check(team.session, "model:none")


def test_the_card_is_printed_for_every_terminal(team: Team) -> None:
    team.cycle(1)
    complete = card_of(team)
    pickle = team.file("bad.pkl", b"bad")
    team.register(pickle, 2)
    incomplete = card_of(team, "model:risk@2")
    for encoding, yes, no in (("utf-8", "✓", "✗"), ("ascii", "yes", "NO")):
        for width in (80, 200):
            texts = []
            for card in (complete, incomplete):
                raw = io.BytesIO()
                stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
                print_card(card, Console(file=stream, width=width, force_terminal=True, color_system=None))
                stream.flush()
                texts.append(raw.getvalue().decode(encoding))
            assert max(len(line) for text in texts for line in text.splitlines()) <= width
            assert yes in texts[0]
            assert no not in texts[0]
            assert no in texts[1]
            assert "lineal run --name train -- python train.py" in texts[1]


def test_the_document_of_a_card_has_its_documented_keys(team: Team) -> None:
    team.cycle(1)
    document = describe_card(card_of(team))
    assert list(document) == ["ref", "digest", "complete", "rows", "findings"]
    names = "phase artifact role step ref required holds tracked immutable retrievable verified how where basis digest"
    assert list(document["rows"][0]) == [*names.split(), "time", "actor", "missing", "fill"]
