"""Requests to AWS read as the calls they are: which operation, with which parameters, and what was answered.

Spelled as CloudTrail spells them: members of structures begin with a small letter, keys of maps (tags, environment)
stay as they are, since botocore's service models say which is which.
"""

import base64
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl

import botocore.session
from botocore.model import OperationModel, Shape
from botocore.parsers import create_parser

Environ = dict[str, Any]

_SCOPE: Final = re.compile(r"Credential=([^/]+)/[0-9]{8}/([^/]+)/([^/]+)/aws4_request")
_FORM: Final = "application/x-www-form-urlencoded"
# Who a call was to, as the trail has it, where that is not SERVICE.amazonaws.com (application-autoscaling: its guide).
_SOURCES: Final = {"application-autoscaling": "autoscaling.amazonaws.com"}
# Services whose calls are read; S3 as far as they are about buckets.
KNOWN: Final = frozenset(
    "application-autoscaling cloudformation cloudtrail codebuild codecommit codepipeline config ecr events iam kms "  # noqa: SIM905
    "logs s3 sagemaker secretsmanager ssm sts".split()
)
GLOBAL: Final = frozenset({"iam"})  # recorded in us-east-1, wherever the caller sits
_READS: Final = re.compile(
    r"(Batch)?(Describe|Get|List|Lookup|Search|Query|Head|Select|Detect|Estimate|Validate|Check)"
)


@dataclass(frozen=True)
class Call:
    """One call: who signed it (`key`), where to, and with which parameters, as CloudTrail spells them."""

    key: str
    service: str
    region: str
    operation: str
    parameters: dict[str, Any] | None
    agent: str
    wire: str

    @property
    def source(self) -> str:
        """Return who was called, as the trail has it."""
        return _SOURCES.get(self.service, f"{self.service}.amazonaws.com")

    @property
    def reads(self) -> bool:
        """Return whether the call changes nothing."""
        return _READS.match(self.operation) is not None


@lru_cache
def model_of(service: str) -> Any:
    """Return botocore's model of a service."""
    return botocore.session.get_session().get_service_model(service)


def read_call(environ: Environ) -> Call | None:
    """Return the call that a request is; None for one about objects, unsigned, or to a service not known here.

    The body stays there to be read.
    """
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if scope is None or scope[3] not in KNOWN:
        return None
    key, region, service = scope.groups()
    given = None
    wire = "json"
    if service == "s3":
        found = _bucket_operation(environ)
        if found is None:
            return None
        name, given = found
        wire = "rest-xml"
    else:
        body = _take_body(environ)
        found_name, wire = _operation_name(environ, body)
        if found_name not in model_of(service).operation_names:
            return None
        name = found_name
        given = _parameters(body, model_of(service).operation_model(name), wire)
    at = "us-east-1" if service in GLOBAL else region
    return Call(key, service, at, name, given or None, environ.get("HTTP_USER_AGENT", "")[:1024], wire)


def read_answer(call: Call, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> dict[str, Any]:
    """Return what was answered: the response as CloudTrail spells it, or ``{"Error": {"Code", "Message"}}``."""
    operation = model_of(call.service).operation_model(call.operation)
    found = {name.lower(): value for name, value in headers}
    try:
        parsed = create_parser(call.wire).parse(
            {"body": body, "headers": found, "status_code": status}, operation.output_shape
        )
    except Exception:  # moto's page for what it lacks is of no protocol
        parsed = {}
    if status >= 400:
        error = parsed.get("Error") or {}
        return {"Error": {"Code": error.get("Code") or "InternalFailure", "Message": error.get("Message") or ""}}
    parsed.pop("ResponseMetadata", None)
    lowered = lower(parsed, operation.output_shape)
    return lowered if isinstance(lowered, dict) else {}


def lower(value: Any, shape: Shape | None) -> Any:
    """Return `value` with the members of its structures in CloudTrail's spelling, by `shape`."""
    if isinstance(value, datetime):
        return value.strftime("%b %-d, %Y, %-I:%M:%S %p")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    kind = shape.type_name if shape is not None else ""
    if kind == "structure" and isinstance(value, dict):
        members = shape.members
        return {name[:1].lower() + name[1:]: lower(item, members.get(name)) for name, item in value.items()}
    if kind == "map" and isinstance(value, dict):
        return {name: lower(item, shape.value) for name, item in value.items()}
    if kind == "list" and isinstance(value, list):
        return [lower(item, shape.member) for item in value]
    return value


def refuse(call: Call, code: str, message: str, status: int = 400) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return the answer (status line, headers, body) that refuses a call in the words of its protocol."""
    line = f"{status} {'Bad Request' if status < 500 else 'Internal Server Error'}"
    if call.wire == "json":
        body = json.dumps({"__type": code, "message": message}).encode()
        return line, [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", code)], body
    if call.wire == "smithy-rpc-v2-cbor":
        words = b"".join(_cbor_text(each) for each in ("__type", code, "message", message))
        return line, [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], b"\xa2" + words
    if call.wire == "query":
        text = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        return line, [("Content-Type", "text/xml")], f"{text}<RequestId>0</RequestId></ErrorResponse>".encode()
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return line, [("Content-Type", "application/xml")], text.encode()


def _cbor_text(text: str) -> bytes:
    data = text.encode()
    return b"\x79" + len(data).to_bytes(2, "big") + data


def _take_body(environ: Environ) -> bytes:
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body = bytes(environ["wsgi.input"].read(size))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _operation_name(environ: Environ, body: bytes) -> tuple[str, str]:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return target.rpartition(".")[2], "json"
    path = environ.get("PATH_INFO", "")
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor" and "/operation/" in path:
        return path.rpartition("/operation/")[2], "smithy-rpc-v2-cbor"
    if environ.get("CONTENT_TYPE", "").startswith(_FORM):
        return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0], "query"
    return "", ""


def _parameters(body: bytes, operation: OperationModel, wire: str) -> Any:
    shape = operation.input_shape
    if wire == "query":
        return _unfold(dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)), shape)
    # A request is encoded as a response with the same members is: one parser reads both.
    parsed = create_parser(wire).parse({"body": body, "headers": {}, "status_code": 200}, shape) if body else {}
    parsed.pop("ResponseMetadata", None)
    return lower(parsed, shape)


def _unfold(flat: dict[str, str], shape: Shape | None, prefix: str = "") -> Any:
    """Return what a form says of `shape`: ``Parameters.member.1.ParameterKey=…`` becomes lists and structures."""
    kind = shape.type_name if shape is not None else ""
    if kind == "structure":
        found = {}
        for name, member in shape.members.items():
            below = f"{prefix}{member.serialization.get('name', name)}"
            if any(each == below or each.startswith(f"{below}.") for each in flat):
                found[name[:1].lower() + name[1:]] = _unfold(flat, member, f"{below}.")
        return found
    if kind == "list":
        word = shape.member.serialization.get("name", "member")
        below = prefix if shape.serialization.get("flattened") else f"{prefix}{word}."
        numbers = sorted({int(each[len(below) :].split(".")[0]) for each in flat if each.startswith(below)})
        return [_unfold(flat, shape.member, f"{below}{number}.") for number in numbers]
    text = flat.get(prefix.removesuffix("."), "")
    if kind in {"integer", "long"}:
        return int(text)
    return text == "true" if kind == "boolean" else text


@lru_cache
def _bucket_operations() -> dict[tuple[str, str], str]:
    """Return the operations about buckets by method and subresource (``PUT``, ``policy``)."""
    found: dict[tuple[str, str], str] = {}
    for name in model_of("s3").operation_names:
        uri = model_of("s3").operation_model(name).http["requestUri"]
        method = model_of("s3").operation_model(name).http["method"]
        path, _, query = uri.partition("?")
        if path == "/{Bucket}" and "&" not in query and not name.endswith(("Object", "Objects")):
            found.setdefault((method, query), name)
    return found | {("GET", ""): "", ("POST", "delete"): ""}  # those are about objects


def _bucket_operation(environ: Environ) -> tuple[str, dict[str, Any]] | None:
    bucket, _, key = environ.get("PATH_INFO", "").strip("/").partition("/")
    method = environ.get("REQUEST_METHOD", "")
    if key:
        return None
    if not bucket:
        return ("ListBuckets", {}) if method == "GET" else None
    words = [name for name, _ in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)]
    for word in [*words, ""] if not {"list-type", "prefix", "uploads"} & set(words) else ():
        name = _bucket_operations().get((method, word))
        if name:
            return name, {"bucketName": bucket, "Host": environ.get("HTTP_HOST", "")} | ({word: ""} if word else {})
    return None
