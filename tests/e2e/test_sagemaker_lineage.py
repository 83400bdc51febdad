"""SageMaker's own lineage, by the synthetic server: the history that Describe has not, and what goes wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sagemaker_life import ACCOUNT, BUCKET, COMMIT, DATA, PREFIX, Account, ago, codes, ledger_in, look, use

from lineal.app.collect import last_covered
from lineal.app.endpoints import serving_intervals
from lineal.app.session import Session
from lineal.errors import SourceError
from servers.moto import REGION, moto_server
from servers.sagemaker_lineage import Lineage, lineage_server

JOB = f"run:sagemaker-training-job-{REGION}-{ACCOUNT}-Train-1"
SCOPE = f"{ACCOUNT} {REGION}"
BOB = {"UserProfileName": "bob", "DomainId": "d-1"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Account, Lineage]]:
    with moto_server() as moto, lineage_server(moto) as lineage:
        use(monkeypatch, lineage.environment())
        account = Account(moto)
        account.bucket()
        yield account, lineage
        assert lineage.problems == []


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with ledger_in(tmp_path / "ledger") as opened:
        yield opened


def decisions(session: Session, text: str) -> list[tuple[str, str]]:
    catalog = session.catalog
    facts = catalog.facts([catalog.resolve(text).id])
    return [(fact.type, fact.actor) for fact in facts if fact.type in {"model.approved/1", "model.rejected/1"}]


def approval(lineage: Lineage, status: str, minutes: int) -> str:
    """Keep the action that SageMaker makes when the status of the first version of Risk changes."""
    when = ago(minutes)
    name = f"Risk-1-{status}-{int(when.timestamp())}-aws-model-group"
    return lineage.add("Action", name, f"{PREFIX}model-package-group/Risk", "Approval", when, CreatedBy=BOB)


def test_every_decision_of_the_past_is_recorded_once(world: tuple[Account, Lineage], session: Session) -> None:
    account, lineage = world
    package = account.package()
    account.decide(package, "Approved", by="bob")
    kept = next(iter(account.kept.model_packages.values()))
    kept.creation_time = ago(60)
    for status, minutes in (("PendingManualApproval", 60), ("Rejected", 40), ("Approved", 20)):
        approval(lineage, status, minutes)
    look(session)
    expected = [("model.rejected/1", "bob@d-1"), ("model.approved/1", "bob@d-1")]
    assert decisions(session, package) == expected
    assert look(session).recorded == 0
    assert decisions(session, package) == expected


def test_what_served_before_anybody_looked_is_known_from_deployments(
    world: tuple[Account, Lineage], session: Session
) -> None:
    account, lineage = world
    account.train()
    first, second = account.package(), account.package()
    for each in account.kept.model_packages.values():
        each.creation_time = ago(260)
    account.decide(second, by="eve")
    account.shift(account.kept.model_packages, minutes=-40)
    account.model(package=second)
    account.config("now")
    account.shift(account.kept.endpoint_configs, minutes=-40)
    account.deploy("now")
    endpoint = account.kept.endpoints["Scorer"]
    endpoint.creation_time, endpoint.last_modified_time = ago(240), ago(30)
    context = lineage.add("Context", "Scorer-1-aws-endpoint", f"{PREFIX}endpoint/scorer", "Endpoint", ago(240))
    for package, minutes in ((first, 240), (second, 31)):
        number = package.rpartition("/")[2]
        artifact = lineage.add("Artifact", f"package-{number}", package, "Model", ago(300))
        name = f"Risk-{number}-Approved-{int(ago(minutes).timestamp())}-aws-endpoint"
        action = lineage.add("Action", name, f"{PREFIX}endpoint/scorer", "ModelDeployment", ago(minutes))
        lineage.join(artifact, action, "ContributedTo", ago(minutes))
        lineage.join(action, context, "AssociatedWith", ago(minutes))
    look(session)
    then, now = serving_intervals(session.catalog, "Scorer")
    assert (then.revision.ref, then.revision.detail["model"]) == ("endpoint:Scorer@1", "model:Risk@1")
    assert then.revision.detail["sagemaker"]["told_by"] == "lineage"
    assert now.revision.detail["model"] == "model:Risk@2"
    assert now.revision.detail["approval"]["by"] == "eve@d-1"
    assert then.valid_to == now.valid_from
    assert look(session).recorded == 0


def test_what_somebody_joined_by_hand_is_joined_here(world: tuple[Account, Lineage], session: Session) -> None:
    """The code of a training job, as AWS's own samples attach it: an artifact with a commit."""
    account, lineage = world
    account.train()
    component = f"{PREFIX}experiment-trial-component/Train-1-aws-training-job"
    account.sagemaker.create_trial_component(TrialComponentName="Train-1-aws-training-job")
    kept = next(iter(account.kept.trial_components.values()))
    kept.source = {"SourceArn": f"{PREFIX}training-job/Train-1", "SourceType": "SageMakerTrainingJob"}
    kept.trial_component_arn = component
    code = lineage.add(
        "Artifact", "code", "https://github.com/acme/risk.git", "Code", ago(1), MetadataProperties={"CommitId": COMMIT}
    )
    report = lineage.add("Artifact", "report", f"s3://{BUCKET}/report/", "DataSet", ago(1))
    lineage.join(code, component, "ContributedTo")
    lineage.join(component, report, "Produced")
    done = look(session)
    catalog = session.catalog
    near = catalog.edges_of(catalog.resolve(JOB).id)
    views = catalog.views({node for edge in near for node in edge[:2]})
    joined = {(views[source].name, views[target].name, kind) for source, target, kind in near}
    assert ("github.com/acme/risk", JOB[4:], "used") in joined
    assert (JOB[4:], f"s3://{BUCKET}/report", "generated") in joined
    assert catalog.resolve(code).kind == "code"
    assert catalog.resolve(COMMIT).kind == "code"
    assert "sagemaker.association_unknown" not in codes(done)


def test_one_artifact_of_an_address_is_not_one_version(world: tuple[Account, Lineage], session: Session) -> None:
    """SageMaker joins every job with the artifact that it made for an address long ago: that says nothing of bytes."""
    account, lineage = world
    account.train()
    component = f"{PREFIX}experiment-trial-component/Train-1-aws-training-job"
    account.sagemaker.create_trial_component(TrialComponentName="Train-1-aws-training-job")
    kept = next(iter(account.kept.trial_components.values()))
    kept.source = {"SourceArn": f"{PREFIX}training-job/Train-1", "SourceType": "SageMakerTrainingJob"}
    kept.trial_component_arn = component
    clean = lineage.add("Artifact", "clean", f"s3://{BUCKET}/clean", "DataSet", ago(60 * 24 * 365))
    model = lineage.add("Artifact", "model", DATA, "Model", ago(60 * 24 * 365))
    lineage.join(clean, component, "ContributedTo")
    lineage.join(component, model, "Produced")
    before = {"dataset": f"s3://{BUCKET}/clean", "file": DATA, "container": "image"}
    look(session)
    catalog = session.catalog
    job = catalog.resolve(JOB)
    near = [edge for edge in catalog.edges_of(job.id) if edge[2] in {"used", "generated"}]
    kinds = sorted(view.kind for view in catalog.views({end for edge in near for end in edge[:2]} - {job.id}).values())
    assert kinds == sorted(before), "one of each: what the job itself says"
    made = next(view for view in catalog.views(edge[1] for edge in near if edge[2] == "generated").values())
    assert made.detail["basis_of_identity"] != "address"


def test_actions_of_ones_own_are_runs_and_groups_are_gaps(world: tuple[Account, Lineage], session: Session) -> None:
    _, lineage = world
    action = lineage.add("Action", "audit-1", "s3://elsewhere/x", "Audit", ago(5), Status="Completed")
    data = lineage.add(
        "Artifact", "data", f"s3://{BUCKET}/x/", "DataSet", ago(9), Properties={"password": "hunter2hunter2"}
    )
    group = lineage.add("Context", "mine", "s3://elsewhere/y", "Campaign", ago(5))
    lineage.join(data, action, "ContributedTo")
    lineage.join(action, action, "DerivedFrom")
    lineage.join(action, f"{PREFIX}artifact/gone", "Produced")
    done = look(session)
    view = session.catalog.resolve(action)
    assert (view.kind, view.detail["activity"], view.detail["state"]) == ("run", "Audit", "finished")
    assert {"sagemaker.context", "sagemaker.association_unknown"} <= codes(done)
    assert [gap.about for gap in done.gaps if gap.code == "sagemaker.context"] == [group]
    for idx in range(session.ledger.reader.size()):
        assert b"hunter2" not in (session.ledger.reader.entry(idx).body or b"")
    assert look(session).recorded == 0


def test_what_is_denied_is_a_gap_and_the_rest_goes_on(world: tuple[Account, Lineage], session: Session) -> None:
    account, lineage = world
    account.to_production()
    lineage.denied |= {"ListTrainingJobs", "DescribeModel", "ListAssociations"}
    done = look(session)
    said = [(gap.code, gap.explanation) for gap in done.gaps]
    assert any(code == "aws.denied" and "ListTrainingJobs" in text for code, text in said)
    assert any(code == "aws.denied" and "DescribeModel" in text for code, text in said)
    assert session.catalog.resolve("model:Risk").version == "1"
    covered = last_covered(session, "sagemaker", SCOPE)["kinds"]
    assert covered["model-package"]["complete"] is True
    assert (covered["training-job"], covered["model"]["complete"]) == ({"until": None, "complete": False}, False)
    lineage.denied.clear()
    look(session)
    assert session.catalog.resolve(JOB).kind == "run"
    assert session.catalog.resolve("model:risk-1").kind == "model"


def test_a_list_that_breaks_off_is_read_again_from_where_it_was_complete(
    world: tuple[Account, Lineage], session: Session
) -> None:
    _, lineage = world
    for number in range(5):
        lineage.add("Artifact", f"data-{number}", f"s3://{BUCKET}/{number}/", "DataSet", ago(60 * 24))
    look(session)
    for number in range(5, 10):
        lineage.add("Artifact", f"data-{number}", f"s3://{BUCKET}/{number}/", "DataSet", ago(0))
    lineage.faults["ListArtifacts"] = [(200, "", ""), (400, "ThrottlingException", "Rate exceeded")]
    lineage.faults["ListArtifacts"].pop(0)
    before = last_covered(session, "sagemaker", SCOPE)["kinds"]["lineage"]["until"]
    done = look(session)
    assert "aws.throttled" in codes(done)
    after = last_covered(session, "sagemaker", SCOPE)["kinds"]["lineage"]
    assert after == {"until": before, "complete": False}
    look(session)
    for number in range(10):
        assert session.catalog.resolve(f"s3://{BUCKET}/{number}").kind == "dataset"


def test_an_endpoint_that_nobody_may_look_at_is_not_retired(world: tuple[Account, Lineage], session: Session) -> None:
    account, lineage = world
    account.to_production()
    look(session)
    account.sagemaker.delete_endpoint(EndpointName="Scorer")
    lineage.denied |= {"DescribeEndpoint"}
    done = look(session)
    assert (done.recorded, "aws.denied" in codes(done)) == (0, True)
    assert session.catalog.resolve("endpoint:Scorer").ref == "endpoint:Scorer@1"
    lineage.denied = {"ListEndpoints"}
    for status, words in ((404, "<!doctype html>"), (400, "Requested resource not found."), (500, "oops")):
        lineage.faults["DescribeEndpoint"] = [(status, str(status), words)]
        assert look(session).recorded == 0, "that says nothing of this endpoint"
    assert look(session).recorded == 1


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException"])
def test_credentials_that_end_midway_stop_with_what_was_seen_on_record(
    world: tuple[Account, Lineage], session: Session, code: str
) -> None:
    account, lineage = world
    account.to_production()
    lineage.faults["DescribeModel"] = [(400, code, "The security token included in the request is expired")]
    with pytest.raises(SourceError, match=code):
        look(session)
    assert session.catalog.resolve(JOB).kind == "run"
    assert last_covered(session, "sagemaker", SCOPE) == {}
    look(session)
    assert session.catalog.resolve("endpoint:Scorer").ref == "endpoint:Scorer@1"


def test_pages_without_anything_and_pages_that_repeat(world: tuple[Account, Lineage], session: Session) -> None:
    _, lineage = world
    lineage.page = 0
    lineage.add("Artifact", "data", f"s3://{BUCKET}/x/", "DataSet", ago(1))
    done = look(session)
    assert any("again and again" in gap.explanation for gap in done.gaps)
    lineage.page = 1
    look(session)
    assert session.catalog.resolve(f"s3://{BUCKET}/x").kind == "dataset"


def test_one_strange_answer_is_a_gap_and_the_rest_goes_on(world: tuple[Account, Lineage], session: Session) -> None:
    account, lineage = world
    account.train()
    lineage.add("Artifact", "fine", f"s3://{BUCKET}/fine/", "DataSet", ago(1))
    strange = lineage.add("Artifact", "strange", "", "Image", ago(1))
    other = account.kept.training_jobs["Train-1"]
    account.train("Train-2")
    other.arn = "no ARN at all"
    done = look(session)
    assert "sagemaker.unreadable" in codes(done)
    assert session.catalog.resolve(f"{PREFIX}training-job/Train-2").kind == "run"
    assert session.catalog.resolve(f"s3://{BUCKET}/fine").kind == "dataset"
    assert strange
    covered = last_covered(session, "sagemaker", SCOPE)["kinds"]
    assert (covered["training-job"]["complete"], covered["model"]["complete"]) == (False, True)


def test_a_package_that_was_there_is_never_deleted_here(world: tuple[Account, Lineage], session: Session) -> None:
    account, lineage = world
    account.train()
    package = account.package(data=DATA)
    look(session)
    lineage.denied |= {"ListModelPackages"}
    account.kept.model_packages.clear()
    look(session)
    assert session.catalog.resolve(package).ref == "model:Risk@1"
