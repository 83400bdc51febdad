"""What could not be told of a table, and why: every gap about tables is worded here."""

from collections.abc import Sequence

from lineal.core.observation import Gap
from lineal.core.path import spell
from lineal.core.redaction import clean, redact
from lineal.datasets.manifest import Entry
from lineal.errors import LinealError

EXTRA = "pip install 'lineal[tables]'"


def reason(error: BaseException) -> str:
    """Return what a library or Lineal itself says is wrong, on one line, without secrets."""
    said = error.message if isinstance(error, LinealError) else str(error) or type(error).__name__
    text = redact(" ".join(clean(said).split()))[0]
    return text if len(text) <= 200 else f"{text[:197]}..."


def reader_missing(what: str, library: str) -> Gap:
    """Return the gap of tables for which a library is not installed."""
    return Gap("table.reader_missing", f"{what}: {library} is not installed, so they are not described ({EXTRA})")


def damaged(path: str, kind: str, bad: Sequence[str], total: int) -> list[Gap]:
    """Return the gap of files that are not what their names say, none for no such files."""
    if not bad:
        return []
    if total == 1:
        return [Gap("table.damaged", f"{bad[0]} (it is no {kind} that can be read)")]
    return [Gap("table.damaged", f"{path}: {len(bad)} of {total} files are no {kind} that can be read; first {bad[0]}")]


def mixed_schema(path: str, odd: Sequence[str]) -> list[Gap]:
    """Return the gap of parts with other columns than the first, none for no such parts."""
    if not odd:
        return []
    return [
        Gap("table.mixed_schema", f"{path}: {len(odd)} files have other columns than the first file; first {odd[0]}")
    ]


def too_wide(path: str, columns: int, limit: int) -> Gap:
    """Return the gap of a table of whose columns only the number is recorded."""
    return Gap("table.too_wide", f"{path} has {columns:,} columns: only tables of up to {limit:,} have them recorded")


def no_rows(path: str) -> Gap:
    """Return the gap of a table without a row."""
    return Gap("table.no_rows", f"{path} has no rows")


def too_many_files(path: str, files: int, limit: int) -> Gap:
    """Return the gap of a table of too many files to look into each."""
    return Gap("table.too_many_files", f"{path} has {files:,} files: the rows of more than {limit:,} are not counted")


def too_many_tables(tables: int, limit: int) -> Gap:
    """Return the gap of a dataset of very many tables."""
    return Gap("table.too_many", f"the dataset has {tables:,} tables; the first {limit:,} are described")


def encoding(path: str) -> Gap:
    """Return the gap of text that is not UTF-8."""
    return Gap("table.encoding", f"{path} is not UTF-8: its rows are counted, its letters are read as Latin-1")


def ragged(path: str, rows: int) -> Gap:
    """Return the gap of rows that have more or fewer fields than the header."""
    return Gap("table.ragged", f"{path}: {rows:,} rows have more or fewer fields than there are columns")


def unsupported(path: str, why: str) -> Gap:
    """Return the gap of a table that says it needs what this reader cannot do."""
    return Gap("table.unsupported", f"{path} is not read: {why}")


def file_missing(path: str, names: Sequence[str]) -> list[Gap]:
    """Return the gap of files that a table names and the dataset has not, none for no such files."""
    if not names:
        return []
    return [Gap("table.file_missing", f"{path} names {len(names)} files that are not in the dataset; first {names[0]}")]


def ambiguous(path: str, names: Sequence[str]) -> Gap:
    """Return the gap of a table of which two states claim to be the current one."""
    return Gap("table.ambiguous", f"{path}: which state is the current one is not said: {', '.join(names[:4])}")


def deletes_not_applied(path: str) -> Gap:
    """Return the gap of a table whose rows are deleted in files of their own."""
    return Gap("table.deletes_not_applied", f"{path} has files of deleted rows: its rows are not counted without them")


def undescribed(path: str, why: str) -> Gap:
    """Return the gap of a table that could not be described for a reason of Lineal's own."""
    return Gap("table.undescribed", f"{path} is not described: {why}")


def name(entry: Entry) -> str:
    """Return the name of a file as gaps show it."""
    return spell(entry.path)


def shown(text: str) -> str:
    """Return a name that a table gives to one of its files, without secrets, of bounded length."""
    plain = redact(clean(text))[0]
    return plain if len(plain) <= 300 else f"...{plain[-297:]}"
