"""Explanation under everything that may happen, in any order, held against a world in which the truth is known.

Changes with and without tickets, behind the trail, put back, refused; log hours that are lost, files that come late or
twice, clocks that differ, looks that do not see everything. No UNEXPLAINED without cause, and none missed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from change_world import ACCOUNT, FIELDS, HOUR, KIND, REGION, Act, World, key, moment
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lineal import wiring
from lineal.app.api_record import new_events, observe_events
from lineal.app.collect import Collection, collect
from lineal.app.config_record import missing, new_items, observe_items
from lineal.app.explain import explain
from lineal.change.semantic import with_semantic
from lineal.core.api_event import ApiEvent
from lineal.core.change import ALLOWED, NOT_DONE, PENDING, WITHOUT_EFFECT, ChangeApproval
from lineal.core.coverage import Look, TrailSpan
from lineal.core.observation import Gap, Observation
from lineal.wiring import Settings, create, open_session

SHARED = Path("/dev/shm")  # in memory: nothing here is asked of a disk
FIELD = st.sampled_from(FIELDS)
LAG, DELIVERY = 300, 200


class ExplanationMachine(RuleBasedStateMachine):
    """People, tickets, a trail with holes, and Lineal that looks and listens now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.count = 0
        self.waiting: list[tuple[int, ApiEvent]] = []  # what the trail will deliver, and when
        self.late = self.skew = 0
        self.pause = 400
        self.folder = Path(tempfile.mkdtemp(prefix="lineal-", dir=SHARED if os.access(SHARED, os.W_OK) else None))
        self.clock = patch.object(wiring, "now", lambda: moment(self.world.now))
        self.clock.start()
        create(Settings(), self.folder, "lineal.test/world")
        self.session = open_session(Settings(ledger=str(self.folder / ".lineal"), actor="watcher"))

    def teardown(self) -> None:
        try:
            self.wait(3 * HOUR)
            self.look_at_everything()
            self.wait(2 * HOUR)
            self.listen()
            self.compare()
        finally:  # whatever it found: other tests have another clock
            self.session.close()
            self.clock.stop()
            shutil.rmtree(self.folder)

    @initialize(skew=st.integers(-110, 110))
    def begin(self, skew: int) -> None:
        self.skew = skew
        self.world.now = HOUR
        self.look_at_everything()
        self.listen()

    # Time.

    def wait(self, seconds: int | None = None) -> None:
        """Let time pass: the pause before the next thing that happens, if nothing is said."""
        self.world.now += self.pause if seconds is None else seconds
        self.pause = 400

    @rule(seconds=st.integers(5, 90))
    def hurry(self, seconds: int) -> None:
        """Let the next thing follow at once."""
        self.pause = seconds

    def fresh(self, name: str) -> Any:
        self.count += 1
        return self.count if name == "timeoutInMinutes" else f"{name} {self.count}"

    # What people do.

    def act(self, name: str, kind: str, values: dict[str, Any], *, approved: bool, error: str = "") -> None:
        self.wait()
        self.count += 1
        number = self.count
        who = f"ci-{number}" if approved else "eve"
        act = Act(self.world.now, name, kind, values, event=f"event-{number}", stamp=self.world.now + self.skew)
        if approved:
            act.approval = f"CHG-{number}"
            self.approve(act.approval, name, who)
        verb = {"create": "CreateProject", "delete": "DeleteProject"}.get(kind, "UpdateProject")
        asked = {each: value for each, value in values.items() if each != "image"} | {"name": name}
        if "image" in values:
            asked["environment"] = {"image": values["image"], "type": "LINUX_CONTAINER"}
        event = ApiEvent(
            id=act.event, time=moment(act.stamp), service="codebuild.amazonaws.com", name=verb,
            account=ACCOUNT, region=REGION, principal=f"arn:aws:iam::{ACCOUNT}:role/anybody", session=who,
            targets=(key(name),), error=error, record={"eventName": verb, "requestParameters": asked},
        )  # fmt: skip
        self.waiting.append((self.world.now + DELIVERY + self.late, event))
        self.late = 0
        if not error:
            self.world.do(act)

    def approve(self, name: str, project: str, who: str) -> None:
        now = self.world.now
        approval = ChangeApproval(
            id=name, resources=(key(project),), principals=(who,), not_before=moment(now - 600),
            not_after=moment(now + 600), decided=moment(now - 900), approver="cab", requester="somebody",
        )  # fmt: skip
        self.session.say(
            Observation(
                type=ALLOWED, time=moment(now), actor="cab", basis="claimed", data={"approvals": [approval.describe()]}
            )
        )

    def some(self, data: st.DataObject) -> str:
        return str(data.draw(st.sampled_from(sorted(self.world.projects))))

    @rule(approved=st.booleans())
    def create(self, approved: bool) -> None:
        self.count += 1
        self.act(f"p{self.count}", "create", {each: self.fresh(each) for each in FIELDS}, approved=approved)

    @precondition(lambda self: self.world.projects)
    @rule(data=st.data(), which=st.sets(FIELD, min_size=1), approved=st.booleans())
    def update(self, data: st.DataObject, which: set[str], approved: bool) -> None:
        self.act(self.some(data), "update", {each: self.fresh(each) for each in sorted(which)}, approved=approved)

    @precondition(lambda self: self.world.projects)
    @rule(data=st.data(), which=FIELD, approved=st.booleans())
    def change_and_put_back(self, data: st.DataObject, which: str, approved: bool) -> None:
        name = self.some(data)
        before = self.world.projects[name][which]
        self.act(name, "update", {which: self.fresh(which)}, approved=approved)
        self.act(name, "update", {which: before}, approved=approved)

    @precondition(lambda self: self.world.projects)
    @rule(data=st.data(), approved=st.booleans())
    def delete(self, data: st.DataObject, approved: bool) -> None:
        self.act(self.some(data), "delete", {}, approved=approved)

    @precondition(lambda self: self.world.projects)
    @rule(data=st.data())
    def be_refused(self, data: st.DataObject) -> None:
        self.act(self.some(data), "update", {"description": self.fresh("x")}, approved=False, error="AccessDenied")

    @precondition(lambda self: self.world.projects)
    @rule(data=st.data())
    def approve_in_vain(self, data: st.DataObject) -> None:
        self.wait()
        self.count += 1
        name, project = f"VAIN-{self.count}", self.some(data)
        self.approve(name, project, f"nobody-{self.count}")
        self.world.in_vain[name] = (project, self.world.now)

    # What nobody is told of.

    @precondition(lambda self: self.world.projects)
    @rule(data=st.data(), which=FIELD)
    def change_behind_the_trail(self, data: st.DataObject, which: str) -> None:
        self.wait()
        self.world.do(Act(self.world.now, self.some(data), "update", {which: self.fresh(which)}))

    @rule()
    def create_behind_the_trail(self) -> None:
        self.wait()
        self.count += 1
        values = {each: self.fresh(each) for each in FIELDS}
        self.world.do(Act(self.world.now, f"p{self.count}", "create", values))

    @precondition(lambda self: self.world.projects)
    @rule(data=st.data())
    def delete_behind_the_trail(self, data: st.DataObject) -> None:
        self.wait()
        self.world.do(Act(self.world.now, self.some(data), "delete", {}))

    # What goes wrong with the trail.

    @rule()
    def lose_an_hour_of_the_log(self) -> None:
        began = self.world.now // HOUR * HOUR
        self.world.holes.append((max(began, self.world.heard), began + HOUR))

    @rule(hours=st.integers(1, 12))
    def let_the_next_record_come_late(self, hours: int) -> None:
        self.late = hours * HOUR

    # What Lineal does.

    @rule()
    def look_at_everything(self) -> None:
        self.look(complete=True)

    @rule()
    def look_at_what_answers(self) -> None:
        self.look(complete=False)

    def look(self, *, complete: bool) -> None:
        self.wait()
        now = moment(self.world.now)
        self.world.look(complete=complete)
        items = [with_semantic(self.world.item(name, values)) for name, values in self.world.projects.items()]
        collection = Collection("aws", f"{ACCOUNT} {REGION}")
        place = {"source": "aws", "account": ACCOUNT, "region": REGION, "type": KIND}
        collection.looks.append(Look(began=now, ended=now, complete=complete, **place))

        def seen() -> Iterator[Observation | Gap]:
            yield from observe_items(new_items(self.session, items), "watcher")
            if complete:
                there = [each.resource.key for each in items]
                gone = missing(self.session, there, source="aws", kind=KIND, account=ACCOUNT, region=REGION, at=now)
                yield from observe_items(gone, "watcher")
            else:
                yield Gap("aws.throttled", "ListProjects was throttled again and again")

        collect(self.session, collection, seen())

    @rule(twice=st.booleans())
    def listen(self, twice: bool = False) -> None:
        self.wait(30)
        until = self.world.now - LAG
        if until <= self.world.heard:
            return
        arrived = [(due, event) for due, event in self.waiting if due <= self.world.now]
        self.waiting = [each for each in self.waiting if each not in arrived]
        events = [event for _, event in reversed(arrived) if not self.is_lost(event)]
        collection = Collection("cloudtrail", "s3://trail/")
        span = {"account": ACCOUNT, "region": REGION, "proof": "digest"}
        collection.trail.append(TrailSpan(since=moment(self.world.heard), until=moment(until), **span))
        for began, ended in self.world.holes:
            if began < until:
                lost = {"missing": True, "why": "log_deleted", **span}
                collection.trail.append(TrailSpan(since=moment(began), until=moment(min(ended, until)), **lost))

        def seen() -> Iterator[Observation | Gap]:
            for _ in range(1 + twice):
                yield from observe_events(new_events(self.session, events + events[:1]), "watcher", {"file": "a"})

        collect(self.session, collection, seen())
        told = {event.id for event in events}
        for act in self.world.acts:
            act.known = act.known or act.event in told
        self.world.heard = until

    def is_lost(self, event: ApiEvent) -> bool:
        return any(moment(began) <= event.time < moment(ended) for began, ended in self.world.holes)

    @rule()
    def judge(self) -> None:
        self.compare()

    def compare(self) -> None:
        """Hold what is explained against what the world says must be concluded."""
        now = self.world.now
        told = explain(self.session, now=moment(now)).judgements
        firm = [each for each in told if each.verdict != PENDING]
        names = {key(act.name): act.name for act in self.world.acts}
        changes = {
            (names[each.resource], each.until): (each.verdict, {_field(one.path): one.verdict for one in each.fields})
            for each in firm
            if each.subject == "change"
        }
        assert changes == self.world.verdicts(now)
        idle = {each.about: names[each.resource] for each in firm if each.verdict == WITHOUT_EFFECT}
        assert idle == self.world.without_effect(now)
        idle_approvals = {each.about for each in firm if each.verdict == NOT_DONE}
        assert {each for each in idle_approvals if self.project_of(each) in self.world.seen} == self.world.not_done(now)

    def project_of(self, approval: str) -> str:
        """Return which project an approval is about."""
        acts = (act.name for act in self.world.acts if act.approval == approval)
        return self.world.in_vain[approval][0] if approval in self.world.in_vain else next(acts)

    @invariant()
    def the_ledger_only_grows(self) -> None:
        size = self.session.ledger.reader.size()
        assert size >= getattr(self, "size", 0)
        self.size = size


def _field(path: tuple[str, ...]) -> str:
    return path[-1] if path else ""


STEPS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
TestExplanationMachine = ExplanationMachine.TestCase
TestExplanationMachine.settings = settings(max_examples=50, stateful_step_count=25, **STEPS)


@pytest.mark.torture
def test_explanation_for_long() -> None:
    run_state_machine_as_test(ExplanationMachine, settings=settings(max_examples=1500, stateful_step_count=60, **STEPS))
