from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore

from lineal.core.digest import Digest
from lineal.errors import ObjectMissing, StoreUnavailable
from lineal.objects.face import ByteFace, ObstoreFace
from lineal.objects.store import ObjectStore

BACKENDS: dict[str, Callable[[Path], ByteFace]] = {
    "folder": lambda root: ObstoreFace(LocalStore(root, mkdir=True)),
    "memory": lambda _: ObstoreFace(MemoryStore()),
}


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS.keys())
def face(request: pytest.FixtureRequest, tmp_path: Path) -> ByteFace:
    made: ByteFace = request.param(tmp_path / "root")
    return made


def test_what_was_put_is_read_in_any_range(face: ByteFace) -> None:
    assert face.put_if_absent("sha256/ab/cd", b"0123456789")
    assert face.size("sha256/ab/cd") == 10
    expected = {(0, 10): b"0123456789", (3, 4): b"3456", (8, 100): b"89", (10, 5): b"", (50, 5): b"", (2, 0): b""}
    assert {ask: face.read_range("sha256/ab/cd", *ask) for ask in expected} == expected


def test_what_is_there_is_never_replaced(face: ByteFace) -> None:
    assert face.put_if_absent("key", b"first")
    assert not face.put_if_absent("key", b"second")
    assert face.read_range("key", 0, 10) == b"first"


def test_a_missing_key_has_no_size_and_cannot_be_read(face: ByteFace) -> None:
    assert face.size("nowhere") is None
    with pytest.raises(ObjectMissing, match="nowhere"):
        face.read_range("nowhere", 0, 1)


def test_listing_gives_what_lies_below_a_folder(face: ByteFace) -> None:
    for key in ("packs/one", "packs/deeper/two", "packsother", "sha256/ab/cd"):
        face.put_if_absent(key, key.encode())
    assert dict(face.sizes("packs")) == {"packs/one": 9, "packs/deeper/two": 16}
    assert dict(face.sizes("nothing")) == {}


def test_a_backend_that_refuses_is_an_error_of_the_house(tmp_path: Path) -> None:
    (tmp_path / "packs").write_bytes(b"a file where a folder should be")
    with pytest.raises(StoreUnavailable, match="packs/one"):
        ObstoreFace(LocalStore(tmp_path)).put_if_absent("packs/one", b"x")


def test_the_face_over_a_folder_sees_what_the_store_wrote(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    digest = store.put_bytes(b"content")
    face = ObstoreFace(LocalStore(tmp_path))
    (found,) = face.sizes("sha256")
    assert found == (f"sha256/{digest.hex[:2]}/{digest.hex[2:]}", 7)
    assert Digest.of(face.read_range(found[0], 0, found[1])) == digest
