"""What moto and botocore work out anew for each request, session and server, though it is always the same: once.

Nothing here changes an answer. Most of what a request to moto costs is else to list the folders of its package; most of
what a session of botocore costs, to parse models and to look for old names of events.
"""

import inspect
import os
from functools import cache
from pathlib import Path
from typing import Any, Final

import moto.core.responses
from botocore.hooks import EVENT_ALIASES, EventAliaser
from botocore.loaders import JSONFileLoader
from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

_read_model = JSONFileLoader().load_file
_start_aliaser = EventAliaser.__init__
_find = DomainDispatcherApplication(create_backend_app).get_backend_for_host
_MODULES: Final = tuple(backends.list_of_moto_modules())
_NEW_NAMES: Final[dict[str, str]] = {}


@cache
def _load_file(path: str) -> Any:
    """Read a file of botocore's models of the services: once, though every session would parse megabytes again."""
    return _read_model(path)


def _load_once(_loader: JSONFileLoader, path: str) -> Any:
    """Take the place of `JSONFileLoader.load_file`; botocore changes the model of S3 itself, so each has its own."""
    return _read_model(path) if "s3" in Path(path).parts else _load_file(path)


def _init_aliaser(self: EventAliaser, event_emitter: Any, event_aliases: Any = None) -> None:
    """Take the place of `EventAliaser.__init__`: what has the same table of old names finds the same new ones."""
    _start_aliaser(self, event_emitter, event_aliases)
    if self._event_aliases == EVENT_ALIASES:  # each client has a copy
        self._alias_name_cache = _NEW_NAMES


class _Methods:
    """The names of the methods of a class, which moto would list for each request; it may get more meanwhile."""

    def __init__(self, of: type) -> None:
        self._of = of

    def __contains__(self, name: str) -> bool:
        return inspect.isfunction(getattr(self._of, name, None))


@cache
def _find_backend(host: str | None) -> Any:
    """Return which service has a host; the patterns of all are tried for it."""
    return _find(host)


# An application finds the class that answers a request, and that the method: with no state, one is as good as another.
make_application: Final = cache(create_backend_app)

# Of EC2, no test asks for the images that machines are made of: a thousand in each region.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
JSONFileLoader.load_file = _load_once
EventAliaser.__init__ = _init_aliaser
backends.list_of_moto_modules = lambda: _MODULES
moto.core.responses.method_names_from_class = _Methods
DomainDispatcherApplication.get_backend_for_host = lambda _self, host: _find_backend(host)
