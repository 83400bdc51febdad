"""A small writer of Avro container files, for tests of the reader: the same specification from the other side."""

import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any

SYNC = bytes(range(16))


def long(value: int) -> bytes:
    number = (value << 1) ^ (value >> 63)
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def sized(data: bytes) -> bytes:
    return long(len(data)) + data


def encode(schema: Any, value: Any) -> bytes:
    """Encode `value`; of a union, `value` is a pair of the number of the branch and the value."""
    if isinstance(schema, list):
        return long(value[0]) + encode(schema[value[0]], value[1])
    kind = schema["type"] if isinstance(schema, dict) else schema
    match kind:
        case "null":
            return b""
        case "boolean":
            return bytes([value])
        case "int" | "long":
            return long(value)
        case "float":
            return struct.pack("<f", value)
        case "double":
            return struct.pack("<d", value)
        case "bytes":
            return sized(value)
        case "string":
            return sized(value.encode())
        case "fixed":
            return bytes(value)
        case "enum":
            return long(schema["symbols"].index(value))
        case "array":
            items = b"".join(encode(schema["items"], each) for each in value)
            return (long(len(value)) + items if value else b"") + long(0)
        case "map":
            pairs = b"".join(sized(name.encode()) + encode(schema["values"], each) for name, each in value.items())
            return (long(-len(value)) + long(len(pairs)) + pairs if value else b"") + long(0)
        case "record":
            return b"".join(encode(field["type"], value[field["name"]]) for field in schema["fields"])
    raise AssertionError(kind)


def container(schema: Any, values: Sequence[Any], codec: str = "null", block: int = 3) -> bytes:
    """Return the bytes of a container file with `values`, in blocks of `block` of them."""
    meta = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    found = b"Obj\x01" + encode({"type": "map", "values": "bytes"}, meta) + SYNC
    for start in range(0, len(values), block):
        part = values[start : start + block]
        data = b"".join(encode(schema, value) for value in part)
        if codec == "deflate":
            packing = zlib.compressobj(wbits=-15)
            data = packing.compress(data) + packing.flush()
        found += long(len(part)) + sized(data) + SYNC
    return found
