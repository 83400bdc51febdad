"""The examples in the text of C2SP tlog-tiles."""

from lineal.core.tile import Tile, bundle_path, parse_tile_path, tile_path
from tiling import tiles_between


def test_index_1234067() -> None:
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert bundle_path(1234067) == "tile/entries/x001/x234/067"
    assert parse_tile_path("tile/0/x001/x234/067") == Tile(0, 1234067, 256)


def test_a_tree_of_70000() -> None:
    tiles = list(tiles_between(0, 70_000))
    full = [tile for tile in tiles if tile.width == 256]
    assert [sum(tile.level == level for tile in full) for level in range(3)] == [273, 1, 0]
    assert [tile for tile in tiles if tile.width < 256] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]


def test_a_tree_of_256() -> None:
    assert list(tiles_between(0, 256)) == [Tile(0, 0, 256), Tile(1, 0, 1)]
