"""The chains of the producers: each counts its statements, and each statement names the one before."""

import re
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from lineal.core.finding import Finding

_PAGE: Final = 2048
# In canonical JSON no text can hold these bytes: a quotation mark inside text is written after a backslash.
_PREV: Final = re.compile(rb',"prev":(?:null|"([0-9a-f]{64})")')
_START: Final = sa.text("SELECT producer, seq, idx, statement, bytes FROM entry ORDER BY producer, seq LIMIT :count")
_NEXT: Final = sa.text(
    "SELECT producer, seq, idx, statement, bytes FROM entry "
    "WHERE (producer, seq) > (:producer, :seq) ORDER BY producer, seq LIMIT :count"
)


def check_producers(connection: sa.Connection) -> Iterator[Finding]:
    """Yield each hole in a producer's numbers, which is no failure of the log, and each broken chain, which is one.

    The columns are believed: the walk over the entries has held them against the bytes.
    """
    producer, seq, digest = None, -1, None
    query = _START
    after: dict[str, object] = {}
    while rows := connection.execute(query, {**after, "count": _PAGE}).all():
        for named, number, idx, statement, data in rows:
            if named != producer:
                producer, seq, digest = named, -1, None
            if number != seq + 1:
                lost = f"number {seq + 1}" if number == seq + 2 else f"numbers {seq + 1} to {number - 1}"
                explanation = f"its {lost} never came: lost on the way, or not sent yet"
                yield Finding(code="producer.gap", about=f"producer {named}", explanation=explanation, failed=False)
            elif (prev := _PREV.search(data)) is None or prev[1] != digest:
                explanation = f"number {number} of producer {named} does not name the statement before it"
                yield Finding(code="producer.chain", about=f"entry {idx}", explanation=explanation)
            seq, digest = number, statement.hex().encode()
        query, after = _NEXT, {"producer": rows[-1][0], "seq": rows[-1][1]}
