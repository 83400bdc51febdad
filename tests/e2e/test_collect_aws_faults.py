"""`lineal collect aws` on bad days: what could not be seen is a gap, and nothing of it is said to be gone."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aws_estate as estate
import pytest
from aws_estate import BUCKET, PREFIX, collected, history, new
from commandline import LINEAL, Place, make_place
from sagemaker_life import ledger_in, use

from kit import until
from lineal.app.session import Session
from lineal.core.config_item import OBSERVED
from lineal.errors import SourceError
from servers.faulty_aws import Answer, Call, FaultyAws, cut, faulty_aws, garbage, held, refusal, slow, web_page
from servers.moto import ACCOUNT, REGION, moto_server

MODEL = "AWS::SageMaker::Model"
ENDPOINT = "AWS::SageMaker::Endpoint"
OTHER = "222222222222"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    with moto_server() as moto, faulty_aws(moto) as found:
        use(monkeypatch, found.environment())
        yield found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def complete(session: Session) -> dict[str, bool]:
    """Return of each type whether the last look saw all of it."""
    return {look.type: look.complete for look in session.configuration.looks()}


def save_pipeline(aws: FaultyAws) -> None:
    """Save a pipeline as it is: that makes a new version of it, which is asked for."""
    pipelines = aws.moto.client("codepipeline")
    pipelines.update_pipeline(pipeline=pipelines.get_pipeline(name="release")["pipeline"])


# Of each service what lists or describes, in each of the three protocols; and the types that are not seen whole then.
REFUSED = (
    {
        "ListModels": {MODEL},
        "DescribeEndpoint": {ENDPOINT},
        "ListPipelines": {"AWS::SageMaker::Pipeline", "AWS::CodePipeline::Pipeline"},
        "ListProjects": {"AWS::CodeBuild::Project"},
        "DescribeStacks": {"AWS::CloudFormation::Stack"},
        "DescribeRepositories": {"AWS::ECR::Repository", "AWS::ECR::Image"},
        "DescribeTrails": {"AWS::CloudTrail::Trail"},
    },
    {
        "DescribeModelPackage": {"AWS::SageMaker::ModelPackage"},
        "GetModelPackageGroupPolicy": {"AWS::SageMaker::ModelPackageGroup"},
        "GetPipeline": {"AWS::CodePipeline::Pipeline"},
        "BatchGetProjects": {"AWS::CodeBuild::Project"},
        "GetTemplate": {"AWS::CloudFormation::Stack"},
        "DescribeImages": {"AWS::ECR::Repository", "AWS::ECR::Image"},
        "GetTrailStatus": {"AWS::CloudTrail::Trail"},
        "DescribeConfigurationRecorderStatus": {"AWS::Config::ConfigurationRecorder"},
        "DescribeScalableTargets": {"AWS::ApplicationAutoScaling::ScalableTarget"},
        "GetRole": {"AWS::IAM::Role"},
    },
    {"GetLifecyclePolicy": {"AWS::ECR::Repository"}, "GetPolicyVersion": {"AWS::IAM::Role"}, "ListTagsForResource": {
        "AWS::ECR::Repository", "AWS::CodePipeline::Pipeline"
    }},
)  # fmt: skip


@pytest.mark.parametrize("refused", REFUSED)
def test_what_is_refused_is_a_gap_of_its_type_and_of_no_other(
    aws: FaultyAws, tmp_path: Path, refused: dict[str, set[str]]
) -> None:
    estate.everything(aws.moto)
    with ledger_in(tmp_path) as session:
        there = collected(session).seen
        save_pipeline(aws)
        for operation in refused:
            aws.refuse(operation, "AccessDeniedException")
        done = collected(session)
        assert {gap.code for gap in done.gaps} == {"aws.denied"}
        assert all(any(operation in gap.explanation for gap in done.gaps) for operation in refused)
        assert {kind for kind, whole in complete(session).items() if not whole} == set().union(*refused.values())
        assert (done.recorded, len(session.configuration.estate())) == (0, there)


@pytest.mark.parametrize(
    ("give", "code"),
    [
        (web_page, "aws.failed"),
        (garbage, "aws.failed"),
        (cut, "aws.failed"),
        (lambda _call: Answer(200, b"{}"), "aws.failed"),
        (lambda _call: Answer(200, b'{"Models": null}'), "aws.failed"),
        (lambda _call: Answer(200, b'{"Models": [{"CreationTime": 0}]}'), "aws.unreadable"),
        (lambda call: refusal(call, "ThrottlingException"), "aws.throttled"),
        (lambda call: refusal(call, "UnknownOperationException"), "aws.unknown_operation"),
    ],
)
def test_answers_that_are_none_are_never_taken_for_an_empty_account(
    aws: FaultyAws, tmp_path: Path, give: Any, code: str
) -> None:
    estate.models(aws.moto)
    with ledger_in(tmp_path) as session:
        collected(session, only=[MODEL, ENDPOINT])
        aws.on("ListModels", give)
        aws.moto.client("sagemaker").delete_endpoint(EndpointName="Endpoint-0")
        done = collected(session, only=[MODEL, ENDPOINT])
        assert {gap.code for gap in done.gaps} == {code}
        assert not complete(session)[MODEL]
        found = session.configuration.estate()
        assert f"{PREFIX}model/model-0" in found
        assert f"{PREFIX}endpoint/endpoint-0" not in found, "the other types were seen, and go on"
        aws.faults.clear()
        assert new(session, only=[MODEL, ENDPOINT]) == []
        assert complete(session)[MODEL]


def test_throttling_is_waited_for(aws: FaultyAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.models(aws.moto, 3)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "4")
    aws.refuse("DescribeModel", "ThrottlingException", times=2)
    aws.refuse("ListTags", "ThrottlingException", times=1)
    with ledger_in(tmp_path) as session:
        done = collected(session, only=[MODEL])
        assert (done.recorded, done.gaps) == (3, ())
        assert aws.counts()["DescribeModel"] == 5


def test_what_goes_between_list_and_describe_is_simply_not_there(aws: FaultyAws, tmp_path: Path) -> None:
    estate.everything(aws.moto)
    gone = {
        "DescribeEndpoint": ("ValidationException", 'Could not find endpoint "Endpoint-0".'),
        "GetPipeline": ("PipelineNotFoundException", "gone"),
        "GetTemplate": ("ValidationError", "Stack with id serving does not exist"),
        "DescribeImages": ("RepositoryNotFoundException", "gone"),
        "GetTrailStatus": ("TrailNotFoundException", "gone"),
        "GetRole": ("NoSuchEntity", "gone"),
    }
    with ledger_in(tmp_path) as session:
        collected(session)
        save_pipeline(aws)
        for operation, (code, text) in gone.items():
            aws.on(operation, lambda call, code=code, text=text: refusal(call, code, 400, text))
        found = new(session)
        gone = {"Endpoint", "Pipeline", "Image", "Trail", "Role"}
        assert {kind.rpartition("::")[2] for status, kind in found if status == "deleted"} == gone
        assert all(complete(session).values())
        left = {item.resource.type for item in session.configuration.estate().values()}
        asked = "asked for by name, CloudFormation and ECR say that they are there"
        assert {"AWS::CloudFormation::Stack", "AWS::ECR::Repository"} <= left, asked


def test_a_pipeline_of_the_version_on_record_is_asked_for_its_tags_alone(aws: FaultyAws, tmp_path: Path) -> None:
    estate.everything(aws.moto)
    kind = "AWS::CodePipeline::Pipeline"
    pipelines = aws.moto.client("codepipeline")
    arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:release"
    with ledger_in(tmp_path) as session:
        collected(session, only=[kind])
        assert new(session, only=[kind]) == []
        assert aws.counts()["GetPipeline"] == 1
        pipelines.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "fraud"}])
        assert new(session, only=[kind]) == [("ok", kind)]
        assert aws.counts()["GetPipeline"] == 1
        first, last = history(session, arn)
        assert (last.tags["team"], last.configuration) == ("fraud", first.configuration)
        pipelines.update_pipeline(pipeline=estate.pipeline_of("other"))
        assert new(session, only=[kind]) == [("ok", kind)]
        assert aws.counts()["GetPipeline"] == 2
        pipelines.delete_pipeline(name="release")
        pipelines.create_pipeline(pipeline=estate.pipeline_of("other"))
        assert new(session, only=[kind]) == [("ok", kind)], "one made anew is another"


def test_a_list_that_leaves_something_out_is_not_believed(aws: FaultyAws, tmp_path: Path) -> None:
    estate.everything(aws.moto)
    lists = {
        "ListModels": "Models", "ListEndpoints": "Endpoints", "DescribeRepositories": "repositories",
        "DescribeTrails": "trailList", "DescribeConfigurationRecorders": "ConfigurationRecorders",
        "ListModelPackages": "ModelPackageSummaryList",
    }  # fmt: skip
    named = {"repositoryNames", "ConfigurationRecorderNames"}
    with ledger_in(tmp_path) as session:
        there = collected(session).seen
        for operation, key in lists.items():
            aws.say(operation, {key: []}, when=lambda call: not named & set(call.asked))
        aws.say_xml("DescribeStacks", "<Stacks/>", when=lambda call: "StackName" not in call.asked)
        done = collected(session)
        assert (done.recorded, done.gaps, len(session.configuration.estate())) == (0, (), there)
        aws.refuse("DescribeEndpoint", "AccessDeniedException")
        done = collected(session)
        assert [gap.code for gap in done.gaps] == ["aws.denied"]
        assert not complete(session)[ENDPOINT]
        assert len(session.configuration.estate()) == there


def test_a_service_that_fails_again_and_again_is_left_alone(aws: FaultyAws, tmp_path: Path) -> None:
    listed = [{"ModelName": f"m{n}", "ModelArn": f"{PREFIX}model/m{n}", "CreationTime": 1.0} for n in range(300)]
    aws.say("ListModels", {"Models": listed})
    aws.refuse("DescribeModel", "InternalFailure", 500)
    with ledger_in(tmp_path) as session:
        done = collected(session, only=[MODEL])
        assert {gap.code for gap in done.gaps} == {"aws.failed", "aws.gave_up"}
        assert aws.counts()["DescribeModel"] < 100
        assert not complete(session)[MODEL]


def test_a_part_that_is_not_found_is_no_reason_to_say_that_the_whole_is_gone(aws: FaultyAws, tmp_path: Path) -> None:
    estate.everything(aws.moto)
    with ledger_in(tmp_path) as session:
        collected(session)
        for operation in ("ListTags", "GetPolicyVersion", "ListStackResources"):
            aws.on(operation, lambda call: refusal(call, "ResourceNotFoundException"))
        done = collected(session)
        assert done.recorded == 0
        assert {gap.code for gap in done.gaps} == {"aws.missing"}


def test_an_account_that_disappears_is_a_gap_and_the_others_go_on(aws: FaultyAws, tmp_path: Path) -> None:
    estate.models(aws.moto)
    roles = [f"arn:aws:iam::{account}:role/audit" for account in (OTHER, ACCOUNT)]
    with ledger_in(tmp_path) as session:
        collected(session, roles=roles)
        there = session.configuration.estate()
        aws.refuse("AssumeRole", "AccessDenied", 403, when=lambda call: OTHER in call.asked.get("RoleArn", ""))
        aws.moto.client("sagemaker").delete_endpoint(EndpointName="Endpoint-0")
        done = collected(session, roles=roles)
        assert done.lost == (f"{OTHER} {REGION}", f"{OTHER} everywhere")
        assert {gap.code for gap in done.gaps} == {"aws.scope_lost"}
        assert (done.recorded, len(session.configuration.estate())) == (1, len(there) - 1)
        last = {(look.account, look.type): look.complete for look in session.configuration.looks()}
        assert last[ACCOUNT, ENDPOINT]
        assert not any(whole for (account, _), whole in last.items() if account == OTHER)


def test_with_every_account_lost_it_is_an_error(aws: FaultyAws, tmp_path: Path) -> None:
    aws.refuse("AssumeRole", "AccessDenied", 403)
    with ledger_in(tmp_path) as session, pytest.raises(SourceError, match="cannot be assumed"):
        collected(session, roles=[f"arn:aws:iam::{OTHER}:role/audit"])


def test_credentials_that_expire_on_the_way_end_that_scope_alone(aws: FaultyAws, tmp_path: Path) -> None:
    estate.models(aws.moto, 2)
    estate.models(aws.moto, 2, "us-east-1")
    with ledger_in(tmp_path) as session:
        collected(session, REGION, "us-east-1")
        there = len(session.configuration.estate())
        late = {"DescribeEndpoint"}
        aws.on(
            "*",
            lambda call: refusal(call, "ExpiredTokenException", 400),
            when=lambda call: call.region == REGION and call.operation in late,
        )
        aws.moto.client("sagemaker").delete_endpoint(EndpointName="Endpoint-1")
        aws.moto.client("sagemaker", "us-east-1").delete_endpoint(EndpointName="Endpoint-1")
        done = collected(session, REGION, "us-east-1")
        assert done.lost == (f"{ACCOUNT} {REGION}",)
        assert "expired" in next(gap.explanation for gap in done.gaps if gap.code == "aws.scope_lost")
        assert f"{PREFIX}model/model-0" in session.configuration.estate()
        assert there - len(session.configuration.estate()) == 1
        others = [look for look in session.configuration.looks() if look.region == "us-east-1"]
        assert all(look.complete for look in others)


def test_an_account_lost_on_the_way_is_status_12_and_the_rest_is_on_record(place: Place, aws: FaultyAws) -> None:
    estate.models(aws.moto)
    estate.models(aws.moto, region="us-east-1")
    env = aws.environment()
    aws.refuse("*", "UnrecognizedClientException", 400, when=lambda call: call.region == "us-east-1")
    done = place.within("collect", "aws", "--region", REGION, "--region", "us-east-1", "--json", env=env)
    assert (done.status, "Traceback" in done.err) == (12, False)
    said = done.json()
    assert (said["recorded"], said["lost"]) == (3, [f"{ACCOUNT} us-east-1"])
    assert place.within("verify").status == 0


@pytest.mark.parametrize("count", [4000, pytest.param(10_000, marks=pytest.mark.torture)])
def test_thousands_of_images_come_page_by_page(aws: FaultyAws, tmp_path: Path, count: int) -> None:
    estate.repository(aws.moto, "big")

    def page(call: Call) -> dict[str, Any]:
        start = int(call.asked.get("nextToken", 0))
        found = [
            {
                "registryId": ACCOUNT,
                "repositoryName": "big",
                "imageDigest": f"sha256:{number:064x}",
                "imagePushedAt": 1.5,
            }
            for number in range(start, min(start + 1000, count))
        ]
        more = {"nextToken": str(start + 1000)} if start + 1000 < count else {}
        return {"imageDetails": found, **more}

    aws.say("DescribeImages", page)
    with ledger_in(tmp_path) as session:
        counts: list[tuple[int, int]] = []
        done = collected(session, only=["AWS::ECR::*"], on_progress=lambda *each: counts.append(each))
        assert (done.seen, done.recorded, done.gaps) == (count + 1, count + 1, ())
        assert counts[-1] == (count + 1, count + 1)
        assert min(recorded for seen, recorded in counts if seen > 3000) > 0, "it is recorded on the way"
        aws.refuse("DescribeImages", "ThrottlingException", when=lambda call: call.asked.get("nextToken") == "3000")
        done = collected(session, only=["AWS::ECR::*"])
        assert (done.recorded, {gap.code for gap in done.gaps}) == (0, {"aws.throttled"})
        assert len(session.configuration.estate(kind="AWS::ECR::Image")) == count


def test_a_token_that_leads_in_a_circle_ends(aws: FaultyAws, tmp_path: Path) -> None:
    aws.say("ListModels", {"Models": [], "NextToken": "again"})
    with ledger_in(tmp_path) as session:
        done = collected(session, only=[MODEL])
        assert ["again and again" in gap.explanation for gap in done.gaps] == [True]


@pytest.mark.parametrize("name", ["a\x00b", "line\nbreak", "\u202egnp.exe", "x" * 5000, "", "\ud800"])
def test_names_that_cannot_be_are_a_gap_and_the_rest_is_recorded(aws: FaultyAws, tmp_path: Path, name: str) -> None:
    estate.models(aws.moto)
    arn = f"{PREFIX}model/Model-0"
    listed = [{"ModelName": each, "ModelArn": arn, "CreationTime": 1.0} for each in ("Model-0", name)]
    aws.say("ListModels", {"Models": listed})
    told = aws.moto.client("sagemaker").describe_model(ModelName="Model-0")
    body = {"ModelName": name, "ModelArn": arn, "CreationTime": 1.0, "ExecutionRoleArn": told["ExecutionRoleArn"]}
    aws.say("DescribeModel", body, when=lambda call: call.asked["ModelName"] == name)
    with ledger_in(tmp_path) as session:
        done = collected(session, only=[MODEL])
        assert done.recorded == 1
        assert len(done.gaps) == 1
        assert not complete(session)[MODEL]


def test_names_with_odd_characters_are_names(aws: FaultyAws, tmp_path: Path) -> None:
    iam = aws.moto.client("iam")
    name = "run+ner=a,b.c@d_e-f"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    aws.moto.client("sagemaker").create_model(ModelName="m", ExecutionRoleArn=arn, PrimaryContainer={"Image": "ü"})
    with ledger_in(tmp_path) as session:
        done = collected(session)
        assert done.gaps == ()
        assert arn in session.configuration.estate()


def test_drift_is_read_where_it_was_looked_for_and_looked_for_only_if_asked(
    aws: FaultyAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.stack(aws.moto)
    monkeypatch.setattr("lineal.sources.items_cloudformation._PAUSE", 0.01)
    aws.say_xml("DetectStackDrift", "<StackDriftDetectionId>one</StackDriftDetectionId>")
    when = "<Timestamp>2026-01-01T00:00:00Z</Timestamp>"
    status = f"<StackId>s</StackId><StackDriftDetectionId>one</StackDriftDetectionId>{when}"
    over = "<DetectionStatus>DETECTION_COMPLETE</DetectionStatus><StackDriftStatus>DRIFTED</StackDriftStatus>"
    aws.say_xml("DescribeStackDriftDetectionStatus", status + over)
    under_way = "<DetectionStatus>DETECTION_IN_PROGRESS</DetectionStatus>"
    aws.say_xml("DescribeStackDriftDetectionStatus", status + under_way, times=2)
    drift = (
        "<StackResourceDrifts><member><StackId>s</StackId><LogicalResourceId>Bucket</LogicalResourceId>"
        "<ResourceType>AWS::S3::Bucket</ResourceType><StackResourceDriftStatus>MODIFIED</StackResourceDriftStatus>"
        '<ExpectedProperties>{"a": 1}</ExpectedProperties><ActualProperties>{"a": 2}</ActualProperties>'
        f"{when}</member></StackResourceDrifts>"
    )
    aws.say_xml("DescribeStackResourceDrifts", drift)
    with ledger_in(tmp_path) as session:
        assert new(session) == [("ok", "AWS::CloudFormation::Stack")]
        assert aws.counts()["DetectStackDrift"] == 0
        assert new(session, drift=True) == [("ok", "AWS::CloudFormation::Stack")]
        item = history(session, f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/serving")[-1]
        assert item.configuration["drift"]["status"] == "DRIFTED"
        assert item.configuration["drift"]["resources"]["Bucket"]["ActualProperties"] == {"a": 2}


def test_a_collection_that_is_killed_keeps_what_it_had_and_the_next_goes_on(place: Place, aws: FaultyAws) -> None:
    estate.models(aws.moto, 1)
    listed = [{"ModelName": f"m{n}", "ModelArn": f"{PREFIX}model/m{n}", "CreationTime": 1.0} for n in range(450)]
    aws.say("ListModels", {"Models": listed})
    aws.say(
        "DescribeModel",
        lambda call: {
            "ModelName": call.asked["ModelName"],
            "ModelArn": f"{PREFIX}model/{call.asked['ModelName']}",
            "CreationTime": 1.0,
            "ModelDataUrl": f"s3://{BUCKET}/x",
        },
    )
    aws.say("ListTags", {"Tags": []})
    killed = threading.Event()
    aws.on("DescribeModel", held(killed), when=lambda _: aws.counts()["DescribeModel"] > 400)
    process = place.start(*LINEAL, "collect", "aws", "--only", MODEL, "--quiet", env=aws.environment())
    until(
        lambda: OBSERVED in {each["type"] for each in place.within("log", "--json").json()["entries"]}, "some recorded"
    )
    process.kill()
    killed.set()
    assert process.wait() == -signal.SIGKILL
    assert place.within("verify").status == 0
    done = place.within("collect", "aws", "--only", MODEL, "--json", env=aws.environment())
    assert done.status == 0, done.err
    said = done.json()
    assert said["seen"] == 450
    assert 0 < said["recorded"] < 450, "what the first had recorded is not recorded again"


def test_a_collection_that_is_interrupted_ends_soon(place: Place, aws: FaultyAws) -> None:
    estate.models(aws.moto, 40)
    aws.on("ListTags", slow(0.3))
    interrupted = threading.Event()
    aws.on("ListTags", held(interrupted), when=lambda _: aws.counts()["ListTags"] > 5)
    process = place.start(*LINEAL, "collect", "aws", "--only", "AWS::SageMaker::*", "--quiet", env=aws.environment())
    until(lambda: aws.counts()["ListTags"] > 5, "some are asked for their tags")
    process.send_signal(signal.SIGINT)
    interrupted.set()
    assert process.wait(timeout=900) == 130
    assert aws.counts()["ListTags"] < 120
    assert place.within("verify").status == 0


def test_what_cannot_change_is_described_once_and_its_tags_each_time(aws: FaultyAws, tmp_path: Path) -> None:
    estate.models(aws.moto, 2)
    sagemaker = aws.moto.client("sagemaker")
    with ledger_in(tmp_path) as session:
        collected(session)
        described = aws.counts()
        sagemaker.add_tags(ResourceArn=f"{PREFIX}model/Model-0", Tags=[{"Key": "team", "Value": "fraud"}])
        sagemaker.delete_model(ModelName="Model-1")
        estate.model(aws.moto, 1)
        assert new(session) == [("ok", MODEL), ("ok", MODEL)]
        counts = aws.counts() - described
        assert (counts["DescribeModel"], counts["DescribeEndpointConfig"], counts["DescribeEndpoint"]) == (1, 0, 2)
        one, other = history(session, f"{PREFIX}model/model-0")
        assert (one.configuration, one.tags, other.tags) == (other.configuration, {"team": "risk"}, {"team": "fraud"})


def test_one_slow_service_does_not_hold_up_the_others(aws: FaultyAws, tmp_path: Path) -> None:
    estate.everything(aws.moto)
    waited: list[str] = []

    def wait(call: Call) -> None:
        # By more than the client waits for an answer, it would ask again.
        until(lambda: {"DescribeStacks", "DescribeTrails"} <= set(aws.counts()), "the others are asked meanwhile", 50)
        waited.append(call.operation)

    aws.on("ListModels", wait)
    with ledger_in(tmp_path) as session:
        assert collected(session).gaps == ()
    assert waited == ["ListModels"]
