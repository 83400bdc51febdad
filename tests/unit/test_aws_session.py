"""How AWS is asked: what is refused is a value, what concerns every call is an error, and nothing is a traceback."""

import socket
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.loaders import JSONFileLoader
from botocore.stub import Stubber

from lineal.errors import BadInput, SourceError
from lineal.sources.aws_session import (
    DENIED,
    FAILED,
    MISSING,
    THROTTLED,
    UNKNOWN,
    Refusal,
    ask,
    ask_each,
    open_aws,
    pages,
)


@pytest.fixture
def client() -> Any:
    return boto3.client(
        "sagemaker", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber


@pytest.mark.parametrize(
    ("code", "message", "status", "kind"),
    [
        ("AccessDeniedException", "not authorized", 400, DENIED),
        ("SomethingNew", "who are you", 403, DENIED),
        ("ThrottlingException", "Rate exceeded", 400, THROTTLED),
        ("UnknownOperationException", "", 400, UNKNOWN),
        ("ResourceNotFound", "gone", 400, MISSING),
        ("ValidationException", 'Could not find endpoint "arn".', 400, MISSING),
        ("ValidationException", "Requested resource not found.", 400, MISSING),
        ("ValidationException", "1 validation error detected", 400, FAILED),
        ("500", "<!doctype html>\n<html>", 500, FAILED),
    ],
)
def test_a_refusal_of_one_call_is_a_value(
    client: Any, stub: Stubber, code: str, message: str, status: int, kind: str
) -> None:
    stub.add_client_error("describe_model", code, message, status)
    found = ask(client, "DescribeModel", ModelName="m")
    assert isinstance(found, Refusal)
    assert found.kind == kind
    gap = found.gap("m")
    assert gap.about == "m"
    assert "<html" not in gap.explanation


@pytest.mark.parametrize(
    "code", ["ExpiredTokenException", "ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"]
)
def test_credentials_that_do_not_hold_are_an_error(client: Any, stub: Stubber, code: str) -> None:
    stub.add_client_error("describe_model", code, "no", 403)
    with pytest.raises(SourceError, match=code) as caught:
        ask(client, "DescribeModel", ModelName="m")
    assert caught.value.hint


def test_secrets_in_what_aws_says_are_not_repeated(client: Any, stub: Stubber) -> None:
    stub.add_client_error("describe_model", "ValidationException", "postgresql://me:hunter2hunter2@host/db", 400)
    found = ask(client, "DescribeModel", ModelName="m")
    assert isinstance(found, Refusal)
    assert "hunter2" not in found.text


def test_an_operation_that_this_boto3_has_not_is_a_refusal(client: Any) -> None:
    found = ask(client, "DescribeTimeMachine")
    assert isinstance(found, Refusal)
    assert found.kind == UNKNOWN


def test_parameters_that_aws_has_not_are_a_refusal_not_a_traceback(client: Any) -> None:
    assert isinstance(ask(client, "DescribeModel", NoSuchName="m"), Refusal)


def test_pages_are_followed_through_empty_ones(client: Any, stub: Stubber) -> None:
    first = {"ModelName": "a", "ModelArn": "arn:aws:sagemaker:eu-west-1:123456789012:model/a", "CreationTime": 0}
    stub.add_response("list_models", {"Models": [], "NextToken": "1"}, {})
    stub.add_response("list_models", {"Models": [first], "NextToken": "2"}, {"NextToken": "1"})
    stub.add_response("list_models", {"Models": []}, {"NextToken": "2"})
    found = list(pages(client, "ListModels", "Models"))
    assert [len(page) for page in found if not isinstance(page, Refusal)] == [0, 1, 0]
    stub.assert_no_pending_responses()


def test_what_was_read_before_a_page_is_refused_stands(client: Any, stub: Stubber) -> None:
    stub.add_response("list_models", {"Models": [], "NextToken": "1"}, {})
    stub.add_client_error("list_models", "ThrottlingException", "Rate exceeded")
    one, refused = pages(client, "ListModels", "Models")
    assert one == []
    assert isinstance(refused, Refusal)
    assert refused.kind == THROTTLED


def test_answers_come_in_the_order_of_the_questions() -> None:
    class Client:
        def describe_model(self, ModelName: str) -> dict[str, Any]:  # noqa: N803
            return {"ModelName": ModelName}

    asked = ((number, {"ModelName": str(number)}) for number in range(100))
    found = list(ask_each(Client(), "DescribeModel", asked))
    assert found == [(number, {"ModelName": str(number)}) for number in range(100)]


def test_a_mistake_of_ours_is_not_hidden() -> None:
    class Client:
        def describe_model(self) -> None:
            raise KeyError("ours")

    with pytest.raises(KeyError):
        ask(Client(), "DescribeModel")


def test_an_answer_over_which_botocore_stumbles_is_a_refusal(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Parser:
        def parse(self, *_: Any) -> None:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    client.meta.events.register("before-send.sagemaker", lambda **_: AWSResponse("https://x", 200, {}, BytesIO(b"{}")))
    # The factory is that of all clients of the session.
    monkeypatch.setattr(client._endpoint._response_parser_factory, "create_parser", lambda *_: Parser())
    refused = ask(client, "ListModels")
    assert isinstance(refused, Refusal)
    assert (refused.kind, "cannot be read" in refused.text) == (FAILED, True)


def test_nothing_listens_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{probe.getsockname()[1]}")
        _credentials(monkeypatch)
        access = open_aws("eu-west-1")
        assert access.account() is None
        with pytest.raises(SourceError, match="cannot be reached"):
            ask(access.client("sagemaker"), "ListModels")


def test_without_region_profile_or_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(BadInput, match="no region"):
        open_aws()
    with pytest.raises(BadInput, match="nobody"):
        open_aws("eu-west-1", "nobody")
    with pytest.raises(SourceError, match="no credentials"):
        open_aws("eu-west-1").account()


def test_models_of_the_services_are_read_once_for_all_sessions_and_apart_where_others_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _credentials(monkeypatch)
    first = open_aws("eu-west-1").client("sagemaker")
    with monkeypatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", _unexpected)
        second = open_aws("us-east-1").client("sagemaker")
    assert (first.meta.region_name, second.meta.region_name) == ("eu-west-1", "us-east-1")
    assert first.meta.endpoint_url != second.meta.endpoint_url
    own = tmp_path / "models" / "own-service" / "2026-01-01"
    own.mkdir(parents=True)
    (own / "service-2.json").write_text("{}")
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path / "models"))
    assert "own-service" in open_aws("eu-west-1").session.get_available_services()
    monkeypatch.delenv("AWS_DATA_PATH")
    assert "own-service" not in open_aws("eu-west-1").session.get_available_services()


def _unexpected(*_: object, **__: object) -> None:
    raise AssertionError("it is read again")


def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
