"""What a SQLite file itself says about how it is written."""

from __future__ import annotations

from pathlib import Path


def journal_mode(path: Path) -> str:
    """`wal` or `rollback`, from bytes 18 and 19 of the header (https://www.sqlite.org/fileformat2.html)."""
    with path.open("rb") as file:
        return "wal" if file.read(20)[18:] == b"\x02\x02" else "rollback"


def durability(path: Path, synchronous: int | None = None) -> str:
    """A line for the table; `synchronous` is what `PRAGMA synchronous` answered, if it could be asked."""
    spelled = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
    level = "FULL (SQLite's default; not asked)" if synchronous is None else spelled[synchronous]
    return f"journal {journal_mode(path)}, synchronous {level}"
