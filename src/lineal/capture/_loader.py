"""What the kernel itself opens when a file is executed: the ``#!`` interpreter and the ELF program interpreter."""

import os
import struct
from typing import Final

_PT_INTERP: Final = 3
_DEPTH: Final = 5
"""The kernel follows at most this many ``#!`` lines (``fs/exec.c``)."""


def interpreters(path: bytes) -> list[bytes]:
    """Return the absolute paths of the interpreters that executing the file `path` brings in, nearest first."""
    found: list[bytes] = []
    while len(found) < _DEPTH:
        name = _interpreter(path)
        if not name.startswith(b"/") or name in found:
            break
        found.append(name)
        path = name
    return found


def _interpreter(path: bytes) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        head = os.pread(fd, 4096, 0)
        if head.startswith(b"#!"):
            words = head[2:256].split(b"\n", 1)[0].split()
            return words[0] if words else b""
        return _elf_interpreter(fd, head) if head.startswith(b"\x7fELF") else b""
    except (OSError, struct.error, IndexError, ValueError, OverflowError):  # not what it seemed to be
        return b""
    finally:
        os.close(fd)


def _elf_interpreter(fd: int, head: bytes) -> bytes:
    """Return what PT_INTERP of the ELF file names (System V ABI, "Program Header"), or nothing if it is static."""
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    table, size, count = struct.unpack_from(order + ("32xQ14xHH" if wide else "28xI10xHH"), head)
    headers = os.pread(fd, min(size * count, 65536), table)
    for at in range(0, size * count, size):
        if struct.unpack_from(order + "I", headers, at)[0] != _PT_INTERP:
            continue
        offset, length = struct.unpack_from(order + ("8xQ16xQ" if wide else "4xI8xI"), headers, at)
        return os.pread(fd, min(length, 4096), offset).split(b"\0", 1)[0]
    return b""
