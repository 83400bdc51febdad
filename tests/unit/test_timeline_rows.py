"""The timeline of a thing: everything that became of it and of what it points to, in one order, as of any moment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from estate_world import ACCOUNT, DIGESTS, IMAGE, KIND, REGION, World, day, key, serve
from lineal.app.config_record import observe_items
from lineal.app.explain import explain
from lineal.app.pointers import ALWAYS, find_named, follow
from lineal.app.timeline_row import KINDS
from lineal.catalog.graph import FOREVER, NOW, Moment
from lineal.change.semantic import with_semantic
from lineal.core.api_event import RECORDED, ApiEvent
from lineal.core.change import ALLOWED, ChangeApproval
from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.event_type import APPROVED, DEPLOYED, REGISTERED, RETIRED
from lineal.core.observation import Node
from lineal.core.resource import make_resource
from lineal.core.span import Span, add, overlap
from lineal.errors import AmbiguousRef, BadInput, LinealError, UnknownRef
from lineal.wiring import Settings, create, open_session


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings = Settings(ledger=str(tmp_path), actor="tester")
    create(settings, tmp_path, None)
    with open_session(settings) as session:
        yield World(session)


# -- spans


def test_spans_are_joined_and_cut() -> None:
    spans: list[Span] = []
    assert add(spans, Span("b", "d"))
    assert not add(spans, Span("b", "c"))
    assert add(spans, Span("f", "g"))
    assert add(spans, Span("d", "e"))
    assert spans == [Span("b", "e"), Span("f", "g")]
    assert add(spans, Span("a", "h"))
    assert spans == [Span("a", "h")]
    assert overlap(Span("a", "c"), Span("b", "d")) == Span("b", "c")
    assert overlap(Span("a", "b"), Span("b", "c")) is None


# -- pointers


def test_an_endpoint_points_to_what_it_serves_while_it_serves_it(world: World) -> None:
    serve(world)
    things, full = follow(world.session, find_named(world.session, key("Endpoint", "scorer"), NOW), NOW)
    found = {thing.name: (thing.depth, thing.spans) for thing in things}
    assert not full
    first, second = [Span(day(2), day(9, 23))], [Span(day(9, 23), FOREVER)]
    assert found["scorer"] == (0, [ALWAYS])
    assert (found["c1"], found["c2"]) == ((1, first), (1, second))
    assert (found["m1"], found["risk/2"]) == ((2, first), (3, second))
    assert found[f"risk@{DIGESTS[1]}"] == (4, first)


def test_depth_bounds_the_pointers_and_zero_follows_none(world: World) -> None:
    serve(world)
    named = find_named(world.session, "scorer", NOW)
    assert {thing.name for thing in follow(world.session, named, NOW, depth=0)[0]} == {"scorer"}
    assert {thing.name for thing in follow(world.session, named, NOW, depth=1)[0]} == {"scorer", "c1", "c2"}


def test_pointers_that_go_round_end(world: World) -> None:
    world.seen("Model", "a", day(1), ("Model", "b"))
    world.seen("Model", "b", day(1), ("Model", "a"), ("Model", "b"))
    things, _ = follow(world.session, find_named(world.session, f"{KIND}Model/a", NOW), NOW, depth=100)
    assert [thing.name for thing in things] == ["a", "b"]


def test_a_name_of_several_resources_is_refused_and_of_none_unknown(world: World) -> None:
    world.seen("Model", "x", day(1))
    world.seen("Endpoint", "x", day(1))
    with pytest.raises(AmbiguousRef, match="2 resources"):
        find_named(world.session, "x", NOW)
    for text in ("nothing", "model:nothing", key("Model", "nothing"), "a b", ""):
        with pytest.raises(LinealError):
            find_named(world.session, text, NOW)
    with pytest.raises(UnknownRef, match="model:nothing"):
        find_named(world.session, "model:nothing", NOW)
    assert find_named(world.session, f"{KIND}Model/x", NOW).keys == (key("Model", "x"),)
    with pytest.raises(UnknownRef):
        find_named(world.session, f"arn:aws:sagemaker:{REGION}:999999999999:model/x", NOW)


def test_a_trail_alone_makes_a_resource_known(world: World) -> None:
    arn = key("Endpoint", "ghost")
    world.event("DeleteEndpoint", day(4), arn)
    found = world.ask(arn)
    assert [row.what.split()[0] for row in found.rows] == ["DeleteEndpoint"]
    assert found.states[arn].state == "unseen"


# -- rows


def test_it_is_one_story_in_one_order(world: World) -> None:
    serve(world)
    world.event("UpdateEndpoint", day(9, 23), key("Endpoint", "scorer"), key("EndpointConfig", "c2"))
    world.event("DescribeEndpoint", day(9, 23, 30), key("Endpoint", "scorer"), read_only=True)
    world.event("UpdateModelPackage", day(9, 3), key("ModelPackage", "risk/2"), by="bob")
    seen = [row for row in world.rows("scorer") if row.kind == "seen"]
    assert [row.name for row in seen][:3] == ["risk/1", f"risk@{DIGESTS[1]}", "m1"]
    assert seen[0].what == f"seen for the first time; it says that it was made at {day(1)}"
    rows = [row for row in world.rows("scorer") if row.kind != "seen"]
    assert [(row.kind, row.name) for row in rows] == [
        ("event", "risk/2"), ("event", "scorer"), ("change", "scorer")
    ]  # fmt: skip
    assert [row.time for row in rows] == sorted(row.time for row in rows)
    event = rows[1]
    assert event.who == f"arn:aws:iam::{ACCOUNT}:role/alice"
    assert event.where == f"203.0.113.7 {REGION}"
    assert event.what == "UpdateEndpoint endpointName=scorer"
    change = rows[2]
    assert (change.since, change.time) == (day(2), day(10))
    assert [(edit.path, edit.old, edit.new) for edit in change.edits] == [(("EndpointConfigName",), "c1", "c2")]
    assert change.what == "EndpointConfigName c1 -> c2"


def test_what_became_of_a_thing_after_it_was_left_is_not_told(world: World) -> None:
    serve(world)
    world.event("AddTags", day(5), key("EndpointConfig", "c1"))
    world.event("DeleteEndpointConfig", day(12), key("EndpointConfig", "c1"))
    world.seen("EndpointConfig", "c1", day(12), status="deleted", configuration={}, created=None)
    told = [row.what.split()[0] for row in world.rows("scorer", kinds=["event"])]
    assert told == ["AddTags"]
    assert [row.what.split()[0] for row in world.rows("c1", kinds=["event"])] == ["AddTags", "DeleteEndpointConfig"]
    assert [row.what for row in world.rows("c1", kinds=["change"])] == ["deleted"]


def test_an_event_is_told_once_at_the_nearest_thing_that_counts_then(world: World) -> None:
    serve(world)
    both = (key("EndpointConfig", "c1"), key("ModelPackage", "risk/2"))
    world.event("AddTags", day(5), *both)
    world.event("AddTags", day(12), *both)
    told = [(row.time, row.name) for row in world.rows("scorer", kinds=["event"])]
    assert told == [(day(5), "c1"), (day(12), "risk/2")]


def test_of_a_role_only_the_time_that_it_was_used_is_told(world: World) -> None:
    role = make_resource("AWS::IAM::Role", ACCOUNT, "", "serving").key
    world.session.say_all(list(observe_items([with_semantic(ConfigItem(
        resource=make_resource(KIND + "Model", ACCOUNT, REGION, "m"), time=day(5), created=day(5), source="aws",
        shape="api", relationships=(Relationship("AWS::IAM::Role", role, "runs as"),),
    ))], "aws")))  # fmt: skip
    for number in (3, 7):
        world.event("AttachRolePolicy", day(number), role, service="iam.amazonaws.com")
    world.event("CreateTrainingJob", day(8), role)  # uses it
    assert [row.time for row in world.rows("m", kinds=["event"])] == [day(7)]
    assert [row.time for row in world.rows(role, kinds=["event"])] == [day(3), day(7), day(8)]


def test_a_tag_of_an_image_is_followed_to_the_repository_and_to_what_it_named(world: World) -> None:
    world.seen("Model", "m", day(1), ("Image", f"{IMAGE}:live"), created=day(1))
    for number in (1, 2):
        tags = {"live": DIGESTS[number], "other": DIGESTS[0]}
        configuration = {"imageTags": tags, "n": number}
        world.seen("AWS::ECR::Repository", "risk", day(number, 6), configuration=configuration)
        world.seen("AWS::ECR::Image", f"risk@{DIGESTS[number]}", day(number, 5))
    rows = [row for row in world.rows("m") if row.kind != "seen"]
    assert [(row.kind, row.name, row.what) for row in rows] == [
        ("tag", "risk", f"imageTags.live {DIGESTS[1]} -> {DIGESTS[2]}")
    ]
    things = {thing.name: thing.spans for thing in world.ask("m").things}
    assert things[f"risk@{DIGESTS[2]}"] == [Span(day(2, 6), FOREVER)]
    assert things[f"risk@{DIGESTS[1]}"][0].until == day(2, 6)
    assert [row.kind for row in world.rows("AWS::ECR::Repository/risk")] == ["seen", "change"]


def test_graph_and_resources_are_one_story_joined_by_their_arn(world: World) -> None:
    serve(world)
    digest = Digest.of(b"model")
    model, run = f"model:risk@{digest}", "run:deploy-1"
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/scorer"
    package = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/risk/1"
    node = Node(ref=model, basis="observed", digest=digest, version="1", aliases=(package,))
    said = Node(ref=model, basis="claimed", digest=digest, detail={"reason": "AUC holds"})
    revision = Node(
        ref="endpoint:scorer@1", basis="observed", version="1", digest=Digest.of(b"r"), aliases=(arn,),
        detail={"model": "model:risk@1", "approval": {"approved_by": "carol"}},
    )  # fmt: skip
    world.say(REGISTERED, day(1), nodes=(node,))
    world.say(APPROVED, day(1, 12), nodes=(said,), actor="carol", basis="claimed")
    world.say(
        DEPLOYED, day(2), nodes=(revision, Node(ref=run, basis="observed"), node),
        edges=(Edge(model, run, "used"), Edge(run, "endpoint:scorer@1", "deployed")),
    )  # fmt: skip
    ends = Node(ref="endpoint:scorer@1", basis="observed", digest=Digest.of(b"r"), detail={"retired_because": "done"})
    world.say(RETIRED, day(20), nodes=(ends,))
    world.event("UpdateEndpoint", day(9, 23), arn)
    expected = ["registration", "decision", "deployment", "event", "change", "retirement"]
    for text in ("endpoint:scorer", arn, "endpoint:scorer@1"):
        assert [row.kind for row in world.rows(text) if row.kind != "seen"] == expected, text
    rows = {row.kind: row for row in world.rows("endpoint:scorer")}
    assert rows["decision"].who == "carol"
    assert rows["decision"].why == "AUC holds"
    assert rows["deployment"].what == "deployed endpoint:scorer@1, serving model:risk@1"
    assert rows["deployment"].why == "approved by carol"
    assert rows["deployment"].recorded is not None
    assert [row.kind for row in world.rows(package, depth=0)] == ["registration", "seen", "decision"]
    assert "retirement" not in [row.kind for row in world.rows("endpoint:scorer", moment=Moment(time=day(15)))]


# -- what was concluded


def explained(world: World, now: str) -> None:
    explain(world.session, now=now)


def test_verdicts_stand_beside_changes_and_older_ones_are_kept(world: World) -> None:
    world.looked(*(day(n) for n in range(1, 12)))
    serve(world)
    explained(world, day(10, 1))
    change = next(row for row in world.rows("scorer", depth=0) if row.kind == "change")
    assert change.verdict in ("PENDING", "NOT_OBSERVABLE")
    before = change.verdict
    known = world.session.clock()
    world.trail(day(1), day(11))
    explained(world, day(11))
    change = next(row for row in world.rows("scorer", depth=0) if row.kind == "change" and row.time == day(10))
    assert change.verdict == "UNEXPLAINED"
    assert [verdict for verdict, _ in change.judged_before] == [before]
    world.event("UpdateEndpoint", day(9, 23), key("Endpoint", "scorer"), by="mallory")
    explained(world, day(12))
    changed = next(row for row in world.rows("scorer", depth=0) if row.kind == "change" and row.time == day(10))
    assert [verdict for verdict, _ in changed.judged_before] == [before, "UNEXPLAINED"]
    past = [row for row in world.rows("scorer", depth=0, moment=Moment(known=known)) if row.kind == "change"]
    assert (past[-1].verdict, past[-1].judged_before) == (before, ())


def test_approvals_of_changes_stand_as_windows(world: World) -> None:
    serve(world)
    said = ChangeApproval(
        id="CHG-7", resources=(key("Endpoint", "scor*"),), principals=("alice",), not_before=day(9), not_after=day(11),
        decided=day(8), approver="carol", reason="release 2",
    )  # fmt: skip
    other = ChangeApproval(
        id="CHG-8", types=("AWS::ECR::*",), not_before=day(9), not_after=day(11), decided=day(8), approver="x"
    )
    anything = ChangeApproval(id="CHG-9", not_before=day(9), not_after=day(11), decided=day(8), approver="x")
    world.say(ALLOWED, day(8), {"approvals": [each.describe() for each in (said, other, anything)]})
    rows = [row for row in world.rows("scorer", depth=0) if row.kind == "window"]
    assert [(row.id, row.time, row.until, row.who, row.why) for row in rows] == [
        ("CHG-7", day(9), day(11), "carol", "release 2")
    ]
    world.looked(*(day(n) for n in range(1, 14)))
    world.trail("2026-02-27T00:00:00.000000Z", day(14))
    explained(world, day(14))
    window = next(row for row in world.rows("scorer") if row.kind == "window")
    assert window.verdict == "APPROVED_NOT_DONE"
    inside = {"since": day(10), "until": day(10, 1), "kinds": ["window"]}
    assert len(world.rows("scorer", depth=0, **inside)) == 1  # it lasts


# -- gaps


def test_when_nobody_looked_is_told(world: World) -> None:
    world.seen("Endpoint", "scorer", day(1))
    world.looked(day(1), day(1, 20), day(5), day(5, 1))
    end = Moment(time=day(5, 2))
    gaps = [row for row in world.rows("scorer", moment=end, kinds=["gap"]) if row.name != "trail"]
    assert [(row.time, row.until) for row in gaps] == [(day(1, 20), day(5))]
    assert gaps[0].what == "nobody looked: what became of AWS::SageMaker::Endpoint is not known"
    world.seen("Model", "m", day(1))
    world.seen("Endpoint", "two", day(1), ("Model", "m"))
    together = world.rows("two", moment=end, kinds=["gap"])
    assert [row.what for row in together] == [
        "nobody looked: what became of AWS::SageMaker::Endpoint, AWS::SageMaker::Model is not known"
    ]
    now = [row for row in world.rows("scorer", kinds=["gap"]) if row.name != "trail"]
    assert now[-1].time == day(5, 1)  # and nobody has since


def test_a_look_that_was_not_complete_proves_nothing(world: World) -> None:
    world.seen("Endpoint", "scorer", day(1))
    world.looked(day(1), day(5))
    world.looked(day(3), complete=False)
    gaps = world.rows("scorer", moment=Moment(time=day(5)), kinds=["gap"])
    assert [row.what for row in gaps] == [
        "looks were not complete: what became of AWS::SageMaker::Endpoint is not known"
    ]


def test_holes_of_the_trail_are_told(world: World) -> None:
    world.seen("Endpoint", "scorer", day(1))
    world.looked(day(1))
    world.trail(day(1), day(3))
    world.trail(day(3), day(4), missing=True, why="log_deleted")
    world.trail(day(6), day(7))
    world.trail(day(6), day(7), region="us-east-1", missing=True, why="elsewhere")
    gaps = [row for row in world.rows("scorer", moment=Moment(time=day(7))) if row.name == "trail"]
    assert [(row.time, row.until, row.what) for row in gaps] == [
        (day(3), day(4), "the trail is missing: log_deleted"),
        (day(4), day(6), "no trail was read"),
    ]


# -- what is asked for


def test_windows_limits_and_order(world: World) -> None:
    for number in range(1, 21):
        world.event(f"Call{number:02}", day(number), key("Endpoint", "scorer"))
    names = [row.what.split()[0] for row in world.rows(key("Endpoint", "scorer"), limit=3)]
    assert names == ["Call18", "Call19", "Call20"]
    found = world.ask(key("Endpoint", "scorer"), limit=3, reverse=True)
    assert [row.what.split()[0] for row in found.rows] == ["Call20", "Call19", "Call18"]
    assert found.left_out == 17
    inside = world.rows(key("Endpoint", "scorer"), since=day(4), until=day(6))
    assert [row.time for row in inside] == [day(4), day(5), day(6)]
    assert len(world.rows(key("Endpoint", "scorer"), limit=None)) == 20
    with pytest.raises(BadInput, match="no such kind"):
        world.rows(key("Endpoint", "scorer"), kinds=["changes"])
    with pytest.raises(BadInput, match="after --until"):
        world.rows(key("Endpoint", "scorer"), since=day(6), until=day(4))
    assert len(KINDS) == len(set(KINDS))


def test_as_of_a_moment_nothing_later_is_told_or_followed(world: World) -> None:
    serve(world)
    then = world.ask("scorer", moment=Moment(time=day(5)))
    assert "c2" not in {thing.name for thing in then.things}
    assert all(row.time <= day(5) for row in then.rows)
    known = world.session.clock()
    world.event("UpdateEndpoint", day(3), key("Endpoint", "scorer"))
    assert world.rows("scorer", moment=Moment(known=known), kinds=["event"]) == []
    assert len(world.rows("scorer", kinds=["event"])) == 1


def test_what_is_gone_says_when_it_was_last_seen(world: World) -> None:
    arn = key("Endpoint", "scorer")
    world.seen("Endpoint", "scorer", day(1), created=day(1))
    world.looked(day(1), day(2), day(3), day(4))
    state = world.ask(arn).states[arn]
    assert (state.state, state.last_seen, state.changed) == ("there", day(4), day(1))
    world.seen("Endpoint", "scorer", day(5), status="deleted", configuration={})
    world.looked(day(5))
    state = world.ask(arn).states[arn]
    assert (state.state, state.last_seen, state.gone, state.first_seen) == ("gone", day(4), day(5), day(1))
    assert state.last_looked == day(5)


def test_a_large_timeline_keeps_its_newest_rows(world: World) -> None:
    events = [
        ApiEvent(
            id=f"e{n}", time=day(1 + n % 27, n % 24), service="s", name="Call", account=ACCOUNT, region=REGION,
            targets=(key("Endpoint", "scorer"),),
        )
        for n in range(3000)
    ]  # fmt: skip
    world.say(RECORDED, day(28), {"events": [event.describe() for event in events]})
    found = world.ask(key("Endpoint", "scorer"))
    assert len(found.rows) == 500
    assert found.left_out == 2500
    assert found.rows[-1].time == max(event.time for event in events)
