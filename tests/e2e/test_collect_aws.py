"""`lineal collect aws`: what it records of an account, what it says changed and went, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aws_estate as estate
import pytest
from aws_estate import BUCKET, DIGEST, IMAGE, PREFIX, collected, history, new
from commandline import Place, make_place
from sagemaker_life import ledger_in, use

from lineal.app.aws_scopes import open_scopes
from lineal.app.collect_aws import collect_aws
from lineal.core.config_item import Relationship
from lineal.errors import SourceError
from lineal.sources.aws_config_items import TYPES
from servers.faulty_aws import faulty_aws
from servers.moto import ACCOUNT, REGION, Moto, moto_server

ENDPOINT = "AWS::SageMaker::Endpoint"
OTHER = "222222222222"


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Moto]:
    with moto_server() as found:
        use(monkeypatch, found.environment())
        yield found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def test_one_of_everything_is_recorded_once_and_looked_at_whole(moto: Moto, tmp_path: Path) -> None:
    estate.everything(moto)
    with ledger_in(tmp_path) as session:
        done = collected(session)
        assert done.gaps == ()
        found = session.configuration.estate()
        jobs = {"AWS::SageMaker::ProcessingJob", "AWS::SageMaker::TransformJob"}
        assert {item.resource.type for item in found.values()} == set(TYPES) - jobs
        assert done.seen == done.recorded == len(found)
        looks = session.configuration.looks()
        assert {look.type for look in looks} == set(TYPES)
        assert all(look.complete and look.began <= look.ended for look in looks)
        assert {look.region for look in looks if look.type == "AWS::IAM::Role"} == {""}
        again = collected(session)
        assert (again.seen, again.recorded, again.gaps) == (done.seen, 0, ())
        assert all(item.source == "aws" and item.shape == "api" and item.created for item in _told(found))
        written = "".join(json.dumps(item.describe()) for item in found.values())
        assert "hunter2" not in written
        assert written.count("[redacted]") >= 3


def _told(found: dict[str, Any]) -> list[Any]:
    untold = {"AWS::CloudTrail::Trail", "AWS::Config::ConfigurationRecorder"}
    return [item for item in found.values() if item.resource.type not in untold]


def test_what_a_thing_points_to_is_said_by_keys(moto: Moto, tmp_path: Path) -> None:
    estate.everything(moto)
    with ledger_in(tmp_path) as session:
        collected(session)
        found = session.configuration.estate()
        role = Relationship("AWS::IAM::Role", f"arn:aws:iam::{ACCOUNT}:role/runner", "role")
        assert found[f"{PREFIX}endpoint/endpoint-0"].relationships == (
            Relationship("AWS::SageMaker::EndpointConfig", f"{PREFIX}endpoint-config/config-0", "configuration"),
        )
        assert found[f"{PREFIX}endpoint-config/config-0"].relationships == (
            Relationship("AWS::SageMaker::Model", f"{PREFIX}model/model-0", "serves"),
        )
        assert found[f"{PREFIX}model/model-0"].relationships == (
            role,
            Relationship("Image", f"{IMAGE}@{DIGEST}", "image"),
            Relationship("S3", f"s3://{BUCKET}/model-0.tar.gz", "model data"),
        )
        assert set(found[f"{PREFIX}model-package/risk/1"].relationships) == {
            Relationship("AWS::SageMaker::ModelPackageGroup", f"{PREFIX}model-package-group/risk", "group"),
            Relationship("Image", f"{IMAGE}:1", "image"),
            Relationship("Image", f"{IMAGE}@{DIGEST}", "image"),
            Relationship("S3", f"s3://{BUCKET}/risk.tar.gz", "model data"),
        }
        pipeline = found[f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:release"]
        project = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/builds"
        assert Relationship("AWS::CodeBuild::Project", project, "builds") in pipeline.relationships
        for each in (
            pipeline,
            found[project],
            found[f"{PREFIX}pipeline/nightly"],
            found[f"{PREFIX}training-job/train-1"],
        ):
            assert role in each.relationships
        assert all(one.key in found for item in found.values() for one in item.relationships if one.type in TYPES)


def test_configuration_is_what_the_service_says(moto: Moto, tmp_path: Path) -> None:
    estate.everything(moto)
    with ledger_in(tmp_path) as session:
        collected(session)
        found = {item.resource.type: item for item in session.configuration.estate().values()}
    model = found["AWS::SageMaker::Model"]
    assert model.configuration["PrimaryContainer"]["Environment"] == {"API_TOKEN": "[redacted]", "WORKERS": "2"}
    assert (model.tags, model.resource.name) == ({"team": "risk"}, "Model-0")
    steps = found["AWS::SageMaker::Pipeline"].configuration["PipelineDefinition"]["Steps"]
    assert steps == [{"Name": "train", "Env": {"API_KEY": "[redacted]"}}]
    stack = found["AWS::CloudFormation::Stack"]
    assert stack.configuration["template"]["Resources"]["Bucket"]["Properties"]["BucketName"] == {
        "Fn::Sub": "${Name}-bucket"
    }
    assert stack.configuration["stack"]["Parameters"] == [{"ParameterKey": "Name", "ParameterValue": "made-by-stack"}]
    assert stack.configuration["resources"]["Bucket"]["PhysicalResourceId"] == "made-by-stack-bucket"
    assert "drift" not in stack.configuration
    repository = found["AWS::ECR::Repository"]
    (digest,) = set(repository.configuration["imageTags"].values())
    assert set(repository.configuration["imageTags"]) == {"v1", "prod"}
    assert repository.configuration["lifecyclePolicy"] == estate.LIFECYCLE
    assert "policy" not in repository.configuration
    assert found["AWS::ECR::Image"].resource.name == f"scoring/serve@{digest}"
    role = found["AWS::IAM::Role"]
    assert role.configuration["AttachedPolicies"][0]["Document"] == estate.ALLOWED
    assert role.configuration["InlinePolicies"] == {"inline": estate.ALLOWED}
    assert role.configuration["Role"]["AssumeRolePolicyDocument"] == estate.TRUST
    assert (role.tags, role.resource.region) == ({"a": "b"}, "")
    assert found["AWS::CloudTrail::Trail"].configuration["IsLogging"] is True
    assert found["AWS::Config::ConfigurationRecorder"].configuration["recording"] is False
    assert found["AWS::CodeBuild::Project"].tags == {"team": "risk"}
    target = found["AWS::ApplicationAutoScaling::ScalableTarget"]
    assert target.configuration["MaxCapacity"] == 4
    assert target.resource.name == "endpoint/Endpoint-0/variant/all|sagemaker:variant:DesiredInstanceCount|sagemaker"


def test_a_change_of_one_thing_is_one_item(moto: Moto, tmp_path: Path) -> None:
    estate.everything(moto)
    sagemaker = moto.client("sagemaker")
    with ledger_in(tmp_path) as session:
        collected(session)
        estate.second_config(moto)
        collected(session)
        sagemaker.update_endpoint(EndpointName="Endpoint-0", EndpointConfigName="Second")
        assert new(session) == [("ok", ENDPOINT)]
        before, after = history(session, f"{PREFIX}endpoint/endpoint-0")
        assert before.configuration["EndpointConfigName"] == "Config-0"
        assert after.configuration["EndpointConfigName"] == "Second"
        assert before.time < after.time
        sagemaker.add_tags(ResourceArn=f"{PREFIX}model/Model-0", Tags=[{"Key": "team", "Value": "fraud"}])
        assert new(session) == [("ok", "AWS::SageMaker::Model")]
        moto.client("cloudtrail").stop_logging(Name="main")
        assert new(session) == [("ok", "AWS::CloudTrail::Trail")]
        package = f"{PREFIX}model-package/risk/1"
        sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
        assert new(session) == [("ok", "AWS::SageMaker::ModelPackage")]
        pipeline = estate.pipeline_of("other")
        moto.client("codepipeline").update_pipeline(pipeline=pipeline)
        assert new(session) == [("ok", "AWS::CodePipeline::Pipeline")]
        moto.client("iam").put_role_policy(
            RoleName="runner", PolicyName="inline", PolicyDocument=json.dumps({**estate.ALLOWED, "Id": "other"})
        )
        assert new(session) == [("ok", "AWS::IAM::Role")]
        assert new(session) == []


def test_a_tag_that_moves_is_a_change_of_the_repository_and_of_the_images(moto: Moto, tmp_path: Path) -> None:
    estate.repository(moto)
    with ledger_in(tmp_path) as session:
        collected(session)
        estate.push(moto, "scoring/serve", "prod", config="b")
        kinds = ["AWS::ECR::Image", "AWS::ECR::Image", "AWS::ECR::Repository"]
        assert new(session) == [("ok", each) for each in kinds]


def test_what_a_complete_look_does_not_see_is_gone(moto: Moto, tmp_path: Path) -> None:
    estate.everything(moto)
    with ledger_in(tmp_path) as session:
        collected(session)
        sagemaker = moto.client("sagemaker")
        sagemaker.delete_endpoint(EndpointName="Endpoint-0")
        moto.client("codebuild").delete_project(name="builds")
        moto.client("cloudformation").delete_stack(StackName="serving")
        moto.client("ecr").delete_repository(repositoryName="scoring/serve", force=True)
        moto.client("cloudtrail").delete_trail(Name="main")
        iam = moto.client("iam")
        iam.detach_role_policy(RoleName="runner", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/reads")
        iam.delete_role_policy(RoleName="runner", PolicyName="inline")
        iam.delete_role(RoleName="runner")
        gone = {"Endpoint", "Project", "Stack", "Repository", "Image", "Trail", "Role"}
        assert {(status, kind.rpartition("::")[2]) for status, kind in new(session)} == {
            ("deleted", each) for each in gone
        }
        assert new(session) == [], "what is gone is said once"
        assert f"{PREFIX}endpoint/endpoint-0" not in session.configuration.estate()


def test_one_of_the_same_name_made_anew_is_another(moto: Moto, tmp_path: Path) -> None:
    estate.models(moto)
    sagemaker = moto.client("sagemaker")
    with ledger_in(tmp_path) as session:
        collected(session)
        sagemaker.delete_model(ModelName="Model-0")
        estate.model(moto, 0)
        assert new(session) == [("ok", "AWS::SageMaker::Model")]
        one, other = history(session, f"{PREFIX}model/model-0")
        assert one.created != other.created


def test_jobs_are_recorded_once_they_have_ended_and_never_said_to_be_gone(moto: Moto, tmp_path: Path) -> None:
    estate.jobs(moto, "Train-1")
    estate.jobs(moto, "Train-2")
    kept = moto.sagemaker().training_jobs
    kept["Train-2"].training_job_status = "InProgress"
    with ledger_in(tmp_path) as session:
        collected(session)
        assert set(session.configuration.estate()) == {f"{PREFIX}training-job/train-1"}
        kept["Train-2"].training_job_status = "Completed"
        del kept["Train-1"]
        assert new(session) == [("ok", "AWS::SageMaker::TrainingJob")]
        assert len(session.configuration.estate()) == 2


def test_while_a_thing_is_changing_nothing_is_said_of_it(moto: Moto, tmp_path: Path) -> None:
    estate.models(moto)
    kept = moto.sagemaker().endpoints["Endpoint-0"]
    with ledger_in(tmp_path) as session:
        collected(session)
        estate.second_config(moto)
        moto.client("sagemaker").update_endpoint(EndpointName="Endpoint-0", EndpointConfigName="Second")
        kept.endpoint_status = "Updating"
        done = collected(session, only=[ENDPOINT])
        assert (done.recorded, [gap.code for gap in done.gaps]) == (0, ["aws.settling"])
        assert session.configuration.looks(kind=ENDPOINT)[-1].complete
        kept.endpoint_status = "InService"
        assert new(session, only=[ENDPOINT]) == [("ok", ENDPOINT)]


def test_it_waits_for_what_is_changing_if_asked(moto: Moto, tmp_path: Path) -> None:
    estate.models(moto)
    states = iter(["Updating", "Updating"])
    kept = moto.sagemaker().endpoints["Endpoint-0"]
    kind = type(kept)
    with ledger_in(tmp_path) as session, pytest.MonkeyPatch.context() as patch:
        patch.setattr("lineal.sources.items_sagemaker._PAUSE", 0.01)
        patch.setattr(
            kind, "endpoint_status", property(lambda _: next(states, "InService"), lambda *_: None), raising=False
        )
        done = collected(session, only=[ENDPOINT], settled=30)
        assert (done.recorded, done.gaps) == (1, ())


def test_regions_and_accounts_are_looked_at_each_by_itself(moto: Moto, tmp_path: Path) -> None:
    estate.models(moto)
    estate.models(moto, region="us-east-1")
    roles = [f"arn:aws:iam::{account}:role/audit" for account in (ACCOUNT, OTHER)]
    with ledger_in(tmp_path) as session:
        done = collected(session, REGION, "us-east-1", roles=roles)
        assert (done.seen, done.lost, done.gaps) == (6, (), ())
        assert len(done.runs) == 6, "two accounts in two regions, and what belongs to no region"
        looks = {(look.account, look.region) for look in session.configuration.looks()}
        assert looks == {(account, region) for account in (ACCOUNT, OTHER) for region in (REGION, "us-east-1", "")}
        moto.client("sagemaker", "us-east-1").delete_endpoint(EndpointName="Endpoint-0")
        assert new(session, roles=roles[:1]) == [], "nobody looked there"
        assert new(session, "us-east-1", roles=roles[:1]) == [("deleted", ENDPOINT)]


def test_all_regions_are_those_that_are_enabled(moto: Moto, tmp_path: Path) -> None:
    estate.models(moto, region="sa-east-1")
    with ledger_in(tmp_path) as session:
        done = collected(session, "all", only=["AWS::SageMaker::Model"])
        assert done.seen == 1
        regions = {look.region for look in session.configuration.looks()}
        assert {REGION, "sa-east-1", "us-west-2"} < regions
        assert "ap-east-1" not in regions


def test_the_command_prints_what_it_did(moto: Moto, place: Place) -> None:
    estate.everything(moto)
    env = {**moto.environment(), "AWS_MAX_ATTEMPTS": "1"}
    done = place.lineal("collect", "aws", "--region", REGION, "--json", env=env)
    assert done.status == 0, done.err
    said = done.json()
    assert said["seen"] == said["recorded"] == 29
    assert (len(said["runs"]), said["lost"], said["gaps"]) == (2, [], [])
    done = place.within("collect", "aws", "--only", "aws::sagemaker::*", env=env)
    assert done.status == 0, done.err
    assert b"collected: 20 seen, 0 new on record, 0 gaps" in done.out
    assert place.within("verify").status == 0
    assert place.within("rebuild").status == 0


def test_the_types_are_listed(place: Place) -> None:
    done = place.within("collect", "aws", "--list-types")
    assert done.out.decode().split() == list(TYPES)
    assert place.within("collect", "aws", "--list-types", "--json").json() == list(TYPES)


@pytest.mark.parametrize(
    ("more", "status", "word"),
    [
        (["--only", "AWS::SageMaker::Everything"], 2, "--list-types"),
        (["--profile", "nobody"], 2, "list-profiles"),
        (["--assume-role", "audit"], 2, "arn:aws:iam"),
        (["--account", OTHER], 2, OTHER),
        (
            ["--profile", "a", "--profile", "b", "--assume-role", f"arn:aws:iam::{OTHER}:role/audit"],
            2,
            "--profile once",
        ),
    ],
)
def test_wrong_words_are_refused_with_a_way_out(
    place: Place, moto: Moto, more: list[str], status: int, word: str
) -> None:
    done = place.within("collect", "aws", *more, env={**moto.environment(), "AWS_MAX_ATTEMPTS": "1"})
    assert done.status == status, done.err
    assert word in done.err
    assert "Traceback" not in done.err


def test_without_credentials_or_a_network_it_says_so(place: Place) -> None:
    env = {
        "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": REGION, "AWS_MAX_ATTEMPTS": "1",
    }  # fmt: skip
    done = place.within("collect", "aws", env=env)
    assert (done.status, "no credentials" in done.err, "Traceback" in done.err) == (12, True, False)
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    done = place.within("collect", "aws", env={**env, **keys, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert (done.status, "STS" in done.err, "Traceback" in done.err) == (12, True, False)


def test_the_page_names_every_type_and_every_permission(
    moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sources" / "aws.md").read_text()
    for name in TYPES:
        assert f"`{name}`" in page or f"`{name.rpartition('::')[2]}`" in page
    estate.everything(moto)
    with faulty_aws(moto) as aws, ledger_in(tmp_path) as session:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        collected(session, "all", only=["AWS::IAM::Role"])
        collected(session)
        policy = json.loads(page.partition("```json")[2].partition("```")[0])
        allowed = set(policy["Statement"][0]["Action"])
        called = {f"{call.service}:{call.operation}" for call in aws.calls} - {"sts:GetCallerIdentity"}
        assert called <= allowed
        never = {"DescribeProcessingJob", "DescribeTransformJob", "DescribeStackResourceDrifts"}
        assert {each.partition(":")[2] for each in allowed - called} == never


def test_where_sts_cannot_be_asked_the_account_is_given(
    moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.models(moto)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    with ledger_in(tmp_path) as session:
        with pytest.raises(SourceError, match="STS"):
            collected(session)
        done = collect_aws(session, open_scopes([REGION], account=ACCOUNT), only=[ENDPOINT])
        assert (done.seen, done.lost) == (1, ())


def test_a_role_is_told_what_it_wants_to_hear(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty_aws(moto) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        (scope,) = open_scopes([REGION], roles=[f"arn:aws:iam::{OTHER}:role/audit"], external_id="between us")
        assert (scope.account, scope.error) == (OTHER, None)
        (asked,) = (call.asked for call in aws.calls if call.operation == "AssumeRole")
        assert (asked["ExternalId"], asked["RoleSessionName"]) == ("between us", "lineal")
