"""The tables of the catalog: what the ledger says, ready to be asked.

Rows are only ever added. Each carries its valid time (`time`: when it came to hold in the world) and its recorded time
(`taken`: when the ledger took it, `idx`: the entry that says so), so that every question can be asked as of a moment,
and as it was known at a moment. Intervals ("until when") follow from the next row and are never stored.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text

FORMAT: Final = 1

metadata: Final = MetaData()

# Text is ordered by its bytes on every database: ranges of prefixes and fingerprints depend on it.
_TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")

# SQLite makes an INTEGER key, and no other, the number of the row itself: any other has a B-tree of its own besides.
_ROW: Final = BigInteger().with_variant(Integer, "sqlite")

# How far the catalog has followed the ledger. One row.
cursor: Final = Table(
    "catalog_cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("format", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("nodes", BigInteger, nullable=False),
)

# Every artifact version, run and endpoint revision ever named, by its canonical reference.
node: Final = Table(
    "catalog_node",
    metadata,
    Column("id", _ROW, primary_key=True, autoincrement=False),
    Column("ref", _TEXT, nullable=False, unique=True),
    Column("kind", _TEXT, nullable=False),
    Column("name", _TEXT, nullable=False),
    Column("digest", _TEXT, nullable=True),
    Index("catalog_node_kind_name", "kind", "name"),
    Index("catalog_node_digest", "digest"),
)

# What one entry says of one node.
fact: Final = Table(
    "catalog_fact",
    metadata,
    Column("node", BigInteger, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("type", _TEXT, nullable=False),
    Column("time", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    Column("event", _TEXT, nullable=False),
    Column("actor", _TEXT, nullable=False),
    Column("basis", _TEXT, nullable=False),
    Column("version", _TEXT, nullable=True),
    Column("digest", _TEXT, nullable=True),
    Column("detail", _TEXT, nullable=False),
    sqlite_with_rowid=False,
)

edge: Final = Table(
    "catalog_edge",
    metadata,
    Column("source", BigInteger, primary_key=True, autoincrement=False),
    Column("target", BigInteger, primary_key=True, autoincrement=False),
    Column("type", _TEXT, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("time", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    Column("basis", _TEXT, nullable=False),
    Index("catalog_edge_back", "target", "source", "type", "idx", "time", "taken"),
    sqlite_with_rowid=False,
)

# Foreign names: ARNs, URIs, commits, image tags.
alias: Final = Table(
    "catalog_alias",
    metadata,
    Column("alias", _TEXT, primary_key=True),
    Column("node", BigInteger, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("time", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    sqlite_with_rowid=False,
)

# Content inside a version, by digest: which dataset has this file.
member: Final = Table(
    "catalog_member",
    metadata,
    Column("digest", _TEXT, primary_key=True),
    Column("node", BigInteger, primary_key=True, autoincrement=False),
    Column("path", _TEXT, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("time", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    sqlite_with_rowid=False,
)

gap: Final = Table(
    "catalog_gap",
    metadata,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("code", _TEXT, nullable=False),
    Column("explanation", _TEXT, nullable=False),
    Column("about", _TEXT, nullable=True),
    Column("time", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    sqlite_with_rowid=False,
)

# Every entry of the log, as its statement describes it.
event: Final = Table(
    "catalog_event",
    metadata,
    Column("idx", _ROW, primary_key=True, autoincrement=False),
    Column("id", _TEXT, nullable=False),
    Column("type", _TEXT, nullable=False),
    Column("producer", _TEXT, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("time", _TEXT, nullable=False),
    Column("said", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    Column("basis", _TEXT, nullable=False),
    Column("actor", _TEXT, nullable=True),
    Column("erased", Boolean, nullable=False),
)

FOLDED: Final = (node, fact, edge, alias, member, gap, event)
