"""Tables inside a dataset version, as values: what stands beside the digest in the version's detail.

Nothing here reads a file. A description is canonical: the same bytes give the same document, whichever library read
them.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.core.redaction import clean, redact

MAX_COLUMNS: Final = 5000
"""A wider table is described by the number of its columns and the digest of its schema."""
MAX_NAME: Final = 512
_MAX_TYPE: Final = 2048

FOREIGN: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What the libraries that parse tables raise for bytes that they cannot take."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its type in the spelling of its format, and whether it may lack values (None: not said)."""

    name: str
    type: str
    nullable: bool | None = None

    def describe(self) -> dict[str, Any]:
        """Return the column as it stands in a description."""
        kind = self.type if len(self.type) <= _MAX_TYPE else f"nested, {Digest.of(self.type.encode())}"
        return {"name": self.name, "type": kind, "nullable": self.nullable}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of a dataset version: where it lies, its columns, how many rows it has now.

    `path` is the spelled path of its file or folder, ``.`` for the whole dataset; `files` counts the files that its
    rows are in; `rows` is None where they were not counted; `own` is what the table says of its own state (a version
    of Delta, a snapshot of Iceberg, the dialect of CSV).
    """

    path: str
    format: str
    columns: tuple[Column, ...]
    rows: int | None
    files: int
    partitioned_by: tuple[str, ...] = ()
    partitions: int | None = None
    own: dict[str, Any] = field(default_factory=dict)

    @property
    def schema(self) -> Digest:
        """The digest of the canonical list of columns: equal for tables of equal columns in the same order."""
        return Digest.of(canonical.encode([column.describe() for column in self.columns]))

    def describe(self, *, columns: bool = True) -> dict[str, Any]:
        """Return the table as it stands in a detail; without `columns`, only how many there are."""
        found: dict[str, Any] = {
            "path": self.path,
            "format": self.format,
            "rows": self.rows,
            "files": self.files,
            "schema": str(self.schema),
        }
        if self.partitioned_by:
            found["partitions"] = {"columns": list(self.partitioned_by), "count": self.partitions}
        found.update(self.own)
        if columns and len(self.columns) <= MAX_COLUMNS:
            found["columns"] = [column.describe() for column in self.columns]
        else:
            found["column_count"] = len(self.columns)
        return found


def restate(document: dict[str, Any]) -> Table | None:
    """Return the table that a recorded description says, None where it does not say the columns."""
    if "columns" not in document:
        return None
    known = {"path", "format", "rows", "files", "schema", "partitions", "columns"}
    partitions = document.get("partitions") or {}
    return Table(
        path=document["path"],
        format=document["format"],
        columns=tuple(Column(each["name"], each["type"], each["nullable"]) for each in document["columns"]),
        rows=document["rows"],
        files=document["files"],
        partitioned_by=tuple(partitions.get("columns", ())),
        partitions=partitions.get("count"),
        own={name: value for name, value in document.items() if name not in known},
    )


def name_columns(names: Iterable[str]) -> list[str]:
    """Return names of columns as they are recorded: valid text, no secrets, of bounded length, each once.

    A name that stands a second time gets `` (2)`` behind it.
    """
    found: list[str] = []
    seen: dict[str, int] = {}
    for raw in names:
        name = redact(clean(raw))[0][:MAX_NAME]
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found
