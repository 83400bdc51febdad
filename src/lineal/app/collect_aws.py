"""Collect the configuration of AWS: every account and region given, at the same time, each a collection of its own."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

from lineal.app.aws_look import ROLE, AwsLook
from lineal.app.aws_scopes import AwsScope
from lineal.app.collect import Collected, Progress, collect
from lineal.app.session import Session
from lineal.core.resource import read_arn
from lineal.errors import BadInput
from lineal.sources.aws_config_items import KINDS, TYPES
from lineal.sources.items_reading import SOURCE, Kind, Wishes

_EVERYWHERE: Final = "everywhere"
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsCollected(Collected):
    """What the collections of several scopes did: `seen` and `recorded` count resources.

    `runs` names each of them, `lost` the scopes that could not be asked, or not to the end.
    """

    runs: tuple[str, ...]
    lost: tuple[str, ...]


def collect_aws(
    session: Session,
    scopes: Sequence[AwsScope],
    *,
    only: Sequence[str] = (),
    settled: float = 0.0,
    drift: bool = False,
    on_progress: Progress | None = None,
) -> AwsCollected:
    """Record what is new in the configuration of `scopes`, and what is gone.

    `only` names some of `TYPES` (``AWS::SageMaker::*`` several); resources that are changing are waited for at most
    `settled` seconds each; with `drift` CloudFormation looks for drift first. A scope that is lost is a gap, and the
    others go on. `on_progress` gets the numbers of resources seen and recorded. Raises `BadInput` for an unknown type,
    `SourceError` when every scope is lost, and what `collect` raises.
    """
    if not scopes:
        raise BadInput("no account and region to look at", fix="--region eu-west-1")
    kinds = _choose(only)
    regional, everywhere = ([each for each in kinds if each.everywhere is of] for of in (False, True))
    tally = _Tally(on_progress)
    wishes = Wishes(settled=settled, drift=drift)
    looks = [AwsLook(session, each, regional, wishes, tally.add) for each in scopes] if regional else []
    done = _run(session, looks)
    if everywhere:
        named = {role for look in looks for role in look.roles}
        more = [
            AwsLook(session, each, everywhere, replace(wishes, roles=_roles(session, each, named)), tally.add)
            for each in _accounts(scopes, looks)
        ]
        done += _run(session, more)
        looks += more
    lost = [each for each in looks if each.lost is not None]
    if len(lost) == len(looks) and lost[0].lost is not None:
        raise lost[0].lost
    return AwsCollected(
        run=done[-1].run,
        seen=tally.seen,
        recorded=tally.recorded,
        gaps=tuple(dict.fromkeys(gap for each in done for gap in each.gaps)),
        runs=tuple(each.run for each in done),
        lost=tuple(each.collection.scope for each in lost),
    )


def _choose(only: Sequence[str]) -> list[Kind]:
    """Return the kinds of which a type is wanted; raise `BadInput` for a word that means none."""
    for word in only:
        if not any(fnmatchcase(name.lower(), word.lower()) for name in TYPES):
            raise BadInput(f"no type that is collected is called {word!r}", fix="`lineal collect aws --list-types`")
    wanted = {name for name in TYPES for word in only if fnmatchcase(name.lower(), word.lower())} or set(TYPES)
    return [each for each in KINDS if wanted.intersection(each.types)]


def _run(session: Session, looks: Sequence[AwsLook]) -> list[Collected]:
    """Collect what each look sees, some of them at the same time."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="scope") as pool:
        waiting = [pool.submit(collect, session, each.collection, each.everything()) for each in looks]
        try:
            return [each.result() for each in waiting]
        except BaseException:
            for future, look in zip(waiting, looks, strict=True):
                future.cancel()
                look.stop()
            raise


def _accounts(scopes: Sequence[AwsScope], looks: Sequence[AwsLook]) -> list[AwsScope]:
    """Return one scope for each account, for what belongs to no region: one that was not lost, if there is one."""
    lost = {id(each.scope): each.lost for each in looks}
    found: dict[str | None, AwsScope] = {}
    for scope in scopes:
        error = scope.error or lost.get(id(scope))
        held = found.get(scope.account)
        if held is None or (held.error is not None and error is None):
            found[scope.account] = replace(scope, region=_EVERYWHERE, error=error)
    return list(found.values())


def _roles(session: Session, scope: AwsScope, named: set[str]) -> frozenset[str]:
    """Return the roles of an account to look at: those that something names, and those on record from before."""
    if scope.account is None:
        return frozenset()
    told = ((key, read_arn(key)) for key in named)
    own = {key for key, role in told if role is not None and role.account == scope.account}
    known = session.configuration.estate(kind=ROLE, account=scope.account)
    return frozenset(own | {key for key, item in known.items() if item.source == SOURCE})


class _Tally:
    """Counts what all looks together see and record, and tells it."""

    def __init__(self, on_progress: Progress | None) -> None:
        self.seen = self.recorded = 0
        self._tell = on_progress or (lambda _seen, _recorded: None)
        self._lock = threading.Lock()

    def add(self, seen: int, recorded: int) -> None:
        """Count some more."""
        with self._lock:
            self.seen += seen
            self.recorded += recorded
            self._tell(self.seen, self.recorded)
