"""What the catalog promises, on every database: a fold of the ledger, the same however often and in whatever order."""

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from places import Place

from kit import LOG, Speaker, make_home, open_at
from lineal.catalog import graph, project, tables
from lineal.catalog.graph import Moment
from lineal.catalog.reader import Catalog
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.event import Event
from lineal.core.observation import Gap, Node, Observation
from lineal.errors import InconsistentStore, IntegrityError, NewerFormat
from lineal.ledger import tables as ledger_tables
from lineal.ledger.database import Database
from lineal.ledger.erase import erase_bodies
from lineal.ledger.log import Ledger


def _digest(name: str) -> Digest:
    return Digest.of(name.encode())


def _version(name: str) -> str:
    return f"dataset:{name}@{_digest(name)}"


def _node(name: str, **said: Any) -> Node:
    return Node(ref=_version(name), basis="observed", digest=_digest(name), **said)


def _run(name: str) -> Node:
    return Node(ref=f"run:{name}", basis="claimed")


def _at(second: int) -> str:
    return f"2026-03-03T14:05:{second:02}.000000Z"


def _story() -> list[Event]:
    """Return what three producers say of data that runs make from data, with aliases, members and gaps."""
    speakers = [Speaker(f"s{number}") for number in range(3)]
    chance = random.Random(7)
    events = []
    for step in range(24):
        used, made, run = f"d{chance.randrange(12)}", f"d{12 + step % 9}", f"r{chance.randrange(6)}"
        events.append(
            speakers[step % 3].says(
                time=_at(chance.randrange(60)),
                nodes=(
                    _node(used, aliases=(f"s3://bucket/{used}", f"arn:x:{used}"), version=str(step)),
                    _node(made, detail={"rows": step}, members=((_digest(f"f{step}"), "a b.csv"), (_digest("f"), "é"))),
                    _run(run),
                ),
                edges=(Edge(_version(used), f"run:{run}", "used"), Edge(f"run:{run}", _version(made), "generated")),
                gaps=(Gap("test.unseen", "somebody looked away", _version(made)), Gap("test.other", "why not")),
            )
        )
    return events


@pytest.fixture
def catalog(place: Place, ledger: Ledger) -> Iterator[Database]:
    database = place.connect_catalog()
    project.prepare(database)
    yield database
    database.close()


def _rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row with what depends on the order of the log replaced: numbers of nodes and entries, `taken`."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with database.reading() as connection:
        refs = {row.id: row.ref for row in connection.execute(sa.select(tables.node))}
        ids = {row.idx: (row.producer, row.id) for row in connection.execute(sa.select(tables.event))}
        for table in tables.FOLDED:
            rows = []
            for row in connection.execute(sa.select(table)):
                values = {name: value for name, value in row._asdict().items() if name != "taken"}
                for name in {"node", "source", "target"} & values.keys():
                    values[name] = refs[values[name]]
                if table is tables.node:
                    del values["id"]
                if "idx" in values:
                    values["idx"] = ids[values["idx"]]
                rows.append(tuple(sorted((name, repr(value)) for name, value in values.items())))
            found[table.name] = sorted(rows)
    return found


def test_it_is_dropped_and_made_again_bit_for_bit(ledger: Ledger, catalog: Database) -> None:
    events = _story()
    ledger.append(events)
    assert project.catch_up(catalog, ledger.reader) == 25
    assert project.catch_up(catalog, ledger.reader) == 0
    before = project.fingerprint(catalog)
    project.drop(catalog)
    assert project.fingerprint(catalog) != before
    assert project.catch_up(catalog, ledger.reader) == 25
    assert project.fingerprint(catalog) == before


def test_following_step_by_step_is_the_same_as_all_at_once(ledger: Ledger, catalog: Database) -> None:
    for event in _story():
        ledger.append([event])
        project.catch_up(catalog, ledger.reader)
    stepwise = project.fingerprint(catalog)
    project.drop(catalog)
    progress: list[tuple[int, int]] = []
    project.catch_up(catalog, ledger.reader, lambda done, total: progress.append((done, total)))
    assert project.fingerprint(catalog) == stepwise
    assert progress[-1] == (25, 25)


def test_every_database_gives_the_same_catalog(ledger: Ledger, catalog: Database, tmp_path: Path) -> None:
    ledger.append(_story())
    project.catch_up(catalog, ledger.reader)
    other = Database.sqlite(tmp_path / "other.db", durable=False, create=True)
    project.prepare(other)
    project.catch_up(other, ledger.reader)
    assert project.fingerprint(other) == project.fingerprint(catalog)
    other.close()


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_text_is_ordered_by_its_bytes_whatever_the_language_of_the_server(catalog: Database) -> None:
    query = (
        "SELECT DISTINCT collation_name FROM information_schema.columns "
        "WHERE table_name LIKE 'catalog%' AND data_type = 'text'"
    )
    with catalog.reading() as connection:
        assert connection.scalars(sa.text(query)).all() == ["C"]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_the_log_changes_only_the_numbers(
    ledger: Ledger, catalog: Database, tmp_path: Path, seed: int
) -> None:
    events = _story()
    ledger.append(events)
    project.catch_up(catalog, ledger.reader)
    with open_at(make_home(tmp_path / "shuffled")) as shuffled:
        random.Random(seed).shuffle(events)
        for start in range(0, len(events), 5):
            shuffled.append(events[max(0, start - 2) : start + 5])  # some of it twice
        other = Database.sqlite(tmp_path / "other.db", durable=False, create=True)
        project.prepare(other)
        project.catch_up(other, shuffled.reader)
    ours, theirs = _rows(catalog), _rows(other)
    created = [row for row in ours["catalog_event"] if "created" in str(row)]
    assert len(created) == 1  # said at another moment in each log
    for rows in (ours, theirs):
        rows["catalog_event"] = [row for row in rows["catalog_event"] if "created" not in str(row)]
    assert ours == theirs
    other.close()


def test_what_was_erased_is_gone_from_a_catalog_made_again(ledger: Ledger, catalog: Database) -> None:
    speaker = Speaker()
    ledger.append([speaker.says(nodes=(_node("kept"),)), speaker.says(nodes=(_node("person"),), actor="Ann Example")])
    project.catch_up(catalog, ledger.reader)
    erase_bodies(ledger, speaker.says(type="body.erased/1", data={"entries": [2], "reason": "asked to"}))
    project.drop(catalog)
    project.catch_up(catalog, ledger.reader)
    rows = _rows(catalog)
    assert "person" not in str(rows)
    assert "Ann" not in str(rows)
    assert "kept" in str(rows["catalog_fact"])
    assert [row for row in rows["catalog_event"] if ("erased", "True") in row]


def test_text_that_not_every_database_keeps_does_not_stop_it(ledger: Ledger, catalog: Database) -> None:
    said = Speaker().says(
        actor="a\x00b",
        nodes=(_node("x", aliases=("n\x00l",), version="1\x00", detail={"k\x00": "v\x00"}),),
        gaps=(Gap("test.nul", "it said \x00"),),
    )
    ledger.append([said])
    assert project.catch_up(catalog, ledger.reader) == 2
    assert "a\N{REPLACEMENT CHARACTER}b" in str(_rows(catalog)["catalog_event"])


def test_it_never_runs_ahead_of_its_ledger(ledger: Ledger, catalog: Database) -> None:
    ledger.append(_story())
    project.catch_up(catalog, ledger.reader)
    with catalog.writing() as connection:
        connection.execute(tables.cursor.update().values(size=99))
    with pytest.raises(InconsistentStore):
        project.catch_up(catalog, ledger.reader)
    with catalog.writing() as connection:
        connection.execute(tables.cursor.update().values(format=99))
    with pytest.raises(NewerFormat):
        project.catch_up(catalog, ledger.reader)


def test_a_changed_body_is_not_folded(ledger: Ledger, catalog: Database) -> None:
    ledger.append(_story())
    body = ledger_tables.body
    another = Observation(type="test.said/1", time=_at(0), actor="mallory", basis="claimed").body()  # sound in itself
    with ledger.database.writing() as connection:
        connection.execute(body.update().where(body.c.idx == 7).values(bytes=another))
    with pytest.raises(IntegrityError):
        project.catch_up(catalog, ledger.reader)
    assert "catalog_event" in _rows(catalog)
    assert not _rows(catalog)["catalog_event"]


def _closure(
    catalog: Database, name: str, moment: Moment = graph.NOW, depth: int | None = None, *, up: bool
) -> dict[str, int]:
    with catalog.reading() as connection:
        refs = {row.id: row.ref for row in connection.execute(sa.select(tables.node))}
        numbers = {ref: number for number, ref in refs.items()}
        find = graph.upstream_of if up else graph.downstream_of
        found = find(connection, numbers[_version(name)], moment, depth)
    assert {end for source, target, _ in found.edges for end in (source, target)} <= found.depths.keys()
    return {refs[number].partition(":")[2].partition("@")[0]: depth for number, depth in found.depths.items()}


def _derive(ledger: Ledger, speaker: Speaker, *pairs: str, time: str = "2026-03-03T00:00:00.000000Z") -> str:
    """Record that ``b`` is derived from ``a`` for each pair ``ab``; return when the ledger took it."""
    edges = tuple(Edge(_version(pair[0]), _version(pair[1]), "derived_from") for pair in pairs)
    nodes = tuple(_node(name) for name in sorted(set("".join(pairs))))
    idx = ledger.append([speaker.says(nodes=nodes, edges=edges, time=time)])[0].idx
    return ledger.reader.entry(idx).statement()[1]


@pytest.mark.parametrize("depth", [None, 9])
def test_closures_of_chains_diamonds_and_cycles_end(ledger: Ledger, catalog: Database, depth: int | None) -> None:
    speaker = Speaker()
    _derive(ledger, speaker, "ab", "ac", "bd", "cd", "de", "ea")  # a diamond, and back from its foot to its head
    _derive(ledger, speaker, "xy", "yz")
    _derive(ledger, speaker, "xy")  # said twice: one edge
    project.catch_up(catalog, ledger.reader)
    assert _closure(catalog, "d", depth=depth, up=True) == {"d": 0, "b": 1, "c": 1, "a": 2, "e": 3}
    assert _closure(catalog, "d", depth=depth, up=False) == {"d": 0, "e": 1, "a": 2, "b": 3, "c": 3}
    assert _closure(catalog, "z", depth=depth, up=True) == {"z": 0, "y": 1, "x": 2}
    assert _closure(catalog, "z", depth=depth, up=False) == {"z": 0}
    with catalog.reading() as connection:
        number = connection.scalar(sa.select(tables.node.c.id).where(tables.node.c.ref == _version("y")))
        assert number is not None
        assert len(graph.upstream_of(connection, number, graph.NOW).edges) == 1


def test_depth_ends_a_closure(ledger: Ledger, catalog: Database) -> None:
    _derive(ledger, Speaker(), *[f"{a}{b}" for a, b in zip("abcdefg", "bcdefgh", strict=True)], "ah")
    project.catch_up(catalog, ledger.reader)
    assert _closure(catalog, "h", depth=0, up=True) == {"h": 0}
    assert _closure(catalog, "h", depth=1, up=True) == {"h": 0, "g": 1, "a": 1}
    assert _closure(catalog, "h", depth=2, up=True) == {"h": 0, "g": 1, "a": 1, "f": 2}
    assert len(_closure(catalog, "h", up=True)) == 8


@pytest.mark.parametrize("depth", [None, 9])
def test_a_closure_is_of_a_moment_in_both_times(ledger: Ledger, catalog: Database, depth: int | None) -> None:
    speaker = Speaker()
    early = _derive(ledger, speaker, "ab", time=_at(10))
    late = _derive(ledger, speaker, "bc", time=_at(30))
    told = _derive(ledger, speaker, "za", time=_at(20))  # it happened before, and was recorded after
    assert early < late < told
    project.catch_up(catalog, ledger.reader)

    def seen(name: str, **moment: str) -> set[str]:
        return set(_closure(catalog, name, Moment(**moment), depth, up=True))

    assert seen("c") == set("cbaz")
    assert seen("c", time=_at(29)) == {"c"}
    assert seen("b", time=_at(19)) == set("ba")
    assert seen("b", time=_at(20)) == set("baz")
    assert seen("b", time=_at(20), known=late) == set("ba")
    assert seen("c", known=late) == set("cba")
    assert seen("c", known=early) == {"c"}
    assert seen("c", time=_at(9), known=told) == {"c"}


def test_what_is_said_of_a_thing_is_of_a_moment_in_both_times(ledger: Ledger, catalog: Database) -> None:
    speaker = Speaker()
    early = ledger.append([speaker.says(time=_at(30), nodes=[_node("a", detail={"said": "first"}, version="1")])])[0]
    ledger.append([speaker.says(time=_at(10), nodes=[_node("a", detail={"said": "late"})])])  # told after, of before
    project.catch_up(catalog, ledger.reader)
    asked = Catalog(catalog)
    taken = asked.events([early.idx])[0]["taken"]
    node = asked.resolve("dataset:a").id

    def said(**moment: str) -> list[str]:
        return [fact.detail["said"] for fact in asked.facts([node], Moment(**moment))]

    assert said() == ["late", "first"]
    assert said(time=_at(29)) == ["late"]
    assert said(known=taken) == ["first"]
    assert said(time=_at(29), known=taken) == []


def test_what_an_entry_says_twice_of_a_thing_it_says_first(ledger: Ledger, catalog: Database) -> None:
    nodes = [_node("a", detail={"said": "first"}), _node("a", detail={"said": "again"})]
    ledger.append([Speaker().says(nodes=nodes)])
    project.catch_up(catalog, ledger.reader)
    assert Catalog(catalog).resolve("dataset:a").detail == {"said": "first"}


def test_the_revision_that_serves_is_the_last_to_begin_whatever_its_number(ledger: Ledger, catalog: Database) -> None:
    speaker = Speaker()
    for number, second in ((1, 10), (3, 20), (2, 30)):
        ref = f"endpoint:e@{number}"
        ledger.append([speaker.says(time=_at(second), nodes=[Node(ref=ref, basis="claimed", version=str(number))])])
    project.catch_up(catalog, ledger.reader)
    asked = Catalog(catalog)
    assert asked.resolve("endpoint:e").ref == "endpoint:e@2"
    assert asked.resolve("endpoint:e", Moment(time=_at(29))).ref == "endpoint:e@3"


def test_a_large_closure_is_whole(ledger: Ledger, catalog: Database) -> None:
    speaker, names = Speaker(log=LOG), [f"n{number}" for number in range(2500)]
    for start in range(0, len(names), 100):
        part = names[max(0, start - 1) : start + 100]
        edges = tuple(Edge(_version(a), _version(b), "derived_from") for a, b in pairwise(part))
        ledger.append([speaker.says(edges=edges)])
    project.catch_up(catalog, ledger.reader)
    found = _closure(catalog, "n2499", up=True)
    assert found["n0"] == 2499
    assert len(found) == 2500
    assert _closure(catalog, "n0", depth=3000, up=False)["n2499"] == 2499


def test_a_catalog_of_an_older_format_is_folded_anew(ledger: Ledger, catalog: Database) -> None:
    ledger.append(_story())
    project.catch_up(catalog, ledger.reader)
    fresh = project.fingerprint(catalog)
    with catalog.writing() as connection:
        connection.execute(tables.fact.delete())
        connection.execute(sa.text("DROP TABLE catalog_config"))
        connection.execute(tables.cursor.update().values(format=tables.FORMAT - 1))
    project.prepare(catalog)
    assert not project.is_current(catalog, 26)
    project.catch_up(catalog, ledger.reader)
    assert project.fingerprint(catalog) == fresh
