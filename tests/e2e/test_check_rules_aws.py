"""Rules asked of what collectors recorded: AWS as moto plays it, a real bucket, a model that serves."""

from collections.abc import Iterator
from pathlib import Path

import aws_estate as estate
import pytest
from aws_estate import PREFIX, collected
from sagemaker_life import ledger_in, use

from lineal.app.check_rules import check_rules
from lineal.app.rule_lineage import LedgerLineage
from lineal.app.rule_sets import load_rules
from lineal.catalog.graph import NOW
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT, NOT_APPLICABLE
from lineal.core.coverage import Look
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Node, Observation
from rule_world import World, states
from servers.buckets import Store
from servers.moto import Moto, moto_server

MODEL = f"{PREFIX}model/scorer"


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Moto]:
    with moto_server() as found:
        use(monkeypatch, found.environment())
        yield found


def test_managed_rules_read_what_the_collector_records(moto: Moto, tmp_path: Path) -> None:
    estate.everything(moto)
    with ledger_in(tmp_path) as session:
        collected(session)
        found = check_rules(session).conclusions
        told = states(found)
        wanted = {
            ("SAGEMAKER_ENDPOINT_CONFIG_PROD_INSTANCE_COUNT", "config-0"): NON_COMPLIANT,
            ("SAGEMAKER_ENDPOINT_CONFIGURATION_KMS_KEY_CONFIGURED", "config-0"): NON_COMPLIANT,
            ("SAGEMAKER_MODEL_ISOLATION_ENABLED", "model-0"): NON_COMPLIANT,
            ("ENDPOINT_MODEL_APPROVED", "endpoint-0"): NON_COMPLIANT,
            ("TAG_NOT_MOVED_AFTER_DEPLOYMENT", "model-0"): COMPLIANT,
            ("SAGEMAKER_DOMAIN_IN_VPC", "d-studio"): COMPLIANT,
            ("CODEDEPLOY_AUTO_ROLLBACK_MONITOR_ENABLED", "*"): INSUFFICIENT,
        }
        by_name = {(rule, name.lower()): state for (rule, name), state in told.items()}
        assert {place: by_name.get(place) for place in wanted} == wanted
        kinds = (
            "AWS::CodeBuild::Project",
            "AWS::CodePipeline::Pipeline",
            "AWS::ECR::Repository",
            "AWS::CloudTrail::Trail",
        )
        kinds += ("AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig")
        for kind in kinds:
            asked = {each.state for each in found if each.type == kind and each.resource != "*"}
            assert asked & {COMPLIANT, NON_COMPLIANT}, kind
        # What a service says whole is never unknown to a rule of AWS about it.
        unknown = [
            (each.rule, each.explanation)
            for each in found
            if each.state == INSUFFICIENT and each.type in kinds and each.resource != "*" and each.rule.isupper()
        ]
        assert [each for each in unknown if each[0].startswith(("SAGEMAKER", "CODE", "ECR", "CLOUD"))] == []
        assert check_rules(session, load_rules()).recorded == 0


def test_a_look_that_failed_leaves_its_types_unknown(
    moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ledger_in(tmp_path) as session:
        collected(session)
        told = states(check_rules(session).conclusions)
        assert told["ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED", "*"] == NOT_APPLICABLE
        last = session.configuration.looks(kind="AWS::ECR::Repository")[-1]
        failed = Look(
            source=last.source, account=last.account, region=last.region, type=last.type, began=last.ended,
            ended="2030-01-01T00:00:00.000000Z", complete=False,
        )  # fmt: skip
        World(tmp_path, session).cover([failed])
        assert states(check_rules(session).conclusions)["ECR_PRIVATE_TAG_IMMUTABILITY_ENABLED", "*"] == INSUFFICIENT


def test_a_deep_check_looks_at_the_bucket(store: Store) -> None:
    store.write("p/a.csv", b"1,2\n")
    taken = store.snapshot()
    session = store.ledger.session
    digest = Digest.of(b"model")
    model = Node(ref=f"model:risk@{digest}", basis="observed", digest=digest, aliases=(MODEL,))
    run = Node(
        ref="run:train-1", basis="observed", detail={"name": "train", "activity": "training", "state": "finished"}
    )
    data = Node(ref=taken.version.canonical, basis="observed", digest=Digest.parse(taken.version.digest or ""))
    session.say(
        Observation(
            type="run.finished/1",
            time=session.clock(),
            actor="tester",
            basis="observed",
            nodes=(run, data, model),
            edges=(Edge(data.ref, run.ref, "used"), Edge(run.ref, model.ref, "generated")),
        )
    )

    def ask(*, look: bool) -> tuple[bool, bool]:
        (found,) = LedgerLineage(session, NOW, look=look).training_data(MODEL) or []
        return found.changed is not None, found.seen is not None

    assert ask(look=False) == (False, False)
    assert ask(look=True) == (False, True)
    store.write("p/b.csv", b"more\n")
    assert ask(look=True) == (False, True)  # what was used is still there
    store.write("p/a.csv", b"3,4,5\n")
    assert ask(look=True) == (True, True)
    assert ask(look=False) == (False, False)
    store.client.delete_object(Bucket=store.bucket, Key="p/a.csv")
    store.client.delete_object(Bucket=store.bucket, Key="p/b.csv")
    assert ask(look=True)[0] is True
