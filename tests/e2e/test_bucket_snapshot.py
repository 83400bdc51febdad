"""Datasets in buckets, on a real S3 server: what identifies them, and what is read of them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lineal.app.restore import restore
from lineal.app.snapshot_bucket import snapshot_bucket
from lineal.core.digest import Digest
from lineal.core.observation import Observation
from lineal.datasets import manifest
from lineal.datasets.pin import Pin
from lineal.errors import (
    BadInput,
    UsageError,
)
from lineal.sources.aws_session import DENIED, MISSING, Refusal
from lineal.sources.bucket import BucketUri
from lineal.sources.sagemaker_found import Head, object_found
from lineal.sources.sagemaker_objects import Objects
from servers.buckets import Store, upload_in_parts
from servers.proxy import Proxy
from servers.seaweed import S3Server

BIG = 3 << 20


def test_a_bucket_without_versions_is_read(store: Store, proxy: Proxy) -> None:
    store.put(**{"p/b.csv": b"b", "p/a/1.csv": b"one", "p/a-2.csv": b"two", "q/not": b"x"})
    taken = store.snapshot()
    assert {path: entry.digest for path, entry in store.entries(taken).items()} == {
        "a-2.csv": Digest.of(b"two"),
        "a/1.csv": Digest.of(b"one"),
        "b.csv": Digest.of(b"b"),
    }
    assert (taken.files, taken.bytes, taken.version.basis) == (3, 7, "verified")
    detail = taken.version.detail
    assert detail["basis_of_identity"] == "bytes"
    assert detail["uri"] == f"s3://{store.bucket}/p/"
    assert (detail["stored"], detail["origin"], detail["endpoint"]) == ("manifest", "bucket", proxy.endpoint)
    for name in (f"s3://{store.bucket}/p/", f"s3://{store.bucket}/p"):
        assert store.ledger.resolve(name).ref == "dataset:d@1"
    assert "AKIATEST" not in json.dumps(detail)


def test_a_program_takes_it_by_its_address(store: Store, proxy: Proxy) -> None:
    store.put(**{"p/a": b"a"})
    uri = f"s3://{store.bucket}/p/"
    assert store.ledger.snapshot("dataset:d", uri).version.detail["stored"] == "manifest"
    assert store.ledger.snapshot("dataset:e", uri, keep=True).version.detail["stored"] == "dataset"


def test_the_same_files_on_disk_are_the_same_version(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "1").write_bytes(b"one")
    (folder / "a-2").write_bytes(b"two")
    store.put(**{"p/a/1": b"one", "p/a-2": b"two"})
    here = store.ledger.snapshot("dataset:d", folder)
    there = store.snapshot()
    assert there.version.canonical == here.version.canonical
    assert not there.new
    assert store.ledger.resolve(f"s3://{store.bucket}/p").ref == "dataset:d@1"
    before = store.ledger.session.ledger.reader.size()
    assert not store.snapshot().new
    assert store.ledger.session.ledger.reader.size() == before
    assert store.findings(there) == {}


def test_the_same_bytes_written_again_are_the_same_version_and_not_read_twice(store: Store, proxy: Proxy) -> None:
    store.put(**{"p/a": b"a"})
    store.keep_versions()
    taken = store.snapshot(basis="content")
    store.put(**{"p/a": b"a"})
    for reads in (1, 0):
        proxy.seen.clear()
        assert not store.snapshot(basis="content").new
        assert proxy.count("GET") == reads
        assert store.findings(taken) == {}
    kept = store.snapshot(basis="content", keep=True)
    assert not kept.new
    before = store.ledger.session.ledger.reader.size()
    store.snapshot(basis="content")
    assert store.ledger.session.ledger.reader.size() == before


def test_what_has_not_changed_is_not_read_again(store: Store, proxy: Proxy) -> None:
    store.put(**{f"p/{number}": b"x" * number for number in range(1, 30)})
    store.snapshot()
    assert proxy.count("GET") == 29
    proxy.seen.clear()
    store.put(**{"p/7": b"seven", "p/new": b"new"})
    taken = store.snapshot()
    assert proxy.count("GET") == 2
    assert store.entries(taken)["7"].digest == Digest.of(b"seven")
    assert store.entries(taken)["8"].digest == Digest.of(b"x" * 8)
    assert taken.version.basis == "verified"
    proxy.seen.clear()
    assert not store.snapshot().new
    assert store.snapshot(name="dataset:other").new
    assert proxy.count("GET") == 0
    assert not store.snapshot(paranoid=True).new
    assert proxy.count("GET") == 30


def test_a_stored_checksum_is_taken_without_reading(store: Store, proxy: Proxy) -> None:
    data = b"y" * BIG
    store.write("p/big", data, ChecksumAlgorithm="SHA256")
    taken = store.snapshot()
    assert store.entries(taken)["big"] == manifest.Entry(b"big", "f", Digest.of(data), BIG)
    assert taken.version.detail["basis_of_identity"] == "checksum"
    assert taken.version.basis == "observed"
    assert proxy.count("GET") == 0
    assert proxy.count("HEAD") == 1
    store.write("p/small", b"small")
    mixed = store.snapshot()
    assert mixed.version.detail["bases"] == {"bytes": 1, "checksum": 1}
    assert "big" in str(mixed.version.detail["differs"]) or "small" in str(mixed.version.detail["differs"])


def test_a_checksum_of_parts_is_not_one_of_the_bytes(store: Store, proxy: Proxy) -> None:
    parts = [b"a" * (5 << 20), b"b" * 100]
    upload_in_parts(store, "p/parts", parts)
    found = store.client.head_object(Bucket=store.bucket, Key="p/parts", ChecksumMode="ENABLED")
    assert found["ChecksumSHA256"].endswith("-2") or found.get("ChecksumType") == "COMPOSITE"
    taken = store.snapshot()
    assert store.entries(taken)["parts"].digest == Digest.of(b"".join(parts))
    assert taken.version.detail["basis_of_identity"] == "bytes"


def test_a_bucket_with_versions_is_pinned_without_reading(store: Store, proxy: Proxy) -> None:
    store.keep_versions()
    first = store.write("p/a", b"one")
    store.write("p/b", b"two")
    taken = store.snapshot()
    assert proxy.count("GET") == proxy.count("HEAD") == 0
    entry = store.entries(taken)["a"]
    pin = Pin.of(version=first["VersionId"], etag=first["ETag"].strip('"'))
    assert (entry.kind, entry.digest, entry.size) == ("p", pin.digest(), 3)
    assert Pin.decode(store.ledger.session.objects.read(pin.digest())) == pin
    assert taken.version.detail["basis_of_identity"] == "version"
    assert taken.version.detail["versioned"] is True
    assert taken.gaps == ()
    content = store.snapshot(basis="content")
    assert store.entries(content)["a"] == manifest.Entry(b"a", "f", Digest.of(b"one"), 3)
    store.client.delete_object(Bucket=store.bucket, Key="p/b")
    assert list(store.entries(store.snapshot())) == ["a"]


def test_a_null_version_fixes_nothing(store: Store) -> None:
    store.write("p/old", b"before versions")
    store.keep_versions()
    store.write("p/new", b"after")
    store.keep_versions("Suspended")
    store.write("p/later", b"suspended")
    taken = store.snapshot()
    kinds = {path: entry.kind for path, entry in store.entries(taken).items()}
    assert kinds == {"old": "f", "new": "p", "later": "f"}
    assert taken.version.detail["bases"] == {"bytes": 2, "version": 1}


def test_an_etag_alone_is_taken_when_asked_for_and_said_to_fix_nothing(store: Store, proxy: Proxy) -> None:
    store.put(**{"p/a": b"a", "p/b": b"b"})
    taken = store.snapshot(basis="pin")
    assert proxy.count("GET") == 0
    assert [gap.code for gap in taken.gaps] == ["bucket.pin_not_fixed"]
    assert taken.version.detail["basis_of_identity"] == "etag"
    with pytest.raises(UsageError):
        store.snapshot(basis="pin", keep=True)


def test_bytes_are_kept_when_asked_for(store: Store, tmp_path: Path) -> None:
    big = bytes(range(256)) * (BIG // 256)
    store.keep_versions()
    store.put(**{"p/small": b"small", "p/big": big, "p/empty": b""})
    taken = store.snapshot(keep=True)
    assert taken.version.detail["stored"] == "dataset"
    assert taken.version.basis == "verified"
    for key in ("small", "big", "empty"):
        store.client.delete_object(Bucket=store.bucket, Key=f"p/{key}")
    done = restore(store.ledger.session, taken.version.ref, tmp_path / "back")
    assert (tmp_path / "back" / "big").read_bytes() == big
    assert done.origin == "object store"
    assert not list((store.ledger.session.objects.root / "tmp").iterdir())


def test_one_object_is_a_dataset_of_one_file(store: Store) -> None:
    store.put(**{"p/raw.csv": b"raw", "p/raw.csv.bak": b"no", "p/raw.csv/x": b"below"})
    taken = store.snapshot("p/raw.csv")
    assert {path: entry.digest for path, entry in store.entries(taken).items()} == {"raw.csv": Digest.of(b"raw")}
    assert taken.version.detail["uri"] == f"s3://{store.bucket}/p/raw.csv"
    assert list(store.entries(store.snapshot("p/raw.csv/"))) == ["x"]
    assert store.findings(taken) == {}
    store.write("p/raw.csv", b"other")
    assert store.findings(taken) == {"dataset.prefix_changed": True}


def test_a_file_known_from_elsewhere_is_what_the_dataset_derives_from(store: Store) -> None:
    store.keep_versions()
    store.write("p/a", b"one")
    uri = BucketUri.parse(f"s3://{store.bucket}/p/a")
    head = Objects(store.client).head(uri)
    assert isinstance(head, Head)
    node = object_found(uri, head).nodes[0]
    session = store.ledger.session
    session.say(Observation(type="test.seen/1", time=session.clock(), actor="t", basis="observed", nodes=(node,)))
    for basis in ("auto", "content"):
        taken = store.snapshot(basis=basis)
        above = {node.canonical for node in store.ledger.trace(taken.version.ref).nodes}
        assert node.ref in above


def test_a_lock_is_recorded(store: Store) -> None:
    bucket = f"{store.bucket}-locked"
    store.client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    store.client.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    store.client.put_object(Bucket=bucket, Key="p/a", Body=b"a")
    taken = snapshot_bucket(store.ledger.session, "dataset:locked", f"s3://{bucket}/p/")
    assert taken.version.detail["object_lock"] == "COMPLIANCE 1 days"


def test_markers_of_folders_are_no_files_and_odd_keys_are_gaps(store: Store) -> None:
    store.put(
        **{"p/": b"", "p/dir/": b"", "p/dir/a": b"a", "p/.git/config": b"x", "p/ü x%20+": b"odd", "p/a\nb": b"line"}
    )
    taken = store.snapshot()
    assert sorted(store.entries(taken)) == ["a\nb", "dir/a", "ü x%20+"]
    assert store.entries(taken)["a\nb"].digest == Digest.of(b"line")
    assert [gap.code for gap in taken.gaps] == ["bucket.key_not_kept"]
    assert taken.version.detail["folder_markers"] >= 1


def test_nothing_there_is_an_error(store: Store) -> None:
    for place in ("nothing/", "nothing", "nothing/below.csv"):
        with pytest.raises(BadInput, match="no objects below"):
            store.snapshot(place)
    with pytest.raises(BadInput, match="no such bucket"):
        snapshot_bucket(store.ledger.session, "dataset:d", "s3://not-a-bucket-here/p/")
    for text in ("s3://", "s3:///x", "s3://u:p@host/x", "s3://arn:aws:s3:::b/x", "http://b/x"):
        with pytest.raises(BadInput):
            snapshot_bucket(store.ledger.session, "dataset:d", text)
    assert store.versions() == 0


def test_a_large_object_is_read_in_parts_each_held_to_its_state(store: Store, proxy: Proxy) -> None:
    data = hashlib.sha256(b"seed").digest() * (40 << 15)
    store.write("p/large", data)
    taken = store.snapshot()
    assert store.entries(taken)["large"].digest == Digest.of(data)
    reads = [each.headers for each in proxy.seen if each.method == "GET" and "large" in each.path]
    assert len(reads) == 5
    assert all("range" in each and "if-match" in each for each in reads)


def test_one_object_is_identified_by_what_is_known_of_it(store: Store) -> None:
    def look(key: str, bucket: str = store.bucket, client: Any = store.client) -> Head | Refusal | None:
        return Objects(client).head(BucketUri.parse(f"s3://{bucket}/{key}"))

    def told(key: str) -> tuple[Digest, dict[str, Any]]:
        head = look(key)
        assert isinstance(head, Head)
        return head.digest, head.detail

    store.write("m/model.tar.gz", b"abc", ChecksumAlgorithm="SHA256")
    digest, detail = told("m/model.tar.gz")
    assert (digest, detail["basis_of_identity"], detail["size"]) == (Digest.of(b"abc"), "checksum", 3)
    assert detail["uri"] == f"s3://{store.bucket}/m/model.tar.gz"
    plain = store.write("m/plain", b"abc")
    digest, detail = told("m/plain")
    assert (digest, detail["basis_of_identity"]) == (Pin.of(etag=plain["ETag"].strip('"')).digest(), "etag")
    store.keep_versions()
    kept = store.write("m/plain", b"abc")
    digest, detail = told("m/plain")
    assert (detail["basis_of_identity"], detail["version"]) == ("version", kept["VersionId"])
    assert digest == Pin.of(version=kept["VersionId"], etag=kept["ETag"].strip('"')).digest()
    for missing in (look("m/none"), look("m", bucket="no-such-bucket-here")):
        assert isinstance(missing, Refusal)
        assert missing.kind == MISSING
    stranger = look("m/model.tar.gz", client=S3Server(store.server.endpoint, access_key="AKIAOTHER").client())
    assert isinstance(stranger, Refusal)
    assert stranger.kind == DENIED
