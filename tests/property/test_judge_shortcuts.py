"""What the judge takes a short way to, held against the long one: names, patterns, order, spans, approvals."""

import re
import unicodedata
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from lineal.change.caller import last_word, names_of_caller, person
from lineal.change.effects import fits as fits_field
from lineal.change.judge_evidence import Candidate, current
from lineal.change.pattern import fits
from lineal.change.permission import Approvals, is_about
from lineal.change.watermark import Coverage
from lineal.core.api_event import ApiEvent
from lineal.core.change import ChangeApproval
from lineal.core.span import Span, merge, overlap
from lineal.core.timestamp import next_after, shift

T0 = "2026-03-03T00:00:00.000000Z"
NAMES = st.text("aAbß/: ()*?[.\u00ad\uff21\t", max_size=6)
SECONDS = st.integers(0, 30)


@given(st.text(max_size=12) | st.text("aA \t\x1c\x1fZ", max_size=8))
@example("\x1cAna \x1f B")
def test_a_name_in_ascii_is_folded_as_any_other(name: str) -> None:
    seen = "".join(each for each in unicodedata.normalize("NFKC", name) if unicodedata.category(each) != "Cf")
    assert person(name) == " ".join(seen.casefold().split())


@given(NAMES, NAMES)
def test_the_names_of_a_caller(principal: str, session: str) -> None:
    short = re.split(r"[/:]", principal)[-1]
    assert last_word(principal) == short
    behind = re.fullmatch(r"(.+) \((.+)\)", session)
    both = (f"{principal}/{session}", f"{short}/{session}") if session else ()
    expected = [principal, short, session, *both, *(behind.groups() if behind else ())]
    assert names_of_caller(principal, session) == tuple(dict.fromkeys(each for each in expected if each))


SHORT = st.lists(st.text("ab*?[", min_size=1, max_size=2), max_size=3)


@given(SHORT, SHORT)
@example(["a?", "b*"], ["ab"])
def test_patterns_without_wildcards_are_names(patterns: list[str], names: list[str]) -> None:
    def read(pattern: str) -> str:
        return "".join({"*": ".*", "?": "."}.get(each) or re.escape(each) for each in pattern)

    found = any(re.fullmatch(read(pattern), name, re.DOTALL) for pattern in patterns for name in names)
    assert fits(patterns, iter(names)) is (found or not patterns)


def test_a_condition_of_a_field_is_read_apart_from_its_words() -> None:
    assert fits_field("Tags.{key} if key", ("Tags", "a"), {"key": "a"})
    assert not fits_field("Tags.{key} if key", ("Tags", "b"), {"key": "a"})
    assert not fits_field("Tags.** if key", ("Tags", "b"), {})


@st.composite
def told(draw: st.DrawFn) -> Candidate:
    number, amends = draw(st.integers(0, 5)), draw(st.sampled_from(["", "", "", "e0", "e1", "e5"]))
    event = ApiEvent(
        id=f"e{number}", time=shift(T0, draw(SECONDS)), service="s", name="N", account="", region="", amends=amends
    )
    return Candidate(event, draw(st.sampled_from("ab")))


@given(st.lists(told(), max_size=7), st.booleans())
def test_what_is_in_order_needs_no_ordering(events: list[Candidate], ordered: bool) -> None:
    def order(each: Candidate) -> tuple[str, str]:
        return each.event.time, each.event.id

    given_events = sorted(events, key=order) if ordered else events
    held = {each.event.id: each for each in given_events}
    amended = {each.event.amends for each in held.values() if each.event.amends} & held.keys()
    last: dict[str, Candidate] = {}
    for each in sorted(held.values(), key=order):
        if each.event.id not in amended:
            last[each.event.amends or each.event.id] = each
    assert current(iter(given_events)) == sorted(last.values(), key=order)


@given(st.lists(st.tuples(SECONDS, SECONDS), max_size=6), SECONDS | st.none(), SECONDS)
def test_the_covered_part_of_an_interval(spans: list[tuple[int, int]], since: int | None, until: int) -> None:
    covered = tuple(merge((shift(T0, one), shift(T0, other)) for one, other in spans))
    began, ended = "" if since is None else shift(T0, since), shift(T0, until)
    cut = [overlap(each, (began, next_after(ended))) for each in covered]
    assert Coverage(covered=covered).clip(began, ended) == tuple(each for each in cut if isinstance(each, Span))


KEYS = [("arn:aws:codebuild:eu-west-1:1:project/p", "AWS::CodeBuild::Project"), ("Foo/1/r/q", "Foo")]


@st.composite
def allowed(draw: st.DrawFn, number: int) -> ChangeApproval:
    began = shift(T0, draw(st.integers(-200, 200)) * 86400)
    some: dict[str, Any] = {
        "resources": draw(st.sampled_from([(), ("p",), ("q",), ("*",), (KEYS[0][0], "q")])),
        "types": draw(st.sampled_from([(), ("Foo",), ("AWS::*",)])),
    }
    lasts = draw(st.sampled_from([0, 3600, 40 * 86400, 100 * 86400]))
    return ChangeApproval(
        id=f"a{number}", not_before=began, not_after=shift(began, lasts), decided=shift(T0, draw(SECONDS)),
        approver="cab", **some,
    )  # fmt: skip


@given(st.data(), st.lists(st.tuples(st.sampled_from(KEYS), st.integers(-300, 300), st.integers(0, 90)), max_size=6))
def test_approvals_of_one_resource_after_another(data: st.DataObject, asked: list[tuple[Any, int, int]]) -> None:
    given_approvals = [data.draw(allowed(number)) for number in range(data.draw(st.integers(0, 5)))]
    index = Approvals(given_approvals)
    for (key, kind), day, days in asked:
        since = shift(T0, day * 86400 + 1)
        until, week = shift(since, days * 86400), 7 * 86400
        expected = [
            each
            for each in sorted(given_approvals, key=lambda each: (each.decided, each.id))
            if is_about(each, key, kind)
            and shift(each.not_before, -week) <= until
            and shift(each.not_after, week) >= since
        ]
        assert list(index.about(key, kind, since, until)) == expected
        assert set(expected) <= set(index.about(key, kind, None, until))
