"""The fold is pure, and takes apart any body that there can be."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import Speaker
from lineal.catalog.fold import Rows, describe_ref, fold
from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.event import Event
from lineal.core.observation import Gap, Node
from lineal.errors import IntegrityError

TAKEN = "2026-03-03T14:05:00.000000Z"
TABLES = ("facts", "edges", "aliases", "members", "gaps", "events")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DIGESTS = st.integers(0, 5).map(lambda number: Digest.of(bytes([number])))
VERSIONS = DIGESTS.map(lambda digest: f"dataset:d@{digest}")
NODES = st.builds(
    lambda digest, version, aliases, members, detail: Node(
        ref=f"dataset:d@{digest}",
        basis="observed",
        digest=digest,
        version=version,
        aliases=tuple(aliases),
        members=tuple(members),
        detail=detail,
    ),
    DIGESTS,
    st.none() | TEXT,
    st.lists(TEXT, max_size=2),
    st.lists(st.tuples(DIGESTS, TEXT), max_size=2),
    st.dictionaries(TEXT, st.integers(-9, 9) | TEXT, max_size=2),
)
EDGES = st.builds(lambda source: Edge(source, "run:r", "used"), VERSIONS)
GAPS = st.builds(Gap, TEXT, TEXT, st.none() | TEXT)
SAID = st.fixed_dictionaries(
    {
        "nodes": st.lists(NODES, max_size=3).map(tuple),
        "edges": st.lists(EDGES, max_size=3).map(tuple),
        "gaps": st.lists(GAPS, max_size=2).map(tuple),
    }
)


def _events(said: list[dict[str, Any]]) -> list[Event]:
    speaker = Speaker()
    return [speaker.says(**item) for item in said]


def _fold_all(events: list[tuple[int, Event]]) -> Rows:
    rows = Rows()
    for idx, event in events:
        fold(rows, idx, event.statement(), TAKEN, event.body)
    return rows


@given(st.lists(SAID, max_size=5), st.randoms(use_true_random=False))
def test_rows_depend_on_their_entry_alone(said: list[dict[str, Any]], chance: random.Random) -> None:
    events = list(enumerate(_events(said)))
    together = _fold_all(events)
    shuffled = list(events)
    chance.shuffle(shuffled)
    other = _fold_all(shuffled)
    for name in TABLES:
        assert getattr(other, name) == getattr(together, name)
        apart: dict[Any, Any] = {}
        for event in events:
            apart |= getattr(_fold_all([event]), name)
        assert getattr(together, name) == apart
    assert set(other.refs) == set(together.refs)
    assert len(together.facts) == sum(len({node.ref for node in item["nodes"]}) for item in said)
    assert len(together.gaps) == sum(len(item["gaps"]) for item in said)
    assert len(together.events) == len(said)


@given(SAID)
def test_an_erased_body_leaves_the_statement_alone(said: dict[str, Any]) -> None:
    (event,) = _events([said])
    rows = Rows()
    fold(rows, 0, event.statement(), TAKEN, None)
    assert rows.events[(0,)][-2:] == (None, True)  # no actor, erased
    assert not rows.refs
    assert not any(getattr(rows, name) for name in TABLES if name != "events")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT | VERSIONS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
SOUND = st.just({"actor": "me", "nodes": [], "edges": [], "gaps": [], "data": {}})
NODE = {"ref": f"dataset:d@{Digest.of(b'')}", "basis": "observed"}
BODIES = st.builds(
    lambda sound, name, value: {**sound, name: value},
    SOUND,
    st.sampled_from(["actor", "nodes", "edges", "gaps"]),
    JSON
    | st.lists(st.dictionaries(st.sampled_from(["ref", "basis", "version", "digest", "detail", "aliases"]), JSON))
    | st.builds(
        lambda name, value: [{**NODE, name: value}],
        st.sampled_from(["ref", "basis", "version", "digest", "detail", "aliases", "members"]),
        JSON,
    )
    | st.lists(st.tuples(VERSIONS | JSON, VERSIONS | JSON, JSON).map(list), max_size=2)
    | st.lists(st.fixed_dictionaries({"code": JSON, "explanation": JSON}, optional={"about": JSON}), max_size=2),
)


@given(BODIES | JSON)
def test_any_document_is_folded_to_columns_or_refused(document: Any) -> None:
    rows = Rows()
    try:
        fold(rows, 0, Speaker().says().statement(), TAKEN, canonical.encode(document))
    except IntegrityError:
        return
    for name in TABLES:
        for key, rest in getattr(rows, name).items():
            assert all(value is None or type(value) in (str, int, bool) for value in (*key, *rest)), (key, rest)
    for named in rows.refs:
        assert describe_ref(named)[0] == named


@pytest.mark.parametrize(
    "text",
    [
        b'"\\ud800"',
        b'"\\u0041"',
        b'{"a\\u0000":' * 400 + b"1" + b"}" * 400,
        b"[" * 5000 + b"]" * 5000,
        b'"\xff"',
        b"1.5",
    ],
    ids=["lone surrogate", "needless escape", "deep with NUL", "deep", "not UTF-8", "float"],
)
@pytest.mark.parametrize("name", ["actor", "data"])
def test_bytes_that_no_writer_of_ours_makes_are_refused(name: str, text: bytes) -> None:
    parts = {b"actor": b'"me"', b"data": b"{}", b"edges": b"[]", b"gaps": b"[]", b"nodes": b"[]", name.encode(): text}
    body = b"{" + b",".join(b'"%s":%s' % pair for pair in parts.items()) + b"}"
    with pytest.raises(IntegrityError):
        fold(Rows(), 0, Speaker().says().statement(), TAKEN, body)
