"""SageMaker's lineage API as AWS documents it, over HTTP; synthetic: nobody here has seen AWS itself answer so.

It speaks the JSON protocol 1.1. What it is asked and what it answers is held against botocore's own model of the
service, so that neither our client nor this server invents a field. Every other operation is handed on to moto. It
refuses, throttles and breaks as it is told to: `faults` once each, `denied` always.
"""

import json
import threading
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from servers.moto import ACCOUNT, REGION, Moto

PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
_MODEL = botocore.session.get_session().get_service_model("sagemaker")
_TABLES = {"Artifact": "artifacts", "Action": "actions", "Context": "contexts"}


class Lineage:
    """What the server keeps, and how it behaves; times are seconds since 1970, as on the wire."""

    def __init__(self, moto: Moto | None) -> None:
        self.moto = moto
        self.url = ""
        self.page = 2
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.actions: dict[str, dict[str, Any]] = {}
        self.contexts: dict[str, dict[str, Any]] = {}
        self.associations: list[dict[str, Any]] = []
        self.faults: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        self.denied: set[str] = set()
        self.calls: list[str] = []
        self.problems: list[str] = []

    def environment(self) -> dict[str, str]:
        """Return the variables by which SageMaker is found here, and everything else at moto."""
        return {**(self.moto.environment() if self.moto else {}), "AWS_ENDPOINT_URL_SAGEMAKER": self.url}

    def add(self, kind: str, name: str, source: str, kind_name: str, when: datetime, **more: Any) -> str:
        """Keep an artifact, action or context and return its ARN."""
        identity = f"{abs(hash(name)):032x}"[:32] if kind == "Artifact" else name
        arn = f"{PREFIX}{kind.lower()}/{identity}"
        getattr(self, _TABLES[kind])[arn] = {
            f"{kind}Arn": arn,
            f"{kind}Name": name,
            "Source": {"SourceUri": source},
            f"{kind}Type": kind_name,
            "CreationTime": when.timestamp(),
            "LastModifiedTime": when.timestamp(),
            **more,
        }
        return arn

    def join(self, source: str, target: str, kind: str, when: datetime | None = None) -> None:
        """Keep an association."""
        moment = (when or datetime.now(UTC)).timestamp()
        ends = {"SourceArn": source, "DestinationArn": target}
        self.associations.append({**ends, "AssociationType": kind, "CreationTime": moment})

    def answer(self, operation: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        """Return status and body; None for what is handed on."""
        self.calls.append(operation)
        if operation in self.denied:
            return 400, {"__type": "AccessDeniedException", "Message": f"not authorized to perform: {operation}"}
        if self.faults[operation]:
            status, code, message = self.faults[operation].pop(0)
            return status, {"__type": code, "Message": message}
        word = operation.removeprefix("Describe").removeprefix("List").removesuffix("s")
        if word not in {*_TABLES, "Association"}:
            return None
        report = ParamValidator().validate(asked, _MODEL.operation_model(operation).input_shape)
        if report.has_errors():
            return 400, {"__type": "ValidationException", "Message": report.generate_report()}
        status, body = self._list(word, asked) if operation.startswith("List") else self._describe(word, asked)
        if status == 200:
            _hold(body, _MODEL.operation_model(operation).output_shape, operation, self.problems)
        return status, body

    def _list(self, word: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if word == "Association":
            found = [each for each in self.associations if _matches(each, asked, "SourceArn", "DestinationArn")]
        else:
            told = (f"{word}Arn", f"{word}Name", "Source", f"{word}Type", "CreationTime", "LastModifiedTime")
            table = getattr(self, _TABLES[word]).values()
            found = [{name: each[name] for name in told} for each in table]
        found = [each for each in found if each["CreationTime"] > asked.get("CreatedAfter", 0)]
        start = int(asked.get("NextToken", 0))
        body: dict[str, Any] = {f"{word}Summaries": found[start : start + self.page]}
        if start + self.page < len(found):
            body["NextToken"] = str(start + self.page)
        return 200, body

    def _describe(self, word: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        (wanted,) = asked.values()
        for arn, each in getattr(self, _TABLES[word]).items():
            if wanted in (arn, each[f"{word}Name"]):
                return 200, each
        return 400, {"__type": "ResourceNotFound", "Message": f"{wanted} does not exist"}


def _matches(each: dict[str, Any], asked: dict[str, Any], *names: str) -> bool:
    return all(asked.get(name, each[name]) == each[name] for name in names)


def _hold(value: Any, shape: Any, where: str, problems: list[str]) -> None:
    """Hold an answer against the shape that botocore has of it."""
    if shape.type_name == "structure":
        problems += [f"{where}: no member {name}" for name in value if name not in shape.members]
        problems += [f"{where}: {name} is missing" for name in shape.required_members if name not in value]
        for name in value.keys() & shape.members.keys():
            _hold(value[name], shape.members[name], f"{where}.{name}", problems)
    elif shape.type_name == "list":
        for each in value:
            _hold(each, shape.member, where, problems)


class _Handler(BaseHTTPRequestHandler):
    lineage: Lineage

    def do_POST(self) -> None:
        """Answer one call, or hand it on."""
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        found = self.lineage.answer(operation, json.loads(data or b"{}"))
        status, body = self._hand_on(data) if found is None else (found[0], json.dumps(found[1]).encode())
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hand_on(self, data: bytes) -> tuple[int, bytes]:
        assert self.lineage.moto is not None
        kept = {name: self.headers[name] for name in ("X-Amz-Target", "Content-Type", "Authorization", "X-Amz-Date")}
        request = urllib.request.Request(self.lineage.moto.url, data=data, headers=kept)
        try:
            with urllib.request.urlopen(request, timeout=900) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def lineage_server(moto: Moto | None) -> Iterator[Lineage]:
    """Give a server with nothing in it; what `moto` has is answered by it."""
    lineage = Lineage(moto)
    handler = type("Handler", (_Handler,), {"lineage": lineage})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="lineage", daemon=True)
    thread.start()
    lineage.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield lineage
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
