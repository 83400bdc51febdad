"""The estate as of a moment, one resource of it, and what changed between two moments."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estate_world import ACCOUNT, IMAGE, KIND, REGION, World, day, key, serve
from lineal.app.config_record import observe_items
from lineal.app.estate import Filter, configuration_of, estate
from lineal.app.estate_diff import EstateDifference, ResourceDifference, diff_estate
from lineal.app.estate_state import standing
from lineal.app.explain import explain
from lineal.catalog.graph import NOW, Moment
from lineal.change.semantic import with_semantic
from lineal.core.config_item import ConfigItem
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.event_type import DEPLOYED, RETIRED
from lineal.core.observation import Node
from lineal.core.resource import make_resource
from lineal.errors import AmbiguousRef, BadInput, LinealError, UnknownRef
from lineal.wire.timeline import describe_configured, describe_estate, describe_estate_difference
from lineal.wiring import Settings, create, open_session


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings = Settings(ledger=str(tmp_path), actor="tester")
    create(settings, tmp_path, None)
    with open_session(settings) as session:
        yield World(session)


def deploy(world: World, number: int, time: str, *, by: str = "alice") -> None:
    digest = Digest.of(b"%d" % number)
    model, run, ref = f"model:risk@{digest}", f"run:deploy-{number}", f"endpoint:scorer@{number}"
    detail = {"model": f"model:risk@{number}", "approval": {"approved_by": "carol"}}
    world.say(
        DEPLOYED, time, actor=by,
        nodes=(
            Node(ref=ref, basis="observed", version=str(number), digest=digest, detail=detail),
            Node(ref=run, basis="observed"),
            Node(ref=model, basis="observed", digest=digest, version=str(number)),
        ),
        edges=(Edge(model, run, "used"), Edge(run, ref, "deployed")),
    )  # fmt: skip


# -- as of a moment


def test_the_estate_is_what_was_there_then(world: World) -> None:
    serve(world)
    deploy(world, 1, day(2))
    deploy(world, 2, day(10))
    world.seen("EndpointConfig", "c1", day(12), status="deleted", configuration={})

    def names(time: str | None = None, **wanted: object) -> list[str]:
        moment = NOW if time is None else Moment(time=time)
        found = estate(world.session, moment, Filter(**wanted))  # type: ignore[arg-type]
        return [each.item.resource.name for each in found.resources]

    assert names(day(1, 1)) == [f"risk@{Digest.of(b'1')}", "m1", "risk/1"]
    assert "c1" in names(day(11))
    assert "c1" not in names()
    assert names(types=(f"{KIND}Model*",)) == ["m1", "m2", "risk/1", "risk/2"]
    assert names(types=("aws::sagemaker::endpoint",)) == ["scorer"]
    assert names(account="999999999999") == []
    assert names(region=REGION) == names()
    endpoints = estate(world.session, Moment(time=day(5))).endpoints
    assert [(each.revision.ref, each.model, each.approved_by) for each in endpoints] == [
        ("endpoint:scorer@1", "model:risk@1", "carol")
    ]
    assert estate(world.session, NOW).endpoints[0].revision.ref == "endpoint:scorer@2"
    assert estate(world.session, NOW, Filter(types=("AWS::*",))).endpoints == ()
    assert estate(world.session, NOW, Filter(types=("endpoint",))).resources == ()
    assert estate(world.session, Moment(time=day(1))).endpoints == ()
    json.dumps(describe_estate(estate(world.session, NOW)))


def test_it_says_when_a_type_was_last_looked_at(world: World) -> None:
    world.seen("Endpoint", "scorer", day(1))
    world.seen("Model", "m", day(1))
    world.looked(day(3), kind=KIND + "Endpoint")
    world.looked(day(4), kind=KIND + "Endpoint", complete=False)
    world.looked(day(5), kind=KIND + "Model", region="us-east-1")
    found = {each.item.resource.name: each.state for each in estate(world.session, NOW).resources}
    assert (found["scorer"].last_looked, found["scorer"].last_seen) == (day(3), day(3))
    assert (found["m"].last_looked, found["m"].last_seen) == (None, day(1))
    before = {each.item.resource.name: each.state for each in estate(world.session, Moment(time=day(2))).resources}
    assert before["scorer"].last_looked is None


def test_one_resource_as_of_a_moment(world: World) -> None:
    world.looked(*(day(n) for n in range(1, 12)))
    world.trail(day(1), day(12))
    serve(world)
    explain(world.session, now=day(12))
    found = configuration_of(world.session, "scorer", NOW)
    assert found is not None
    assert found.item.configuration == {"EndpointConfigName": "c2"}
    assert found.change is not None
    assert (found.change.since, found.change.until) == (day(9), day(10))
    assert found.judgement is not None
    assert found.judgement.verdict == "UNEXPLAINED"
    assert (found.state.state, found.state.last_seen) == ("there", day(11))
    then = configuration_of(world.session, key("Endpoint", "scorer"), Moment(time=day(5)))
    assert then is not None
    assert then.item.configuration == {"EndpointConfigName": "c1"}
    assert then.state.last_looked == day(5)
    assert [each.key for each in then.item.relationships] == [key("EndpointConfig", "c1")]
    json.dumps(describe_configured(found))


def test_one_that_is_gone_says_so_and_what_it_was(world: World) -> None:
    world.seen("Endpoint", "scorer", day(1), ("EndpointConfig", "c1"))
    world.looked(day(1), day(2), day(3))
    world.seen("Endpoint", "scorer", day(4), status="deleted", configuration={})
    found = configuration_of(world.session, "scorer", NOW)
    assert found is not None
    assert (found.state.state, found.state.last_seen, found.state.gone) == ("gone", day(3), day(4))
    assert found.item.configuration == {"Uses": ["c1"]}
    before = configuration_of(world.session, "scorer", Moment(time=day(2)))
    assert before is not None
    assert before.state.state == "there"


def test_names_that_mean_none_or_several(world: World) -> None:
    world.seen("Model", "x", day(5))
    assert configuration_of(world.session, "nothing", NOW) is None
    with pytest.raises(UnknownRef, match=f"seen first at {day(5)}"):
        configuration_of(world.session, "x", Moment(time=day(1)))
    world.seen("Endpoint", "x", day(5))
    with pytest.raises(AmbiguousRef):
        configuration_of(world.session, "x", NOW)
    world.event("CreateModel", day(2), key("Model", "ghost"))
    with pytest.raises(UnknownRef, match="nobody has looked at it"):
        configuration_of(world.session, key("Model", "ghost"), NOW)


def test_the_service_itself_goes_before_a_recorder() -> None:
    def item(minute: int, shape: str, status: str = "ok") -> ConfigItem:
        resource = make_resource(KIND + "Model", ACCOUNT, REGION, "m")
        return ConfigItem(resource=resource, time=day(1, 0, minute), source="s", shape=shape, status=status)

    assert standing([]) is None
    assert standing([item(1, "api"), item(2, "config")]) == item(1, "api")
    assert standing([item(1, "config"), item(2, "api")]) == item(2, "api")
    assert standing([item(1, "api"), item(2, "config", "deleted")]) == item(2, "config", "deleted")
    assert standing([item(1, "api"), item(2, "config", "deleted"), item(3, "config")]) in (
        item(1, "api"),
        item(3, "config"),
    )
    assert standing([item(1, "config", "unrecorded")]) == item(1, "config", "unrecorded")


# -- between two moments


def changed(world: World, since: str, until: str, **more: object) -> EstateDifference:
    return diff_estate(world.session, since, until, **more)  # type: ignore[arg-type]


def by_name(found: EstateDifference) -> dict[str, ResourceDifference]:
    return {each.resource.name: each for each in found.resources}


def test_everything_that_changed_between_two_moments(world: World) -> None:
    world.looked(*(day(n) for n in range(1, 15)))
    world.trail(day(1), day(15))
    serve(world)
    asked = {"endpointName": "scorer", "endpointConfigName": "c2"}
    world.event(
        "UpdateEndpoint", day(9, 12), key("Endpoint", "scorer"), by="mallory", record={"requestParameters": asked}
    )
    world.seen("Model", "m1", day(12), status="deleted", configuration={})
    explain(world.session, now=day(20))
    found = by_name(changed(world, day(5), day(13)))
    assert {name: each.what for name, each in found.items()} == {
        "scorer": "changed", "c2": "created", "m2": "created", "risk/2": "created", "m1": "deleted",
        f"risk@{Digest.of(b'2')}": "created",
    }  # fmt: skip
    scorer = found["scorer"]
    assert [(edit.path[0], edit.old, edit.new) for edit in scorer.edits] == [("EndpointConfigName", "c1", "c2")]
    assert [step.certain for step in scorer.steps] == [True]
    judged = scorer.steps[0].judgement
    assert judged is not None
    assert judged.verdict == "ATTRIBUTED_UNAPPROVED"
    assert "mallory" in judged.principals[0]
    assert found["m1"].after is None
    assert found["c2"].before is None
    json.dumps(describe_estate_difference(changed(world, day(5), day(13)), patches=True))
    assert not changed(world, day(13), day(14)).differs


def test_what_was_changed_back_is_told_all_the_same(world: World) -> None:
    for number, config in ((1, "c1"), (3, "c2"), (5, "c1")):
        world.seen("Endpoint", "scorer", day(number), ("EndpointConfig", config))
    found = by_name(changed(world, day(2), day(6)))["scorer"]
    assert (found.what, found.edits, len(found.steps)) == ("reverted", (), 2)
    assert by_name(changed(world, day(2), day(4)))["scorer"].what == "changed"


def test_what_came_and_went_is_told(world: World) -> None:
    world.looked(*(day(n) for n in range(1, 9)))
    world.seen("Endpoint", "brief", day(3), created=day(2, 12))
    world.seen("Endpoint", "brief", day(5), status="deleted", configuration={})
    found = by_name(changed(world, day(2), day(6)))["brief"]
    assert found.what == "reverted"
    assert [step.change.kind for step in found.steps] == ["created", "deleted"]
    assert found.patch() == []


def test_what_was_seen_first_may_have_been_there_before(world: World) -> None:
    world.seen("Endpoint", "old", day(5), created=day(1))
    world.seen("Endpoint", "new", day(5), created=day(4))
    world.seen("Endpoint", "unsaid", day(5))
    world.looked(day(4), kind=KIND + "Model")
    world.seen("Model", "certain", day(5))
    found = {name: each.what for name, each in by_name(changed(world, day(3), day(6))).items()}
    assert found == {"old": "appeared", "new": "created", "unsaid": "appeared", "certain": "created"}


def test_what_changed_after_it_was_seen_first_may_still_have_been_there_before(world: World) -> None:
    for name, on in (("scorer", 5), ("scorer", 6)):
        world.seen("Endpoint", name, day(on), configuration={"Count": on})
    found = by_name(changed(world, day(3), day(8)))["scorer"]
    assert (found.what, [(step.change.kind, step.certain) for step in found.steps]) == ("appeared", [("updated", True)])


def test_what_was_gone_at_the_first_moment_is_created_anew(world: World) -> None:
    for name in ("back", "brief"):
        world.seen("Endpoint", name, day(1))
        world.seen("Endpoint", name, day(2), status="deleted", configuration={})
        world.seen("Endpoint", name, day(5))
    world.seen("Endpoint", "brief", day(6), status="deleted", configuration={})
    found = {name: each.what for name, each in by_name(changed(world, day(3), day(8))).items()}
    assert found == {"back": "created", "brief": "reverted"}


def test_what_was_seen_first_on_the_way_and_is_gone_was_there(world: World) -> None:
    for name, made in (("old", day(1)), ("unsaid", None), ("brief", day(4))):
        world.seen("Endpoint", name, day(5), created=made)
        world.seen("Endpoint", name, day(6), status="deleted", configuration={})
    found = {name: each.what for name, each in by_name(changed(world, day(3), day(8))).items()}
    assert found == {"old": "deleted", "unsaid": "deleted", "brief": "reverted"}


def test_a_change_that_may_lie_before_the_first_moment_is_doubtful(world: World) -> None:
    world.seen("Endpoint", "scorer", day(1), ("EndpointConfig", "c1"))
    world.seen("Endpoint", "scorer", day(5), ("EndpointConfig", "c2"))
    assert [step.certain for step in by_name(changed(world, day(3), day(6)))["scorer"].steps] == [False]
    world.looked(day(4))
    assert [step.certain for step in by_name(changed(world, day(3), day(6)))["scorer"].steps] == [True]


def test_it_can_be_narrowed_down_and_asked_of_one_thing(world: World) -> None:
    serve(world)
    world.seen("Endpoint", "other", day(3), ("EndpointConfig", "x"))
    world.seen("Endpoint", "other", day(6), ("EndpointConfig", "y"))
    names = by_name(changed(world, day(5), day(13), text="scorer")).keys()
    assert names == {"scorer", "c2", "m2", "risk/2", f"risk@{Digest.of(b'2')}"}
    assert by_name(changed(world, day(5), day(13), wanted=Filter(types=(f"{KIND}Endpoint",)))).keys() == {
        "scorer", "other"
    }  # fmt: skip
    assert not changed(world, day(5), day(13), wanted=Filter(account="1")).differs
    with pytest.raises(LinealError):
        changed(world, day(5), day(13), text="nothing")


def test_endpoints_tell_what_they_served(world: World) -> None:
    for number, time in ((1, day(2)), (2, day(5)), (3, day(7))):
        deploy(world, number, time, by=f"p{number}")
    found = changed(world, day(3), day(8)).endpoints
    assert [(each.name, each.before and each.before.revision.ref) for each in found] == [
        ("scorer", "endpoint:scorer@1")
    ]
    assert found[0].after is not None
    assert found[0].after.revision.ref == "endpoint:scorer@3"
    assert [each.revision.actor for each in found[0].deployed] == ["p2", "p3"]
    assert changed(world, day(2), day(4)).endpoints == ()  # from that very moment on it served
    assert changed(world, day(1), day(2)).endpoints[0].before is None
    ends = Node(ref="endpoint:scorer@3", basis="observed", digest=Digest.of(b"3"))
    world.say(RETIRED, day(9), nodes=(ends,))
    gone = changed(world, day(8), day(10)).endpoints
    assert [(each.after, each.retired, each.deployed) for each in gone] == [(None, day(9), ())]
    assert changed(world, day(10), day(11)).endpoints == ()


def test_moments_in_the_wrong_order_are_refused(world: World) -> None:
    for since, until in ((day(2), day(1)), (day(1), day(1))):
        with pytest.raises(BadInput, match="not before"):
            changed(world, since, until)


def test_it_is_of_what_the_ledger_knew(world: World) -> None:
    world.seen("Endpoint", "scorer", day(1), ("EndpointConfig", "c1"))
    known = world.session.clock()
    world.seen("Endpoint", "scorer", day(3), ("EndpointConfig", "c2"))
    assert changed(world, day(2), day(4)).differs
    assert not changed(world, day(2), day(4), known=known).differs


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab/~", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3),
    max_leaves=8,
)
_DOCUMENTS = st.dictionaries(st.text("ab/~", min_size=1, max_size=2), _VALUES, max_size=4)


@settings(max_examples=60, deadline=None)
@given(before=_DOCUMENTS, after=_DOCUMENTS, old=st.dictionaries(st.text("k", max_size=2), st.text(max_size=2)))
def test_patches_make_one_configuration_of_the_other(before: dict, after: dict, old: dict) -> None:  # type: ignore[type-arg]
    resource = make_resource("File::yaml", "", "", "a")

    def item(configuration: dict, tags: dict) -> ConfigItem:  # type: ignore[type-arg]
        return ConfigItem(
            resource=resource, time=day(1), source="files", shape="file", configuration=configuration, tags=tags
        )

    def difference(one: ConfigItem | None, other: ConfigItem | None) -> ResourceDifference:
        state = None
        return ResourceDifference(
            resource=resource,
            what="changed",
            before=one,
            after=other,
            edits=(),
            steps=(),
            state=state,  # type: ignore[arg-type]
        )

    one, other = item(before, old), item(after, {"k": "v"})
    whole = {"configuration": before, "tags": old}
    wanted = {"configuration": after, "tags": {"k": "v"}}
    assert jsonpatch.apply_patch(whole, difference(one, other).patch()) == wanted
    assert jsonpatch.apply_patch({}, difference(None, other).patch()) == wanted
    assert jsonpatch.apply_patch(whole, difference(one, None).patch()) == {}


def test_very_many_resources(world: World) -> None:
    items = [
        with_semantic(ConfigItem(
            resource=make_resource(KIND + "Model", ACCOUNT, REGION, f"m{number:04}"), time=day(number % 2 + 1),
            source="aws", shape="api", configuration={"n": number},
        ))
        for number in range(2000)
    ]  # fmt: skip
    world.session.say_all(list(observe_items(items, "aws")))
    assert len(estate(world.session, NOW).resources) == 2000
    assert len(changed(world, day(1), day(3)).resources) == 1000
    assert IMAGE
