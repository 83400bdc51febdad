"""Asking a registry over HTTP: patiently, within limits, and without carrying a password to another host."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urljoin, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed does not know it

import urllib3
from urllib3.exceptions import HTTPError, LocationValueError
from urllib3.util import Timeout

from lineal.core.observation import Gap
from lineal.core.redaction import clean, redact, strip_url

LARGEST: Final = 4 << 20
"""The size of a manifest that every registry must take (OCI distribution 1.1, "Pushing manifests"): no more is read."""

_TRIES: Final = 5
_REDIRECTS: Final = 5
_LONGEST_WAIT: Final = 60.0
_TIMEOUT: Final = Timeout(connect=10.0, read=30.0)
_DEADLINE: Final = 300.0
_PIECE: Final = 1 << 16
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_BODILESS: Final = frozenset({"HEAD"})


class Unseen(Exception):
    """A question that got no answer that can be used; `gap` says why. It never leaves the sources."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(gap.explanation)
        self.gap = gap


class NotThere(Unseen):
    """The registry answered, and said that there is no such thing."""


class Stopped(Unseen):
    """The registry does not answer at all, or no more for now: to ask it for other things is in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the status, the headers with names in lower case, the body; and where it came from in the end."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def type(self) -> str:
        """The media type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def document(self) -> dict[str, Any]:
        """Return the JSON object that the body is; raise `Unseen` if it is none."""
        return read_object(self.body, strip_url(self.url)[0], self.type)

    def complaint(self) -> str:
        """Return what a refusal says of itself (OCI distribution 1.1, "Error codes"), redacted; empty if nothing."""
        try:
            errors = json.loads(self.body).get("errors") or [{}]
            said = " ".join(str(errors[0].get(name) or "") for name in ("code", "message"))
        except (ValueError, AttributeError, KeyError, IndexError, TypeError, RecursionError):
            return ""
        return redact(" ".join(clean(said).split()))[0][:200]


def read_object(body: bytes, where: str, kind: str = "") -> dict[str, Any]:
    """Return the JSON object in `body`, which came from `where` as the media type `kind`; raise `Unseen`."""
    if kind == "text/html" or body[:512].lstrip()[:1] == b"<":
        raise Unseen(
            Gap("oci.not_a_registry", f"{where} answered with a web page: a login page, or no registry at all")
        )
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unseen(Gap("oci.malformed", f"{where} gave {len(body)} bytes that are no whole JSON object"))
    return found


def is_loopback(host: str) -> bool:
    """Return whether `host` (without a port) is this very machine by its name or number."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class Wire:
    """HTTP to one registry and wherever it sends us. `environment` names proxies as it does for other programs.

    `sleep` waits some seconds. Plain HTTP is spoken with this very machine, and with others only if `plain_http`.
    """

    def __init__(
        self, environment: Mapping[str, str], *, plain_http: bool = False, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._environment = environment
        self.plain_http = plain_http
        self._sleep = sleep
        self._pools: dict[str | None, urllib3.PoolManager] = {}

    def is_safe(self, url: str) -> bool:
        """Return whether nobody on the way can read or alter what is said with `url`, as far as that was asked for."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        plain = parts.scheme == "http" and (self.plain_http or is_loopback(parts.hostname or ""))
        return bool(parts.hostname) and (parts.scheme == "https" or plain)

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        limit: int = LARGEST,
    ) -> Answer:
        """Return the answer to one request, whatever its status, after redirections and patient repetition.

        ``Authorization`` stays with the host that it was meant for. Raises `Unseen` when no whole answer of at most
        `limit` bytes comes.
        """
        sent = {"Accept-Encoding": "identity", "User-Agent": "lineal", **(headers or {})}
        for _ in range(_REDIRECTS + 1):
            if not self.is_safe(url):
                shown = strip_url(url)[0]
                raise Unseen(
                    Gap(
                        "oci.unsafe",
                        f"{shown} is not HTTPS: it was not asked, and nothing was sent there (--plain-http allows it)",
                    )
                )
            answer = self._ask_patiently(method, url, sent, body, limit)
            if answer.status not in _MOVED or "location" not in answer.headers:
                return answer
            there = join(url, answer.headers["location"])
            if body is not None:  # it holds a secret that was meant for this place alone
                raise Unseen(Gap("oci.redirected", f"{_host(url)} sends a request for a token elsewhere: not followed"))
            if leads_inside(url, there):
                raise Unseen(Gap("oci.unsafe", f"{_host(url)} sends to this very machine: not followed"))
            if _origin(there) != _origin(url):
                sent = {name: value for name, value in sent.items() if name.lower() != "authorization"}
            url = there
        raise Unseen(Gap("oci.redirected", f"{_host(url)} sends from one place to the next without end"))

    def _ask_patiently(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit: int
    ) -> Answer:
        waited = 0.0
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                answer = self._ask_once(method, url, headers, body, limit)
            except (HTTPError, OSError, ValueError) as error:
                if last or isinstance(error, LocationValueError | ValueError):
                    raise Stopped(Gap("oci.unreachable", f"no answer from {_host(url)}: {_reason(error)}")) from error
                pause = 0.5 * 2**attempt
            else:
                if answer.status not in _AGAIN:
                    return answer
                pause = _read_pause(answer.headers.get("retry-after")) or 0.5 * 2**attempt
                if last or waited + pause > _LONGEST_WAIT:
                    raise _give_up(answer, url, pause)
            waited += pause
            self._sleep(pause)
        raise AssertionError

    def _ask_once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limit: int) -> Answer:
        response = self._pool(url).request(
            method,
            url,
            headers=dict(headers),
            body=body,
            redirect=False,
            retries=False,
            timeout=_TIMEOUT,
            preload_content=False,
            decode_content=False,
        )
        try:
            found = {name.lower(): value for name, value in response.headers.items()}
            data = b"" if method in _BODILESS else _read(response, url, found, limit)
        except BaseException:
            response.close()
            raise
        response.release_conn()  # the next question goes over the same connection
        return Answer(url=url, status=response.status, headers=found, body=data)

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = self._proxy(url)
        if proxy not in self._pools:
            self._pools[proxy] = (
                urllib3.PoolManager(num_pools=8) if proxy is None else urllib3.ProxyManager(proxy, num_pools=8)
            )
        return self._pools[proxy]

    def _proxy(self, url: str) -> str | None:
        """Return the proxy that the environment names for `url`; none is the way to this very machine."""
        parts = urlsplit(url)
        named = {
            name.lower().removesuffix("_proxy"): value
            for name, value in self._environment.items()
            if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") and value
        }
        if is_loopback(parts.hostname or "") or proxy_bypass_environment(parts.netloc, named):
            return None
        proxy = named.get(parts.scheme) or named.get("all")
        return None if proxy is None else proxy if "://" in proxy else f"http://{proxy}"


def _read(response: urllib3.BaseHTTPResponse, url: str, headers: Mapping[str, str], limit: int) -> bytes:
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Unseen(Gap("oci.malformed", f"{_host(url)} sent what was not asked for: a compressed answer"))
    deadline = time.monotonic() + _DEADLINE
    pieces: list[bytes] = []
    size = 0
    while piece := response.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise Unseen(Gap("oci.too_large", f"{_host(url)} sent more than the {limit} bytes that are read of it"))
        if time.monotonic() > deadline:
            raise Stopped(Gap("oci.unreachable", f"{_host(url)} had not sent all of an answer in {_DEADLINE:.0f} s"))
    return b"".join(pieces)


def _give_up(answer: Answer, url: str, pause: float) -> Stopped:
    if answer.status == 429:
        why = f"{_host(url)} takes no more requests for now (429, wait {pause:.0f} s) {answer.complaint()}"
        return Stopped(Gap("oci.throttled", why))
    return Stopped(Gap("oci.unreachable", f"{_host(url)} answered {answer.status} {answer.complaint()}".strip()))


def _read_pause(text: str | None) -> float | None:
    """Return the seconds that ``Retry-After`` asks for (RFC 9110, 10.2.3): a number, or a moment."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return min(float(text), 86400.0)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def leads_inside(url: str, there: str) -> bool:
    """Return whether `url`, another machine, sends us to this very one (`there`): to what only we can reach."""
    return is_loopback(urlsplit(there).hostname or "") and not is_loopback(urlsplit(url).hostname or "")


def join(url: str, place: str) -> str:
    """Return the address that `place` means where `url` says it; raise `Unseen` if it is none."""
    try:
        found = urljoin(url, place)
        urlsplit(found).port  # noqa: B018  # it raises where there is none
    except ValueError as error:
        raise Unseen(Gap("oci.malformed", f"{_host(url)} sends to what is no address")) from error
    return found


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None)
    text = " ".join(clean(str(inner if isinstance(inner, Exception) else error)).split())
    return redact(text)[0][:200] or type(error).__name__
