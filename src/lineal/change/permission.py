"""Whether an approval allows an act: who did it, when, to which fields of what, by which call, and who allowed it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from lineal.change.caller import last_word, names_of_caller, person
from lineal.change.effects import service_word
from lineal.change.pattern import fits
from lineal.core.api_event import ApiEvent
from lineal.core.change import ChangeApproval, Path
from lineal.core.resource import key_of, read_arn
from lineal.core.timestamp import shift

# Approvals whose window ended or began so near to an act are told of, though they do not allow it.
NEAR: Final = 7 * 86400
_TAKEN: Final = re.compile(r"(arn:[a-z-]+):sts::([0-9]{12}):assumed-role/(.+)")
_CASELESS: Final = ":sagemaker:"  # its names differ in more than capitals: its keys are in small letters


@dataclass(frozen=True, slots=True)
class Act:
    """A call, and the one that made a service do it (an update of the stack that owns the resource), if there is one.

    Whoever made the first call of the two has done it.
    """

    event: ApiEvent
    behind: ApiEvent | None = None

    @property
    def first(self) -> ApiEvent:
        """The call that somebody made."""
        return self.behind or self.event

    @property
    def events(self) -> tuple[str, ...]:
        """The identifiers of the events."""
        return (self.event.id,) if self.behind is None else (self.behind.id, self.event.id)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that whoever did it is called: principal, its last word, session, and both together."""
        return names_of_caller(self.first.principal, self.first.session)

    @property
    def sure(self) -> tuple[str, ...]:
        """Those of its names that nobody chooses who merely takes on a role."""
        principal, session = self.first.principal, self.first.session
        both = (f"{principal}/{session}", f"{last_word(principal)}/{session}") if session else ()
        return names_of_caller(principal, "") + both

    def describe(self) -> str:
        """Return who did it, for people: the principal, and what its session calls itself."""
        principal, session = self.first.principal or "somebody unnamed", self.first.session
        return f"{principal} ({session})" if session and session != principal else principal


@dataclass(frozen=True, slots=True)
class Target:
    """What an act was done to: a resource by its key, its type, and the path of one of its fields (None: whichever)."""

    key: str
    type: str
    path: Path | None = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether an approval allows an act; `note` says what is odd about it, or why it does not although it is about it.

    `met` says that the act is the one that was meant, allowed or not: in the window, by whoever was to do it.
    """

    allowed: bool
    note: str = ""
    met: bool = False


_NOT: Final = Answer(False)
_YES: Final = Answer(True, met=True)


def permit(approval: ChangeApproval, act: Act, target: Target) -> Answer:
    """Return whether `approval` allows `act` on `target`.

    Everything that the approval names must fit: resource or type, field (and what is below it), call, principal. The
    act must lie in its window, its ends included, and after the decision unless it is `retroactive`. Four eyes: who
    approved must be neither who asked nor who acted.
    """
    if not is_about(approval, target.key, target.type) or not _fits_call(approval, act):
        return _NOT
    names, principals = act.names, _spell_principals(approval.principals)
    if not _fits_field(approval, target.path) or not fits(principals, names):
        return _NOT
    name, moment = approval.ticket or approval.id, act.first.time
    if moment > approval.not_after:
        return Answer(False, f"{name} had ended at {approval.not_after}")
    if moment < approval.not_before:
        return Answer(False, f"{name} began only at {approval.not_before}")
    if approval.withdrawn and moment >= approval.withdrawn:
        return Answer(False, f"{name} was withdrawn as of {approval.withdrawn}")
    approver = spellings(approval.approver)
    if approval.requester and approver & spellings(approval.requester):
        return Answer(False, f"{name} was approved by {approval.approver}, who asked for it", met=True)
    if not approver.isdisjoint(map(person, names)):
        return Answer(False, f"{name} was approved by {approval.approver}, who did it: four eyes", met=True)
    if approval.decided > moment:
        if not approval.retroactive:
            return Answer(False, f"{name} was decided only at {approval.decided}, after the act", met=True)
        return Answer(True, f"{name}: approved after the fact, at {approval.decided}", met=True)
    if principals and not fits(principals, act.sure):
        return Answer(True, f"{name} knows {act.describe()} only by what the session calls itself", met=True)
    return _YES


def find_permission(
    approvals: Sequence[ChangeApproval], act: Act, targets: Sequence[Target]
) -> tuple[ChangeApproval | None, tuple[str, ...]]:
    """Return the first of `approvals` that allows `act` on one of `targets`, None if none does, and what to note.

    Where one allows it, that is what is odd about it; else why those that are about it do not.
    """
    refusals: list[str] = []
    for approval in approvals:
        for target in targets:
            answer = permit(approval, act, target)
            if answer.allowed:
                return approval, (answer.note,) if answer.note else ()
            if answer.note:
                refusals.append(answer.note)
    return None, tuple(dict.fromkeys(refusals))


def is_about(approval: ChangeApproval, key: str, kind: str) -> bool:
    """Return whether an approval is about a resource, by its resources and types."""
    if not fits(approval.types, (kind,)):
        return False
    if not approval.resources:
        return True
    names = names_of(key, kind)
    if _CASELESS in key:
        return fits(_spell_patterns(approval.resources, caseless=True), tuple(map(str.lower, names)))
    return fits(_spell_patterns(approval.resources), names)


@lru_cache(maxsize=65536)
def _spell_patterns(patterns: tuple[str, ...], *, caseless: bool = False) -> tuple[str, ...]:
    spelled = tuple(map(spell_pattern, patterns))
    return tuple(map(str.lower, spelled)) if caseless else spelled


@lru_cache(maxsize=65536)
def spell_pattern(pattern: str) -> str:
    """Return a pattern of resources as it is compared: an ARN without ``*`` or ``?`` is the key that it means."""
    return pattern if is_wide(pattern) else key_of(pattern)


def is_wide(pattern: str) -> bool:
    """Return whether a pattern may mean several names."""
    return "*" in pattern or "?" in pattern


@lru_cache(maxsize=65536)
def names_of(key: str, kind: str) -> tuple[str, ...]:
    """Return what a pattern may call a resource: its key, its name, its type and name."""
    found = read_arn(key)
    name = found.name if found is not None else key.removeprefix(f"{kind}/").split("/", 2)[-1]
    return (key, name, f"{kind}/{name}")


@lru_cache(maxsize=4096)
def spellings(name: str) -> frozenset[str]:
    """Return what else somebody of this name may be called: of an ARN or a path the last word, too."""
    return frozenset(filter(None, (person(name), person(key_of(name)), person(last_word(name)))))


@lru_cache(maxsize=4096)
def _spell_principals(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return patterns of who may act as names are spelled: roles without their paths, sessions below them."""
    return tuple(map(_spell_principal, patterns))


def _spell_principal(pattern: str) -> str:
    taken = _TAKEN.fullmatch(pattern)
    if taken is not None:
        return f"{taken[1]}:iam::{taken[2]}:role/{taken[3]}"
    return spell_pattern(pattern)


def _fits_call(approval: ChangeApproval, act: Act) -> bool:
    if not approval.actions:
        return True
    names = [name for each in (act.event, act.behind) if each is not None for name in _calls(each)]
    return fits(approval.actions, names)


def _calls(event: ApiEvent) -> tuple[str, ...]:
    return event.name, f"{service_word(event.service)}:{event.name}", f"{event.service}:{event.name}"


def _fits_field(approval: ChangeApproval, path: Path | None) -> bool:
    if not approval.fields or path is None:
        return True
    dotted = [".".join(path[:end]) for end in range(len(path), 0, -1)] or [""]
    return fits(approval.fields, dotted)


class _Window(NamedTuple):
    """An approval, and from when to when it is worth telling of: its window and `NEAR` of it."""

    since: str
    until: str
    approval: ChangeApproval


def by_decision(approval: ChangeApproval) -> tuple[str, str]:
    """Return what approvals are put in order by, so that the one that was decided first comes first."""
    return approval.decided, approval.id


@dataclass(slots=True)
class Approvals:
    """All approvals on record, found by what they are about and when."""

    given: Sequence[ChangeApproval]
    _exact: dict[str, list[_Window]] = field(default_factory=dict)
    _by_day: dict[str, list[_Window]] = field(default_factory=dict)
    _long: list[_Window] = field(default_factory=list)
    _asked: tuple[str, str] = ("", "")
    _found: list[_Window] = field(default_factory=list)
    """Those that no day finds, of the resource that was `_asked` for last: most are asked for several times."""

    def __post_init__(self) -> None:
        for each in sorted(self.given, key=by_decision):
            window = _Window(shift(each.not_before, -NEAR), shift(each.not_after, NEAR), each)
            if each.resources and not any(map(is_wide, each.resources)):
                for name in {spell_pattern(name).lower() for name in each.resources}:
                    self._exact.setdefault(name, []).append(window)
            elif shift(each.not_before, 60 * 86400) < each.not_after:
                self._long.append(window)
            else:
                for day in _days(window.since, window.until):
                    self._by_day.setdefault(day, []).append(window)

    def about(self, key: str, kind: str, since: str | None, until: str) -> tuple[ChangeApproval, ...]:
        """Return the approvals about a resource whose window, or `NEAR` of it, meets a time, oldest decision first."""
        if not self.given:
            return ()
        began = since or ""
        if self._asked != (key, kind):
            named = [each for name in names_of(key, kind) for each in self._exact.get(name.lower(), ())]
            self._found = [each for each in named + self._long if is_about(each.approval, key, kind)]
            self._asked = (key, kind)
        near = {each.approval.id: each.approval for each in self._found if each.since <= until and each.until >= began}
        if self._by_day:
            days = _days(began, until) if began and _day_after(began[:10], 60) > until[:10] else self._by_day
            for day in days:
                for each in self._by_day.get(day, ()):
                    if each.since <= until and each.until >= began and is_about(each.approval, key, kind):
                        near[each.approval.id] = each.approval
        return tuple(near.values() if len(near) < 2 else sorted(near.values(), key=by_decision))


def _days(since: str, until: str) -> list[str]:
    days, day, last = [], since[:10], until[:10]
    while day <= last:
        days.append(day)
        following = _day_after(day)
        if following <= day:
            break
        day = following
    return days


@lru_cache(maxsize=4096)
def _day_after(day: str, days: int = 1) -> str:
    return shift(f"{day}T00:00:00.000000Z", days=days)[:10]
