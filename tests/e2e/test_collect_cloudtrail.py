"""`lineal collect cloudtrail`: a synthetic trail in a bucket, whatever people do to it, and what is known of it."""

import base64
import gzip
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from commandline import make_place

from lineal import wiring
from lineal.app.collect_cloudtrail import CollectedTrail, TrailRequest, collect_trail
from lineal.app.session import Session
from lineal.app.trail_lookup import collect_lookup
from lineal.change.watermark import Trail
from lineal.core import timestamp
from lineal.core.coverage import TrailSpan
from lineal.core.resource import make_resource
from lineal.errors import BadInput
from lineal.sources import aws_session, cloudtrail_s3
from lineal.sources.aws_session import DENIED, Refusal
from lineal.wiring import Settings, create, open_session
from servers.cloud_delivery import put, remove
from servers.cloud_people import person, role
from servers.cloud_trail import CloudTrail, trail_server
from servers.moto import ACCOUNT, REGION

START = datetime(2026, 10, 1, 8, 0, 0, tzinfo=UTC)
BUCKET = "trail"
ANA = person("ana")
CI = role(f"arn:aws:iam::{ACCOUNT}:role/ci/deploy", "build-7")


@dataclass
class World:
    """A trail that is on, a ledger with nothing in it, and the clock of both."""

    trail: CloudTrail
    session: Session
    folder: Path

    def look(self, where: str = f"s3://{BUCKET}", **options: Any) -> CollectedTrail:
        return collect_trail(self.session, where, TrailRequest(**options))

    def model(self, name: str) -> str:
        """Create a model as the build does; return its key."""
        self.trail.client("sagemaker", CI).create_model(
            ModelName=name,
            PrimaryContainer={"Image": "x/y:1"},
            ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/runner",
        )
        return make_resource("AWS::SageMaker::Model", ACCOUNT, REGION, name).key

    def pass_hours(self, count: int, *, models: bool = True) -> list[str]:
        """Let hours pass; in the middle of each, a model is created. Return their names."""
        made = []
        for _ in range(count):
            self.trail.advance(minutes=30)
            if models:
                made.append(f"m-{self.trail.clock.now:%d%H%M%S}")
                self.model(made[-1])
            self.trail.advance(minutes=30)
        self.trail.advance(minutes=1)
        return made

    def recorded(self) -> list[str]:
        """Return the names of the models whose creation is on record."""
        events = self.session.configuration.events_between()
        return [each.parameters["modelName"] for each in events if each.name == "CreateModel"]

    def spans(self, done: CollectedTrail, region: str = REGION) -> list[TrailSpan]:
        return [each for each in done.trail if each.region == region]


def codes(done: CollectedTrail) -> set[str]:
    return {gap.code for gap in done.collected.gaps}


def at(hour: int, minute: int = 0, day: int = 1) -> str:
    return timestamp.spell(START.replace(day=day, hour=hour, minute=minute))


@contextmanager
def world(folder: Path, **trail_options: Any) -> Iterator[World]:
    with trail_server(START, seconds_each=0) as trail:
        clean = {name: "" for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN") if name in os.environ}
        with (
            patch.dict(os.environ, {**clean, **trail.moto.environment(), "AWS_MAX_ATTEMPTS": "1"}),
            patch.object(wiring, "now", trail.clock.spell),
        ):
            trail.client("s3", ANA).create_bucket(
                Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
            client = trail.client("cloudtrail", ANA)
            client.create_trail(Name="main", S3BucketName=BUCKET, IsMultiRegionTrail=True, **trail_options)
            client.start_logging(Name="main")
            create(Settings(), folder, "lineal.test/trail")
            with open_session(Settings(ledger=str(folder / ".lineal"), actor="watcher")) as session:
                yield World(trail, session, folder)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def test_events_are_recorded_once_and_what_digests_name_is_proven(here: World) -> None:
    made = here.pass_hours(3)
    done = here.look()
    assert not done.collected.gaps
    assert here.recorded() == made
    assert here.spans(done) == [
        TrailSpan(account=ACCOUNT, region=REGION, since=at(8), until=at(10, 46), proof="digest")
    ], "what was called in the last quarter of an hour may still be delivered"
    again = here.look()
    assert (again.counts.get("events", 0), again.counts.get("files", 0)) == (0, 0), "no file is read twice"
    before = {each.key for delivery in here.trail.deliveries() for each in delivery.files}
    later = here.pass_hours(2)
    more = here.look()
    after = {each.key for delivery in here.trail.deliveries() for each in delivery.files}
    assert more.counts["files"] == len(after - before)
    assert here.recorded() == made + later
    assert here.spans(more) == [
        TrailSpan(account=ACCOUNT, region=REGION, since=at(10, 46), until=at(12, 47), proof="digest")
    ], "the spans of two looks meet"
    events = list(here.session.configuration.events_between())
    key = make_resource("AWS::SageMaker::Model", ACCOUNT, REGION, made[0]).key
    event = here.session.configuration.events([key])[key][0]
    assert (event.principal, event.session) == (f"arn:aws:iam::{ACCOUNT}:role/deploy", "build-7")
    assert not any(each.read_only for each in events)


def test_a_log_that_was_deleted_leaves_a_hole_in_its_hour(here: World) -> None:
    made = here.pass_hours(3)
    here.trail.delivery().delete_logs(START + timedelta(hours=1), START + timedelta(hours=2))
    done = here.look()
    assert codes(done) == {"cloudtrail.log_deleted"}
    assert here.recorded() == [made[0], made[2]]
    told = [(each.since, each.until, each.missing, each.why) for each in here.spans(done)]
    assert (at(9), at(10), True, "log_deleted") in told
    assert (at(8), at(9), False, "") in told
    assert (at(10), at(10, 46), False, "") in told


def test_a_log_that_was_altered_is_no_evidence(here: World) -> None:
    made = here.pass_hours(3)
    delivery = here.trail.delivery()
    altered = [each for each in delivery.files if any(r["eventName"] == "CreateModel" for r in each.records)][1]
    records = [{**each, "userIdentity": {"type": "Root"}} for each in altered.records]
    put(BUCKET, altered.key, gzip.compress(json.dumps({"Records": records}).encode()))
    done = here.look()
    assert codes(done) == {"cloudtrail.log_altered"}
    assert here.recorded() == [made[0], made[2]]
    assert [each.why for each in here.spans(done) if each.missing] == ["log_altered"]
    assert here.look().counts.get("events", 0) == 0


def test_what_was_read_before_it_was_altered_or_deleted_is_noticed_by_the_digest(here: World) -> None:
    here.trail.advance(minutes=20)
    here.model("early")
    here.trail.advance(minutes=20)
    first = here.look()
    assert here.recorded() == ["early"]
    assert {each.proof for each in here.spans(first)} == {"none"}, "no digest yet"
    file = next(
        each for each in here.trail.delivery().files if any(r["eventName"] == "CreateModel" for r in each.records)
    )
    remove(BUCKET, file.key)
    here.trail.advance(minutes=80)
    done = here.look()
    assert codes(done) == {"cloudtrail.log_deleted"}
    assert not [each for each in here.spans(done) if each.missing], "its content is on record, and the digest's"


def test_a_digest_that_is_gone_and_one_that_was_forged_prove_nothing(here: World) -> None:
    here.pass_hours(6)
    delivery = here.trail.delivery()
    delivery.drop_digest(START + timedelta(hours=1, minutes=30))
    delivery.forge_digest(START + timedelta(hours=3, minutes=30))
    done = here.look()
    assert codes(done) == {"cloudtrail.digest_missing", "cloudtrail.digest_forged"}
    told = {(each.since, each.until): each.why for each in here.spans(done)}
    assert told[at(9), at(10)] == "digest_missing"
    assert told[at(11), at(12)] == "digest_invalid"
    assert told[at(8), at(9)] == told[at(10), at(11)] == ""


def test_a_file_that_no_digest_names_is_no_evidence(here: World) -> None:
    here.pass_hours(4)
    file = here.trail.delivery().files[0]
    record = {**here.trail.records[-1], "eventID": "planted", "eventTime": at(9, 30)[:19] + "Z"}
    name = f"{ACCOUNT}_CloudTrail_{REGION}_20261001T0935Z_0123456789abcdef.json.gz"
    key = f"{file.key.rpartition('/')[0]}/{name}"
    put(BUCKET, key, gzip.compress(json.dumps({"Records": [record]}).encode()))
    done = here.look()
    assert codes(done) == {"cloudtrail.log_unnamed"}
    assert "planted" not in {each.id for each in here.session.configuration.events_between(reads=True)}


def test_digests_that_stop_coming_leave_a_hole_until_they_come(here: World) -> None:
    here.pass_hours(2)
    here.look()
    here.pass_hours(6)
    delivery = here.trail.delivery()
    for digest in delivery.digests[2:]:
        remove(BUCKET, digest.key)
    for file in delivery.files:
        if at(10) < timestamp.spell(file.delivered) <= at(13):
            remove(BUCKET, file.key)
    done = here.look()
    assert {(gap.code, gap.about) for gap in done.collected.gaps} == {
        ("cloudtrail.digest_missing", f"{ACCOUNT}/{REGION}")
    }
    told = [(each.since, each.until, each.why) for each in here.spans(done) if each.missing]
    assert told == [(at(10), at(13, 36), "digest_missing")], "up to two hours before the last file"
    coverage = Trail(here.session.configuration.trail()).of(ACCOUNT, REGION)
    assert not coverage.covers(at(11), at(12))
    assert not here.look(digests=False).collected.gaps, "who leaves digests alone misses none"
    for digest in delivery.digests[2:]:
        put(BUCKET, digest.key, digest.content)
    done = here.look()
    assert codes(done) == {"cloudtrail.digest_unsigned", "cloudtrail.log_deleted"}


@pytest.mark.parametrize("trail", ["aaa", "zzz"])
def test_a_digest_that_nobody_signed_takes_no_file_from_one_that_is_proven(here: World, trail: str) -> None:
    made = here.pass_hours(3)
    real = here.trail.delivery().digests[1]
    told = json.loads(real.content)
    key = real.key.replace("_main_", f"_{trail}_")
    told |= {"digestS3Object": key, "logFiles": [{**each, "hashValue": "00"} for each in told["logFiles"]]}
    put(BUCKET, key, gzip.compress(json.dumps(told).encode()))
    done = here.look()
    assert codes(done) == {"cloudtrail.digest_unsigned"}
    assert here.recorded() == made
    assert (at(8), at(10, 46), "digest", "") in [
        (each.since, each.until, each.proof, each.why) for each in here.spans(done)
    ]


@pytest.mark.parametrize("digests", [True, False])
def test_files_of_the_future_hide_nothing_that_comes_after_them(here: World, digests: bool) -> None:
    made = here.pass_hours(2)
    real = here.trail.delivery().digests[-1]
    told = json.loads(real.content)
    key = real.key.replace("20261001T100000Z", "20991231T100000Z")
    assert key != real.key
    told |= {"digestS3Object": key, "digestStartTime": "2099-12-31T09:00:00Z", "digestEndTime": "2099-12-31T10:00:00Z"}
    put(BUCKET, key, gzip.compress(json.dumps(told | {"logFiles": []}).encode()))
    plant(here, "20991231T1000Z", at(8, 1))
    here.look(digests=digests)
    made += here.pass_hours(60)
    done = here.look(digests=digests)
    assert set(here.recorded()) == set(made)
    proof = "digest" if digests else "none"
    assert any(each.proof == proof and not each.missing and each.until > at(12, day=3) for each in here.spans(done))


@pytest.mark.parametrize("stamp", ["20991231T1000Z", "20269999T9999Z"])
def test_a_file_of_no_time_that_was_says_nothing_of_the_trail(here: World, stamp: str) -> None:
    made = here.pass_hours(2)
    here.trail.advance(hours=5)
    plant(here, stamp, at(8, 1))
    done = here.look(digests=False)
    assert set(here.recorded()) >= set(made)
    assert max(each.until for each in here.spans(done)) < at(10, 30), "nothing was delivered after that"


@pytest.mark.parametrize("digests", [True, False])
def test_a_file_of_the_same_name_in_another_folder_hides_nothing(here: World, digests: bool) -> None:
    made = here.pass_hours(2)
    file = next(
        each for each in here.trail.delivery().files if any(r["eventName"] == "CreateModel" for r in each.records)
    )
    put(BUCKET, f"a/{file.key}", gzip.compress(b'{"Records": []}'))
    done = here.look(digests=digests)
    assert here.recorded() == made
    assert ("cloudtrail.log_altered" in codes(done)) is digests
    again = here.look(digests=digests)
    assert not again.collected.gaps
    assert "files" not in again.counts, "each was read once"


def test_an_unsigned_digest_of_an_hour_that_is_not_over_covers_nothing(here: World) -> None:
    here.pass_hours(2)
    here.trail.advance(hours=5)
    real = here.trail.delivery().digests[0]
    key = real.key.replace("_main_", "_other_")
    told = json.loads(real.content) | {"digestS3Object": key, "digestEndTime": "2099-12-31T10:00:00Z"}
    put(BUCKET, key, gzip.compress(json.dumps(told | {"logFiles": []}).encode()))
    for each in here.trail.delivery().digests:
        remove(BUCKET, each.key)
    assert max((each.until for each in here.spans(here.look()) if not each.missing), default="") < at(10, 30)


def test_a_digest_that_says_what_cannot_be_written_stops_nothing(here: World) -> None:
    made = here.pass_hours(2)
    real = here.trail.delivery().digests[-1]
    told = json.loads(real.content) | {"logFiles": [{"s3Object": "AWSLogs/\ud800", "hashValue": "00"}]}
    key = real.key.replace("_main_", "_other_")
    put(BUCKET, key, gzip.compress(json.dumps(told | {"digestS3Object": key}).encode()))
    done = here.look()
    assert here.recorded() == made
    assert ("cloudtrail.log_deleted", r"AWSLogs/\xed\xa0\x80") in {
        (each.code, each.about) for each in done.collected.gaps
    }


def test_names_of_any_bytes_stop_nothing(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    folder = os.fsencode(place.folder) + b"/odd\xff"
    os.mkdir(folder)
    for number, name in enumerate((b"\xff.json", b"broken\xff.json")):
        record = {
            "eventVersion": "1.11", "eventTime": "2026-10-01T09:00:00Z", "awsRegion": REGION, "eventID": f"e-{number}",
            "eventSource": "sagemaker.amazonaws.com", "eventName": "DeleteModel", "recipientAccountId": ACCOUNT,
        }  # fmt: skip
        content = json.dumps(record).encode()
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(content[: -5 * number or None])
    for words, code in (("cloudtrail", "cloudtrail.file_broken"), ("eventbridge", "events.line_broken")):
        done = place.lineal("collect", words, os.fsdecode(folder), "--json")
        assert done.status == 0, done.err
        told = {each["code"]: each["about"] for each in done.json()["gaps"]}
        assert told[code].endswith(r"odd\xff/broken\xff.json")
        assert done.json()["counts"]["events"] == 1


def plant(here: World, stamp: str, time: str) -> None:
    """Put a log file of this stamp into the bucket, with one event, ``planted``, of this time."""
    files = here.trail.delivery().files
    made = next(each for file in files for each in file.records if each["eventName"] == "CreateModel")
    record = {**made, "eventID": "planted", "eventTime": time[:19] + "Z"}
    name = f"{ACCOUNT}_CloudTrail_{REGION}_{stamp}_0123456789abcdef.json.gz"
    put(BUCKET, f"{files[0].key.rpartition('/')[0]}/{name}", gzip.compress(json.dumps({"Records": [record]}).encode()))


def planted(here: World) -> bool:
    return "planted" in {each.id for each in here.session.configuration.events_between(reads=True)}


@pytest.mark.parametrize("stamp", ["20261001T1131Z", "20261001T1045Z"])
def test_a_file_that_was_planted_before_the_digest_of_its_time_is_noticed_by_it(here: World, stamp: str) -> None:
    here.pass_hours(3)
    here.look()
    here.trail.advance(minutes=30)
    plant(here, stamp, at(11, 29) if "1131" in stamp else at(10, 44))
    assert not here.look().collected.gaps, "no digest can say anything of it yet"
    here.pass_hours(2)
    done = here.look()
    assert [(each.code, (each.about or "").rpartition("_")[2]) for each in done.collected.gaps] == [
        ("cloudtrail.log_unnamed", "0123456789abcdef.json.gz")
    ]
    assert not here.look().collected.gaps, "it is told once"


def test_events_of_hours_before_are_not_taken_from_a_file_that_no_digest_names(here: World) -> None:
    here.pass_hours(3)
    here.look()
    here.trail.advance(minutes=90)
    plant(here, "20261001T1228Z", at(9, 20))
    for _ in range(2):
        done = here.look()
        assert codes(done) == {"cloudtrail.event_misplaced"}
        assert not planted(here)
    here.pass_hours(2)
    assert codes(here.look()) == {"cloudtrail.log_unnamed"}
    assert not planted(here)


def test_when_logging_was_off_is_a_hole(here: World) -> None:
    here.pass_hours(2)
    client = here.trail.client("cloudtrail", person("eve"))
    client.stop_logging(Name="main")
    off = here.trail.clock.now
    here.trail.advance(minutes=70)
    here.model("unseen")
    client.start_logging(Name=f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main")
    on = here.trail.clock.now
    here.pass_hours(2)
    done = here.look()
    assert codes(done) == {"cloudtrail.logging_stopped"}, "the chain begins anew, and it is known why"
    assert any("Engineer" in gap.explanation for gap in done.collected.gaps)
    assert "unseen" not in here.recorded()
    missing = [each for each in here.spans(done) if each.missing]
    assert [(each.since, each.until, each.why) for each in missing] == [
        (timestamp.spell(off), timestamp.spell(on), "logging_stopped")
    ]
    assert [each.why for each in here.spans(done, "us-east-1") if each.missing] == ["logging_stopped"]


def test_another_trail_that_was_switched_off_is_no_hole(here: World) -> None:
    client = here.trail.client("cloudtrail", ANA)
    client.create_trail(Name="other", S3BucketName=BUCKET, S3KeyPrefix="other", IsMultiRegionTrail=False)
    client.start_logging(Name="other")
    here.pass_hours(1)
    client.stop_logging(Name="other")
    here.pass_hours(2)
    for options in ({}, {"digests": False}):
        done = here.look(f"s3://{BUCKET}/AWSLogs", **options)
        assert not [each for each in done.trail if each.missing]
    assert not here.look(f"s3://{BUCKET}/AWSLogs/").collected.gaps, "it was told once"


def test_a_trail_that_was_switched_off_just_now_is_waited_for(here: World) -> None:
    here.pass_hours(1)
    here.trail.client("cloudtrail", ANA).stop_logging(Name="main")
    off = timestamp.spell(here.trail.clock.now)
    here.trail.advance(minutes=10)
    done = here.look(digests=False)
    assert codes(done) == {"cloudtrail.logging_stopped"}
    assert not [each for each in done.trail if each.missing]
    here.trail.advance(minutes=50)
    done = here.look(digests=False)
    told = [(each.since, each.until, each.why) for each in here.spans(done) if each.missing]
    assert told == [(off, timestamp.spell(here.trail.clock.now), "logging_stopped")]


def test_without_keys_or_digests_nothing_is_proven(here: World) -> None:
    made = here.pass_hours(2)
    here.trail.refused[("cloudtrail", "ListPublicKeys", "*")] = "AccessDeniedException"
    done = here.look()
    assert codes(done) == {"cloudtrail.keys_unknown", "cloudtrail.digest_unsigned"}
    assert {(each.proof, each.missing) for each in here.spans(done)} == {("none", False)}
    assert here.recorded() == made
    plain = here.look(digests=False, regions=(REGION,))
    assert not plain.collected.gaps
    assert {each.proof for each in here.spans(plain)} == {"none"}


def test_a_broken_file_is_a_hole_and_is_tried_again(here: World) -> None:
    made = here.pass_hours(2)
    file = here.trail.delivery().files[1]
    whole = gzip.compress(file.content)
    put(BUCKET, file.key, whole[: len(whole) // 2])
    done = here.look(digests=False)
    assert codes(done) == {"cloudtrail.file_broken"}
    assert [each.why for each in here.spans(done) if each.missing] == ["log_broken"]
    assert len(here.recorded()) < len(made)
    put(BUCKET, file.key, whole)
    again = here.look(digests=False)
    assert (codes(again), again.counts["files"]) == (set(), 1)
    assert sorted(here.recorded()) == made


def test_late_files_are_found_and_time_and_region_narrow_the_look(here: World) -> None:
    made = here.pass_hours(3)
    only = here.look(since=at(9), until=at(10), digests=False)
    assert only.counts["recorded"] >= 1
    assert here.recorded() == [made[1]]
    assert {each.region for each in here.look(regions=("us-east-1",)).trail} <= {"us-east-1"}
    with pytest.raises(BadInput, match="of the accounts and regions named"):
        here.look(accounts=("999999999999",))


def test_every_layout_of_keys_is_found_and_narrowed_down(here: World) -> None:
    here.trail.advance(days=3)
    here.trail.client("s3", ANA).create_bucket(Bucket="all", CreateBucketConfiguration={"LocationConstraint": REGION})
    layouts = {
        "111111111111": "AWSLogs/{}/CloudTrail/{}/2026/10/0{}/",
        "222222222222": "some/prefix/AWSLogs/{}/CloudTrail/{}/2026/10/0{}/",
        "333333333333": "AWSLogs/o-a1b2c3/{}/CloudTrail/{}/2026/10/0{}/",
        "444444444444": "o-a1b2c3/AWSLogs/o-a1b2c3/{}/CloudTrail/{}/2026/10/0{}/",
    }
    for account, layout in layouts.items():
        for region in (REGION, "us-gov-west-1"):
            for day in (1, 2):
                record = {
                    **here.trail.records[0], "eventID": f"{account}-{region}-{day}", "recipientAccountId": account,
                    "awsRegion": region, "eventTime": f"2026-10-0{day}T10:00:00Z",
                }  # fmt: skip
                name = f"{account}_CloudTrail_{region}_2026100{day}T1005Z_0123456789abcdef.json.gz"
                content = gzip.compress(json.dumps({"Records": [record]}).encode())
                put("all", layout.format(account, region, day) + name, content)
    put("all", "AWSLogs/111111111111/Config/eu-west-1/2026/1/1/ConfigHistory/x.json.gz", b"{}")
    put("all", "other/things/deep/down/below/x", b"x")

    def ids(done: CollectedTrail) -> int:
        return done.counts["events"]

    assert ids(here.look("s3://all")) == 16
    assert ids(here.look("s3://all", regions=(REGION,), accounts=("333333333333",))) == 2
    assert ids(here.look("s3://all", since=at(0, day=2))) == 8
    assert ids(here.look("s3://all/some/prefix")) == 4
    assert ids(here.look(f"s3://all/AWSLogs/111111111111/CloudTrail/{REGION}")) == 2
    assert ids(here.look(f"s3://all/AWSLogs/111111111111/CloudTrail/{REGION}/2026/10/02/")) == 1
    found = {each.id for each in here.session.configuration.events_between()}
    assert len([each for each in found if each.count("-") > 2]) == 16
    assert {each.account for each in here.look("s3://all/", since=at(0)).trail} == set(layouts)


def test_what_is_refused_is_not_covered_and_is_read_when_it_is_allowed(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: set[str] = set()

    def ask(client: Any, operation: str, **wanted: Any) -> Any:
        """Ask, unless a word of what is refused stands in the operation or the key: moto denies nothing by itself."""
        if any(word in f"{operation} {wanted.get('Key', '')}" for word in refused):
            return Refusal(DENIED, operation, "not for you")
        return aws_session.ask(client, operation, **wanted)

    monkeypatch.setattr(cloudtrail_s3, "ask", ask)
    made = here.pass_hours(3)
    refused.add("/CloudTrail/")
    done = here.look()
    assert codes(done) == {"aws.denied"}
    assert not here.spans(done)
    assert not here.recorded()
    refused.clear()
    refused.add(here.trail.delivery().digests[1].key)
    again = here.look()
    assert codes(again) == {"aws.denied"}
    assert here.recorded() == made
    assert not [each for each in again.trail if each.missing], "a digest that was not read is not missing"
    refused.clear()
    whole = here.look()
    assert not whole.collected.gaps
    assert [(each.proof, each.until) for each in here.spans(whole)] == [("digest", at(10, 46))]
    later = here.pass_hours(1)
    refused.add("ListObjectsV2")
    closed = here.look()
    assert codes(closed) == {"aws.denied"}
    assert not [each for each in closed.trail if each.missing], "what could not be listed is not said to be deleted"
    refused.clear()
    here.look()
    assert here.recorded() == made + later


def test_a_place_that_is_none_is_refused(here: World, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # as of <(…)
    for where in ("s3://no-such-bucket", "s3://", str(tmp_path / "none"), str(tmp_path / "pipe")):
        with pytest.raises(BadInput):
            here.look(where)
    here.trail.client("s3", ANA).create_bucket(Bucket="other", CreateBucketConfiguration={"LocationConstraint": REGION})
    with pytest.raises(BadInput, match="nothing of CloudTrail"):
        here.look("s3://other")


def test_a_copy_in_a_folder_is_proven_by_keys_from_a_file(here: World, tmp_path: Path) -> None:
    made = here.pass_hours(3)
    copy = tmp_path / "copy"
    client = here.trail.client("s3")
    for each in client.list_objects_v2(Bucket=BUCKET)["Contents"]:
        path = copy / each["Key"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read())
    keys = here.trail.client("cloudtrail").list_public_keys()["PublicKeyList"]
    listed = [{"Value": base64.b64encode(k["Value"]).decode(), "Fingerprint": k["Fingerprint"]} for k in keys]
    (tmp_path / "keys.json").write_text(json.dumps({"PublicKeyList": listed}))
    done = here.look(str(copy), keys=tmp_path / "keys.json")
    assert here.recorded() == made
    proofs = {each.proof: each for each in here.spans(done)}
    assert (proofs["digest"].since, proofs["digest"].until) == (at(8), at(10)), "the last has no signature in a folder"
    assert codes(done) == {"cloudtrail.digest_unsigned"}
    plain = here.look(str(copy / "AWSLogs"))
    assert codes(plain) >= {"cloudtrail.keys_unknown"}


def test_the_event_history_is_asked_and_covers_what_has_settled(here: World) -> None:
    made = here.pass_hours(2)
    waited: list[float] = []
    found = collect_lookup(here.session, TrailRequest(regions=(REGION,)), sleep=waited.append)
    assert here.recorded() == made
    span = found[0].trail[0]
    assert (span.proof, span.until) == ("api", at(9, 46))
    assert not found[0].collected.gaps
    later = here.pass_hours(1)
    more = collect_lookup(here.session, TrailRequest(regions=(REGION,)), sleep=waited.append)
    assert here.recorded() == made + later
    assert (more[0].trail[0].since, more[0].trail[0].until) == (at(9, 46), at(10, 47))
    narrowed = collect_lookup(
        here.session, TrailRequest(regions=(REGION,)), sources=("sagemaker.amazonaws.com",), sleep=waited.append
    )
    assert not narrowed[0].trail
    assert codes(narrowed[0]) == {"cloudtrail.lookup_narrowed"}
    assert all(0 <= each <= 0.5 for each in waited)


def test_a_history_that_cannot_be_asked_to_its_end_is_covered_as_far_as_it_was(here: World) -> None:
    for number in range(70):
        here.model(f"m-{number}")
        here.trail.advance(minutes=1)
    here.trail.advance(minutes=30)
    pages = 0

    def refuse_second(_seconds: float) -> None:
        nonlocal pages
        pages += 1
        here.trail.refused[("cloudtrail", "LookupEvents", "*")] = "AccessDeniedException"

    found = collect_lookup(here.session, TrailRequest(regions=(REGION,)), sleep=refuse_second)
    assert (pages, codes(found[0])) == (1, {"aws.denied"})
    covered, missing = found[0].trail
    assert (covered.missing, missing.missing, missing.why) == (False, True, "refused")
    assert missing.until <= covered.since
    assert 0 < len(here.recorded()) < 70
    here.trail.refused.clear()
    collect_lookup(here.session, TrailRequest(regions=(REGION,)), sleep=lambda _: None)
    assert len(here.recorded()) == 70, "the next look begins where the last complete one ended"


def test_the_command_reads_a_bucket_and_asks_the_service(here: World, tmp_path: Path) -> None:
    here.pass_hours(2)
    place = make_place(tmp_path / "other")
    env = {**here.trail.moto.environment(), "AWS_MAX_ATTEMPTS": "1"}
    done = place.lineal("collect", "cloudtrail", f"s3://{BUCKET}", "--json", env=env)
    assert done.status == 0, done.err
    said = done.json()
    assert (said["recorded"] > 2, said["gaps"]) == (True, [])
    assert {each["proof"] for each in said["trail"]} == {"digest"}
    asked = place.within("collect", "cloudtrail", "--lookup", "--region", REGION, "--json", env=env)
    assert asked.status == 0, asked.err
    counts = asked.json()["counts"]
    assert counts["recorded"] < counts["kept"], "most of them are known from the bucket; some are from before it"
    assert [each["proof"] for each in asked.json()["trail"]] == ["api"]
    nobody = place.within(
        "collect", "cloudtrail", f"s3://{BUCKET}", env={**env, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    )
    assert (nobody.status, "Traceback" in nobody.err) == (12, False)


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    stamp = "20261001T0935Z"
    record = {
        "eventVersion": "1.11", "eventTime": "2026-10-01T09:31:00Z", "eventSource": "sagemaker.amazonaws.com",
        "eventName": "DeleteModel", "awsRegion": REGION, "eventID": "e-1", "readOnly": False,
        "recipientAccountId": ACCOUNT, "requestParameters": {"modelName": "M"},
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/ana", "userName": "ana"},
    }  # fmt: skip
    logs = place.folder / "logs"
    logs.mkdir()
    name = f"{ACCOUNT}_CloudTrail_{REGION}_{stamp}_0123456789abcdef.json.gz"
    (logs / name).write_bytes(gzip.compress(json.dumps({"Records": [record, record, 7, {"eventName": "x"}]}).encode()))
    (logs / f"{ACCOUNT}_CloudTrail_{REGION}_{stamp}_fedcba9876543210.json.gz").write_bytes(b"\x1f\x8bnot gzip")
    done = place.lineal("collect", "cloudtrail", "logs", "--json")
    assert done.status == 0, done.err
    said = done.json()
    assert (said["counts"]["events"], said["counts"]["recorded"], said["counts"]["unreadable"]) == (2, 1, 2)
    assert {each["code"] for each in said["gaps"]} == {"cloudtrail.record_broken", "cloudtrail.file_broken"}
    assert "log_broken" in {each["why"] for each in said["trail"]}
    for words, hint in (
        (("collect", "cloudtrail"), "--lookup"),
        (("collect", "cloudtrail", "logs", "--lookup"), "one of them"),
        (("collect", "cloudtrail", "logs", "--source", "s3.amazonaws.com"), "--lookup"),
        (("collect", "cloudtrail", "none"), "no such"),
        (("collect", "cloudtrail", "logs", "--public-keys", "none"), "list-public-keys"),
        (("collect", "cloudtrail", "logs", "--since", "whenever"), "2h ago"),
    ):
        wrong = place.within(*words)
        assert (wrong.status, hint in wrong.err, "Traceback" in wrong.err) == (2, True, False), wrong.err
    assert place.within("verify").status == 0
