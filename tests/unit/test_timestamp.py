"""Moments: one canonical spelling whose text order is time order, and what people write for them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core import timestamp
from lineal.errors import BadTime

NOW = datetime(2026, 3, 3, 14, 5, 0, 250_000, tzinfo=UTC)
moments = st.datetimes(timezones=st.just(UTC) | st.timezones() | st.just(timezone(timedelta(hours=-12))))


@given(moments, moments)
def test_text_order_is_time_order(one: datetime, two: datetime) -> None:
    try:
        texts = timestamp.spell(one), timestamp.spell(two)
    except OverflowError:  # the first and last hours of the calendar, in another zone
        return
    # In UTC: a local time that a clock change skips equals no moment of another zone (PEP 495).
    moments_in_utc = one.astimezone(UTC), two.astimezone(UTC)
    assert (texts[0] < texts[1]) == (moments_in_utc[0] < moments_in_utc[1])
    for text, moment in zip(texts, moments_in_utc, strict=True):
        assert timestamp.check(text) == text
        assert datetime.fromisoformat(text) == moment
        assert timestamp.read(text, NOW) == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", "2026-03-03T14:05:00.250000Z"),
        (" now ", "2026-03-03T14:05:00.250000Z"),
        ("2026-03-03", "2026-03-03T00:00:00.000000Z"),
        ("2026-03-03 14:05", "2026-03-03T14:05:00.000000Z"),
        ("2026-03-03T14:05:00Z", "2026-03-03T14:05:00.000000Z"),
        ("2026-03-03T14:05:00.5+02:00", "2026-03-03T12:05:00.500000Z"),
        ("2h ago", "2026-03-03T12:05:00.250000Z"),
        ("90 minutes ago", "2026-03-03T12:35:00.250000Z"),
        ("1 week ago", "2026-02-24T14:05:00.250000Z"),
        ("0s ago", "2026-03-03T14:05:00.250000Z"),
    ],
)
def test_what_people_write(text: str, meant: str) -> None:
    assert timestamp.read(text, NOW) == meant


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01", "2026-02-30", "25:00", "2h", "-2h ago", "9" * 30 + "d ago", "9" * 5000 + "s ago",
     "2026-03-03T14:05:00+99:00", "0001-01-01T00:00:00+14:00", "\uff19h ago", "2026-03-03\x00", "\udcff"],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(BadTime):
        timestamp.read(text, NOW)


@pytest.mark.parametrize(
    "text",
    ["2026-03-03T14:05:00Z", "2026-03-03T14:05:00.250Z", "2026-03-03T14:05:00.250000+00:00",
     "2026-03-03t14:05:00.250000z", "2026-03-03T24:00:00.000000Z", "2026-02-29T00:00:00.000000Z",
     "0000-01-01T00:00:00.000000Z", "2026-03-03T14:05:60.000000Z", "\uff12\uff10\uff12\uff16-03-03T14:05:00.250000Z",
     "2026-03-03T14:05:00.250000Z\n", "12026-03-03T14:05:00.250000Z"],
)  # fmt: skip
def test_only_the_canonical_spelling_is_one(text: str) -> None:
    with pytest.raises(BadTime):
        timestamp.check(text)


def test_a_moment_without_a_zone_is_none() -> None:
    with pytest.raises(BadTime):
        timestamp.spell(datetime(2026, 3, 3))  # noqa: DTZ001


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_moment_whose_year_cannot_be_written_in_utc_is_none(text: str) -> None:
    with pytest.raises(BadTime):
        timestamp.spell(datetime.fromisoformat(text))
    with pytest.raises(BadTime):
        timestamp.read(text, datetime.now(UTC))
