"""`lineal snapshot`, `verify` and `restore` of buckets as they are typed; keys and inventories as AWS has them."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commandline import Place, make_place

from servers.buckets import Store
from servers.moto import Moto, moto_server
from servers.seaweed import S3Server


@pytest.fixture
def place(s3_server: S3Server, tmp_path: Path) -> Place:
    made = make_place(tmp_path / "typed")
    made.variables.update(s3_server.variables)
    return made


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with moto_server() as running:
        yield running


def test_a_prefix_from_snapshot_to_verify(place: Place, store: Store) -> None:
    store.put(**{"lake/dt=2026-03-01/a.csv": b"a", "lake/dt=2026-03-01/b.csv": b"bb"})
    uri = f"s3://{store.bucket}/lake/dt=2026-03-01/"
    done = place.lineal("snapshot", "dataset:clicks", uri)
    assert (done.status, done.err) == (0, "")
    assert b"dataset:clicks@1" in done.out
    assert b"identified by bytes" in done.out
    said = place.within("snapshot", "dataset:clicks", uri.rstrip("/"), "--json").json()
    assert (said["new"], said["files"], said["bytes"], said["version"]["ref"]) == (False, 2, 3, "dataset:clicks@1")
    assert place.within("verify", uri).status == 0
    assert place.lineal("restore", uri, "back").status == 0
    assert (place.folder / "back" / "b.csv").read_bytes() == b"bb"
    store.write("lake/dt=2026-03-01/a.csv", b"rewritten")
    done = place.within("verify", "dataset:clicks@1", "--json")
    assert done.status == 10
    assert [finding["code"] for finding in done.json()["findings"]] == ["dataset.prefix_changed"]
    assert place.within("verify").status == 0  # the ledger itself is sound


def test_mistakes_are_named_without_a_traceback(place: Place, store: Store) -> None:
    store.write("p/a", b"a")
    uri = f"s3://{store.bucket}/p/"
    for words, status in (
        ((uri, "--basis", "guess"), 2),
        ((uri, "--basis", "pin", "--store"), 2),
        ((".", "--basis", "pin"), 2),
        ((f"s3://{store.bucket}/none/",), 2),
        ((uri, "--jobs", "2"), 2),
        (("s3://",), 2),
        (("gs://lake/p/", "--endpoint-url", "http://127.0.0.1:1"), 2),
        ((uri, "--endpoint-url", "ftp://x"), 2),
        ((uri, "--inventory", "missing/manifest.json"), 2),
    ):
        done = place.within("snapshot", "dataset:d", *words)
        assert (done.status, "Traceback" in done.err) == (status, False), (words, done.err)
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "/nonexistent"}
    done = place.within("snapshot", "dataset:d", uri, env=none)
    assert (done.status, "credentials" in done.err) == (12, True)
    done = place.within("snapshot", "dataset:d", uri, env={"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert (done.status, "secret key" in done.err) == (12, True)
    assert "wrong" not in done.err
    done = place.within("snapshot", "dataset:d", uri, env={"AWS_PROFILE": "nobody"})
    assert (done.status, "nobody" in done.err) == (12, True)
    assert place.within("ls", "--json").json() == {"nodes": []}


def test_an_inventory_in_a_bucket_is_the_listing(place: Place, store: Store) -> None:
    etags = {key: store.write(key, body)["ETag"] for key, body in (("p/a", b"one"), ("p/b", b"two"))}
    store.write("p/later", b"not in the inventory")
    rows = "".join(f'"{store.bucket}","{key}","3","{etag.strip(chr(34))}"\n' for key, etag in etags.items()).encode()
    said = {
        "sourceBucket": store.bucket,
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, ETag",
        "creationTimestamp": "1772323200000",
        "files": [{"key": "inventory/data/1.csv", "size": len(rows), "MD5checksum": hashlib.md5(rows).hexdigest()}],
    }
    manifest = json.dumps(said).encode()
    store.put(**{"inventory/data/1.csv": rows, "inventory/now/manifest.json": manifest})
    store.write("inventory/now/manifest.checksum", hashlib.md5(manifest).hexdigest())
    at = f"s3://{store.bucket}/inventory/now/manifest.json"
    done = place.within("snapshot", "dataset:d", f"s3://{store.bucket}/p/", "--inventory", at, "--json")
    assert (done.status, done.json()["files"]) == (0, 2)
    detail = place.within("show", "dataset:d", "--json").json()["statements"][0]["detail"]
    assert detail["inventory"] == {"created": "2026-03-01T00:00:00.000000Z", "format": "CSV", "manifest": at}
    store.write("p/a", b"changed since the inventory")
    again = place.within("snapshot", "dataset:e", f"s3://{store.bucket}/p/", "--inventory", at, "--json")
    assert again.json()["version"]["digest"] == done.json()["version"]["digest"]  # known by ETags from then
    done = place.within("snapshot", "dataset:e", f"s3://{store.bucket}/p/", "--inventory", at, "--store")
    assert (done.status, "between listing and reading" in done.err) == (11, True)


def test_keys_that_seaweedfs_cannot_have_are_gaps_and_never_paths(place: Place, moto: Moto) -> None:
    # SeaweedFS is a file system below: it takes a//b for a/b and refuses `..`; moto keeps keys as AWS does.
    client = moto.client("s3")
    client.create_bucket(Bucket="odd", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key in ("p/../escape", "p//double", "p/./here", "/lead", "p/fine", "p/t x%", "pre//fix/a b", "p/x\\y"):
        client.put_object(Bucket="odd", Key=key, Body=key.encode())
    env = moto.environment()
    done = place.within("snapshot", "dataset:d", "s3://odd/p/", "--store", "--json", env=env)
    assert done.status == 0, done.err
    assert sorted(gap["code"] for gap in done.json()["gaps"]) == ["bucket.key_not_kept"] * 3
    assert done.json()["files"] == 3
    done = place.within("restore", "dataset:d", "back", env=env)
    assert done.status == 0, done.err
    assert (place.folder / "back" / "t x%").read_bytes() == b"p/t x%"
    assert sorted(each.name for each in (place.folder / "back").iterdir()) == ["fine", "t x%", "x\\y"]
    done = place.within("snapshot", "dataset:e", "s3://odd/pre//fix/", "--json", env=env)
    assert done.json()["files"] == 1
    assert place.within("restore", "dataset:e", "back2", env=env).status == 0
    assert (place.folder / "back2" / "a b").read_bytes() == b"pre//fix/a b"
    done = place.within("snapshot", "dataset:f", "s3://odd", "--json", env=env)
    assert len(done.json()["gaps"]) == 5  # /lead and pre//fix/a b too
    assert done.json()["files"] == 3


def test_moto_lists_checksums_as_aws_does(place: Place, moto: Moto) -> None:
    # Only moto, of what runs here, says in a listing which checksums there are; SeaweedFS has to be asked of each.
    client = moto.client("s3")
    client.create_bucket(Bucket="sums", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client.put_object(Bucket="sums", Key="p/a", Body=b"abc", ChecksumAlgorithm="SHA256")
    done = place.within("snapshot", "dataset:d", "s3://sums/p/", "--json", env=moto.environment())
    assert done.status == 0, done.err
    detail: dict[str, Any] = place.within("show", "dataset:d", "--json").json()["statements"][0]["detail"]
    assert detail["basis_of_identity"] == "checksum"


def test_the_page_about_buckets_does_what_it_says(s3_server: S3Server, tmp_path: Path) -> None:
    """Its blocks need a server with two buckets: other tests of the documentation leave them out."""
    import test_docs

    client = s3_server.client()
    for bucket in ("acme-lake", "acme-raw"):
        client.create_bucket(Bucket=bucket)
        if bucket == "acme-lake":
            client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for number in range(3):
            key = f"clicks/dt=2026-03-01/part-{number}.csv"
            client.put_object(Bucket=bucket, Key=key, Body=f"user,page\n{number},/\n")
    page = tmp_path / "s3.md"
    text = (test_docs.DOCS / "sources" / "s3.md").read_text("utf-8")
    page.write_text(text.replace("```console s3\n", "```console\n"))
    (tmp_path / "work").mkdir()
    assert len(test_docs._commands(page)) > 5
    test_docs._compare(page, tmp_path / "work", {**test_docs._environment(tmp_path), **s3_server.variables})
