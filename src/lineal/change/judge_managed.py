"""Whether a service itself made a change, in a field that it manages: never so for the same call by a person."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from lineal.change.effects import verb_of
from lineal.change.kinds import Manager, managers_of
from lineal.change.pattern import fits
from lineal.core.api_event import ApiEvent
from lineal.core.change import Path


def is_managed(kind: str, path: Path, event: ApiEvent) -> bool:
    """Return whether `event` is one by which a service manages the field at `path` of a resource of the type `kind`."""
    managers = _managers_of(kind, path) if path else ()
    return bool(managers) and any(_is_by(each, event) for each in managers)


_managers_of: Final = lru_cache(maxsize=4096)(managers_of)


def _is_by(manager: Manager, event: ApiEvent) -> bool:
    """Return whether the call is the manager's, and so is whoever made it.

    Where the table names principals it is one of them; where it names services in between, and the record does too (of
    a service-linked role it need not), those agree.
    """
    if not manager.principals and not manager.via:
        return False
    if not fits(manager.actions, (event.name, verb_of(event))) or not fits(manager.principals, _callers(event)):
        return False
    via = event.via or ("" if manager.principals else event.principal)
    return fits(manager.via, (via,)) if via or not manager.principals else True


def _callers(event: ApiEvent) -> Iterable[str]:
    """Yield what the caller is called: with the path of a role, too, which only services can have some of."""
    yield event.principal
    identity = event.record.get("userIdentity")
    context = identity.get("sessionContext") if isinstance(identity, dict) else None
    issuer = context.get("sessionIssuer") if isinstance(context, dict) else None
    arn = issuer.get("arn") if isinstance(issuer, dict) else None
    if isinstance(arn, str):
        yield arn
