"""Explanation reads the same from SQLite and from PostgreSQL: events meet resources in the order of their keys."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from places import Place

from lineal.app.api_record import observe_events
from lineal.app.collect import Collection, collect
from lineal.app.config_record import missing, observe_items
from lineal.app.erase import erase
from lineal.app.explain import explain
from lineal.app.session import Session
from lineal.catalog import project, tables
from lineal.catalog.acts import acts_beside, acts_on_stacks, acts_on_watched, items_of_type
from lineal.change.semantic import with_semantic
from lineal.core.api_event import RECORDED, ApiEvent
from lineal.core.change import (
    ALLOWED,
    APPROVED,
    NOT_DONE,
    NOT_OBSERVABLE,
    PENDING,
    UNAPPROVED,
    UNEXPLAINED,
    WITHOUT_EFFECT,
    ChangeApproval,
)
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look, TrailSpan
from lineal.core.observation import Observation
from lineal.core.resource import make_resource
from lineal.objects.store import ObjectStore

ACCOUNT, REGION, KIND = "123456789012", "eu-west-1", "AWS::CodeBuild::Project"
# Keys whose order differs between what a person, a locale and the bytes say.
NAMES = ("a", "B", "a-b", "a_b", "Z", "ä", "a b", "a1", "é", "~")


def at(hour: int, minute: int = 0) -> str:
    return f"2026-03-03T{hour:02}:{minute:02}:00.000000Z"


def key(name: str) -> str:
    return make_resource(KIND, ACCOUNT, REGION, name).key


@pytest.fixture
def session(place: Place, tmp_path: Path) -> Iterator[Session]:
    ledger = place.create()
    catalog = place.connect_catalog()
    project.prepare(catalog)
    with Session(ledger, catalog, ObjectStore(tmp_path / "objects"), "tester") as opened:
        yield opened


def event(project: str, hour: int, *targets: str, **more: object) -> ApiEvent:
    said = {"service": "codebuild.amazonaws.com", "name": "UpdateProject", **more}
    return ApiEvent(
        id=f"{project}-{hour}-{said['name']}", time=at(hour), account=ACCOUNT, region=REGION, principal="somebody",
        targets=targets or (key(project),), record={"requestParameters": {"name": project, "timeoutInMinutes": hour}},
        **said,  # type: ignore[arg-type]
    )  # fmt: skip


def tell(session: Session) -> None:
    items = [
        with_semantic(
            ConfigItem(
                resource=make_resource(KIND, ACCOUNT, REGION, name),
                time=at(hour),
                source="aws",
                shape="api",
                configuration={"name": name, "timeoutInMinutes": 2 if hour > 1 else 60},
            )
        )
        for name in NAMES
        for hour in (1, 3)
    ]
    events = [event(name, 2) for name in NAMES[::2]]
    events += [
        event("a", 2, name="BatchGetProjects", read_only=True),
        event("a", 2, name="DeleteProject", error="AccessDenied"),
        event("nobody", 2),
        event("s", 2, "arn:aws:cloudformation:eu-west-1:123456789012:stack/s", name="UpdateStack"),
        event("i", 2, "arn:aws:ecr:eu-west-1:123456789012:repository/r", name="PutImage"),
        event("i", 2, "arn:aws:ecr:eu-west-1:123456789012:repository/r", name="UploadLayerPart"),
    ]
    collection = Collection("test", "test")
    collection.trail.append(TrailSpan(account=ACCOUNT, region=REGION, since=at(0), until=at(9), proof="api"))
    for hour in (1, 3):
        look = {"source": "aws", "account": ACCOUNT, "region": REGION, "type": KIND, "complete": True}
        collection.looks.append(Look(began=at(hour), ended=at(hour), **look))  # type: ignore[arg-type]
    collect(session, collection, [*observe_items(items, "t"), *observe_events(events + events[:3], "t", {})])


def test_every_change_meets_its_events(session: Session) -> None:
    tell(session)
    found = explain(session, now=at(20))
    verdicts = {each.resource: each.verdict for each in found.judgements}
    expected = {key(name): UNAPPROVED if name in NAMES[::2] else UNEXPLAINED for name in NAMES}
    assert verdicts == expected
    assert (found.recorded, found.resources, found.events, found.failed) == (10, 10, 5, 1)
    assert explain(session, now=at(20)).recorded == 0
    some = explain(session, now=at(20), resources=[key("a"), key("~"), key("none")])
    assert {each.resource for each in some.judgements} == {key("a"), key("~")}


def test_a_call_that_turned_out_to_have_failed_explains_nothing(session: Session) -> None:
    tell(session)
    assert explain(session, now=at(20), resources=[key("a")]).judgements[0].verdict == UNAPPROVED
    amended = event("a", 2, amends="a-2-UpdateProject", error="InternalFailure")
    told = [replace(amended, id="addendum"), replace(amended, id="other", amends="B-2-UpdateProject")]
    collect(session, Collection("test", "more"), observe_events(told, "t", {}))
    found = explain(session, now=at(20), resources=[key("a")])
    assert [(each.verdict, each.events) for each in found.judgements] == [(UNEXPLAINED, ())]


def test_where_events_were_erased_the_trail_is_not_whole_until_it_is_read_again(session: Session) -> None:
    tell(session)
    told = [event(name, 2) for name in NAMES[::2]]
    session.catch_up()
    with session.catalog_database.reading() as connection:
        rows = connection.execute(sa.select(tables.event.c.idx).where(tables.event.c.type == RECORDED)).all()
    erase(session, [row.idx for row in rows], "asked for")
    found = {each.resource: each.verdict for each in explain(session, now=at(20)).judgements}
    assert found == dict.fromkeys(map(key, NAMES), NOT_OBSERVABLE)
    looked(session, *observe_events(told, "t", {}))
    found = {each.resource: each.verdict for each in explain(session, now=at(20)).judgements}
    assert found == {key(name): UNAPPROVED if name in NAMES[::2] else UNEXPLAINED for name in NAMES}


def test_what_came_late_and_was_erased_leaves_no_earlier_look_whole(session: Session) -> None:
    tell(session)
    late = event("B", 2)
    session.catch_up()
    looked(session, *observe_events([late], "t", {}))
    session.catch_up()
    with session.catalog_database.reading() as connection:
        last = connection.execute(
            sa.select(sa.func.max(tables.event.c.idx)).where(tables.event.c.type == RECORDED)
        ).scalar_one()
    verdicts = {}
    for step in ("there", "erased", "read again"):
        if step == "erased":
            erase(session, [last], "asked for")
        elif step == "read again":
            looked(session, *observe_events([late], "t", {}))
        verdicts[step] = {each.resource: each.verdict for each in explain(session, now=at(20)).judgements}[key("B")]
    assert verdicts == {"there": UNAPPROVED, "erased": NOT_OBSERVABLE, "read again": UNAPPROVED}


def test_acts_come_in_the_order_of_keys_and_only_about_what_is_watched(session: Session) -> None:
    tell(session)
    session.catch_up()
    database = session.catalog_database
    told = list(acts_on_watched(database, [key(name) for name in NAMES]))
    keys = [each.resource for each in told]
    assert keys == sorted(keys)
    assert {each.resource for each in told} == {key(name) for name in NAMES[::2]}
    assert [(each.failed, each.document == "") for each in told if each.failed] == [(True, True)]
    assert [each.id for each in acts_on_stacks(database)] == ["s-2-UpdateStack"]
    assert [each.id for each in acts_beside(database, "AWS::ECR::Image")] == ["i-2-PutImage"]
    assert len(list(items_of_type(database, KIND))) == 20


def looked(session: Session, *observations: object, hours: tuple[int, ...] = (1, 3)) -> None:
    collection = Collection("test", "test")
    collection.trail.append(TrailSpan(account=ACCOUNT, region=REGION, since=at(0), until=at(9), proof="api"))
    for hour in hours:
        look = {"source": "aws", "account": ACCOUNT, "region": REGION, "type": KIND, "complete": True}
        collection.looks.append(Look(began=at(hour), ended=at(hour), **look))  # type: ignore[arg-type]
    collect(session, collection, list(observations))  # type: ignore[arg-type]


def passing(name: str, came: int, went: int) -> list[ApiEvent]:
    return [event(name, came, name="CreateProject"), event(name, went, name="DeleteProject")]


def test_what_came_and_went_between_two_looks_is_seen_by_the_trail_alone(session: Session) -> None:
    told = [*passing("rogue", 2, 2), *passing("late", 4, 5), event("made", 2, name="CreateProject")]
    looked(session, *observe_events(told, "t", {}))
    found = {each.about: each.verdict for each in explain(session, now=at(20)).judgements}
    assert found == {
        "rogue-2-CreateProject": WITHOUT_EFFECT,
        "rogue-2-DeleteProject": WITHOUT_EFFECT,
        "late-4-CreateProject": PENDING,  # nobody has looked since
        "late-5-DeleteProject": PENDING,
    }
    assert not explain(session, now=at(20), resources=[key("other")]).judgements
    assert len(explain(session, now=at(20), resources=[key("rogue")]).judgements) == 2


def test_what_came_and_went_where_nobody_looks_is_nobodys_concern(session: Session) -> None:
    looked(session, *observe_events(passing("rogue", 2, 2), "t", {}), hours=())
    assert not explain(session, now=at(20)).judgements


def allow(name: str, **more: object) -> ChangeApproval:
    return ChangeApproval(
        id=name, not_before=at(0), not_after=at(8), decided=at(0), approver="bo", **more,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize("second", [{}, {"fields": ("timeoutInMinutes",)}, {"resources": ("*project/*",)}])
def test_every_approval_that_allowed_a_change_is_used_by_it(session: Session, second: dict[str, object]) -> None:
    tell(session)
    approvals = [allow("first", resources=(key("a"),)), allow("second", **second)]
    said = [each.describe() for each in approvals]
    session.say(Observation(type=ALLOWED, time=at(0), actor="bo", basis="claimed", data={"approvals": said}))
    found = explain(session, now=at(20), resources=[key("a")])
    assert [each.verdict for each in found.judgements] == [APPROVED]


def test_an_approval_of_what_came_and_went_is_used(session: Session) -> None:
    looked(session, *observe_events(passing("rogue", 2, 2), "t", {}))
    said = [allow("first", resources=(key("rogue"),)).describe(), allow("idle", resources=(key("other"),)).describe()]
    session.say(Observation(type=ALLOWED, time=at(0), actor="bo", basis="claimed", data={"approvals": said}))
    found = explain(session, now=at(20)).judgements
    assert sorted(each.about for each in found if each.verdict == NOT_DONE) == ["idle"]


def test_only_what_its_own_source_saw_before_a_look_is_gone_when_the_look_misses_it(session: Session) -> None:
    def seen(name: str, hour: int, source: str = "aws") -> ConfigItem:
        of = make_resource(KIND, ACCOUNT, REGION, name)
        return with_semantic(ConfigItem(resource=of, time=at(hour), source=source, shape="api", configuration={"n": 1}))

    items = [seen("gone", 1), seen("kept", 1), seen("made", 5), seen("other", 1, "aws-config")]
    collect(session, Collection("test", "test"), observe_items(items, "t"))
    where = {"source": "aws", "kind": KIND, "account": ACCOUNT, "region": REGION}
    found = missing(session, [key("kept")], at=at(3), **where)
    assert [(each.resource.key, each.status, each.time) for each in found] == [(key("gone"), "deleted", at(3))]
    assert not missing(session, [], at=at(3), **{**where, "region": "eu-north-1"})


def test_what_was_only_claimed_explains_a_change_until_a_whole_trail_does_not_have_it(session: Session) -> None:
    """Whoever may send to a bus can make up a call that was allowed."""
    items = [
        with_semantic(
            ConfigItem(
                resource=make_resource(KIND, ACCOUNT, REGION, "a"),
                time=at(hour),
                source="aws",
                shape="api",
                configuration={"name": "a", "timeoutInMinutes": 2 if hour > 1 else 60},
            )
        )
        for hour in (1, 3)
    ]
    said = event("a", 2, claimed=True)
    looks = [
        Look(source="aws", account=ACCOUNT, region=REGION, type=KIND, complete=True, began=at(hour), ended=at(hour))
        for hour in (1, 3)
    ]
    sent = Collection("test", "test", looks=looks)
    collect(session, sent, [*observe_items(items, "t"), *observe_events([said], "t", {})])
    (claimed,) = explain(session, now=at(20)).judgements
    assert (claimed.verdict, claimed.events) == (UNAPPROVED, (said.id,))
    assert any("only claimed" in note for note in claimed.notes)

    looked(session)  # the trail is whole, and nothing in it
    found = {each.subject: each for each in explain(session, now=at(20)).judgements}
    assert (found["change"].verdict, found["change"].events) == (UNEXPLAINED, ())
    assert found["event"].verdict == WITHOUT_EFFECT
    assert "the trail, which is whole there, does not have it" in found["event"].why

    looked(session, *observe_events([replace(said, claimed=False)], "t", {}))  # it comes late
    (borne_out,) = (each for each in explain(session, now=at(20)).judgements if each.subject == "change")
    assert (borne_out.verdict, borne_out.events, borne_out.notes) == (UNAPPROVED, (said.id,), ())
    asked = session.configuration
    assert [each.claimed for each in asked.events_by_id([said.id])] == [False]
    assert [each.claimed for each in asked.events_between()] == [False]
    assert [each.claimed for each in asked.events([key("a")])[key("a")]] == [False]


def test_a_call_makes_a_thing_come_or_go_once(session: Session) -> None:
    """What takes the service an hour may be looked for long before: but not again, once it was seen."""
    kind = "AWS::SageMaker::Endpoint"
    of = make_resource(kind, ACCOUNT, REGION, "e")
    tag = {"a": "1"}
    seen = {0: {}, 10: None, 20: {}, 22: tag, 23: {}, 24: tag, 40: None, 50: tag}
    items = [
        with_semantic(
            ConfigItem(
                resource=of, time=at(1, minute), source="aws", shape="api", status="deleted" if tags is None else "ok",
                configuration={} if tags is None else {"EndpointName": "e"}, tags=tags or {},
            )
        )
        for minute, tags in seen.items()
    ]  # fmt: skip
    calls = {5: "DeleteEndpoint", 15: "CreateEndpoint", 22: "AddTags"}
    told = [
        ApiEvent(
            id=name, time=at(1, minute), service="sagemaker.amazonaws.com", name=name, account=ACCOUNT, region=REGION,
            principal="somebody", targets=(of.key,),
            record={"requestParameters": {"tags": [{"key": "a", "value": "1"}]} if name == "AddTags" else {"a": 1}},
        )
        for minute, name in calls.items()
    ]  # fmt: skip
    looks = [
        Look(source="aws", account=ACCOUNT, region=REGION, type=kind, complete=True, began=each.time, ended=each.time)
        for each in items
    ]
    trail = TrailSpan(account=ACCOUNT, region=REGION, since=at(0), until=at(9), proof="api")
    collection = Collection("test", "test", looks=looks, trail=[trail])
    collect(session, collection, [*observe_items(items, "t"), *observe_events(told, "t", {})])
    found = [each for each in explain(session, now=at(20)).judgements if each.subject == "change"]
    assert [(each.until, each.verdict, each.events) for each in found] == [
        (at(1, 10), UNAPPROVED, ("DeleteEndpoint",)),
        (at(1, 20), UNAPPROVED, ("CreateEndpoint",)),
        (at(1, 22), UNAPPROVED, ("AddTags",)),
        (at(1, 23), UNEXPLAINED, ()),
        (at(1, 24), UNEXPLAINED, ()),
        (at(1, 40), UNEXPLAINED, ()),
        (at(1, 50), UNEXPLAINED, ()),
    ]
