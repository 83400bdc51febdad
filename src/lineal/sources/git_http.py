"""The HTTP that git hosts speak beside git: their API, and that of Git LFS. Nothing but HTTP is ever opened."""

import urllib.request
from contextlib import closing
from typing import IO, Final

from lineal.core.repository import scheme_of


def _make_opener() -> urllib.request.OpenerDirector:
    """Return what opens HTTP and nothing else: not files, whatever a server redirects to."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


_OPENER: Final = _make_opener()


def open_http(
    url: str,
    headers: dict[str, str],
    *,
    secrets: dict[str, str] | None = None,
    data: bytes | None = None,
    timeout: float,
) -> "closing[IO[bytes]]":
    """Open `url`, with a POST if there are `data`; headers that are `secrets` do not follow to where it redirects.

    Raises `ValueError` for an address that is not HTTP, `OSError` and `HTTPException` as the library does.
    """
    if scheme_of(url) not in ("http", "https"):
        raise ValueError("an address that is not HTTP was named")
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310  # HTTP, as looked at above
    for name, value in (secrets or {}).items():
        request.add_unredirected_header(name, value)
    return closing(_OPENER.open(request, timeout=timeout))
