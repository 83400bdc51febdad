import pytest

from lineal.core.merkle import leaf_hash
from lineal.core.tile import (
    Tile,
    bundle_path,
    decode_bundle,
    decode_tile,
    encode_bundle,
    encode_tile,
    grow_tiles,
    hash_at_from_tiles,
    parse_bundle_path,
    parse_tile_path,
    tile_path,
)
from lineal.errors import BadInput, Malformed, TooLarge

LEAF = leaf_hash(b"")


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 0, 1), "tile/0/000.p/1"),
        (Tile(63, 999, 255), "tile/63/999.p/255"),
        (Tile(1, 1000), "tile/1/x001/000"),
        (Tile(0, 2**63 - 1), "tile/0/x009/x223/x372/x036/x854/x775/807"),
    ],
)
def test_a_path_and_its_tile(tile: Tile, path: str) -> None:
    assert tile_path(tile.level, tile.index, tile.width) == path
    assert parse_tile_path(path) == tile
    if tile.level == 0:
        entries = path.replace("tile/0/", "tile/entries/")
        assert bundle_path(tile.index, tile.width) == entries
        assert parse_bundle_path(entries) == (tile.index, tile.width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/tile/0/000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/x000/x001/234",
        "tile/0/001/234",
        "tile/0/x001",
        "tile/0/X001/234",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1000",
        "tile/0/000.p/",
        "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "tile/0/../0/000",
        "tile/entries/000/",
        "tile/data/000",
    ],
)
def test_not_a_path(path: str) -> None:
    with pytest.raises(Malformed):
        parse_tile_path(path)
    with pytest.raises(Malformed):
        parse_bundle_path(path.replace("tile/0/", "tile/entries/"))


def test_a_bundle_is_no_tile() -> None:
    with pytest.raises(Malformed):
        parse_tile_path("tile/entries/000")
    with pytest.raises(Malformed):
        parse_bundle_path("tile/0/000")


@pytest.mark.parametrize("numbers", [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 2**63, 1), (0, 0, 0), (0, 0, 257)])
def test_not_a_tile(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(BadInput):
        tile_path(*numbers)


def test_a_bundle_byte_by_byte() -> None:
    assert encode_bundle([b"", b"abc", bytes(258)]) == b"\x00\x00" + b"\x00\x03abc" + b"\x01\x02" + bytes(258)


def test_limits_of_a_bundle() -> None:
    assert decode_bundle(encode_bundle([bytes(65_535)] * 256), 256) == [bytes(65_535)] * 256
    with pytest.raises(TooLarge):
        encode_bundle([bytes(65_536)])
    for entries in ([], [b""] * 257):
        with pytest.raises(BadInput):
            encode_bundle(entries)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x01", b"\x00\x00\x00", b"\x00\x02a", b"\x00\x00" * 257])
def test_not_a_bundle(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_bundle(data)


def test_a_bundle_of_another_width() -> None:
    for width in (1, 3, 256):
        with pytest.raises(Malformed):
            decode_bundle(encode_bundle([b"a", b"b"]), width)


def test_a_tile_byte_by_byte() -> None:
    assert encode_tile([LEAF, bytes(32)]) == LEAF + bytes(32)
    for hashes in ([], [LEAF] * 257, [LEAF[1:]], [LEAF, b""]):
        with pytest.raises(BadInput):
            encode_tile(hashes)
    for size in (0, 31, 63, 65, 96):
        with pytest.raises(Malformed):
            decode_tile(bytes(size), 2)


def test_growth_reads_only_partial_tiles_of_the_right_edge() -> None:
    tiles = dict(grow_tiles(0, [LEAF] * 1000, {}.__getitem__))
    read: list[Tile] = []

    def reader(tile: Tile) -> bytes:
        read.append(tile)
        return tiles[tile]

    new = dict(grow_tiles(1000, [LEAF] * 100, reader))
    assert read == [Tile(0, 3, 232), Tile(1, 0, 3)]
    assert list(new) == [Tile(0, 3), Tile(0, 4, 76), Tile(1, 0, 4)]


@pytest.mark.parametrize("place", [(-1, 0), (0, -1), (0, 5), (1, 2), (3, 0), (64, 0)])
def test_a_node_that_is_not_full(place: tuple[int, int]) -> None:
    tiles = dict(grow_tiles(0, [LEAF] * 5, {}.__getitem__))
    with pytest.raises(BadInput):
        hash_at_from_tiles(5, tiles.__getitem__)(*place)


def test_a_tile_of_the_wrong_length() -> None:
    with pytest.raises(Malformed):
        hash_at_from_tiles(5, lambda _: bytes(4 * 32))(0, 0)
    with pytest.raises(Malformed):
        list(grow_tiles(5, [LEAF], lambda _: bytes(6 * 32)))
