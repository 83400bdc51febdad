"""Every byte under the root of a store is covered: changed, cut or added, `verify` says so and no read is wrong."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.core.digest import Digest
from lineal.errors import LinealError
from lineal.objects.store import ObjectStore

CONTENTS = [b"", b"first", b"second object", bytes(40)]
LOOSE = [b"loose one", b"loose two, somewhat longer"]


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    store = ObjectStore(tmp_path / "objects")
    with store.batch() as batch:
        for data in CONTENTS:
            batch.put_bytes(data)
    for data in LOOSE:
        store.put_bytes(data)
    for path in files(store):
        path.chmod(0o644)
    assert list(store.verify()) == []
    return store


def files(store: ObjectStore) -> list[Path]:
    return sorted(path for path in store.root.rglob("*") if path.is_file())


def assert_no_wrong_read(store: ObjectStore, damaged: Path) -> None:
    """What an index says wrongly is overruled by the pack; what else is damaged is refused."""
    fresh = ObjectStore(store.root)
    for data in (*CONTENTS, *LOOSE):
        try:
            assert fresh.read(Digest.of(data)) == data
        except LinealError:
            assert damaged.suffix != ".idx"


def altered(original: bytes) -> Iterator[bytes]:
    for place, byte in enumerate(original):
        for mask in (0x01, 0x80):
            yield original[:place] + bytes([byte ^ mask]) + original[place + 1 :]


def test_every_changed_byte_is_found(store: ObjectStore) -> None:
    for path in files(store):
        original = path.read_bytes()
        for number, other in enumerate(altered(original)):
            path.write_bytes(other)
            faults = list(store.verify())
            assert faults, f"{path.name}: byte {number // 2} changed unseen"
            assert path.name in {os.path.basename(fault.path) for fault in faults}
            if number % 16 == 0:
                assert_no_wrong_read(store, path)
        path.write_bytes(original)
    assert list(store.verify()) == []


def test_every_shorter_and_longer_file_is_found(store: ObjectStore) -> None:
    for path in files(store):
        original = path.read_bytes()
        for length in range(len(original)):
            path.write_bytes(original[:length])
            assert list(store.verify()), f"{path.name} cut to {length} bytes unseen"
            if length % 16 == 0:
                assert_no_wrong_read(store, path)
        path.write_bytes(original + b"\0")
        assert list(store.verify())
        assert_no_wrong_read(store, path)
        path.write_bytes(original)


def test_a_damaged_object_is_named_by_its_digest(store: ObjectStore) -> None:
    (pack,) = store.root.glob("packs/*.pack")
    pack.write_bytes(pack.read_bytes().replace(b"second object", b"second_object"))
    faults = list(store.verify())
    assert {(fault.code, fault.digest) for fault in faults} == {
        ("objects.bad_pack", None),
        ("objects.digest_mismatch", Digest.of(b"second object")),
    }
    fault = store.verify_one(Digest.of(b"second object"))
    assert fault is not None
    assert fault.code == "objects.digest_mismatch"
    assert store.verify_one(Digest.of(b"first")) is None


def reseal(pack: bytes, count: int) -> bytes:
    """Give the pack a trailer with this count, right in everything else."""
    body = pack[:-56]
    return body + b"lineal-pack-end\n" + count.to_bytes(8) + hashlib.sha256(body).digest()


@pytest.mark.parametrize("forgery", ["wrong count", "wrong seal", "wrong name"])
def test_a_pack_forged_with_care_is_found(store: ObjectStore, forgery: str) -> None:
    (pack,) = store.root.glob("packs/*.pack")
    data = pack.read_bytes()
    pack.unlink()
    pack.with_suffix(".idx").unlink()
    if forgery == "wrong count":
        data = reseal(data, len(CONTENTS) + 1)
    elif forgery == "wrong seal":
        data = data[:-32] + bytes(32)
    name = bytes(32).hex() if forgery == "wrong name" else hashlib.sha256(data).hexdigest()
    pack.with_name(f"{name}.pack").write_bytes(data)
    assert [fault.code for fault in store.verify()] == ["objects.bad_pack"]


def test_objects_under_other_names_are_found(store: ObjectStore) -> None:
    one, two = (store.root / "sha256" / Digest.of(data).hex[:2] / Digest.of(data).hex[2:] for data in LOOSE)
    other = two.read_bytes()
    two.write_bytes(one.read_bytes())
    one.write_bytes(other)
    assert [fault.code for fault in store.verify()] == ["objects.digest_mismatch"] * 2


@pytest.mark.parametrize(
    "name", ["note.txt", "packs/readme", "sha256/ab/short", "sha256/zz", "packs/" + "0" * 64 + ".idx"]
)
def test_stray_files_are_found(store: ObjectStore, name: str) -> None:
    path = store.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    assert [(fault.path, fault.code) for fault in store.verify()] == [(name, "objects.stray")]


def test_links_are_found_and_not_followed(store: ObjectStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"linked")
    digest = Digest.of(b"linked")
    link = store.root / "sha256" / digest.hex[:2] / digest.hex[2:]
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    (store.root / "folder").symlink_to(tmp_path)
    assert {fault.code for fault in store.verify()} == {"objects.stray"}
    with pytest.raises(LinealError):
        store.read(digest)


def test_verify_changes_nothing(store: ObjectStore) -> None:
    (pack,) = store.root.glob("packs/*.pack")
    pack.with_suffix(".idx").write_bytes(b"damaged")
    before = {path: path.read_bytes() for path in files(store)}
    assert [fault.code for fault in store.verify()] == ["objects.bad_index"]
    assert {path: path.read_bytes() for path in files(store)} == before


def test_progress_counts_every_file_and_byte(store: ObjectStore) -> None:
    seen: list[tuple[int, int]] = []
    assert list(store.verify(lambda count, size: seen.append((count, size)))) == []
    assert seen[-1] == (len(files(store)), sum(path.stat().st_size for path in files(store)))
