"""A session: a chain of statements, whoever speaks at the same time and whatever its clock says."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from kit import LOG, make_home, open_at
from lineal.app.session import Session
from lineal.catalog.project import prepare
from lineal.core.event import Event, statement_digest
from lineal.core.observation import Observation
from lineal.errors import BadInput, ClaimTaken, ReadOnlyStore, Refused, StoreUnavailable, TooLarge
from lineal.ledger.commit import Receipt
from lineal.ledger.commit import prepare as prepare_event
from lineal.ledger.database import Database
from lineal.ledger.home import Home
from lineal.ledger.spool import Spool
from lineal.ledger.verify import verify_ledger
from lineal.objects.store import ObjectStore

LATER = "2030-01-01T00:00:00.000000Z"
EARLIER = "2029-12-31T23:59:59.999999Z"


def session_at(home: Home, clock: str | None = None, producer: str | None = None) -> Session:
    ledger = open_at(home) if clock is None else open_at(home, lambda: clock)
    catalog = Database.sqlite(home.catalog_file, create=True, durable=False)
    prepare(catalog)
    return Session(ledger, catalog, ObjectStore(home.objects_folder), "tester", producer)


@pytest.fixture
def session(home: Home) -> Iterator[Session]:
    with session_at(home, producer="p") as opened:
        yield opened


def said(number: int, *, claims: tuple[str, ...] = (), data: object = None) -> Observation:
    return Observation(
        type="test.said/1",
        time="2026-01-01T00:00:00.000000Z",
        actor="tester",
        basis="claimed",
        data={"n": number, "more": data},
        claims=claims,
    )


def chain(session: Session) -> list[dict[str, object]]:
    statements = [entry.checked()[0] for entry in session.ledger.reader.entries()]
    return [each for each in statements if each["producer"] == session.producer]


def assert_chained(statements: list[dict[str, object]]) -> None:
    assert [each["seq"] for each in statements] == list(range(len(statements)))
    assert statements[0]["prev"] is None
    for one, two in pairwise(statements):
        assert two["prev"] == statement_digest(one)


def test_statements_are_numbered_and_chained(session: Session) -> None:
    session.say(said(0))
    session.say_all([said(1), said(2), said(3)])
    assert session.say_all([]) == []
    session.say(said(4))
    statements = chain(session)
    assert_chained(statements)
    assert len(statements) == 5
    assert {each["log"] for each in statements} == {LOG}


def test_threads_that_share_a_session_make_one_chain(session: Session) -> None:
    threads = [threading.Thread(target=lambda n=n: session.say_all([said(n), said(n)])) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_chained(chain(session))
    assert len(chain(session)) == 16


def test_what_is_refused_leaves_the_session_as_it_was(session: Session, home: Home) -> None:
    session.say(said(0, claims=("name",)))
    with session_at(home) as other, pytest.raises(ClaimTaken):
        other.say(said(0, claims=("name",)))
    for refused, error in (
        (said(1, claims=("name",)), ClaimTaken),
        (said(1, data="x" * (16 << 20)), TooLarge),
        (said(1, claims=("x" * 33_000,)), TooLarge),
        (said(1, claims=("twice", "twice")), BadInput),
    ):
        with pytest.raises(error):
            session.say_all([said(1), refused])
    session.say(said(1))
    assert_chained(chain(session))
    assert len(chain(session)) == 2, "all of a call or nothing of it"


def test_a_claim_that_is_lost_is_made_again_with_the_next_number(session: Session, home: Home) -> None:
    tried: list[int] = []

    def make() -> Observation:
        tried.append(len(tried) + 1)
        return said(0, claims=(f"x@{tried[-1]}",))

    with session_at(home) as other:
        other.say(said(0, claims=("x@1",)))
        other.say(said(0, claims=("x@2",)))
    receipt = session.say_numbered(make)
    assert receipt is not None
    assert tried == [1, 2, 3]
    with pytest.raises(ClaimTaken):
        session.say_numbered(lambda: said(0, claims=("x@3",)))


def test_a_clock_that_went_back_is_a_gap_once(home: Home) -> None:
    with session_at(home, LATER) as session:
        session.say(said(0))
    with session_at(home, EARLIER) as session:
        session.say_all([said(1), said(2)])
        session.say(said(3))
        entries = session.catalog.events(limit=3)
        gaps = session.catalog.gaps([entry["idx"] for entry in entries])
        assert [gap["code"] for gap in gaps] == ["clock.went_back"]
        assert EARLIER in gaps[0]["explanation"]
        assert {entry["said"] for entry in entries} == {EARLIER}
        assert {entry["taken"] for entry in entries} == {LATER}, "the log's own time never goes back"


def test_a_clock_that_goes_on_is_no_gap(session: Session) -> None:
    session.say(said(0))
    assert session.catalog.gaps([0, 1]) == []


RACER = """
import sys
from pathlib import Path
from lineal.app.snapshot import snapshot
from lineal.wiring import Settings, open_session
folder = Path(sys.argv[1])
with open_session(Settings(ledger=str(folder), actor="t")) as session:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(3):
        file = folder / f"{sys.argv[2]}-{number}"
        file.write_text(f"{sys.argv[2]} {number}")
        print(snapshot(session, "dataset:d", file, keep=False).version.version, flush=True)
"""


def test_numbers_are_dense_among_processes(tmp_path: Path) -> None:
    make_home(tmp_path / ".lineal").check()
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(4)
    ]  # fmt: skip
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    numbers: list[int] = []
    for racer in racers:
        out, _ = racer.communicate(timeout=900)
        assert racer.returncode == 0
        numbers.extend(map(int, out.split()))
    assert sorted(numbers) == list(range(1, 13))


def test_a_ledger_without_its_key_says_which_file_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_home(tmp_path / ".lineal")
    home.private_key_file.unlink()
    with open_at(home) as ledger, pytest.raises(ReadOnlyStore, match=r"log\.skey is not there"):
        ledger.append([])


def test_forked_processes_go_on_as_producers_of_their_own(home: Home) -> None:
    with session_at(home) as session:
        session.say(said(0))
        children = []
        for child in range(3):
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    for number in range(4):
                        session.say(said(number))
                        session.catch_up()
                    status = 0
                finally:
                    os._exit(status)
            children.append((child, pid))
        for number in range(1, 5):
            session.say(said(number))
        assert [os.waitpid(pid, 0)[1] for _, pid in children] == [0, 0, 0]
        events = session.catalog.events()
        told = [event["producer"] for event in events if event["producer"] != "ledger"]
        assert sorted(told.count(producer) for producer in set(told)) == [4, 4, 4, 5]
        assert [finding for finding in verify_ledger(session.ledger) if finding.failed] == []


def test_a_key_that_others_can_read_still_lets_the_ledger_be_read(home: Home) -> None:
    home.private_key_file.chmod(0o644)
    with open_at(home) as ledger:
        assert ledger.reader.size() == 1
        with pytest.raises(Refused, match="open to others"):
            ledger.append([])


def test_a_spool_file_that_cannot_be_removed_costs_nothing(
    home: Home, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session_at(home, producer="other") as other:
        spool = other.ledger._writer._spool  # type: ignore[union-attr]
        group = [prepare_event(event, other.ledger.origin) for event in other._make([said(0)])]
        left = spool._leave(group)  # type: ignore[union-attr]
    monkeypatch.setattr(Path, "unlink", _refuse)
    first = session.say(said(1))
    second = session.say(said(2))
    monkeypatch.undo()
    assert left.exists()
    assert (second.idx, session.ledger.reader.size()) == (first.idx + 2, first.idx + 3)


def _refuse(_file: Path, missing_ok: bool = False) -> None:
    raise PermissionError(13, "refused")


def test_a_stopped_holder_of_the_lock_is_not_waited_for_for_ever(home: Home, session: Session) -> None:
    spool = session.ledger._writer._spool  # type: ignore[union-attr]
    spool.patience = 0.1  # type: ignore[union-attr]
    with Spool(home.spool_folder).holding([]):
        with pytest.raises(StoreUnavailable, match="kept the writers' lock"):
            session.say(said(1))
        assert list(home.spool_folder.glob("*.batch")) == []
    assert session.say(said(1)).new


def test_after_an_unknown_outcome_the_session_speaks_on_as_a_new_producer(home: Home) -> None:
    with session_at(home) as session:
        session.say(said(0))
        before = session.producer

        def record_and_fail(events: Sequence[Event]) -> list[Receipt]:
            session.ledger.append(events)
            raise StoreUnavailable("the answer was lost")

        with pytest.raises(StoreUnavailable, match="answer was lost"):
            session.say_all([said(1)], record_and_fail)
        assert session.producer != before
        assert session.say(said(2)).idx == 3
        assert [finding for finding in verify_ledger(session.ledger) if finding.failed] == []
