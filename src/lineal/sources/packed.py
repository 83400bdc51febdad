"""Bytes that may be packed with gzip (RFC 1952): unpacked a little at a time, to their end or not at all."""

import zlib
from collections.abc import Iterator
from typing import Final

from lineal.core.redaction import clean
from lineal.errors import BadInput

MAGIC: Final = b"\x1f\x8b"


def unpack(data: bytes, step: int) -> Iterator[bytes]:
    """Yield the content of `data`, packed (several files may follow each other) or not, at most `step` bytes at once.

    Raises `BadInput` for what is damaged or has no end; whoever takes the pieces says how many are too many.
    """
    if not data.startswith(MAGIC):
        for start in range(0, len(data), step):
            yield data[start : start + step]
        return
    rest = data
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            while not member.eof:
                piece = member.decompress(rest, step)
                rest = member.unconsumed_tail
                if piece:
                    yield piece
                elif not rest and not member.eof:
                    raise BadInput("it is cut off: the compressed data have no end")
        except zlib.error as error:
            raise BadInput(f"its compression is damaged: {clean(str(error))[:100]}") from error
        rest = member.unused_data.lstrip(b"\0")
