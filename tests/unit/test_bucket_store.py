"""The face of Google's and Azure's buckets, on obstore's own stores: there is no server of theirs to run here."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore

import lineal
from lineal.app import snapshot_bucket
from lineal.core.digest import Digest
from lineal.errors import ObjectChanged, UsageError
from lineal.sources.bucket import BucketUri, Listed
from lineal.sources.bucket_open import open_bucket
from lineal.sources.bucket_reading import LARGE, Reader
from lineal.sources.bucket_store import StoreBucket
from lineal.wiring import Settings, create

URI = BucketUri.parse("gs://lake/p/")


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryStore | LocalStore:
    if request.param == "memory":
        return MemoryStore()
    (tmp_path / "lake").mkdir()
    return LocalStore(tmp_path / "lake")


def listed(bucket: StoreBucket, prefix: str) -> dict[str, Listed]:
    return {item.key: item for page in bucket.listing(prefix, history=False) for item in page}


def test_it_lists_finds_and_reads(store: MemoryStore | LocalStore) -> None:
    for key in ("p/a b+%20ü", "p/deep/er/c", "p/empty", "q/no"):
        obstore.put(store, key, b"" if "empty" in key else key.encode())
    bucket = StoreBucket(URI, store)
    found = listed(bucket, "p/")
    assert sorted(found) == ["p/a b+%20ü", "p/deep/er/c", "p/empty"]
    with Reader(bucket) as reader:
        for key, item in found.items():
            assert reader.fetch(item) == Digest.of(b"" if "empty" in key else key.encode())
    assert bucket.find("p/none") is None
    assert bucket.find("p/deep/er/c") == found["p/deep/er/c"]
    assert len(listed(bucket, "")) == 4


def test_what_changes_after_the_listing_is_not_read(store: MemoryStore | LocalStore) -> None:
    obstore.put(store, "p/a", b"as listed")
    bucket = StoreBucket(URI, store)
    item = listed(bucket, "p/")["p/a"]
    obstore.put(store, "p/a", b"and then!")
    with Reader(bucket) as reader:
        with pytest.raises(ObjectChanged):
            reader.fetch(item)
        obstore.delete(store, "p/a")
        with pytest.raises(ObjectChanged):
            reader.fetch(item)


def test_a_large_object_comes_in_order(store: MemoryStore | LocalStore) -> None:
    data = bytes(range(251)) * (LARGE // 251 + 9)
    obstore.put(store, "p/large", data)
    bucket = StoreBucket(URI, store)
    pieces: list[bytes] = []
    with Reader(bucket) as reader:
        assert reader.fetch(listed(bucket, "p/")["p/large"], pieces.append) == Digest.of(data)
    assert b"".join(pieces) == data


def test_a_snapshot_reads_the_bytes(
    store: MemoryStore | LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    obstore.put(store, "p/v=3/a", b"a")
    monkeypatch.setattr(snapshot_bucket, "open_bucket", lambda uri, _endpoint: StoreBucket(uri, store))
    create(Settings(), tmp_path, "lineal.test/log")
    with lineal.open(str(tmp_path), actor="tester") as ledger:
        taken = snapshot_bucket.snapshot_bucket(ledger.session, "dataset:d", "gs://lake/p/v=3/")
        assert taken.version.basis == "verified"
        assert taken.version.detail["basis_of_identity"] == "bytes"
        assert taken.version.detail["partition"] == {"scheme": "hive", "key": "v", "value": "3"}
        assert [gap.code for gap in taken.gaps] == ["bucket.versioning_unknown"]
        assert ledger.resolve("gs://lake/p/v=3").ref == "dataset:d@1"


def test_a_store_without_etags_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare(StoreBucket):
        def _listed(self, meta: Any) -> Listed:
            return replace(super()._listed(meta), etag=None)

    store = MemoryStore()
    monkeypatch.setattr(snapshot_bucket, "open_bucket", lambda uri, _endpoint: Bare(uri, store))
    create(Settings(), tmp_path, "lineal.test/log")
    with lineal.open(str(tmp_path), actor="tester") as ledger:
        for number, body in enumerate((b"one", b"two"), 1):
            obstore.put(store, "p/a", body)
            taken = snapshot_bucket.snapshot_bucket(ledger.session, "dataset:d", "gs://lake/p/")
            assert taken.version.ref == f"dataset:d@{number}"


def test_an_endpoint_is_for_s3() -> None:
    with pytest.raises(UsageError):
        open_bucket(URI, "http://127.0.0.1:1")
