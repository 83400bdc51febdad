"""Tags: the last word holds, as of any moment; nothing that tags a thing says how it was made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle import Team, team_in
from lineal.app.approve import approve
from lineal.app.check import check
from lineal.app.listing import list_nodes, show
from lineal.app.log import log
from lineal.app.tag import MAX_TAGS, Tagged, read_settings, tag
from lineal.app.verify import verify_one
from lineal.catalog.graph import NOW, Moment
from lineal.errors import BadInput, LinealError, TooLarge, UnknownRef


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with team_in(tmp_path) as found:
        yield found


def say(team: Team, ref: str, *remove: str, **values: str) -> Tagged:
    return tag(team.session, ref, values, remove, os_user="tester@host")


def tags(team: Team, ref: str, moment: Moment = NOW) -> dict[str, str]:
    return show(team.session, ref, moment).tags


def test_the_last_word_holds_and_every_word_stays(team: Team) -> None:
    team.dataset("raw", {"a.csv": b"1"})
    assert say(team, "dataset:raw@1", stage="raw", owner="ana").tags == {"owner": "ana", "stage": "raw"}
    then = Moment(time=team.session.clock())
    say(team, "dataset:raw", stage="gold")
    made = say(team, "dataset:raw@1", "owner")
    assert (made.tags, made.new) == ({"stage": "gold"}, True)
    assert tags(team, "dataset:raw@1") == {"stage": "gold"}
    assert tags(team, "dataset:raw@1", then) == {"owner": "ana", "stage": "raw"}
    assert tags(team, "dataset:raw@1", Moment(known=then.time)) == {"owner": "ana", "stage": "raw"}
    said = [fact for fact in show(team.session, "dataset:raw@1", NOW).facts if fact.type == "tag.set/1"]
    assert [fact.detail["tags"] for fact in said] == [
        {"owner": "ana", "stage": "raw"},
        {"stage": "gold"},
        {"owner": None},
    ]
    assert {fact.actor for fact in said} == {team.session.actor}
    assert {fact.basis for fact in said} == {"claimed"}


def test_what_changes_nothing_is_not_recorded(team: Team) -> None:
    team.dataset("raw", {"a.csv": b"1"})
    say(team, "dataset:raw@1", stage="gold")
    size = team.session.ledger.reader.size()
    assert not say(team, "dataset:raw@1", stage="gold").new
    assert team.session.ledger.reader.size() == size


def test_every_kind_of_thing_is_tagged_and_found(team: Team) -> None:
    team.cycle(1)
    for ref in ("dataset:raw@1", "model:risk@1", "endpoint:scorer@1", "run:train-1", "code:risk", "environment:python"):
        say(team, ref, audited="2026", by="x" if ref.startswith("run") else "y")
    found = [view.ref for view in list_nodes(team.session, None, None, NOW, ("audited",))]
    assert len(found) == 6
    assert [view.ref for view in list_nodes(team.session, "run", None, NOW, ("audited=2026", "by=x"))] == [
        "run:train-1"
    ]
    assert list_nodes(team.session, "run", None, NOW, ("audited=2025",)) == []
    assert list_nodes(team.session, None, None, NOW, ("nothing",)) == []
    assert [view.ref for view in list_nodes(team.session, "dataset", "raw", NOW, ("by=y",))] == ["dataset:raw@1"]
    with pytest.raises(UnknownRef):
        say(team, "dataset:other", a="b")


def test_a_tag_changes_nothing_about_how_a_thing_came_to_be(team: Team) -> None:
    team.cycle(1)
    before = {ref: check(team.session, ref) for ref in ("model:risk@1", "endpoint:scorer@1")}
    views = {view.canonical: view for view in team.session.catalog.all_nodes()}
    for view in views.values():
        say(team, view.canonical, reviewed="yes", name="other", stored="object", metrics="1")
    after = {ref: check(team.session, ref) for ref in ("model:risk@1", "endpoint:scorer@1")}
    assert after == before
    assert {view.canonical: view for view in team.session.catalog.all_nodes()} == views


def test_who_tags_a_training_run_may_still_approve_its_model(team: Team) -> None:
    team.cycle(1)
    team.session.actor = "dora"
    say(team, "run:train-1", reviewed="yes")
    say(team, "model:risk@1", reviewed="yes")
    made = approve(team.session, "model:risk@1", reason="looked at it", os_user="dora@host")
    assert made.approval.by == "dora"


def test_entries_of_tags_are_logged_and_proved(team: Team) -> None:
    team.dataset("raw", {"a.csv": b"1"})
    say(team, "dataset:raw@1", stage="gold")
    assert [each.event["type"] for each in log(team.session, "dataset:raw@1", limit=None, prove=False)] == [
        "tag.set/1",
        "dataset.snapshotted/1",
    ]
    found = verify_one(team.session, "dataset:raw@1")
    assert not [finding for finding in found.findings if finding.failed]
    unsigned = {finding.about for finding in found.findings}
    assert len(found.proofs) + len(unsigned) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=x",
        " a=x",
        "a =x",
        "a\nb=x",
        "a=x\ny",
        "a=\x1b[2J",
        "a" * 129 + "=x",
        "a=" + "x" * 4097,
        "a=\udcff",
        "a\0=x",
        "a",
    ],
)
def test_keys_and_values_that_are_none(team: Team, text: str) -> None:
    team.dataset("raw", {"a.csv": b"1"})
    with pytest.raises(BadInput, match="nothing was recorded"):
        tag(team.session, "dataset:raw@1", read_settings([text]), os_user="x")
    assert tags(team, "dataset:raw@1") == {}


def test_mistakes_say_what_to_do(team: Team) -> None:
    team.dataset("raw", {"a.csv": b"1"})
    say(team, "dataset:raw@1", stage="gold")
    for values, remove, words in (
        ({}, (), "no tag was given"),
        ({"stage": "x"}, ("stage",), "set and removed at once"),
        ({}, ("owner",), "has no tag 'owner'"),
        ({}, ("",), "0 characters"),
    ):
        with pytest.raises(BadInput, match=words):
            tag(team.session, "dataset:raw@1", values, remove, os_user="x")
    with pytest.raises(BadInput, match="given twice"):
        read_settings(["a=1", "a=2"])
    assert read_settings(["a=1=2", "b="]) == {"a": "1=2", "b": ""}


def test_a_thing_has_so_many_tags_and_no_more(team: Team) -> None:
    team.dataset("raw", {"a.csv": b"1"})
    say(team, "dataset:raw@1", **{f"k{number}": "v" for number in range(MAX_TAGS)})
    with pytest.raises(TooLarge):
        say(team, "dataset:raw@1", one_more="v")
    assert len(say(team, "dataset:raw@1", "k0", one_more="v").tags) == MAX_TAGS


def test_secrets_are_not_recorded(team: Team) -> None:
    team.dataset("raw", {"a.csv": b"1"})
    secret = "ghp_" + "a1B2" * 9
    made = say(team, "dataset:raw@1", note=f"see {secret}", db_password="hunter22")
    assert made.redactions == 2
    assert made.tags == {"db_password": "[redacted]", "note": "see [redacted]"}
    with pytest.raises(LinealError, match="looks like a secret"):
        tag(team.session, "dataset:raw@1", {secret: "x"}, os_user="x")
    reader = team.session.ledger.reader
    for number in range(reader.size()):
        body = reader.entry(number).body or b""
        assert secret.encode() not in body
        assert b"hunter22" not in body
