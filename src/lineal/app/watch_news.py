"""What was concluded since a place in the log that somebody should hear of."""

import json
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from lineal.app.session import Session
from lineal.catalog import tables
from lineal.core.change import NOT_OBSERVABLE, UNAPPROVED, UNEXPLAINED
from lineal.core.conclusion import NON_COMPLIANT, read_conclusion

ALARMING: Final = (UNEXPLAINED, UNAPPROVED, NOT_OBSERVABLE)


@dataclass(frozen=True, slots=True)
class News:
    """One thing to hear of: a verdict or the state of a rule (`word`), of which resource, and why."""

    word: str
    resource: str
    why: str
    about: str

    @property
    def line(self) -> str:
        """It all in one line."""
        return f"{self.word} {self.resource}: {self.why}"


def read_news(session: Session, start: int, end: int) -> list[News]:
    """Return what the entries from `start` up to `end` conclude that is alarming, and was not concluded before."""
    session.catch_up()
    with session.catalog_database.reading() as connection:
        return [*_verdicts(connection, start, end), *_conclusions(connection, start, end)]


def _verdicts(connection: sa.Connection, start: int, end: int) -> list[News]:
    table = tables.judgement.c
    query = sa.select(table.about, table.resource, table.verdict, table.document)
    new = query.where(table.idx >= start, table.idx < end).order_by(table.idx, table.n)
    last = {row.about: row for row in connection.execute(new)}
    found: list[News] = []
    for row in last.values():
        if row.verdict not in ALARMING:
            continue
        before = sa.select(table.verdict).where(table.about == row.about, table.idx < start)
        held = connection.execute(before.order_by(table.idx.desc(), table.n.desc()).limit(1)).scalar()
        document: dict[str, Any] = json.loads(row.document)
        if held != row.verdict and "withdrawn" not in document.get("notes", ()):
            found.append(News(row.verdict, row.resource, str(document.get("why", "")), row.about))
    return found


def _conclusions(connection: sa.Connection, start: int, end: int) -> list[News]:
    table = tables.conclusion.c
    query = sa.select(table.rule, table.resource, table.state, table.document)
    new = query.where(table.idx >= start, table.idx < end).order_by(table.idx, table.n)
    last = {(row.rule, row.resource): row for row in connection.execute(new)}
    found: list[News] = []
    for row in last.values():
        if row.state != NON_COMPLIANT:
            continue
        before = sa.select(table.state).where(table.rule == row.rule, table.resource == row.resource, table.idx < start)
        held = connection.execute(before.order_by(table.idx.desc(), table.n.desc()).limit(1)).scalar()
        if held != row.state:
            concluded = read_conclusion(json.loads(row.document))
            found.append(News(f"{row.state} {row.rule}", row.resource, concluded.explanation, row.rule))
    return found
