"""AWS on a bad day, over HTTP: a proxy before moto that refuses, throttles, breaks, garbles or makes up chosen answers.

Which operation is called it reads from the request as AWS does: the target of JSON, the path of CBOR, the `Action` of a
form. Refusals are spelled in the protocol of the request. What no fault speaks of is answered by moto.
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from servers.moto import Moto

_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}
_JSON = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class Call:
    """One call: of which service and operation, in which region, with whose key, and what was asked (of JSON)."""

    service: str
    operation: str
    region: str
    key: str
    protocol: str
    asked: dict[str, Any]


@dataclass
class Answer:
    """What is sent back; a body that is `cut` is announced in full and ends early, with the connection."""

    status: int
    body: bytes
    kind: str = _JSON
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


Fault = Callable[[Call], Answer | None]


@dataclass
class FaultyAws:
    """A running proxy: its address, the calls that came, and the faults in force (the first that speaks decides)."""

    url: str
    moto: Moto
    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Return the variables with which clients find this proxy alone."""
        return {**self.moto.environment(), "AWS_ENDPOINT_URL": self.url, "AWS_MAX_ATTEMPTS": "1"}

    def counts(self) -> Counter[str]:
        """Return how often each operation was called."""
        return Counter(each.operation for each in self.calls)

    def on(
        self,
        operation: str,
        give: Callable[[Call], Answer | None],
        *,
        times: int | None = None,
        when: Callable[[Call], bool] = lambda _call: True,
    ) -> None:
        """Let `give` answer an operation (``*``: every one), at most so many times, where `when` says so."""
        left = [times]
        lock = threading.Lock()

        def fault(call: Call) -> Answer | None:
            if operation not in ("*", call.operation) or not when(call):
                return None
            with lock:
                if left[0] == 0:
                    return None
                left[0] = None if left[0] is None else left[0] - 1
            return give(call)

        self.faults.insert(0, fault)

    def refuse(self, operation: str, code: str, status: int = 400, **more: Any) -> None:
        """Let an operation be refused with a code of AWS."""
        self.on(operation, lambda call: refusal(call, code, status), **more)

    def say(self, operation: str, document: dict[str, Any] | Callable[[Call], dict[str, Any]], **more: Any) -> None:
        """Let an operation of a JSON service answer a document."""

        def give(call: Call) -> Answer:
            said = document(call) if callable(document) else document
            return Answer(200, json.dumps(said).encode())

        self.on(operation, give, **more)

    def say_xml(self, operation: str, inner: str, **more: Any) -> None:
        """Let an operation of a form service answer what is within its result."""
        body = f"<{operation}Response><{operation}Result>{inner}</{operation}Result></{operation}Response>"
        self.on(operation, lambda _call: Answer(200, body.encode(), "text/xml"), **more)


def refusal(call: Call, code: str, status: int = 400, text: str = "so the test says") -> Answer:
    """Return how AWS refuses a call, in the protocol of it."""
    if call.protocol == "form":
        said = f"<Type>Sender</Type><Code>{code}</Code><Message>{text}</Message>"
        return Answer(status, f"<ErrorResponse><Error>{said}</Error></ErrorResponse>".encode(), "text/xml")
    if call.protocol == "cbor":
        body = b"\xa2" + _cbor("__type") + _cbor(code) + _cbor("message") + _cbor(text)
        return Answer(status, body, "application/cbor", {"smithy-protocol": "rpc-v2-cbor"})
    return Answer(status, json.dumps({"__type": code, "message": text}).encode())


def web_page(_call: Call) -> Answer:
    """Return what a broken service answers."""
    return Answer(500, b"<!doctype html>\n<html><title>500 Internal Server Error</title></html>", "text/html")


def cut(_call: Call) -> Answer:
    """Return an answer that ends early."""
    return Answer(200, b'{"Models": [{"ModelName"', cut=True)


def garbage(_call: Call) -> Answer:
    """Return an answer that is none."""
    return Answer(200, b"\x00\xffnot json at all")


def slow(seconds: float) -> Callable[[Call], None]:
    """Return a fault that lets time pass, and moto answer then."""
    return lambda _call: time.sleep(seconds)


def held(until: threading.Event) -> Callable[[Call], None]:
    """Return a fault that waits until something has happened, and lets moto answer then."""

    def wait(_call: Call) -> None:
        until.wait(120)

    return wait


def _cbor(text: str) -> bytes:
    data = text.encode()
    return (bytes([0x60 | len(data)]) if len(data) < 24 else bytes([0x78, len(data)])) + data


def _read_call(path: str, headers: dict[str, str], body: bytes) -> Call:
    # Authorization: AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …
    scope = headers.get("authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
    key, _, region, service, *_ = [*scope, "", "", "", ""]
    parts = urlsplit(path).path.split("/")
    if target := headers.get("x-amz-target", ""):
        try:
            asked = json.loads(body or b"{}")
        except ValueError:
            asked = {}
        return Call(service, target.rpartition(".")[2], region, key, "json", asked)
    if len(parts) >= 5 and parts[3] == "operation":
        return Call(service, parts[4], region, key, "cbor", {})
    form = parse_qs(body.decode("utf-8", "replace"))
    return Call(
        service, form.get("Action", [""])[0], region, key, "form", {name: each[0] for name, each in form.items()}
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or the body of each answer waits until its headers are acknowledged
    aws: FaultyAws

    def handle_any(self) -> None:
        """Answer one call, or hand it on."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        call = _read_call(self.path, headers, body)
        self.aws.calls.append(call)
        for fault in list(self.aws.faults):
            if (answer := fault(call)) is not None:
                self.send(answer)
                return
        self.send(self.hand_on(body))

    def hand_on(self, body: bytes) -> Answer:
        """Return what moto answers."""
        to = urlsplit(self.aws.moto.url)
        connection = http.client.HTTPConnection(to.hostname or "", to.port, timeout=900)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
            kind = headers.pop("Content-Type", _JSON)
            return Answer(response.status, response.read(), kind, headers)
        finally:
            connection.close()

    def send(self, answer: Answer) -> None:
        """Send an answer."""
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) + (100 if answer.cut else 0)))
        self.end_headers()
        self.wfile.write(answer.body)
        if answer.cut:
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def faulty_aws(moto: Moto) -> Iterator[FaultyAws]:
    """Run a proxy before `moto` while the block runs."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    aws = FaultyAws(f"http://127.0.0.1:{server.server_port}", moto)
    handler.aws = aws  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="faulty", daemon=True)
    thread.start()
    try:
        yield aws
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
