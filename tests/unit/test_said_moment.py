"""Moments of requests, as CloudTrail spells them, beside those that a service answers."""

import pytest

from lineal.change.said_moment import is_same_moment


@pytest.mark.parametrize(
    ("asked", "seen", "same"),
    [
        ("Mar 3, 2026 9:00:00 PM", "2026-03-03T21:00:00.000000Z", True),
        ("Mar 3, 2026, 9:00:00 PM", "2026-03-03T21:00:00.000000Z", True),
        ("Mar 3, 2026, 9:00:00\u202fAM", "2026-03-03T09:00:00.000000Z", True),
        ("Mar 3, 2026 12:00:00 AM", "2026-03-03T00:00:00.000000Z", True),
        ("Mar 3, 2026 12:30:00 PM", "2026-03-03T12:30:00.000000Z", True),
        ("2026-03-03T21:00:00Z", "2026-03-03T21:00:00.000000Z", True),
        ("Mar 3, 2026 9:00:01 PM", "2026-03-03T21:00:00.000000Z", False),
        ("Mar 3, 2026 9:00:00 AM", "2026-03-03T21:00:00.000000Z", False),
        ("Foo 3, 2026 9:00:00 AM", "Foo 3, 2026 9:00:00 AM", False),
        ("Feb 31, 2026 9:00:00 AM", "Feb 31, 2026 9:00:00 AM", False),
        ("", "", False),
        ("yesterday", "2026-03-03T21:00:00.000000Z", False),
    ],
)
def test_the_same_moment_in_other_words(asked: str, seen: str, same: bool) -> None:
    assert is_same_moment(asked, seen) is same
    assert is_same_moment(seen, asked) is same


def test_a_request_may_say_less_than_was_seen_and_not_more() -> None:
    assert is_same_moment("Mar 3, 2026, 9:00:00 PM", "2026-03-03T21:00:00.250000Z")
    assert not is_same_moment("2026-03-03T21:00:00.250000Z", "2026-03-03T21:00:00.500000Z")
    assert not is_same_moment("2026-03-03T21:00:00.250000Z", "2026-03-03T21:00:00.000000Z")
