"""Telling people: lines sent to webhooks, chats and mail through Apprise, to addresses that are secrets."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from lineal.errors import BadInput, UsageError

_MOST_LINES: Final = 200
_MOST_TEXT: Final = 30_000


def notify(urls: Sequence[str], title: str, lines: Sequence[str]) -> tuple[str, ...]:
    """Send `lines` under `title` to each address of Apprise, and return a warning for each that did not take them.

    An address is a secret, so a warning names its scheme and place in the list alone. Raises `UsageError` where Apprise
    is not installed. Nothing is sent if there are no lines.
    """
    if not urls or not lines:
        return ()
    body = _body(lines)
    found: list[str] = []
    for number, url in enumerate(urls, 1):
        name = name_of(url, number)
        try:
            with _silence():
                service = _service(url, number)
                sent = bool(service.notify(body=body, title=title))
        except BadInput as error:
            found.append(error.message)
        except Exception as error:  # noqa: BLE001  # of a hundred services, each with errors of its own
            found.append(f"{name} was not told: {type(error).__name__}")
        else:
            if not sent:
                found.append(f"{name} was not told: it did not take the message")
    return tuple(found)


def check_urls(urls: Sequence[str]) -> None:
    """Raise `BadInput` for an address that Apprise cannot use, without showing it; `UsageError` without Apprise."""
    for number, url in enumerate(urls, 1):
        with _silence():
            _service(url, number)


def name_of(url: str, number: int) -> str:
    """Return what an address is called where people read it: its scheme, and its place in the list."""
    scheme = url.partition("://")[0]
    shown = f"{scheme}://" if "://" in url and scheme.isalnum() and len(scheme) <= 20 else "an address"
    return f"notification {number} ({shown})"


def _service(url: str, number: int) -> Any:
    try:
        import apprise
    except ImportError as error:
        raise UsageError(
            "notifications need Apprise, which is not installed", fix="pip install 'lineal[notify]'"
        ) from error
    service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is None:
        raise BadInput(
            f"{name_of(url, number)} is no address that Apprise can use",
            fix="See https://appriseit.com for the addresses of each service.",
        )
    return service


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what Apprise logs, addresses among it, off the terminal."""
    logger = logging.getLogger("apprise")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _body(lines: Sequence[str]) -> str:
    shown = [" ".join(line.split()) for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"… and {len(lines) - _MOST_LINES:,} more")
    text = "\n".join(shown)
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + " …"
