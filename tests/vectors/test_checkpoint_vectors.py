"""The sample log that Tessera publishes: signatures, tiles, bundles, roots and proofs, by our reading."""

import itertools
from pathlib import Path

import pytest

from lineal.core.checkpoint import Checkpoint, open_checkpoint
from lineal.core.merkle import (
    EMPTY_ROOT,
    HashAt,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from lineal.core.note import open_note
from lineal.core.tile import (
    Tile,
    bundle_path,
    decode_bundle,
    decode_tile,
    encode_bundle,
    hash_at_from_tiles,
    parse_bundle_path,
    parse_tile_path,
    tile_path,
)
from lineal.errors import BadSignature
from lineal.ledger.keys import SigningKey, VerifyingKey
from tiling import tiles_between

LOG = Path(__file__).parent / "data" / "tessera"
KEY = VerifyingKey.parse("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
SIZES = range(16)
TEXT = "one two three four five six seven eit nain ten ileven twelf threeten fourten fivten"
WORDS = TEXT.split()


def head(size: int) -> Checkpoint:
    return open_checkpoint((LOG / f"checkpoint.{size}").read_bytes(), KEY)


def read(tile: Tile) -> bytes:
    return (LOG / tile_path(tile.level, tile.index, tile.width)).read_bytes()


def hash_at(size: int) -> HashAt:
    return hash_at_from_tiles(size, read)


@pytest.mark.parametrize("size", SIZES)
def test_signature_root_and_entries(size: int) -> None:
    checkpoint = head(size)
    assert (checkpoint.origin, checkpoint.size) == (KEY.name, size)
    text = open_note((LOG / f"checkpoint.{size}").read_bytes(), [KEY]).text
    assert checkpoint.encode() == text
    tiles = list(tiles_between(0, size))
    assert tiles == ([Tile(0, 0, size)] if size else [])
    leaves = [leaf for tile in tiles for leaf in decode_tile(read(tile), tile.width)]
    assert root_of(leaves) == checkpoint.root
    for tile in tiles:
        data = (LOG / bundle_path(tile.index, tile.width)).read_bytes()
        entries = decode_bundle(data, tile.width)
        assert entries == [word.encode() for word in WORDS[:size]]
        assert [leaf_hash(entry) for entry in entries] == leaves
        assert encode_bundle(entries) == data
    for index, leaf in enumerate(leaves):
        verify_inclusion(index, size, leaf, inclusion_proof(index, size, hash_at(size)), checkpoint.root)


def test_consistency_of_all_120_pairs() -> None:
    pairs = list(itertools.combinations(SIZES, 2))
    assert len(pairs) == 120
    heads = [head(size) for size in SIZES]
    for old, new in pairs:
        verify_consistency(old, new, heads[old].root, heads[new].root, consistency_proof(old, new, hash_at(new)))
    assert heads[0].root == EMPTY_ROOT


def test_every_file_name_reads_back() -> None:
    names = sorted(str(path.relative_to(LOG)) for path in LOG.rglob("*") if path.is_file() and "tile" in path.parts)
    assert len(names) == 30
    for name in names:
        if "entries" in name:
            assert bundle_path(*parse_bundle_path(name)) == name
        else:
            tile = parse_tile_path(name)
            assert tile_path(tile.level, tile.index, tile.width) == name


def test_the_key_of_another_log_opens_none() -> None:
    other = SigningKey(KEY.name, bytes(32)).verifying_key
    for size in SIZES:
        with pytest.raises(BadSignature, match="no known key"):
            open_checkpoint((LOG / f"checkpoint.{size}").read_bytes(), other)
