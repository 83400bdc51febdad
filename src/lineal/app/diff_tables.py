"""What differs between the tables of two dataset versions: columns, how many rows, and on request the rows themselves.

Files that both versions have are not read. Others are had from where the version keeps them, each checked before it is
read; values are never recorded, and shown only to who asks.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from lineal.app import restore
from lineal.app.comparison import Change, Section, compare, untold
from lineal.app.session import Session
from lineal.app.tables import describe_one, recorded_tables
from lineal.catalog.reader import NodeView
from lineal.core import path as paths
from lineal.core.digest import Digest
from lineal.core.redaction import redact_value
from lineal.datasets import manifest, table_csv, table_delta, table_gaps, table_iceberg, table_parquet
from lineal.datasets.contents import Contents, StoredContents
from lineal.datasets.table import FOREIGN, Table
from lineal.datasets.table_bytes import Files, KeptFiles, ReferencedContents
from lineal.datasets.table_diff import Groups, RowDifference, Sample, check_key, diff_rows, differing
from lineal.datasets.table_layout import Layout, Part, find_layouts
from lineal.errors import LinealError, UsageError

MAX_SHOWN: Final = 1000
_MOST_TABLES: Final = 50
_LONGEST: Final = 60
_BYTES_A_ROW: Final = 16
_UNTOLD: Final = "untold"

DAMAGE: Final = (LinealError, ImportError, csv.Error, *FOREIGN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOptions:
    """What is asked about rows: the columns that say which row is which, and how many rows to show of each kind.

    `on_progress` gets the number of rows and the bytes of the files read so far.
    """

    key: tuple[str, ...] = ()
    shown: int = 0
    on_progress: Callable[[int, int], None] = lambda _rows, _bytes: None

    def __post_init__(self) -> None:
        if not 0 <= self.shown <= MAX_SHOWN:
            raise UsageError(f"cannot show {self.shown} rows: at most {MAX_SHOWN:,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """A table in one of the two versions."""

    layout: Layout
    table: Table
    files: Files

    def parts(self) -> list[Part]:
        """Return the files that the table's rows are in."""
        if self.layout.format == "delta":
            return table_delta.parts(self.layout, self.files)
        if self.layout.format == "iceberg":
            return table_iceberg.parts(self.layout, self.files)
        return [Part(entry=entry, values=self.layout.values_of(entry)) for entry in self.layout.files]


def compare_tables(session: Session, old: NodeView, new: NodeView, asked: RowOptions) -> Iterator[Section]:
    """Yield how the tables of two versions of a dataset differ: which there are, then columns and rows of each.

    Raises `BadInput` for a column of the key that no table has in both versions.
    """
    try:
        before, after = _tables(session, old), _tables(session, new)
    except DAMAGE as error:
        yield untold("tables", f"the tables cannot be compared: {table_gaps.reason(error)}")
        return
    if not before and not after:
        return
    yield compare("tables", _summaries(before), _summaries(after))
    both = [(before[series], after[series]) for series in before if series in after]
    told = [pair for pair in both if not any(_UNTOLD in side.table.own for side in pair)]
    if asked.key and told == both != [] and not any(set(asked.key) <= set(_shared(*pair)) for pair in told):
        check_key(asked.key, _shared(*told[0]), told[0][1].table.path)
    pairs = [pair for pair in both if len(both) == 1 or _content(pair[0]) != _content(pair[1])]
    for number, (one, other) in enumerate(pairs):
        title = "" if len(both) == 1 else f" of {other.table.path}"
        if (one, other) not in told:
            why = one.table.own.get(_UNTOLD) or other.table.own[_UNTOLD]
            yield untold(f"rows{title}", f"columns and rows cannot be compared: {why}")
            continue
        yield _compare_columns(f"columns{title}", one.table, other.table)
        if number < _MOST_TABLES:
            yield _compare_rows(f"rows{title}", one, other, asked)
        else:
            yield untold(f"rows{title}", f"not compared: it is not one of the first {_MOST_TABLES} tables")


def has_rows(section: Section) -> bool:
    """Return whether a section is of rows of a table, and some differ."""
    return section.name.split(" ", 1)[0] == "rows" and section.differs


def _tables(session: Session, view: NodeView) -> dict[str, _Side]:
    """Return the tables of a version by series: as they are on record, or as their files say."""
    if view.digest is None:
        return {}
    loaded = manifest.load(Digest.parse(view.digest), session.objects)
    layouts, _ = find_layouts(loaded, session.objects)
    if not layouts:
        return {}
    files = KeptFiles(partial(_contents, session, view))
    recorded = recorded_tables(session, view)
    found: dict[str, _Side] = {}
    for layout in layouts:
        table = recorded.get(layout.path) or _describe(layout, files)
        found[f"{layout.series} {layout.format}"] = _Side(layout=layout, table=table, files=files)
    return found


def _describe(layout: Layout, files: Files) -> Table:
    """Return the table by what its files say; of one that cannot be described, why: it is there all the same."""
    table, gaps = describe_one(layout, files)
    if table is not None:
        return table
    why = "; ".join(gap.explanation for gap in gaps)
    own = {_UNTOLD: why}
    return Table(path=layout.path, format=layout.format, columns=(), rows=None, files=len(layout.files), own=own)


def _contents(session: Session, view: NodeView) -> Contents:
    """Return where the bytes of a version are had from: of one by reference, from where it was snapshotted."""
    if view.detail.get("stored") == "manifest" and not view.detail.get("origin") and "path" in view.detail:
        return ReferencedContents(paths.unspell(view.detail["path"]))
    found, _ = restore._contents(session, view)
    return found or StoredContents(session.objects)


def _content(side: _Side) -> list[tuple[bytes, Digest]]:
    return [(entry.path, entry.digest) for entry in side.layout.files]


def _summaries(sides: dict[str, _Side]) -> dict[str, str]:
    return {side.layout.series: _summary(side.table) for side in sides.values()}


def _summary(table: Table) -> str:
    if _UNTOLD in table.own:
        return f"{table.format}, which cannot be read"
    words = [table.format, f"{len(table.columns):,} columns"]
    words.append("rows not counted" if table.rows is None else f"{table.rows:,} rows")
    words += [f"{table.partitions:,} partitions"] if table.partitions is not None else []
    words += [f"{name} {table.own[name]}" for name in ("version", "snapshot") if table.own.get(name) is not None]
    return ", ".join(words)


def _shared(old: _Side, new: _Side) -> list[str]:
    names = {column.name for column in new.table.columns}
    return [column.name for column in old.table.columns if column.name in names]


def _compare_columns(name: str, old: Table, new: Table) -> Section:
    sides = ({column.name: _type(column.type, column.nullable) for column in table.columns} for table in (old, new))
    return compare(name, *sides)


def _type(kind: str, nullable: bool | None) -> str:
    return f"{kind} not null" if nullable is False else kind


def _compare_rows(name: str, old: _Side, new: _Side, asked: RowOptions) -> Section:
    try:
        before, after = differing(old.parts(), new.parts())
        for part in (*before, *after):
            if part.unread is not None:
                return untold(name, f"{table_gaps.name(part.entry)}: {part.unread}")
        columns = _shared(old, new)
        if not columns:
            return untold(name, "the two have no column in common")
        found = diff_rows(
            (before, after),
            _Reading((old, new), asked.on_progress),
            columns,
            asked.key if set(asked.key) <= set(columns) else (),
            samples=asked.shown,
            expected=_expected(old, before) + _expected(new, after),
        )
    except DAMAGE as error:
        return untold(name, f"the rows cannot be compared: {table_gaps.reason(error)}")
    notes = _notes(old, new, columns, asked, found)
    return Section(
        name=name,
        changes=tuple(_change(number, sample, _moments(old, new)) for number, sample in enumerate(found.samples, 1)),
        added=found.added,
        removed=found.removed,
        changed=found.changed,
        same=None if old.table.rows is None else old.table.rows - found.removed - found.changed,
        note="; ".join(notes) or None,
    )


def _notes(old: _Side, new: _Side, columns: Sequence[str], asked: RowOptions, found: RowDifference) -> Iterator[str]:
    if len(columns) < max(len(old.table.columns), len(new.table.columns)):
        yield f"rows are compared by the {len(columns)} columns that both versions have"
    if absent := [name for name in asked.key if name not in columns]:
        yield f"matched by no key: {new.table.path} has no column {absent[0]!r} in both versions"
    if found.repeated:
        yield f"{found.repeated:,} values of the key {', '.join(asked.key)} stand on more than one row of a version"
    for side in (old, new):
        if side.table.own.get("encoding") == "not UTF-8":
            yield f"{side.table.path} is not UTF-8: its rows are compared byte by byte"


def _moments(old: _Side, new: _Side) -> frozenset[str]:
    """Return the columns whose values are moments: rows have them as nanoseconds."""
    columns = (*old.table.columns, *new.table.columns)
    return frozenset(column.name for column in columns if column.type.startswith("timestamp"))


def _change(number: int, sample: Sample, moments: frozenset[str]) -> Change:
    def row(values: dict[str, str | None] | None, wanted: Sequence[str] | None = None) -> str | None:
        if values is None:
            return None
        names = [name for name in (wanted or values) if name not in sample.key]
        return ", ".join(f"{name}={_cell(name, values.get(name), moments)}" for name in names)

    named = ", ".join(f"{name}={_cell(name, value, moments)}" for name, value in sample.key.items())
    old, new = sample.old, sample.new
    different = None if old is None or new is None else [name for name in old if old[name] != new.get(name)]
    return Change(name=named or f"row {number}", old=row(old, different), new=row(new, different))


def _cell(name: str, value: str | None, moments: frozenset[str]) -> str:
    if value is None:
        return "null"
    if name in moments and value.lstrip("-").isdecimal():
        seconds, nanoseconds = divmod(int(value), 1_000_000_000)
        with suppress(OverflowError):
            whole = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001  # the zone is in the type
            return f"{whole.isoformat(' ')}.{nanoseconds:09d}".rstrip("0").rstrip(".")
    shown = redact_value(name, value)[0]
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def _expected(side: _Side, parts: Sequence[Part]) -> int:
    if all(part.rows is not None for part in parts):
        return sum(part.rows or 0 for part in parts)
    return side.table.rows if side.table.rows is not None else sum(part.entry.size for part in parts) // _BYTES_A_ROW


class _Reading:
    """Reads the rows of parts of the two sides, and counts them."""

    def __init__(self, sides: tuple[_Side, _Side], on_progress: Callable[[int, int], None]) -> None:
        self._sides = sides
        self._on_progress = on_progress
        self._rows = self._bytes = 0

    def __call__(self, number: int, part: Part, groups: Groups) -> Iterator[list[list[bytes]]]:
        side = self._sides[number]
        reader = table_csv.read_rows if side.layout.format == "csv" else table_parquet.read_rows
        with side.files.open(part.entry) as file:
            for batch in reader(file, part, groups):
                self._rows += len(batch[0])
                self._on_progress(self._rows, self._bytes)
                yield batch
        self._bytes += part.entry.size
        self._on_progress(self._rows, self._bytes)
