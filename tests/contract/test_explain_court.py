"""Judging in several processes says what one process says, and goes on whatever becomes of them."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread, active_count
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_explain_contract import NAMES, at, key, looked, passing, session, tell

from lineal.app import explain_court
from lineal.app.api_record import observe_events
from lineal.app.explain import Explained, explain
from lineal.app.explain_court import Court, judge_all
from lineal.app.explain_evidence import Looks, read_stacks
from lineal.app.explain_outcome import read, spell
from lineal.app.explain_work import Grounds, Outcome
from lineal.app.session import Session
from lineal.change.permission import Approvals
from lineal.change.watermark import Trail
from lineal.core.change import Change, Edit, FieldJudgement, Judgement
from lineal.core.resource import Resource
from lineal.errors import StoreError

__all__ = ["session"]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
RESOURCES = st.builds(Resource, TEXT, TEXT, TEXT, TEXT, TEXT)
EDITS = st.builds(Edit, TEXT, TEXTS, VALUES, VALUES, st.none() | st.integers(0, 9))
CHANGES = st.builds(
    Change, id=TEXT, resource=TEXT, type=TEXT, account=TEXT, region=TEXT, kind=TEXT, since=st.none() | TEXT, until=TEXT,
    before=st.none() | TEXT, after=st.none() | TEXT, edits=st.lists(EDITS, max_size=3).map(tuple),
)  # fmt: skip
FIELDS = st.builds(FieldJudgement, path=TEXTS, verdict=TEXT, event=TEXT, approval=TEXT)
JUDGEMENTS = st.builds(
    Judgement, about=TEXT, subject=TEXT, resource=TEXT, verdict=TEXT, why=TEXT, since=st.none() | TEXT, until=TEXT,
    fields=st.lists(FIELDS, max_size=3).map(tuple), events=TEXTS, approvals=TEXTS, principals=TEXTS, inputs=TEXT,
    rules=TEXT, notes=TEXTS,
)  # fmt: skip
OUTCOMES = st.builds(
    Outcome,
    RESOURCES,
    st.integers(0),
    st.integers(0),
    st.lists(CHANGES, max_size=2),
    st.lists(JUDGEMENTS, max_size=2),
    st.dictionaries(TEXT, st.integers(0, 1), max_size=2),
    st.dictionaries(TEXT, JUDGEMENTS, max_size=2),
    st.sets(TEXT, max_size=2),
)


@given(OUTCOMES)
def test_an_outcome_arrives_as_it_was_sent(outcome: Outcome) -> None:
    (found,) = read(spell([outcome]))
    assert found == outcome
    # Also what comparing leaves out, and whether 1 is true; a set has no order.
    assert repr(replace(found, used=set())) == repr(replace(outcome, used=set()))


@pytest.fixture
def several() -> Iterator[None]:
    """Judge a few resources by three processes."""
    with (
        patch.object(explain_court, "_BLOCK", 2),
        patch.object(explain_court, "_LEAST", 1),
        patch.object(explain_court, "_processors", lambda: 3),
        patch.object(explain_court.threading, "active_count", lambda: 1),  # what runs tests has threads of its own
    ):
        yield


def told(found: Explained) -> list[object]:
    return [
        [each.describe() for each in found.judgements],
        found.changes, found.resources, found.events, found.failed, found.trail,
    ]  # fmt: skip


def prepare(session: Session) -> None:
    tell(session)
    looked(session, *observe_events(passing("gone", 4, 5), "t", {}), hours=(3, 6))


def test_several_processes_say_what_one_says(session: Session, several: None) -> None:
    prepare(session)
    shared = explain(session, now=at(20), record=False)
    with patch.object(explain_court, "_processors", lambda: 1):
        alone = explain(session, now=at(20), record=False)
    assert told(shared) == told(alone)
    assert len(shared.changes) == len(NAMES)
    assert explain(session, now=at(20)).recorded == len(shared.judgements)
    assert explain(session, now=at(20)).recorded == 0


def court(session: Session) -> Court:
    asked = session.configuration
    grounds = Grounds(
        now=at(20), settle=0, skew=0, trail=Trail(asked.trail()), approvals=Approvals([]),
        stacks=read_stacks(asked.database),
    )  # fmt: skip
    return Court(asked.database, Looks(asked.looks()), grounds)


def test_the_work_is_done_elsewhere(session: Session, several: None) -> None:
    prepare(session)
    keys = sorted(map(key, NAMES))
    mine, judge = os.getpid(), Court.judge

    def not_here(court: Court, block: Sequence[str]) -> list[Outcome]:
        assert os.getpid() != mine
        return judge(court, block)

    with patch.object(Court, "judge", not_here):
        assert len(list(judge_all(court(session), keys))) == len(keys)


@pytest.mark.parametrize("sent", [b"", b"\x07", b"\x09" + b"\0" * 7 + b"[]"])
def test_what_a_process_does_not_send_is_judged_here(session: Session, several: None, sent: bytes) -> None:
    prepare(session)
    keys = sorted(map(key, NAMES))
    expected = list(judge_all(court(session), keys))
    whole = explain_court._judge_share

    def stumble(court: Court, blocks: Sequence[Sequence[str]], writer: int) -> None:
        whole(court, blocks[:1], os.dup(writer))
        os.write(writer, sent)
        os.kill(os.getpid(), signal.SIGKILL)

    with patch.object(explain_court, "_judge_share", stumble):
        assert list(judge_all(court(session), keys)) == expected


def test_an_error_of_the_catalog_is_told_here(session: Session, several: None) -> None:
    prepare(session)
    with patch.object(Court, "judge", side_effect=StoreError("no such catalog", fix="none")), pytest.raises(StoreError):
        list(judge_all(court(session), sorted(map(key, NAMES))))


def test_with_another_thread_about_nothing_is_shared_out(session: Session, several: None) -> None:
    prepare(session)
    over = Event()
    other = Thread(target=over.wait)
    other.start()
    try:
        with (
            patch.object(explain_court.threading, "active_count", active_count),
            patch.object(os, "fork", side_effect=AssertionError("forked")),
        ):
            assert list(judge_all(court(session), sorted(map(key, NAMES))))
    finally:
        over.set()
        other.join()


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_processes_end_with_the_one_that_began_them(session: Session, several: None) -> None:
    """Killed, it says nothing to them: they notice that nobody reads any more."""
    prepare(session)
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            session.catalog_database.leave_to_parent()
            with patch.object(Court, "judge", lambda *_: [Outcome(Resource("", "", "", "x" * 4096, ""), 0)] * 400):
                blocks = [[str(number)] for number in range(1000)]
                shares = explain_court._share_out(court(session), blocks)
                os.write(writer, " ".join(str(each._process) for each in shares).encode())
                time.sleep(600)
        finally:
            os._exit(1)
    processes = [int(each) for each in os.read(reader, 1000).split()]
    assert len(processes) == 3
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    while any(map(alive, processes)):  # as long as it takes: a hang is a failure
        time.sleep(0.05)
