"""Asking an endpoint over HTTP: recorded requests and responses, and what it says of the model it loaded."""

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from lineal.capture.flat import read_document
from lineal.core.digest import Digest
from lineal.core.redaction import redact
from lineal.errors import BadDigest, BadInput, NotServing

SHOWN: Final = 4096
LARGEST: Final = 16 << 20
_TIMEOUT: Final = 10.0
_METHODS: Final = frozenset({"GET", "POST", "PUT", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One request to make: a path below the endpoint's address, a method, the body's bytes."""

    path: str
    method: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back: the status, the whole body, the header that names a model."""

    status: int
    body: bytes
    model_header: str | None = None


class _AsTheyAre(urllib.request.HTTPErrorProcessor):
    """Gives every answer as it came: a refusal is an answer, and a redirection leads away from what was deployed."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response

    https_response = http_response


def read_probes(file: Path) -> tuple[Probe, ...]:
    """Return the probes of a JSON file: a list of ``{"path", "method"?, "body"?}``; a body that is no text is JSON.

    Without a method it is POST where there is a body, else GET. Raises `BadInput`.
    """
    document = read_document(file)
    if not isinstance(document, list) or not document:
        raise BadInput(f"{file} does not hold a list of probes", fix=_EXAMPLE)
    return tuple(_read_probe(file, item) for item in document)


_EXAMPLE: Final = 'Write [{"path": "/predict", "body": {"rows": [[1, 2]]}}].'


def _read_probe(file: Path, item: object) -> Probe:
    if not isinstance(item, dict) or not str(item.get("path", "")).startswith("/"):
        raise BadInput(f"a probe in {file} has no path that begins with /", fix=_EXAMPLE)
    body = item.get("body")
    method = str(item.get("method", "GET" if body is None else "POST")).upper()
    if method not in _METHODS:
        raise BadInput(f"a probe in {file} has the method {method!r} (one of {', '.join(sorted(_METHODS))})")
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return Probe(path=str(item["path"]), method=method, body=text.encode())


def check_url(url: str) -> str:
    """Return the address of an endpoint without its last slash; raise `BadInput` if it is not http(s)://HOST…"""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise BadInput(f"not the address of an endpoint: {url!r}", fix="Write http://HOST:PORT or https://HOST/PATH.")
    return url.rstrip("/")


def ask(url: str, probe: Probe, *, timeout: float = _TIMEOUT) -> Response:
    """Send one request and return the response, whatever its status; raise `NotServing` when none comes in time."""
    request = urllib.request.Request(  # noqa: S310  # check_url has seen the scheme
        url + probe.path, data=probe.body or None, method=probe.method, headers={"Content-Type": "application/json"}
    )
    try:
        with _opener(url).open(request, timeout=timeout) as response:
            body = response.read(LARGEST + 1)
            status, header = int(response.status), response.headers.get("X-Model-Digest")
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise NotServing(f"no answer to {probe.method} {probe.path}: {reason}; nothing was recorded") from error
    if len(body) > LARGEST:
        raise NotServing(f"the answer to {probe.method} {probe.path} is over {LARGEST} bytes; nothing was recorded")
    return Response(status=status, body=body, model_header=header)


def _opener(url: str) -> urllib.request.OpenerDirector:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or _is_loopback(host):  # a proxy is never the way to this very machine
        return urllib.request.build_opener(_AsTheyAre, urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(_AsTheyAre)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def answers(url: str, *, timeout: float = _TIMEOUT) -> bool:
    """Return whether anything at all answers at `url` within `timeout` seconds."""
    try:
        ask(url, _ROOT, timeout=timeout)
    except NotServing:
        return False
    return True


_ROOT: Final = Probe(path="/", method="GET", body=b"")


def model_stated_by(url: str) -> Digest | None:
    """Return the digest of the model that the server says it loaded, None if it does not say.

    It may say so in answer to ``GET /``: in the JSON field ``model_digest`` or in the header ``X-Model-Digest``.
    """
    response = ask(url, _ROOT)
    said: object = response.model_header
    if said is None and response.status == 200:
        try:
            document = json.loads(response.body)
        except (ValueError, RecursionError):
            return None
        said = document.get("model_digest") if isinstance(document, dict) else None
    if not isinstance(said, str):
        return None
    try:
        return Digest.parse(said if said.startswith("sha256:") else f"sha256:{said}")
    except BadDigest:
        return None


def describe_exchange(probe: Probe, response: Response) -> dict[str, Any]:
    """Return a request and its response as they are recorded: digests of all bytes, the first 4 KiB as text."""
    return {
        "path": redact(probe.path)[0],
        "method": probe.method,
        "request": _text(probe.body),
        "request_digest": str(Digest.of(probe.body)),
        "status": response.status,
        "response": _text(response.body),
        "response_digest": str(Digest.of(response.body)),
        "response_bytes": len(response.body),
    }


def _text(body: bytes) -> str:
    return redact(body[:SHOWN].decode("utf-8", "replace"))[0]
