"""What configuration asks of AWS beyond what others ask: not found in every spelling, strict lists, roles that end."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from lineal.errors import SourceError
from lineal.sources.aws_role import assume_role
from lineal.sources.aws_session import (
    DENIED,
    FAILED,
    MISSING,
    AwsAccess,
    Refusal,
    ask,
    is_about_credentials,
    pages,
)


def client_of(service: str) -> Any:
    return boto3.client(service, region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")


@pytest.fixture
def pipelines() -> Iterator[tuple[Any, Stubber]]:
    client = client_of("codepipeline")
    with Stubber(client) as stub:
        yield client, stub


@pytest.mark.parametrize(
    ("service", "operation", "given", "code", "text", "kind"),
    [
        ("iam", "GetRole", {"RoleName": "r"}, "NoSuchEntity", "no", MISSING),
        ("iam", "GetRole", {"RoleName": "r"}, "AccessDenied", "no", DENIED),
        ("codepipeline", "GetPipeline", {"name": "p"}, "PipelineNotFoundException", "no", MISSING),
        ("ecr", "GetLifecyclePolicy", {"repositoryName": "ab"}, "LifecyclePolicyNotFoundException", "no", MISSING),
        ("cloudtrail", "GetTrailStatus", {"Name": "t"}, "TrailNotFoundException", "no", MISSING),
        ("config", "DescribeConfigurationRecorders", {}, "NoSuchConfigurationRecorderException", "no", MISSING),
        ("cloudformation", "GetTemplate", {"StackName": "s"}, "ValidationError", "Stack s does not exist", MISSING),
        ("cloudformation", "GetTemplate", {"StackName": "s"}, "ValidationError", "1 validation error", FAILED),
        ("codepipeline", "GetPipeline", {"name": "p"}, "ConcurrentModificationException", "no", FAILED),
    ],
)
def test_each_service_says_in_its_own_words_that_something_is_not_there(
    service: str, operation: str, given: dict[str, Any], code: str, text: str, kind: str
) -> None:
    client = client_of(service)
    with Stubber(client) as stub:
        stub.add_client_error(xform_name(operation), code, text, 400)
        found = ask(client, operation, **given)
    assert isinstance(found, Refusal)
    assert found.kind == kind


def test_tokens_have_the_names_that_the_service_gives_them(pipelines: tuple[Any, Stubber]) -> None:
    client, stub = pipelines
    stub.add_response("list_pipelines", {"pipelines": [{"name": "a"}], "nextToken": "1"}, {})
    stub.add_response("list_pipelines", {"pipelines": [{"name": "b"}]}, {"nextToken": "1"})
    found = list(pages(client, "ListPipelines", "pipelines", tokens=("nextToken", "nextToken"), strict=True))
    assert found == [[{"name": "a"}], [{"name": "b"}]]


def test_a_page_without_its_list_is_no_empty_list(pipelines: tuple[Any, Stubber]) -> None:
    client, stub = pipelines
    stub.add_response("list_pipelines", {}, {})
    (found,) = pages(client, "ListPipelines", "pipelines", strict=True)
    assert isinstance(found, Refusal)
    assert found.kind == FAILED


def test_a_role_that_cannot_be_renewed_ends_everything() -> None:
    class Client:
        def describe_model(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not any more"}}, "AssumeRole")

    with pytest.raises(SourceError, match="cannot be assumed any more") as caught:
        ask(Client(), "DescribeModel", ModelName="m")
    assert is_about_credentials(caught.value)


def test_what_does_not_answer_is_not_about_credentials() -> None:
    assert not is_about_credentials(SourceError("AWS cannot be reached"))


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("x", "aws")],
)
def test_the_partition_is_that_of_the_region(region: str, partition: str) -> None:
    assert AwsAccess(boto3.session.Session(), region).partition() == partition


def test_a_role_is_assumed_again_before_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    ends = [timedelta(minutes=1), timedelta(hours=1)]

    class Sts:
        def assume_role(self, **given: Any) -> dict[str, Any]:
            asked.append(given)
            if len(asked) > len(ends):
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not any more"}}, "AssumeRole")
            keys = {"AccessKeyId": f"key{len(asked)}", "SecretAccessKey": "secret", "SessionToken": "token"}
            return {"Credentials": {**keys, "Expiration": datetime.now(UTC) + ends[len(asked) - 1]}}

    monkeypatch.setattr(AwsAccess, "client", lambda _self, _service: Sts())
    role = "arn:aws:iam::123456789012:role/audit"
    access = assume_role(AwsAccess(boto3.session.Session(region_name="eu-west-1"), "eu-west-1"), role, "between us")
    credentials = access.session.get_credentials()
    assert credentials.get_frozen_credentials().access_key == "key2", "a minute is not long enough"
    assert credentials.get_frozen_credentials().access_key == "key2"
    assert asked == [{"RoleArn": role, "RoleSessionName": "lineal", "ExternalId": "between us"}] * 2
    with pytest.raises(SourceError, match="cannot be assumed: not any more"):
        assume_role(access, role)
