"""Buckets that refuse, fail half way or change under the reader, over real HTTP: nothing of it becomes a version."""

import sqlite3
from pathlib import Path

import pytest

from lineal.app.restore import restore
from lineal.core.digest import Digest
from lineal.errors import (
    DigestMismatch,
    ObjectChanged,
    SourceDenied,
    SourceError,
)
from servers.buckets import Store, fast, on_object
from servers.proxy import Answer, Proxy, Seen, refusal

BIG = 3 << 20


def test_an_object_that_may_not_be_read_stops_it(store: Store, proxy: Proxy) -> None:
    store.put(**{f"p/{number:02}": b"x" for number in range(40)})
    proxy.faults.append(on_object("/p/23", lambda: refusal(403, "AccessDenied")))
    with pytest.raises(SourceDenied, match=r"p/23.*AccessDenied"):
        store.snapshot()
    assert store.versions() == 0


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (400, "ExpiredToken", "expired"),
        (403, "RequestTimeTooSkewed", "RequestTimeTooSkewed"),
        (403, "InvalidObjectState", "InvalidObjectState"),
    ],
)
def test_what_is_refused_says_what_to_do(store: Store, proxy: Proxy, status: int, code: str, says: str) -> None:
    store.put(**{"p/a": b"x", "p/b": b"y"})
    proxy.faults.append(on_object("/p/b", lambda: refusal(status, code)))
    with pytest.raises(SourceError, match=says) as caught:
        store.snapshot()
    assert caught.value.hint
    assert store.versions() == 0


def test_a_listing_that_fails_half_way_is_no_version(
    store: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineal.sources.s3_listing._PAGE", 10)
    store.put(**{f"p/{number:02}": b"x" for number in range(35)})
    assert store.snapshot(name="dataset:whole").files == 35

    def deny(seen: Seen) -> Answer | None:
        return refusal(403, "AccessDenied") if "continuation-token" in seen.query else None

    proxy.faults.append(deny)
    with pytest.raises(SourceDenied, match="listing"):
        store.snapshot()
    proxy.faults[:] = [lambda seen: cut if "continuation-token" in seen.query else None]
    fast(monkeypatch)
    with pytest.raises(SourceError, match="listing"):
        store.snapshot()
    assert store.versions() == 0


def cut(answer: Answer) -> Answer:
    """Send less than was announced."""
    length = answer.headers.get("Content-Length") or str(len(answer.body))
    return Answer(
        answer.status, {**answer.headers, "Content-Length": length}, answer.body[: len(answer.body) // 2], True
    )


def test_a_body_that_is_cut_off_is_no_file(store: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    fast(monkeypatch)
    store.put(**{"p/a": b"x" * 100_000})
    proxy.faults.append(on_object("/p/a", lambda: cut))
    with pytest.raises(SourceError):
        store.snapshot()
    assert store.versions() == 0


def test_bytes_that_were_altered_on_the_way_are_refused(store: Store, proxy: Proxy) -> None:
    def alter(answer: Answer) -> Answer:
        return Answer(answer.status, answer.headers, answer.body.replace(b"x", b"z", 1))

    store.put(**{"p/a": b"x" * 1000})
    proxy.faults.append(on_object("/p/a", lambda: alter))
    for keep in (False, True):
        with pytest.raises(DigestMismatch, match="ETag"):
            store.snapshot(keep=keep)
    assert store.versions() == 0


def test_an_etag_under_a_key_of_kms_is_no_md5(store: Store, proxy: Proxy) -> None:
    # SeaweedFS has no KMS: the proxy says what S3 says of such an object, whose ETag is not the MD5 of its bytes.
    def encrypted(answer: Answer) -> Answer:
        return Answer(answer.status, {**answer.headers, "x-amz-server-side-encryption": "aws:kms"}, b"")

    def decrypt(answer: Answer) -> Answer:
        return Answer(answer.status, answer.headers, answer.body[::-1])

    store.put(**{"p/a": b"abc", "p/b": b"123"})
    proxy.faults += [on_object("/p/", lambda: decrypt), on_object("/p/", lambda: encrypted, "HEAD")]
    taken = store.snapshot()
    assert store.entries(taken)["a"].digest == Digest.of(b"cba")
    assert taken.version.basis == "verified"


def test_a_wrong_stored_checksum_is_found_when_the_bytes_are_read(store: Store, proxy: Proxy) -> None:
    # SeaweedFS does not list the algorithms of checksums as AWS does: the proxy puts them in.
    def announce(answer: Answer) -> Answer:
        text = answer.body.replace(b"</Key>", b"</Key><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>")
        return Answer(answer.status, answer.headers, text)

    def lie(answer: Answer) -> Answer:
        false = {name: "A" * 43 + "=" for name in answer.headers if name.lower() == "x-amz-checksum-sha256"}
        return Answer(answer.status, {**answer.headers, **false}, b"")

    store.write("p/a", b"abc", ChecksumAlgorithm="SHA256")
    proxy.faults.append(lambda seen: announce if "list-type" in seen.query else None)
    assert store.snapshot(name="dataset:right").version.detail["basis_of_identity"] == "checksum"
    proxy.faults.append(lambda seen: lie if seen.method == "HEAD" and "/p/a" in seen.path else None)
    with pytest.raises(DigestMismatch, match="the store has"):
        store.snapshot(keep=True)
    assert store.versions() == 0


@pytest.mark.parametrize("what", ["overwritten", "deleted"])
def test_an_object_that_changes_between_listing_and_reading(store: Store, proxy: Proxy, what: str) -> None:
    store.put(**{"p/a": b"as listed", "p/b": b"b"})
    changed: list[str] = []

    def change(seen: Seen) -> None:
        if seen.method == "GET" and "/p/a" in seen.path and not changed:
            changed.append(what)
            if what == "deleted":
                store.client.delete_object(Bucket=store.bucket, Key="p/a")
            else:
                store.write("p/a", b"and then")

    proxy.faults.append(change)
    with pytest.raises(ObjectChanged, match="between listing and reading"):
        store.snapshot()
    assert store.versions() == 0
    assert changed


def test_with_versions_a_change_meanwhile_does_no_harm(store: Store, proxy: Proxy) -> None:
    store.keep_versions()
    store.write("p/a", b"as listed")
    changed: list[Seen] = []

    def change(seen: Seen) -> None:
        if seen.method == "GET" and "/p/a" in seen.path and not changed:
            changed.append(seen)
            store.client.delete_object(Bucket=store.bucket, Key="p/a")

    proxy.faults.append(change)
    taken = store.snapshot(basis="content")
    assert changed
    assert store.entries(taken)["a"].digest == Digest.of(b"as listed")


def test_versions_that_may_not_be_listed_are_a_gap(store: Store, proxy: Proxy) -> None:
    store.keep_versions()
    store.write("p/a", b"a")
    proxy.faults.append(lambda seen: refusal(403, "AccessDenied") if seen.query.startswith("versions") else None)
    proxy.faults.append(
        lambda seen: refusal(403, "AccessDenied") if "versions&" in seen.query or "versions=" in seen.query else None
    )
    taken = store.snapshot()
    assert [gap.code for gap in taken.gaps] == ["bucket.versions_denied"]
    assert store.entries(taken)["a"].kind == "f"
    proxy.faults.append(lambda seen: refusal(403, "AccessDenied") if seen.query.startswith("versioning") else None)
    taken = store.snapshot(name="dataset:e")
    assert [gap.code for gap in taken.gaps] == ["bucket.versioning_unknown"]
    assert "versioned" not in taken.version.detail


@pytest.mark.parametrize("keep", [False, True])
def test_an_attempt_that_failed_is_gone_on_with(store: Store, proxy: Proxy, tmp_path: Path, keep: bool) -> None:
    store.put(**{f"p/{number:02}": b"%d" % number for number in range(60)})
    proxy.faults.append(on_object("/p/55", lambda: refusal(403, "AccessDenied")))
    with pytest.raises(SourceDenied):
        store.snapshot(keep=keep)
    assert store.versions() == 0
    proxy.faults.clear()
    proxy.seen.clear()
    taken = store.snapshot(keep=keep)
    assert proxy.count("GET") == 5
    assert (taken.files, taken.version.basis) == (60, "verified")
    done = restore(store.ledger.session, taken.version.ref, tmp_path / "back")
    assert done.files == 60
    assert (tmp_path / "back" / "07").read_bytes() == b"7"


def test_what_is_remembered_of_an_attempt_is_not_believed_when_damaged(store: Store, proxy: Proxy) -> None:
    store.put(**{f"p/{number:02}": b"%d" % number for number in range(60)})
    proxy.faults.append(on_object("/p/55", lambda: refusal(403, "AccessDenied")))
    with pytest.raises(SourceDenied):
        store.snapshot()
    proxy.faults.clear()
    file = store.ledger.session.ledger.home.root / "cache" / "buckets.db"
    with sqlite3.connect(file) as database:
        database.execute("UPDATE read_1 SET digest = ?", (b"x" * 32,))
    database.close()
    assert store.entries(store.snapshot())["07"].digest == Digest.of(b"7")
    file.write_bytes(b"no database" * 1000)
    store.write("p/more", b"more")
    assert store.snapshot().files == 61


def test_an_endless_listing_is_refused(store: Store, proxy: Proxy) -> None:
    store.put(**{"p/a": b"a"})

    def endless(answer: Answer) -> Answer:
        token = b"<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
        return Answer(answer.status, answer.headers, answer.body.replace(b"<IsTruncated>false</IsTruncated>", token))

    proxy.faults.append(lambda seen: endless if "list-type" in seen.query else None)
    with pytest.raises(SourceError, match="no end"):
        store.snapshot()
    assert store.versions() == 0
