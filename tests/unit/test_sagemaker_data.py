"""Which bytes an address of SageMaker meant: each row of the table in docs/sources/sagemaker.md."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lineal.core import ref
from lineal.core.digest import Digest
from lineal.core.image import Image
from lineal.datasets.pin import Pin
from lineal.sources.sagemaker_data import Places
from lineal.sources.sagemaker_found import Found, Recorded, as_code

VERSION = f"dataset:clean@{Digest.of(b'clean')}"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/train"
NINE, TEN, ELEVEN, NOON = (f"2026-03-03T{hour:02}:00:00.000000Z" for hour in (9, 10, 11, 12))


class S3:
    """A bucket with objects by key: when each was written, and what HeadObject says beside that."""

    def __init__(self, denied: bool = False, **objects: str) -> None:
        self.objects = {key.replace("_", "/"): when for key, when in objects.items()}
        self.denied, self.asked = denied, 0
        self.more: dict[str, Any] = {}

    def head_object(self, Bucket: str, Key: str, **_more: Any) -> dict[str, Any]:  # noqa: N803
        self.asked += 1
        if self.denied or Key not in self.objects:
            code = "403" if self.denied else "404"
            raise ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {}}, "HeadObject")
        return {"LastModified": _read(self.objects[Key]), "ETag": '"e1"', "ContentLength": 3, **self.more}

    def list_objects_v2(self, Bucket: str, Prefix: str, **_more: Any) -> dict[str, Any]:  # noqa: N803
        if self.denied:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListObjectsV2")
        found = [{"LastModified": _read(when)} for key, when in self.objects.items() if key.startswith(Prefix)]
        return {"Contents": found, "IsTruncated": False}


def _read(when: str) -> datetime:
    return datetime.fromisoformat(when).astimezone(UTC)


def places(s3: S3 | None, *recorded: Recorded) -> Places:
    def named(_aliases: Sequence[str], until: str | None) -> list[Recorded]:
        found = [each for each in recorded if until is None or each.time <= until]
        return sorted(found, key=lambda each: each.time, reverse=True)

    def tagged(_image: Image, _at: str) -> str | None:
        return None

    return Places(s3, named, tagged)


def version(time: str) -> Recorded:
    return Recorded(ref=VERSION, time=time, fixed=True)


def codes(found: Found) -> list[str]:
    return [gap.code for gap in found.gaps]


def test_an_object_written_before_it_was_read_is_what_was_read() -> None:
    found = places(S3(a=NINE)).read("s3://bucket/a", TEN)
    assert found.ref == f"file:s3://bucket/a@{Pin.of(etag='e1').digest()}"
    assert (found.fixed, codes(found)) == (True, [])


def test_its_version_and_the_checksum_of_the_whole_come_before_its_etag() -> None:
    s3 = S3(a=NINE)
    s3.more = {"VersionId": "v1"}
    assert places(s3).read("s3://bucket/a", TEN).digest == Pin.of(version="v1", etag="e1").digest()
    s3.more = {"VersionId": "null"}
    assert places(s3).read("s3://bucket/a", TEN).digest == Pin.of(etag="e1").digest()
    whole = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
    s3.more = {"ChecksumSHA256": whole, "ChecksumType": "FULL_OBJECT"}
    assert places(s3).read("s3://bucket/a", TEN).digest == Digest.of(b"abc")


def test_an_object_written_again_since_is_not() -> None:
    found = places(S3(a=NOON)).read("s3://bucket/a", TEN)
    assert (found.fixed, codes(found)) == (False, ["sagemaker.data_changed"])


def test_an_object_recorded_since_it_was_last_written_is_that_version() -> None:
    assert places(S3(a=NINE), version(ELEVEN)).read("s3://bucket/a", TEN).ref == VERSION
    assert places(S3(a=NINE), version(NINE)).read("s3://bucket/a", TEN).ref == VERSION


@pytest.mark.parametrize(
    ("written", "recorded", "wanted", "code"),
    [
        (NINE, NINE, VERSION, None),
        (NOON, NINE, VERSION, "sagemaker.data_not_proved"),
        (TEN, NINE, None, "sagemaker.data_changed"),
        (NINE, NOON, VERSION, "sagemaker.recorded_later"),
        (NOON, NOON, None, "sagemaker.data_not_fixed"),
        (NINE, None, None, "sagemaker.data_not_fixed"),
    ],
)
def test_a_prefix(written: str, recorded: str | None, wanted: str | None, code: str | None) -> None:
    known = () if recorded is None else (version(recorded),)
    found = places(S3(clean_a=written), *known).read("s3://bucket/clean", ELEVEN)
    assert codes(found) == ([] if code is None else [code])
    assert (found.ref == VERSION) == (wanted is not None)
    assert found.fixed == (wanted is not None)


def test_a_bare_address_is_one_node_with_and_without_its_slash() -> None:
    one, two = (places(None).read(f"s3://bucket/clean{end}", TEN) for end in ("", "/"))
    assert one.ref == two.ref
    assert set(one.nodes[0].aliases) == {"s3://bucket/clean", "s3://bucket/clean/"}
    made = places(None).written("s3://bucket/clean", NINE, TEN, single=False)
    assert made.ref == one.ref, "what one job wrote is what the next one reads"


@pytest.mark.parametrize(
    ("written", "fixed"), [(NINE, False), (TEN, True), ("2026-03-03T11:30:00.000000Z", True), (NOON, False)]
)
def test_what_a_job_made_was_written_while_it_ran_or_soon_after(written: str, fixed: bool) -> None:
    found = places(S3(m=written)).written("s3://bucket/m", TEN, "2026-03-03T10:59:00.000000Z", single=True)
    assert found.fixed == fixed
    assert codes(found) == ([] if fixed else ["sagemaker.output_not_fixed"])


def test_a_prefix_that_a_job_made_is_the_version_recorded_after_it() -> None:
    made = places(S3(out_a=TEN), version(NOON)).written("s3://bucket/out/", NINE, ELEVEN, single=False)
    assert (made.ref, codes(made)) == (VERSION, ["sagemaker.recorded_later"])
    again = places(S3(out_a=TEN, out_b=NOON), version(NOON)).written("s3://bucket/out/", NINE, ELEVEN, single=False)
    assert again.fixed is False
    before = places(S3(out_a=NINE), version(NOON)).written("s3://bucket/out/", TEN, ELEVEN, single=False)
    assert before.fixed is False, "nothing in it is of this job"


def test_what_may_not_be_looked_at_is_an_address_and_says_why() -> None:
    found = places(S3(denied=True)).read("s3://bucket/a", TEN)
    assert (found.fixed, codes(found)) == (False, ["aws.denied", "sagemaker.data_not_fixed"])


def test_each_object_is_asked_for_once() -> None:
    s3 = S3(a=NINE)
    asking = places(s3)
    for _ in range(5):
        asking.read("s3://bucket/a", TEN)
    assert s3.asked == 1


@pytest.mark.parametrize("address", ["https://x/y", "fs://fs-1/a b", "", "s3://", "s3://a b/c", "\udcff", "x" * 5000])
def test_any_other_address_is_kept_as_it_is(address: str) -> None:
    found = places(None).read(address, TEN)
    assert found.fixed is False
    assert str(ref.parse_node(found.ref)) == found.ref
    assert codes(found) == ["sagemaker.foreign_address"]


def test_images_by_digest_and_by_tag() -> None:
    digest = "sha256:" + "ab" * 32
    for text, resolved in ((f"{IMAGE}@{digest}", None), (f"{IMAGE}:1", f"{IMAGE}@{digest}")):
        found = places(None).image(text, TEN, resolved)
        assert (found.ref, found.fixed) == (f"container:{IMAGE}@{digest}", True)
    tag = places(None).image(f"{IMAGE}:1", TEN)
    assert (tag.fixed, codes(tag)) == (False, ["sagemaker.image_not_fixed"])
    assert places(None).image("NOT AN IMAGE", TEN).fixed is False


def test_a_commit_is_the_version_on_record_or_a_claim() -> None:
    claimed = places(None).code("1f" * 20, "https://me:hunter2hunter2@github.com/acme/risk.git", TEN)
    assert claimed.ref.startswith("code:github.com/acme/risk@")
    assert "hunter2" not in str(claimed)
    known = Recorded(ref=f"code:x@{Digest.of(b'x')}", time=NINE, fixed=True, detail={"dirty": False})
    assert places(None, known).code("1f" * 20, None, TEN).ref == known.ref


def test_an_object_that_holds_source_is_code() -> None:
    found = as_code(places(S3(a=NINE)).read("s3://bucket/a", TEN))
    assert found.ref.startswith("code:s3://bucket/a@")
    assert [node.ref for node in found.nodes] == [found.ref]
