"""The published files of a log, held against what its entries give."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from lineal.core.finding import Finding
from lineal.core.merkle import root_of
from lineal.core.tile import (
    WIDTH,
    bundle_path,
    encode_bundle,
    encode_tile,
    parse_bundle_path,
    parse_tile_path,
    tile_path,
)
from lineal.errors import LinealError, Malformed
from lineal.ledger.log_files import LogFiles

_LEFTOVER: Final = re.compile(r"\.[^/]+\.[0-9]+\.tmp")
_KNOWN: Final = {"checkpoint", ".lock"}

_ENTRIES: Final = -1
_Place: TypeAlias = tuple[int, int]
"""The level (`_ENTRIES` for bundles) and index of a tile, whatever its width."""


class TileCheck:
    """Is given the entries of a log in order, and compares every tile and bundle on disk with what they make.

    `published` is the size of the published checkpoint: the tiles of that size must be there.
    """

    def __init__(self, files: LogFiles, published: int) -> None:
        self._files = files
        self._published = published
        self._places: dict[_Place, list[int]] = {}
        self._strays: list[str] = []
        self._rows: list[list[bytes]] = [[]]
        self._counts = [0]
        self._entries: list[bytes] = []
        for path in files.tiles():
            self._sort_in(path)

    def _sort_in(self, path: str) -> None:
        try:
            if path.startswith("tile/entries/"):
                index, width = parse_bundle_path(path)
                level = _ENTRIES
            else:
                tile = parse_tile_path(path)
                level, index, width = tile.level, tile.index, tile.width
        except Malformed:
            self._strays.append(path)
        else:
            self._places.setdefault((level, index), []).append(width)

    def take(self, data: Sequence[bytes], leaves: Sequence[bytes]) -> Iterator[Finding]:
        """Take the next entries, their bytes and leaf hashes; yield what differs in the tiles that they complete."""
        for entry, leaf in zip(data, leaves, strict=True):
            self._entries.append(entry)
            self._rows[0].append(leaf)
            if len(self._entries) == WIDTH:
                yield from self._close_row()

    def _close_row(self) -> Iterator[Finding]:
        yield from self._compare(_ENTRIES, self._counts[0], self._entries)
        self._entries = []
        level = 0
        while len(row := self._rows[level]) == WIDTH:
            yield from self._compare(level, self._counts[level], row)
            self._counts[level] += 1
            self._rows[level] = []
            level += 1
            if level == len(self._rows):
                self._rows.append([])
                self._counts.append(0)
            self._rows[level].append(root_of(row))

    def finish(self, still_grows_to: Callable[[], int]) -> Iterator[Finding]:
        """Yield what differs at the right edge, and every file that no log of `still_grows_to()` entries has."""
        if self._entries:
            yield from self._compare(_ENTRIES, self._counts[0], self._entries)
        for level, row in enumerate(self._rows):
            if row:
                yield from self._compare(level, self._counts[level], row)
        grown = still_grows_to() if self._places else 0
        for (level, index), widths in sorted(self._places.items()):
            for width in sorted(widths):
                # What a publisher writes meanwhile is of entries that came after the walk began.
                if (index * WIDTH + width) << 8 * max(level, 0) > grown:
                    yield _fault("tile.beyond", _spell(level, index, width), "it is of entries that the log has not")
        for path in sorted(self._strays):
            if _LEFTOVER.fullmatch(Path(path).name):
                yield _leftover(path)
            else:
                yield _fault("tile.stray", path, "not the path of a tile or bundle")

    def _compare(self, level: int, index: int, row: Sequence[bytes]) -> Iterator[Finding]:
        widths = self._places.pop((level, index), [])
        beyond = [width for width in widths if width > len(row)]
        if beyond:
            self._places[level, index] = beyond
        for width in sorted(set(widths) - set(beyond)):
            yield from self._compare_one(level, index, row[:width])
        needed = min(WIDTH, (self._published >> 8 * max(level, 0)) - index * WIDTH)
        if needed > 0 and needed not in widths and WIDTH not in widths:
            yield from self._compare_late(level, index, row[:needed])

    def _compare_one(self, level: int, index: int, row: Sequence[bytes]) -> Iterator[Finding]:
        path = _spell(level, index, len(row))
        try:
            found = self._files.read_tile(path)
            wanted = _encode(level, row)
        except LinealError as error:
            yield _fault("tile.changed", path, f"it cannot be compared: {error.message}")
            return
        if found is None and len(row) < WIDTH:
            yield from self._compare_late(level, index, row)
        elif found is None:
            yield _fault("tile.missing", path, "it vanished while the log was verified")
        elif found != wanted:
            yield _fault("tile.changed", path, "its bytes are not what the entries give")

    def _compare_late(self, level: int, index: int, row: Sequence[bytes]) -> Iterator[Finding]:
        """Compare with the full tile: a publisher at work writes it, then removes the partial ones."""
        path = _spell(level, index, WIDTH)
        try:
            found = self._files.read_tile(path)
            wanted = _encode(level, row)
        except LinealError as error:
            yield _fault("tile.changed", path, f"it cannot be compared: {error.message}")
            return
        if found is None:
            yield _fault("tile.missing", _spell(level, index, len(row)), "a published file is not there")
        elif not found.startswith(wanted):
            yield _fault("tile.changed", path, "its bytes are not what the entries give")


def _encode(level: int, row: Sequence[bytes]) -> bytes:
    return encode_bundle(row) if level == _ENTRIES else encode_tile(row)


def check_folder(files: LogFiles) -> Iterator[Finding]:
    """Yield the files beside the tiles that no publisher puts there."""
    for file in sorted(files.folder.iterdir()):
        if _LEFTOVER.fullmatch(file.name):
            yield _leftover(file.name)
        elif file.name not in _KNOWN and not (file.name == "tile" and file.is_dir()):
            explanation = "not a file of a published log"
            yield Finding(code="file.stray", about=file.name, explanation=explanation, failed=False)


def _spell(level: int, index: int, width: int) -> str:
    return bundle_path(index, width) if level == _ENTRIES else tile_path(level, index, width)


def _leftover(path: str) -> Finding:
    explanation = "left by a publisher that died; it can be removed"
    return Finding(code="file.leftover", about=path, explanation=explanation, failed=False)


def _fault(code: str, about: str, explanation: str) -> Finding:
    return Finding(code=code, about=about, explanation=explanation)
