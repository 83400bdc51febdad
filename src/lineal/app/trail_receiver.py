"""A small receiver of events over HTTP: what EventBridge, or anybody with the secret, sends, is recorded as it comes.

An answer of 2xx says that everything in the request is durable in the ledger; any other, that nothing of it was.
EventBridge sends again what is not acknowledged, so that events may come twice: they are recorded once.
"""

import hmac
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from lineal.app.collect_events import record_message
from lineal.app.session import Session
from lineal.errors import BadInput, LinealError, StoreUnavailable, UsageError

HEADER: Final = "X-Lineal-Secret"
MOST_BYTES: Final = 8 * 1024 * 1024
_SECONDS: Final = 30
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

Received = Callable[[int, int], None]


class Receiver(ThreadingHTTPServer):
    """Takes events at an address; requests take turns at the ledger."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, session: Session, address: str, secret: str = "", *, reads: bool = False, on_event: Received | None = None
    ) -> None:
        host, port = read_address(address)
        if not secret and host not in _LOOPBACK:
            raise UsageError(
                f"whoever reaches {host} could send events: a secret is needed",
                fix="--secret-file FILE, or listen on 127.0.0.1 behind something that asks who calls.",
            )
        self.session, self.secret, self.reads = session, secret, reads
        self.turn = threading.Lock()
        self.closing = False
        self.counts = {"events": 0, "kept": 0, "recorded": 0}
        self._on_event = on_event
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise UsageError(f"cannot listen on {address}: {error.strerror}", fix="Choose another port.") from error

    def take(self, text: str) -> dict[str, int]:
        """Record the events in `text`; return how many they are. Raises what `record_message` raises."""
        with self.turn:
            if self.closing:
                raise StoreUnavailable("the receiver is ending; nothing was recorded")
            done = record_message(self.session, text, reads=self.reads)
            for name, count in done.items():
                self.counts[name] += count
            if self._on_event is not None:
                self._on_event(self.counts["events"], self.counts["recorded"])
            return done

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of somebody who hung up."""


def read_address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; raise `BadInput` for anything else."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise BadInput(f"not an address: {text!r}", fix="Write 127.0.0.1:8620.")
    return host.strip("[]"), int(port)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Receiver
    protocol_version = "HTTP/1.1"
    server_version = "lineal"
    sys_version = ""
    timeout = _SECONDS

    def do_POST(self) -> None:
        """Record what the body holds."""
        sent = self.headers.get(HEADER, "")
        if self.server.secret and not hmac.compare_digest(sent.encode(), self.server.secret.encode()):
            self._answer(401, {"error": f"{HEADER} is not right"})
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._answer(411, {"error": "Content-Length is needed"})
            return
        if len(length) > 15 or int(length) > MOST_BYTES:
            self._answer(413, {"error": f"at most {MOST_BYTES} bytes are taken at a time"})
            return
        data = self.rfile.read(int(length))
        if len(data) != int(length):
            self.close_connection = True
            return
        try:
            self._answer(200, self.server.take(data.decode("utf-8")))
        except (UnicodeDecodeError, BadInput) as error:
            self._answer(400, {"error": str(error)})
        except LinealError as error:
            self._answer(503, {"error": error.message, "code": error.code})

    def do_GET(self) -> None:
        """Say that it is there, to whoever watches it."""
        self._answer(200, {"status": "ready"})

    def log_message(self, *_words: object) -> None:
        """Say nothing on standard error."""

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        if status >= 400:
            self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
