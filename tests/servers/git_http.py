"""A git host on loopback: the real `git http-backend` behind a small HTTP server, and hosts that misbehave.

Repositories lie in one folder, ``NAME.git`` each; files of Git LFS are served by the batch API from a folder ``lfs``.
Whether a branch is protected is answered as Gitea's API does, to who has the `TOKEN`.
"""

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

USER, PASSWORD = "ada", "s3cretW0rd"
TOKEN = "0123456789abcdef"


@dataclass
class GitHost:
    """A running host. `mode` may be changed between requests.

    ``normal``; ``private`` (asks for `USER` and `PASSWORD`); ``garbage`` (answers everything with bytes of no format);
    ``page`` (a web page, as a captive portal gives); ``truncated`` (cuts the pack off in its middle); ``broken`` (500);
    ``silent`` (takes the request, and says nothing until the host ends).
    """

    root: Path
    mode: str = "normal"
    port: int = 0
    sent: int = 0
    protected: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, name: str, credentials: str = "") -> str:
        """Return the address of the repository `name`, with ``user:password`` in it if given."""
        at = f"{credentials}@" if credentials else ""
        return f"http://{at}127.0.0.1:{self.port}/{name}.git"


@contextmanager
def git_host(root: Path) -> Iterator[GitHost]:
    """Serve the repositories in `root` until the block ends."""
    host = GitHost(root)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"host": host}))
    server.daemon_threads = True
    host.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        host.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that did not wait for the answer."""


class _Handler(BaseHTTPRequestHandler):
    host: GitHost
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_PUT(self) -> None:
        self._reply(405, b"")

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            pieces = []
            while size := int(self.rfile.readline().strip(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            self._answer(b"".join(pieces))
        else:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _answer(self, body: bytes) -> None:
        host = self.host
        host.requests.append(f"{self.command} {self.path}")
        if host.mode == "silent":
            host.ended.wait(60)
            return self._reply(500, b"")
        if host.mode == "broken":
            return self._reply(500, b"no")
        if host.mode == "garbage":
            return self._reply(200, os.urandom(2000), "application/x-git-upload-pack-advertisement")
        if host.mode == "page":
            return self._reply(200, b"<html><body>Sign in to the network</body></html>", "text/html")
        known = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if host.mode == "private" and self.headers.get("Authorization") != known:
            return self._reply(401, b"who?", "text/plain", [("WWW-Authenticate", 'Basic realm="git"')])
        if self.path.startswith("/api/v1/repos/"):
            return self._branch(unquote(self.path.rpartition("/branches/")[2]))
        if self.path.endswith("/info/lfs/objects/batch"):
            return self._lfs(json.loads(body))
        if self.path.startswith("/lfs/"):
            file = host.root / "lfs" / self.path.removeprefix("/lfs/")
            return self._reply(200, file.read_bytes()) if file.is_file() else self._reply(404, b"")
        return self._backend(body)

    def _branch(self, name: str) -> None:
        if self.headers.get("Authorization") != f"token {TOKEN}":
            return self._reply(401, b'{"message": "token is required"}', "application/json")
        document = {"name": name, "protected": name in self.host.protected}
        return self._reply(200, json.dumps(document).encode(), "application/json")

    def _lfs(self, wanted: dict[str, Any]) -> None:
        oid = wanted["objects"][0]["oid"]
        href = f"http://127.0.0.1:{self.host.port}/lfs/{oid}"
        answer: dict[str, Any] = {"oid": oid, "size": wanted["objects"][0]["size"]}
        if (self.host.root / "lfs" / oid).is_file():
            answer["actions"] = {"download": {"href": href, "header": {"X-From": "batch"}}}
        else:
            answer["error"] = {"code": 404, "message": "not there"}
        document = json.dumps({"transfer": "basic", "objects": [answer]}).encode()
        return self._reply(200, document, "application/vnd.git-lfs+json")

    def _backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.host.root),
            "GIT_PROJECT_ROOT": str(self.host.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=variables, capture_output=True, check=False)
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        fields = [line.partition(":")[::2] for line in head.decode("latin-1").split("\r\n") if line]
        status = next((int(value.split()[0]) for name, value in fields if name.lower() == "status"), 200)
        headers = [(name, value.strip()) for name, value in fields if name.lower() not in ("status", "content-type")]
        kind = next((value.strip() for name, value in fields if name.lower() == "content-type"), "text/plain")
        if self.host.mode == "truncated" and b"PACK" in data:
            data = data[: data.index(b"PACK") + 40]
        self._reply(status, data, kind, headers)

    def _reply(
        self,
        status: int,
        data: bytes,
        kind: str = "application/octet-stream",
        more: list[tuple[str, str]] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in more or []:
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.end_headers()
        self.host.sent += len(data)
        self.wfile.write(data)
