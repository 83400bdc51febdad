"""Collections: what is new goes on record once, with what could not be seen; a failing source loses nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lineal.app.collect import COLLECTED, Collection, collect, last_covered
from lineal.app.session import Session
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Gap, Node, Observation
from lineal.errors import AmbiguousRef, SourceError
from lineal.wiring import Settings, create, open_session

JOB = "run:job-1"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    settings = Settings(ledger=str(tmp_path), actor="ana@bank.example")
    create(settings, tmp_path, None)
    with open_session(settings) as opened:
        yield opened


def _data(number: int, name: str = "raw", *aliases: str) -> Node:
    digest = Digest.of(b"%d" % number)
    return Node(ref=f"dataset:{name}@{digest}", basis="observed", digest=digest, aliases=aliases)


def _job(state: str, *, time: str = "2026-03-01T00:00:00.000000Z", data: Node | None = None) -> Observation:
    read = data or _data(1, "raw", "s3://bucket/raw/")
    return Observation(
        type="job.seen/1",
        time=time,
        actor="aws",
        basis="observed",
        nodes=(Node(ref=JOB, basis="observed", detail={"state": state}), read),
        edges=(Edge(read.ref, JOB, "used"),),
    )


def _of_type(session: Session, name: str) -> int:
    return sum(event["type"] == name for event in session.catalog.events())


def test_what_is_known_is_not_said_again(session: Session) -> None:
    first = collect(session, Collection("jobs", "here"), [_job("InProgress"), _job("Completed")])
    again = collect(session, Collection("jobs", "here"), [_job("InProgress"), _job("Completed")])
    assert (first.seen, first.recorded, again.seen, again.recorded) == (2, 2, 2, 0)
    assert _of_type(session, "job.seen/1") == 2
    assert _of_type(session, COLLECTED) == 2


def test_every_part_that_is_new_makes_an_observation_new(session: Session) -> None:
    later, job = "2026-03-02T00:00:00.000000Z", _job("Completed")
    collect(session, Collection("jobs", "here"), [job])
    run, data = job.nodes
    for changed in (
        replace(job, nodes=(replace(run, detail={"state": "Stopped"}), data), time=later),
        replace(job, nodes=(run, replace(data, aliases=("s3://other/raw/",)))),
        replace(job, nodes=(run, data, _data(2))),
        replace(job, nodes=(replace(run, basis="claimed"), data)),
        replace(job, type="job.other/1"),
        replace(job, edges=(*job.edges, Edge(JOB, _data(3).ref, "generated"))),
    ):
        assert session.catalog.unknown([changed]) == [changed]
    assert session.catalog.unknown([job]) == []


def test_a_state_that_comes_back_is_said_anew(session: Session) -> None:
    times = [f"2026-03-0{day}T00:00:00.000000Z" for day in (1, 2, 3)]
    said = [_job(state, time=time) for state, time in zip(("up", "down", "up"), times, strict=True)]
    for each in said:
        assert collect(session, Collection("jobs", "here"), [each]).recorded == 1
    assert session.catalog.unknown(said) == []
    assert session.catalog.resolve(JOB).detail["state"] == "up"


def test_a_look_at_the_same_state_later_says_nothing(session: Session) -> None:
    collect(session, Collection("jobs", "here"), [_job("up")])
    assert session.catalog.unknown([_job("up", time="2026-03-09T00:00:00.000000Z")]) == []


def test_a_source_that_fails_loses_nothing_and_is_not_complete(session: Session) -> None:
    def source() -> Iterator[Observation | Gap]:
        yield _job("Completed")
        yield Gap("jobs.denied", "no permission to list models")
        raise SourceError("the token has expired")

    collection = Collection("jobs", "here", {"until": "2026-03-01"})
    with pytest.raises(SourceError):
        collect(session, collection, source())
    assert session.catalog.resolve(JOB).detail["state"] == "Completed"
    assert last_covered(session, "jobs", "here") == {}
    made = session.catalog.runs_starting(collection.prefix)[0]
    assert made.detail["state"] == "failed"
    gaps = session.catalog.gaps([made.idx or 0])
    assert [gap["code"] for gap in gaps] == ["jobs.denied", "collection.stopped"]
    assert all(gap["about"] == made.canonical for gap in gaps)


def test_the_next_look_goes_on_from_the_last_complete_one_of_its_own_scope(session: Session) -> None:
    collect(session, Collection("jobs", "here", {"until": "1"}), [])
    collect(session, Collection("jobs", "here", {"until": "2"}), [])
    collect(session, Collection("jobs", "there", {"until": "3"}), [])
    assert last_covered(session, "jobs", "here") == {"until": "2"}
    assert last_covered(session, "models", "here") == {}


def test_very_many_observations_and_gaps(session: Session) -> None:
    moves: list[tuple[int, int]] = []
    gaps = (Gap("jobs.denied", f"job {number}") for number in range(1500))
    jobs = [replace(_job("up"), nodes=(Node(ref=f"run:j-{n}", basis="observed"),), edges=()) for n in range(450)]
    done = collect(session, Collection("jobs", "here"), [*jobs, *gaps], lambda *move: moves.append(move))
    assert (done.seen, done.recorded, len(done.gaps)) == (450, 450, 1001)
    assert done.gaps[-1].explanation == "500 more gaps were met"
    assert moves == [(200, 200), (400, 400), (450, 450)]


def test_a_foreign_name_means_the_latest_version_of_its_artifact(session: Session) -> None:
    uri = "s3://bucket/raw/"
    for number in (1, 2):
        moment = f"2026-03-0{number}T00:00:00.000000Z"
        collect(session, Collection("jobs", "here"), [_job("up", time=moment, data=_data(number, "raw", uri))])
    assert session.catalog.resolve(uri).digest == str(Digest.of(b"2"))
    assert [view.digest for view in session.catalog.with_aliases([uri, "s3://none/"])[uri]] == [
        str(Digest.of(b"2")),
        str(Digest.of(b"1")),
    ]
    collect(session, Collection("jobs", "here"), [_job("up", data=_data(3, "other", uri))])
    with pytest.raises(AmbiguousRef):
        session.catalog.resolve(uri)


def test_an_address_gives_way_to_the_version_that_was_found_there(session: Session) -> None:
    uri = "s3://bucket/raw/"
    address = replace(_data(1, uri.rstrip("/"), uri), detail={"fixed": False})
    collect(session, Collection("jobs", "here"), [_job("up", data=address)])
    assert session.catalog.resolve(uri).canonical == address.ref
    taken = _data(2, "raw", uri)
    collect(session, Collection("jobs", "here"), [_job("up", data=taken)])
    assert session.catalog.resolve(uri).canonical == taken.ref
