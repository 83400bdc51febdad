"""The verdicts: the smallest scenario of each, and what lies on the boundaries."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from lineal.change.judge import judge_change, worst
from lineal.change.judge_events import Watched, judge_approval, judge_event
from lineal.change.judge_evidence import Evidence, make_candidate
from lineal.change.permission import Approvals
from lineal.change.watermark import Trail, read_coverage
from lineal.core.api_event import ApiEvent
from lineal.core.change import (
    APPROVED,
    MANAGED,
    NOT_DONE,
    NOT_OBSERVABLE,
    PENDING,
    UNAPPROVED,
    UNEXPLAINED,
    VERDICTS,
    WITHOUT_EFFECT,
    Change,
    ChangeApproval,
    Edit,
)
from lineal.core.coverage import TrailSpan
from lineal.core.timestamp import shift

ACCOUNT, REGION = "123456789012", "eu-west-1"
ENDPOINT = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/scorer"
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/serving"
DEPLOYER = f"arn:aws:iam::{ACCOUNT}:role/deploy"
SCALING = f"arn:aws:iam::{ACCOUNT}:role/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
SCALING_ARN = SCALING.replace("role/", "role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/")
WEIGHTS = "UpdateEndpointWeightsAndCapacities"


def at(hour: int, minute: int = 0, second: int = 0, micro: int = 0) -> str:
    return f"2026-03-03T{hour:02}:{minute:02}:{second:02}.{micro:06}Z"


SWAP = Edit("replace", ("EndpointConfigName",), "scorer-1", "scorer-2")
COUNT = Edit("replace", ("ProductionVariants", "all", "DesiredInstanceCount"), 1, 3)


def change(*edits: Edit, kind: str = "updated", **more: Any) -> Change:
    said: dict[str, Any] = {"since": at(9), "until": at(10), "before": "sha256:1", "after": "sha256:2", **more}
    return Change(
        id="change-1", resource=ENDPOINT, type="AWS::SageMaker::Endpoint", account=ACCOUNT, region=REGION, kind=kind,
        edits=edits, **said,
    )  # fmt: skip


def event(time: str, name: str = "UpdateEndpoint", asked: dict[str, Any] | None = None, **more: Any) -> ApiEvent:
    if asked is None:
        asked = {"endpointName": "scorer", "endpointConfigName": "scorer-2"}
    record = {"requestParameters": asked, **more.pop("record", {})}
    said: dict[str, Any] = {"id": f"{name}-{time}", "principal": DEPLOYER, "session": "build-7", "targets": (ENDPOINT,)}
    return ApiEvent(
        time=time, service=more.pop("service", "sagemaker.amazonaws.com"), name=name, account=ACCOUNT, region=REGION,
        record=record, **{**said, **more},
    )  # fmt: skip


def scaling(time: str, count: int = 3, **more: Any) -> ApiEvent:
    asked = {
        "endpointName": "scorer",
        "desiredWeightsAndCapacities": [{"variantName": "all", "desiredInstanceCount": count}],
    }
    return event(time, WEIGHTS, asked, **more)


def approval(**more: Any) -> ChangeApproval:
    said: dict[str, Any] = {
        "id": "a-1", "ticket": "CHG-7", "resources": (ENDPOINT,), "not_before": at(8), "not_after": at(11),
        "decided": at(7), "approver": "cab@bank.example", "requester": "ana@bank.example",
    }  # fmt: skip
    return ChangeApproval(**{**said, **more})


def span(since: str = at(0), until: str = at(12), *, proof: str = "digest", why: str = "") -> TrailSpan:
    return TrailSpan(account=ACCOUNT, region=REGION, since=since, until=until, proof=proof, missing=bool(why), why=why)


def evidence(
    *events: ApiEvent, approvals: tuple[ChangeApproval, ...] = (), spans: tuple[TrailSpan, ...] = (span(),), **more: Any
) -> Evidence:
    said: dict[str, Any] = {"now": at(13), **more}
    return Evidence(
        events=[make_candidate(each) for each in events], approvals=approvals, coverage=read_coverage(spans), **said
    )


def verdict(of: Change, *events: ApiEvent, **more: Any) -> str:
    return judge_change(of, evidence(*events, **more)).verdict


# One of each.


def test_approved() -> None:
    made = judge_change(change(SWAP), evidence(event(at(9, 30)), approvals=(approval(),)))
    assert (made.verdict, made.approvals, made.events) == (APPROVED, ("a-1",), (f"UpdateEndpoint-{at(9, 30)}",))
    assert made.principals == (f"{DEPLOYER} (build-7)",)
    assert "CHG-7" in made.why


def test_attributed_and_not_approved() -> None:
    made = judge_change(change(SWAP), evidence(event(at(9, 30))))
    assert made.verdict == UNAPPROVED
    assert "UpdateEndpoint by" in made.why


def test_unexplained() -> None:
    made = judge_change(change(SWAP), evidence())
    assert (made.verdict, made.events, made.principals) == (UNEXPLAINED, (), ())


def test_managed_by_the_service_and_the_same_call_by_a_person() -> None:
    who = {"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": SCALING_ARN}}}}
    by_service = scaling(at(9, 30), principal=SCALING, via="application-autoscaling.amazonaws.com", record=who)
    assert verdict(change(COUNT), by_service) == MANAGED
    assert (
        verdict(change(COUNT), replace(by_service, via="")) == MANAGED
    )  # of a service-linked role it need not be said
    assert verdict(change(COUNT), replace(by_service, via="lambda.amazonaws.com")) == UNAPPROVED
    assert verdict(change(COUNT), scaling(at(9, 30))) == UNAPPROVED
    assert verdict(change(COUNT), scaling(at(9, 30)), approvals=(approval(),)) == APPROVED
    # The name of a role of a service, anywhere else in a path, is no such role.
    for arn in (SCALING_ARN.replace("role/", "role/team/"), SCALING_ARN.replace(":role/", ":user/")):
        issued = {"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": arn}}}}
        assert verdict(change(COUNT), scaling(at(9, 30), principal=arn, session="", record=issued)) == UNAPPROVED
    # Not in fields that are not the service's to set.
    both = judge_change(change(SWAP, COUNT), evidence(by_service))
    assert [each.verdict for each in both.fields] == [UNEXPLAINED, MANAGED]
    assert both.verdict == UNEXPLAINED


def test_an_autoscaler_of_kubernetes_manages_replicas_and_a_person_does_not() -> None:
    edit = Edit("replace", ("spec", "replicas"), 2, 5)
    of = replace(change(edit), type="Kubernetes::apps/Deployment", resource="Kubernetes::apps/Deployment/c/n/d")
    scale = event(
        at(9, 30), "patch deployments/scale", service="kubernetes", record={"requestObject": {"spec": {"replicas": 5}}},
        asked={}, session="", principal="system:serviceaccount:kube-system:horizontal-pod-autoscaler",
    )  # fmt: skip
    assert judge_change(of, evidence(scale)).verdict == MANAGED
    assert judge_change(of, evidence(replace(scale, principal="ana"))).verdict == UNAPPROVED
    assert judge_change(of, evidence(replace(scale, name="patch deployments/status", record={}))).verdict == UNEXPLAINED


def test_pending_until_events_can_have_arrived_and_the_trail_has() -> None:
    late = span(at(0), at(9, 45))
    for done in (event(at(9, 30)),), ():
        assert verdict(change(SWAP), *done, now=shift(at(10), 899)) == PENDING
        assert verdict(change(SWAP), *done, spans=(late,)) == PENDING
    assert verdict(change(SWAP), now=shift(at(10), 900)) == UNEXPLAINED
    fields = judge_change(change(SWAP, COUNT), evidence(now=at(10))).fields
    assert [(each.path, each.verdict) for each in fields] == [(SWAP.path, PENDING), (COUNT.path, PENDING)]


def test_not_observable_without_a_trail_in_a_hole_and_with_nothing_from_before() -> None:
    assert verdict(change(SWAP), spans=()) == NOT_OBSERVABLE
    hole = span(at(9, 20), at(9, 40), why="log_deleted")
    made = judge_change(change(SWAP), evidence(spans=(span(), hole)))
    assert made.verdict == NOT_OBSERVABLE
    assert "log_deleted" in made.why
    assert verdict(change(SWAP), spans=(span(at(0), at(9, 20)), span(at(9, 40), at(12)))) == NOT_OBSERVABLE
    assert verdict(change(SWAP), spans=(span(at(9, 20)),)) == NOT_OBSERVABLE
    assert verdict(change(kind="created", since=None)) == NOT_OBSERVABLE
    # What an event explains is explained, whatever else the trail lacks.
    assert verdict(change(SWAP), event(at(9, 50)), spans=(span(), hole)) == UNAPPROVED
    assert verdict(change(SWAP), event(at(9, 50)), spans=()) == UNAPPROVED


def watched(**more: Any) -> Watched:
    said: dict[str, Any] = {"first": at(8), "last": at(12), "coverage": read_coverage([span()]), "now": at(13), **more}
    return Watched(resource=ENDPOINT, type="AWS::SageMaker::Endpoint", **said)


def test_event_without_effect() -> None:
    tags = make_candidate(event(at(9, 30), "AddTags", {"tags": [{"key": "a", "value": "b"}]}))
    made = judge_event(tags, watched())
    assert made is not None
    assert (made.verdict, made.subject, made.about) == (WITHOUT_EFFECT, "event", tags.event.id)
    for more in (
        {"last": at(9, 31)}, {"now": at(9, 44)}, {"coverage": read_coverage([span(at(0), at(9, 30))])}
    ):  # fmt: skip
        early = judge_event(tags, watched(**more))
        assert early is not None
        assert early.verdict == PENDING
    assert judge_event(tags, watched(first=at(9, 30))) is None
    assert judge_event(tags, watched(coverage=read_coverage([]))) is None
    assert judge_event(tags, watched(coverage=read_coverage([span(at(10))]))) is None
    # An update of an endpoint may take an hour: a look before that proves nothing.
    swap = make_candidate(event(at(9, 30)))
    soon, later = judge_event(swap, watched(last=at(10, 29))), judge_event(swap, watched(last=at(10, 30)))
    assert soon is not None
    assert later is not None
    assert (soon.verdict, later.verdict) == (PENDING, WITHOUT_EFFECT)


def test_an_event_without_effect_may_have_been_approved() -> None:
    made = judge_event(make_candidate(event(at(9, 30))), watched(), (approval(fields=("EndpointConfigName",)),))
    assert made is not None
    assert (made.verdict, made.approvals) == (WITHOUT_EFFECT, ("a-1",))


def test_approved_and_never_done() -> None:
    made = judge_approval(approval(), read_coverage([span()]), at(13))
    assert made is not None
    assert (made.verdict, made.subject, made.about) == (NOT_DONE, "approval", "a-1")
    assert judge_approval(approval(), read_coverage([span()]), at(11, 15)) is None
    assert judge_approval(approval(), read_coverage([span(until=at(11))]), at(13)) is None
    assert judge_approval(approval(), read_coverage([span(), span(at(9), at(9, 1), why="x")]), at(13)) is None
    assert judge_approval(approval(), read_coverage([]), at(13)) is None


# Time.


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (at(8, 58), UNEXPLAINED),  # exactly at since - skew: that was before
        (at(8, 58, 0, 1), UNAPPROVED),
        (at(10), UNAPPROVED),  # exactly at until
        (at(10, 2), UNAPPROVED),  # the clock of the trail may be as fast
        (at(10, 2, 0, 1), UNEXPLAINED),
    ],
)
def test_the_first_and_the_last_moment_at_which_an_event_counts(time: str, expected: str) -> None:
    tag = Edit("add", ("tags", "team"), None, "risk")
    tagging = event(time, "AddTags", {"tags": [{"key": "team", "value": "risk"}]})
    assert verdict(change(tag), tagging) == expected


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (at(8), at(8, 58), UNEXPLAINED),  # it ends where the interval begins
        (at(8), at(8, 58, 0, 1), NOT_OBSERVABLE),
        (at(10, 0, 0, 1), at(11), UNEXPLAINED),  # it begins after it
        (at(10), at(11), NOT_OBSERVABLE),
        (at(9, 30), at(9, 30, 0, 1), NOT_OBSERVABLE),
        (at(9, 30), at(9, 30), UNEXPLAINED),  # of no length
    ],
)
def test_a_hole_that_touches_the_interval(since: str, until: str, expected: str) -> None:
    assert verdict(change(SWAP), spans=(span(), span(since, until, why="log_deleted"))) == expected


def test_the_service_itself_fills_a_hole_of_the_files_and_other_files_do_not() -> None:
    hole = span(at(9), at(10), why="log_deleted")
    assert verdict(change(SWAP), spans=(span(), hole, span(at(8), at(11), proof="api"))) == UNEXPLAINED
    for proof in ("digest", "none"):
        assert verdict(change(SWAP), spans=(span(), hole, span(at(8), at(11), proof=proof))) == NOT_OBSERVABLE


def test_what_could_not_be_read_is_no_hole_where_digests_vouch_for_it() -> None:
    refused = replace(span(at(9), at(10), why="refused"), proof="none")
    assert verdict(change(SWAP), spans=(span(), refused)) == UNEXPLAINED
    assert verdict(change(SWAP), spans=(span(proof="none"), refused)) == NOT_OBSERVABLE


def test_a_digest_that_comes_late_fills_the_hole_that_it_left() -> None:
    hole = span(at(9), at(10), why="digest_missing")
    around = (span(at(0), at(9)), span(at(10), at(12)))
    assert verdict(change(SWAP), spans=(*around, hole)) == NOT_OBSERVABLE
    assert verdict(change(SWAP), spans=(*around, hole, span(at(9), at(10)))) == UNEXPLAINED
    assert verdict(change(SWAP), spans=(*around, hole, span(at(9), at(10), proof="none"))) == NOT_OBSERVABLE


def test_the_trail_must_reach_beyond_the_last_moment() -> None:
    assert verdict(change(SWAP), spans=(span(until=at(10)),)) == PENDING
    assert verdict(change(SWAP), spans=(span(until=at(10, 0, 0, 1)),)) == UNEXPLAINED


def test_that_nobody_vouches_for_the_files_is_noted() -> None:
    assert any("digests" in note for note in judge_change(change(SWAP), evidence(spans=(span(proof="none"),))).notes)
    assert not judge_change(change(SWAP), evidence()).notes


def test_global_resources_are_covered_where_their_events_are_delivered() -> None:
    trail = Trail([replace(span(), region="us-east-1")])
    role = f"arn:aws:iam::{ACCOUNT}:role/deploy"
    assert trail.of(ACCOUNT, "", role).covers(at(9), at(10))
    assert not trail.of(ACCOUNT, "", role.replace("aws", "aws-cn", 1)).covers(at(9), at(10))
    assert not trail.of(ACCOUNT, REGION).watermark
    bucket = "arn:aws:s3:::models"
    both = Trail([span(), replace(span(), region="us-east-1", until=at(9, 30))])
    assert trail.of(ACCOUNT, "", bucket).covers(at(9), at(10))
    assert both.of(ACCOUNT, "", bucket).covers(at(8), at(9))
    assert not both.of(ACCOUNT, "", bucket).covers(at(9), at(10))
    assert not both.of(ACCOUNT, "", bucket).reaches(at(10))
    assert not Trail([]).of(ACCOUNT, "", bucket).watermark
    assert Trail([replace(span(), region="")]).of(ACCOUNT, REGION).covers(at(9), at(10))


# Which event.


def test_a_slow_update_is_found_before_the_interval_by_what_it_asked_for() -> None:
    slow = event(at(8, 30))
    assert verdict(change(SWAP), slow) == UNAPPROVED
    assert verdict(change(SWAP), event(at(7, 57))) == UNEXPLAINED  # over an hour ago
    other = event(at(8, 30), asked={"endpointConfigName": "scorer-9"})
    assert verdict(change(SWAP), other) == UNEXPLAINED
    variant = Edit("replace", ("ProductionVariants", "all", "CurrentWeight"), "1.0", "2.0")
    assert verdict(change(variant), slow) == UNEXPLAINED  # it only touches that: not enough from so long ago
    assert [each.verdict for each in judge_change(change(SWAP, variant), evidence(slow)).fields] == [UNAPPROVED] * 2
    spent = frozenset({(slow.id, SWAP.path)})
    assert verdict(change(SWAP), slow, spent=spent) == UNEXPLAINED  # it explained that field before


def test_the_last_word_counts_and_who_repeats_it_changes_nothing() -> None:
    back = event(at(9, 40), asked={"endpointConfigName": "scorer-1"})
    assert verdict(change(SWAP), event(at(9, 30)), back) == UNEXPLAINED
    assert verdict(change(SWAP), event(at(9, 50)), back) == UNAPPROVED
    made = judge_change(change(SWAP), evidence(event(at(9, 30)), event(at(9, 50), session="other")))
    assert made.events == (f"UpdateEndpoint-{at(9, 30)}",)
    # In one second, the order is not known: what was asked for and is there was the last.
    same = event(at(9, 30), asked={"endpointConfigName": "scorer-1"}, id="other")
    assert verdict(change(SWAP), event(at(9, 30)), same) == UNAPPROVED


def test_another_value_asked_for_in_the_second_of_the_look_may_have_come_after_it() -> None:
    made, other = scaling(at(9, 30)), scaling(at(10), count=4)
    seen = change(COUNT, until=at(10, micro=300_000))
    assert verdict(seen, made, other) == verdict(seen, made) == UNAPPROVED
    assert verdict(seen, other) == UNEXPLAINED
    before = scaling(at(9, 59, 58), count=4)
    assert verdict(seen, made, before) == UNEXPLAINED


def test_of_several_that_may_have_done_it_the_worst_counts() -> None:
    edit = Edit("replace", ("ProductionVariants", "all", "CurrentWeight"), "1.0", "2.0")
    first, second = event(at(9, 30), principal="eve", session=""), event(at(9, 40))
    made = judge_change(change(edit), evidence(first, second, approvals=(approval(principals=(DEPLOYER,)),)))
    assert made.verdict == UNAPPROVED
    assert set(made.events) == {first.id, second.id}
    assert any("2 calls" in note for note in made.notes)


def test_an_update_that_was_rolled_back_touches_nothing() -> None:
    edit = Edit("replace", ("ProductionVariants", "all", "CurrentWeight"), "1.0", "2.0")
    update = event(at(9, 30))
    assert verdict(change(edit), update, after={"EndpointConfigName": "scorer-2"}) == UNAPPROVED
    assert verdict(change(edit), update, after={"EndpointConfigName": "scorer-1"}) == UNEXPLAINED


def test_failed_read_only_and_amended_events_explain_nothing() -> None:
    for more in ({"error": "ValidationException"}, {"read_only": True}):
        assert verdict(change(SWAP), event(at(9, 30), **more)) == UNEXPLAINED
    wrong = event(at(9, 30), asked={"endpointConfigName": "scorer-7"}, id="first")
    right = event(at(9, 30), id="second", amends="first")
    for order in itertools.permutations((wrong, right)):
        assert verdict(change(SWAP), *order) == UNAPPROVED
    for order in itertools.permutations(
        (replace(right, id="first", amends=""), replace(wrong, id="x", amends="first"))
    ):
        assert verdict(change(SWAP), *order) == UNEXPLAINED


def test_of_several_amendments_of_one_event_the_last_holds() -> None:
    first = event(at(9, 30))
    other = {"endpointName": "scorer", "endpointConfigName": "scorer-3"}
    agrees = event(at(9, 30, 1), id="a", amends=first.id)
    denies = event(at(9, 30, 2), id="b", amends=first.id, asked=other)
    for order in itertools.permutations((first, agrees, denies)):
        assert verdict(change(SWAP), *order) == UNEXPLAINED
    later = replace(agrees, time=at(9, 30, 3))
    for order in itertools.permutations((first, later, denies)):
        assert verdict(change(SWAP), *order) == UNAPPROVED


def test_what_is_only_claimed_takes_the_place_of_no_other_word() -> None:
    """Whoever may send to a bus can say that he corrects a call, or that an allowed one is behind that of a stack."""
    real = event(at(9, 30), principal="eve", session="")
    allowed = approval(principals=(DEPLOYER,))
    forged = replace(event(at(9, 30)), id="forged", amends=real.id, claimed=True)
    for said in (forged, replace(forged, error="x"), replace(forged, id=real.id, amends="")):
        for order, spans in itertools.product(itertools.permutations((real, said)), ((span(),), ())):
            made = judge_change(change(SWAP), evidence(*order, approvals=(allowed,), spans=spans))
            assert (made.verdict, made.events, made.notes) == (UNAPPROVED, (real.id,), ())
    # A correction of the trail holds, whatever claims to correct that.
    right = event(at(9, 30), id="right", amends=real.id)
    last = replace(forged, id="last", time=at(9, 31), amends="right")
    for order in itertools.permutations((real, right, replace(forged, time=at(9, 32)), last)):
        assert judge_change(change(SWAP), evidence(*order)).events == ("right",)


@pytest.mark.parametrize("minute", [20, 30, 40])
def test_who_is_on_record_did_it_whatever_is_claimed_beside(minute: int) -> None:
    """Where the trail is not whole, a call that is only claimed explains something, but not in another one's place."""
    said: dict[str, Any] = {"id": "claimed", "claimed": True}
    allowed = approval(principals=(DEPLOYER,))
    other = {"endpointName": "scorer", "endpointConfigName": "scorer-3"}
    for asked in (None, other):
        claims = [event(at(9, minute), asked=asked, **said)]
        real = event(at(9, 30), principal="eve", session="")
        made = judge_change(change(SWAP), evidence(real, *claims, approvals=(allowed,), spans=()))
        assert (made.verdict, made.events) == (UNAPPROVED, (real.id,))
        slow = event(at(8, 30), principal="eve", session="")
        made = judge_change(change(SWAP), evidence(slow, *claims, approvals=(allowed,), spans=()))
        assert (made.verdict, made.events) == (UNAPPROVED, (slow.id,))
    for name, kind in (("CreateEndpoint", "created"), ("DeleteEndpoint", "deleted")):
        real = event(at(9, 30), name, principal="eve", session="")
        claim = event(at(9, minute), name, **said)
        made = judge_change(change(kind=kind), evidence(real, claim, approvals=(allowed,), spans=()))
        assert (made.verdict, made.events) == (UNAPPROVED, (real.id,))
    real = event(at(9, 30), "CreateEndpoint")
    claim = event(at(9, 40), principal="eve", session="", **said)
    made = judge_change(change(kind="created"), evidence(real, claim, approvals=(allowed,), spans=()))
    assert (made.verdict, made.events) == (APPROVED, (real.id,))


def test_a_move_of_a_stack_that_is_only_claimed_counts_where_nothing_else_is_known() -> None:
    inner = event(at(9, 30), via="cloudformation.amazonaws.com", session="AWSCloudFormation", principal="x")
    true = make_candidate(stack_move(at(9, 20), id="true", principal="eve"))
    forged = make_candidate(stack_move(at(9, 25), id="forged", claimed=True))
    allowed = approval(principals=("ana",))
    for moves, spans, expected in (
        ((forged,), (span(),), (UNAPPROVED, (inner.id,))),
        ((forged, true), (span(),), (APPROVED, ("true", inner.id))),
        ((forged, true), (), (APPROVED, ("true", inner.id))),
        ((forged,), (), (APPROVED, ("forged", inner.id))),
    ):
        known = {"stack_events": moves, "stacks": frozenset({STACK}), "spans": spans}
        made = judge_change(change(SWAP), evidence(inner, approvals=(allowed,), **known))
        assert (made.verdict, made.events) == expected
        assert any("only claimed" in each for each in made.notes) == ("forged" in made.events)


def test_that_a_service_did_it_may_be_claimed_and_is_noted() -> None:
    said = {"principal": SCALING, "session": "s", "via": "application-autoscaling.amazonaws.com", "claimed": True}
    issuer = {"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": SCALING_ARN}}}}
    made = judge_change(change(COUNT), evidence(scaling(at(9, 30), record=issuer, **said), spans=()))
    assert made.verdict == MANAGED
    assert any("only claimed" in each for each in made.notes)


def test_what_is_only_claimed_has_tried_nothing_that_was_allowed() -> None:
    for claimed, expected in ((False, ("a-1",)), (True, ())):
        made = judge_event(make_candidate(event(at(9, 30), claimed=claimed)), watched(), (approval(),))
        assert made is not None
        assert (made.verdict, made.approvals) == (WITHOUT_EFFECT, expected)


def test_an_approval_may_name_the_call_of_the_stack_or_the_call_that_the_stack_made() -> None:
    inner = event(at(9, 30), via="cloudformation.amazonaws.com", session="AWSCloudFormation", principal="x")
    known = {"stack_events": [make_candidate(stack_move(at(9, 20)))], "stacks": frozenset({STACK})}
    for actions, expected in {
        ("ExecuteChangeSet",): APPROVED, ("sagemaker:UpdateEndpoint",): APPROVED, ("CreateStack",): UNAPPROVED,
    }.items():  # fmt: skip
        assert verdict(change(SWAP), inner, approvals=(approval(actions=actions),), **known) == expected


def test_approvals_are_found_by_name_pattern_and_time_and_those_of_the_week_are_told_of() -> None:
    exact, pattern = approval(), approval(id="a-2", resources=("*:endpoint/sc*",))
    held = Approvals([exact, pattern, approval(id="a-3", resources=(f"{ENDPOINT}2",))])

    def found(since: str | None, until: str) -> list[str]:
        return [each.id for each in held.about(ENDPOINT, "AWS::SageMaker::Endpoint", since, until)]

    week = 7 * 86400
    assert found(at(9), at(10)) == found(None, at(10)) == ["a-1", "a-2"]
    assert found(shift(exact.not_after, week), shift(exact.not_after, 2 * week)) == ["a-1", "a-2"]
    assert found(shift(exact.not_after, week + 1), shift(exact.not_after, 2 * week)) == []
    assert found("2026-02-01T00:00:00.000000Z", shift(exact.not_before, -week)) == ["a-1", "a-2"]
    assert found("2026-02-01T00:00:00.000000Z", shift(exact.not_before, -week - 1)) == []


def test_creation_and_deletion() -> None:
    create = event(at(9, 30), "CreateEndpoint")
    made = judge_change(change(kind="created", before=None), evidence(create, approvals=(approval(),)))
    assert (made.verdict, [each.path for each in made.fields]) == (APPROVED, [()])
    assert verdict(change(kind="deleted", after=None), create) == UNEXPLAINED
    assert verdict(change(kind="deleted", after=None), event(at(9, 30), "DeleteEndpoint")) == UNAPPROVED
    config = event(at(9, 30), "CreateEndpointConfig")
    assert verdict(change(kind="created", before=None), config) == UNEXPLAINED  # another thing, though it names this
    # What somebody changed before it was first seen is part of the creation, and is judged with it.
    fix = event(at(9, 40), principal="eve", session="")
    made = judge_change(
        change(kind="created", before=None), evidence(create, fix, approvals=(approval(principals=(DEPLOYER,)),))
    )
    assert made.verdict == UNAPPROVED
    assert [each.verdict for each in made.fields] == [APPROVED, UNAPPROVED]
    at_once = replace(fix, time=create.time)  # trails count seconds
    allowed = approval(principals=(DEPLOYER,))
    assert verdict(change(kind="created", before=None), create, at_once, approvals=(allowed,)) == UNAPPROVED


# Approvals.


@pytest.mark.parametrize(
    ("more", "expected", "note"),
    [
        ({}, APPROVED, ""),
        ({"not_after": at(9, 30)}, APPROVED, ""),  # its ends belong to the window
        ({"not_before": at(9, 30)}, APPROVED, ""),
        ({"not_after": at(9, 29)}, UNAPPROVED, "had ended"),
        ({"not_before": at(9, 31)}, UNAPPROVED, "began only"),
        ({"decided": at(9, 30)}, APPROVED, ""),
        ({"decided": at(9, 31)}, UNAPPROVED, "decided only"),
        ({"decided": at(9, 31), "retroactive": True}, APPROVED, "approved after the fact"),
        ({"approver": "Ana@Bank.Example "}, UNAPPROVED, "asked for it"),
        ({"approver": "build-7"}, UNAPPROVED, "four eyes"),
        ({"approver": DEPLOYER}, UNAPPROVED, "four eyes"),
        ({"approver": "DEPLOY"}, UNAPPROVED, "four eyes"),
        ({"approver": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build-7"}, UNAPPROVED, "four eyes"),
        ({"approver": DEPLOYER.replace("role/", "role/ci/")}, UNAPPROVED, "four eyes"),
        ({"approver": "mailto:Build-7"}, UNAPPROVED, "four eyes"),
        ({"approver": "build\u200b-7"}, UNAPPROVED, "four eyes"),  # a sign that nobody sees
        ({"approver": "build-70"}, APPROVED, ""),
        ({"approver": "user/ana@bank.example"}, UNAPPROVED, "who asked for it"),
        ({"resources": ("*:endpoint/sc*",)}, APPROVED, ""),
        ({"resources": ("Scorer",)}, APPROVED, ""),  # SageMaker's names do not differ in capitals
        ({"resources": ("AWS::SageMaker::Endpoint/scorer",)}, APPROVED, ""),
        ({"resources": ("score",)}, UNAPPROVED, ""),
        ({"resources": (), "types": ("AWS::SageMaker::*",)}, APPROVED, ""),
        ({"resources": (), "types": ("AWS::SageMaker::Model",)}, UNAPPROVED, ""),
        ({"fields": ("EndpointConfigName",)}, APPROVED, ""),
        ({"fields": ("ProductionVariants",)}, UNAPPROVED, ""),
        ({"actions": ("UpdateEndpoint",)}, APPROVED, ""),
        ({"actions": ("sagemaker:Update*",)}, APPROVED, ""),
        ({"actions": ("DeleteEndpoint", "codebuild:*")}, UNAPPROVED, ""),
        ({"principals": ("build-?",)}, APPROVED, "only by what the session calls itself"),
        ({"principals": ("build-?", "deploy")}, APPROVED, ""),
        ({"principals": (DEPLOYER.replace("role/", "role/ci/"),)}, APPROVED, ""),  # a key has no path
        ({"principals": (f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build-7",)}, APPROVED, ""),
        ({"principals": (f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/build-8",)}, UNAPPROVED, ""),
        ({"principals": ("deploy/build-7",)}, APPROVED, ""),
        ({"principals": ("*role/other",)}, UNAPPROVED, ""),
    ],
)
def test_what_an_approval_covers(more: dict[str, Any], expected: str, note: str) -> None:
    made = judge_change(change(SWAP), evidence(event(at(9, 30)), approvals=(approval(**more),)))
    assert made.verdict == expected
    assert note in " ".join(made.notes)
    assert bool(note) == bool(made.notes)


def test_an_approval_of_one_field_leaves_the_other() -> None:
    edits = (SWAP, Edit("replace", ("ProductionVariants", "all", "CurrentWeight"), "1.0", "2.0"))
    made = judge_change(change(*edits), evidence(event(at(9, 30)), approvals=(approval(fields=("Prod*",)),)))
    assert [each.verdict for each in made.fields] == [UNAPPROVED, APPROVED]
    assert made.verdict == UNAPPROVED


def test_the_worst_field_is_the_verdict_of_the_change() -> None:
    order = [UNEXPLAINED, NOT_OBSERVABLE, PENDING, UNAPPROVED, MANAGED, APPROVED]
    for one, other in itertools.combinations(order, 2):
        assert worst([other, one]) == worst([one, other]) == one
    assert set(order) < set(VERDICTS)


# CloudFormation acts for somebody.


def stack_move(time: str, **more: Any) -> ApiEvent:
    said = {"principal": "arn:aws:iam::1:role/Engineer", "session": "ana", "targets": (STACK,), **more}
    name = said.pop("name", "ExecuteChangeSet")
    return event(time, name, {"stackName": "serving"}, service="cloudformation.amazonaws.com", **said)


def test_a_stack_acts_for_whoever_changed_it() -> None:
    made_by = {"principal": "arn:aws:iam::1:role/cfn-exec", "session": "AWSCloudFormation"}
    inner = event(at(9, 30), via="cloudformation.amazonaws.com", **made_by)
    moves = [make_candidate(each) for each in (stack_move(at(8)), stack_move(at(9, 25), id="move"))]
    allowed = approval(principals=("ana",), resources=(STACK,))
    known = {"stack_events": moves, "stacks": frozenset({STACK})}
    made = judge_change(change(SWAP), evidence(inner, approvals=(allowed,), **known))
    assert (made.verdict, made.events) == (APPROVED, ("move", inner.id))
    assert made.principals == ("arn:aws:iam::1:role/Engineer (ana)",)
    # Without the stack's event it is the service role that acted, and that is said.
    alone = judge_change(change(SWAP), evidence(inner, approvals=(allowed,)))
    assert alone.verdict == UNAPPROVED
    assert any("CloudFormation" in note for note in alone.notes)
    # Four eyes hold for the one who changed the stack.
    own = judge_change(change(SWAP), evidence(inner, approvals=(replace(allowed, approver="Ana"),), **known))
    assert own.verdict == UNAPPROVED
    # Nobody else has CloudFormation act under a move that is not theirs, nor by calling themselves CloudFormation.
    other = replace(inner, principal="arn:aws:iam::1:role/Eve", session="eve")
    assert judge_change(change(SWAP), evidence(other, approvals=(allowed,), **known)).verdict == UNAPPROVED
    eve = {"record": {"userAgent": "cloudformation.amazonaws.com", "sourceIPAddress": "203.0.113.9"}}
    alias = event(at(9, 30), principal="arn:aws:iam::1:role/Eve", session="AWSCloudFormation", **eve)
    made = judge_change(change(SWAP), evidence(alias, approvals=(allowed,), **known))
    assert (made.verdict, made.principals) == (UNAPPROVED, ("arn:aws:iam::1:role/Eve (AWSCloudFormation)",))
    owner = replace(inner, principal="arn:aws:iam::1:role/Engineer", session="ana")
    assert judge_change(change(SWAP), evidence(owner, approvals=(allowed,), **known)).verdict == APPROVED
    # Where no owner is known, the last move of the same session.
    session = event(
        at(9, 30), via="cloudformation.amazonaws.com", principal="arn:aws:iam::1:role/Engineer", session="ana"
    )
    assert judge_change(change(SWAP), evidence(session, stack_events=moves)).events == ("move", session.id)


def test_of_the_moves_of_a_stack_the_last_that_succeeded_before_the_call_counts_at_its_own_time() -> None:
    inner = event(at(9, 30), via="cloudformation.amazonaws.com", session="AWSCloudFormation", principal="x")
    allowed = approval(principals=("ana",), resources=(STACK,), not_after=at(9, 10))
    first = stack_move(at(9, 5), id="first")
    others = (
        stack_move(at(9, 20), id="failed", session="eve", error="ValidationError"),
        stack_move(at(9, 25), id="no-move", session="eve", name="SetStackPolicy"),
        stack_move(at(9, 31), id="later", session="eve"),
    )
    moves = [make_candidate(each) for each in (first, *others)]
    known = {"stack_events": moves, "stacks": frozenset({STACK}), "approvals": (allowed,)}
    made = judge_change(change(SWAP), evidence(inner, **known))
    assert (made.verdict, made.events) == (APPROVED, ("first", inner.id))


# The same evidence, the same judgement.


def test_order_and_repetition_of_the_evidence_make_no_difference() -> None:
    events = [event(at(9, 30)), event(at(9, 40), "AddTags", {}), scaling(at(9, 50))]
    spans = (span(), span(at(3), at(4), why="x"), span(at(8), at(11), proof="api"))
    approvals = (approval(), approval(id="a-2", actions=(WEIGHTS,)))
    told = {
        judge_change(change(SWAP, COUNT), evidence(*one, *one[:1], approvals=approvals, spans=other)).inputs
        for one in itertools.permutations(events)
        for other in itertools.permutations(spans)
    }
    assert len(told) == 1


def test_inputs_say_what_a_judgement_rests_on_and_nothing_else() -> None:
    base = judge_change(change(SWAP), evidence(event(at(9, 30))))
    later = judge_change(change(SWAP), evidence(event(at(9, 30)), now=at(23), spans=(span(at(1), at(20)),)))
    far = judge_change(change(SWAP), evidence(event(at(9, 30)), event(at(11, 30))))
    assert base == later == far
    others = [
        evidence(event(at(9, 31))),
        evidence(event(at(9, 30)), approvals=(approval(),)),
        evidence(event(at(9, 30)), spans=(span(), span(at(9), at(9, 1), why="x"))),
        evidence(event(at(9, 30), session="another")),
        evidence(event(at(9, 30)), skew=60),
    ]
    assert len({judge_change(change(SWAP), each).inputs for each in others} | {base.inputs}) == 6
    waiting = [judge_change(change(SWAP), evidence(*each, now=at(10))) for each in ((), (event(at(9, 30)),))]
    assert waiting[0] == waiting[1]
