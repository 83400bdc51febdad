"""The SQLite file itself: sound pages and indexes, and the schema of a fresh ledger."""

from collections.abc import Iterator
from functools import cache

import sqlalchemy as sa

from lineal.core.finding import Finding
from lineal.ledger import tables

_SCHEMA = sa.text("SELECT type, name, tbl_name, sql FROM sqlite_master")


def check_schema(connection: sa.Connection) -> Iterator[Finding]:
    """Yield what SQLite finds wrong with its file, and what of the schema is not that of a fresh ledger."""
    for (line,) in connection.exec_driver_sql("PRAGMA integrity_check(20)").all():
        if line != "ok":
            yield Finding(code="database.damaged", about="the database file", explanation=str(line))
    found = {tuple(row) for row in connection.execute(_SCHEMA)}
    for row in sorted(found ^ _fresh(), key=repr):
        state = "is not part of a ledger" if row in found else "is missing or was changed"
        yield Finding(code="database.schema", about=f"{row[0]} {row[1]}", explanation=f"the {row[0]} {row[1]} {state}")


@cache
def _fresh() -> frozenset[tuple[str | None, ...]]:
    engine = sa.create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            tables.metadata.create_all(connection)
            return frozenset(tuple(row) for row in connection.execute(_SCHEMA))
    finally:
        engine.dispose()
