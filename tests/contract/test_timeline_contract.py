"""Timelines, the estate, what changed in it, and what a watcher tells: the same on every database."""

from collections.abc import Iterator

import pytest
from places import Place

from estate_world import World, day, key, serve
from lineal.app.estate import Filter, configuration_of, estate
from lineal.app.estate_diff import diff_estate
from lineal.app.explain import explain
from lineal.app.session import Session
from lineal.app.watch_news import read_news
from lineal.catalog import project
from lineal.catalog.graph import NOW, Moment
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.event_type import DEPLOYED
from lineal.core.observation import Node
from lineal.ledger.log import Ledger
from lineal.objects.store import ObjectStore


@pytest.fixture
def world(place: Place, ledger: Ledger) -> Iterator[World]:
    catalog = place.connect_catalog()
    project.prepare(catalog)
    with Session(place.open(), catalog, ObjectStore(place.home.objects_folder), "tester") as session:
        made = World(session)
        made.looked(*(day(n) for n in range(1, 12)))
        made.trail("2026-02-27T00:00:00.000000Z", day(12))
        serve(made)
        asked = {"endpointName": "scorer", "endpointConfigName": "c2"}
        made.event("UpdateEndpoint", day(9, 23), key("Endpoint", "scorer"), record={"requestParameters": asked})
        explain(session, now=day(12))
        yield made


def test_a_timeline_joins_the_graph_and_resources(world: World) -> None:
    digest, run = Digest.of(b"r"), "run:deploy-1"
    arn = key("Endpoint", "scorer")
    revision = Node(ref="endpoint:scorer@1", basis="observed", version="1", digest=digest, aliases=(arn,))
    edges = (Edge(run, "endpoint:scorer@1", "deployed"),)
    world.say(DEPLOYED, day(2), nodes=(revision, Node(ref=run, basis="observed")), edges=edges)
    end = Moment(time=day(12))
    rows = world.rows("endpoint:scorer", moment=end)
    assert rows == world.rows(arn, moment=end)
    told = [(row.kind, row.name, row.verdict) for row in rows if row.depth == 0 and row.kind != "gap"]
    assert told == [
        ("deployment", "endpoint:scorer@1", None),
        ("change", "scorer", "UNEXPLAINED"),
        ("event", "scorer", None),
        ("change", "scorer", "ATTRIBUTED_UNAPPROVED"),
    ]
    assert {thing.name for thing in world.ask(arn).things if thing.depth == 1} == {"c1", "c2"}
    assert len(world.rows(arn, limit=2)) == 2


def test_the_estate_and_what_changed_in_it(world: World) -> None:
    names = [each.item.resource.name for each in estate(world.session, Moment(time=day(5))).resources]
    assert names == [f"risk@{Digest.of(b'1')}", "scorer", "c1", "m1", "risk/1"]
    named = configuration_of(world.session, "AWS::SageMaker::ModelPackage/risk/1", NOW)
    assert named is not None
    found = diff_estate(world.session, day(5), day(11), wanted=Filter(types=("AWS::SageMaker::Endpoint*",)))
    assert [(each.what, each.resource.name) for each in found.resources] == [("changed", "scorer"), ("created", "c2")]
    judged = found.resources[0].steps[0].judgement
    assert judged is not None
    assert judged.verdict == "ATTRIBUTED_UNAPPROVED"


def test_news_are_what_was_concluded_since(world: World) -> None:
    size = world.session.ledger.reader.size()
    words = {news.word for news in read_news(world.session, 0, size)}
    assert words == {"UNEXPLAINED", "ATTRIBUTED_UNAPPROVED"}
    assert read_news(world.session, size, size) == []
