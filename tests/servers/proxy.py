"""A proxy on loopback that does to real HTTP what networks and stores do: refuses, cuts off, alters, lets time pass.

It passes requests on to a real server, with the Host header as it came, so that signatures hold. A test gives it
faults: functions that see each request before it is passed on, and may answer in its place or change what comes back.
"""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

_HOP = {"connection", "transfer-encoding", "keep-alive"}


@dataclass
class Seen:
    """A request that came: its method, its path (decoded, without the query), query and headers (in small letters)."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


@dataclass
class Answer:
    """What is sent back. A body that is `cut` is announced in full and ends early, with the connection."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: bool = False


Fault = Callable[[Seen], Answer | Callable[[Answer], Answer] | None]


@dataclass
class Proxy:
    """A running proxy: its address, the requests seen, and the faults in force (the first that speaks decides)."""

    endpoint: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def count(self, method: str, beginning: str = "/") -> int:
        """Return how many requests of a method came for paths that begin so, listings of a bucket left out."""
        found = [each for each in self.seen if each.method == method and each.path.startswith(beginning)]
        return sum(each.path.count("/") > 1 for each in found)


def refusal(status: int, code: str) -> Answer:
    """Return the answer of S3 for an error."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>so the test says</Message></Error>'.encode()
    return Answer(status, {"Content-Type": "application/xml"}, body)


@contextmanager
def proxying(target: str) -> Iterator[Proxy]:
    """Run a proxy before the server at `target` while the block runs."""
    to = urlsplit(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or the body of each answer waits until its headers are acknowledged

        def handle_any(self) -> None:
            given = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, unquote(given.path), given.query, headers)
            body = self.rfile.read(int(headers.get("content-length", 0)))
            proxy.seen.append(seen)
            changes: list[Callable[[Answer], Answer]] = []
            for fault in list(proxy.faults):
                found = fault(seen)
                if isinstance(found, Answer):
                    self.answer(found)
                    return
                if found is not None:
                    changes.append(found)
            answer = self.pass_on(body)
            for change in changes:
                answer = change(answer)
            self.answer(answer)

        def pass_on(self, body: bytes) -> Answer:
            connection = http.client.HTTPConnection(to.hostname or "", to.port, timeout=900)
            try:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                response = connection.getresponse()
                headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
                return Answer(response.status, headers, response.read())
            finally:
                connection.close()

        def answer(self, answer: Answer) -> None:
            self.send_response(answer.status)
            length = answer.headers.pop("Content-Length", None) or answer.headers.pop("content-length", None)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            whole = answer.cut or self.command == "HEAD"
            self.send_header("Content-Length", length if whole and length is not None else str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            if answer.cut:
                self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
