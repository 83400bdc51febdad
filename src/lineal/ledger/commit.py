"""The commit protocol: how statements become durable entries of the log.

`commit_batch` is the only function that writes entries. Its steps are numbered; after each stands what a crash at that
point leaves behind.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lineal.core.event import SALT_SIZE, Event, check_entry, stamp
from lineal.core.merkle import Frontier, leaf_hash
from lineal.errors import (
    BadInput,
    ClaimTaken,
    EventConflict,
    InconsistentStore,
    IntegrityError,
    LinealError,
    UsageError,
)
from lineal.ledger import tables
from lineal.ledger.database import Database, insert_rows, select_in

_HEAD: Final = sa.select(tables.head).with_for_update()
_MOVE: Final = tables.head.update().where(tables.head.c.id == 1, tables.head.c.size == sa.bindparam("before"))
_SAME_ID: Final = "SELECT id, seq, idx, statement FROM entry WHERE producer = ? AND id IN ({})"
_SAME_SEQ: Final = "SELECT id, seq, idx, statement FROM entry WHERE producer = ? AND seq IN ({})"
_CLAIMED: Final = "SELECT name FROM claim WHERE name IN ({})"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """The place of an event in the log; `new` is false when the same event stood there already."""

    idx: int
    new: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """An event made ready for the commit: its statement, the bytes and digest of that, and what it commits to."""

    statement: dict[str, Any]
    said: bytes
    digest: bytes
    salt: bytes
    body: bytes

    @property
    def key(self) -> tuple[str, str]:
        """What makes an event the same event: its producer and the producer's name for it."""
        return self.statement["producer"], self.statement["id"]


Group = Sequence[Prepared]
"""Events that are recorded together or not at all: what one call of `append` was given."""

Outcome = list[Receipt] | LinealError


def prepare(event: Event, log: str) -> Prepared:
    """Return `event` ready for the log `log`; raise `UsageError` branches if it can never be an entry of it."""
    statement = event.statement()
    try:
        check_entry(statement, event.said)  # what could not be read back must not be written
        stamp(event.encode(), event.said)  # nor what would be too large
    except IntegrityError as error:
        raise BadInput(f"{error.message}; the event was not recorded") from error
    if len(event.salt) != SALT_SIZE or (event.prev is not None and _DIGEST.fullmatch(event.prev) is None):
        raise BadInput("the salt of an event has 32 bytes and `prev` 64 hex digits; the event was not recorded")
    check_admissible(statement, log)
    return Prepared(statement, event.encode(), bytes.fromhex(event.digest()), event.salt, event.body)


def check_admissible(statement: dict[str, Any], log: str) -> None:
    """Raise `UsageError` branches for a statement of another log than `log`, or with names the tables cannot hold."""
    if statement["log"] != log:
        raise UsageError(f"an event made for the log {statement['log']!r} was sent to {log!r}; it was not recorded")
    claims = statement["claims"]
    if len(set(claims)) != len(claims):
        raise BadInput("an event claims a name once; it was not recorded")
    if any("\0" in text for text in (statement["producer"], statement["id"], *claims)):
        raise BadInput("a name holds the character NUL, which not every database keeps; the event was not recorded")


def commit_batch(database: Database, groups: Sequence[Group], clock: Callable[[], str]) -> list[Outcome]:
    """Append to the log, in one transaction, what of `groups` is not in it yet; return one outcome for each group.

    An event already in the log gives its first receipt again; one that contradicts the log gives its error for its
    group, of which nothing is recorded, and harms no other group. When this returns, everything acknowledged is
    durable. Raises `StoreError` branches and `InconsistentStore`; then nothing at all is recorded.
    """
    with database.writing() as connection:
        # 1. Win the head. Crash here -> nothing happened.
        head = connection.execute(_HEAD).one_or_none()
        if head is None:
            raise InconsistentStore("the ledger has no head row")
        # 2. Tell new events from known ones and from those that contradict the log.
        taken = max(clock(), head.taken)
        outcomes, fresh = _sort_out(connection, groups, head.size)
        if not fresh:
            return outcomes
        # 3. Stage entries, bodies, claims and the new head. Crash here -> the database rolls all of it back.
        frontier = _insert(connection, fresh, Frontier.decode(bytes(head.frontier)), taken)
        moved = connection.execute(
            _MOVE,
            {
                "before": head.size,
                "size": frontier.size,
                "root": frontier.root(),
                "frontier": frontier.encode(),
                "taken": taken,
            },
        )
        if moved.rowcount != 1:
            raise InconsistentStore("the head of the ledger moved under its lock")
        # 4. Commit, with fsync. Crash before it returns -> the events may be in the log but nobody was told so:
        #    sending them again gives their receipts. Crash after -> they are in the log.
    return outcomes


@dataclass(slots=True)
class _Seen:
    """What the log, and the groups accepted before, hold already."""

    known: dict[tuple[str, str], tuple[int, bytes]]
    numbers: set[tuple[str, int]]
    claims: set[str]


def _sort_out(
    connection: sa.Connection, groups: Sequence[Group], size: int
) -> tuple[list[Outcome], list[tuple[int, Prepared]]]:
    everything = [item for group in groups for item in group]
    known, numbers = _known(connection, everything)
    seen = _Seen(known, numbers, _claims(connection, everything))
    outcomes: list[Outcome] = []
    fresh: list[tuple[int, Prepared]] = []
    for group in groups:
        places, new = _judge_group(group, seen, size + len(fresh))
        outcomes.append(places)
        fresh.extend(new)
    return outcomes, fresh


def _judge_group(group: Group, seen: _Seen, size: int) -> tuple[Outcome, list[tuple[int, Prepared]]]:
    within = _Seen({}, set(), set())
    receipts: list[Receipt] = []
    fresh: list[tuple[int, Prepared]] = []
    for item in group:
        found = seen.known.get(item.key) or within.known.get(item.key)
        if found is not None and found[1] == item.digest:
            receipts.append(Receipt(found[0], False))
            continue
        refusal = _refusal(item, found is not None, seen, within)
        if refusal is not None:
            return refusal, []
        idx = size + len(fresh)
        fresh.append((idx, item))
        receipts.append(Receipt(idx, True))
        within.known[item.key] = (idx, item.digest)
        within.numbers.add((item.key[0], item.statement["seq"]))
        within.claims.update(item.statement["claims"])
    seen.known.update(within.known)
    seen.numbers |= within.numbers
    seen.claims |= within.claims
    return receipts, fresh


def _refusal(item: Prepared, differs: bool, *seen: _Seen) -> LinealError | None:
    producer, name = item.key
    if differs:
        return EventConflict(f"producer {producer} sent two different events as {name!r}; the second was not recorded")
    seq = item.statement["seq"]
    if any((producer, seq) in known.numbers for known in seen):
        return EventConflict(f"producer {producer} sent two events as number {seq}; the second was not recorded")
    lost = [claim for claim in item.statement["claims"] if any(claim in known.claims for known in seen)]
    return ClaimTaken(f"already taken: {', '.join(lost)}; nothing was recorded") if lost else None


def _known(
    connection: sa.Connection, batch: Sequence[Prepared]
) -> tuple[dict[tuple[str, str], tuple[int, bytes]], set[tuple[str, int]]]:
    known: dict[tuple[str, str], tuple[int, bytes]] = {}
    used: set[tuple[str, int]] = set()
    by_producer: dict[str, list[Prepared]] = {}
    for item in batch:
        by_producer.setdefault(item.key[0], []).append(item)
    for producer, items in by_producer.items():
        names, numbers = [item.key[1] for item in items], [item.statement["seq"] for item in items]
        for query, values in ((_SAME_ID, names), (_SAME_SEQ, numbers)):
            for name, seq, idx, statement in select_in(connection, query, values, producer):
                known[producer, name] = (idx, bytes(statement))
                used.add((producer, seq))
    return known, used


def _claims(connection: sa.Connection, batch: Sequence[Prepared]) -> set[str]:
    names = [name for item in batch for name in item.statement["claims"]]
    return {row[0] for row in select_in(connection, _CLAIMED, names)}


def _insert(
    connection: sa.Connection, fresh: Sequence[tuple[int, Prepared]], frontier: Frontier, taken: str
) -> Frontier:
    entries: list[tuple[Any, ...]] = []
    bodies: list[tuple[int, bytes, bytes]] = []
    claims: list[tuple[str, int]] = []
    leaves: list[bytes] = []
    for idx, item in fresh:
        data = stamp(item.said, taken)
        producer, name = item.key
        leaves.append(leaf_hash(data))
        entries.append((idx, producer, name, item.statement["seq"], item.digest, leaves[-1], data))
        bodies.append((idx, item.salt, item.body))
        claims.extend((claim, idx) for claim in item.statement["claims"])
    insert_rows(connection, tables.entry, entries)
    insert_rows(connection, tables.body, bodies)
    insert_rows(connection, tables.claim, claims)
    return frontier.extend(leaves)


def create_rows(connection: sa.Connection, properties: dict[str, str], taken: str) -> None:
    """Write the rows of an empty ledger: its `properties` and a head of size 0."""
    connection.execute(tables.ledger.insert(), [{"name": name, "value": value} for name, value in properties.items()])
    empty = Frontier()
    connection.execute(
        tables.head.insert().values(id=1, size=0, root=empty.root(), frontier=empty.encode(), taken=taken)
    )
