"""Which tiles a growing log gets: by counting alone, for the tests of those that are made of its hashes."""

from collections.abc import Iterator

from lineal.core.tile import WIDTH, Tile


def tiles_between(old_size: int, new_size: int) -> Iterator[Tile]:
    """Yield the tiles that a log of `new_size` entries has and the log of `old_size` had not, level by level."""
    level = 0
    while old_size < new_size:  # once no hash is new at a level, none is above
        for index in range(old_size // WIDTH, -(-new_size // WIDTH)):
            yield Tile(level, index, min(WIDTH, new_size - index * WIDTH))
        old_size, new_size, level = old_size // WIDTH, new_size // WIDTH, level + 1
