"""What is asked about configuration: the same answers from every database, as of any moment, and from a catalog made
again."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from places import Place

from kit import Speaker
from lineal.catalog import project, tables
from lineal.catalog.configuration import Configuration
from lineal.catalog.graph import Moment
from lineal.core.api_event import RECORDED, ApiEvent
from lineal.core.change import ALLOWED, JUDGED, ChangeApproval, Judgement
from lineal.core.conclusion import CONCLUDED, Conclusion
from lineal.core.config_item import OBSERVED, ConfigItem, Relationship
from lineal.core.coverage import Look, TrailSpan
from lineal.core.event import Event
from lineal.core.resource import make_resource
from lineal.errors import IntegrityError
from lineal.ledger import tables as ledger_tables
from lineal.ledger.database import Database
from lineal.ledger.erase import erase_bodies
from lineal.ledger.log import Ledger

ACCOUNT, REGION, OTHER = "123456789012", "eu-west-1", "999999999999"
ENDPOINT, MODEL = "AWS::SageMaker::Endpoint", "AWS::SageMaker::Model"
COLLECTED = "collection.finished/1"


def at(minute: int) -> str:
    return f"2026-03-03T14:{minute:02}:00.000000Z"


def item(
    name: str = "scorer", minute: int = 0, kind: str = ENDPOINT, account: str = ACCOUNT, **more: Any
) -> ConfigItem:
    said = {"source": "aws", "shape": "api", "configuration": {"n": minute, "é": "ü"}, **more}
    return ConfigItem(resource=make_resource(kind, account, REGION, name), time=at(minute), **said)


def event(identity: str, minute: int, *targets: str, **more: Any) -> ApiEvent:
    said = {
        "service": "sagemaker.amazonaws.com",
        "name": "UpdateEndpoint",
        "account": ACCOUNT,
        "region": REGION,
        **more,
    }
    return ApiEvent(id=identity, time=at(minute), targets=targets, principal="arn:aws:iam::1:role/r", **said)


def judgement(about: str, minute: int, verdict: str, resource: str = "") -> Judgement:
    return Judgement(
        about=about, subject="change", resource=resource or item().resource.key, verdict=verdict, why="because",
        until=at(minute),
    )  # fmt: skip


SCORER = item().resource.key


class Book:
    """A ledger and its catalog, and one who speaks to it."""

    def __init__(self, ledger: Ledger, catalog: Database) -> None:
        self.ledger, self.catalog, self.speaker = ledger, catalog, Speaker()

    def says(self, kind: str, minute: int = 0, **data: Sequence[Any]) -> str:
        """Record one statement, and return when the ledger took it."""
        described = {name: [each.describe() for each in of] for name, of in data.items()}
        return self.take(self.speaker.says(type=kind, time=at(minute), data=described))

    def take(self, said: Event) -> str:
        idx = self.ledger.append([said])[0].idx
        return self.ledger.reader.entry(idx).statement()[1]

    @property
    def asked(self) -> Configuration:
        project.catch_up(self.catalog, self.ledger.reader)
        return Configuration(self.catalog)


@pytest.fixture
def book(place: Place, ledger: Ledger) -> Iterator[Book]:
    catalog = place.connect_catalog()
    project.prepare(catalog)
    yield Book(ledger, catalog)
    catalog.close()


def story(book: Book) -> None:
    """Say something of everything."""
    book.says(OBSERVED, 1, items=[item(minute=1), item("m", 1, MODEL), item(minute=5), item("b", 2, account=OTHER)])
    book.says(RECORDED, 4, events=[event("e1", 4, SCORER), event("e2", 3, SCORER, "other", read_only=True)])
    looks = [look(1), look(6, kind="*"), look(7, complete=False)]
    book.says(COLLECTED, 7, looks=looks, trail=[span(0, 10), span(10, 20, missing=True, why="log_deleted")])
    book.says(ALLOWED, 2, approvals=[approval("a", 2)])
    book.says(JUDGED, 8, judgements=[judgement("c1", 5, "PENDING"), judgement("c2", 4, "APPROVED", "x")])
    book.says(CONCLUDED, 9, conclusions=[conclusion("r", "NON_COMPLIANT")])


def look(minute: int, *, kind: str = ENDPOINT, complete: bool = True) -> Look:
    return Look(
        source="aws", account=ACCOUNT, region=REGION, type=kind, began=at(minute), ended=at(minute + 1),
        complete=complete,
    )  # fmt: skip


def span(since: int, until: int, *, missing: bool = False, why: str = "") -> TrailSpan:
    return TrailSpan(
        account=ACCOUNT, region=REGION, since=at(since), until=at(until), proof="digest", missing=missing, why=why
    )


def approval(name: str, minute: int, **more: Any) -> ChangeApproval:
    said = {"not_before": at(minute), "not_after": at(minute + 10), "decided": at(minute), "approver": "ann", **more}
    return ChangeApproval(id=name, resources=("*",), **said)


def conclusion(rule: str, state: str, resource: str = SCORER) -> Conclusion:
    return Conclusion(rule=rule, resource=resource, type=ENDPOINT, state=state, severity="high", explanation="so it is")


def test_items_of_a_resource_are_in_the_order_of_their_time_not_of_their_telling(book: Book) -> None:
    book.says(OBSERVED, 9, items=[item(minute=9), item(minute=3)])
    book.says(OBSERVED, 6, items=[item(minute=6, tags={"team": "risk"}), item("m", 6, MODEL)])
    held = book.asked.items([SCORER, "nothing"])
    assert [each.time for each in held[SCORER]] == [at(3), at(6), at(9)]
    assert held[SCORER][1] == item(minute=6, tags={"team": "risk"})
    assert set(held) == {SCORER}
    assert book.asked.items([]) == {}


def test_an_item_reads_back_whole(book: Book) -> None:
    said = item(
        relationships=(Relationship("AWS::SageMaker::EndpointConfig", "k", "uses"),), created=at(0), modified=at(0),
        state="InService", semantic="sha256:" + "0" * 64, extra={"odd": [1, None, "\u2028"]}, tags={"a": "b"},
    )  # fmt: skip
    book.says(OBSERVED, items=[said])
    assert book.asked.items([SCORER])[SCORER] == [said]
    assert book.asked.items([SCORER])[SCORER][0].digest() == said.digest()


def test_what_holds_is_of_a_moment_in_both_times(book: Book) -> None:
    early = book.says(OBSERVED, 5, items=[item(minute=5)])
    late = book.says(OBSERVED, 3, items=[item(minute=3)])
    asked = book.asked

    def times(**moment: str) -> list[str]:
        return [each.time for each in asked.items([SCORER], Moment(**moment)).get(SCORER, [])]

    assert times() == [at(3), at(5)]
    assert times(time=at(4)) == [at(3)]
    assert times(time=at(3)) == [at(3)]
    assert times(known=early) == [at(5)]
    assert times(time=at(4), known=early) == []
    assert times(known=late) == [at(3), at(5)]
    assert dict(asked.all_items(Moment(time=at(4)))).keys() == {SCORER}
    assert list(asked.all_items(Moment(time=at(4), known=early))) == []
    assert asked.estate(Moment(time=at(4)))[SCORER].time == at(3)
    assert asked.estate(Moment(time=at(4), known=early)) == {}


def test_all_items_come_resource_by_resource(book: Book) -> None:
    for minute in range(3):
        book.says(OBSERVED, minute, items=[item(name, minute) for name in ("b", "a", "c")])
    found = list(book.asked.all_items())
    assert [key.rpartition("/")[2] for key, _ in found] == ["a", "b", "c"]
    assert [[each.time for each in held] for _, held in found] == [[at(0), at(1), at(2)]] * 3


def test_the_estate_is_what_is_there_and_can_be_narrowed_down(book: Book) -> None:
    book.says(OBSERVED, 1, items=[item("a", 1), item("b", 1, account=OTHER), item("m", 1, MODEL), item("gone", 1)])
    book.says(OBSERVED, 2, items=[item("gone", 2, status="deleted", configuration={}), item("a", 2)])
    asked = book.asked
    named = {each.resource.name: each.time for each in asked.estate().values()}
    assert named == {"a": at(2), "b": at(1), "m": at(1)}
    assert {each.resource.name for each in asked.estate(Moment(time=at(1))).values()} == {"a", "b", "m", "gone"}
    assert [each.resource.name for each in asked.estate(kind=MODEL).values()] == ["m"]
    assert [each.resource.name for each in asked.estate(account=OTHER).values()] == ["b"]
    assert asked.estate(region="us-east-1") == {}


def test_what_the_service_says_goes_before_a_recorder_unless_it_is_gone(book: Book) -> None:
    book.says(OBSERVED, 1, items=[item(minute=1), item(minute=4, shape="config", source="aws-config")])
    assert book.asked.estate()[SCORER].shape == "api"
    book.says(OBSERVED, 5, items=[item(minute=5, shape="config", source="aws-config", status="deleted")])
    assert book.asked.estate() == {}
    book.says(OBSERVED, 6, items=[item(minute=6, shape="config", source="aws-config")])
    assert book.asked.estate()[SCORER].time in (at(1), at(6))  # it is there again, whoever says so


def test_a_deletion_holds_against_every_older_word_of_whatever_shape(book: Book) -> None:
    old = item(minute=1, source="aws-config", shape="config", configuration={"from": "config"})
    gone = item(minute=5, status="deleted", configuration={})
    again = item(minute=9, configuration={"from": "service"})
    book.says(OBSERVED, items=[old, gone])
    assert book.asked.estate() == {}
    book.says(OBSERVED, 9, items=[again])
    assert book.asked.estate()[SCORER].configuration == {"from": "service"}
    assert book.asked.estate(Moment(time=at(6))) == {}


def test_names_find_resources(book: Book) -> None:
    kind = "AWS::CodePipeline::Pipeline"
    book.says(OBSERVED, 1, items=[item("Scorer", 1), item("Scorer", 1, MODEL), item("p", 1, kind)])
    asked = book.asked
    assert len(asked.resources_named("Scorer")) == 2
    assert asked.resources_named(f"{MODEL}/Scorer") == [item("Scorer", kind=MODEL).resource.key]
    assert asked.resources_named(item("p", kind=kind).resource.key) == [item("p", kind=kind).resource.key]
    package, manifest = "AWS::SageMaker::ModelPackage", "Kubernetes::apps/Deployment"
    book.says(OBSERVED, 2, items=[item("risk/1", 2, package), item("web", 2, manifest)])
    asked = book.asked
    assert asked.resources_named(f"{package}/risk/1") == [item("risk/1", kind=package).resource.key]
    assert asked.resources_named(f"{manifest}/web") == [item("web", kind=manifest).resource.key]
    assert asked.resources_named("model-package/risk/1") == [item("risk/1", kind=package).resource.key]
    assert asked.resources_named("package/risk/1") == []
    assert asked.resources_named("/" * 2000) == []
    assert asked.resources_named("nothing") == []
    assert asked.resources_named("") == []


def test_events_are_given_once_and_reads_only_when_asked_for(book: Book) -> None:
    book.says(RECORDED, 5, events=[event("e2", 5, SCORER), event("r", 4, SCORER, read_only=True)])
    known = book.says(RECORDED, 3, events=[event("e1", 3, SCORER, "k"), event("e3", 6, "k", error="AccessDenied")])
    book.says(RECORDED, 5, events=[event("e2", 5, SCORER, name="Changed")])  # told twice: the first holds
    asked = book.asked
    assert [each.id for each in asked.events([SCORER])[SCORER]] == ["e1", "e2"]
    assert [each.name for each in asked.events([SCORER])[SCORER]] == ["UpdateEndpoint"] * 2
    assert [each.id for each in asked.events([SCORER], reads=True)[SCORER]] == ["e1", "r", "e2"]
    assert [each.id for each in asked.events([SCORER], since=at(3))[SCORER]] == ["e2"]  # after, not at
    assert [each.id for each in asked.events(["k"], moment=Moment(time=at(5)))["k"]] == ["e1"]
    assert {key: len(held) for key, held in asked.events([SCORER, "k"]).items()} == {SCORER: 2, "k": 2}
    assert asked.events([SCORER], moment=Moment(known=at(0))) == {}
    assert [each.id for each in asked.events_between()] == ["e1", "e2", "e3"]
    assert [each.id for each in asked.events_between(reads=True)] == ["e1", "r", "e2", "e3"]
    assert [each.id for each in asked.events_between(at(3), Moment(time=at(5)))] == ["e2"]
    assert len(list(asked.events_between(moment=Moment(known=known)))) == 3
    assert asked.known_events(["e1", "nobody", "r"]) == {"e1", "r"}
    assert asked.known_events([]) == set()
    assert asked.events([SCORER])[SCORER][0] == event("e1", 3, SCORER, "k")


def test_looks_and_trails_are_of_a_moment_too(book: Book) -> None:
    first = book.says(COLLECTED, 6, looks=[look(5), look(1, kind="*"), look(3, kind=MODEL)], trail=[span(5, 9)])
    book.says(
        COLLECTED, 8, looks=[look(7, complete=False)], trail=[span(0, 5), span(9, 12, missing=True, why="refused")]
    )
    asked = book.asked
    assert [each.began for each in asked.looks()] == [at(1), at(3), at(5), at(7)]
    assert asked.looks()[3] == look(7, complete=False)
    assert [each.type for each in asked.looks(kind=MODEL)] == ["*", MODEL]
    assert len(asked.looks(Moment(time=at(3)))) == 2
    assert len(asked.looks(Moment(known=first))) == 3
    assert [each.since for each in asked.trail()] == [at(0), at(5), at(9)]
    assert asked.trail()[2] == span(9, 12, missing=True, why="refused")
    assert asked.trail(Moment(known=first)) == [span(5, 9)]
    assert len(asked.trail(Moment(time=at(5)))) == 2


def test_of_approvals_and_judgements_the_last_word_holds_and_every_word_is_kept(book: Book) -> None:
    early = book.says(ALLOWED, 2, approvals=[approval("a", 2), approval("b", 3)])
    book.says(ALLOWED, 4, approvals=[approval("a", 2, not_after=at(2))])  # it was taken back
    first = book.says(JUDGED, 5, judgements=[judgement("c", 5, "PENDING"), judgement("d", 3, "APPROVED", "x")])
    book.says(JUDGED, 9, judgements=[judgement("c", 5, "UNEXPLAINED")])
    asked = book.asked
    assert {each.id: each.not_after for each in asked.approvals()} == {"a": at(2), "b": at(13)}
    assert {each.id: each.not_after for each in asked.approvals(Moment(known=early))} == {"a": at(12), "b": at(13)}
    assert asked.approvals(Moment(time=at(1))) == []
    assert [(each.about, each.verdict) for each, _ in asked.judgements()] == [("d", "APPROVED"), ("c", "UNEXPLAINED")]
    every = asked.judgements(resources=[SCORER], every=True)
    assert [each.verdict for each, _ in every] == ["PENDING", "UNEXPLAINED"]
    assert every[0][1] == first
    assert every[0][1] < every[1][1]
    assert [each.verdict for each, _ in asked.judgements(Moment(known=first), resources=[SCORER])] == ["PENDING"]
    assert asked.judgements(resources=[]) == []
    assert every[1][0] == judgement("c", 5, "UNEXPLAINED")


def test_of_conclusions_the_last_of_each_rule_and_resource_holds(book: Book) -> None:
    early = book.says(CONCLUDED, 2, conclusions=[conclusion("r", "COMPLIANT"), conclusion("q", "COMPLIANT")])
    book.says(CONCLUDED, 4, conclusions=[conclusion("r", "NON_COMPLIANT"), conclusion("r", "COMPLIANT", "other")])
    asked = book.asked
    assert [(each.rule, each.resource, each.state) for each in asked.conclusions(rule="r")] == sorted(
        [("r", "other", "COMPLIANT"), ("r", SCORER, "NON_COMPLIANT")], key=lambda each: each[1]
    )
    assert len(asked.conclusions()) == 3
    assert [each.state for each in asked.conclusions(Moment(known=early), rule="r")] == ["COMPLIANT"]
    assert len(asked.conclusions(Moment(time=at(3)))) == 2


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.reading() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in tables.CONFIGURATION
        }


def test_a_catalog_made_again_has_the_same_rows_on_every_database(book: Book, tmp_path: Path) -> None:
    story(book)
    assert book.asked.estate()
    before = rows(book.catalog)
    assert all(before.values())
    fingerprint = project.fingerprint(book.catalog)
    project.drop(book.catalog)
    assert not any(rows(book.catalog).values())
    assert book.asked.estate()
    assert rows(book.catalog) == before
    assert project.fingerprint(book.catalog) == fingerprint
    other = Database.sqlite(tmp_path / "other.db", durable=False, create=True)
    project.prepare(other)
    project.catch_up(other, book.ledger.reader)
    assert project.fingerprint(other) == fingerprint
    assert rows(other) == before
    other.close()


def test_following_step_by_step_gives_the_same_rows(book: Book) -> None:
    story(book)
    assert book.asked.estate()
    whole = project.fingerprint(book.catalog)
    project.drop(book.catalog)
    for size in range(1, book.ledger.reader.size() + 1):

        class Part:
            def __init__(self, end: int) -> None:
                self.end = end

            def size(self) -> int:
                return self.end

            def entries(self, start: int = 0, end: int | None = None) -> Any:
                return book.ledger.reader.entries(start, min(end or self.end, self.end))

        project.catch_up(book.catalog, Part(size))
    assert project.fingerprint(book.catalog) == whole


def test_what_was_erased_is_nowhere_and_the_rest_is_there(book: Book) -> None:
    secret = item("person", 2, configuration={"owner": "Ann Example"})
    book.says(OBSERVED, 1, items=[item(minute=1)])
    book.says(OBSERVED, 2, items=[secret])
    idx = book.ledger.reader.size() - 1
    book.says(RECORDED, 3, events=[event("e", 3, secret.resource.key, record={"userIdentity": "Ann Example"})])
    assert "Ann" in str(rows(book.catalog)) or book.asked.estate()
    erasing = book.speaker.says(type="body.erased/1", data={"entries": [idx, idx + 1], "reason": "asked to"})
    erase_bodies(book.ledger, erasing)
    project.drop(book.catalog)
    asked = book.asked
    assert list(asked.estate()) == [SCORER]
    assert asked.items([secret.resource.key]) == {}
    assert asked.events([secret.resource.key]) == {}
    assert "Ann" not in str(rows(book.catalog))
    assert "person" not in str(rows(book.catalog))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (OBSERVED, {"items": [{"resource": "k"}]}),
        (OBSERVED, {"items": [[]]}),
        (OBSERVED, {"items": {"a": 1}}),
        (OBSERVED, {"items": [{**item().describe(), "time": 7}]}),
        (OBSERVED, {"items": [{**item().describe(), "type": None}]}),
        (OBSERVED, {"items": None}),
        (RECORDED, {"events": [{**event("e", 1).describe(), "id": 1}]}),
        (RECORDED, {"events": ["e"]}),
        (RECORDED, {"events": [{**event("e", 1).describe(), "targets": 7}]}),
        (COLLECTED, {"looks": [{"source": "aws"}]}),
        (COLLECTED, {"trail": [{**span(0, 1).describe(), "since": None}]}),
        (ALLOWED, {"approvals": [{"id": "a"}]}),
        (JUDGED, {"judgements": [{**judgement("a", 1, "PENDING").describe(), "verdict": 1}]}),
        (CONCLUDED, {"conclusions": [{"rule": "r"}]}),
        (CONCLUDED, []),
    ],
    ids=lambda value: str(value)[:40],
)
def test_data_that_no_writer_of_ours_makes_are_refused_as_a_breach(book: Book, kind: str, data: Any) -> None:
    book.says(OBSERVED, 1, items=[item(minute=1)])
    body = book.speaker.says(type=kind, time=at(2), data=data)
    book.take(body)
    with pytest.raises(IntegrityError):
        _ = book.asked
    assert not any(rows(book.catalog).values())  # of a step, all or nothing


def test_a_document_that_was_changed_in_place_is_refused(book: Book) -> None:
    book.says(OBSERVED, 1, items=[item(minute=1)])
    body = ledger_tables.body
    with book.ledger.database.writing() as connection:
        held = connection.execute(sa.select(body.c.bytes).order_by(body.c.idx.desc()).limit(1)).scalar_one()
        changed = bytes(held).replace(b'"n":1', b'"n":2')
        assert changed != bytes(held)
        connection.execute(body.update().where(body.c.bytes == held).values(bytes=changed))
    with pytest.raises(IntegrityError):
        _ = book.asked


def test_nul_and_names_of_every_script_do_not_stop_it(book: Book) -> None:
    odd = replace(item("имя-名", 1), configuration={"k\x00": "v\x00", "s": "\u2028"})
    book.says(OBSERVED, 1, items=[odd])
    found = book.asked.items([odd.resource.key])[odd.resource.key]
    assert found[0].configuration == {"k\ufffd": "v\ufffd", "s": "\u2028"}


def test_many_resources_are_asked_for_at_once(book: Book) -> None:
    names = [f"n{number:04}" for number in range(1300)]
    for start in range(0, len(names), 200):
        book.says(OBSERVED, 1, items=[item(name, 1) for name in names[start : start + 200]])
    keys = [item(name).resource.key for name in names]
    assert len(book.asked.items(keys)) == len(keys)
    assert len(list(book.asked.all_items())) == len(keys)
    assert len(book.asked.estate()) == len(keys)
