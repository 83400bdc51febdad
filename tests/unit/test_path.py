"""Spelling of byte paths and of moments."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core import path, timestamp
from lineal.errors import BadRef, BadTime


@given(st.binary())
def test_every_path_reads_back_from_its_spelling(raw: bytes) -> None:
    text = path.spell(raw)
    assert path.unspell(text) == raw
    assert not any(char in text for char in "@\n\0 ")
    text.encode("utf-8")


@given(st.text())
def test_only_the_one_spelling_is_read(text: str) -> None:
    try:
        raw = path.unspell(text)
    except BadRef:
        return
    assert path.spell(raw) == text


def test_moments_spell_alike_whatever_their_zone() -> None:
    moment = datetime(2026, 3, 3, 14, 5, tzinfo=UTC)
    assert timestamp.spell(moment) == "2026-03-03T14:05:00.000000Z"
    assert timestamp.spell(moment.astimezone(timezone(timedelta(hours=5)))) == timestamp.spell(moment)
    with pytest.raises(BadTime):
        timestamp.spell(datetime(2026, 3, 3))  # noqa: DTZ001  # the missing zone is the point


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("2026-03-03", "2026-03-03T00:00:00.000000Z"),
        ("2026-03-03 14:05", "2026-03-03T14:05:00.000000Z"),
        ("2026-03-03T14:05:00+02:00", "2026-03-03T12:05:00.000000Z"),
        ("2h ago", "2026-03-03T08:00:00.000000Z"),
        ("now", "2026-03-03T10:00:00.000000Z"),
    ],
)
def test_moments_are_read_as_people_write_them(text: str, spelled: str) -> None:
    assert timestamp.read(text, datetime(2026, 3, 3, 10, tzinfo=UTC)) == spelled


@pytest.mark.parametrize("text", ["", "yesterday-ish", "2026-13-01", "99999999999999w ago", "12"])
def test_other_texts_are_no_moments(text: str) -> None:
    with pytest.raises(BadTime):
        timestamp.read(text, datetime(2026, 3, 3, 10, tzinfo=UTC))
