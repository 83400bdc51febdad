"""Tickets that were approved and are not any more: what an import and `explain` make of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from commandline import Place, make_place
from test_explain import at, item, span, tell, update

from lineal.app.session import Session
from lineal.change.permission import Act, Target, permit
from lineal.core.change import APPROVED, UNAPPROVED, ChangeApproval
from lineal.wiring import Settings, open_session

HEADER = "ticket,resources,from,to,decided,approver,status"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


def opened(place: Place) -> Any:
    return open_session(Settings(ledger=str(place.folder), actor="tester"))


def changed(session: Session) -> None:
    tell(session, [item("a", 9), item("a", 11, timeoutInMinutes=90)], [update("a", at(10), timeoutInMinutes=90)])
    tell(session, spans=[span(0, 20)])


def take(place: Place, status: str, until: str = "2099-01-01") -> Any:
    (place.folder / "t.csv").write_text(f"{HEADER}\nCHG-8,a,2026-03-03,{until},2026-03-02,cab@bank.example,{status}\n")
    return place.within("approve", "change", "--import", "t.csv", "--json").json()


def verdicts(place: Place) -> list[tuple[str, str]]:
    said = place.within("explain", "--json").json()
    return [(each["verdict"], " ".join(each["notes"])) for each in said["judgements"] if each["subject"] == "change"]


def test_a_ticket_that_was_refused_after_all_allows_nothing(place: Place) -> None:
    with opened(place) as session:
        changed(session)
    take(place, "approved")
    assert [verdict for verdict, _ in verdicts(place)] == [APPROVED]
    told = take(place, "Rejected")
    assert (told["approvals"], told["new"], told["passed"]) == ([], ["CHG-8"], 1)
    assert told["notes"] == ["CHG-8 is rejected: withdrawn as of 2026-03-03T00:00:00.000000Z"]
    ((verdict, notes),) = verdicts(place)
    assert verdict == UNAPPROVED
    assert "CHG-8 was withdrawn" in notes
    assert take(place, "Rejected")["new"] == []
    rows = place.within("timeline", "a", "--kind", "window", "--json").json()["rows"]
    assert "withdrawn as of" in rows[0]["what"]
    assert take(place, "approved")["new"] == ["CHG-8"]  # the last word holds
    assert [verdict for verdict, _ in verdicts(place)] == [APPROVED]


def test_a_ticket_that_was_closed_still_allows_what_was_done_before(place: Place) -> None:
    with opened(place) as session:
        changed(session)
    take(place, "approved")
    told = take(place, "closed")
    assert told["new"] == ["CHG-8"]
    assert [verdict for verdict, _ in verdicts(place)] == [APPROVED]
    with opened(place) as session:
        (held,) = session.configuration.approvals()
    assert held.withdrawn > held.not_before
    assert take(place, "closed")["new"] == []


def test_a_ticket_whose_window_is_over_is_not_taken_back(place: Place) -> None:
    take(place, "approved", until="2026-03-04")
    assert take(place, "closed", until="2026-03-04")["new"] == []


def test_who_withdraws_needs_no_more_than_identifier_and_status(place: Place) -> None:
    asked = ("--ticket", "CHG-9", "--reason", "r", "--to", "2099-01-01", "--as", "bo@bank.example", "--json")
    name = place.within("approve", "change", "a", *asked).json()["new"][0]
    (place.folder / "back.csv").write_text(f"id,status\n{name},withdrawn\n")
    assert place.within("approve", "change", "--import", "back.csv", "--json").json()["new"] == [name]
    (place.folder / "back.json").write_text(json.dumps([{"id": "CHG-77", "status": "withdrawn"}]))
    assert place.within("approve", "change", "--import", "back.json", "--json").json()["new"] == []


def test_a_ticket_alone_withdraws_every_approval_that_was_imported_of_it(place: Place) -> None:
    asked = ("--ticket", "CHG-8", "--reason", "r", "--to", "2099-01-01", "--as", "bo@bank.example", "--json")
    place.within("approve", "change", "a", *asked)
    row = "CHG-8,a,2026-03-03,2099-01-01,2026-03-02,cab@bank.example,approved"
    (place.folder / "t.csv").write_text(f"id,{HEADER}\none,{row}\ntwo,{row}\nthree,{row.replace('8', '9', 1)}\n")
    assert len(place.within("approve", "change", "--import", "t.csv", "--json").json()["new"]) == 3
    (place.folder / "back.csv").write_text("ticket,status\nCHG-8,rejected\n")
    told = place.within("approve", "change", "--import", "back.csv", "--json").json()
    assert (told["new"], len(told["notes"])) == (["one", "two"], 2)
    (place.folder / "back.csv").write_text("id,ticket,status\nfour,CHG-9,rejected\n")
    assert place.within("approve", "change", "--import", "back.csv", "--json").json()["new"] == []


def test_a_key_of_json_that_stands_twice_is_refused(place: Place) -> None:
    rest = '"ticket": "A", "from": "2026-01-01", "to": "2026-01-02", "decided": "2026-01-01", "approver": "c"'
    (place.folder / "t.json").write_text(f'[{{"resources": ["a"], {rest}, "resources": ["*"]}}]')
    done = place.within("approve", "change", "--import", "t.json")
    assert done.status == 2
    assert "stands twice" in done.err


def test_one_ticket_with_two_states_is_refused(place: Place) -> None:
    rows = [f"CHG-8,a,2026-03-03,2026-03-04,2026-03-02,cab@bank.example,{each}" for each in ("approved", "rejected")]
    for each in (rows, rows[::-1]):
        (place.folder / "t.csv").write_text("\n".join([HEADER, *each]))
        done = place.within("approve", "change", "--import", "t.csv")
        assert (done.status, "is also that of" in done.err) == (2, True)
    for said in ("rejected", "closed"), ("closed", "rejected"):  # the one takes it back from the beginning
        (place.folder / "t.csv").write_text("ticket,status\nCHG-8,{}\nCHG-8,{}\n".format(*said))
        done = place.within("approve", "change", "--import", "t.csv")
        assert (done.status, f"is {said[1]}, and {said[0]} in row 2" in " ".join(done.err.split())) == (2, True)


@pytest.mark.parametrize(("hour", "allowed"), [(9, True), (10, False), (11, False)])
def test_an_approval_allows_what_was_done_before_it_was_withdrawn(hour: int, *, allowed: bool) -> None:
    approval = ChangeApproval(
        id="A", resources=("a",), not_before=at(0), not_after=at(20), decided=at(0), approver="bo", withdrawn=at(10)
    )
    act = Act(update("a", at(hour), timeoutInMinutes=90))
    answer = permit(approval, act, Target(key="AWS::CodeBuild::Project/a", type="AWS::CodeBuild::Project", path=()))
    assert answer.allowed is allowed
