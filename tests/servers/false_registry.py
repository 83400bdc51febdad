"""A registry that does what it is told: it lies, refuses, stalls, sends half of things or sends us elsewhere.

It also takes requests as a proxy does, for any host: so registries with other names can be played on loopback.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


@dataclass(frozen=True)
class Request:
    """What somebody asked: the host, if it came as to a proxy; the headers with names in lower case."""

    method: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What to answer. `cut` sends so many bytes of the body and then hangs up, though more were promised."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


Responder = Callable[[Request], Reply]


@dataclass
class FalseRegistry:
    """A server with one answer for each path; whatever has none is not found. It remembers what it was asked."""

    address: str
    routes: dict[str, list[Reply | Responder]] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def on(self, path: str, *replies: Reply | Responder) -> None:
        """Answer requests for `path` with `replies` in turn, the last of them for ever."""
        self.routes[path] = list(replies)

    def give(self, request: Request) -> Reply:
        self.asked.append(request)
        waiting = self.routes.get(request.path)
        if not waiting:
            document = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
            return Reply(404, json.dumps(document).encode(), {"Content-Type": "application/json"})
        reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return reply if isinstance(reply, Reply) else reply(request)

    def asked_for(self, path: str) -> list[Request]:
        return [request for request in self.asked if request.path == path]

    def put_blob(self, repository: str, data: bytes) -> dict[str, Any]:
        self.on(
            f"/v2/{repository}/blobs/{digest_of(data)}", Reply(200, data, {"Content-Type": "application/octet-stream"})
        )
        return {"digest": digest_of(data), "size": len(data)}

    def put_image(
        self, repository: str, *references: str, more: Mapping[str, Any] | None = None, **config: Any
    ) -> bytes:
        """Keep an image under its digest and all `references`; return the bytes of its manifest."""
        data = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, **config}).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, **self.put_blob(repository, data)},
            "layers": [],
            **(more or {}),
        }
        manifest = json.dumps(document).encode()
        self.put_manifest(repository, manifest, *references)
        return manifest

    def put_manifest(self, repository: str, manifest: bytes, *references: str, kind: str = MANIFEST) -> None:
        for reference in (digest_of(manifest), *references):
            self.on(f"/v2/{repository}/manifests/{reference}", reply_of(manifest, kind))


def reply_of(manifest: bytes, kind: str = MANIFEST, **headers: str) -> Reply:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(200, manifest, {"Content-Type": kind, "Docker-Content-Digest": digest_of(manifest), **said})


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@contextmanager
def lying() -> Iterator[FalseRegistry]:
    """Run a false registry on a free port of the loopback address."""
    registry = FalseRegistry("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one: or each answer waits for the acknowledgement of its first half

        def handle_one(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = registry.give(Request(self.command, parts.netloc, parts.path, parts.query, headers, body))
            self.send_response_only(reply.status)
            sent = {"Content-Length": str(len(reply.body)), **reply.headers}
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            if reply.cut is not None:
                self.close_connection = True

        def do_GET(self) -> None:
            self.handle_one()

        def do_HEAD(self) -> None:
            self.handle_one()

        def do_POST(self) -> None:
            self.handle_one()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    registry.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="false-registry", daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
