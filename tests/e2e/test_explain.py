"""`lineal explain` and `lineal approve change` as people run them, on configuration and events put on record before."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commandline import Place, make_place

from lineal.app.api_record import observe_events
from lineal.app.collect import Collection, collect
from lineal.app.config_record import observe_items
from lineal.app.explain import explain
from lineal.app.session import Session
from lineal.change.semantic import with_semantic
from lineal.core.api_event import ApiEvent
from lineal.core.change import APPROVED, NOT_OBSERVABLE, PENDING, UNAPPROVED, UNEXPLAINED, VERDICTS, WITHOUT_EFFECT
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look, TrailSpan
from lineal.core.resource import make_resource
from lineal.wiring import Settings, open_session

ACCOUNT, REGION, KIND = "123456789012", "eu-west-1", "AWS::CodeBuild::Project"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/deploy"


def at(hour: int, minute: int = 0) -> str:
    return f"2026-03-{3 + hour // 24:02}T{hour % 24:02}:{minute:02}:00.000000Z"


def item(name: str, hour: int, **configuration: Any) -> ConfigItem:
    resource = make_resource(KIND, ACCOUNT, REGION, name)
    said = {"name": name, "timeoutInMinutes": 60, "description": "builds the model", **configuration}
    return with_semantic(
        ConfigItem(resource=resource, time=at(hour), source="aws", shape="api", configuration=said, created=at(0))
    )


def update(name: str, time: str, who: str = "ana", **asked: Any) -> ApiEvent:
    more = {each: asked.pop(each) for each in ("id", "amends", "error") if each in asked}
    said = {"id": f"{name}-{time}", **more}
    return ApiEvent(
        time=time, service="codebuild.amazonaws.com", name="UpdateProject", account=ACCOUNT, region=REGION,
        principal=DEPLOY, session=who, targets=(make_resource(KIND, ACCOUNT, REGION, name).key,),
        record={"eventName": "UpdateProject", "requestParameters": {"name": name, **asked}}, **said,
    )  # fmt: skip


def span(since: int, until: int, why: str = "") -> TrailSpan:
    return TrailSpan(
        account=ACCOUNT, region=REGION, since=at(since), until=at(until), proof="digest", missing=bool(why), why=why
    )


def tell(
    session: Session,
    items: Sequence[ConfigItem] = (),
    events: Sequence[ApiEvent] = (),
    spans: Sequence[TrailSpan] = (),
    looks: Sequence[int] = (),
) -> None:
    """Put on record what collectors would."""
    collection = Collection("test", "test", trail=list(spans))
    place = {"source": "aws", "account": ACCOUNT, "region": REGION, "type": KIND, "complete": True}
    collection.looks.extend(Look(began=at(hour), ended=at(hour), **place) for hour in looks)
    collect(session, collection, [*observe_items(items, "t"), *observe_events(events, "t", {"file": "x"})])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def opened(place: Place) -> Session:
    return open_session(Settings(ledger=str(place.folder), actor="watcher"))


def play(place: Place) -> None:
    """A day: one change that was asked for, one that was not, one in a hole, one put back, one that failed."""
    with opened(place) as session:
        tell(
            session,
            items=[
                item("asked", 1), item("asked", 3, timeoutInMinutes=90),
                item("silent", 1), item("silent", 3, timeoutInMinutes=91, description="\x1b[31mowned"),
                item("hidden", 5), item("hidden", 9, timeoutInMinutes=92),
                item("back", 1),
            ],
            events=[
                update("asked", at(2), timeoutInMinutes=90),
                update("asked", at(2, 30), error="AccessDenied", timeoutInMinutes=70),
                update("back", at(2), timeoutInMinutes=61), update("back", at(2, 10), timeoutInMinutes=60),
                update("nobody watches this", at(2), timeoutInMinutes=1),
            ],
            spans=[span(0, 6), span(6, 7, "log_deleted"), span(7, 12)],
            looks=[1, 3, 5, 9],
        )  # fmt: skip


def test_a_day_is_explained_for_people_and_for_machines(place: Place) -> None:
    play(place)
    done = place.lineal("explain", "--exit-code")
    assert done.status == 1
    text = done.out.decode()
    order = [text.index(each) for each in (UNEXPLAINED, UNAPPROVED, NOT_OBSERVABLE, WITHOUT_EFFECT)]
    assert order == sorted(order)
    assert "4 resources, 3 changes, 3 events about them (1 further ones failed)" in text
    assert f"trail of {ACCOUNT} {REGION}: 2026-03-03 00:00:00Z to 2026-03-03 12:00:00Z; holes: " in text
    assert "(log_deleted)" in text
    assert "timeoutInMinutes: 60 -> 90" in text
    assert f"UpdateProject by {DEPLOY} (ana), and no approval allows it" in " ".join(text.split())
    assert "\x1b" not in text
    assert "5 judgements are new on record" in text
    found = place.within("explain", "--json").json()
    verdicts = {(each["resource"].rpartition("/")[2], each["verdict"]) for each in found["judgements"]}
    assert verdicts == {
        ("asked", UNAPPROVED), ("silent", UNEXPLAINED), ("hidden", NOT_OBSERVABLE), ("back", WITHOUT_EFFECT),
    }  # fmt: skip
    assert found["recorded"] == 0
    assert found["counts"] == {**dict.fromkeys(VERDICTS, 0), UNAPPROVED: 1, UNEXPLAINED: 1, NOT_OBSERVABLE: 1,
                               WITHOUT_EFFECT: 2}  # fmt: skip
    asked = next(each for each in found["judgements"] if each["verdict"] == UNAPPROVED)
    assert asked["change"]["edits"][0]["new"] == 90
    assert asked["events"] == [f"asked-{at(2)}"]
    assert found["trail"][0]["missing"][0]["why"] == "log_deleted"


def test_what_is_shown_and_what_is_judged_can_be_chosen(place: Place) -> None:
    play(place)
    only = place.within("explain", f"{KIND}/silent", "--no-record", "--json").json()
    assert [each["verdict"] for each in only["judgements"]] == [UNEXPLAINED]
    assert only["recorded"] == 0
    shown = place.within("explain", "--verdict", "not-observable", "--verdict", "PENDING", "--json").json()
    assert [each["verdict"] for each in shown["judgements"]] == [NOT_OBSERVABLE]
    assert sum(shown["counts"].values()) == 5
    assert place.within("explain", "--since", at(3), "--json").json()["changes"] == 1
    assert place.within("explain", "--until", at(3), "--json").json()["changes"] == 2
    assert place.within("explain", "back", "--exit-code").status == 0
    for arguments, code in (
        (["nowhere"], "usage.unknown_ref"), (["--verdict", "GOOD"], "usage"), (["--settle", "soon"], "usage.bad_input"),
        (["--since", "whenever"], "usage.bad_time"),
    ):  # fmt: skip
        done = place.within("explain", *arguments)
        assert (done.status, f"[{code}]" in done.err) == (2, True), done.err
        assert "Traceback" not in done.err


def test_without_configuration_or_a_trail_it_says_what_to_run(place: Place) -> None:
    assert "lineal collect aws" in place.within("explain").err
    with opened(place) as session:
        tell(session, items=[item("a", 1), item("a", 3, timeoutInMinutes=7)], looks=[1, 3])
    done = place.within("explain")
    assert "lineal collect cloudtrail" in done.err
    assert "never collected" in done.out.decode()
    assert NOT_OBSERVABLE in done.out.decode()


def test_an_approval_by_hand_and_one_of_a_ticket_allow_what_they_are_about(place: Place) -> None:
    play(place)
    key = make_resource(KIND, ACCOUNT, REGION, "asked").key
    said = ("--from", at(1), "--to", at(4), "--reason", "rescue", "--retroactive", "--requested-by", "ana")
    given = place.lineal("approve", "change", key, "--ticket", "CHG-1", *said, "--as", "bo", "--json")
    assert given.status == 0, given.err
    assert given.json()["approvals"][0]["approver"] == "bo"
    verdict = place.within("explain", "asked", "--json").json()["judgements"][0]
    assert verdict["verdict"] == APPROVED
    assert "approved after the fact" in " ".join(verdict["notes"])
    own = place.within("approve", "change", key, "--ticket", "CHG-2", *said, "--as", "ANA")
    assert (own.status, "[usage.refused]" in own.err) == (2, True)
    tickets = [
        {"ticket": "CHG-9", "resources": ["back"], "from": at(1), "to": at(4), "decided": at(0), "approver": "cab"}
    ]
    (place.folder / "tickets.json").write_text(json.dumps(tickets))
    assert place.within("approve", "change", "--import", "tickets.json", "--json").json()["new"] == ["CHG-9"]
    assert place.within("approve", "change", "--import", "tickets.json", "--json").json()["new"] == []
    assert place.within("approve", "change", "--import", "tickets.json", "x").status == 2
    back = place.within("explain", "back", "--json").json()["judgements"]
    assert {(each["verdict"], *each["approvals"]) for each in back} == {(WITHOUT_EFFECT, "CHG-9")}


def test_approve_goes_on_to_mean_model_versions(place: Place) -> None:
    missing = place.within("approve", "model:risk@1", "--reason", "fine")
    assert (missing.status, "[usage.unknown_ref]" in missing.err) == (2, True)
    assert "Usage: lineal approve [OPTIONS]" in place.within("approve", "--help").out.decode()
    assert "Usage: lineal approve change" in place.within("approve", "change", "--help").out.decode()
    assert place.within("approve").status == 2


def judged(session: Session, **more: Any) -> dict[tuple[str, str], str]:
    """Judge everything; return the verdicts by subject and what they are about (the name of a resource for changes)."""
    said = {"now": at(20), **more}
    found = explain(session, **said)
    return {
        (each.subject, each.resource.rpartition("/")[2] if each.subject == "change" else each.about): each.verdict
        for each in found.judgements
    }


def recorded(session: Session, resource: str) -> list[str]:
    key = make_resource(KIND, ACCOUNT, REGION, resource).key
    told = session.configuration.judgements(resources=[key], every=True)
    return [each.verdict for each, _ in sorted(told, key=lambda each: each[1]) if each.subject == "change"]


def test_late_evidence_is_judged_again_and_both_judgements_stay(place: Place) -> None:
    with opened(place) as session:
        tell(session, items=[item("a", 1), item("a", 3, timeoutInMinutes=7)], looks=[1, 3])
        assert judged(session, now=at(3)) == {("change", "a"): PENDING}
        tell(session, spans=[span(0, 2)])
        assert judged(session) == {("change", "a"): PENDING}  # the trail has not come so far
        tell(session, spans=[span(2, 12)])
        assert judged(session) == {("change", "a"): UNEXPLAINED}
        late = update("a", at(2), timeoutInMinutes=8)
        tell(session, events=[late])
        assert judged(session) == {("change", "a"): UNEXPLAINED, ("event", late.id): WITHOUT_EFFECT}
        # What was delivered was wrong, and is amended.
        tell(session, events=[update("a", at(2), id="better", amends=late.id, timeoutInMinutes=7)])
        assert judged(session) == {("change", "a"): UNAPPROVED}
        size = session.ledger.reader.size()
        assert judged(session) == {("change", "a"): UNAPPROVED}
        assert session.ledger.reader.size() == size
        verdicts = recorded(session, "a")
        assert verdicts[0] == PENDING
        assert verdicts[-1] == UNAPPROVED
        assert UNEXPLAINED in verdicts
        # The event is no event without effect any more: the last word on it says so.
        last = {each.about: each for each, _ in session.configuration.judgements()}
        assert last[late.id].verdict == UNAPPROVED
        assert "explains the change" in last[late.id].why


def test_an_item_found_later_divides_a_change(place: Place) -> None:
    with opened(place) as session:
        tell(session, items=[item("a", 1), item("a", 5, timeoutInMinutes=7)], spans=[span(0, 12)], looks=[1, 5])
        judged(session)
        tell(session, items=[item("a", 3, timeoutInMinutes=7)], looks=[3])
        assert judged(session) == {("change", "a"): UNEXPLAINED}
        told = [each for each, _ in session.configuration.judgements()]
        assert sorted(each.verdict for each in told) == [NOT_OBSERVABLE, UNEXPLAINED]
        withdrawn = next(each for each in told if each.notes == ("withdrawn",))
        assert withdrawn.until == at(5)
        size = session.ledger.reader.size()
        judged(session)
        assert session.ledger.reader.size() == size


def test_an_event_that_explained_a_change_explains_the_same_change_back_and_forth_once(place: Place) -> None:
    """Looks a minute apart: within the skew, one event must not explain what happened after it."""
    with opened(place) as session:
        values = (60, 7, 60, 7)
        moments = [f"2026-03-03T10:{minute:02}:00.000000Z" for minute in range(4)]
        items = [
            with_semantic(replace(item("a", 1, timeoutInMinutes=value), time=when))
            for value, when in zip(values, moments, strict=True)
        ]
        call = update("a", "2026-03-03T10:00:30.000000Z", timeoutInMinutes=7)
        tell(session, items=items, events=[call], spans=[span(0, 12)])
        found = explain(session, now=at(20)).judgements
        assert [each.verdict for each in found] == [UNAPPROVED, UNEXPLAINED, UNEXPLAINED]


def test_an_approval_that_was_used_late_is_not_called_unused_any_more(place: Place) -> None:
    with opened(place) as session:
        tell(session, items=[item("a", 1), item("a", 3, timeoutInMinutes=7)], spans=[span(0, 12)], looks=[1, 3])
    tickets = [{"ticket": "CHG-9", "resources": ["a"], "from": at(1), "to": at(4), "decided": at(0), "approver": "cab"}]
    (place.folder / "t.json").write_text(json.dumps(tickets))
    assert place.within("approve", "change", "--import", "t.json").status == 0
    with opened(place) as session:
        assert judged(session) == {("change", "a"): UNEXPLAINED, ("approval", "CHG-9"): "APPROVED_NOT_DONE"}
        tell(session, events=[update("a", at(2), timeoutInMinutes=7)])
        assert judged(session) == {("change", "a"): APPROVED}
        last = {each.about: each for each, _ in session.configuration.judgements()}
        assert (last["CHG-9"].verdict, last["CHG-9"].why) == (APPROVED, "it was used after all")


def test_many_judgements_go_on_record_some_at_a_time(place: Place) -> None:
    with opened(place) as session:
        items = [each for n in range(700) for each in (item(f"p{n}", 1), item(f"p{n}", 3, timeoutInMinutes=7))]
        tell(session, items=items, spans=[span(0, 12)], looks=[1, 3])
        size = session.ledger.reader.size()
        seen: list[tuple[int, int]] = []
        found = explain(session, now=at(20), on_progress=lambda done, new: seen.append((done, new)))
        assert (len(found.judgements), found.recorded) == (700, 700)
        assert session.ledger.reader.size() == size + 2
        assert seen[-1] == (700, 700)
        assert len(seen) > 3
        assert explain(session, now=at(20)).recorded == 0


def test_a_field_names_the_ticket_that_allowed_it(place: Place) -> None:
    with opened(place) as session:
        tell(
            session,
            [item("a", 9), item("a", 11, timeoutInMinutes=90, description="new")],
            [update("a", at(10), timeoutInMinutes=90, description="new")],
            spans=[span(0, 20)],
        )
    allow = ("approve", "change", f"{KIND}/a", "--from", at(0), "--to", at(20), "--ticket", "F-1", "--retroactive")
    assert place.within(*allow, "--field", "timeoutInMinutes", "--reason", "more time").status == 0
    shown = place.within("explain").out.decode()
    assert "APPROVED by F-1" in shown
    assert "approval-" not in shown


def test_ctrl_c_is_answered_with_a_word(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lineal.app.explain.explain", stop)
    done = place.within("explain")
    assert (done.status, done.out) == (130, b"")
    assert done.err == "lineal: stopped; nothing is half-written, and the command can be run again\n"
