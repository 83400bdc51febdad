"""Change tickets: approvals in an export of another system, CSV or JSON; docs/howto/change-approvals.md lists fields.

A file is taken whole or not at all: every row that cannot be taken is named, with the column at fault.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from lineal.change.permission import spell_pattern, spellings
from lineal.core import timestamp
from lineal.core.change import ChangeApproval
from lineal.core.digest import Digest
from lineal.core.redaction import redact
from lineal.errors import BadInput, BadTime

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_ROWS: Final = 100_000
_MOST_FAULTS: Final = 20
_LONGEST: Final = 1024
_LISTS: Final = ("resources", "types", "fields", "actions", "principals")
_TEXTS: Final = ("id", "ticket", "approver", "requester", "reason", "status")
_MOMENTS: Final = ("from", "to", "decided")
COLUMNS: Final = (*_TEXTS, *_LISTS, *_MOMENTS, "retroactive")
_NEEDED: Final = ("ticket", "approver", "from", "to", "decided")
_ALSO: Final = {
    "not_before": "from", "start": "from", "not_after": "to", "end": "to", "approved_by": "approver",
    "requested_by": "requester", "approved_at": "decided", "resource": "resources", "type": "types",
    "field": "fields", "action": "actions", "principal": "principals",
}  # fmt: skip
_APPROVED: Final = "approved"
_PARTS: Final = re.compile(r"[;|,\n]")
_UNKNOWN: Final = f"is not known (known are {', '.join(COLUMNS)})"
_YES, _NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0", ""})


@dataclass(frozen=True, slots=True)
class Tickets:
    """The approvals of a file, whose digest stands in each; `passed` says how many rows are of no approved ticket.

    `denied` are the tickets among those, by identifier, with what each says its status is.
    """

    approvals: tuple[ChangeApproval, ...]
    digest: str
    passed: int
    denied: Mapping[str, str] = field(default_factory=dict)


class _Fault(Exception):  # it never leaves this module
    """A value that cannot be taken: the column, and why."""

    def __init__(self, column: str, why: str) -> None:
        super().__init__(why)
        self.column = column


def read_tickets(data: bytes, name: str, *, ignore: Sequence[str] = ()) -> Tickets:
    """Return the approvals in the bytes of the file called `name` (``.json``, else CSV).

    Columns that are not known are refused unless they are among `ignore`: one that is misspelled would make an approval
    wider than it is. Raises `BadInput`, which names up to twenty rows and columns at fault.
    """
    if len(data) > MOST_BYTES:
        raise BadInput(f"{name}: {len(data):,} bytes are too many (at most {MOST_BYTES:,})")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name}: byte {error.start} is not UTF-8", fix="Export the tickets as UTF-8.") from error
    rows = list(_json_rows(text, name) if name.lower().endswith(".json") else _csv_rows(text, name))
    if len(rows) > MOST_ROWS:
        raise BadInput(f"{name}: {len(rows):,} rows are too many (at most {MOST_ROWS:,})")
    digest = str(Digest.of(data))
    ignored = frozenset(map(_column, ignore))
    faults = [f"{where}, column {column}: {_UNKNOWN}" for column, where in _unknown(rows, ignored).items()]
    if faults:
        _refuse(name, faults)
    found: dict[str, tuple[str, ChangeApproval]] = {}
    denied: dict[str, tuple[str, str]] = {}
    passed = 0
    for where, row in rows:
        try:
            values = _values(row, ignored)
            name, status = _name(values), _text("status", values.get("status")).lower()
            if name and name in found:
                raise _Fault("id", f"{name!r} is also that of {found[name][0]}")
            if not status or status == _APPROVED:
                approval = _read_row(values, digest)
                if approval.id in denied:
                    raise _Fault("id", f"{approval.id!r} is also that of {denied[approval.id][0]}")
                found[approval.id] = (where, approval)
                continue
            passed += 1
            if name and denied.setdefault(name, (where, status))[1] != status:
                raise _Fault("id", f"{name!r} is {status}, and {denied[name][1]} in {denied[name][0]}")
        except _Fault as fault:
            faults.append(f"{where}, column {fault.column}: {fault}")
    if faults:
        _refuse(name, faults)
    said = {name: status for name, (_, status) in denied.items()}
    return Tickets(tuple(approval for _, approval in found.values()), digest, passed, said)


def _refuse(name: str, faults: list[str]) -> NoReturn:
    more = f"; and {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else ""
    raise BadInput(
        f"{name}: {'; '.join(faults[:_MOST_FAULTS])}{more}; nothing was recorded",
        fix="Correct the rows named, or leave columns out with --ignore COLUMN.",
    )


def _unknown(rows: Sequence[tuple[str, Mapping[str, Any]]], ignored: frozenset[str]) -> dict[str, str]:
    """Return the columns that are not known, with the first row that has each."""
    found: dict[str, str] = {}
    for where, row in rows:
        for name in row:
            column = _column(str(name))
            if column not in COLUMNS and column not in ignored:
                found.setdefault(str(name)[:100], where)
    return found


def _csv_rows(text: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not text.strip():
        raise BadInput(f"{name} is empty")
    first = text.lstrip().splitlines()[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [each.strip() for each in next(reader)]
        columns = set(map(_column, header))
        lacking = [each for each in _NEEDED if each not in columns]
        if lacking and not ("status" in columns and columns & {"id", "ticket"}):  # a list of withdrawals says no more
            raise BadInput(f"{name}: row 1 names no column {', '.join(lacking)}")
        for values in reader:
            if not any(each.strip() for each in values):
                continue
            where = f"row {reader.line_num}"
            if len(values) != len(header):
                raise BadInput(f"{name}: {where} has {len(values)} values for {len(header)} columns")
            yield where, dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise BadInput(f"{name}: row {reader.line_num} is not CSV: {error}") from error


def _json_rows(text: str, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except _Fault as fault:
        raise BadInput(f"{name}: the key {fault.column[:100]!r} {fault} in one object") from fault
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name} is not JSON: {error}") from error
    if isinstance(document, dict):
        document = next((document[each] for each in ("approvals", "tickets", "changes") if each in document), None)
    if not isinstance(document, list):
        raise BadInput(f"{name} is no list of tickets", fix='Write [{"ticket": …}, …] or {"tickets": […]}.')
    for number, row in enumerate(document, 1):
        if not isinstance(row, dict):
            raise BadInput(f"{name}: ticket {number} is no object")
        yield f"ticket {number}", row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; raise `_Fault` for a key that stands twice: which of the two holds, nobody knows."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Fault(name, "stands twice")
        found[name] = value
    return found


def _column(name: str) -> str:
    plain = re.sub(r"[\s-]+", "_", name.strip().lower())
    return _ALSO.get(plain, plain)


def _values(row: Mapping[str, Any], ignored: frozenset[str]) -> dict[str, Any]:
    """Return what a row says, by column; raise `_Fault` for a column that stands twice."""
    values: dict[str, Any] = {}
    for name, value in row.items():
        column = _column(str(name))
        if column in ignored:
            continue
        if column in values:
            raise _Fault(column, "stands twice")
        values[column] = value
    return values


def _name(values: Mapping[str, Any]) -> str:
    return _text("id", values.get("id")) or _text("ticket", values.get("ticket"))


def _read_row(values: Mapping[str, Any], digest: str) -> ChangeApproval:
    """Return the approval that a row with these `values` is; raise `_Fault`."""
    for column in _NEEDED:
        if not _text(column, values.get(column)):
            raise _Fault(column, "is empty")
    texts = {column: _text(column, values.get(column)) for column in _TEXTS}
    lists = {column: _list(column, values.get(column)) for column in _LISTS}
    moments = {column: _moment(column, values[column]) for column in _MOMENTS}
    if not lists["resources"] and not lists["types"]:
        raise _Fault("resources", "is empty, and so is types: write * for every resource")
    if moments["to"] <= moments["from"]:
        raise _Fault("to", f"{moments['to']} is not after {moments['from']}")
    if texts["requester"] and spellings(texts["requester"]) & spellings(texts["approver"]):
        raise _Fault("approver", f"{texts['approver']} approved what they asked for themselves")
    return ChangeApproval(
        id=texts["id"] or texts["ticket"],
        ticket=texts["ticket"],
        **{**lists, "resources": tuple(spell_pattern(each) for each in lists["resources"])},
        not_before=moments["from"],
        not_after=moments["to"],
        decided=moments["decided"],
        approver=texts["approver"],
        requester=texts["requester"],
        reason=redact(texts["reason"])[0],
        retroactive=_flag("retroactive", values.get("retroactive")),
        digest=digest,
        withdrawn="",
    )


def _text(column: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Fault(column, f"is no text: {str(value)[:60]}")
    text = " ".join(value.split()) if column == "reason" else value.strip()
    if len(text) > _LONGEST or not text.isprintable():
        raise _Fault(column, f"holds control characters or is over {_LONGEST} characters long")
    return text


def _list(column: str, value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list) else _PARTS.split(value) if isinstance(value, str) else [value]
    return tuple(dict.fromkeys(found for each in given if (found := _text(column, each))))


def _moment(column: str, value: Any) -> str:
    text = _text(column, value)
    try:
        if text == "now" or text.endswith("ago"):
            raise BadTime(f"not a moment in time: {text!r}")
        return timestamp.read(text, datetime(2000, 1, 1, tzinfo=UTC))
    except BadTime as error:
        raise _Fault(column, error.message) from error


def _flag(column: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = _text(column, value).lower()
    if text not in _YES | _NO:
        raise _Fault(column, f"{text!r} is neither yes nor no")
    return text in _YES
