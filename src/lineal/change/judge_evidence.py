"""What a change is judged by: the events about its resource, the approvals, and what the trail covered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lineal.change.effects import effect_of
from lineal.change.watermark import Coverage
from lineal.core import canonical
from lineal.core.api_event import ApiEvent
from lineal.core.change import Change, ChangeApproval, Path
from lineal.core.digest import Digest
from lineal.core.timestamp import shift

SKEW = 120
SETTLE = 900


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event that may explain something, and the `digest` of its document, which a judgement rests on."""

    event: ApiEvent
    digest: str


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Everything that a change of one resource is judged by.

    `events` are those about the resource, `stack_events` those about stacks of its account and region, of which
    `stacks` (keys) own the resource; in any order, all of them or more than what matters. `now` is the present moment;
    clocks may differ by `skew` seconds, and events arrive within `settle` seconds. `after` is the configuration in
    which the change ended. `spent` are fields that an event explained in an earlier change of the resource.
    """

    events: Sequence[Candidate]
    approvals: Sequence[ChangeApproval]
    coverage: Coverage
    now: str
    skew: int = SKEW
    settle: int = SETTLE
    stack_events: Sequence[Candidate] = ()
    stacks: frozenset[str] = frozenset()
    after: Mapping[str, Any] | None = None
    spent: frozenset[tuple[str, Path]] = frozenset()


def make_candidate(event: ApiEvent) -> Candidate:
    """Return `event` with its digest."""
    return Candidate(event, str(Digest.of(canonical.encode(event.describe()))))


def current(events: Iterable[Candidate]) -> list[Candidate]:
    """Return `events` in the order of their time, each once, without those that another one amends.

    Of several that amend the same event the last holds. What is only claimed takes the place of nothing else.
    """
    given = list(events)
    if _are_current(given):
        return given
    sure = {name for each in given if not each.event.claimed for name in (each.event.id, each.event.amends)}
    given = [each for each in given if not each.event.claimed or (each.event.amends or each.event.id) not in sure]
    held = {each.event.id: each for each in given}
    amended = {each.event.amends for each in held.values() if each.event.amends} & held.keys()
    last: dict[str, Candidate] = {}
    for each in sorted(held.values(), key=_order):
        if each.event.id not in amended:
            last[each.event.amends or each.event.id] = each
    return sorted(last.values(), key=_order)


def _are_current(events: Sequence[Candidate]) -> bool:
    """Return whether none of `events` is there twice or amends another one, and all are in order: most ever are."""
    last = ("", "")
    for each in events:
        event = each.event
        if event.amends or (event.time, event.id) <= last:
            return False
        last = (event.time, event.id)
    return len({each.event.id for each in events}) == len(events)


def _order(candidate: Candidate) -> tuple[str, str]:
    return candidate.event.time, candidate.event.id


def is_made_up(event: ApiEvent, coverage: Coverage) -> bool:
    """Return whether an event was only claimed, and the trail, which is whole at its time, does not have it."""
    return event.claimed and coverage.covers(event.time, event.time)


def begins(change: Change, evidence: Evidence) -> str:
    """Return the moment after which what made `change` can have happened; '' where nothing was known before."""
    return "" if change.since is None else shift(change.since, -evidence.skew)


def in_time(change: Change, evidence: Evidence) -> list[tuple[Candidate, bool]]:
    """Return the mutating events that succeeded and can have made `change`, newest first, and whether each is odd.

    Those after `begins` and up to `until`. Odd are some more, which count only where no other explains anything: up to
    `skew` later (the clock of the trail may be fast), and from before, of operations that take the service a while.
    What was only claimed is none of them where the trail is whole: it would have it.
    """
    began, latest = begins(change, evidence), shift(change.until, evidence.skew)
    found: list[tuple[Candidate, bool]] = []
    for each in reversed(current(evidence.events)):
        event = each.event
        if event.read_only or event.error or event.time > latest:
            continue
        if is_made_up(event, evidence.coverage):
            continue
        if event.time > began:
            found.append((each, event.time > change.until))
        elif (lasts := effect_of(event.service, event.name).lasts) and shift(event.time, lasts) > began:
            found.append((each, True))
    return found


@lru_cache(maxsize=65536)
def digest_of_approval(approval: ChangeApproval) -> str:
    """Return the digest of an approval's document."""
    return str(Digest.of(canonical.encode(approval.describe())))


def digest_of_inputs(document: Mapping[str, Any]) -> str:
    """Return the digest of what was concluded from."""
    return str(Digest.of(canonical.encode(dict(document))))
