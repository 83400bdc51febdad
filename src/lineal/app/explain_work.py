"""Judging resource by resource: each change with the events in reach of it, then the events that explain none."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from lineal.app.explain_evidence import STACK, Case, Passing, Stacks
from lineal.change.effects import LONGEST, may_change, shows_outcome
from lineal.change.judge import judge_change, parts_of
from lineal.change.judge_chain import FOLLOWS
from lineal.change.judge_events import Watched, judge_event
from lineal.change.judge_evidence import Candidate, Evidence, begins
from lineal.change.judge_unasked import acts_alone
from lineal.change.permission import Act, Approvals, Target, permit
from lineal.change.watermark import Coverage, Trail
from lineal.core.change import PENDING, Change, Judgement, Path
from lineal.core.resource import Resource
from lineal.core.timestamp import shift

Spent = dict[tuple[str, Path], str]


@dataclass(slots=True)
class Outcome:
    """What was concluded of one resource: of its changes, one judgement each, and of the events about it.

    `effective` are the events that explain a change, with the place of its judgement in `judgements`; `idle` what is
    concluded of the other events, if none explains a change of another resource; `used` the approvals that something on
    record used or was meant by. `events` were looked at, `failed` further ones did not succeed.
    """

    resource: Resource
    events: int
    failed: int = 0
    changes: list[Change] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    effective: dict[str, int] = field(default_factory=dict)
    idle: dict[str, Judgement] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Grounds:
    """What all changes are judged by: the time, the trail, the stacks and the approvals on record."""

    now: str
    settle: int
    skew: int
    trail: Trail
    stacks: Stacks
    approvals: Approvals

    def judge(self, case: Case) -> Outcome:
        """Return what is concluded of a resource that was seen."""
        of = case.items[-1].resource
        found = Outcome(of, len(case.events), case.failed)
        coverage = self.trail.of(of.account, of.region, case.key)
        times = [each.event.time for each in case.events]
        amended = {each.event.id: each.event.amends for each in case.events if each.event.amends}
        spent: Spent = {}
        busy: list[tuple[str, str]] = []
        for place, change in enumerate(case.changes):
            evidence = self._evidence(case, change, times, coverage, spent)
            judgement = judge_change(change, evidence)
            found.changes.append(change)
            found.judgements.append(judgement)
            for each in judgement.fields:
                if each.event:
                    spent[each.event, each.path] = change.until
            parts = [part.path for edit in change.edits for part in parts_of(edit) if part.path != edit.path]
            spent |= {(event, path): change.until for path in parts for event in judgement.events}
            for event in judgement.events:
                found.effective.setdefault(event, place)
                if amended.get(event):
                    found.effective.setdefault(amended[event], place)
            found.used.update(judgement.approvals)
            if judgement.verdict == PENDING or change.kind == "created":
                busy.append((begins(change, evidence), change.until))
        self._look_for_idle(case, coverage, busy, found)
        return found

    def judge_passing(self, passing: Passing) -> Outcome:
        """Return what is concluded of what made and took away a resource that nobody ever saw.

        Nothing that was seen is its doing.
        """
        of = passing.resource
        found = Outcome(of, len(passing.events))
        watched = Watched(
            resource=of.key, type=of.type, first=passing.first, last=passing.last,
            coverage=self.trail.of(of.account, of.region, of.key), now=self.now, skew=self.skew, settle=self.settle,
        )  # fmt: skip
        for candidate in passing.events:
            self._meet(candidate, of, None, found)
            self._judge_idle(candidate, watched, found)
        return found

    def _evidence(self, case: Case, change: Change, times: Sequence[str], coverage: Coverage, spent: Spent) -> Evidence:
        """Return what a change is judged by: of the events only those that can matter."""
        reach = max(LONGEST, self.skew)
        first = "" if change.since is None else shift(change.since, -self.skew - reach)
        last = shift(change.until, self.skew)
        near = case.events[bisect_left(times, first) : bisect_right(times, last)]
        for key in [key for key, until in spent.items() if shift(until, reach + self.skew) < first]:
            del spent[key]
        place = (change.account, change.region)
        moves = self.stacks.events.get(place, ()) if change.type != STACK else ()
        shown = change.kind == "updated" and ((near and shows_outcome(change.type)) or acts_alone(change.type))
        return Evidence(
            events=near,
            approvals=self.approvals.about(case.key, change.type, first or None, change.until),
            coverage=coverage,
            now=self.now,
            skew=self.skew,
            settle=self.settle,
            stack_events=_between(moves, shift(first, -FOLLOWS) if first else "", last),
            stacks=self.stacks.owners.get(case.key, frozenset()),
            after=case.configuration(change) if shown else None,
            spent=frozenset(spent) if near else frozenset(),
        )

    def _look_for_idle(self, case: Case, coverage: Coverage, busy: Sequence[tuple[str, str]], found: Outcome) -> None:
        if not case.events:
            return
        of = case.items[-1].resource
        watched = Watched(
            resource=case.key, type=of.type, first=case.first, last=case.last, coverage=coverage, now=self.now,
            skew=self.skew, settle=self.settle,
        )  # fmt: skip
        for candidate in case.events:
            event = candidate.event
            if case.key not in event.targets:
                continue
            place = found.effective.get(event.id)
            self._meet(candidate, of, None if place is None else found.judgements[place], found)
            if place is not None or not may_change(event, of.type, case.key):
                continue
            if any(began < event.time <= until for began, until in busy):
                continue  # it is part of how the resource came to be, or not known yet
            self._judge_idle(candidate, watched, found)

    def _judge_idle(self, candidate: Candidate, watched: Watched, found: Outcome) -> None:
        event = candidate.event
        root = event.amends or event.id
        if root in found.idle:
            return
        about = self.approvals.about(watched.resource, watched.type, event.time, event.time)
        judgement = judge_event(candidate, watched, about)
        if judgement is not None:
            found.idle[root] = judgement

    def _meet(self, candidate: Candidate, of: Resource, explained: Judgement | None, found: Outcome) -> None:
        """Take note of the approvals that meant this event, though they may not have allowed it, or another one did.

        One of some fields alone is met by an event that `explained` one of them; none by what was only claimed.
        """
        event = candidate.event
        if event.claimed:
            return
        paths = () if explained is None else tuple(each.path for each in explained.fields if each.event == event.id)
        for approval in self.approvals.about(of.key, of.type, event.time, event.time):
            if approval.id in found.used:
                continue
            targets = [Target(of.key, of.type, path) for path in (paths if approval.fields else (None,))]
            if any(permit(approval, Act(event), target).met for target in targets):
                found.used.add(approval.id)


def _between(events: Sequence[Candidate], first: str, last: str) -> Sequence[Candidate]:
    if not events:
        return ()
    began = bisect_left(events, first, key=lambda each: each.event.time)
    return events[began : bisect_right(events, last, key=lambda each: each.event.time)]
