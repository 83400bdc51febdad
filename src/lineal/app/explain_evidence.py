"""What explanation reads from the catalog: resources with their changes, and the events about each."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from lineal.catalog.acts import Told, acts_beside, acts_on_stacks, acts_on_unseen, acts_on_watched, items_of_type
from lineal.catalog.configuration import Configuration
from lineal.change.effects import creates, deletes, may_change
from lineal.change.history import list_changes
from lineal.change.judge_evidence import Candidate, current
from lineal.core.api_event import read_event
from lineal.core.change import Change, Path
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.resource import Resource, key_of, read_arn
from lineal.core.timestamp import shift
from lineal.ledger.database import Database

STACK: Final = "AWS::CloudFormation::Stack"
_OWNED: Final = "made"  # how a stack's relationships to what it made begin
_NEAR: Final = 3600
# Roles are looked at where something names them: a role that nobody saw may have been there all the time.
_NAMED_ONLY: Final = frozenset({"AWS::IAM::Role"})


@dataclass(frozen=True, slots=True)
class Case:
    """One resource with its items, its changes, oldest first, and the events that may have made them, all successful.

    Most are about it; some are about what it stands in.
    """

    key: str
    items: Sequence[ConfigItem]
    changes: Sequence[Change]
    events: Sequence[Candidate]
    failed: int
    looks: Sequence[Look]

    @property
    def first(self) -> str:
        """When the resource was first seen."""
        return min(each.time for each in self.items)

    @property
    def last(self) -> str:
        """When somebody began to look at it last, and would have seen it."""
        seen = [each.time for each in self.items] + [each.began for each in self.looks if each.complete]
        return max(seen)

    def configuration(self, change: Change) -> dict[str, Any] | None:
        """Return the configuration in which a change ended, None where it is not at hand."""
        seen = (each for each in self.items if each.time == change.until and each.status == "ok")
        found = next((each for each in seen if each.digest() == change.after), None)
        return None if found is None else found.configuration


@dataclass(slots=True)
class Looks:
    """The looks on record, by what they looked at."""

    given: Sequence[Look]
    _held: dict[tuple[str, str, str], list[Look]] = field(default_factory=dict)
    _found: dict[tuple[str, str, str], tuple[Look, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in self.given:
            self._held.setdefault((each.account, each.region, each.type), []).append(each)

    def at(self, account: str, region: str, kind: str) -> tuple[Look, ...]:
        """Return the looks at a type in an account and region, those at all types too, in their order."""
        place = (account, region, kind)
        if place not in self._found:
            places = [(account, where, name) for where in dict.fromkeys((region, "")) for name in (kind, "*")]
            found = [each for named in places for each in self._held.get(named, ())]
            self._found[place] = tuple(sorted(found, key=lambda each: (each.began, each.ended)))
        return self._found[place]


@dataclass(frozen=True, slots=True)
class Passing:
    """A resource that nobody ever saw: made, changed and taken away by `events`; when looks at its type began."""

    resource: Resource
    events: Sequence[Candidate]
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Stacks:
    """Events about stacks, by account and region, and which stacks own a resource."""

    events: dict[tuple[str, str], list[Candidate]]
    owners: dict[str, frozenset[str]]


@dataclass(slots=True)
class Beside:
    """What was done to things that resources stand in or are made of: no event of that is about the resource itself.

    `moves` are those events, by the type of the resource that may have changed and what they are about.
    """

    database: Database
    moves: dict[str, dict[str, list[Candidate]]] = field(default_factory=dict)

    def add(self, of: Resource, events: list[Candidate], changes: Sequence[Change]) -> list[Candidate]:
        """Return `events` about the resource `of`, with those that may have made its `changes` from beside."""
        about = {key for each in changes for edit in each.edits for key in _stands_in(of, edit.path)}
        if not about:
            return events
        if of.type not in self.moves:
            self.moves[of.type] = _by_resource(acts_beside(self.database, of.type))
        times = [moment for each in changes for moment in (each.since or each.until, each.until)]
        first, last = shift(min(times), -_NEAR), shift(max(times), _NEAR)
        moves = [each for key in sorted(about) for each in self.moves[of.type].get(key, ())]
        near = [each for each in moves if first <= each.event.time <= last]
        return current([*events, *near]) if near else events


def _stands_in(of: Resource, path: Path) -> Iterator[str]:
    """Yield what else a field depends on, by key: the repository of an image, for its tags; policies of a role."""
    if of.type == "AWS::ECR::Image" and path[:1] == ("imageTags",):
        yield of.key.replace(":image/", ":repository/", 1).partition("@")[0]
    if of.type == "AWS::IAM::Role" and path[:1] == ("AttachedPolicies",) and len(path) > 1:
        yield key_of(path[1])


def read_cases(database: Database, looks: Looks, beside: Beside, keys: Sequence[str]) -> Iterator[Case]:
    """Yield every watched resource among `keys`, in their order, which is that of the alphabet."""
    acts = acts_on_watched(database, keys)
    waiting = next(acts, None)
    for key, items in sorted(Configuration(database).items(keys).items()):
        told: list[Told] = []
        while waiting is not None and waiting.resource <= key:
            if waiting.resource == key:
                told.append(waiting)
            waiting = next(acts, None)
        of = items[-1].resource
        seen = looks.at(of.account, of.region, of.type)
        changes = list_changes(items, seen)
        events = beside.add(of, _read(told), changes)
        yield Case(key, items, changes, events, len({each.id for each in told if each.failed}), seen)


def read_passing(database: Database, looks: Looks, resources: Sequence[str] | None) -> Iterator[Passing]:
    """Yield the resources that came and went between two complete looks at their type, and were never seen.

    Of `resources` (keys) only, if they are given.
    """
    wanted = None if resources is None else set(resources)
    for key, found in groupby(acts_on_unseen(database), key=lambda each: each.resource):
        events, of = _read(list(found)), read_arn(key)
        if of is None or of.type in _NAMED_ONLY or (wanted is not None and key not in wanted):
            continue
        came = any(creates(each.event, of.type, key) for each in events)
        went = any(deletes(each.event, of.type, key) for each in events)
        began = [each.began for each in looks.at(of.account, of.region, of.type) if each.complete]
        if came and went and began:
            mine = [each for each in events if may_change(each.event, of.type, key)]
            yield Passing(of, mine, min(began), max(began))


def read_stacks(database: Database) -> Stacks:
    """Return what is on record about stacks."""
    events: dict[tuple[str, str], list[Told]] = {}
    for told in acts_on_stacks(database):
        _, _, _, region, account, _ = told.resource.split(":", 5)
        for place in ((account, region), (account, "")):  # what belongs to no region may be made from any
            events.setdefault(place, []).append(told)
    owners: dict[str, set[str]] = {}
    for key, document in items_of_type(database, STACK):
        for _, owned, name in json.loads(document).get("relationships", ()):
            if name.startswith(_OWNED):
                owners.setdefault(owned, set()).add(key)
    return Stacks(
        {place: _read(found) for place, found in events.items()},
        {key: frozenset(found) for key, found in owners.items()},
    )


def _by_resource(told: Iterator[Told]) -> dict[str, list[Candidate]]:
    found: dict[str, list[Told]] = {}
    for each in told:
        found.setdefault(each.resource, []).append(each)
    return {key: _read(held) for key, held in found.items()}


def _read(told: Sequence[Told]) -> list[Candidate]:
    """Return the events that succeeded, each once, those that others amend left out, oldest first."""
    found = {each.id: each for each in reversed(told) if each.document}
    # A document stands in the catalog in canonical spelling: its digest is that of the text.
    held = current(
        Candidate(read_event(json.loads(each.document)), "sha256:" + hashlib.sha256(each.document.encode()).hexdigest())
        for each in found.values()
    )
    return [each for each in held if not each.event.error]  # not before: some take back the success of others
