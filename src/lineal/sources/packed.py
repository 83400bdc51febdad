"""Bytes that may be packed with gzip (RFC 1952): unpacked a little at a time, to their end or not at all."""

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import IO, Final

from lineal.core.redaction import clean
from lineal.errors import BadInput

MAGIC: Final = b"\x1f\x8b"


def unpack(data: bytes, step: int) -> Iterator[bytes]:
    """Return the content of `data`, packed (several files may follow each other) or not, `step` bytes or less at once.

    Raises `BadInput` for what is damaged or has no end; whoever takes the pieces says how many are too many.
    """
    return unpack_file(BytesIO(data), step)


def unpack_file(file: IO[bytes], step: int) -> Iterator[bytes]:
    """Yield the content of an open file as `unpack` does, with no more of it in memory than `step` bytes.

    Raises `BadInput` as that does, after what could be unpacked, and `OSError` where the file cannot be read.
    """
    rest = file.read(max(step, len(MAGIC)))
    if not rest.startswith(MAGIC):
        while rest:
            yield rest
            rest = file.read(step)
        return
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            while not member.eof:
                piece = member.decompress(rest, step)
                rest = member.unconsumed_tail
                if piece:
                    yield piece
                elif not (rest or member.eof):
                    rest = file.read(step)
                    if not rest:
                        raise BadInput("it is cut off: the compressed data have no end")
        except zlib.error as error:
            raise BadInput(f"its compression is damaged: {clean(str(error))[:100]}") from error
        rest = member.unused_data.lstrip(b"\0")
        while not rest and (more := file.read(step)):
            rest = more.lstrip(b"\0")
