"""Addresses of buckets, prefixes that stand for a version, and listings in the order of a manifest."""

import hashlib
from collections.abc import Iterable

import pytest

from lineal.core.digest import Digest
from lineal.datasets.manifest import Entry, write
from lineal.errors import BadInput, SourceError
from lineal.sources.bucket import BucketUri, Listed
from lineal.sources.bucket_listing import MOST_NAMED, Listing
from lineal.sources.bucket_partition import partition_of


def keep(keys: Iterable[str | Listed], prefix: str = "") -> tuple[list[str], Listing]:
    listing = Listing(prefix)
    listing.add([key if isinstance(key, Listed) else Listed(key, 1, "e") for key in keys])
    listing.settle()
    return [placed.path.decode() for placed in listing], listing


@pytest.mark.parametrize(
    ("text", "canonical", "aliases"),
    [
        ("s3://bucket/a/b.csv", "s3://bucket/a/b.csv", ("s3://bucket/a/b.csv",)),
        ("s3a://bucket/a/", "s3://bucket/a/", ("s3://bucket/a/", "s3://bucket/a")),
        ("gcs://bucket", "gs://bucket/", ("gs://bucket/", "gs://bucket")),
        ("az://box/x y/", "az://box/x y/", ("az://box/x%20y/", "az://box/x%20y")),
        ("s3://bucket//a", "s3://bucket//a", ("s3://bucket//a",)),
    ],
)
def test_addresses_have_one_spelling(text: str, canonical: str, aliases: tuple[str, ...]) -> None:
    uri = BucketUri.parse(text)
    assert str(uri) == canonical
    assert uri.aliases == aliases
    assert BucketUri.parse(str(uri)) == uri
    assert not uri.name.endswith("/")


@pytest.mark.parametrize(
    "text", ["", "s3:/b/a", "http://b/a", "s3://", "s3:///a", "s3://u:p@b/a", "s3://b:9000/a", "s3://b?x", "S4://b/a"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        BucketUri.parse(text)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("data/v=3/", {"scheme": "hive", "key": "v", "value": "3"}),
        ("data/year=2026/month=03/", {"scheme": "hive", "key": "year/month", "value": "2026/03"}),
        ("data/dt=2026-03-01/", {"scheme": "hive", "key": "dt", "value": "2026-03-01"}),
        ("data/2026-03-01/", {"scheme": "date", "value": "2026-03-01"}),
        ("data/20260301/", {"scheme": "date", "value": "20260301"}),
        ("data/2026-03-01T00-00Z/", {"scheme": "date", "value": "2026-03-01T00-00Z"}),
        ("data/2026/03/01/", {"scheme": "date", "value": "2026-03-01"}),
        ("2026/03/", {"scheme": "date", "value": "2026-03"}),
        ("data/v1.2.0/", {"scheme": "version", "value": "1.2.0"}),
        ("data/version-7/", {"scheme": "version", "value": "7"}),
        ("data/", None),
        ("", None),
        ("data/v/", None),
        ("data/20261399/", None),
        ("data/v=3/raw/", None),
        ("validation3/", None),
    ],
)
def test_a_prefix_that_stands_for_one_version_is_known_by_its_end(key: str, found: dict[str, str] | None) -> None:
    assert partition_of(key) == found


def test_the_order_is_that_of_bytes_whatever_order_they_come_in() -> None:
    names, listing = keep(["p/é", "p/a/b", "p/a-b", "p/z", "p/a.b", "p/Z", "p/\U0001f600", "p/\uffff"], "p/")
    assert [name.encode() for name in names] == sorted(name.encode() for name in names)
    assert (listing.count, listing.bytes, listing.gaps) == (8, 8, ())


@pytest.mark.parametrize("key", ["../x", "a/../../x", "a//b", "/a", ".", "./a", "a/./b", "..", "a\0b", "a/", "/", ""])
def test_keys_that_are_no_paths_are_gaps(key: str) -> None:
    names, listing = keep(["fine", key])
    assert names == ["fine"]
    assert [gap.code for gap in listing.gaps] == ["bucket.key_not_kept"]
    assert repr(key)[1:-1] in listing.gaps[0].explanation


@pytest.mark.parametrize("key", [".git/hooks/x", "a/.GIT/x", "a/.lineal", ".Lineal/keys/x"])
def test_keys_of_tools_are_left_out(key: str) -> None:
    assert keep(["fine", key])[0] == ["fine"]


def test_markers_of_folders_are_counted_and_stand_for_nothing() -> None:
    empty = [Listed(key, 0, "e") for key in ("", "a/", "a", "c")]
    names, listing = keep([*empty, "a/b"])
    assert names == ["a/b", "c"]
    assert (listing.markers, listing.gaps) == (3, ())


def test_an_object_that_is_a_folder_too_is_left_out_with_a_gap() -> None:
    names, listing = keep(["a", "a-b", "a.b", "a/b", "a/b/c", "a/b-", "d"])
    assert names == ["a-b", "a.b", "a/b-", "a/b/c", "d"]
    assert len(listing.gaps) == 2
    entries = [Entry(name.encode(), "f", Digest.of(b""), 1) for name in names]
    assert write(entries, lambda data: Digest(hashlib.sha256(data).digest())).count == 5


def test_very_many_odd_keys_are_counted() -> None:
    _, listing = keep([f"a//{number}" for number in range(MOST_NAMED + 7)])
    assert len(listing.gaps) == MOST_NAMED + 1
    assert listing.gaps[-1].code == "bucket.keys_not_kept"
    assert "7 more" in listing.gaps[-1].explanation


def test_a_key_listed_twice_is_refused() -> None:
    with pytest.raises(SourceError, match="twice"):
        keep(["a", "b", "a"])


def test_a_store_that_lists_something_else_is_not_believed() -> None:
    with pytest.raises(SourceError, match="not below"):
        keep(["p/a", "q/b"], "p/")


def test_only_what_is_there_now_is_listed() -> None:
    old = Listed("a", 1, "1", "v1", current=False)
    new = Listed("a", 2, "2", "v2")
    gone = Listed("b", 0, None, "v3", deleted=True)
    names, listing = keep([new, old, gone, Listed("b", 5, "b", "v0", current=False)])
    assert names == ["a"]
    assert listing.bytes == 2
    with Listing("", history=True) as whole:
        whole.add([new, old, gone])
        whole.settle()
        assert len(list(whole.history())) == 3
        assert whole.count == 1
