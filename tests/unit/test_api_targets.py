"""Which resources a call of AWS is about: held against botocore's models, and against records of every kind."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core.resource import make_resource
from lineal.sources.api_targets import MOST_TARGETS, find_targets, names_nothing

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from make_api_targets import OUTPUT, SERVICES, changing, load_model, lower_first, make, spell

ACCOUNT, REGION = "123456789012", "eu-west-1"
SAGEMAKER = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
SIX = ("sagemaker", "codepipeline", "codebuild", "cloudformation", "ecr", "codecommit")
# Members that hold ARNs although their names do not say so, and names that only make sense in one spelling.
ARNS = frozenset({"serialNumber", "resource", "resourceIdentifier"})
VALUES = {"aliasName": "alias/name", "resourceId": "endpoint/name/variant/v"}


def value(name: str, shape: Any, depth: int = 0) -> Any:
    """Return a value of a shape as it stands in a record: names for texts, ARNs where these are asked for."""
    kind = shape.type_name
    if kind == "structure":
        return {lower_first(each): value(each, its, depth + 1) for each, its in shape.members.items() if depth < 6}
    if kind == "list":
        return [value(name, shape.member, depth + 1)] if depth < 6 else []
    if kind != "string":
        return None
    spelled = lower_first(name)
    if spelled in ARNS or name.lower().endswith(("arn", "arns")):
        return f"arn:aws:any:{REGION}:{ACCOUNT}:thing/name"
    return VALUES.get(spelled, "project:1")


def record(service: str, operation: str, asked: Any, answered: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "eventSource": f"{service}.amazonaws.com", "eventName": operation, "awsRegion": REGION,
        "recipientAccountId": ACCOUNT, "requestParameters": asked, "responseElements": answered,
    } | more  # fmt: skip


def key(kind: str, name: str) -> str:
    return make_resource(kind, ACCOUNT, REGION, name).key


@pytest.mark.parametrize("service", SIX)
def test_every_call_that_changes_something_names_a_resource_or_is_known_not_to(service: str) -> None:
    model = load_model(service)
    silent = set()
    for operation in changing(model):
        shapes = model.operation_model(operation)
        asked, answered = (
            None if shape is None else value("", shape) for shape in (shapes.input_shape, shapes.output_shape)
        )
        if not find_targets(record(service, operation, asked, answered)):
            silent.add(operation)
    assert silent == {each for each in changing(model) if names_nothing(service, each)}


def test_nearly_all_calls_of_all_services_name_a_resource() -> None:
    named = total = 0
    for service in SERVICES:
        model = load_model(service)
        for operation in changing(model):
            shapes = model.operation_model(operation)
            asked = None if shapes.input_shape is None else value("", shapes.input_shape)
            answered = None if shapes.output_shape is None else value("", shapes.output_shape)
            total += 1
            named += bool(find_targets(record(service, operation, asked, answered)))
    assert named / total > 0.92


def test_the_table_is_the_one_that_the_models_give() -> None:
    table = make()
    held = json.loads(OUTPUT.read_text(encoding="utf-8"))
    if table["botocore"] == held["botocore"]:
        assert OUTPUT.read_text(encoding="utf-8") == spell(table), "run scripts/make_api_targets.py"
    else:  # another release of botocore may know more, not less
        for service, each in held["services"].items():
            assert each["members"].items() <= table["services"][service]["members"].items()


@pytest.mark.parametrize(
    ("service", "operation", "asked", "answered", "expected"),
    [
        (
            "sagemaker", "UpdateEndpoint", {"endpointName": "Scorer", "endpointConfigName": "c-2"}, None,
            [f"{SAGEMAKER}:endpoint/scorer", f"{SAGEMAKER}:endpoint-config/c-2"],
        ),
        (
            "sagemaker", "UpdateModelPackage", {"modelPackageArn": f"{SAGEMAKER}:model-package/Risk/7"}, None,
            [f"{SAGEMAKER}:model-package/risk/7"],
        ),
        ("sagemaker", "AddTags", {"resourceArn": f"{SAGEMAKER}:endpoint/s"}, None, [f"{SAGEMAKER}:endpoint/s"]),
        ("sagemaker", "DescribeEndpoint", {"endpointName": "S"}, None, [f"{SAGEMAKER}:endpoint/s"]),
        ("sagemaker", "InventedLater", {"endpointName": "S"}, None, [f"{SAGEMAKER}:endpoint/s"]),
        (
            "sagemaker", "CreateDataQualityJobDefinition", {"jobDefinitionName": "q"}, None,
            [f"{SAGEMAKER}:data-quality-job-definition/q"],
        ),
        (
            "ecr", "PutImage", {"repositoryName": "risk/s", "registryId": "210987654321"},
            {"image": {"imageId": {"imageDigest": "sha256:ab"}}},
            [
                f"arn:aws:ecr:{REGION}:210987654321:repository/risk/s",
                make_resource("AWS::ECR::Image", "210987654321", REGION, "risk/s@sha256:ab").key,
            ],
        ),
        (
            "ecr", "BatchDeleteImage",
            {"repositoryName": "r", "imageIds": [{"imageDigest": "sha256:1"}, {"imageDigest": "sha256:2"}]}, None,
            [key("AWS::ECR::Repository", "r"), key("AWS::ECR::Image", "r@sha256:1"),
             key("AWS::ECR::Image", "r@sha256:2")],
        ),
        (
            "autoscaling", "RegisterScalableTarget",
            {"resourceId": "endpoint/Scorer/variant/all", "serviceNamespace": "sagemaker", "scalableDimension": "d"},
            None,
            [f"{SAGEMAKER}:endpoint/scorer",
             key("AWS::ApplicationAutoScaling::ScalableTarget", "endpoint/Scorer/variant/all|d|sagemaker")],
        ),
        ("autoscaling", "UpdateAutoScalingGroup", {"autoScalingGroupName": "web"}, None, []),
        (
            "codepipeline", "UpdatePipeline", {"pipeline": {"name": "P", "stages": []}}, None,
            [key("AWS::CodePipeline::Pipeline", "P")],
        ),
        ("codebuild", "StopBuild", {"id": "build:1f-2"}, None, [key("AWS::CodeBuild::Project", "build")]),
        ("cloudformation", "UpdateStack", {"stackName": "s"}, None, [key("AWS::CloudFormation::Stack", "s")]),
        (
            "cloudformation", "DeleteStack",
            {"stackName": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/s/77-1f"}, None,
            [key("AWS::CloudFormation::Stack", "s")],
        ),
        (
            "iam", "PutRolePolicy", {"roleName": "deploy", "policyName": "p"}, None,
            [f"arn:aws:iam::{ACCOUNT}:role/deploy"],
        ),
        ("cloudtrail", "StopLogging", {"name": "main"}, None, [key("AWS::CloudTrail::Trail", "main")]),
        (
            "cloudtrail", "StopLogging", {"name": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"}, None,
            [key("AWS::CloudTrail::Trail", "main")],
        ),
        ("s3", "PutBucketPolicy", {"bucketName": "models"}, None, ["arn:aws:s3:::models"]),
        ("lambda", "UpdateFunctionCode20150331v2", {"functionName": "f"}, None, [key("AWS::Lambda::Function", "f")]),
        ("kms", "DisableKey", {"keyId": "alias/models"}, None, []),
        ("kms", "DisableKey", {"keyId": "1f-2"}, None, [key("AWS::KMS::Key", "1f-2")]),
        ("ec2", "RunInstances", {"imageId": "ami-1"}, None, []),
    ],
)  # fmt: skip
def test_names_become_keys(service: str, operation: str, asked: Any, answered: Any, expected: list[str]) -> None:
    assert list(find_targets(record(service, operation, asked, answered))) == expected


def test_arns_anywhere_are_targets_but_not_those_inside_of_documents() -> None:
    role, other = f"arn:aws:iam::{ACCOUNT}:role/x/runner", f"arn:aws:iam::{ACCOUNT}:role/inside"
    given_record = record(
        "ec2", "Anything", {"a": [{"b": role}], "policyDocument": json.dumps({"Resource": other})},
        resources=[{"ARN": "arn:aws:s3:::models/key"}], serviceEventDetails={"arn": f"{SAGEMAKER}:endpoint/S"},
    )  # fmt: skip
    assert set(find_targets(given_record)) == {
        f"arn:aws:iam::{ACCOUNT}:role/runner", "arn:aws:s3:::models", f"{SAGEMAKER}:endpoint/s"
    }  # fmt: skip


def test_partitions_follow_the_region_and_there_is_an_end_to_targets() -> None:
    china = record("sagemaker", "DeleteEndpoint", {"endpointName": "s"}) | {"awsRegion": "cn-north-1"}
    assert find_targets(china) == (f"arn:aws-cn:sagemaker:cn-north-1:{ACCOUNT}:endpoint/s",)
    many = record("x", "Y", {"all": [f"{SAGEMAKER}:endpoint/e-{number}" for number in range(2 * MOST_TARGETS)]})
    assert len(find_targets(many)) == MOST_TARGETS


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([f"{SAGEMAKER}:endpoint/S", "arn:", "x/y"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["endpointName", "name", "pipeline", "imageIds", "image", "x"]), inner)
    ),
    max_leaves=12,
)


@given(
    st.sampled_from([*SERVICES, "ec2"]),
    st.sampled_from(["UpdatePipeline", "PutImage", "BatchDeleteImage", "X"]),
    _JSON,
    _JSON,
)
def test_no_request_is_too_strange(service: str, operation: str, asked: Any, answered: Any) -> None:
    found = find_targets(record(service, operation, asked, answered))
    assert len(set(found)) == len(found)
    assert all(isinstance(each, str) and each for each in found)
