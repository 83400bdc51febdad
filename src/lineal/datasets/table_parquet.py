"""Parquet: columns and rows from the footers, and rows in an encoding by which they can be compared."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from lineal.core.observation import Gap
from lineal.datasets import table_gaps as gaps
from lineal.datasets.manifest import Entry
from lineal.datasets.table import FOREIGN, Column, Table, name_columns
from lineal.datasets.table_bytes import Files
from lineal.datasets.table_facts import Facts
from lineal.datasets.table_layout import Layout, Part
from lineal.datasets.table_rows import ESCAPE, NULL, SEPARATOR, encode_field
from lineal.errors import LinealError

MAX_FILES: Final = 10_000
_CELLS: Final = 4_000_000
_MOST_ROWS: Final = 1 << 16
_FIELD_ID: Final = b"PARQUET:field_id"
_NANOSECONDS: Final = {"s": 9, "ms": 6, "us": 3, "ns": 0}


@dataclass(frozen=True, slots=True)
class Footer:
    """What a file says of itself: its columns and the number of its rows."""

    columns: tuple[Column, ...]
    rows: int


def describe(layout: Layout, files: Files, facts: Facts) -> tuple[Table | None, list[Gap]]:
    """Return the table of all files of `layout` together, and what could not be told of it.

    Its columns are those of all files, in the order in which they first appear; None if no file could be read.
    """
    columns: dict[str, Column] = {}
    first: tuple[Column, ...] | None = None
    rows, bad, odd = 0, [], []
    for entry in layout.files[:MAX_FILES]:
        shown = gaps.name(entry)
        try:
            footer = _footer(entry, files, facts)
        except (LinealError, *FOREIGN) as error:
            bad.append(f"{shown}: {gaps.reason(error)}")
            continue
        rows += footer.rows
        if first is not None and footer.columns != first:
            odd.append(shown)
            missing = {column.name for column in footer.columns} ^ columns.keys()
            columns.update({name: _nullable(columns[name]) for name in missing & columns.keys()})
            columns.update({each.name: _nullable(each) for each in footer.columns if each.name not in columns})
        elif first is None:
            first = footer.columns
            columns = {column.name: column for column in first}
    told = gaps.damaged(layout.path, "Parquet", bad, len(layout.files)) + gaps.mixed_schema(layout.path, odd)
    if first is None:
        return None, told
    if len(layout.files) > MAX_FILES:
        told.append(gaps.too_many_files(layout.path, len(layout.files), MAX_FILES))
    for name in name_columns(layout.partitioned_by):
        columns.setdefault(name, Column(name, "string", True))
    counted = not bad and len(layout.files) <= MAX_FILES
    table = Table(
        path=layout.path,
        format="parquet",
        columns=tuple(columns.values()),
        rows=rows if counted else None,
        files=len(layout.files),
        partitioned_by=tuple(name_columns(layout.partitioned_by)),
        partitions=len({layout.values_of(entry) for entry in layout.files}) if layout.partitioned_by else None,
    )
    return table, told


def _footer(entry: Entry, files: Files, facts: Facts) -> Footer:
    known = facts.get("parquet", entry)
    if known is None:
        with files.open(entry) as file:
            footer = read_footer(file)
        facts.put("parquet", entry, [[each.name, each.type, each.nullable] for each in footer.columns], [footer.rows])
        return footer
    columns, (rows,) = known
    return Footer(tuple(Column(*each) for each in columns), rows)


def _nullable(column: Column) -> Column:
    return Column(column.name, column.type, True)


def read_footer(file: BinaryIO) -> Footer:
    """Return the footer of an open file; raises what pyarrow raises (`FOREIGN`) for bytes that are not Parquet."""
    import pyarrow.parquet as pq

    with errors_of_arrow(), pq.ParquetFile(file) as opened:
        schema = opened.schema_arrow
        names = name_columns(schema.names)
        columns = tuple(
            Column(name, spell_type(field.type), field.nullable) for name, field in zip(names, schema, strict=True)
        )
        return Footer(columns, opened.metadata.num_rows)


@contextmanager
def errors_of_arrow() -> Iterator[None]:
    """Turn the errors of Arrow into `ValueError`: some of them are of no class that others have."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error


def spell_type(kind: Any) -> str:
    """Return an Arrow type as it is recorded: nested types in a spelling of our own, which no release changes."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return spell_type(kind.value_type)  # how a column is packed is not what it holds
    if types.is_map(kind):
        return f"map<{spell_type(kind.key_type)}, {spell_type(kind.item_type)}>"
    if types.is_fixed_size_list(kind):
        return f"list<{spell_type(kind.value_type)}>[{kind.list_size}]"
    if types.is_list(kind) or types.is_large_list(kind):
        return f"list<{spell_type(kind.value_type)}>"
    if types.is_struct(kind):
        fields = (kind.field(number) for number in range(kind.num_fields))
        return f"struct<{', '.join(f'{field.name}: {spell_type(field.type)}' for field in fields)}>"
    return str(kind).removeprefix("large_")


def read_rows(file: BinaryIO, part: Part, groups: Sequence[Sequence[str]]) -> Iterator[list[list[bytes]]]:
    """Yield, batch by batch, the rows of a file: for each group of columns, the encoding of each row.

    A column that the file has not is null in each row. Raises what pyarrow raises (`FOREIGN`).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = list(dict.fromkeys(name for group in groups for name in group))
    with errors_of_arrow(), pq.ParquetFile(file) as opened:
        schema = opened.schema_arrow
        places = _places(schema, part, wanted)
        every: list[str] = schema.names  # pyarrow makes the list anew each time it is asked
        names = [every[place] for place in sorted(set(places.values()))]
        unique = len(set(every)) == len(every) and not any("." in name for name in every)
        size = max(1, min(_MOST_ROWS, _CELLS // max(1, len(every))))
        for batch in opened.iter_batches(batch_size=size, columns=names if unique and names else None):
            by_place = dict(zip(batch.schema.names, batch.columns, strict=True)) if unique else None
            constants = dict(part.values)
            encoded: dict[str, Any] = {}
            for name in wanted:
                if name in constants:
                    encoded[name] = pa.scalar(encode_field(constants[name]), pa.large_binary())
                elif name in places:
                    place = places[name]
                    column = batch.column(place) if by_place is None else by_place[every[place]]
                    encoded[name] = _encode(column)
                else:
                    encoded[name] = pa.scalar(NULL, pa.large_binary())
            yield [_join([encoded[name] for name in group], batch.num_rows) for group in groups]


def _places(schema: Any, part: Part, wanted: Sequence[str]) -> dict[str, int]:
    """Return where in the file each column is: by its number, by its name there, or by its own."""
    recorded = dict(zip(name_columns(schema.names), range(len(schema.names)), strict=True))
    numbers = {(field.metadata or {}).get(_FIELD_ID): place for place, field in enumerate(schema)}
    numbers.pop(None, None)
    ids, names = dict(part.ids), dict(part.names)
    found: dict[str, int] = {}
    for name in wanted:
        by_number = numbers and name in ids
        place = numbers.get(str(ids[name]).encode()) if by_number else recorded.get(names.get(name, name))
        if place is not None:
            found[name] = place
    return found


def _join(columns: list[Any], rows: int) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if all(isinstance(column, pa.Scalar) for column in columns):
        return [SEPARATOR.join(column.as_py() for column in columns)] * rows
    joined = pc.binary_join_element_wise(*columns, pa.scalar(SEPARATOR, pa.large_binary()))
    found: list[bytes] = joined.to_pylist()
    return found


def _encode(column: Any) -> Any:
    """Return a column as an array of bytes, in which every value has one encoding and no two have the same."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types, kind = pa.types, column.type
    if types.is_dictionary(kind):
        return _encode(pc.cast(column, kind.value_type))
    if types.is_null(kind):
        texts = pa.nulls(len(column), pa.large_binary())
    elif types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType):
        values = (
            None if value is None else repr(value).encode("utf-8", "backslashreplace") for value in column.to_pylist()
        )
        texts = _escape(pa.array(values, pa.large_binary()))
    elif _is_bytes(kind):
        texts = _escape(pc.cast(column, pa.large_binary()))
    elif types.is_timestamp(kind) or types.is_duration(kind):
        texts = _moments(column)
    else:
        wide = pc.cast(column, pa.float64()) if types.is_floating(kind) else column
        texts = pc.cast(pc.cast(wide, pa.large_string()), pa.large_binary())
    return pc.coalesce(texts, pa.scalar(NULL, pa.large_binary()))


def _is_bytes(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    tests = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary, types.is_string_view)
    return any(test(kind) for test in (*tests, types.is_binary_view, types.is_fixed_size_binary))


def _escape(texts: Any) -> Any:
    import pyarrow.compute as pc

    texts = pc.replace_substring(texts, pattern=ESCAPE, replacement=ESCAPE + b"e")
    return pc.replace_substring(texts, pattern=SEPARATOR, replacement=ESCAPE + b"s")


def _moments(column: Any) -> Any:
    """Return moments and durations as nanoseconds, so that a change of the unit alone is no change of a value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pc.cast(column, pa.int64())
    texts = pc.cast(pc.cast(numbers, pa.large_string()), pa.large_binary())
    zeros = b"0" * _NANOSECONDS[column.type.unit]
    longer = pc.binary_join_element_wise(texts, pa.scalar(zeros, pa.large_binary()), pa.scalar(b"", pa.large_binary()))
    return pc.if_else(pc.equal(numbers, 0), texts, longer)
