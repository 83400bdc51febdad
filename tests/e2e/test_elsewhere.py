"""What `check` says of bytes that lie elsewhere: it fetches them, on a real S3 server, and says what it found."""

from pathlib import Path
from typing import Any

import pytest

from lineal.app.life import Known
from lineal.app.restore import restore
from lineal.app.witness import Shown, Witness
from lineal.core.digest import Digest
from lineal.core.edge import Edge
from lineal.core.observation import Node, Observation
from lineal.datasets.pin import Pin
from lineal.errors import AlreadyExists, DigestMismatch, ObjectMissing
from servers.buckets import Store, fast


def _show(store: Store, ref: str, *, deep: bool = False) -> Shown:
    view = store.ledger.resolve(ref)
    return Witness(store.ledger.session, deep=deep).show(Known(view=view, detail=view.detail))


def _object(store: Store, key: str, body: bytes, *, by: str) -> str:
    """Put an object and record it, and a model that it is, as a source would that has seen its address."""
    sent = store.write(key, body)
    uri, etag, version = f"s3://{store.bucket}/{key}", sent["ETag"].strip('"'), sent.get("VersionId")
    digest = Digest.of(body) if by == "checksum" else Pin.of(version=version, etag=etag).digest()
    detail: dict[str, Any] = {"uri": uri, "size": len(body), "etag": etag, "basis_of_identity": by}
    detail |= {} if version is None else {"version": version}
    file = Node(ref=f"file:{uri}@{digest}", basis="observed", digest=digest, detail=detail, aliases=(uri,))
    model = Node(ref=f"model:m@{digest}", basis="observed", digest=digest)
    store.ledger.record(
        [
            Observation(
                type="job.seen/1",
                time=store.ledger.session.clock(),
                actor="tester",
                basis="observed",
                nodes=(file, model),
                edges=(Edge(file.ref, model.ref, "same_as"),),
            )
        ]
    )
    return model.ref


def test_a_version_that_lies_in_a_bucket_is_here_as_long_as_it_is_there(store: Store) -> None:
    store.put(**{"p/a": b"a" * 1000, "p/b": b"b"})
    taken = store.snapshot(basis="content").version.ref
    assert _show(store, taken) == Shown(retrievable=True, verified=True, where="bucket")
    store.put(**{"p/a": b"A" * 1000})
    shown = _show(store, taken)
    assert (shown.retrievable, shown.where) == (False, "bucket")
    assert shown.against is not None
    assert shown.against.startswith("1 of 2 files: ")


def test_pins_by_version_are_fetched_and_prove_nothing_of_the_bytes(store: Store) -> None:
    store.keep_versions()
    store.put(**{"p/a": b"a", "p/b": b"b"})
    taken = store.snapshot(basis="pin").version.ref
    store.put(**{"p/a": b"other"})
    assert _show(store, taken) == Shown(retrievable=True, verified=None, where="bucket")


def test_what_pins_turned_out_to_be_is_fetched_from_where_they_lie(store: Store, tmp_path: Path) -> None:
    store.keep_versions()
    store.put(**{"p/a": b"a", "p/b": b"b"})
    done = restore(store.ledger.session, store.snapshot(basis="pin").version.ref, tmp_path / "out")
    assert done.content is not None
    (tmp_path / "out" / "a").unlink()
    assert _show(store, done.content) == Shown(retrievable=True, verified=True, where="bucket")


def test_more_than_may_be_read_is_not_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(**{"p/a": b"a" * 1000, "p/b": b"b"})
    taken = store.snapshot(basis="content").version.ref
    monkeypatch.setattr("lineal.app.witness.MAX_BYTES", 500)
    assert _show(store, taken) == Shown(retrievable=None, verified=None, where="bucket")
    assert _show(store, taken, deep=True) == Shown(retrievable=True, verified=True, where="bucket")


def test_a_bucket_that_does_not_answer_is_no_proof_of_anything(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(**{"p/a": b"a"})
    taken = store.snapshot(basis="content").version.ref
    model = _object(store, "m.tar.gz", b"model", by="checksum")
    fast(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    for ref in (taken, model):
        shown = _show(store, ref)
        assert (shown.retrievable, shown.verified) == (False, None)
        assert shown.against


@pytest.mark.parametrize("by", ["checksum", "version"])
def test_a_model_is_the_object_with_its_identity(store: Store, tmp_path: Path, by: str) -> None:
    store.keep_versions()
    ref = _object(store, "job/model.tar.gz", b"model", by=by)
    store.write("job/model.tar.gz", b"another")
    verified = True if by == "checksum" else None
    if by == "version":
        uri = f"s3://{store.bucket}/job/model.tar.gz"
        assert _show(store, ref) == Shown(retrievable=True, verified=verified, where=uri)
    done = restore(store.ledger.session, ref, tmp_path / "m.tar.gz")
    assert (done.files, done.bytes, done.target.read_bytes()) == (1, 5, b"model")
    with pytest.raises(AlreadyExists):
        restore(store.ledger.session, ref, tmp_path / "m.tar.gz")
    (tmp_path / "folder").mkdir()
    assert restore(store.ledger.session, ref, tmp_path / "folder").target.name == "model.tar.gz"


def test_an_object_that_was_replaced_is_not_restored(store: Store, tmp_path: Path) -> None:
    ref = _object(store, "model.tar.gz", b"model", by="checksum")
    store.write("model.tar.gz", b"other")
    assert _show(store, ref).retrievable is False
    with pytest.raises((ObjectMissing, DigestMismatch)):
        restore(store.ledger.session, ref, tmp_path / "m")
    assert list(tmp_path.glob("m*")) == []
    assert list(tmp_path.glob(".m*")) == []


def test_a_false_checksum_is_found(store: Store, tmp_path: Path) -> None:
    ref = _object(store, "model.tar.gz", b"model", by="checksum")
    view = store.ledger.resolve(ref)
    wrong = Digest.of(b"wrong")
    file = store.ledger.resolve(f"s3://{store.bucket}/model.tar.gz")
    node = Node(ref=f"model:w@{wrong}", basis="claimed", digest=wrong, detail=dict(file.detail))
    store.ledger.record(
        [Observation(type="job.seen/1", time=store.ledger.session.clock(), actor="t", basis="claimed", nodes=(node,))]
    )
    assert view.digest != str(wrong)
    shown = _show(store, node.ref)
    assert (shown.retrievable, shown.verified) == (False, False)
    with pytest.raises(DigestMismatch):
        restore(store.ledger.session, node.ref, tmp_path / "m")
    assert list(tmp_path.glob("m*")) == []
