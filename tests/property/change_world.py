"""A small world of build projects in which everything that happens is known, and what a watcher of it can know.

The oracle of the explanation machine: it keeps every act with its cause, and says what must be concluded by going
through the acts, field by field. It shares nothing with the judge but the words of the verdicts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lineal.core import timestamp
from lineal.core.change import APPROVED, NOT_OBSERVABLE, UNAPPROVED, UNEXPLAINED
from lineal.core.config_item import ConfigItem
from lineal.core.resource import make_resource

ACCOUNT, REGION, KIND = "123456789012", "eu-west-1", "AWS::CodeBuild::Project"
BASE: Final = datetime(2026, 10, 1, tzinfo=UTC)
HOUR: Final = 3600
SETTLE, SKEW = 900, 120
FIELDS: Final = ("description", "timeoutInMinutes", "image")


def key(name: str) -> str:
    """Return the key of a project."""
    return make_resource(KIND, ACCOUNT, REGION, name).key


def moment(seconds: int) -> str:
    """Return the moment some seconds after the beginning, as the ledger spells it."""
    return timestamp.spell(BASE + timedelta(seconds=seconds))


@dataclass
class Act:
    """Something that was done to a project: the fields it set (all of them at its creation), and how it can be known.

    `event` is the identifier of its record, '' for what was done behind the trail, `stamp` the time in it; `known` says
    whether the watcher has it.
    """

    at: int
    name: str
    kind: str
    values: dict[str, Any]
    event: str = ""
    approval: str = ""
    known: bool = False
    stamp: int = 0


@dataclass
class Seen:
    """What a look saw of a project that differed from what was seen before: `values` is None where it was gone."""

    at: int
    values: dict[str, Any] | None


@dataclass
class World:
    """The truth, and what was seen of it."""

    now: int = 0
    projects: dict[str, dict[str, Any]] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    seen: dict[str, list[Seen]] = field(default_factory=dict)
    looks: list[int] = field(default_factory=list)  # the complete ones
    holes: list[tuple[int, int]] = field(default_factory=list)
    heard: int = 0
    in_vain: dict[str, tuple[str, int]] = field(default_factory=dict)

    def do(self, act: Act) -> None:
        """Let something happen."""
        self.acts.append(act)
        if act.kind == "delete":
            del self.projects[act.name]
        else:
            self.projects[act.name] = {**self.projects.get(act.name, {}), **act.values}

    def look(self, *, complete: bool) -> None:
        """See everything that is there; what is gone is only known after a complete look."""
        for name, values in self.projects.items():
            before = self.seen.get(name, [Seen(-1, None)])[-1].values
            if before != values:
                self.seen.setdefault(name, []).append(Seen(self.now, dict(values)))
        if complete:
            for name, told in self.seen.items():
                if name not in self.projects and told[-1].values is not None:
                    told.append(Seen(self.now, None))
            self.looks.append(self.now)

    def item(self, name: str, values: dict[str, Any]) -> ConfigItem:
        """Return a project as a look sees it now."""
        configuration = {
            "name": name,
            "arn": key(name),
            "description": values["description"],
            "timeoutInMinutes": values["timeoutInMinutes"],
            "environment": {"type": "LINUX_CONTAINER", "image": values["image"]},
            "lastModified": moment(self.now),
        }
        return ConfigItem(
            resource=make_resource(KIND, ACCOUNT, REGION, name),
            time=moment(self.now),
            source="aws",
            shape="api",
            configuration=configuration,
            created=moment(next(act.at for act in self.acts if act.name == name)),
            modified=moment(self.now),
        )

    # What must be concluded.

    def verdicts(self, now: int) -> dict[tuple[str, str], tuple[str, dict[str, str]]]:
        """Return verdict and fields of each change that can be judged, by project and the moment it was seen."""
        found: dict[tuple[str, str], tuple[str, dict[str, str]]] = {}
        for name, old, new, since in self._changes():
            if not self._settled(new.at, now):
                continue
            whole = self._covered(since - SKEW, new.at)
            inside = [each for each in self.acts if each.name == name and since < each.at <= new.at]
            if old is None:
                fields = {"": self._created(inside[:1] + [each for each in inside[1:] if each.stamp <= new.at], whole)}
            elif new.values is None:
                fields = {"": self._one([each for each in inside if each.kind == "delete"][-1:], whole)}
            else:
                fields = {
                    key: self._one(_makers(inside, key, new.values[key]), whole)
                    for key in FIELDS
                    if old[key] != new.values[key]
                }
            verdict = min(fields.values(), key=(UNEXPLAINED, NOT_OBSERVABLE, UNAPPROVED, APPROVED).index)
            found[name, moment(new.at)] = verdict, fields
        return found

    def without_effect(self, now: int) -> dict[str, str]:
        """Return the events that changed nothing that was ever seen, and the project each was about.

        Of a project that nobody ever saw, if the trail says that it came and went.
        """
        doing = set(self._effective(now))
        found = {}
        for act in self.acts:
            watched = [each.at for each in self.seen.get(act.name, ())]
            if not watched and self.passed(act.name):
                watched = self.looks[:1]
            if not act.known or act.event in doing or not watched or act.stamp <= watched[0]:
                continue
            last = max(self.looks + watched)
            settled = now >= act.stamp + SETTLE and self.heard > act.stamp and last >= act.stamp + SKEW
            if settled and self._covered(act.stamp, act.stamp):
                found[act.event] = act.name
        return found

    def passed(self, name: str) -> bool:
        """Return whether the trail says that a project came and went."""
        return {"create", "delete"} <= {each.kind for each in self.acts if each.name == name and each.known}

    def not_done(self, now: int) -> set[str]:
        """Return the approvals of changes of projects ever seen that nobody used, as far as can be known."""
        given = dict(self.in_vain) | {act.approval: (act.name, act.at) for act in self.acts if act.approval}
        used = {act.approval for act in self.acts if act.known}
        return {
            name
            for name, (project, at) in given.items()
            if name not in used
            and project in self.seen
            and now > at + 600 + SETTLE
            and self._covered(at - 600, at + 600)
        }

    def _changes(self) -> Iterator[tuple[str, dict[str, Any] | None, Seen, int]]:
        """Yield project, old values, what was seen then, and when the old state was seen last."""
        for name, told in self.seen.items():
            for number, new in enumerate(told):
                before = max(each for each in self.looks if each < new.at)
                if number == 0:
                    yield name, None, new, before
                else:
                    yield name, told[number - 1].values, new, max(before, told[number - 1].at)

    def _settled(self, until: int, now: int) -> bool:
        return now >= until + SETTLE and self.heard > until

    def _covered(self, since: int, until: int) -> bool:
        return self.heard > until and not any(began <= until and ended > since for began, ended in self.holes)

    def _one(self, acts: list[Act], whole: bool) -> str:
        """Return the verdict on a field, or a whole project, by the first of the acts that made it what it is."""
        if not acts or not acts[0].known:
            return UNEXPLAINED if whole else NOT_OBSERVABLE
        return APPROVED if acts[0].approval else UNAPPROVED

    def _created(self, inside: list[Act], whole: bool) -> str:
        made = inside[0] if inside and inside[0].kind == "create" else None
        if made is None or not made.known:
            return UNEXPLAINED if whole else NOT_OBSERVABLE
        later = any(each.known and not each.approval for each in inside[1:])
        return APPROVED if made.approval and not later else UNAPPROVED

    def _effective(self, now: int) -> Iterator[str]:
        """Yield the events that made a change, or may still turn out to have made one that is not settled."""
        for name, old, new, since in self._changes():
            inside = [each for each in self.acts if each.name == name and since < each.at <= new.at]
            if not self._settled(new.at, now):
                yield from (each.event for each in inside)
            elif old is None:  # what the trail says came after the look did, but for the creation
                yield from (each.event for n, each in enumerate(inside) if n == 0 or each.stamp <= new.at)
            elif new.values is None:
                yield from (each.event for each in inside if each.kind == "delete")
            else:
                changed = [key for key in FIELDS if old[key] != new.values[key]]
                yield from (each.event for key in changed for each in _makers(inside, key, new.values[key])[:1])


def _makers(acts: list[Act], key: str, value: Any) -> list[Act]:
    """Return the acts that a field has its value from, as far as the trail tells: none after them asked for another.

    Several ask for one value where what was done between them is not known: after the first, none changed a thing.
    """
    found: list[Act] = []
    for act in reversed([each for each in acts if each.known and key in each.values]):
        if act.values[key] != value:
            break
        found.insert(0, act)
    return found
