"""The command `lineal collect sagemaker`: what it prints, how it fails, and the kinds that moto knows least of."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import Place, make_place
from sagemaker_life import ACCOUNT, BUCKET, DIGEST, IMAGE, PREFIX, ROLE, Account, codes, ledger_in, look, use

from servers.moto import REGION, moto_server
from servers.sagemaker_lineage import lineage_server


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with moto_server() as moto:
        use(monkeypatch, moto.environment())
        found = Account(moto)
        found.bucket()
        yield found


def test_it_prints_what_it_did_and_checks_and_traces_go_on_from_there(place: Place, account: Account) -> None:
    account.to_production()
    env = {**account.moto.environment(), "AWS_MAX_ATTEMPTS": "1"}
    done = place.lineal("collect", "sagemaker", "--region", REGION, "--region", "us-east-1", "--json", env=env)
    assert done.status == 0, done.err
    said = done.json()
    assert said["recorded"] == said["seen"] > 5
    assert len(said["runs"]) == 2
    assert said["run"] in said["runs"]
    assert {gap["code"] for gap in said["gaps"]} == {"aws.failed"}, "what moto lacks, and nothing else"
    arn = f"{PREFIX}endpoint/Scorer"
    traced = place.within("trace", arn)
    assert traced.status == 0
    assert b"Train-1" in traced.out
    touched = place.within("impact", "--json", f"s3://{BUCKET}/raw")
    assert "endpoint:Scorer@1" in {node["ref"] for node in touched.json()["nodes"]}
    card = place.lineal("check", "endpoint:Scorer", "--json")
    assert card.status == 1
    rows = {(row["phase"], row["artifact"]): row for row in card.json()["rows"]}
    assert rows["training", "parameters"]["verified"] is True
    assert rows["training", "dataset"]["immutable"] is False
    assert rows["deployment", "approval"]["tracked"] is True
    assert place.within("verify").status == 0


@pytest.mark.parametrize(
    ("more", "status", "word"),
    [
        (["--only", "everything"], 2, "training-job"),
        (["--since", "yesterday-ish"], 2, "2h ago"),
        (["--profile", "nobody"], 2, "list-profiles"),
    ],
)
def test_wrong_words_are_refused_with_a_way_out(
    place: Place, account: Account, more: list[str], status: int, word: str
) -> None:
    env = {**account.moto.environment(), "AWS_MAX_ATTEMPTS": "1"}
    done = place.within("collect", "sagemaker", *more, env=env)
    assert done.status == status, done.err
    assert word in done.err
    assert "Traceback" not in done.err


def test_without_credentials_or_a_network_it_says_so(place: Place) -> None:
    env = {
        "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": REGION, "AWS_MAX_ATTEMPTS": "1",
    }  # fmt: skip
    done = place.within("collect", "sagemaker", env=env)
    assert (done.status, "no credentials" in done.err, "Traceback" in done.err) == (12, True, False)
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    done = place.within("collect", "sagemaker", env={**env, **keys, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert (done.status, "cannot be reached" in done.err, "Traceback" in done.err) == (12, True, False)


def test_expired_credentials_end_it_and_what_was_seen_is_on_record(place: Place, account: Account) -> None:
    account.train()
    with lineage_server(account.moto) as lineage:
        lineage.faults["ListModels"] = [(400, "ExpiredTokenException", "The security token is expired")]
        env = {**lineage.environment(), "AWS_MAX_ATTEMPTS": "1"}
        done = place.within("collect", "sagemaker", env=env)
    assert (done.status, "expired" in done.err, "Traceback" in done.err) == (12, True, False)
    assert place.within("show", f"{PREFIX}training-job/Train-1").status == 0


def test_a_pipeline_and_what_it_started(account: Account, tmp_path: Path) -> None:
    definition = {"Version": "2020-12-01", "Steps": [{"Name": "train", "Env": {"API_KEY": "hunter2hunter2"}}]}
    account.sagemaker.create_pipeline(
        PipelineName="nightly", RoleArn=ROLE, ClientRequestToken="t" * 32, PipelineDefinition=json.dumps(definition)
    )
    started = account.sagemaker.start_pipeline_execution(
        PipelineName="nightly", ClientRequestToken="s" * 32, PipelineParameters=[{"Name": "rows", "Value": "5"}]
    )["PipelineExecutionArn"]
    with ledger_in(tmp_path) as session:
        done = look(session)
        view = session.catalog.resolve(started)
        assert (view.detail["activity"], view.detail["state"]) == ("pipeline", "finished")
        assert view.detail["parameters"] == {"rows": {"value": "5", "origin": "sagemaker"}}
        code = session.catalog.resolve(f"{PREFIX}pipeline/nightly")
        assert code.detail["document"]["Steps"] == [{"Name": "train", "Env": {"API_KEY": "[redacted]"}}]
        assert (code.id, view.id, "used") in session.catalog.edges_of(view.id)
        assert "aws.failed" in codes(done), "moto does not know the steps"
        assert look(session).recorded == 0


def test_trial_components_of_ones_own_are_runs(account: Account, tmp_path: Path) -> None:
    made = account.sagemaker.create_trial_component(
        TrialComponentName="mine",
        Status={"PrimaryStatus": "Completed"},
        Parameters={"lr": {"NumberValue": 0.5}, "password": {"StringValue": "hunter2hunter2"}},
        InputArtifacts={"data": {"Value": f"s3://{BUCKET}/in/"}},
        OutputArtifacts={"model": {"Value": f"s3://{BUCKET}/out/"}},
    )["TrialComponentArn"]
    account.sagemaker.create_experiment(ExperimentName="exp")
    account.sagemaker.create_trial(TrialName="try", ExperimentName="exp")
    account.sagemaker.associate_trial_component(TrialComponentName="mine", TrialName="try")
    with ledger_in(tmp_path) as session:
        look(session)
        view = session.catalog.resolve(made)
        assert view.detail["parameters"]["lr"]["value"] == "0.5"
        assert view.detail["parameters"]["password"]["value"] == "[redacted]"
        assert {kind for _, _, kind in session.catalog.edges_of(view.id)} == {"used", "generated"}
        assert look(session).recorded == 0


def test_batch_transforms_use_the_model(account: Account, tmp_path: Path) -> None:
    account.train()
    account.model("scorer")
    account.sagemaker.create_transform_job(
        TransformJobName="Batch-1",
        ModelName="scorer",
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in/"}}},
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/scored/"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    with ledger_in(tmp_path) as session:
        look(session)
        run = session.catalog.resolve(f"{PREFIX}transform-job/Batch-1")
        model = session.catalog.resolve("model:scorer")
        assert (model.id, run.id, "used") in session.catalog.edges_of(run.id)
        assert session.catalog.resolve(f"s3://{BUCKET}/scored").kind == "dataset"


def test_what_serves_two_models_shows_the_resolved_images_and_says_that_there_are_more(
    account: Account, tmp_path: Path
) -> None:
    account.train()
    account.model("one")
    account.model("two")
    variant = {"InitialInstanceCount": 1, "InstanceType": "ml.m5.large", "InitialVariantWeight": 0.5}
    account.sagemaker.create_endpoint_config(
        EndpointConfigName="both",
        ProductionVariants=[{**variant, "VariantName": name, "ModelName": name} for name in ("one", "two")],
    )
    account.deploy("both")
    other = "sha256:" + "cd" * 32
    kept = account.kept.endpoints["Scorer"]
    kept.production_variants[0]["DeployedImages"] = [
        {"SpecifiedImage": f"{IMAGE}:prod", "ResolvedImage": f"{IMAGE}@{other}"}
    ]
    with ledger_in(tmp_path) as session:
        look(session)
        view = session.catalog.resolve("endpoint:Scorer")
        variants = view.detail["configuration"]["config"]["variants"]
        assert [each["images"] for each in variants] == [
            [f"container:{IMAGE}@{other}"],
            [f"container:{IMAGE}@{DIGEST}"],
        ]
        assert session.catalog.resolve(f"{IMAGE}:prod").digest == other
        gaps = session.catalog.gaps([view.idx or 0])
        assert "sagemaker.several_variants" in {gap["code"] for gap in gaps}
        kept.production_variants[0]["CurrentWeight"] = 1.0
        assert look(session).recorded == 1, "another share of the requests is another revision"


def test_an_account_that_sts_does_not_tell_is_still_read(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.to_production()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    with ledger_in(tmp_path) as session:
        look(session)
        assert session.catalog.resolve("endpoint:Scorer").detail["sagemaker"]["account"] == ACCOUNT
        account.sagemaker.delete_endpoint(EndpointName="Scorer")
        assert look(session).recorded == 0, "whose account this is, is not known: nothing is said to be gone"
