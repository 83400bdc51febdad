"""How configuration is read from AWS: what every service's reader asks with, and what it gives.

A reader gives `ConfigItem`s; `Present` for what is there and has nothing to say now; `Lack` for what it was refused.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from lineal.core import canonical, timestamp
from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.observation import Gap
from lineal.core.plain import plain
from lineal.core.redaction import redact
from lineal.core.resource import Resource, make_resource, read_arn
from lineal.errors import BadInput, SourceError, UsageError
from lineal.sources import aws_session
from lineal.sources.aws_session import AT_ONCE, FAILED, MISSING, AwsAccess, Refusal, ask
from lineal.sources.reading_ahead import read_ahead

SOURCE: Final = "aws"
SHAPE: Final = "api"
STRANGE: Final = (UsageError, LookupError, TypeError, ValueError, AttributeError, RecursionError)

_LARGEST: Final = 12 * 1024 * 1024  # an event holds 16 MiB
_TOKENS: Final = ("NextToken", "NextToken")

Body = Mapping[str, Any]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Present:
    """A resource that is there, and of which nothing is said this time."""

    resource: Resource


@dataclass(frozen=True, slots=True)
class Lack:
    """What could not be seen of the resources of a `type`; unless it is a mere `note`, the type was not seen whole."""

    type: str
    gap: Gap
    note: bool = False


class Refused(Exception):  # no error: a word from deep inside that a resource cannot be read whole
    """What was needed and refused."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


Seen = ConfigItem | Present | Lack
Reader = Callable[["Asker"], Iterator[Seen]]
Question = Callable[["Asker", Resource], dict[str, Any] | Refusal]


@dataclass(frozen=True, slots=True)
class Kind:
    """Resources that are read in one go, of one type or several; those `everywhere` belong to no region.

    `still` asks for one resource by its name: a list that leaves it out may be late, or broken.
    """

    types: tuple[str, ...]
    read: Reader
    still: Question
    everywhere: bool = False


def _nothing(_key: str) -> ConfigItem | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a reader shall do beyond reading what is there.

    `since` says of types whose resources never change once they are done from when on to list them; `known` gives what
    is on record of a resource (by its key), of which what cannot change need not be asked again; `roles` names the
    roles to be read; `settled` is how many seconds to wait for a resource that is changing; `drift` lets CloudFormation
    look for drift first.
    """

    since: Mapping[str, datetime] = field(default_factory=dict)
    known: Callable[[str], ConfigItem | None] = _nothing
    roles: frozenset[str] = frozenset()
    settled: float = 0.0
    drift: bool = False


class Asker:
    """Asks the services of one account and region, not too many calls at a time; may be shared among threads."""

    def __init__(self, access: AwsAccess, account: str, clock: Callable[[], str], wishes: Wishes | None = None) -> None:
        self.access = access
        self.account = account
        self.region = access.region
        self.clock = clock
        self.wishes = wishes or Wishes()
        self.stopped = threading.Event()
        self.calls = 0
        self.partition = access.partition()
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="aws")

    def client(self, service: str) -> Any:
        """Return the client of a service, made when it is first asked for."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self.access.client(service)
            return self._clients[service]

    def ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any] | Refusal:
        """Return the answer of `operation`, or why there is none; raise what `aws_session.ask` raises."""
        client = self.client(service)
        with self._lock:
            self.calls += 1
        return ask(client, operation, **parameters)

    def pages(
        self, service: str, operation: str, key: str, *, tokens: tuple[str, str] = _TOKENS, **parameters: Any
    ) -> Iterator[list[Any] | Refusal]:
        """Yield the lists under `key` page by page, as `aws_session.pages`; a page without one is a `Refusal`, too."""
        client = self.client(service)
        for page in aws_session.pages(client, operation, key, tokens=tokens, strict=True, **parameters):
            with self._lock:
                self.calls += 1
            yield page

    def need(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer of `operation`; raise `Refused` where there is none."""
        answer = self.ask(service, operation, **parameters)
        if isinstance(answer, Refusal):
            raise Refused(answer)
        return answer

    def need_list(
        self, service: str, operation: str, key: str, *, tokens: tuple[str, str] = _TOKENS, **parameters: Any
    ) -> list[Any]:
        """Return the whole list under `key`; raise `Refused` where a page of it is refused."""
        found: list[Any] = []
        for page in self.pages(service, operation, key, tokens=tokens, **parameters):
            if isinstance(page, Refusal):
                raise Refused(page)
            found += page
        return found

    def each(self, given: Iterable[T], make: Callable[[T], Iterable[Seen]]) -> Iterator[Seen]:
        """Yield what `make` gives for each thing, in their order, some at the same time, few of them waiting."""
        for found in self.ahead(given, lambda thing: list(make(thing))):
            yield from found

    def ahead(self, given: Iterable[T], make: Callable[[T], R]) -> Iterator[R]:
        """Yield what `make` returns for each thing, in their order, some at the same time, few of them waiting."""
        for _, found in read_ahead(self._pool, given, lambda thing: self._make(make, thing), 2 * AT_ONCE):
            yield found

    def _make(self, make: Callable[[T], R], thing: T) -> R:
        if self.stopped.is_set():
            raise SourceError("the reading was stopped")
        return make(thing)

    def close(self) -> None:
        """Ask nothing more."""
        self.stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def resource(self, kind: str, name: str) -> Resource:
        """Return the resource of this account and region that is called `name`, or that the ARN `name` means."""
        found = read_arn(name) if name.startswith("arn:") else None
        if found is not None and found.type == kind:
            return found
        return make_resource(kind, self.account, self.region, name, partition=self.partition)

    def item(self, resource: Resource, configuration: Body, *, time: str = "", **more: Any) -> ConfigItem:
        """Return the item of a resource whose configuration was read at `time` (now); see `ConfigItem` for `more`.

        Everything in it becomes canonical, without secrets.
        """
        for name in ("created", "modified"):
            more[name] = moment(more.get(name))
        for name in ("tags", "extra"):
            more[name] = plain(more.get(name) or {})
        return ConfigItem(
            resource=resource,
            time=time or self.clock(),
            source=SOURCE,
            shape=SHAPE,
            configuration=plain(configuration),
            **more,
        )

    def join(self, how: str, kind: str, name: object) -> Iterator[Relationship]:
        """Yield how a resource is joined to another one, if it names one: by ARN, or by its name in this account."""
        if isinstance(name, str) and name.strip():
            found = read_arn(name) if name.startswith("arn:") else self._named(kind, name)
            yield Relationship(found.type, found.key, how) if found else Relationship(kind, name, how)

    def _named(self, kind: str, name: str) -> Resource | None:
        try:
            if kind == "AWS::KMS::Key" and name.startswith("alias/"):
                return self.resource("AWS::KMS::Alias", name.removeprefix("alias/"))
            return self.resource(kind, name)
        except BadInput:
            return None


def guarded(kind: str, about: object, make: Callable[[], Iterable[Seen]], main: str = "") -> Iterator[Seen]:
    """Yield what `make` gives of one resource, all of it or, where it was refused or cannot be recorded, a `Lack`.

    `main` is the operation that describes the resource: when that says that it is not there, it was deleted since it
    was listed, and there is nothing to say.
    """
    try:
        found = list(make())
        for item in found:
            if isinstance(item, ConfigItem) and (size := len(canonical.encode(item.describe()))) > _LARGEST:
                raise BadInput(f"it is too large: {size:,} bytes")
    except Refused as refused:
        if (refused.refusal.kind, refused.refusal.operation) != (MISSING, main):
            yield Lack(kind, refused.refusal.gap(redact(str(about))[0]))
        return
    except STRANGE as error:
        yield strange(kind, about, error)
        return
    yield from found


def strange(kind: str, about: object, error: Exception) -> Lack:
    """Return what is to be said of an answer that cannot be understood."""
    why = redact(f"{type(error).__name__}: {error}")[0][:300]
    told = redact(str(about))[0][:300]
    return Lack(kind, Gap("aws.unreadable", f"what AWS says of it cannot be recorded: {why}", told))


def moment(value: object) -> str | None:
    """Return a time of AWS in its canonical spelling; None where there is none."""
    return timestamp.spell(value) if isinstance(value, datetime) and value.tzinfo is not None else None


def pairs(tags: object) -> dict[str, str]:
    """Return tags as AWS lists them, ``Key`` and ``Value`` or in small letters, as a table."""
    found: dict[str, str] = {}
    for each in tags if isinstance(tags, list) else ():
        name = each.get("Key", each.get("key"))
        if isinstance(name, str):
            found[name] = str(each.get("Value", each.get("value")) or "")
    return found


def parsed(text: object) -> Any:
    """Return the document that JSON text holds, so that it can be compared by path; anything else as it is."""
    if not isinstance(text, str):
        return text
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, dict | list) else text


def found_in(answer: dict[str, Any] | Refusal, key: str) -> dict[str, Any] | Refusal:
    """Return `answer` to a question for one resource; a refusal if the list under `key` is empty: it is not there."""
    if isinstance(answer, Refusal):
        return answer
    told = answer.get(key)
    if not isinstance(told, list):
        return Refusal(FAILED, "the question for one resource", f"the answer has no {key}")
    return answer if told else Refusal(MISSING, "the question for one resource", "it is not there")


def without(body: Body, *names: str) -> dict[str, Any]:
    """Return `body` less the members `names`."""
    return {name: value for name, value in body.items() if name not in names}
