"""The manifest of a dataset version: one canonical text for one set of files, in ranges that versions share.

The format, ``lineal-manifest/1``, is in docs/format-objects.md.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

from lineal.core.digest import Digest
from lineal.core.path import spell, unspell
from lineal.errors import BadInput, BadManifest, BadRef

HEADER: Final = b"lineal-manifest/1\n"
_MEAN_RANGE_BITS: Final = 12
_BOUNDARY: Final = (1 << (256 - _MEAN_RANGE_BITS)).to_bytes(32)
_SIZE_LIMIT: Final = 1 << 63
_NUMBER: Final = r"(0|[1-9][0-9]{0,18})"
_ENTRY: Final = re.compile(rf"([fxlp]) ([0-9a-f]{{64}}) {_NUMBER} ([^ ]+)")
_TOTAL: Final = re.compile(rf"{_NUMBER} {_NUMBER}")
_RANGE: Final = re.compile(rf"([0-9a-f]{{64}}) {_NUMBER} {_NUMBER} ([^ ]+) ([^ ]+)")


class ObjectReader(Protocol):
    """What reading a manifest needs of a store."""

    def read(self, digest: Digest) -> bytes:
        """Return the object's bytes, checked against `digest`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its path (bytes, relative, ``/`` between segments), kind, digest and size in bytes.

    Kind is ``f`` a file, ``x`` an executable file, ``l`` a symbolic link, whose content is the bytes of its target,
    ``p`` a file that lies elsewhere: the digest is that of its pin (`lineal.datasets.pin`) then, the size its own.
    """

    path: bytes
    kind: str
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Range:
    """A run of entries, stored as the object `digest`: how many, the sum of their sizes, first and last path."""

    digest: Digest
    count: int
    size: int
    first: bytes
    last: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """The root of a manifest. `digest` names the dataset version; `count` files have `size` bytes together."""

    digest: Digest
    count: int
    size: int
    ranges: tuple[Range, ...]


def check_path(path: bytes) -> None:
    """Raise `BadInput` unless `path` is relative, and no segment is empty, ``.`` or ``..``, and it has no NUL."""
    if b"\0" in path or any(segment in (b"", b".", b"..") for segment in path.split(b"/")):
        raise BadInput(f"not a path within a dataset: {path!r}")


def is_boundary(path: bytes) -> bool:
    """Return whether a range ends after the entry with this path: decided by the path alone, once in 4096.

    So that an insertion or removal changes one range, or two, and all others are shared between the versions.
    """
    return hashlib.sha256(path).digest() < _BOUNDARY


class _Order:
    """Follows paths in their order: sorted by bytes, each once, none of them a folder of another."""

    def __init__(self) -> None:
        self.last: bytes | None = None
        self._prefixes: list[bytes] = []

    def follow(self, path: bytes) -> str | None:
        """Take the next path; return what is wrong with it, or None."""
        if self.last is not None and path <= self.last:
            return f"{path!r} does not come after {self.last!r}"
        self.last = path
        while self._prefixes and not path.startswith(self._prefixes[-1]):
            self._prefixes.pop()
        if any(path[len(prefix)] == 0x2F for prefix in self._prefixes):
            return f"{path!r} lies within a path that is a file"
        self._prefixes.append(path)
        return None


class Writer:
    """Writes a manifest in the order of its paths; holds the text of one range in memory at a time."""

    def __init__(self, put: Callable[[bytes], Digest]) -> None:
        """Let `put` store each range, then the root."""
        self._put = put
        self._order = _Order()
        self._ranges: list[Range] = []
        self._lines: list[str] = []
        self._size = 0
        self._first = b""

    @property
    def is_between(self) -> bool:
        """Whether the last entry ended a range, so that a range of another version can follow as it is."""
        return not self._lines

    def add(self, entry: Entry) -> None:
        """Take the next entry; raise `BadInput` for a path that is not allowed, not in its order, or within another
        that is a file.
        """
        check_path(entry.path)
        if wrong := self._order.follow(entry.path):
            raise BadInput(f"cannot be a dataset: {wrong}")
        if entry.kind not in ("f", "x", "l", "p") or not 0 <= entry.size < _SIZE_LIMIT:
            raise BadInput(f"cannot be an entry of a dataset: {entry}")
        if not self._lines:
            self._first = entry.path
        self._lines.append(f"{entry.kind} {entry.digest.hex} {entry.size} {spell(entry.path)}\n")
        self._size += entry.size
        if is_boundary(entry.path):
            self._close(entry.path)

    def add_folder(self, folder: bytes, found: Iterable[tuple[bytes, str, str, int]]) -> None:
        """Take name, kind, digest in hex and size of files that lie one after the other in one `folder` (empty, or a
        path with a slash at its end), as the file system gave them; only their order is checked.
        """
        prefix, lines, sha256 = spell(folder), self._lines, hashlib.sha256
        last = self._order.last or b""
        for name, kind, digest, size in found:
            path = folder + name
            if path <= last:
                raise BadInput(f"cannot be a dataset: {path!r} does not come after {last!r}")
            last = path
            if not lines:
                self._first = path
            lines.append(f"{kind} {digest} {size} {prefix}{spell(name)}\n")
            self._size += size
            if sha256(path).digest() < _BOUNDARY:
                self._close(path)
        self._order.last = last or None

    def share(self, part: Range) -> None:
        """Take a whole range of another manifest that was checked already, between two ranges of this one."""
        self._order = _Order()
        self._order.follow(part.last)
        self._ranges.append(part)

    def finish(self) -> Manifest:
        """Store what is left, then the root, and return the manifest."""
        if self._lines and self._order.last is not None:
            self._close(self._order.last)
        count, size = sum(each.count for each in self._ranges), sum(each.size for each in self._ranges)
        if size >= _SIZE_LIMIT:
            raise BadInput(f"the files have {size} bytes together, more than a manifest can say")
        lines = [f"{count} {size}\n", *(_range_line(each) for each in self._ranges)]
        return Manifest(self._put(HEADER + "".join(lines).encode()), count, size, tuple(self._ranges))

    def _close(self, last: bytes) -> None:
        text = "".join(self._lines).encode()
        self._ranges.append(Range(self._put(text), len(self._lines), self._size, self._first, last))
        self._lines.clear()
        self._size = 0


def write(entries: Iterable[Entry], put: Callable[[bytes], Digest]) -> Manifest:
    """Write the manifest of `entries`, sorted by path; `put` stores each range, then the root. Raises as `Writer`."""
    writer = Writer(put)
    for entry in entries:
        writer.add(entry)
    return writer.finish()


def load(digest: Digest, reader: ObjectReader) -> Manifest:
    """Return the manifest whose root is the object `digest`; raise `BadManifest` if it is not in the canonical form.

    Raises `ObjectMissing` or `DigestMismatch` if it cannot be read.
    """
    data = reader.read(digest)
    if not data.startswith(HEADER):
        raise BadManifest(f"{digest} is not a dataset: it does not begin with lineal-manifest/1")
    total, *lines = _lines(data[len(HEADER) :], f"the manifest {digest}") or [""]
    match = _TOTAL.fullmatch(total)
    if match is None:
        raise BadManifest(f"the manifest {digest} has no line of totals")
    ranges = tuple(_parse_range(line, digest) for line in lines)
    manifest = Manifest(digest, int(match[1]), int(match[2]), ranges)
    found = (sum(each.count for each in ranges), sum(each.size for each in ranges))
    if found != (manifest.count, manifest.size) or manifest.size >= _SIZE_LIMIT:
        raise BadManifest(f"the totals of the manifest {digest} are not the sums of its ranges")
    for before, after in pairwise(ranges):
        if before.last >= after.first or not is_boundary(before.last):
            raise BadManifest(f"the manifest {digest} has ranges out of order, or cut at another place")
    return manifest


def read_range(part: Range, reader: ObjectReader) -> list[Entry]:
    """Return the entries of one range of a loaded manifest; raise `BadManifest` if it is not canonical."""
    return _read_range(part, reader, _Order())


def entries(manifest: Manifest, reader: ObjectReader) -> Iterator[Entry]:
    """Yield every entry, sorted by path; one range is in memory at a time. Raises as `read_range`."""
    order = _Order()
    for part in manifest.ranges:
        yield from _read_range(part, reader, order)


def _read_range(part: Range, reader: ObjectReader, order: _Order) -> list[Entry]:
    entries = [_parse_entry(line, part) for line in _lines(reader.read(part.digest), f"the range {part.digest}")]
    for number, entry in enumerate(entries):
        if wrong := order.follow(entry.path):
            raise BadManifest(f"the range {part.digest} is not canonical: {wrong}")
        if is_boundary(entry.path) and number < len(entries) - 1:
            raise BadManifest(f"the range {part.digest} should end after {entry.path!r}")
    if not entries:
        raise BadManifest(f"the range {part.digest} is empty")
    found = (len(entries), sum(entry.size for entry in entries), entries[0].path, entries[-1].path)
    if found != (part.count, part.size, part.first, part.last):
        raise BadManifest(f"the range {part.digest} is not as its manifest says")
    return entries


def _range_line(part: Range) -> str:
    return f"{part.digest.hex} {part.count} {part.size} {spell(part.first)} {spell(part.last)}\n"


def _lines(data: bytes, what: str) -> list[str]:
    try:
        *lines, rest = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise BadManifest(f"{what} is not UTF-8") from error
    if rest:
        raise BadManifest(f"{what} ends within a line")
    return lines


def _parse_entry(line: str, part: Range) -> Entry:
    match = _ENTRY.fullmatch(line)
    if match is None or int(match[3]) >= _SIZE_LIMIT:
        raise BadManifest(f"the range {part.digest} has a line that is no entry: {line[:200]!r}")
    return Entry(_parse_path(match[4]), match[1], Digest(bytes.fromhex(match[2])), int(match[3]))


def _parse_range(line: str, root: Digest) -> Range:
    match = _RANGE.fullmatch(line)
    if match is None or match[2] == "0":
        raise BadManifest(f"the manifest {root} has a line that is no range: {line[:200]!r}")
    first, last = _parse_path(match[4]), _parse_path(match[5])
    if last < first:
        raise BadManifest(f"the manifest {root} has a range that ends before it begins: {line[:200]!r}")
    return Range(Digest(bytes.fromhex(match[1])), int(match[2]), int(match[3]), first, last)


def _parse_path(text: str) -> bytes:
    path = text.encode("utf-8")
    try:
        # What has no escape and would be written as it stands is spelled right: the common case, and ten times quicker.
        if b"%" in path or spell(path) != text:
            path = unspell(text)
        check_path(path)
    except (BadRef, BadInput) as error:
        raise BadManifest(f"not the canonical spelling of a path: {text[:200]!r}") from error
    return path
