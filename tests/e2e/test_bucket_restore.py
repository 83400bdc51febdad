"""What lies in a bucket later: drift of a recorded prefix, and restoring what was there then."""

from pathlib import Path

import pytest

from lineal.app.bucket_contents import open_contents
from lineal.app.restore import restore
from lineal.app.verify import verify_one
from lineal.core.digest import Digest
from lineal.datasets import manifest
from lineal.errors import (
    BadManifest,
    DigestMismatch,
    ObjectMissing,
)
from servers.buckets import Store, fast, on_object, upload_in_parts
from servers.proxy import Answer, Proxy, refusal

BIG = 3 << 20


def test_drift_of_a_prefix_that_stands_for_one_version(store: Store) -> None:
    store.put(**{"p/dt=2026-03-01/a": b"a", "p/dt=2026-03-01/b": b"b", "p/dt=2026-03-01/c": b"c"})
    taken = store.snapshot("p/dt=2026-03-01/")
    assert taken.version.detail["partition"] == {"scheme": "hive", "key": "dt", "value": "2026-03-01"}
    assert store.findings(taken) == {}
    store.put(**{"p/dt=2026-03-01/d": b"d"})
    assert store.findings(taken) == {"dataset.prefix_grown": True}
    store.put(**{"p/dt=2026-03-01/a": b"other"})
    store.client.delete_object(Bucket=store.bucket, Key="p/dt=2026-03-01/b")
    expected = {"dataset.prefix_grown": True, "dataset.prefix_changed": True, "dataset.prefix_vanished": True}
    assert store.findings(taken) == expected
    found = {finding.code for finding in verify_one(store.ledger.session, taken.version.ref).findings}
    assert found >= set(expected)


def test_drift_of_a_prefix_with_versions_loses_nothing(store: Store) -> None:
    store.keep_versions()
    kept = store.write("p/a", b"a")
    store.put(**{"p/b": b"b"})
    taken = store.snapshot()
    store.put(**{"p/a": b"other", "p/c": b"c"})
    store.client.delete_object(Bucket=store.bucket, Key="p/b")
    notes = {"dataset.prefix_grown": False, "dataset.prefix_replaced": False, "dataset.prefix_deleted": False}
    assert store.findings(taken) == notes
    store.client.delete_object(Bucket=store.bucket, Key="p/a", VersionId=kept["VersionId"])
    assert store.findings(taken)["dataset.prefix_changed"] is True


def test_a_bucket_that_cannot_be_asked_is_not_said_to_be_empty(
    store: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(**{"p/a": b"a"})
    taken = store.snapshot()
    proxy.faults.append(lambda seen: refusal(403, "AccessDenied") if "list-type" in seen.query else None)
    assert store.findings(taken) == {"dataset.prefix_unseen": False}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    fast(monkeypatch)
    assert store.findings(taken) == {"dataset.prefix_unseen": False}


@pytest.mark.parametrize("basis", ["auto", "content"])
def test_a_restore_fetches_what_was_there_then(store: Store, tmp_path: Path, basis: str) -> None:
    store.keep_versions()
    files = {f"p/{number % 7}/{number:03}": b"%d" % number for number in range(80)}
    files["p/big"] = b"z" * BIG
    store.put(**files)
    taken = store.snapshot(basis=basis)
    store.put(**{"p/3/003": b"changed", "p/new": b"new"})
    store.client.delete_object(Bucket=store.bucket, Key="p/4/004")
    done = restore(store.ledger.session, taken.version.ref, tmp_path / "back")
    assert (done.files, done.origin) == (81, "bucket")
    for key, body in files.items():
        assert (tmp_path / "back" / key[2:]).read_bytes() == body
    (tmp_path / "back" / "0" / "000").unlink()
    again = restore(store.ledger.session, taken.version.ref, tmp_path / "back")
    assert (again.files, again.skipped) == (1, 80)


def test_files_are_had_in_any_order(store: Store, proxy: Proxy, tmp_path: Path) -> None:
    store.put(**{f"p/{number:03}": b"%d" % number for number in range(50)})
    taken = store.snapshot()
    contents = open_contents(store.ledger.session, store.ledger.resolve(taken.version.ref))
    wanted = list(store.entries(taken).values())
    proxy.seen.clear()
    for entry in [*wanted[::-7], wanted[3], wanted[4], wanted[4]]:
        with (tmp_path / "file").open("w+b") as file:
            assert contents.copy_into(entry, file.fileno()) == entry.digest
        assert (tmp_path / "file").read_bytes() == b"%d" % int(entry.path)
    assert proxy.count("GET") < 50
    unknown = manifest.Entry(b"none", "f", Digest.of(b"none"), 4)
    with pytest.raises(BadManifest, match="not a file of the version"), (tmp_path / "file").open("w+b") as file:
        contents.copy_into(unknown, file.fileno())


def test_a_restore_of_what_was_overwritten_is_refused(store: Store, tmp_path: Path) -> None:
    store.put(**{"p/a": b"a", "p/b": b"b"})
    taken = store.snapshot()
    store.put(**{"p/b": b"c"})
    with pytest.raises(ObjectMissing, match="not there any more"):
        restore(store.ledger.session, taken.version.ref, tmp_path / "back")
    assert not (tmp_path / "back" / "b").exists()


def test_a_restore_of_altered_bytes_is_refused(store: Store, proxy: Proxy, tmp_path: Path) -> None:
    store.keep_versions()
    upload_in_parts(store, "p/a", [b"x" * (5 << 20), b"y"])  # no MD5 of the bytes: only the digest can tell
    taken = store.snapshot(basis="content")

    def alter(answer: Answer) -> Answer:
        return Answer(answer.status, answer.headers, answer.body.replace(b"x", b"z", 1))

    proxy.faults.append(on_object("/p/a", lambda: alter))
    with pytest.raises(DigestMismatch):
        restore(store.ledger.session, taken.version.ref, tmp_path / "back")
    assert not list((tmp_path / "back").iterdir())
