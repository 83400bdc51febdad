"""The values of configuration: keys of resources, canonical documents, items, events."""

import json

import pytest

from lineal.core import canonical
from lineal.core.api_event import ApiEvent, read_event
from lineal.core.config_item import ConfigItem, Relationship, read_item
from lineal.core.plain import DEEPEST, plain
from lineal.core.resource import key_of, make_resource, read_arn
from lineal.errors import BadInput, LinealError, Malformed

ACCOUNT, REGION = "123456789012", "eu-west-1"
SAGEMAKER = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"


@pytest.mark.parametrize(
    ("kind", "name", "arn"),
    [
        ("AWS::SageMaker::Endpoint", "Scorer", f"{SAGEMAKER}:endpoint/scorer"),
        ("AWS::SageMaker::EndpointConfig", "Scorer-2", f"{SAGEMAKER}:endpoint-config/scorer-2"),
        ("AWS::SageMaker::ModelPackage", "risk/7", f"{SAGEMAKER}:model-package/risk/7"),
        ("AWS::SageMaker::ModelPackageGroup", "risk", f"{SAGEMAKER}:model-package-group/risk"),
        ("AWS::CodePipeline::Pipeline", "Train", f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:Train"),
        ("AWS::CodeBuild::Project", "build", f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/build"),
        ("AWS::ECR::Repository", "risk/scorer", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/risk/scorer"),
        ("AWS::IAM::Role", "deployer", f"arn:aws:iam::{ACCOUNT}:role/service-role/deployer"),
        ("AWS::CloudFormation::Stack", "serving", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/serving/1f0c-77"),
        ("AWS::S3::Bucket", "models", "arn:aws:s3:::models/risk/model.tar.gz"),
        ("AWS::IAM::User", "ana", f"arn:aws:iam::{ACCOUNT}:user/risk/ana"),
        ("AWS::KMS::Alias", "models", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/models"),
        ("AWS::SageMaker::Trial", "t", f"{SAGEMAKER}:experiment-trial/t"),
        ("AWS::StepFunctions::StateMachine", "nightly", f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:nightly"),
        ("AWS::Lambda::Function", "hook", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:hook:7"),
    ],
)
def test_name_and_arn_of_a_resource_give_one_key(kind: str, name: str, arn: str) -> None:
    found = read_arn(arn)
    assert found is not None
    assert (found.type, found.key) == (kind, make_resource(kind, ACCOUNT, REGION, name).key)
    assert key_of(found.key) == found.key
    again = read_arn(found.key)
    assert again is not None
    assert again.type == kind


def test_an_arn_of_an_unknown_type_keeps_its_words_and_no_arn_is_none() -> None:
    found = read_arn(f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/nightly")
    assert found is not None
    assert (found.type, found.name) == ("batch/job-queue", "nightly")
    for text in ("", "scorer", "arn:aws:sagemaker", "arn:aws:s3:::\x00", "arn:" + "x" * 5000):
        assert read_arn(text) is None
        assert key_of(text) == text


@pytest.mark.parametrize("name", ["", "a\nb", "a\x00", "é" * 1100])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        make_resource("AWS::SageMaker::Endpoint", ACCOUNT, REGION, name)


def test_plain_loses_nothing_but_secrets_and_can_always_be_encoded() -> None:
    deep: object = "bottom"
    for level in range(40):
        deep = {f"level{level}": deep}
    given = {
        "rate": 0.25, "huge": 2**70, "odd": "\ud800", "deep": deep, "none": None, "on": True,
        "encryptionKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
        "environmentVariables": [{"name": "DB_PASSWORD", "value": "hunter22"}, {"name": "MODE", "value": "fast"}],
        "command": ["serve", "--token", "abcdefgh"],
    }  # fmt: skip
    found = plain(given)
    text = canonical.encode(found).decode()
    assert (found["rate"], found["huge"], found["on"], found["none"]) == ("0.25", str(2**70), True, None)
    assert found["encryptionKey"] == given["encryptionKey"]
    assert "hunter22" not in text
    assert "abcdefgh" not in text
    assert found["environmentVariables"][1] == {"name": "MODE", "value": "fast"}
    held = found["deep"]
    for level in reversed(range(40)):
        held = json.loads(held) if isinstance(held, str) else held
        held = held[f"level{level}"]
    assert held == "bottom"
    assert DEEPEST < canonical.MAX_DEPTH


def test_plain_has_a_bottom() -> None:
    deep: object = "bottom"
    for _ in range(5000):
        deep = [deep]
    assert b"nested deeper" in canonical.encode(plain({"deep": deep}))


def test_items_and_events_read_back_as_they_were_written() -> None:
    item = ConfigItem(
        resource=make_resource("AWS::SageMaker::Endpoint", ACCOUNT, REGION, "scorer"),
        time="2026-03-01T00:00:00.000000Z",
        source="aws",
        shape="api",
        configuration={"EndpointConfigName": "scorer-1"},
        relationships=(Relationship("AWS::SageMaker::EndpointConfig", "k", "uses"),),
        tags={"team": "risk"},
        extra={"odd": 1},
    )
    assert read_item(json.loads(canonical.encode(item.describe()))) == item
    event = ApiEvent(
        id="e", time=item.time, service="s", name="n", account="a", region="r", targets=("k",), record={"x": {"y": 1}}
    )
    assert read_event(json.loads(canonical.encode(event.describe()))) == event
    with pytest.raises(Malformed):
        read_item({"resource": "x"})
    with pytest.raises(Malformed):
        read_event({"id": "x", "surprise": 1})
    with pytest.raises(LinealError):
        ConfigItem(resource=item.resource, time="yesterday", source="aws", shape="api").describe()


def test_names_that_no_database_can_index_are_refused() -> None:
    long = "x" * 2100
    moment = "2026-03-01T00:00:00.000000Z"
    with pytest.raises(BadInput):
        ApiEvent(id=long, time=moment, service="s", name="n", account="a", region="r").describe()
    with pytest.raises(BadInput):
        ApiEvent(id="e", time=moment, service="s", name="n", account="a", region="r", targets=(long,)).describe()
