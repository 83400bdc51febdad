"""A bucket on the real server with a ledger beside it, and the proxy between the two: for tests of buckets."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal.app.bucket_drift import check_bucket
from lineal.app.snapshot import Snapshotted
from lineal.app.snapshot_bucket import Asked, snapshot_bucket
from lineal.client import Client
from lineal.core.digest import Digest
from lineal.datasets import manifest
from lineal.wiring import Settings, create
from servers.proxy import Proxy, Seen, proxying
from servers.seaweed import S3Server

NUMBERS = itertools.count()


class Store:
    """A bucket of the test's own, and a ledger beside it."""

    def __init__(self, client: Any, bucket: str, ledger: Client, server: S3Server) -> None:
        self.client, self.bucket, self.ledger, self.server = client, bucket, ledger, server

    def put(self, **files: bytes | str) -> None:
        for key, body in files.items():
            self.write(key, body)

    def write(self, key: str, body: bytes | str, **more: Any) -> Any:
        return self.client.put_object(Bucket=self.bucket, Key=key, Body=body, **more)

    def keep_versions(self, status: str = "Enabled") -> None:
        self.client.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": status})

    def snapshot(self, place: str = "p/", name: str = "dataset:d", **more: Any) -> Snapshotted:
        return snapshot_bucket(self.ledger.session, name, f"s3://{self.bucket}/{place}", Asked(**more))

    def entries(self, taken: Snapshotted) -> dict[str, manifest.Entry]:
        root = manifest.load(Digest.parse(taken.version.digest or ""), self.ledger.session.objects)
        return {entry.path.decode(): entry for entry in manifest.entries(root, self.ledger.session.objects)}

    def findings(self, taken: Snapshotted) -> dict[str, bool]:
        session, view = self.ledger.session, self.ledger.resolve(taken.version.canonical)
        facts = session.catalog.facts([view.id])
        return {finding.code: finding.failed for finding in check_bucket(session, view, facts)}

    def versions(self) -> int:
        return len(self.ledger.session.catalog.of_artifact("dataset", "d"))


@pytest.fixture
def store(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name, value in {**s3_server.variables, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    client = s3_server.client()
    bucket = f"bucket-{next(NUMBERS)}"
    client.create_bucket(Bucket=bucket)
    create(Settings(), tmp_path, "lineal.test/log")
    with lineal.open(str(tmp_path), actor="tester") as ledger:
        yield Store(client, bucket, ledger, s3_server)


@pytest.fixture
def proxy(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxying(store.server.endpoint) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
        yield running


def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients give up soon: how long they try is theirs, that they end in an error is ours."""
    monkeypatch.setattr("lineal.sources.s3_access._TRIES", 2)


def on_object(beginning: str, answer: Any, method: str = "GET") -> Any:
    """Return a fault for requests of an object whose path contains `beginning`."""

    def fault(seen: Seen) -> Any:
        return answer() if seen.method == method and beginning in seen.path else None

    return fault


def upload_in_parts(store: Store, key: str, parts: list[bytes], algorithm: str = "SHA256") -> None:
    given = {"Bucket": store.bucket, "Key": key}
    number = store.client.create_multipart_upload(**given, ChecksumAlgorithm=algorithm)["UploadId"]
    done = []
    for place, part in enumerate(parts, 1):
        sent = store.client.upload_part(
            **given, UploadId=number, PartNumber=place, Body=part, ChecksumAlgorithm=algorithm
        )
        name = f"Checksum{algorithm}"
        done.append({"PartNumber": place, "ETag": sent["ETag"], name: sent[name]})
    store.client.complete_multipart_upload(**given, UploadId=number, MultipartUpload={"Parts": done})
