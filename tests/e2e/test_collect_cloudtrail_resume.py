"""A first look at a trail that is stopped, at any commit and in any way: the next one goes on where it stood."""

import gzip
import json
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from commandline import LINEAL, make_place
from test_collect_cloudtrail import BUCKET, World, at, codes, plant, planted, world

from lineal.app import collect, trail_batch, trail_lookup
from lineal.app.collect_cloudtrail import CollectedTrail, TrailRequest, collect_trail
from lineal.app.erase import erase
from lineal.app.session import Session
from lineal.change.watermark import Trail
from lineal.errors import SourceError
from lineal.sources import aws_session, cloudtrail_lookup, cloudtrail_s3
from lineal.wiring import Settings, create, open_session
from servers.cloud_delivery import put, remove
from servers.cloud_people import person
from servers.moto import ACCOUNT, REGION

DIE = """
import os, signal, sys
from lineal.app import collect, trail_batch
from lineal.app.session import Session
from lineal.cli.main import run

trail_batch.MOST, collect._STEP = 5, 1
say_all = Session.say_all
left = [3]

def say(self, observations, append=None):
    done = say_all(self, observations, append)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

Session.say_all = say
run(sys.argv[1:])
"""


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


@dataclass
class Reading:
    """Counts what is fetched of log files; ends a look after so many commits, or fetches."""

    logs: Counter[str] = field(default_factory=Counter)
    commits: int = 0
    die_after: int = 0
    expire_after: int = 0

    def reset(self, *, die_after: int = 0, expire_after: int = 0) -> None:
        self.logs.clear()
        self.commits, self.die_after, self.expire_after = 0, die_after, expire_after


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """Give a trail of nine hours; tests make ledgers of their own."""
    with world(tmp_path / "trail") as made:
        made.pass_hours(9)
        yield made


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    """Record a few events, and after a few files that they were read, at a time."""
    made = Reading()
    ask, say_all = aws_session.ask, Session.say_all

    def count(client: Any, operation: str, **wanted: Any) -> Any:
        if operation == "GetObject" and "/CloudTrail/" in wanted["Key"]:
            if made.expire_after and sum(made.logs.values()) >= made.expire_after:
                raise SourceError("GetObject: the credentials have expired (ExpiredToken)")
            made.logs[wanted["Key"]] += 1
        return ask(client, operation, **wanted)

    def say(self: Session, observations: Any, append: Any = None) -> Any:
        done = say_all(self, observations, append)
        made.commits += 1
        if made.commits == made.die_after:
            raise Killed
        return done

    monkeypatch.setattr(cloudtrail_s3, "ask", count)
    monkeypatch.setattr(Session, "say_all", say)
    monkeypatch.setattr(trail_batch, "MOST", 5)
    monkeypatch.setattr(trail_batch, "_MOST_READ", 2)
    monkeypatch.setattr(collect, "_STEP", 1)
    return made


@contextmanager
def ledger(folder: Path) -> Iterator[Session]:
    create(Settings(), folder, "lineal.test/again")
    with open_session(Settings(ledger=str(folder / ".lineal"), actor="watcher")) as session:
        yield session


def look(session: Session, **options: Any) -> CollectedTrail:
    return collect_trail(session, f"s3://{BUCKET}", TrailRequest(**options))


def stopped(session: Session, **options: Any) -> None:
    with pytest.raises(Killed):
        look(session, **options)


def told(session: Session) -> Any:
    """Return what a catalog says of API events and of the trail."""
    found = session.configuration
    covered = Trail(found.trail())
    spans = [covered.of(ACCOUNT, each) for each in (REGION, "us-east-1")]
    return sorted(each.id for each in found.events_between(reads=True)), spans


def covered(session: Session, done: CollectedTrail) -> dict[str, Any]:
    """Return from where the next look goes on."""
    detail = session.catalog.resolve(done.collected.run).detail["covered"]
    return {name: detail[name] for name in ("regions", "chains", "stopped", "retry")}


def held(session: Session) -> set[str]:
    """Return the names of the files that are on record whole."""
    found: set[str] = set()
    for idx, _ in session.configuration.told_after(-1):
        body = json.loads(session.ledger.reader.entry(idx).body or b"")
        found |= {name for name, each in body["data"]["origin"]["files"].items() if each.get("whole")}
    return found


def names(reading: Reading) -> set[str]:
    assert set(reading.logs.values()) <= {1}, "no file is read twice"
    return {each.rpartition("/")[2] for each in reading.logs}


def test_a_look_that_was_killed_at_any_commit_goes_on_where_it_stood(
    here: World, reading: Reading, tmp_path: Path
) -> None:
    with ledger(tmp_path / "whole") as session:
        done = look(session)
        everything, expected, state = names(reading), told(session), covered(session, done)
        assert not done.collected.gaps
        assert {each.proof for each in done.trail} == {"digest"}
    commits = reading.commits
    assert commits > 4
    seen = set()
    for number in range(1, commits):
        with ledger(tmp_path / str(number)) as session:
            reading.reset(die_after=number)
            stopped(session)
            known = held(session)
            seen.add(len(known))
            reading.reset()
            again = look(session)
            assert names(reading) == everything - known, "what is on record whole is not read again"
            assert again.counts.get("files_held", 0) == len(known)
            assert (told(session), covered(session, again), again.collected.gaps) == (expected, state, ())
            reading.reset()
            assert (look(session).counts.get("recorded", 0), names(reading)) == (0, set())
    assert len(seen) > 3, "it was stopped with more and more on record"


def test_a_look_that_is_killed_again_and_again_comes_to_its_end(here: World, reading: Reading, tmp_path: Path) -> None:
    with ledger(tmp_path / "once") as session:
        look(session)
        everything, expected = len(names(reading)), told(session)
    with ledger(tmp_path / "often") as session:
        for _ in range(50):
            reading.reset(die_after=2)
            try:
                look(session)
            except Killed:
                assert reading.logs
                continue
            break
        else:
            raise AssertionError("it never ended")
        assert told(session) == expected
        assert len(held(session)) <= everything


def test_credentials_that_expire_lose_nothing_that_was_read(here: World, reading: Reading, tmp_path: Path) -> None:
    with ledger(tmp_path) as session:
        reading.reset(expire_after=5)
        with pytest.raises(SourceError, match="expired"):
            look(session)
        known = held(session)
        assert len(known) == 4, "that in which logging was switched on is read again: it tells of a hole, or its end"
        reading.reset()
        done = look(session)
        assert not names(reading) & known
        assert not done.collected.gaps
        assert done.counts["files_held"] == 4


def test_another_look_than_the_one_that_was_stopped_reads_for_itself(
    here: World, reading: Reading, tmp_path: Path
) -> None:
    with ledger(tmp_path) as session:
        reading.reset(die_after=4)
        stopped(session)
        reading.reset()
        assert "files_held" not in look(session, regions=(REGION,)).counts, "another scope"
        assert "files_held" not in look(session, reads=True).counts, "what only reads was left out then"
        reading.reset()
        look(session, since=at(8))
        assert len(names(reading)) > 5, "a look that came to its end ends what was held: --since reads again"


def test_a_look_that_keeps_reads_goes_on_and_serves_one_that_does_not(
    here: World, reading: Reading, tmp_path: Path
) -> None:
    with ledger(tmp_path) as session:
        reading.reset(die_after=4)
        stopped(session, reads=True, since=at(8))
        known = held(session)
        reading.reset()
        assert look(session, since=at(8)).counts["files_held"] == len(known)


def test_what_was_altered_or_deleted_meanwhile_is_found(here: World, reading: Reading, tmp_path: Path) -> None:
    files = [each for each in here.trail.delivery().files if any(r["eventName"] == "CreateModel" for r in each.records)]
    with ledger(tmp_path) as session:
        reading.reset(die_after=3)
        stopped(session)
        known = held(session)
        gone = next(each for each in files if each.key.rpartition("/")[2] in known)
        altered = next(each for each in files if each.key.rpartition("/")[2] not in known)
        try:
            remove(BUCKET, gone.key)
            put(BUCKET, altered.key, gzip.compress(json.dumps({"Records": [*altered.records[:-1], {}]}).encode()))
            done = look(session)
        finally:
            for each in (gone, altered):
                put(BUCKET, each.key, gzip.compress(each.content))
    assert {(each.code, each.about) for each in done.collected.gaps} == {
        ("cloudtrail.log_deleted", gone.key), ("cloudtrail.log_altered", altered.key)
    }  # fmt: skip
    holes = [each.why for each in done.trail if each.missing]
    assert holes == ["log_altered"], "what the other one held is on record, and is what its digest names"


def test_a_file_that_was_planted_before_its_digest_is_noticed_by_it_when_the_look_goes_on(
    reading: Reading, tmp_path: Path
) -> None:
    with world(tmp_path) as here:
        here.pass_hours(3)
        here.trail.advance(minutes=30)
        plant(here, "20261001T1131Z", at(11, 29))
        while True:
            reading.reset(die_after=1)
            try:
                here.look()
            except Killed:
                if planted(here):
                    break
                continue
            raise AssertionError("it was not stopped after the planted one")
        here.pass_hours(2)
        reading.reset()
        assert codes(here.look()) == {"cloudtrail.log_unnamed"}
        assert not here.look().collected.gaps, "it is told once"


def test_switches_and_what_is_said_at_the_end_are_not_lost(reading: Reading, tmp_path: Path) -> None:
    with world(tmp_path) as here:
        here.pass_hours(2)
        client = here.trail.client("cloudtrail", person("eve"))
        client.stop_logging(Name="main")
        here.trail.advance(minutes=70)
        client.start_logging(Name="main")
        here.pass_hours(2)
        file = here.trail.delivery().files[0]
        delivered = f"{file.delivered:%Y%m%dT%H%M}"
        twin = {**file.records[0], "eventName": "DeleteModel"}
        name = f"{ACCOUNT}_CloudTrail_{REGION}_{delivered}Z_00000000000000aa.json.gz"
        content = json.dumps({"Records": [twin, 7, {**twin, "eventID": "odd", "eventVersion": "2.0"}]}).encode()
        put(BUCKET, f"{file.key.rpartition('/')[0]}/{name}", gzip.compress(content))
        with ledger(tmp_path / "whole") as session:
            reading.reset()
            gaps, expected = set(look(session, digests=False).collected.gaps), told(session)
        assert {each.code for each in gaps} == {
            "events.contradictory", "cloudtrail.record_broken", "cloudtrail.version_unknown",
            "cloudtrail.logging_stopped",
        }  # fmt: skip
        for number in range(1, reading.commits):
            with ledger(tmp_path / str(number)) as session:
                reading.reset(die_after=number)
                stopped(session, digests=False)
                reading.reset()
                assert (set(look(session, digests=False).collected.gaps), told(session)) == (gaps, expected)


def test_a_process_that_is_killed_in_the_middle_goes_on(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    logs = place.folder / "logs"
    logs.mkdir()
    for number in range(30):
        record = {
            "eventVersion": "1.11", "eventTime": f"2026-10-01T09:{number:02}:00Z", "awsRegion": REGION,
            "eventSource": "sagemaker.amazonaws.com", "eventName": "DeleteModel", "eventID": f"e-{number}",
            "recipientAccountId": ACCOUNT, "requestParameters": {"modelName": f"m-{number}"},
        }  # fmt: skip
        name = f"{ACCOUNT}_CloudTrail_{REGION}_20261001T09{number:02}Z_0123456789abcdef.json.gz"
        (logs / name).write_bytes(gzip.compress(json.dumps({"Records": [record]}).encode()))
    script = place.script("die.py", DIE)
    dead = place.do(LINEAL[0], script, "collect", "cloudtrail", "logs")
    assert dead.status == -signal.SIGKILL, dead.err
    done = place.lineal("collect", "cloudtrail", "logs", "--json")
    assert done.status == 0, done.err
    counts = done.json()["counts"]
    assert (counts["files_held"] + counts["files"], counts["files_held"] + counts["recorded"]) == (30, 30)
    assert counts["files_held"] in range(1, 30)
    assert place.within("verify").status == 0


def test_where_events_were_erased_everything_is_read_again(here: World, reading: Reading, tmp_path: Path) -> None:
    with ledger(tmp_path) as session:
        reading.reset(die_after=4)
        stopped(session)
        entry = session.configuration.told_after(-1)[1][0]
        erase(session, [entry], "asked for")
        reading.reset()
        assert "files_held" not in look(session).counts


def test_files_in_which_nothing_is_kept_are_not_read_again_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(450):
        record = {
            "eventVersion": "1.11", "eventTime": f"2026-10-01T09:{number % 60:02}:00Z", "awsRegion": REGION,
            "eventSource": "sagemaker.amazonaws.com", "eventName": "ListModels", "eventID": f"e-{number}",
            "recipientAccountId": ACCOUNT, "readOnly": True,
        }  # fmt: skip
        name = f"{ACCOUNT}_CloudTrail_{REGION}_20261001T1000Z_{number:016}.json"
        (logs / name).write_text(json.dumps({"Records": [record]}))
    made = Reading(die_after=2)
    say_all = Session.say_all

    def say(self: Session, observations: Any, append: Any = None) -> Any:
        done = say_all(self, observations, append)
        made.commits += 1
        if made.commits == made.die_after:
            raise Killed
        return done

    monkeypatch.setattr(Session, "say_all", say)
    with ledger(tmp_path) as session:
        with pytest.raises(Killed):
            collect_trail(session, str(logs))
        done = collect_trail(session, str(logs))
        assert (done.counts["files_held"], done.counts["files"], done.counts["kept"]) == (400, 50, 0)
        assert [(each.proof, each.missing) for each in done.trail] == [("none", False)]


def test_the_event_history_goes_on_after_the_last_whole_span(
    here: World, reading: Reading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail_lookup, "KEPT_DAYS", 1)
    monkeypatch.setattr(trail_lookup, "_PAGES_AT_ONCE", 3)
    monkeypatch.setattr(trail_lookup, "PAGE", 3)
    monkeypatch.setattr(cloudtrail_lookup, "PAGE", 3)  # the newest has two hours: six at once
    asked: list[tuple[str, str]] = []
    look_up = trail_lookup.look_up

    def count(client: Any, since: str, until: str, *rest: Any) -> Any:
        asked.append((since, until))
        return look_up(client, since, until, *rest)

    monkeypatch.setattr(trail_lookup, "look_up", count)

    def history(session: Session) -> list[CollectedTrail]:
        asked.clear()
        done = trail_lookup.collect_lookup(session, TrailRequest(regions=(REGION,)), sleep=lambda _: None)
        del asked[0]  # how much there is
        return done

    with ledger(tmp_path / "whole") as session:
        done = history(session)
        whole, expected = list(asked), told(session)
        assert len(whole) == len(done) == 4
        assert [each.trail[0].until for each in done[:-1]] == [each.trail[0].since for each in done[1:]]
    commits = reading.commits
    seen = set()
    for number in range(1, commits):
        with ledger(tmp_path / str(number)) as session:
            reading.reset(die_after=number)
            with pytest.raises(Killed):
                history(session)
            begun = len(asked) - 1
            reading.reset()
            history(session)
            assert asked[-1] == whole[-1]
            assert asked == whole[-len(asked) :]
            assert begun + len(asked) in (len(whole), len(whole) + 1), "one span at the most is asked for again"
            assert told(session) == expected
            seen.add(len(asked))
    assert len(seen) > 2
