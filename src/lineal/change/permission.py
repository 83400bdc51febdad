"""Whether an approval allows an act: who did it, when, to which fields of what, by which call, and who allowed it."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from lineal.change.effects import service_word
from lineal.change.pattern import fits
from lineal.core.api_event import ApiEvent
from lineal.core.change import ChangeApproval, Path
from lineal.core.resource import key_of, read_arn
from lineal.core.timestamp import shift

# Approvals whose window ended or began so near to an act are told of, though they do not allow it.
NEAR: Final = 7 * 86400
_CASELESS: Final = ":sagemaker:"  # its names differ in more than capitals: its keys are in small letters
_BEHIND: Final = re.compile(r"(.+) \((.+)\)")
_TAKEN: Final = re.compile(r"(arn:[a-z-]+):sts::([0-9]{12}):assumed-role/(.+)")


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
        return _names(self.first.principal, self.first.session)

    @property
    def sure(self) -> tuple[str, ...]:
        """Those of its names that nobody chooses who merely takes on a role."""
        principal, session = self.first.principal, self.first.session
        return _names(principal, "") + (_both(principal, session) if session else ())

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


@lru_cache(maxsize=4096)
def _names(principal: str, session: str) -> tuple[str, ...]:
    short = re.split(r"[/:]", principal)[-1]
    both = _both(principal, session) if session else ()
    behind = _BEHIND.fullmatch(session)  # a session that also says who is behind it: "deploy-7 (ana@bank.example)"
    parts = behind.groups() if behind is not None else ()
    return tuple(dict.fromkeys(each for each in (principal, short, session, *both, *parts) if each))


def _both(principal: str, session: str) -> tuple[str, ...]:
    return f"{principal}/{session}", f"{re.split(r'[/:]', principal)[-1]}/{session}"


@lru_cache(maxsize=4096)
def _persons(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(person, names))


def permit(approval: ChangeApproval, act: Act, target: Target) -> Answer:
    """Return whether `approval` allows `act` on `target`.

    Everything that the approval names must fit: resource or type, field (and what is below it), call, principal. The
    act must lie in its window, its ends included, and after the decision unless it is `retroactive`. Four eyes: who
    approved must be neither who asked nor who acted.
    """
    if not is_about(approval, target.key, target.type) or not _fits_call(approval, act):
        return _NOT
    if not _fits_field(approval, target.path) or not fits(_principals(approval), act.names):
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
    if approver & _persons(act.names):
        return Answer(False, f"{name} was approved by {approval.approver}, who did it: four eyes", met=True)
    if approval.decided > moment:
        if not approval.retroactive:
            return Answer(False, f"{name} was decided only at {approval.decided}, after the act", met=True)
        return Answer(True, f"{name}: approved after the fact, at {approval.decided}", met=True)
    if not fits(_principals(approval), act.sure):
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
        answers = [permit(approval, act, target) for target in targets]
        allowed = next((each for each in answers if each.allowed), None)
        if allowed is not None:
            return approval, (allowed.note,) if allowed.note else ()
        refusals += [each.note for each in answers if each.note]
    return None, tuple(dict.fromkeys(refusals))


def is_about(approval: ChangeApproval, key: str, kind: str) -> bool:
    """Return whether an approval is about a resource, by its resources and types."""
    if not fits(approval.types, (kind,)):
        return False
    if not approval.resources:
        return True
    names = names_of(key, kind)
    patterns = tuple(spell_pattern(each) for each in approval.resources)
    if _CASELESS in key:
        names, patterns = tuple(map(str.lower, names)), tuple(map(str.lower, patterns))
    return fits(patterns, names)


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
def person(name: str) -> str:
    """Return the spelling of a name that all spellings of it have: without case, width, outer blanks, unseen signs."""
    seen = "".join(each for each in unicodedata.normalize("NFKC", name) if unicodedata.category(each) != "Cf")
    return " ".join(seen.casefold().split())


@lru_cache(maxsize=4096)
def spellings(name: str) -> frozenset[str]:
    """Return what else somebody of this name may be called: of an ARN or a path the last word, too."""
    return frozenset(filter(None, (person(name), person(key_of(name)), person(re.split(r"[/:]", name)[-1]))))


def _principals(approval: ChangeApproval) -> tuple[str, ...]:
    """Return the patterns of who may act as names are spelled: roles without their paths, sessions below them."""
    return tuple(map(_spell_principal, approval.principals))


@lru_cache(maxsize=4096)
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


@dataclass(slots=True)
class Approvals:
    """All approvals on record, found by what they are about and when."""

    given: Sequence[ChangeApproval]
    _exact: dict[str, list[ChangeApproval]] = field(default_factory=dict)
    _by_day: dict[str, list[ChangeApproval]] = field(default_factory=dict)
    _long: list[ChangeApproval] = field(default_factory=list)

    def __post_init__(self) -> None:
        for each in sorted(self.given, key=lambda each: (each.decided, each.id)):
            if each.resources and not any(map(is_wide, each.resources)):
                for name in {spell_pattern(name).lower() for name in each.resources}:
                    self._exact.setdefault(name, []).append(each)
            elif shift(each.not_before, 60 * 86400) < each.not_after:
                self._long.append(each)
            else:
                for day in _days(shift(each.not_before, -NEAR), shift(each.not_after, NEAR)):
                    self._by_day.setdefault(day, []).append(each)

    def about(self, key: str, kind: str, since: str | None, until: str) -> tuple[ChangeApproval, ...]:
        """Return the approvals about a resource whose window, or `NEAR` of it, meets a time, oldest decision first."""
        if not self.given:
            return ()
        began = since or ""
        found = [each for name in names_of(key, kind) for each in self._exact.get(name.lower(), ())]
        found += [each for each in self._long if is_about(each, key, kind)]
        if self._by_day:
            days = _days(began, until) if began and shift(began, 60 * 86400) > until else self._by_day
            found += [each for day in days for each in self._by_day.get(day, ()) if is_about(each, key, kind)]
        near = {
            each.id: each
            for each in found
            if shift(each.not_before, -NEAR) <= until
            and shift(each.not_after, NEAR) >= began
            and is_about(each, key, kind)
        }
        return tuple(sorted(near.values(), key=lambda each: (each.decided, each.id)))


def _days(since: str, until: str) -> list[str]:
    days, at = [], since
    while at[:10] <= until[:10]:
        days.append(at[:10])
        following = shift(at, 86400)
        if following <= at:
            break
        at = following
    return days
