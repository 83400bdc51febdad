"""What is known already, and what is known by a foreign name: the same answers from every database."""

from collections.abc import Iterator

import pytest
from places import Place

from kit import Speaker
from lineal.catalog import project
from lineal.catalog.graph import Moment
from lineal.catalog.reader import Catalog
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Node, Observation
from lineal.ledger.database import Database
from lineal.ledger.log import Ledger


@pytest.fixture
def catalog(place: Place, ledger: Ledger) -> Iterator[Database]:
    database = place.connect_catalog()
    project.prepare(database)
    yield database
    database.close()


def _observation(number: int, detail: object = "kept") -> Observation:
    digest = Digest.of(b"%d" % number)
    data = Node(ref=f"dataset:d@{digest}", basis="observed", digest=digest, aliases=("s3://b/d/", f"arn:é:{number}"))
    run = Node(ref=f"run:job-{number}", basis="observed", detail={"é": detail, "rows": 2**53 - 1})
    return Observation(
        type="job.seen/1",
        time=f"2026-03-03T14:05:{number:02}.000000Z",
        actor="aws",
        basis="observed",
        nodes=(run, data),
        edges=(Edge(data.ref, run.ref, "used"),),
    )


def _say(ledger: Ledger, catalog: Database, *said: Observation) -> None:
    speaker = Speaker()
    ledger.append(
        [
            speaker.says(
                type=each.type, time=each.time, actor=each.actor, basis=each.basis, nodes=each.nodes, edges=each.edges
            )
            for each in said
        ]
    )
    project.catch_up(catalog, ledger.reader)


def test_only_what_is_new_is_unknown(ledger: Ledger, catalog: Database) -> None:
    known = [_observation(number) for number in range(40)]
    _say(ledger, catalog, *known)
    new = [_observation(7, "another"), _observation(41), _observation(8, {"nested": ["a", {"b": None}]})]
    assert Catalog(catalog).unknown([*known, *new]) == new
    assert Catalog(catalog).unknown([]) == []


def test_foreign_names_give_every_node_newest_first(ledger: Ledger, catalog: Database) -> None:
    _say(ledger, catalog, *(_observation(number) for number in (1, 3, 2)))
    found = Catalog(catalog).with_aliases(["s3://b/d/", "arn:é:1", "arn:none"])
    assert [view.digest for view in found["s3://b/d/"]] == [str(Digest.of(b"%d" % number)) for number in (3, 2, 1)]
    assert [view.digest for view in found["arn:é:1"]] == [str(Digest.of(b"1"))]
    assert "arn:none" not in found
    then = Catalog(catalog).with_aliases(["s3://b/d/"], Moment(time="2026-03-03T14:05:02.500000Z"))
    assert [view.digest for view in then["s3://b/d/"]] == [str(Digest.of(b"2")), str(Digest.of(b"1"))]


def test_runs_are_found_by_how_they_begin(ledger: Ledger, catalog: Database) -> None:
    _say(ledger, catalog, *(_observation(number) for number in (12, 1, 10)))
    assert [view.ref for view in Catalog(catalog).runs_starting("job-1")] == ["run:job-1", "run:job-10", "run:job-12"]
    assert Catalog(catalog).runs_starting("job-2") == []
