"""Configuration of everything in one account and region that builds or serves models, several types at a time."""

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from lineal.core.observation import Gap
from lineal.core.resource import Resource
from lineal.errors import LinealError, SourceError
from lineal.sources import (
    items_autoscaling,
    items_cloudformation,
    items_cloudtrail,
    items_codebuild,
    items_codepipeline,
    items_config,
    items_ecr,
    items_iam,
    items_sagemaker,
)
from lineal.sources.aws_session import MISSING, Refusal, is_about_credentials
from lineal.sources.items_reading import STRANGE, Asker, Kind, Lack, Present, Seen, strange

KINDS: Final[tuple[Kind, ...]] = (
    *items_sagemaker.KINDS,
    *items_codepipeline.KINDS,
    *items_codebuild.KINDS,
    *items_cloudformation.KINDS,
    *items_ecr.KINDS,
    *items_cloudtrail.KINDS,
    *items_config.KINDS,
    *items_autoscaling.KINDS,
    *items_iam.KINDS,
)
"""What can be read, in the order in which it is."""
TYPES: Final = tuple(name for kind in KINDS for name in kind.types)
ENDING: Final = items_sagemaker.ENDING
_AT_ONCE: Final = 4
_WAITING: Final = 64
_PATIENCE: Final = 20
_IN_VAIN: Final = frozenset({"aws.throttled", "aws.failed"})


@dataclass(frozen=True, slots=True)
class Looked:
    """The end of the reading of one type, which `began` and `ended` then: whether all of it was seen."""

    type: str
    began: str
    ended: str
    complete: bool


@dataclass(frozen=True, slots=True)
class _Broken:
    error: BaseException


def read_all(asker: Asker, kinds: Sequence[Kind] = KINDS) -> Iterator[Seen | Looked]:
    """Yield what there is of `kinds`, mixed, and for each type a `Looked` after the last of it.

    A service that cannot be reached is a `Lack` of its types. Raises `SourceError` when the credentials hold no more:
    what was not looked at to its end has no `Looked` then.
    """
    found: queue.Queue[Seen | Looked | _Broken | None] = queue.Queue(_WAITING)
    over = threading.Event()

    def give(item: Seen | Looked | _Broken | None) -> None:
        given = False
        while not given and not over.is_set():
            with suppress(queue.Full):
                found.put(item, timeout=0.5)
                given = True

    def work(kind: Kind) -> None:
        try:
            for item in _read(asker, kind):
                if over.is_set():
                    return
                give(item)
        except BaseException as error:  # noqa: BLE001  # it is raised again where it can be seen
            asker.stopped.set()
            give(_Broken(error))
        finally:
            give(None)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="kinds") as pool:
        try:
            for kind in kinds:
                pool.submit(work, kind)
            left = len(kinds)
            while left:
                item = found.get()
                if item is None:
                    left -= 1
                elif isinstance(item, _Broken):
                    raise item.error
                else:
                    yield item
        finally:
            over.set()
            asker.stopped.set()


def still_there(asker: Asker, resources: Iterable[Resource]) -> Iterator[Present | Lack]:
    """Yield what the service says of each resource that a list has left out, asked by name: there, or a refusal.

    Of one that it says is not there, nothing.
    """
    questions = {name: kind.still for kind in KINDS for name in kind.types}

    def ask(resource: Resource) -> Iterator[Present | Lack]:
        try:
            answer = questions[resource.type](asker, resource)
        except STRANGE as error:
            yield strange(resource.type, resource.key, error)
            return
        if not isinstance(answer, Refusal):
            yield Present(resource)
        elif answer.kind != MISSING:
            yield Lack(resource.type, answer.gap(resource.key))

    for item in asker.each(resources, ask):
        if isinstance(item, Present | Lack):
            yield item


def _read(asker: Asker, kind: Kind) -> Iterator[Seen | Looked]:
    """Yield what there is of one kind; its types end with a `Looked` each."""
    began = asker.clock()
    lacking: set[str] = set()
    in_vain = 0
    try:
        for item in kind.read(asker):
            if isinstance(item, Lack) and not item.note:
                lacking.add(item.type)
            yield item
            in_vain = in_vain + 1 if isinstance(item, Lack) and item.gap.code in _IN_VAIN else 0
            if in_vain >= _PATIENCE:  # each was tried again and again: thousands more would take hours
                lacking.update(kind.types)
                told = f"{in_vain} calls one after the other failed: the rest was not asked for"
                yield from (Lack(each, Gap("aws.gave_up", told, each)) for each in kind.types)
                break
    except SourceError as error:
        if is_about_credentials(error) or asker.stopped.is_set():
            raise
        lacking.update(kind.types)
        yield from (_unreachable(each, error) for each in kind.types)
    except STRANGE as error:
        lacking.update(kind.types)
        yield from (strange(each, each, error) for each in kind.types)
    ended = asker.clock()
    yield from (Looked(each, began, ended, each not in lacking) for each in kind.types)


def _unreachable(kind: str, error: LinealError) -> Lack:
    return Lack(kind, Gap("aws.unreachable", f"it could not be read: {error.message}", kind))
