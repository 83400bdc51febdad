"""`lineal collect sagemaker` against moto over HTTP: one graph, each thing once, every change with its time."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sagemaker_life import (
    ACCOUNT,
    BUCKET,
    COMMIT,
    DATA,
    DIGEST,
    IMAGE,
    PREFIX,
    Account,
    ago,
    codes,
    ledger_in,
    look,
    use,
)

from lineal.app.check import check
from lineal.app.endpoints import current, serving_intervals
from lineal.app.register import Registration, register
from lineal.app.session import Session
from lineal.catalog.reader import NodeView
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Node, Observation
from lineal.core.timestamp import spell
from lineal.datasets.snapshot import snapshot
from lineal.errors import UnknownRef
from servers.moto import REGION, moto_server

JOB = f"run:sagemaker-training-job-{REGION}-{ACCOUNT}-Train-1"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with moto_server() as moto:
        use(monkeypatch, moto.environment())
        found = Account(moto)
        found.bucket()
        yield found


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with ledger_in(tmp_path / "ledger") as opened:
        yield opened


def upstream(session: Session, text: str) -> set[str]:
    catalog = session.catalog
    reached = catalog.closure(catalog.resolve(text).id, up=True).depths
    return {f"{view.kind}:{view.name}" for view in catalog.views(reached).values()}


def test_everything_behind_an_endpoint_is_one_graph(account: Account, session: Session) -> None:
    account.to_production()
    look(session)
    assert upstream(session, "endpoint:Scorer") >= {
        "model:Risk", "model:risk-1", f"file:{DATA}", JOB, f"dataset:s3://{BUCKET}/clean", f"container:{IMAGE}",
        f"run:sagemaker-processing-job-{REGION}-{ACCOUNT}-Prep-1", f"dataset:s3://{BUCKET}/raw",
        f"code:s3://{BUCKET}/code/prep.py", "code:github.com/acme/risk",
    }  # fmt: skip


def test_every_arn_and_address_finds_its_thing(account: Account, session: Session) -> None:
    package = account.to_production()
    look(session)
    resolve = session.catalog.resolve
    assert resolve(f"{PREFIX}endpoint/Scorer").ref == "endpoint:Scorer@1"
    assert resolve(f"{PREFIX}training-job/Train-1").canonical == JOB
    assert resolve(package).ref == resolve(f"{PREFIX}model-package-group/Risk").ref == "model:Risk@1"
    assert resolve(f"{PREFIX}model/risk-1").name == "risk-1"
    assert resolve(f"{PREFIX}endpoint-config/first").kind == "file"
    assert resolve(DATA).kind == "file"
    assert resolve(f"s3://{BUCKET}/clean").ref == resolve(f"s3://{BUCKET}/clean/").ref
    assert resolve(f"{IMAGE}@{DIGEST}").digest == DIGEST
    assert resolve(COMMIT).name == "github.com/acme/risk"


def test_looking_again_records_nothing(account: Account, session: Session) -> None:
    account.to_production()
    assert look(session).recorded > 5
    assert look(session).recorded == 0
    assert look(session, since=ago(60 * 24)).recorded == 0


def test_what_is_new_is_recorded_without_the_rest(account: Account, session: Session) -> None:
    account.to_production()
    look(session)
    account.train("Train-2")
    done = look(session)
    assert done.recorded == 1
    assert session.catalog.resolve(f"{PREFIX}training-job/Train-2").kind == "run"


def test_parameters_metrics_and_times_are_those_of_a_run(account: Account, session: Session) -> None:
    account.to_production()
    look(session)
    detail = session.catalog.resolve(JOB).detail
    assert detail["parameters"]["lr"] == {"value": "0.1", "origin": "sagemaker"}
    assert detail["metrics"] == {"train:progress": "100.0"}
    assert (detail["activity"], detail["state"]) == ("training", "finished")
    assert detail["started"] <= detail["ended"]
    assert detail["sagemaker"]["channels"]["train"]["uri"] == f"s3://{BUCKET}/clean"


def test_a_package_has_the_metrics_of_its_job(account: Account, session: Session) -> None:
    package = account.to_production()
    look(session)
    detail = session.catalog.resolve(package).detail
    assert (detail["metrics"], detail["metrics_from"]) == ({"train:progress": "100.0"}, JOB)


def test_secrets_in_hyperparameters_and_environment_are_never_recorded(account: Account, session: Session) -> None:
    account.train(db_password="hunter2hunter2", note="postgresql://me:hunter2hunter2@db/x")
    account.process(Environment={"API_KEY": "hunter2hunter2", "MODE": "fast"})
    account.kept.processing_jobs["Prep-1"].environment = {"API_KEY": "hunter2hunter2", "MODE": "fast"}
    look(session)
    for idx in range(session.ledger.reader.size()):
        assert b"hunter2" not in (session.ledger.reader.entry(idx).body or b"")
    assert session.catalog.resolve(JOB).detail["parameters"]["db_password"]["value"] == "[redacted]"


def test_huge_hyperparameters_and_weird_names_are_kept_within_limits(account: Account, session: Session) -> None:
    account.train("a" * 63, many="x" * 500_000, **{"näme mit  leer": "\x00\u202e", "sagemaker_program": '"t.py"'})
    done = look(session)
    detail = session.catalog.resolve(f"{PREFIX}training-job/{'a' * 63}").detail
    assert len(detail["parameters"]["many"]["value"]) < 20_000
    assert done.recorded == 1


def test_another_configuration_is_another_revision(account: Account, session: Session) -> None:
    package = account.to_production()
    look(session)
    account.config("second", count=2)
    account.sagemaker.update_endpoint(EndpointName="Scorer", EndpointConfigName="second")
    assert look(session).recorded == 1
    first, second = serving_intervals(session.catalog, "Scorer")
    assert first.valid_to == second.valid_from
    assert second.valid_to is None
    assert second.revision.detail["configuration"]["config"]["endpoint_config"] == "second"
    assert second.revision.detail["model"] == session.catalog.resolve(package).ref
    assert look(session).recorded == 0


def test_what_is_deleted_is_retired_and_what_comes_again_is_another_revision(
    account: Account, session: Session
) -> None:
    account.to_production()
    look(session)
    account.sagemaker.delete_endpoint(EndpointName="Scorer")
    assert look(session).recorded == 1
    assert current(session.catalog, "Scorer") is None
    with pytest.raises(UnknownRef):
        session.catalog.resolve("endpoint:Scorer")
    assert look(session).recorded == 0
    account.deploy("first")
    look(session)
    assert session.catalog.resolve("endpoint:Scorer").ref == "endpoint:Scorer@2"


def test_an_endpoint_that_is_updating_is_told_when_it_has_settled(account: Account, session: Session) -> None:
    account.to_production()
    account.kept.endpoints["Scorer"].endpoint_status = "Updating"
    done = look(session)
    assert "sagemaker.endpoint_unsettled" in codes(done)
    assert session.catalog.of_artifact("endpoint", "Scorer") == []
    account.kept.endpoints["Scorer"].endpoint_status = "InService"
    assert look(session).recorded == 1


def test_a_configuration_that_was_deleted_while_it_serves(account: Account, session: Session) -> None:
    account.to_production()
    look(session)
    account.sagemaker.delete_endpoint_config(EndpointConfigName="first")
    done = look(session)
    assert (done.recorded, "sagemaker.config_gone" in codes(done)) == (0, True)
    account.config("first", count=9)  # another of the same name, which the endpoint does not serve
    done = look(session)
    assert (done.recorded, "sagemaker.config_gone" in codes(done)) == (0, True)
    account.deploy("first", name="Other")
    account.sagemaker.delete_endpoint_config(EndpointConfigName="first")
    look(session)
    view = session.catalog.resolve("endpoint:Other")
    assert view.detail["configuration"]["model"] is None
    assert view.detail["configuration"]["config"]["variants"] == []


def test_a_job_that_runs_is_recorded_when_it_has_ended(account: Account, session: Session) -> None:
    account.train()
    job = account.kept.training_jobs["Train-1"]
    job.training_job_status, job.training_end_time = "InProgress", None
    assert "sagemaker.in_progress" in codes(look(session))
    assert session.catalog.find([JOB]) == {}
    job.training_job_status = "Failed"
    job.failure_reason = "out of memory"
    job.training_end_time = job.last_modified_time = job.last_modified_time + timedelta(minutes=10)
    assert look(session).recorded == 1
    view = session.catalog.resolve(JOB)
    assert (view.detail["state"], view.detail["failure"]) == ("failed", "out of memory")
    assert not [edge for edge in session.catalog.edges_of(view.id) if edge[2] == "generated"]


def test_each_decision_is_an_event_once(account: Account, session: Session) -> None:
    package = account.package(data=DATA)
    look(session)
    types = decisions(session, package)
    assert types == []
    account.decide(package, "Rejected", by="bob")
    look(session)
    account.decide(package, "Approved", by="eve")
    look(session)
    look(session)
    account.decide(package, "PendingManualApproval", by="bob")
    look(session)
    said = decisions(session, package)
    assert [(kind, who) for kind, who, _ in said] == [
        ("model.rejected/1", "bob@d-1"),
        ("model.approved/1", "eve@d-1"),
        ("model.rejected/1", "bob@d-1"),
    ]
    assert "taken back" in said[-1][2]


def decisions(session: Session, text: str) -> list[tuple[str, str, str]]:
    catalog = session.catalog
    facts = catalog.facts([catalog.resolve(text).id])
    decided = [fact for fact in facts if fact.type in {"model.approved/1", "model.rejected/1"}]
    return [(fact.type, fact.actor, fact.detail["meaning"]) for fact in decided]


def test_versions_with_the_same_content_are_decided_on_apart(account: Account, session: Session) -> None:
    account.train()
    first, second = account.package(), account.package()
    account.decide(first, "Rejected")
    account.decide(second, "Approved")
    look(session)
    one, two = session.catalog.resolve(first), session.catalog.resolve(second)
    assert (one.ref, two.ref) == ("model:Risk@1", "model:Risk@2")
    assert one.canonical != two.canonical
    assert [kind for kind, _, _ in decisions(session, first)] == ["model.rejected/1"]
    assert [kind for kind, _, _ in decisions(session, second)] == ["model.approved/1"]
    assert look(session).recorded == 0


def test_regions_with_the_same_names_are_apart(account: Account, session: Session) -> None:
    account.to_production()
    other = Account(account.moto, "us-east-1")
    other.model()
    other.config("first")
    other.deploy("first")
    look(session)
    look(session, "us-east-1")
    assert session.catalog.resolve("endpoint:Scorer").detail["sagemaker"]["region"] == REGION
    found = session.catalog.resolve(f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/Scorer")
    assert found.name == f"sagemaker/us-east-1/{ACCOUNT}/endpoint/Scorer"
    assert len(serving_intervals(session.catalog, "Scorer")) == 1
    other.sagemaker.delete_endpoint(EndpointName="Scorer")
    look(session, "us-east-1")
    assert current(session.catalog, "Scorer") is not None
    assert current(session.catalog, found.name) is None


def test_a_model_and_a_group_of_one_name_are_apart(account: Account, session: Session) -> None:
    account.train()
    package = account.package(group="risk")
    account.model("risk", package=package)
    look(session)
    assert session.catalog.resolve(package).name == "risk"
    assert session.catalog.resolve(f"{PREFIX}model/risk").name == f"sagemaker/{REGION}/{ACCOUNT}/model/risk"
    assert look(session).recorded == 0


def test_a_registry_of_ones_own_keeps_its_name(account: Account, session: Session, tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(b"my own")
    register(session, "model:Risk", file, Registration(), os_user="ann")
    account.train()
    package = account.package()
    look(session)
    assert session.catalog.resolve("model:Risk@1").actor == "collector"
    assert session.catalog.resolve(package).ref == f"model:sagemaker/{REGION}/{ACCOUNT}/model-package/Risk@1"


def test_a_name_of_a_deleted_job_can_be_used_again(account: Account, session: Session) -> None:
    account.train()
    look(session)
    del account.kept.training_jobs["Train-1"]
    account.train(lr="0.2")
    account.shift({"it": account.kept.training_jobs["Train-1"]}, minutes=1)
    look(session)
    runs = [view for view in session.catalog.all_nodes("run") if "training-job" in view.name]
    assert sorted(view.detail["parameters"]["lr"]["value"] for view in runs) == ["0.1", "0.2"]
    assert look(session).recorded == 0


def test_a_tag_alone_fixes_no_image(account: Account, session: Session) -> None:
    account.train(image=f"{IMAGE}:latest")
    look(session)
    (image,) = session.catalog.all_nodes("container")
    assert image.detail["fixed"] is False
    gaps = session.catalog.gaps([session.catalog.resolve(JOB).idx or 0])
    assert "sagemaker.image_not_fixed" in {gap["code"] for gap in gaps}


def test_a_tag_names_what_its_registry_was_seen_to_have_then(account: Account, session: Session) -> None:
    first, second = "sha256:" + "11" * 32, "sha256:" + "22" * 32
    for minutes, digest in ((30, first), (20, second), (10, first)):
        node = Node(
            ref=f"container:{IMAGE}@{digest}", basis="observed", digest=Digest.parse(digest),
            detail={"image": IMAGE, "tag": "prod"}, aliases=(f"{IMAGE}:prod",),
        )  # fmt: skip
        when = spell(ago(minutes))
        session.say(Observation(type="container.tagged/1", time=when, actor="ann", basis="observed", nodes=(node,)))
    for name, minutes in (("Early", 40), ("Then", 15), ("Now", 5)):
        account.train(name, image=f"{IMAGE}:prod")
        job = account.kept.training_jobs[name]
        account.shift({name: job}, minutes=-minutes)
    look(session)
    used = {}
    for name in ("Early", "Then", "Now"):
        near = inputs(session, f"{PREFIX}training-job/{name}")
        used[name] = next(view for view in near if view.kind == "container")
    assert (used["Then"].digest, used["Now"].digest) == (second, first)
    assert used["Early"].detail["fixed"] is False


def snapshot_of(session: Session, name: str, folder: Path, uri: str, when: str | None = None) -> NodeView:
    """Record a dataset version as a snapshot of a bucket does: with the address as an alias."""
    taken = snapshot(folder, session.objects)
    ref = f"dataset:{name}@{taken.digest}"
    detail = {"files": taken.files, "bytes": taken.bytes, "path": str(folder), "stored": "dataset"}
    node = Node(
        ref=ref, basis="verified", version="1", digest=taken.digest, detail=detail, aliases=(uri, uri.rstrip("/"))
    )
    session.say(
        Observation(
            type="dataset.snapshotted/1", time=when or session.clock(), actor="ann", basis="verified", nodes=(node,)
        )
    )
    return session.catalog.resolve(ref)


def write(folder: Path, **files: bytes) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_version_recorded_before_is_what_a_job_used(account: Account, session: Session, tmp_path: Path) -> None:
    account.put("clean/a.csv", b"1,2\n")
    data = snapshot_of(session, "clean", write(tmp_path / "clean", a=b"1,2\n"), f"s3://{BUCKET}/clean/")
    account.train()
    account.shift({"it": account.kept.training_jobs["Train-1"]}, seconds=2)
    look(session)
    assert data.canonical in {view.canonical for view in inputs(session, JOB)}


def test_data_written_after_its_last_version_is_not_that_version(
    account: Account, session: Session, tmp_path: Path
) -> None:
    folder = write(tmp_path / "clean", a=b"1,2\n")
    data = snapshot_of(session, "clean", folder, f"s3://{BUCKET}/clean/", "2020-01-01T00:00:00.000000Z")
    account.put("clean/a.csv", b"others\n")
    account.train()
    account.shift({"it": account.kept.training_jobs["Train-1"]}, seconds=2)
    look(session)
    assert data.canonical not in {view.canonical for view in inputs(session, JOB)}
    gaps = session.catalog.gaps([session.catalog.resolve(JOB).idx or 0])
    assert "sagemaker.data_changed" in {gap["code"] for gap in gaps}


def inputs(session: Session, run: str) -> list[NodeView]:
    catalog = session.catalog
    view = catalog.resolve(run)
    return list(catalog.views(source for source, target, _ in catalog.edges_of(view.id) if target == view.id).values())


def test_a_model_overwritten_since_is_not_the_model_of_the_job(account: Account, session: Session) -> None:
    account.train()
    account.shift({"it": account.kept.training_jobs["Train-1"]}, days=-30)
    look(session)
    catalog = session.catalog
    view = catalog.resolve(JOB)
    (made,) = catalog.views(
        target for source, target, kind in catalog.edges_of(view.id) if kind == "generated"
    ).values()
    assert made.detail["fixed"] is False
    assert "sagemaker.output_not_fixed" in {gap["code"] for gap in catalog.gaps([view.idx or 0])}


def test_the_card_of_an_endpoint_is_complete_when_all_is_there(
    account: Account, session: Session, tmp_path: Path
) -> None:
    """Data, code and image on record by other means, the model's bytes kept: then nothing is missing."""
    account.put("raw/a.csv", b"1,2\n", -60)
    snapshot_of(session, "raw", write(tmp_path / "raw", a=b"1,2\n"), f"s3://{BUCKET}/raw/", spell(ago(50)))
    account.process()
    prepared = account.kept.processing_jobs["Prep-1"]
    prepared.processing_inputs.pop()  # the script: here the image has it
    prepared.creation_time = prepared.processing_start_time = ago(40)
    prepared.processing_end_time = prepared.last_modified_time = ago(35)
    account.put("clean/a.csv", b"1\n", -36)
    clean = snapshot_of(session, "clean", write(tmp_path / "clean", a=b"1\n"), f"s3://{BUCKET}/clean/", spell(ago(30)))
    taken = snapshot(write(tmp_path / "code", train=b"train"), session.objects)
    code = Node(
        ref=f"code:github.com/acme/risk@{taken.digest}", basis="observed", version=COMMIT, digest=taken.digest,
        detail={"commit": COMMIT, "dirty": False, "stored": "dataset", "files": 1, "tracked": 1}, aliases=(COMMIT,),
    )  # fmt: skip
    run = Node(ref=f"run:sagemaker-processing-job-{REGION}-{ACCOUNT}-Prep-1", basis="claimed")
    session.say(
        Observation(
            type="test.code/1",
            time=spell(ago(34)),
            actor="ann",
            basis="claimed",
            nodes=(code, run),
            edges=(Edge(code.ref, run.ref, "used"),),
        )
    )
    account.train()
    trained = account.kept.training_jobs["Train-1"]
    trained.creation_time = trained.training_start_time = ago(20)
    trained.training_end_time = trained.last_modified_time = ago(10)
    account.put("out/Train-1/output/model.tar.gz", b"model of Train-1", -11)
    package = account.package()
    account.decide(package)
    account.model(package=package)
    account.config("first")
    account.deploy("first")
    look(session, keep=True)
    session.ledger.publish()
    model = session.catalog.resolve(package)
    assert session.objects.read(Digest.parse(model.digest or "")) == b"model of Train-1"
    assert clean.canonical in {view.canonical for view in inputs(session, JOB)}
    card = check(session, "endpoint:Scorer")
    assert [(row.artifact, row.missing) for row in card.rows if row.failed] == []
    assert [finding for finding in card.findings if finding.failed] == []
    assert card.complete
