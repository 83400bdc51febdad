"""The tables of the ledger, the same on every database."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

FORMAT: Final = 1

metadata: Final = MetaData()

# SQLite makes an INTEGER key, and no other, the number of the row itself: any other has a B-tree of its own besides.
_ROW: Final = BigInteger().with_variant(Integer, "sqlite")

# One row per property of the ledger itself: format, origin, vkey, created.
ledger: Final = Table(
    "ledger",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# One row per leaf of the log. Everything but `bytes` repeats what the bytes say, to be found by it.
entry: Final = Table(
    "entry",
    metadata,
    Column("idx", _ROW, primary_key=True, autoincrement=False),
    Column("producer", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("statement", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    UniqueConstraint("producer", "id", name="entry_producer_id"),
    UniqueConstraint("producer", "seq", name="entry_producer_seq"),
)

# The erasable half of an entry: the only rows of the ledger that may ever be removed.
body: Final = Table(
    "body",
    metadata,
    Column("idx", _ROW, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
)

claim: Final = Table(
    "claim",
    metadata,
    Column("name", Text, primary_key=True),
    Column("idx", BigInteger, nullable=False),
    Index("claim_idx", "idx"),
    sqlite_with_rowid=False,
)

# The one row that every writer must win: the size, root and compact range of the log as committed.
head: Final = Table(
    "head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("taken", Text, nullable=False),
)

# Every checkpoint ever signed, with the compact range at its size.
checkpoint: Final = Table(
    "checkpoint",
    metadata,
    Column("size", _ROW, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
)
