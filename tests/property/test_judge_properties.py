"""What holds of every judgement, whatever the evidence: it is deterministic, and more evidence never says less."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.change.agreement import agrees
from lineal.change.judge import judge_change
from lineal.change.judge_evidence import Evidence, current, make_candidate
from lineal.change.permission import Approvals, is_about
from lineal.change.watermark import Coverage, read_coverage
from lineal.core import timestamp
from lineal.core.api_event import ApiEvent
from lineal.core.change import (
    APPROVED,
    MANAGED,
    NOT_OBSERVABLE,
    PENDING,
    UNAPPROVED,
    UNEXPLAINED,
    Change,
    ChangeApproval,
    Edit,
)
from lineal.core.coverage import TrailSpan

ACCOUNT, REGION, KIND = "123456789012", "eu-west-1", "AWS::CodeBuild::Project"
PROJECT = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/p"
FIELDS = ("description", "timeoutInMinutes", "queuedTimeoutInMinutes")
BASE = datetime(2026, 3, 3, tzinfo=UTC)
SINCE, UNTIL, SKEW = 3600, 7200, 120
STRONG = {APPROVED: 0, MANAGED: 0, UNAPPROVED: 1}


def at(seconds: float) -> str:
    return timestamp.spell(BASE + timedelta(seconds=seconds))


SECONDS = st.integers(0, 12000)


@st.composite
def events(draw: st.DrawFn) -> ApiEvent:
    asked = draw(st.dictionaries(st.sampled_from(FIELDS), st.integers(0, 2), min_size=1))
    return ApiEvent(
        id=draw(st.uuids()).hex,
        time=at(draw(SECONDS)),
        service="codebuild.amazonaws.com",
        name=draw(st.sampled_from(["UpdateProject", "UpdateProjectVisibility", "StartBuild", "BatchGetProjects"])),
        account=ACCOUNT,
        region=REGION,
        principal=draw(st.sampled_from(["deploy", "eve"])),
        error=draw(st.sampled_from(["", "", "AccessDenied"])),
        read_only=draw(st.booleans()) and draw(st.booleans()),
        targets=(PROJECT,),
        record={"requestParameters": {"name": "p", **asked}},
    )


@st.composite
def spans(draw: st.DrawFn) -> TrailSpan:
    began = draw(SECONDS)
    missing = draw(st.booleans())
    return TrailSpan(
        account=ACCOUNT, region=REGION, since=at(began), until=at(began + draw(st.integers(0, 9000))),
        proof=draw(st.sampled_from(["digest", "none", "api"])), missing=missing, why="log_deleted" if missing else "",
    )  # fmt: skip


@st.composite
def approvals(draw: st.DrawFn) -> ChangeApproval:
    began = draw(SECONDS)
    return ChangeApproval(
        id=draw(st.uuids()).hex, resources=draw(st.sampled_from([(), (PROJECT,), ("p",), ("other",), ("*",)])),
        fields=draw(st.sampled_from([(), ("description",)])), principals=draw(st.sampled_from([(), ("deploy",)])),
        not_before=at(began), not_after=at(began + draw(st.integers(1, 9000))), decided=at(draw(SECONDS)),
        approver=draw(st.sampled_from(["cab", "deploy"])), retroactive=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def changes(draw: st.DrawFn) -> Change:
    names = draw(st.sets(st.sampled_from(FIELDS), min_size=1))
    edits = tuple(Edit("replace", (name,), -1, draw(st.integers(0, 2))) for name in sorted(names))
    return Change(
        id="c", resource=PROJECT, type=KIND, account=ACCOUNT, region=REGION, kind="updated", since=at(SINCE),
        until=at(UNTIL), before="a", after="b", edits=edits,
    )  # fmt: skip


WHOLE = TrailSpan(account=ACCOUNT, region=REGION, since=at(-9e6), until=at(9e6), proof="digest")


def evidence(told: list[ApiEvent], allowed: list[ChangeApproval], covered: list[TrailSpan], **more: Any) -> Evidence:
    said: dict[str, Any] = {"now": at(90000), **more}
    return Evidence(
        events=[make_candidate(each) for each in told], approvals=allowed, coverage=read_coverage(covered), **said
    )


EVENTS, SPANS, APPROVALS = (
    st.lists(events(), max_size=6),
    st.lists(spans(), max_size=5),
    st.lists(approvals(), max_size=3),
)


@settings(max_examples=50)
@given(changes(), EVENTS, APPROVALS, SPANS, st.randoms(use_true_random=False))
def test_the_same_evidence_in_any_order_gives_the_same_judgement(
    change: Change, told: list[ApiEvent], allowed: list[ChangeApproval], covered: list[TrailSpan], dice: Any
) -> None:
    first = judge_change(change, evidence(told, allowed, covered))
    shuffled, tickets, holes = [*told, *told[:2]], list(allowed), list(covered)
    for each in (shuffled, tickets, holes):
        dice.shuffle(each)
    assert judge_change(change, evidence(shuffled, tickets, holes)) == first


@settings(max_examples=50)
@given(changes(), EVENTS, APPROVALS, SPANS, events(), st.sampled_from(["time", "reads", "failed", "other"]))
def test_an_event_that_has_nothing_to_do_with_it_changes_no_verdict(
    change: Change,
    told: list[ApiEvent],
    allowed: list[ChangeApproval],
    covered: list[TrailSpan],
    more: ApiEvent,
    how: str,
) -> None:
    unrelated = {
        "time": replace(more, time=at(UNTIL + SKEW + 1)),
        "reads": replace(more, read_only=True),
        "failed": replace(more, error="Throttled"),
        "other": replace(more, record={"requestParameters": {"name": "p", "serviceRole": "x"}}),
    }[how]
    before = judge_change(change, evidence(told, allowed, covered))
    after = judge_change(change, evidence([*told, unrelated], allowed, covered))
    assert (after.verdict, after.fields) == (before.verdict, before.fields)


@settings(max_examples=50)
@given(changes(), EVENTS, APPROVALS)
def test_without_the_events_that_explain_it_nothing_explains_it(
    change: Change, told: list[ApiEvent], allowed: list[ChangeApproval]
) -> None:
    left = told
    while True:
        made = judge_change(change, evidence(left, allowed, [WHOLE]))
        if not made.events:
            break
        left = [each for each in left if each.id not in made.events]
    assert {each.verdict for each in made.fields} == {UNEXPLAINED}


@settings(max_examples=50)
@given(changes(), EVENTS, APPROVALS, SPANS, spans())
def test_a_hole_never_makes_anything_unexplained(
    change: Change, told: list[ApiEvent], allowed: list[ChangeApproval], covered: list[TrailSpan], more: TrailSpan
) -> None:
    hole = replace(more, missing=True, why="log_deleted", proof="digest", until=min(more.until, at(UNTIL)))
    before = judge_change(change, evidence(told, allowed, covered))
    after = judge_change(change, evidence(told, allowed, [*covered, hole]))
    if before.verdict != PENDING and read_coverage(covered).watermark:
        pairs = [(one.verdict, other.verdict) for one, other in zip(before.fields, after.fields, strict=True)]
        assert all(one == other or (one, other) == (UNEXPLAINED, NOT_OBSERVABLE) for one, other in pairs)
    overlaps = hole.since < at(UNTIL) and hole.until > at(SINCE - SKEW) and hole.since < hole.until
    if overlaps and not any(each.proof == "api" and not each.missing for each in covered):
        assert after.verdict != UNEXPLAINED


@settings(max_examples=50)
@given(changes(), EVENTS, APPROVALS, SPANS, spans())
def test_more_of_the_trail_only_ever_settles_things(
    change: Change, told: list[ApiEvent], allowed: list[ChangeApproval], covered: list[TrailSpan], more: TrailSpan
) -> None:
    seen = replace(more, missing=False, why="")
    before = judge_change(change, evidence(told, allowed, covered))
    after = judge_change(change, evidence(told, allowed, [*covered, seen]))
    for one, other in zip(before.fields, after.fields, strict=True):
        known = one.verdict in STRONG
        collected = before.verdict != PENDING and read_coverage(covered).watermark
        assert other.verdict == one.verdict if known and collected else True
        if one.verdict == UNEXPLAINED:
            assert other.verdict == UNEXPLAINED


@settings(max_examples=50)
@given(changes(), EVENTS, APPROVALS, approvals())
def test_another_approval_takes_no_approval_away(
    change: Change, told: list[ApiEvent], allowed: list[ChangeApproval], more: ChangeApproval
) -> None:
    before = judge_change(change, evidence(told, allowed, [WHOLE]))
    after = judge_change(change, evidence(told, [*allowed, more], [WHOLE]))
    for one, other in zip(before.fields, after.fields, strict=True):
        assert (one.verdict, other.verdict) == (UNAPPROVED, APPROVED) or one.verdict == other.verdict


@settings(max_examples=50)
@given(changes(), EVENTS, st.integers(0, 3000))
def test_what_was_pending_is_settled_by_time_alone(change: Change, told: list[ApiEvent], seconds: int) -> None:
    made = judge_change(change, evidence(told, [], [WHOLE], now=at(UNTIL + seconds)))
    assert (made.verdict == PENDING) is (seconds < 900)
    if seconds >= 900:
        assert made == judge_change(change, evidence(told, [], [WHOLE]))


@given(SPANS, SECONDS, st.integers(0, 5000))
def test_coverage_against_a_naive_twin(given_spans: list[TrailSpan], since: int, length: int) -> None:
    made = read_coverage(given_spans)
    began, ended = at(since), at(since + length)

    def covered(moment: str) -> bool:
        def has(each: TrailSpan) -> bool:
            return each.since <= moment < each.until

        # Who has the last word, the strongest first.
        words = (("api", False), ("digest", True), ("api", True), ("digest", False), ("none", True), ("none", False))
        said = [(each.proof, each.missing) for each in given_spans if has(each)]
        return next((not missing for proof, missing in words if (proof, missing) in said), False)

    edges = {began, ended} | {each for span in given_spans for each in (span.since, span.until)}
    inside = [each for each in edges if began <= each <= ended]
    assert made.covers(began, ended) is all(covered(each) for each in inside)
    holes = made.holes(began, ended)
    assert (not holes) is made.covers(began, ended)
    assert all(began <= each.since < each.until <= timestamp.next_after(ended) for each in holes)
    assert made.watermark == max((each.until for each in given_spans if each.since < each.until), default="")
    assert made.proves(began, ended) <= made.covers(began, ended)
    assert isinstance(made, Coverage)


@given(st.lists(events(), max_size=8), st.data())
def test_of_events_that_amend_others_the_last_holds(told: list[ApiEvent], data: st.DataObject) -> None:
    amending = [each for each in told if data.draw(st.booleans())]
    chained = told + [replace(each, id=f"x{each.id}", amends=each.id) for each in amending]
    made = current(make_candidate(each) for each in chained)
    ids = [each.event.id for each in made]
    assert len(ids) == len(set(ids)) == len({each.id for each in told})
    amended = {each.amends for each in chained} - {""}
    assert not amended & set(ids)
    assert [each.event.time for each in made] == sorted(each.event.time for each in made)


@given(st.lists(approvals(), max_size=8), SECONDS, st.integers(0, 5000))
def test_approvals_are_found_as_by_looking_at_all_of_them(
    given_approvals: list[ChangeApproval], since: int, length: int
) -> None:
    found = Approvals(given_approvals).about(PROJECT, KIND, at(since), at(since + length))
    assert {each.id for each in found} == {each.id for each in given_approvals if is_about(each, PROJECT, KIND)}
    assert [(each.decided, each.id) for each in found] == sorted((each.decided, each.id) for each in found)
    assert not Approvals(given_approvals).about(PROJECT, KIND, at(9e6), at(9e6 + 1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab{[1", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abC", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_values_of_any_shape_can_be_compared(asked: Any, seen: Any) -> None:
    assert isinstance(agrees(asked, seen), bool)
    keys = [key.lower() for key in seen] if isinstance(seen, dict) else []
    if len(keys) == len(set(keys)):
        assert agrees(seen, seen) or "C" in str(seen) or isinstance(seen, list | dict)
