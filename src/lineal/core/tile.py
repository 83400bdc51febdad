"""Tiles and entry bundles of a log, as in C2SP tlog-tiles: their paths, their contents, and hashes read from them.

A tile holds up to 256 consecutive hashes. At level 0 they are leaf hashes; at level L each is the root of a full tile
of level L - 1, so that the hash at position i of tile N covers the leaves from (N * 256 + i) * 256^L on. A bundle holds
the entries whose leaf hashes the tile of level 0 with the same index holds.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from lineal.core.merkle import HASH_SIZE, MAX_SIZE, HashAt, node_hash, root_of
from lineal.errors import BadInput, Malformed, TooLarge

WIDTH: Final = 256
MAX_ENTRY: Final = 0xFFFF
_HEIGHT: Final = 8  # levels of the tree from one level of tiles to the next
_MAX_LEVEL: Final = 63

_PATH: Final = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")

_CACHED_TILES: Final = 256  # about 8 MB of hashes


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A tile's place: its level (0 to 63), its index in the level, and its width (1 to 256; below 256 it is partial).

    Raises `BadInput` for numbers out of these ranges.
    """

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        if not (0 <= self.level <= _MAX_LEVEL and 0 <= self.index <= MAX_SIZE and 0 < self.width <= WIDTH):
            raise BadInput(f"there is no tile {self.index} of level {self.level} and width {self.width}")


TileReader: TypeAlias = Callable[[Tile], bytes]
"""Gives the stored bytes of a tile: `Tile.width` hashes."""


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """Return the path of a tile below the log's root, such as ``tile/0/x001/x234/067.p/5``; raise `BadInput`."""
    return _spell(str(level), Tile(level, index, width))


def bundle_path(index: int, width: int = WIDTH) -> str:
    """Return the path of an entry bundle below the log's root, such as ``tile/entries/000.p/5``; raise `BadInput`."""
    return _spell("entries", Tile(0, index, width))


def parse_tile_path(path: str) -> Tile:
    """Return the tile whose path is exactly `path`; raise `Malformed` for any other text."""
    kind, tile = _parse(path)
    if kind == "entries":
        raise Malformed(f"the path of an entry bundle, not of a tile: {path!r}")
    return tile


def parse_bundle_path(path: str) -> tuple[int, int]:
    """Return the index and width of the bundle whose path is exactly `path`; raise `Malformed` for any other text."""
    kind, tile = _parse(path)
    if kind != "entries":
        raise Malformed(f"the path of a tile, not of an entry bundle: {path!r}")
    return tile.index, tile.width


def _spell(kind: str, tile: Tile) -> str:
    digits = str(tile.index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    suffix = "" if tile.width == WIDTH else f".p/{tile.width}"
    return "/".join(["tile", kind, *(f"x{group}" for group in groups[:-1]), groups[-1]]) + suffix


def _parse(path: str) -> tuple[str, Tile]:
    match = _PATH.fullmatch(path)
    if match is None:
        raise Malformed(f"not the path of a tile or entry bundle: {path[:100]!r}")
    kind = match[1]
    try:
        tile = Tile(
            level=0 if kind == "entries" else int(kind),
            index=int(match[2].replace("x", "").replace("/", "")),
            width=int(match[3] or WIDTH),
        )
    except BadInput as error:
        raise Malformed(f"not the path of a tile or entry bundle: {path!r}") from error
    if _spell(kind, tile) != path:  # needless zeros, or the full width spelled out
        raise Malformed(f"not the canonical path of a tile or entry bundle: {path!r}")
    return kind, tile


def encode_tile(hashes: Sequence[bytes]) -> bytes:
    """Return the bytes of a tile with these 1 to 256 hashes; raise `BadInput` for any other number or size of them."""
    if len(hashes) > WIDTH or set(map(len, hashes)) != {HASH_SIZE}:
        raise BadInput(f"a tile has 1 to {WIDTH} hashes of {HASH_SIZE} bytes")
    return b"".join(hashes)


def decode_tile(data: bytes, width: int = WIDTH) -> list[bytes]:
    """Return the `width` hashes of a tile; raise `Malformed` if `data` has any other length."""
    if len(data) != width * HASH_SIZE:
        raise Malformed(f"a tile of width {width} has {width * HASH_SIZE} bytes, not {len(data)}")
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bytes of a bundle of 1 to 256 entries, each after its length in two bytes, big-endian.

    Raises `TooLarge` if an entry has more than 65,535 bytes, `BadInput` for any other number of entries.
    """
    if not 0 < len(entries) <= WIDTH:
        raise BadInput(f"a bundle has 1 to {WIDTH} entries, not {len(entries)}")
    if max(map(len, entries)) > MAX_ENTRY:
        raise TooLarge(f"an entry has at most {MAX_ENTRY} bytes")
    return b"".join([part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry)])


def decode_bundle(data: bytes, width: int | None = None) -> list[bytes]:
    """Return the entries of a bundle: `width` of them, or if it is None 1 to 256; raise `Malformed` otherwise."""
    entries: list[bytes] = []
    at, end = 0, len(data)
    while at < end and len(entries) <= WIDTH:
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        entries.append(data[start:at])
        if start > end or at > end:
            raise Malformed("an entry bundle ends inside an entry")
    if not 0 < len(entries) <= WIDTH or (width is not None and len(entries) != width):
        raise Malformed(f"an entry bundle has {len(entries)} entries, not {width or '1 to 256'}")
    return entries


def grow_tiles(old_size: int, leaves: Sequence[bytes], read: TileReader) -> Iterator[tuple[Tile, bytes]]:
    """Yield the new tiles, level by level, and their bytes, when `leaves` are appended to a log.

    A partial tile that has grown is a new tile. `leaves` are leaf hashes; `read` is asked only for the partial tile at
    the right edge of each level of the old log (at most eight). Raises `Malformed` if such a tile has the wrong length.
    """
    level, size, hashes = 0, old_size, list(leaves)
    while hashes:
        first, width = divmod(size, WIDTH)
        if width:
            hashes[:0] = decode_tile(read(Tile(level, first, width)), width)
        rows = [hashes[at : at + WIDTH] for at in range(0, len(hashes), WIDTH)]
        for index, row in enumerate(rows, first):
            yield Tile(level, index, len(row)), encode_tile(row)
        hashes = [root_of(row) for row in rows if len(row) == WIDTH]
        size, level = first, level + 1


def hash_at_from_tiles(size: int, read: TileReader) -> HashAt:
    """Return a function that gives the hash of a full node (level, index) of the log of `size` entries.

    It reads the tile that has or covers the node, at its width in a log of that size, and hashes up inside it; the
    last 256 tiles read are kept. It raises `BadInput` if the log has no such full node, `Malformed` if a tile has
    the wrong length. Tiles are believed: what is made of them is to be verified against a signed root.
    """

    @lru_cache(maxsize=_CACHED_TILES)
    def rows_of(tile: Tile) -> list[list[bytes]]:
        rows = [decode_tile(read(tile), tile.width)]
        while len(rows[-1]) > 1:
            pairs = iter(rows[-1])
            rows.append([node_hash(left, right) for left, right in zip(pairs, pairs, strict=False)])
        return rows

    def hash_at(level: int, index: int) -> bytes:
        if not 0 <= level <= _MAX_LEVEL or index < 0 or (index + 1) << level > size:
            raise BadInput(f"a log of {size} entries has no full node {index} of level {level}")
        tile_level, height = divmod(level, _HEIGHT)
        tile_index, place = divmod(index, WIDTH >> height)
        width = min(WIDTH, (size >> tile_level * _HEIGHT) - tile_index * WIDTH)
        return rows_of(Tile(tile_level, tile_index, width))[height][place]

    return hash_at
