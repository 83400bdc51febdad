"""The walk over every entry of a log, with the rows that stand beside it: bodies and claims."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from lineal.core import canonical
from lineal.core.event import check_body, decode_entry, statement_digest
from lineal.core.finding import Finding
from lineal.core.merkle import Frontier, leaf_hash
from lineal.errors import IntegrityError, NotCanonical

ERASED: Final = "body.erased/1"
CREATED: Final = "ledger.created/1"

_PAGE: Final = 2048
_BODIES_PAGE: Final = 32  # a body may have 16 MiB
_FIRST: Final = -(2**63)
# Plain SQL, so that rows come as the driver gives them: a value of the wrong type is a finding and not an exception.
_ENTRIES: Final = sa.text(
    "SELECT idx, producer, id, seq, statement, leaf, bytes FROM entry WHERE idx > :after ORDER BY idx LIMIT :count"
)
_BODIES: Final = sa.text("SELECT idx, salt, bytes FROM body WHERE idx > :after AND idx <= :upto ORDER BY idx")
_CLAIMS: Final = sa.text("SELECT name, idx FROM claim WHERE idx > :after AND idx <= :upto")
_BEYOND: Final = (
    ("body.extra", sa.text("SELECT idx FROM body WHERE idx > :after OR idx < 0")),
    ("claim.extra", sa.text("SELECT name FROM claim WHERE idx > :after OR idx < 0")),
)

Take = Callable[[Sequence[bytes], Sequence[bytes]], Iterator[Finding]]
"""Is given the bytes and the leaf hashes of the entries that come next."""


@dataclass(slots=True)
class Walk:
    """What was seen of the log: its entries' number and compact range, also at each of the sizes `marks`.

    `first` is when the first entry was said, `taken` when the last was taken. `whole` is false after a row whose place
    is not known: nothing that depends on places is checked from there on.
    """

    origin: str
    marks: set[int]
    take: Take
    on_progress: Callable[[int], None]
    frontier: Frontier = field(default_factory=Frontier)
    at: dict[int, Frontier] = field(default_factory=dict)
    first: str = ""
    taken: str = ""
    whole: bool = True
    created: dict[str, Any] | None = None
    missing: set[int] = field(default_factory=set)
    erased: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Page:
    """Consecutive entries: their indexes, the statements that could be read, their bytes and leaf hashes."""

    indexes: list[int] = field(default_factory=list)
    statements: dict[int, dict[str, Any]] = field(default_factory=dict)
    data: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)


def walk_entries(connection: sa.Connection, walk: Walk) -> Iterator[Finding]:
    """Yield what does not hold of the entries, bodies and claims in the database; fill `walk` on the way."""
    after = _FIRST
    while rows := connection.execute(_ENTRIES, {"after": after, "count": _PAGE}).all():
        page = _Page()
        for row in rows:
            if type(row[0]) is not int:
                walk.whole = False
                yield _fault("entry.index", f"entry {row[0]!r}", "its index is not a number; the rest was not read")
                return
            yield from _walk_row(walk, page, row)
        yield from _check_bodies(connection, walk, page, after)
        yield from _check_claims(connection, page, after, rows[-1][0])
        if walk.whole:
            _extend(walk, page.leaves)
            yield from walk.take(page.data, page.leaves)
        after = rows[-1][0]
        walk.on_progress(walk.frontier.size)
    for code, query in _BEYOND:
        for row in connection.execute(query, {"after": max(after, -1)}):
            yield _fault(code, f"{code.split('.')[0]} {row[0]}", "a row for an entry that does not exist")
    yield from _judge_missing(walk)


def _walk_row(walk: Walk, page: _Page, row: Sequence[Any]) -> Iterator[Finding]:
    idx, about = row[0], f"entry {row[0]}"
    expected = walk.frontier.size + len(page.indexes)
    page.indexes.append(idx)
    if walk.whole and idx != expected:
        walk.whole = False
        lost = f"entries {expected} to {idx - 1} are missing" if idx > expected else "an entry before the first"
        yield _fault("entry.missing", about, f"{lost}; no root can be computed from here on")
    data = row[6] if type(row[6]) is bytes else b""
    page.data.append(data)
    page.leaves.append(leaf_hash(data))
    try:
        statement, taken = decode_entry(data)
    except IntegrityError as error:
        yield _fault("entry.malformed", about, error.message)
        return
    page.statements[idx] = statement
    said = (
        statement["producer"],
        statement["id"],
        statement["seq"],
        bytes.fromhex(statement_digest(statement)),
        page.leaves[-1],
    )
    for name, found, wanted in zip(("producer", "id", "seq", "statement", "leaf"), row[1:6], said, strict=True):
        if type(found) is not type(wanted) or found != wanted:
            yield _fault("entry.column", about, f"the column {name} is not what the bytes of the entry say")
    walk.first = walk.first or statement["said"]
    if statement["log"] != walk.origin:
        yield _fault("entry.origin", about, f"it was made for the log {statement['log']!r}")
    if taken < walk.taken:
        yield _fault("entry.time", about, f"it was taken at {taken}, before the entry that precedes it")
    walk.taken = max(walk.taken, taken)


def _extend(walk: Walk, leaves: Sequence[bytes]) -> None:
    start = walk.frontier.size
    for mark in sorted(mark for mark in walk.marks if start < mark <= start + len(leaves)):
        walk.frontier = walk.frontier.extend(leaves[walk.frontier.size - start : mark - start])
        walk.at[mark] = walk.frontier
    walk.frontier = walk.frontier.extend(leaves[walk.frontier.size - start :])


def _check_bodies(connection: sa.Connection, walk: Walk, page: _Page, after: int) -> Iterator[Finding]:
    for start in range(0, len(page.indexes), _BODIES_PAGE):
        part = page.indexes[start : start + _BODIES_PAGE]
        without = set(part)
        for idx, salt, body in connection.execute(_BODIES, {"after": after, "upto": part[-1]}):
            if idx not in without:
                yield _fault("body.extra", f"body {idx}", "a body for an entry that does not exist, or a second one")
                continue
            without.remove(idx)
            if idx in page.statements:
                yield from _check_one_body(walk, idx, page.statements[idx], salt, body)
        walk.missing |= without
        after = part[-1]


def _check_one_body(walk: Walk, idx: int, statement: dict[str, Any], salt: object, body: object) -> Iterator[Finding]:
    if type(salt) is not bytes or type(body) is not bytes:
        yield _fault("body.changed", f"entry {idx}", "its salt or body is not stored as bytes")
        return
    try:
        check_body(statement, salt, body)
        document = canonical.decode(body)
    except (IntegrityError, NotCanonical) as error:
        yield _fault("body.changed", f"entry {idx}", error.message)
        return
    data = document.get("data") if isinstance(document, dict) else None
    if statement["type"] == CREATED and idx == 0:
        walk.created = data if isinstance(data, dict) else None
    if statement["type"] == ERASED:
        named = data.get("entries") if isinstance(data, dict) else None
        if not isinstance(named, list) or not all(type(item) is int for item in named):
            yield _fault("erasure.malformed", f"entry {idx}", "it does not list the entries whose bodies it erases")
        else:
            walk.erased.update(dict.fromkeys(named, idx))


def _check_claims(connection: sa.Connection, page: _Page, after: int, upto: int) -> Iterator[Finding]:
    found: dict[int, list[Any]] = {}
    for name, idx in connection.execute(_CLAIMS, {"after": after, "upto": upto}):
        found.setdefault(idx, []).append(name)
    for idx, statement in page.statements.items():
        rows, said = found.pop(idx, []), statement["claims"]
        if len(set(said)) != len(said):
            yield _fault("claim.twice", f"entry {idx}", "it claims the same name twice")
        for name in sorted(set(said) - set(rows)):
            yield _fault("claim.missing", f"entry {idx}", f"its claim {name!r} has no row: another could take the name")
        for name in set(rows) - set(said):
            yield _fault("claim.extra", f"entry {idx}", f"a row claims {name!r} for it, which it does not say")
    for idx in found:
        yield _fault("claim.extra", f"entry {idx}", "rows claim names for an entry that cannot be read")


def _judge_missing(walk: Walk) -> Iterator[Finding]:
    size = walk.frontier.size
    for idx in sorted(walk.missing | walk.erased.keys()):
        by = walk.erased.get(idx)
        if by is None:
            yield _fault("body.missing", f"entry {idx}", "its body is gone, and no entry says that it was erased")
        elif walk.whole and not 0 <= idx < size:
            yield _fault("erasure.malformed", f"entry {by}", f"it erases the body of entry {idx}, which does not exist")
        elif idx in walk.missing:
            explanation = f"its body was erased, as entry {by} says"
            yield Finding(code="body.erased", about=f"entry {idx}", explanation=explanation, failed=False)
        else:
            yield _fault("body.kept", f"entry {idx}", f"entry {by} erases its body, which is still there: erase again")


def _fault(code: str, about: str, explanation: str) -> Finding:
    return Finding(code=code, about=about, explanation=explanation)
