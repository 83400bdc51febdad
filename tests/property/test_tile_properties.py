"""Tiles, bundles and their paths: grown in any steps, read back, mutated, and fed with anything."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.merkle import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
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
from lineal.errors import BadInput, BadProof, LinealError, Malformed
from tiling import tiles_between

LIMIT = 5000
LEAVES = [leaf_hash(index.to_bytes(4, "big")) for index in range(LIMIT)]
PLACES = st.tuples(st.integers(0, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))


def grown(*sizes: int) -> dict[Tile, bytes]:
    """The tiles of a log that grew through `sizes`; each step may read only what is there already."""
    tiles: dict[Tile, bytes] = {}
    old = 0
    for size in sizes:
        new = list(grow_tiles(old, LEAVES[old:size], tiles.__getitem__))
        assert [tile for tile, _ in new] == list(tiles_between(old, size))
        assert not tiles.keys() & dict(new).keys()
        tiles.update(new)
        old = size
    return tiles


@given(st.lists(st.integers(0, LIMIT), min_size=1, max_size=5).map(sorted), st.data())
@settings(max_examples=60, deadline=None)
def test_tiles_grown_in_any_steps_give_nodes_and_proofs(sizes: list[int], data: st.DataObject) -> None:
    tiles, size = grown(*sizes), sizes[-1]
    for tile, content in grown(size).items():
        assert tiles[tile] == content
    hash_at = hash_at_from_tiles(size, tiles.__getitem__)
    for level in range(14):
        count = size >> level
        for index in {0, count // 2, count - 1} if count else ():
            assert hash_at(level, index) == root_of(LEAVES[index << level : (index + 1) << level])
        with pytest.raises(BadInput):
            hash_at(level, count)
    root = root_of(LEAVES[:size])
    for old in sizes:
        verify_consistency(old, size, root_of(LEAVES[:old]), root, consistency_proof(old, size, hash_at))
    if size:
        index = data.draw(st.integers(0, size - 1))
        verify_inclusion(index, size, LEAVES[index], inclusion_proof(index, size, hash_at), root)


@given(st.integers(1, LIMIT), st.data())
@settings(max_examples=60, deadline=None)
def test_a_changed_tile_gives_no_proof_that_holds(size: int, data: st.DataObject) -> None:
    tiles, root = grown(size), root_of(LEAVES[:size])
    index = data.draw(st.integers(0, size - 1))
    used: set[Tile] = set()

    def read(tile: Tile) -> bytes:
        used.add(tile)
        return tiles[tile]

    proof = inclusion_proof(index, size, hash_at_from_tiles(size, read))
    if not proof:
        return
    victim = data.draw(st.sampled_from(sorted(used)))
    at = data.draw(st.integers(0, len(tiles[victim]) - 1))
    content = bytearray(tiles[victim])
    content[at] ^= 1
    tiles[victim] = bytes(content)
    changed = inclusion_proof(index, size, hash_at_from_tiles(size, tiles.__getitem__))
    if changed == proof:  # the byte is of no node of this proof
        verify_inclusion(index, size, LEAVES[index], changed, root)
    else:
        with pytest.raises(BadProof):
            verify_inclusion(index, size, LEAVES[index], changed, root)


@given(st.integers(0, 2**40), st.integers(0, 3000))
@settings(max_examples=200, deadline=None)
def test_tiles_between_are_those_that_c2sp_counts(old: int, grown_by: int) -> None:
    new = old + grown_by

    def all_at_the_edge(size: int, level: int) -> set[Tile]:
        count, first = size >> 8 * level, (old >> 8 * level) // 256
        tiles = {Tile(level, index, 256) for index in range(first, count // 256)}
        return tiles | ({Tile(level, count // 256, count % 256)} if count % 256 else set())

    wanted = {tile for level in range(6) for tile in all_at_the_edge(new, level) - all_at_the_edge(old, level)}
    found = list(tiles_between(old, new))
    assert sorted(wanted) == found


@given(PLACES)
def test_paths_read_back(place: tuple[int, int, int]) -> None:
    level, index, width = place
    assert parse_tile_path(tile_path(level, index, width)) == Tile(level, index, width)
    assert parse_bundle_path(bundle_path(index, width)) == (index, width)


@given(PLACES, st.data())
@settings(max_examples=300)
def test_a_mutated_path_is_refused_or_of_another_tile(place: tuple[int, int, int], data: st.DataObject) -> None:
    path = tile_path(*place)
    at = data.draw(st.integers(0, len(path)))
    text = data.draw(st.text(alphabet="tile/entrsx.p0123456789٣ \n", max_size=4))
    mutated = path[:at] + text + path[at + data.draw(st.integers(0, 4)) :]
    for other in (mutated, path + text, text + path, path.replace("/", "//", 1), path.upper()):
        for parse, spell in (
            (parse_tile_path, lambda tile: tile_path(tile.level, tile.index, tile.width)),
            (parse_bundle_path, lambda found: bundle_path(*found)),
        ):
            with contextlib.suppress(Malformed):
                assert spell(parse(other)) == other


@given(
    st.text(max_size=60) | st.from_regex(r"tile/(entries|[0-9]{1,3})/[x0-9/]{1,40}(\.p/[0-9]{1,4})?", fullmatch=True)
)
@settings(max_examples=300)
def test_arbitrary_text_is_a_path_or_refused(text: str) -> None:
    with contextlib.suppress(Malformed):
        tile = parse_tile_path(text)
        assert tile_path(tile.level, tile.index, tile.width) == text
    with contextlib.suppress(Malformed):
        assert bundle_path(*parse_bundle_path(text)) == text


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256), st.data())
@settings(deadline=None)
def test_bundles_read_back_and_a_mutated_one_is_refused_or_another(entries: list[bytes], data: st.DataObject) -> None:
    bundle = encode_bundle(entries)
    assert decode_bundle(bundle) == decode_bundle(bundle, len(entries)) == entries
    at, change = data.draw(st.integers(0, len(bundle) - 1)), data.draw(st.integers(1, 255))
    mutated = bundle[:at] + bytes([bundle[at] ^ change]) + bundle[at + 1 :]
    for other in (mutated, bundle[:at], bundle + bytes([change]), bundle[:at] + bundle[at + 1 :]):
        with contextlib.suppress(Malformed):
            found = decode_bundle(other)
            assert found != entries
            assert encode_bundle(found) == other


@given(st.binary(max_size=2000), st.integers(0, 300))
@settings(deadline=None)
def test_arbitrary_bytes_are_a_bundle_or_tile_or_refused(data: bytes, width: int) -> None:
    with contextlib.suppress(LinealError):
        assert encode_bundle(decode_bundle(data)) == data
    with contextlib.suppress(LinealError):
        assert len(decode_bundle(data, width)) == width
    with contextlib.suppress(LinealError):
        assert encode_tile(decode_tile(data, width)) == data


def test_a_full_tile_hashes_into_the_tile_above() -> None:
    tiles = grown(300, 4999)
    below = [root_of(decode_tile(tiles[Tile(0, index)])) for index in range(19)]
    assert decode_tile(tiles[Tile(1, 0, 19)], 19) == below
    hash_at = hash_at_from_tiles(4999, tiles.__getitem__)
    assert hash_at(9, 3) == node_hash(below[6], below[7])
