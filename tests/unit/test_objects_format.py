"""The bytes on disk, read again from docs/format-objects.md alone: nothing here uses the code that wrote them."""

import hashlib
import struct
from pathlib import Path

from lineal.datasets.manifest import Entry, is_boundary, write
from lineal.objects.store import ObjectStore

DOCUMENT = Path(__file__).parents[2] / "docs" / "format-objects.md"


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def read_pack(data: bytes) -> list[tuple[bytes, int, int]]:
    body, trailer = data[:-56], data[-56:]
    assert body.startswith(b"lineal-pack/1\n")
    mark, count, seal = struct.unpack(">16sQ32s", trailer)
    assert mark == b"lineal-pack-end\n"
    assert seal == sha256(body)
    found, place = [], 14
    while place < len(body):
        digest, length = body[place : place + 32], int.from_bytes(body[place + 32 : place + 36])
        place += 36
        assert sha256(body[place : place + length]) == digest
        found.append((digest, place, length))
        place += length
    assert place == len(body)
    assert len(found) == count
    return found


def test_packs_and_indexes_are_as_documented(tmp_path: Path) -> None:
    contents = [b"%d" % number * number for number in range(500)]
    store = ObjectStore(tmp_path)
    with store.batch() as batch:
        for data in contents:
            batch.put_bytes(data)
    (path,) = (tmp_path / "packs").glob("*.pack")
    pack = path.read_bytes()
    assert path.stem == sha256(pack).hex()
    found = read_pack(pack)
    assert [pack[place : place + length] for _, place, length in found] == contents

    ordered = sorted(found)
    fan = [sum(digest[0] <= first for digest, _, _ in ordered) for first in range(256)]
    index = b"lineal-index/1\n" + sha256(pack) + struct.pack(">I", 500) + struct.pack(">256I", *fan)
    index += b"".join(digest for digest, _, _ in ordered)
    index += b"".join(struct.pack(">QI", place, length) for _, place, length in ordered)
    assert path.with_suffix(".idx").read_bytes() == index + sha256(index)


def test_the_example_of_a_manifest_is_what_is_written(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    target = store.put_bytes(b"a")
    entries = [Entry(b"a", "f", store.put_bytes(b"data"), 4), Entry(b"b c", "l", target, 1)]
    manifest = write(entries, store.put_bytes)
    document = DOCUMENT.read_text()
    assert f"```\n{store.read(manifest.ranges[0].digest).decode()}```" in document
    assert f"```\n{store.read(manifest.digest).decode()}```" in document
    assert str(manifest.digest) in document


def test_a_range_ends_where_twelve_bits_are_zero() -> None:
    names = [b"%d" % number for number in range(20_000)]
    ends = {name for name in names if hashlib.sha256(name).hexdigest().startswith("000")}
    assert {name for name in names if is_boundary(name)} == ends
    assert ends
