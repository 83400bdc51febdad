"""Avro object container files, as Iceberg writes its manifests: every length in them is held against what is there.

After the Apache Avro specification 1.11, "Object Container Files" and "Binary Encoding". A reader of our own, because
those in C take the bytes at their word.
"""

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

MAGIC: Final = b"Obj\x01"
_SYNC: Final = 16
_MOST_BYTES: Final = 256 << 20
_MOST_ITEMS: Final = 1 << 20
_MOST_DEPTH: Final = 64

Decode = Callable[["_Cursor"], Any]


class _Cursor:
    """A place in bytes, which is moved by reading and never beyond their end."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        if not 0 <= count <= self.left:
            raise ValueError("it is cut off, or a length in it is wrong")
        self.at += count
        return self.data[self.at - count : self.at]

    def long(self) -> int:
        """Return the next variable-length zig-zag integer, of at most 64 bits."""
        found = shift = 0
        while True:
            (byte,) = self.take(1)
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (found >> 1) ^ -(found & 1)
            shift += 7
            if shift > 63:
                raise ValueError("a number in it has more than 64 bits")

    def bytes(self) -> bytes:
        return self.take(self.long())

    def text(self) -> str:
        return self.bytes().decode("utf-8")


def read_avro(data: bytes) -> Iterator[Any]:
    """Yield the values of a container file; records are objects by the names of their fields.

    Raises `ValueError`, `LookupError`, `TypeError` or `zlib.error` for bytes that are no such file.
    """
    cursor = _Cursor(data)
    if cursor.take(len(MAGIC)) != MAGIC:
        raise ValueError("it does not begin as an Avro file")
    header = _map(_Cursor.bytes)(cursor)
    codec = header.get("avro.codec", b"null")
    if codec not in (b"null", b"deflate"):
        raise ValueError(f"its blocks are packed with {codec.decode('ascii', 'replace')}, which is not read here")
    decode = _decoder(json.loads(header["avro.schema"]), {}, 0)
    sync = cursor.take(_SYNC)
    while cursor.left:
        count, block = cursor.long(), cursor.bytes()
        if cursor.take(_SYNC) != sync:
            raise ValueError("a block of it does not end where it says")
        yield from _block(_unpack(block) if codec == b"deflate" else block, count, decode)


def _unpack(block: bytes) -> bytes:
    unpacking = zlib.decompressobj(-15)
    found = unpacking.decompress(block, _MOST_BYTES)
    if not unpacking.eof:
        raise ValueError("a block of it is cut off, or too large")
    return found


def _block(block: bytes, count: int, decode: Decode) -> Iterator[Any]:
    cursor = _Cursor(block)
    if not 0 <= count <= max(len(block), 1):
        raise ValueError("a block of it cannot have as many values as it says")
    for _ in range(count):
        yield decode(cursor)
    if cursor.left:
        raise ValueError("a block of it has more bytes than values")


def _decoder(schema: Any, named: dict[str, Decode], depth: int) -> Decode:
    """Return what reads a value of `schema`; types that have names are put into `named`."""
    if depth > _MOST_DEPTH:
        raise ValueError("its schema is nested too deep")
    if isinstance(schema, list):
        return _union([_decoder(each, named, depth + 1) for each in schema])
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(kind, dict | list):
        return _decoder(kind, named, depth + 1)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in named:
        return named[kind]
    match kind:
        case "record":
            return _record(schema, named, depth)
        case "array":
            return _array(_decoder(schema["items"], named, depth + 1))
        case "map":
            return _map(_decoder(schema["values"], named, depth + 1))
        case "fixed":
            size = int(schema["size"])
            named[schema["name"]] = lambda cursor: cursor.take(size)
        case "enum":
            symbols = [str(each) for each in schema["symbols"]]
            named[schema["name"]] = lambda cursor: symbols[_index(cursor, len(symbols))]
        case _:
            raise ValueError(f"its schema has a type that Avro has not: {str(kind)[:40]!r}")
    return named[schema["name"]]


def _record(schema: dict[str, Any], named: dict[str, Decode], depth: int) -> Decode:
    fields: list[tuple[str, Decode]] = []

    def decode(cursor: _Cursor) -> dict[str, Any]:
        return {name: read(cursor) for name, read in fields}

    named[schema["name"]] = decode  # a field may be of the record's own type
    fields += [(str(each["name"]), _decoder(each["type"], named, depth + 1)) for each in schema["fields"]]
    return decode


def _union(branches: list[Decode]) -> Decode:
    return lambda cursor: branches[_index(cursor, len(branches))](cursor)


def _index(cursor: _Cursor, count: int) -> int:
    index = cursor.long()
    if not 0 <= index < count:
        raise ValueError("a value in it is of a kind that its schema has not")
    return index


def _array(item: Decode) -> Decode:
    return lambda cursor: [item(cursor) for _ in _counts(cursor)]


def _map(value: Decode) -> Callable[[_Cursor], dict[str, Any]]:
    return lambda cursor: {cursor.text(): value(cursor) for _ in _counts(cursor)}


def _counts(cursor: _Cursor) -> Iterator[int]:
    """Yield once for each item of an array or map, whose blocks each begin with the number of their items."""
    total = 0
    while count := cursor.long():
        if count < 0:
            count = -count
            cursor.long()  # the size of the block, for those who skip it
        total += count
        if total > _MOST_ITEMS:
            raise ValueError("a list in it is longer than can be")
        yield from range(count)


_PLAIN: Final[dict[Any, Decode]] = {
    "null": lambda _: None,
    "boolean": lambda cursor: cursor.take(1) != b"\0",
    "int": _Cursor.long,
    "long": _Cursor.long,
    "float": lambda cursor: struct.unpack("<f", cursor.take(4))[0],
    "double": lambda cursor: struct.unpack("<d", cursor.take(8))[0],
    "bytes": _Cursor.bytes,
    "string": _Cursor.text,
}
