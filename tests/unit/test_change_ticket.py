"""Approvals of changes: given by hand, or read from exports of tickets, whole or not at all."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle import Team, team_in
from lineal.app.approve_change import Scope, approve_change, import_approvals
from lineal.app.change_ticket import COLUMNS, read_tickets
from lineal.core import timestamp
from lineal.core.digest import Digest
from lineal.errors import BadInput, LinealError, Refused

ROW = {
    "ticket": "CHG-7", "resources": "scorer; AWS::SageMaker::Endpoint/b", "from": "2026-03-03T20:00:00Z",
    "to": "2026-03-03 22:00", "decided": "2026-03-02", "approver": "cab@bank.example",
}  # fmt: skip


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with team_in(tmp_path) as found:
        yield found


def csv_of(*rows: dict[str, str], delimiter: str = ",") -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([row.get(name, "") for name in names] for row in rows)]
    return "\n".join(delimiter.join(f'"{each}"' for each in line) for line in lines).encode()


def test_a_row_becomes_an_approval() -> None:
    more = {
        "Requested By": "ana", "field": "EndpointConfigName|tags", "actions": "sagemaker:*", "reason": " a \n b",
        "retroactive": "Yes", "type": "AWS::SageMaker::Endpoint", "principals": "deploy",
    }  # fmt: skip
    row = {**ROW, **more}
    row["Approved-At"] = row.pop("decided")
    (made,) = read_tickets(csv_of(row), "t.csv").approvals
    assert (made.id, made.ticket, made.requester) == ("CHG-7", "CHG-7", "ana")
    assert made.resources == ("scorer", "AWS::SageMaker::Endpoint/b")
    assert (made.fields, made.actions, made.types) == (
        ("EndpointConfigName", "tags"), ("sagemaker:*",), ("AWS::SageMaker::Endpoint",),
    )  # fmt: skip
    assert (made.not_before, made.not_after) == ("2026-03-03T20:00:00.000000Z", "2026-03-03T22:00:00.000000Z")
    assert (made.decided, made.reason, made.retroactive) == ("2026-03-02T00:00:00.000000Z", "a b", True)
    assert made.digest == str(Digest.of(csv_of(row)))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_of_any_office_is_read(delimiter: str) -> None:
    data = b"\xef\xbb\xbf" + csv_of(ROW, {**ROW, "ticket": "CHG-8"}, delimiter=delimiter).replace(b"\n", b"\r\n")
    assert [each.id for each in read_tickets(data, "T.CSV").approvals] == ["CHG-7", "CHG-8"]


def test_json_is_read_with_lists_and_texts() -> None:
    row: dict[str, Any] = {**ROW, "resources": ["a", "b"], "retroactive": True, "requester": None}
    for document in ([row], {"tickets": [row]}, {"approvals": [row]}, {"changes": [row]}):
        (made,) = read_tickets(json.dumps(document).encode(), "t.json").approvals
        assert (made.resources, made.retroactive) == (("a", "b"), True)


def test_an_arn_means_the_key_and_a_pattern_stays() -> None:
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/Scorer"
    (made,) = read_tickets(csv_of({**ROW, "resources": f"{arn};{arn[:-2]}*"}), "t.csv").approvals
    assert made.resources == (arn.lower(), f"{arn[:-2]}*")


def test_tickets_that_are_not_approved_are_left_out_and_counted() -> None:
    rows = [
        {**ROW, "ticket": f"CHG-{n}", "status": each} for n, each in enumerate(("Approved", "open", "REJECTED", ""))
    ]
    made = read_tickets(csv_of(*rows), "t.csv")
    assert ([each.id for each in made.approvals], made.passed) == (["CHG-0", "CHG-3"], 2)


@pytest.mark.parametrize(
    ("more", "column"),
    [
        ({"ticket": ""}, "ticket"),
        ({"approver": " "}, "approver"),
        ({"from": ""}, "from"),
        ({"to": ""}, "to"),
        ({"decided": ""}, "decided"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2h ago"}, "to"),
        ({"decided": "now"}, "decided"),
        ({"to": "2026-03-03T20:00:00Z"}, "to"),
        ({"resources": ""}, "resources"),
        ({"requester": "CAB@bank.example "}, "approver"),
        ({"retroactive": "perhaps"}, "retroactive"),
        ({"reason": "x" * 2000}, "reason"),
        ({"ticket": "a\x1b[31m"}, "ticket"),
        ({"Field": "a", "fields": "b"}, "fields"),
        ({"feilds": "EndpointConfigName"}, "feilds"),
    ],
)
def test_a_bad_row_is_named_with_its_column(more: dict[str, str], column: str) -> None:
    good, bad = {**ROW, "ticket": "CHG-1"}, {**ROW, **more}
    with pytest.raises(BadInput) as caught:
        read_tickets(csv_of(good, bad), "t.csv")
    assert f"column {column}:" in caught.value.message
    assert ("row 2" if column == "feilds" else "row 3") in caught.value.message
    assert "nothing was recorded" in caught.value.message


def test_every_bad_row_is_named_up_to_a_number_and_a_double_with_its_twin() -> None:
    rows = [{**ROW, "ticket": f"CHG-{n}", "approver": ""} for n in range(30)]
    with pytest.raises(BadInput, match="and 10 more"):
        read_tickets(csv_of(*rows), "t.csv")
    with pytest.raises(BadInput, match="'CHG-7' is also that of row 2"):
        read_tickets(csv_of(ROW, ROW), "t.csv")
    unique = {**ROW, "id": "CHG-7/2"}
    assert len(read_tickets(csv_of(ROW, unique), "t.csv").approvals) == 2


def test_columns_that_say_nothing_are_ignored_by_name_only() -> None:
    data = csv_of({**ROW, "Risk Class": "low"})
    with pytest.raises(BadInput, match="Risk Class: is not known"):
        read_tickets(data, "t.csv")
    assert read_tickets(data, "t.csv", ignore=["risk class"]).approvals
    assert "fields" in COLUMNS


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n\n", b"\xff\xfe", b"\x00", b'ticket,resources\n"a', b"ticket\na,b\n", b'a"b,c\n"x"y,z\n',
        b"ticket,resources\n" + b"x" * 200_000 + b",y\n",
    ],
)  # fmt: skip
def test_what_is_no_csv_is_refused(data: bytes) -> None:
    with pytest.raises(LinealError):
        read_tickets(data, "t.csv")


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'{"a": 1}', b"[[]]", b'[{"ticket": 7}]', b"[" * 100_000, b"NaN"])
def test_what_is_no_list_of_tickets_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_tickets(data, "t.json")


def test_an_export_is_recorded_once_and_kept(team: Team, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(csv_of(ROW, {**ROW, "ticket": "CHG-8"}))
    made = import_approvals(team.session, file, os_user="tester")
    assert (len(made.approvals), len(made.new), made.notes) == (2, 2, ())
    assert team.session.objects.read(Digest.parse(made.new[0].digest)) == file.read_bytes()
    size = team.session.ledger.reader.size()
    assert import_approvals(team.session, file).new == ()
    assert team.session.ledger.reader.size() == size
    # A later export with one more ticket, and one that says something else now.
    file.write_bytes(csv_of({**ROW, "to": "2026-03-04"}, {**ROW, "ticket": "CHG-8"}, {**ROW, "ticket": "CHG-9"}))
    again = import_approvals(team.session, file)
    assert [each.id for each in again.new] == ["CHG-7", "CHG-9"]
    assert "the last holds" in again.notes[0]
    held = {each.id: each for each in team.session.configuration.approvals()}
    assert sorted(held) == ["CHG-7", "CHG-8", "CHG-9"]
    assert held["CHG-7"].not_after == "2026-03-04T00:00:00.000000Z"


def test_a_bad_export_records_nothing(team: Team, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(csv_of(ROW, {**ROW, "ticket": ""}))
    size = team.session.ledger.reader.size()
    for path in (file, tmp_path / "none.csv", tmp_path):
        with pytest.raises(BadInput):
            import_approvals(team.session, path)
    assert team.session.ledger.reader.size() == size


def test_secrets_of_a_reason_are_cut(team: Team, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(csv_of({**ROW, "reason": "use password=hunter22hunter22 please"}))
    assert "hunter22" not in import_approvals(team.session, file).new[0].reason


def approve(team: Team, *resources: str, **more: Any) -> Any:
    said = {"ticket": "CHG-7", "reason": "release", "not_before": "2026-03-03T20:00:00.000000Z"}
    scope = Scope(resources=resources, **{name: more.pop(name) for name in ("fields", "types") if name in more})
    return approve_change(team.session, scope, **{**said, "not_after": "2099-01-01T00:00:00.000000Z", **more})


def test_an_approval_by_hand_says_who_and_when(team: Team) -> None:
    made = approve(team, "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/Scorer", "other*", requester="ana")
    (held,) = team.session.configuration.approvals()
    assert made.new == (held,)
    assert (held.approver, held.requester, held.ticket) == (team.session.actor, "ana", "CHG-7")
    assert held.resources == ("arn:aws:sagemaker:eu-west-1:123456789012:endpoint/scorer", "other*")
    assert timestamp.check(held.decided) <= team.session.clock()
    assert any("not allowed by it" in note for note in made.notes)
    assert any("no resource on record" in note for note in made.notes)


def test_approving_ones_own_request_is_refused(team: Team) -> None:
    size = team.session.ledger.reader.size()
    with pytest.raises(Refused):
        approve(team, "scorer", requester=f" {team.session.actor.upper()}")
    assert team.session.ledger.reader.size() == size


@pytest.mark.parametrize(
    "more",
    [
        {"ticket": " "},
        {"reason": ""},
        {"not_after": "2026-03-03T20:00:00.000000Z"},
        {"not_after": "2026-03-03T21:00:00.000000Z"},  # over, and not said to be meant
        {"fields": ("",)},
        {"fields": ("a\x00",)},
    ],
)
def test_what_cannot_be_approved(team: Team, more: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        approve(team, "scorer", **more)
    with pytest.raises(BadInput):
        approve(team)
    assert team.session.configuration.approvals() == []


def test_the_past_can_be_approved_if_that_is_said(team: Team) -> None:
    made = approve(team, types=("AWS::*",), not_after="2026-03-03T21:00:00.000000Z", retroactive=True)
    assert made.new[0].retroactive
    assert made.notes == ()
