"""The tables of the catalog: what the ledger says, ready to be asked.

Rows are only ever added. Each carries its valid time (`time`: when it came to hold in the world) and its recorded time
(`taken`: when the ledger took it, `idx`: the entry that says so), so that every question can be asked as of a moment,
and as it was known at a moment. Intervals ("until when") follow from the next row and are never stored.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text

FORMAT: Final = 3

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

# What configuration items, API events and conclusions say: each row has the document whole, for it is read whole.
config: Final = Table(
    "catalog_config",
    metadata,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("resource", _TEXT, nullable=False),
    Column("type", _TEXT, nullable=False),
    Column("account", _TEXT, nullable=False),
    Column("region", _TEXT, nullable=False),
    Column("name", _TEXT, nullable=False),
    Column("time", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    Column("status", _TEXT, nullable=False),
    Column("source", _TEXT, nullable=False),
    Column("shape", _TEXT, nullable=False),
    Column("semantic", _TEXT, nullable=True),
    Column("document", _TEXT, nullable=False),
    Index("catalog_config_resource", "resource", "time"),
    Index("catalog_config_type", "type", "account", "region"),
    Index("catalog_config_name", "name"),
)

api: Final = Table(
    "catalog_api",
    metadata,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("id", _TEXT, nullable=False),
    Column("time", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    Column("service", _TEXT, nullable=False),
    Column("name", _TEXT, nullable=False),
    Column("account", _TEXT, nullable=False),
    Column("region", _TEXT, nullable=False),
    Column("principal", _TEXT, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("read_only", Boolean, nullable=False),
    Column("amends", _TEXT, nullable=False),
    Column("claimed", Boolean, nullable=False),
    Column("document", _TEXT, nullable=False),
    Index("catalog_api_id", "id"),
    Index("catalog_api_time", "time"),
    Index("catalog_api_name", "name"),
)

api_target: Final = Table(
    "catalog_api_target",
    metadata,
    Column("resource", _TEXT, primary_key=True),
    Column("time", _TEXT, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Index("catalog_api_target_event", "idx", "n"),
    sqlite_with_rowid=False,
)

# What was covered completely: looks at the resources of a type, and spans of a trail.
look: Final = Table(
    "catalog_look",
    metadata,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("source", _TEXT, nullable=False),
    Column("account", _TEXT, nullable=False),
    Column("region", _TEXT, nullable=False),
    Column("type", _TEXT, nullable=False),
    Column("began", _TEXT, nullable=False),
    Column("ended", _TEXT, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("taken", _TEXT, nullable=False),
    sqlite_with_rowid=False,
)

trail: Final = Table(
    "catalog_trail",
    metadata,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("account", _TEXT, nullable=False),
    Column("region", _TEXT, nullable=False),
    Column("since", _TEXT, nullable=False),
    Column("until", _TEXT, nullable=False),
    Column("proof", _TEXT, nullable=False),
    Column("missing", Boolean, nullable=False),
    Column("why", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    sqlite_with_rowid=False,
)

approval: Final = Table(
    "catalog_approval",
    metadata,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("id", _TEXT, nullable=False),
    Column("not_before", _TEXT, nullable=False),
    Column("not_after", _TEXT, nullable=False),
    Column("time", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    Column("document", _TEXT, nullable=False),
    sqlite_with_rowid=False,
)

judgement: Final = Table(
    "catalog_judgement",
    metadata,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("about", _TEXT, nullable=False),
    Column("resource", _TEXT, nullable=False),
    Column("verdict", _TEXT, nullable=False),
    Column("until", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    Column("document", _TEXT, nullable=False),
    Index("catalog_judgement_about", "about"),
    Index("catalog_judgement_resource", "resource", "until"),
)

conclusion: Final = Table(
    "catalog_conclusion",
    metadata,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("rule", _TEXT, nullable=False),
    Column("resource", _TEXT, nullable=False),
    Column("state", _TEXT, nullable=False),
    Column("time", _TEXT, nullable=False),
    Column("taken", _TEXT, nullable=False),
    Column("document", _TEXT, nullable=False),
    Index("catalog_conclusion_rule", "rule", "resource"),
)

CONFIGURATION: Final = (config, api, api_target, look, trail, approval, judgement, conclusion)
FOLDED: Final = (node, fact, edge, alias, member, gap, event, *CONFIGURATION)
