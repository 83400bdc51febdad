"""Registering, approving, deploying and retiring, on a real ledger with a clock that the test moves."""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lineal import wiring
from lineal.app.add import add
from lineal.app.approve import MEANING, approve
from lineal.app.deploy import DeployOptions, deploy
from lineal.app.endpoints import current, serving_intervals
from lineal.app.erase import erase
from lineal.app.rebuild import rebuild
from lineal.app.register import Registration, register
from lineal.app.registry import approval_of, makers, runs_behind, stated
from lineal.app.retire import retire
from lineal.app.session import Session
from lineal.catalog.graph import NOW, Moment
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Node, Observation
from lineal.errors import AlreadyExists, BadDigest, BadInput, BadRef, InconsistentStore, Refused, UnknownRef

OS_USER = "root@test"
UNLIKE = "other@test"


class Clock:
    def __init__(self) -> None:
        self.minute = 0

    def __call__(self) -> str:
        return self.at(self.minute)

    @staticmethod
    def at(minute: int) -> str:
        return f"2026-03-03T14:{minute:02d}:00.000000Z"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(wiring, "now", made)
    return made


Opener = Callable[[str], Session]


@pytest.fixture
def speak(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
    """Give a session of somebody on the one ledger."""
    monkeypatch.chdir(tmp_path)
    wiring.create(wiring.Settings(), tmp_path, None)
    opened: list[Session] = []

    def open_as(actor: str) -> Session:
        session = wiring.open_session(wiring.Settings(ledger=str(tmp_path), actor=actor))
        opened.append(session)
        return session

    yield open_as
    for session in opened:
        session.close()


def write(name: str, content: str = "weights") -> Path:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(content)
    return Path(name)


def record_run(session: Session, *files: Path, run: str = "run:train-1", metrics: dict[str, str] | None = None) -> None:
    """Say that `run` made `files`, as `lineal run` does."""
    made = [Digest.of(file.read_bytes()) for file in files]
    refs = [f"file:{file}@{digest}" for file, digest in zip(files, made, strict=True)]
    session.say(
        Observation(
            type="run.finished/1",
            time=session.clock(),
            actor=session.actor,
            basis="observed",
            nodes=(
                Node(ref=run, basis="observed", detail={"activity": "training", "metrics": metrics or {}}),
                *(
                    Node(ref=ref, basis="observed", digest=digest, detail={"size": file.stat().st_size})
                    for file, ref, digest in zip(files, refs, made, strict=True)
                ),
            ),
            edges=tuple(Edge(run, ref, "generated") for ref in refs),
        )
    )


def released(session: Session, other: Session, name: str = "model:risk", content: str = "weights") -> str:
    """Register a model of this content, have it approved, and return its reference."""
    version = register(session, name, write("model.bin", content), Registration(), os_user=OS_USER).version.ref
    approve(other, version, reason="examined", os_user=UNLIKE)
    return version


def test_a_file_is_registered_under_its_own_digest_and_joined_with_the_run_that_made_it(speak: Opener) -> None:
    ana = speak("ana")
    file = write("out/model.bin")
    record_run(ana, file, metrics={"auc": "0.93"})
    made = register(ana, "model:risk", file, Registration(owner="credit", risk_tier="high"), os_user=OS_USER)
    assert made.version.ref == "model:risk@1"
    assert made.version.digest == "sha256:" + hashlib.sha256(b"weights").hexdigest()
    assert [run.ref for run in made.runs] == ["run:train-1"]
    assert made.metrics == {"auc": "0.93"}
    assert made.gaps == ()
    assert ana.objects.read(Digest.parse(made.version.digest)) == b"weights"
    said = stated(ana.catalog, made.version)
    assert (said["owner"], said["risk_tier"], said["stored"], said["metrics_from"]) == (
        "credit",
        "high",
        "object",
        "run:train-1",
    )
    edges = ana.catalog.edges_of(made.version.id)
    file_node = ana.catalog.with_digests([made.version.digest])[made.version.digest][-1]
    assert edges == [(file_node.id, made.version.id, "same_as")]


def test_a_folder_is_registered_by_its_manifest_and_derived_from_the_files_in_it(speak: Opener) -> None:
    ana = speak("ana")
    files = [write("export/weights.bin"), write("export/config.json", "{}")]
    record_run(ana, *files)
    made = register(ana, "model:llm", Path("export"), Registration(), os_user=OS_USER)
    assert stated(ana.catalog, made.version)["stored"] == "dataset"
    assert [run.ref for run in made.runs] == ["run:train-1"]
    assert {kind for _, _, kind in ana.catalog.edges_of(made.version.id)} == {"derived_from"}
    assert len(ana.catalog.edges_of(made.version.id)) == len(files)


def test_metrics_of_a_file_stand_before_those_of_the_run(speak: Opener) -> None:
    ana = speak("ana")
    record_run(ana, write("model.bin"), metrics={"auc": "0.1"})
    registration = Registration(metrics=write("validated.json", '{"auc": 0.9}'))
    assert register(ana, "model:risk", Path("model.bin"), registration, os_user=OS_USER).metrics == {"auc": "0.9"}


def test_a_model_of_unknown_origin_is_recorded_with_a_gap(speak: Opener) -> None:
    made = register(speak("ana"), "model:risk", write("model.bin"), Registration(), os_user=OS_USER)
    assert [gap.code for gap in made.gaps] == ["registry.unknown_origin"]
    assert made.runs == ()


def test_the_run_named_by_hand_is_joined_where_tracing_did_not_see_it(speak: Opener) -> None:
    ana = speak("ana")
    record_run(ana, write("other.bin", "other"), metrics={"auc": "0.8"})
    made = register(ana, "model:risk", write("model.bin"), Registration(origin="run:train-1"), os_user=OS_USER)
    assert [run.ref for run in made.runs] == ["run:train-1"]
    assert made.metrics == {"auc": "0.8"}
    assert made.gaps == ()
    with pytest.raises(UnknownRef):
        register(ana, "model:risk", write("more.bin", "more"), Registration(origin="run:none"), os_user=OS_USER)


def test_the_same_content_is_one_version_of_a_model_and_may_have_another_name(speak: Opener) -> None:
    ana = speak("ana")
    register(ana, "model:risk", write("model.bin"), Registration(), os_user=OS_USER)
    before = ana.ledger.reader.size()
    with pytest.raises(AlreadyExists, match="model:risk@1"):
        register(ana, "model:risk", write("copy.bin"), Registration(), os_user=OS_USER)
    assert ana.ledger.reader.size() == before
    assert (
        register(ana, "model:fraud", Path("copy.bin"), Registration(), os_user=OS_USER).version.ref == "model:fraud@1"
    )


@pytest.mark.parametrize(
    ("name", "path", "card", "error"),
    [
        ("model:risk@1", "model.bin", Registration(), BadRef),
        ("dataset:risk", "model.bin", Registration(), BadRef),
        ("model:risk", "absent.bin", Registration(), BadInput),
        ("model:risk", "model.bin", Registration(review_due="soon"), BadInput),
        ("model:risk", "model.bin", Registration(metrics=Path("absent.json")), BadInput),
    ],
)
def test_bad_input_is_refused_and_nothing_recorded(
    speak: Opener, name: str, path: str, card: Registration, error: type[Exception]
) -> None:
    ana = speak("ana")
    write("model.bin")
    before = ana.ledger.reader.size()
    with pytest.raises(error):
        register(ana, name, Path(path), card, os_user=OS_USER)
    assert ana.ledger.reader.size() == before


def test_versions_registered_at_the_same_time_get_different_numbers(speak: Opener) -> None:
    sessions = [speak(f"p{number}") for number in range(4)]
    files = [write(f"{number}.bin", str(number)) for number in range(4)]
    found: list[str] = []

    def make(session: Session, file: Path) -> None:
        found.append(register(session, "model:risk", file, Registration(), os_user=OS_USER).version.ref)

    threads = [threading.Thread(target=make, args=pair) for pair in zip(sessions, files, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [f"model:risk@{number}" for number in range(1, 5)]


def test_somebody_else_approves_and_the_model_is_joined_with_the_act(speak: Opener) -> None:
    ana, bo = speak("ana"), speak("bo")
    model = register(ana, "model:risk", write("model.bin"), Registration(), os_user=OS_USER).version
    made = approve(bo, "model:risk@1", reason="validated in March", os_user=UNLIKE)
    assert (made.approval.approved, made.approval.by, made.approval.meaning) == (True, "bo", MEANING)
    assert made.gaps == ()
    act = bo.catalog.resolve(made.run)
    assert (act.id, model.id, "approved") in bo.catalog.edges_of(model.id)
    assert act.detail["activity"] == "approval"


@pytest.mark.parametrize("reject", [False, True])
@pytest.mark.parametrize("who", ["ana", "ANA", "runner"])
def test_whoever_made_a_model_cannot_decide_on_it_and_the_attempt_is_on_record(
    speak: Opener, who: str, reject: bool
) -> None:
    ana = speak("ana")
    record_run(speak("runner"), write("model.bin"))
    model = register(ana, "model:risk", Path("model.bin"), Registration(), os_user=OS_USER).version
    assert set(makers(ana.catalog, model)) == {"ana", "runner"}
    with pytest.raises(Refused, match=who):
        approve(speak(who), "model:risk@1", reason="mine", os_user=OS_USER, reject=reject)
    assert approval_of(ana.catalog, model) is None
    assert ana.catalog.events(limit=1)[0]["type"] == "approval.refused/1"
    assert {kind for _, _, kind in ana.catalog.edges_of(model.id)} == {"same_as"}


def test_the_last_decision_stands_and_the_past_keeps_its_own(speak: Opener, clock: Clock) -> None:
    ana, bo, cy = speak("ana"), speak("bo"), speak("cy")
    model = register(ana, "model:risk", write("model.bin"), Registration(), os_user=OS_USER).version
    clock.minute = 10
    approve(bo, "model:risk@1", reason="good", os_user=UNLIKE)
    clock.minute = 20
    approve(cy, "model:risk@1", reason="drifts", os_user=UNLIKE, reject=True)
    decisions = [approval_of(ana.catalog, model, Moment(time=clock.at(minute))) for minute in (5, 15, 25)]
    assert [each and (each.decision, each.by) for each in decisions] == [None, ("approved", "bo"), ("rejected", "cy")]
    assert approval_of(ana.catalog, model) == decisions[-1]


@pytest.mark.parametrize(("text", "error"), [("endpoint:scorer", Refused), ("dataset:d@1", Refused)])
def test_only_models_are_approved(speak: Opener, text: str, error: type[Exception]) -> None:
    ana, bo = speak("ana"), speak("bo")
    released(ana, bo)
    deploy(ana, "endpoint:scorer", "model:risk@1", DeployOptions(), os_user=OS_USER)
    from lineal.app.snapshot import snapshot

    snapshot(ana, "dataset:d", write("d.csv"), keep=True)
    with pytest.raises(error, match="not a model"):
        approve(bo, text, reason="why not", os_user=UNLIKE)


def test_a_decision_names_a_version_and_a_reason(speak: Opener) -> None:
    ana, bo = speak("ana"), speak("bo")
    register(ana, "model:risk", write("model.bin"), Registration(), os_user=OS_USER)
    with pytest.raises(BadRef, match="no version"):
        approve(bo, "model:risk", reason="fine", os_user=UNLIKE)
    with pytest.raises(BadInput, match="reason"):
        approve(bo, "model:risk@1", reason="  ", os_user=UNLIKE)


def test_two_names_used_from_one_account_are_said_to_be(speak: Opener) -> None:
    ana, bo = speak("ana"), speak("bo")
    register(ana, "model:risk", write("model.bin"), Registration(), os_user=OS_USER)
    assert [gap.code for gap in approve(bo, "model:risk@1", reason="ok", os_user=OS_USER).gaps] == [
        "registry.one_account"
    ]


def test_what_nobody_approved_is_not_deployed_unless_somebody_says_why(speak: Opener) -> None:
    ana, bo = speak("ana"), speak("bo")
    register(ana, "model:risk", write("model.bin"), Registration(), os_user=OS_USER)
    before = ana.ledger.reader.size()
    with pytest.raises(Refused, match="nobody has approved"):
        deploy(ana, "endpoint:scorer", "model:risk@1", DeployOptions(), os_user=OS_USER)
    assert ana.ledger.reader.size() == before
    approve(bo, "model:risk@1", reason="bad", os_user=UNLIKE, reject=True)
    with pytest.raises(Refused, match="bo rejected it: bad"):
        deploy(ana, "endpoint:scorer", "model:risk@1", DeployOptions(), os_user=OS_USER)
    with pytest.raises(BadInput, match="reason"):
        deploy(ana, "endpoint:scorer", "model:risk@1", DeployOptions(unapproved=" "), os_user=OS_USER)
    made = deploy(ana, "endpoint:scorer", "model:risk@1", DeployOptions(unapproved="outage"), os_user=OS_USER)
    said = stated(ana.catalog, made.revision)
    assert said["unapproved"] == {"code": "endpoint.unapproved", "reason": "outage"}
    assert said["approval"]["decision"] == "rejected"


def test_an_endpoint_that_nobody_asked_has_a_gap(speak: Opener) -> None:
    ana = speak("ana")
    model = released(ana, speak("bo"))
    made = deploy(ana, "endpoint:scorer", model, DeployOptions(), os_user=OS_USER)
    assert made.url is None
    found = ana.catalog.gaps([made.revision.idx or 0])
    assert {gap["code"] for gap in found} == {"endpoint.not_probed", "endpoint.environment_unknown"}


def test_a_revision_is_identified_by_its_configuration_without_secrets(speak: Opener) -> None:
    ana = speak("ana")
    model = released(ana, speak("bo"))
    config = write("config.json", json.dumps({"threshold": 0.5, "db": {"password": "hunter22hunter"}}))
    first = deploy(ana, "endpoint:scorer", model, DeployOptions(config=config), os_user=OS_USER).revision
    again = deploy(ana, "endpoint:scorer", model, DeployOptions(config=config), os_user=OS_USER).revision
    write("config.json", json.dumps({"threshold": 0.6, "db": {"password": "hunter22hunter"}}))
    other = deploy(ana, "endpoint:scorer", model, DeployOptions(config=config), os_user=OS_USER).revision
    assert [first.ref, again.ref, other.ref] == [f"endpoint:scorer@{number}" for number in (1, 2, 3)]
    assert first.digest == again.digest != other.digest
    said = stated(ana.catalog, first)["configuration"]["config"]
    assert said["threshold"] == "0.5"
    assert "hunter22hunter" not in json.dumps(said)


def test_what_served_at_a_moment_is_one_lookup_and_nothing_serves_after_retirement(speak: Opener, clock: Clock) -> None:
    ana, bo = speak("ana"), speak("bo")
    model = released(ana, bo)
    for minute in (10, 20):
        clock.minute = minute
        deploy(ana, "endpoint:scorer", model, DeployOptions(), os_user=OS_USER)
    clock.minute = 30
    retire(ana, "endpoint:scorer", reason="moved", os_user=OS_USER)
    with pytest.raises(Refused, match="retired already"):
        retire(ana, "endpoint:scorer", reason="again", os_user=OS_USER)
    clock.minute = 40
    deploy(ana, "endpoint:scorer", model, DeployOptions(), os_user=OS_USER)

    def served(minute: int) -> str | None:
        try:
            return ana.catalog.resolve("endpoint:scorer", Moment(time=clock.at(minute))).version
        except UnknownRef:
            return None

    assert [served(minute) for minute in (5, 10, 19, 20, 29, 30, 39, 40, 59)] == [
        None, "1", "1", "2", "2", None, None, "3", "3"
    ]  # fmt: skip
    with pytest.raises(UnknownRef, match="ana retired it at 2026-03-03T14:30"):
        ana.catalog.resolve("endpoint:scorer", Moment(time=clock.at(35)))
    assert ana.catalog.resolve("endpoint:scorer@latest", Moment(time=clock.at(35))).version == "2"
    found = serving_intervals(ana.catalog, "scorer")
    assert [
        (each.revision.version, each.valid_from[14:16], each.valid_to and each.valid_to[14:16]) for each in found
    ] == [
        ("1", "10", "20"),
        ("2", "20", "30"),
        ("3", "40", None),
    ]
    assert current(ana.catalog, "scorer", Moment(time=clock.at(35))) is None
    before = serving_intervals(ana.catalog, "scorer", Moment(time=clock.at(15)))
    assert [(each.revision.version, each.valid_to) for each in before] == [("1", None)]


def test_what_was_never_deployed_cannot_be_retired(speak: Opener) -> None:
    with pytest.raises(UnknownRef):
        retire(speak("ana"), "endpoint:scorer", reason="why", os_user=OS_USER)


def test_a_deployment_reaches_the_model_its_approval_and_its_container(speak: Opener) -> None:
    ana = speak("ana")
    model = released(ana, speak("bo"))
    digest = "sha256:" + "ab" * 32
    add(ana, "container", "scorer", f"registry.example/scorer@{digest}", where=None, os_user=OS_USER)
    options = DeployOptions(container=f"registry.example/scorer@{digest}")
    made = deploy(ana, "endpoint:scorer", model, options, os_user=OS_USER)
    closure = ana.catalog.closure(made.revision.id, NOW, up=True)
    found = {view.ref for view in ana.catalog.views(closure.depths).values()}
    assert {"model:risk@1", f"container:scorer@{digest}"} <= found
    assert any(ref.startswith("run:approval-risk-") for ref in found)
    with pytest.raises(BadRef, match="not a container"):
        deploy(ana, "endpoint:scorer", model, DeployOptions(container="model:risk@1"), os_user=OS_USER)


def test_things_that_live_elsewhere_are_claimed_and_found_by_their_foreign_names(speak: Opener) -> None:
    ana = speak("ana")
    commit, where = "4f" * 20, "https://user:secret@git.example/risk"
    made = add(ana, "code", "risk", commit, where=where, os_user=OS_USER)
    assert (made.new, made.version.basis, made.version.version) == (True, "claimed", commit)
    assert ana.catalog.resolve(commit).id == made.version.id
    assert "secret" not in json.dumps(made.version.detail)
    assert not add(ana, "code", "risk", commit, where=where, os_user=OS_USER).new


@pytest.mark.parametrize(
    ("kind", "identity", "error"),
    [
        ("code", "main", BadInput),
        ("container", "scorer:latest", BadDigest),
        ("endpoint", "sha256:" + "0" * 64, BadInput),
    ],
)
def test_a_name_that_can_move_is_no_identity(speak: Opener, kind: str, identity: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        add(speak("ana"), kind, "thing", identity, where=None, os_user=OS_USER)


def test_runs_behind_a_version_are_those_of_its_own_bytes(speak: Opener) -> None:
    ana = speak("ana")
    record_run(ana, write("a.bin", "a"), run="run:a")
    record_run(ana, write("b.bin", "b"), run="run:b")
    version = register(ana, "model:risk", Path("b.bin"), Registration(), os_user=OS_USER).version
    assert [run.ref for run in runs_behind(ana.catalog, version)] == ["run:b"]


@pytest.mark.parametrize("spelling", ["ana ", " ana", "ANA", "\uff41na"])
def test_a_name_spelled_otherwise_is_the_same_person(speak: Opener, spelling: str) -> None:
    version = register(speak("ana"), "model:risk", write("model.bin"), Registration(), os_user=OS_USER).version.ref
    with pytest.raises(Refused, match="the same person registered it"):
        approve(speak(spelling), version, reason="mine", os_user=UNLIKE)


def test_whoever_registered_the_same_bytes_under_another_name_cannot_decide(speak: Opener) -> None:
    ana, bo = speak("ana"), speak("bo")
    register(ana, "model:risk", write("model.bin"), Registration(), os_user=OS_USER)
    version = register(bo, "model:other", write("model.bin"), Registration(), os_user=OS_USER).version.ref
    with pytest.raises(Refused, match="registered the same bytes as model:risk@1"):
        approve(ana, version, reason="mine", os_user=UNLIKE)


def test_what_people_write_loses_its_secrets(speak: Opener) -> None:
    secret = "https://ada:hunter2@wiki.example/x"
    ana, bo = speak("ana"), speak("bo")
    version = register(
        ana, "model:risk", write("model.bin"), Registration(intended_use=secret), os_user=OS_USER
    ).version.ref
    approve(bo, version, reason=secret, meaning=secret, os_user=UNLIKE)
    erase(bo, [2], reason=secret)
    said = [entry.body or b"" for entry in ana.ledger.reader.entries()]
    assert sum(b"wiki.example" in body for body in said) == 2
    assert not any(b"hunter2" in body for body in said)


def test_a_rejection_stands_though_the_clock_went_back(speak: Opener, clock: Clock) -> None:
    ana, bo, cy = speak("ana"), speak("bo"), speak("cy")
    clock.minute = 30
    version = released(ana, bo)
    clock.minute = 10
    decided = approve(cy, version, reason="it leaks", os_user=UNLIKE, reject=True)
    assert decided.approval.decision == "rejected"
    with pytest.raises(Refused, match="cy rejected it: it leaks"):
        deploy(ana, "endpoint:scorer", version, DeployOptions(url="http://127.0.0.1:9"), os_user=OS_USER)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE catalog_fact SET type = 'model.approved/1' WHERE type = 'model.rejected/1'",
        "DELETE FROM catalog_fact WHERE type = 'model.rejected/1'",
        "UPDATE catalog_fact SET actor = 'mallory' WHERE type = 'model.registered/1'",
        "UPDATE catalog_fact SET idx = idx + 1000 WHERE type = 'model.rejected/1'",
    ],
)
def test_a_catalog_that_lies_about_a_model_gets_nothing_deployed_or_decided(speak: Opener, change: str) -> None:
    ana, bo, cy = speak("ana"), speak("bo"), speak("cy")
    version = released(ana, bo)
    approve(cy, version, reason="it leaks", os_user=UNLIKE, reject=True)
    size = ana.ledger.reader.size()
    with closing(sqlite3.connect(ana.ledger.home.root / "catalog.db")) as catalog, catalog:
        assert catalog.execute(change).rowcount > 0
    with pytest.raises(InconsistentStore, match="entry") as caught:
        deploy(ana, "endpoint:scorer", version, DeployOptions(), os_user=OS_USER)
    assert "lineal rebuild" in caught.value.hint
    with pytest.raises(InconsistentStore, match="entry"):
        approve(bo, version, reason="fine", os_user=UNLIKE)
    assert ana.ledger.reader.size() == size
    rebuild(ana)
    with pytest.raises(Refused, match="cy rejected it"):
        deploy(ana, "endpoint:scorer", version, DeployOptions(), os_user=OS_USER)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM catalog_fact WHERE type = 'model.registered/1' AND actor = 'ana'",
        "UPDATE catalog_fact SET actor = 'mallory' WHERE type = 'run.finished/1' AND detail LIKE '%training%'",
    ],
)
def test_whoever_made_a_model_is_not_hidden_by_the_catalog(speak: Opener, change: str) -> None:
    ana, bo = speak("ana"), speak("bo")
    record_run(speak("runner"), write("model.bin"))
    register(ana, "model:risk", Path("model.bin"), Registration(), os_user=OS_USER)
    version = register(bo, "model:other", Path("model.bin"), Registration(), os_user=OS_USER).version.ref
    with closing(sqlite3.connect(ana.ledger.home.root / "catalog.db")) as catalog, catalog:
        assert catalog.execute(change).rowcount > 0
    with pytest.raises(InconsistentStore, match="entry"):
        approve(ana, version, reason="mine", os_user=UNLIKE)


def test_a_rejection_whose_words_were_erased_is_still_one(speak: Opener) -> None:
    ana, bo, cy = speak("ana"), speak("bo"), speak("cy")
    version = released(ana, bo)
    made = approve(cy, version, reason="names a customer", os_user=UNLIKE, reject=True)
    erase(cy, [made.approval.entry], reason="personal data")
    with pytest.raises(Refused, match="rejected last"):
        deploy(ana, "endpoint:scorer", version, DeployOptions(), os_user=OS_USER)
    approve(bo, version, reason="mended", os_user=UNLIKE)
    assert deploy(ana, "endpoint:scorer", version, DeployOptions(), os_user=OS_USER).revision.version == "1"


def test_with_a_clock_that_went_back_nothing_is_deployed(speak: Opener, clock: Clock) -> None:
    ana, bo = speak("ana"), speak("bo")
    version = released(ana, bo)
    clock.minute = 30
    deploy(ana, "endpoint:scorer", version, DeployOptions(), os_user=OS_USER)
    size = ana.ledger.reader.size()
    clock.minute = 29
    with pytest.raises(Refused, match="clock went back"):
        deploy(ana, "endpoint:scorer", version, DeployOptions(), os_user=OS_USER)
    assert ana.ledger.reader.size() == size
    assert deploy(ana, "endpoint:other", version, DeployOptions(), os_user=OS_USER).revision.version == "1"


def test_with_a_clock_a_little_back_the_new_revision_begins_just_after_the_last(
    speak: Opener, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, bo = speak("ana"), speak("bo")
    version = released(ana, bo)
    clock.minute = 30
    first = deploy(ana, "endpoint:scorer", version, DeployOptions(), os_user=OS_USER).revision
    monkeypatch.setattr(Clock, "at", staticmethod(lambda _minute: "2026-03-03T14:29:59.000001Z"))
    made = deploy(ana, "endpoint:scorer", version, DeployOptions(), os_user=OS_USER)
    assert made.revision.time == "2026-03-03T14:30:00.000001Z"
    assert made.replaced is not None
    assert (made.replaced.ref, made.replaced.time) == (first.ref, "2026-03-03T14:30:00.000000Z")
    assert ana.catalog.resolve("endpoint:scorer").ref == made.revision.ref
    assert [gap.code for gap in made.gaps] == ["clock.went_back"]
    assert "clock.went_back" in {gap["code"] for gap in ana.catalog.gaps([made.revision.idx or 0])}


def test_the_metrics_of_a_folder_are_of_the_run_that_made_most_of_it(speak: Opener, clock: Clock) -> None:
    ana = speak("ana")
    weights, config = write("export/weights.bin", "weights" * 100), write("export/config.json", "{}")
    record_run(ana, weights, run="run:train", metrics={"auc": "0.9"})
    clock.minute = 5
    record_run(ana, config, run="run:evaluate", metrics={"auc": "0.1"})
    made = register(ana, "model:llm", Path("export"), Registration(), os_user=OS_USER)
    assert made.metrics == {"auc": "0.9"}
    assert stated(ana.catalog, made.version)["metrics_from"] == "run:train"
    assert {run.ref for run in made.runs} == {"run:train", "run:evaluate"}


def test_a_retirement_does_not_reach_back_before_what_it_retires(speak: Opener, clock: Clock) -> None:
    ana, bo = speak("ana"), speak("bo")
    model = released(ana, bo)
    clock.minute = 30
    deploy(ana, "endpoint:scorer", model, DeployOptions(), os_user=OS_USER)
    clock.minute = 10
    with pytest.raises(Refused, match="clock went back"):
        retire(ana, "endpoint:scorer", reason="moved", os_user=OS_USER)
    assert ana.catalog.resolve("endpoint:scorer").version == "1"
