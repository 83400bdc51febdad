"""Telling people: lines sent to webhooks, chats and mail through Apprise, to addresses that are secrets."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from lineal.errors import BadInput, UsageError

_MOST_LINES: Final = 200
_MOST_TEXT: Final = 30_000
_LONGEST: Final = 120  # seconds that one address may take


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
                sent = _send(partial(service.notify, body=body, title=title))
        except BadInput as error:
            found.append(error.message)
        except Exception as error:  # noqa: BLE001  # of a hundred services, each with errors of its own
            found.append(f"{name} was not told: {type(error).__name__}")
        else:
            if sent is None:
                found.append(f"{name} was not told, as far as is known: no answer within {_LONGEST} seconds")
            elif not sent:
                found.append(f"{name} was not told: it did not take the message")
    return tuple(found)


def _send(send: Callable[[], Any]) -> bool | None:
    """Return whether a message was taken; None if that is not known by then.

    The libraries of services bound the time between two bytes of an answer, not that of all of them.
    """
    done: queue.SimpleQueue[bool | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            with _silence():  # also while nobody waits for it any more
                done.put(bool(send()))
        except Exception as error:  # noqa: BLE001  # raised where it is waited for
            done.put(error)

    threading.Thread(target=work, name="lineal-notify", daemon=True).start()
    try:
        found = done.get(timeout=_LONGEST)
    except queue.Empty:
        return None
    if isinstance(found, Exception):
        raise found
    return found


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


class _Silence:
    """Keeps what Apprise logs, addresses among it, off the terminal as long as anybody is within."""

    def __init__(self) -> None:
        self._lock, self._within, self._before = threading.Lock(), 0, False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        logger = logging.getLogger("apprise")
        with self._lock:
            if not self._within:
                self._before, logger.disabled = logger.disabled, True
            self._within += 1
        try:
            yield
        finally:
            with self._lock:
                self._within -= 1
                if not self._within:
                    logger.disabled = self._before


_silence: Final = _Silence()


def _body(lines: Sequence[str]) -> str:
    shown = [" ".join(line.split()) for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(f"… and {len(lines) - _MOST_LINES:,} more")
    text = "\n".join(shown)
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + " …"
