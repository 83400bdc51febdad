"""The objects of a repository, by one git program that stays open."""

import os
import selectors
from types import TracebackType
from typing import Final, Self

from lineal.errors import DigestMismatch, SourceError
from lineal.sources.git_objects import object_id
from lineal.sources.git_program import TIMEOUT, Git

_CHUNK: Final = 1 << 16


class Blobs:
    """Reads files of a repository by ``git cat-file --batch``, by their ids or by commit and path, each checked."""

    def __init__(self, git: Git) -> None:
        self._format = git.format
        self._process = git.open_batch()
        self._buffer = bytearray()

    def read(self, blob: str, limit: int) -> bytes | None:
        """Return the object named `blob`; None if it is not there, is no file, or is over `limit` bytes."""
        return self._read(blob.encode("ascii"), limit)[1]

    def read_at(self, commit: str, path: bytes, limit: int) -> bytes | None:
        """Return the file `path` of `commit`; None as `read`, and for a path that cannot be asked for."""
        return self.look_at(commit, path, limit)[1]

    def look_at(self, commit: str, path: bytes, limit: int) -> tuple[str | None, bytes | None]:
        """Return what `path` of `commit` is (``blob``, ``tree``, None for nothing), and the content of a file."""
        return (None, None) if b"\n" in path else self._read(b"%s:%s" % (commit.encode("ascii"), path), limit)

    def _read(self, name: bytes, limit: int) -> tuple[str | None, bytes | None]:
        stdin = self._process.stdin
        if stdin is None:
            raise AssertionError
        try:
            stdin.write(name + b"\n")
            stdin.flush()
        except OSError as error:
            raise SourceError(f"git cat-file ended: {error.strerror}") from error
        words = self._line().split(b" ")
        if words[-1] in (b"missing", b"ambiguous"):
            return None, None
        if words[-2:-1] in ([b"symlink"], [b"dangling"], [b"loop"], [b"notdir"]) or not words[-1].isdigit():
            raise SourceError("git cat-file answered what is not understood")
        size = int(words[-1])
        found = self._take(size + 1, keep=words[-2] == b"blob" and size <= limit)
        oid = words[0].decode("ascii", "replace")
        if found is not None and object_id("blob", size, [found[:-1]], self._format) != oid:
            raise DigestMismatch(
                f"the repository holds other bytes under {oid}: it is damaged, or was tampered with",
                fix="`git fsck` in the repository says more; clone it anew from its host.",
            )
        return words[-2].decode("ascii"), None if found is None else found[:-1]

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _take(self, count: int, *, keep: bool) -> bytes | None:
        kept = bytearray()
        while count:
            if not self._buffer:
                self._fill()
            piece = self._buffer[:count]
            del self._buffer[:count]
            count -= len(piece)
            if keep:
                kept += piece
        return bytes(kept) if keep else None

    def _fill(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            raise AssertionError
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if not selector.select(TIMEOUT):
                raise SourceError("git cat-file does not answer")
        data = os.read(stdout.fileno(), _CHUNK)
        if not data:
            raise SourceError("git cat-file ended before it had answered")
        self._buffer += data

    def close(self) -> None:
        """End the program."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
