"""Files of events, packed or not: hashed, then read a little at a time, however large they are."""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from lineal.errors import BadInput
from lineal.sources.packed import unpack_file

MOST_UNPACKED: Final = 64 * 1024 * 1024 * 1024
_STEP: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class EventFile:
    """An open file: SHA-256 and size of its content, as far as it could be unpacked; `fault` says why not to its end.

    Of a file that grows meanwhile, what was hashed is read.
    """

    sha256: str
    size: int
    fault: str
    _file: IO[bytes]

    def pieces(self) -> Iterator[bytes]:
        """Yield the content; raise `OSError` where it cannot be read."""
        self._file.seek(0)
        left = self.size
        if not left:
            return  # of what is damaged at once, nothing could be unpacked
        for piece in unpack_file(self._file, _STEP):
            yield piece[:left]
            left -= len(piece)
            if left <= 0:
                return


@contextmanager
def open_events(path: Path | None, most: int = MOST_UNPACKED) -> Iterator[EventFile]:
    """Give the file of events at `path`, or standard input; of `most` bytes unpacked, what follows is left out.

    What cannot be read twice is kept in a file without a name meanwhile. Raises `OSError`.
    """
    with _open(path) as file:
        seen, size, fault = hashlib.sha256(), 0, ""
        try:
            for piece in unpack_file(file, _STEP):
                if size + len(piece) > most:
                    fault = f"unpacked it is over {most:,} bytes"
                    break
                seen.update(piece)
                size += len(piece)
        except BadInput as error:
            fault = error.message
        yield EventFile(seen.hexdigest(), size, fault, file)


@contextmanager
def _open(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(sys.stdin.buffer, kept, _STEP)
            kept.seek(0)
            yield kept
        return
    with path.open("rb") as file:
        if file.seekable():
            yield file
            return
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(file, kept, _STEP)
            kept.seek(0)
            yield kept
