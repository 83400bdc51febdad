"""Objects of a git repository, streamed from one running program, each held against its own id."""

import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import IO, Final, Self

from lineal.errors import BadInput, DigestMismatch, SourceError
from lineal.sources.git_program import Git

ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
PIECE: Final = 1 << 20
_TOGETHER: Final = 56  # names of this many objects fit into the smallest pipe, so that writing them never waits
_SMALL: Final = 64 << 20
_SIGNATURES: Final = (
    (b"-----BEGIN SSH SIGNATURE", "ssh"),
    (b"-----BEGIN SIGNED MESSAGE", "x509"),
    (b"-----BEGIN PGP", "openpgp"),
)


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit says: `time` is the committer's, in seconds since 1970; `signed` the kind of its signature.

    `author` and `committer` are personal data: they go into bodies of events, which can be erased, and nowhere else.
    """

    id: str
    tree: str
    parents: tuple[str, ...]
    time: int | None
    author: bytes
    committer: bytes
    signed: str | None


class Found:
    """One object on its way: its id, kind (None where the repository lacks it), size, and its bytes, once."""

    def __init__(self, name: str, kind: str | None, size: int, out: IO[bytes]) -> None:
        self.id, self.kind, self.size = name, kind, size
        self._out, self._left = out, size
        self._running = _hash_for(name)
        self._running.update(f"{kind} {size}\0".encode())

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes; raise `DigestMismatch` after the last if they are not those that the id names."""
        while self._left:
            piece = self._out.read(min(self._left, PIECE))
            if not piece:
                raise SourceError(f"git stopped within the object {self.id}: the repository is damaged")
            self._left -= len(piece)
            self._running.update(piece)
            yield piece
        if self._running.hexdigest() != self.id:
            raise DigestMismatch(
                f"the repository holds other bytes under {self.id}: it is damaged, or was tampered with",
                fix="`git fsck` in the repository says more; clone it anew from its host.",
            )

    def read(self) -> bytes:
        """Return the bytes of a small object, checked; raise `BadInput` for one over 64 MiB."""
        if self.size > _SMALL:
            raise BadInput(f"the object {self.id} has {self.size} bytes, too many for what it is")
        return b"".join(self.pieces())

    def finish(self) -> None:
        """Read what nobody asked for, and the byte after it."""
        if self.kind is None:
            return
        while self._left:
            self._left -= len(self._out.read(min(self._left, PIECE)) or b"\0" * self._left)
        self._out.read(1)


class ObjectReader:
    """Reads objects of one repository through one ``git cat-file --batch``. Close it, or use it as a context."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._process = git.open_batch()
        self._out: IO[bytes] = self._process.stdout or io.BytesIO()

    def each(self, names: Iterable[str]) -> Iterator[Found]:
        """Yield the objects with the ids `names`, in their order; each must be read before the next is asked for."""
        rest = iter(names)
        while some := list(islice(rest, _TOGETHER)):
            if any(ID.fullmatch(name) is None for name in some):
                raise BadInput(f"not the id of a git object among {some[:3]}")
            self._write("".join(f"{name}\n" for name in some).encode())
            for name in some:
                found = self._next(name)
                yield found
                found.finish()

    def one(self, name: str) -> Found:
        """Return one object with its bytes to be read at once; `finish` it."""
        self._write(f"{name}\n".encode())
        return self._next(name)

    def commit(self, name: str) -> Commit:
        """Return the commit `name`; raise `BadInput` if that is something else, `SourceError` if it is not there."""
        (found,) = [(each.kind, each.read() if each.kind is not None else b"") for each in self.each([name])]
        if found[0] is None:
            raise SourceError(f"the repository {self._git.folder} has no object {name}")
        if found[0] != "commit":
            raise BadInput(f"{name} is a {found[0]}, not a commit")
        return parse_commit(name, found[1])

    def _write(self, data: bytes) -> None:
        stream = self._process.stdin
        try:
            if stream is not None:
                stream.write(data)
                stream.flush()
        except OSError as error:
            raise SourceError(f"git stopped reading {self._git.folder}: the repository is damaged") from error

    def _next(self, name: str) -> Found:
        out = self._out
        words = out.readline().split()
        if len(words) == 2 and words[1] == b"missing":
            return Found(name, None, 0, out)
        if len(words) != 3 or words[0] != name.encode() or not words[2].isdigit():
            raise SourceError(f"git cannot read the object {name} in {self._git.folder}: the repository is damaged")
        return Found(name, words[1].decode("ascii", "replace"), int(words[2]), out)

    def close(self) -> None:
        """End the program."""
        for stream in (self._process.stdin, self._out):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def parse_commit(name: str, data: bytes) -> Commit:
    """Return what the bytes of a commit say; raise `BadInput` if they are none.

    Format: gitformat-commit, headers ``key value`` with continuation lines that begin with a blank, up to a blank line.
    """
    fields: dict[bytes, list[bytes]] = {}
    for line in data.partition(b"\n\n")[0].split(b"\n"):
        key, _, value = line.partition(b" ")
        if key:
            fields.setdefault(key, []).append(value)
    trees, parents = fields.get(b"tree", []), fields.get(b"parent", [])
    names = [clean.decode("ascii", "replace") for clean in (*trees, *parents)]
    if len(trees) != 1 or any(ID.fullmatch(each) is None or len(each) != len(name) for each in names):
        raise BadInput(f"the commit {name} is not one that git writes")
    signatures = [*fields.get(b"gpgsig", []), *fields.get(b"gpgsig-sha256", [])]
    signed = next((kind for start, kind in _SIGNATURES if signatures and signatures[0].startswith(start)), None)
    author, committer = (fields.get(key, [b""])[0] for key in (b"author", b"committer"))
    seconds = committer.rpartition(b">")[2].split()
    return Commit(
        id=name,
        tree=names[0],
        parents=tuple(names[1:]),
        time=int(seconds[0]) if seconds and seconds[0].isdigit() and len(seconds[0]) < 16 else None,
        author=author.rpartition(b">")[0] + b">",
        committer=committer.rpartition(b">")[0] + b">",
        signed=signed or ("unknown" if signatures else None),
    )


def object_id(kind: str, size: int, pieces: Iterable[bytes], hash_name: str) -> str:
    """Return the id that git gives to an object: the hash of its kind, its size and its bytes."""
    running = hashlib.new(hash_name, usedforsecurity=False)
    running.update(f"{kind} {size}\0".encode())
    for piece in pieces:
        running.update(piece)
    return running.hexdigest()


def _hash_for(name: str) -> "hashlib._Hash":
    return hashlib.new("sha1" if len(name) == 40 else "sha256", usedforsecurity=False)
