"""Log files of CloudTrail: whole or not at all, within limits, large ones as small ones."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lineal.core.observation import Gap
from lineal.errors import BadInput
from lineal.sources import cloudtrail_file
from lineal.sources.cloudtrail_file import Log, open_log
from lineal.sources.cloudtrail_place import Folder, LogFile, fetch_each, read_name

RECORDS = [{"eventID": f"e-{number}", "text": "é\u2028" * 40} for number in range(300)]
CONTENT = json.dumps({"Records": RECORDS}, ensure_ascii=False).encode()


def opened(data: bytes, **options: Any) -> Log:
    log = open_log(data, "a file", **options)
    assert isinstance(log, Log)
    return log


@pytest.mark.parametrize(
    "data", [CONTENT, gzip.compress(CONTENT), gzip.compress(CONTENT[:999]) + gzip.compress(CONTENT[999:])]
)
def test_packed_or_not_in_one_member_or_several_it_is_the_same_log(data: bytes) -> None:
    log = opened(data)
    assert (log.sha256, log.size) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    assert list(log.records()) == RECORDS
    assert log.whole() == CONTENT


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_a_large_log_is_read_a_little_at_a_time_to_the_same_records(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    few = json.dumps({"Records": RECORDS[:20]}, ensure_ascii=False, indent=step % 3).encode()
    monkeypatch.setattr(cloudtrail_file, "_AT_ONCE", 100)
    monkeypatch.setattr(cloudtrail_file, "_STEP", step)
    for data in (few, gzip.compress(few)):
        log = opened(data)
        assert log.content == b""
        assert list(log.records()) == RECORDS[:20]
        assert log.whole() == few


@pytest.mark.parametrize("cut", [1, 10, 60, -9, -8, -1])
def test_a_file_that_ends_in_the_middle_gives_nothing(cut: int) -> None:
    packed = gzip.compress(CONTENT)
    found = open_log(packed[:cut], "a file")
    if cut == 1:
        assert isinstance(found, Log)  # no sign of gzip any more: no JSON either
        with pytest.raises(BadInput):
            list(found.records())
        return
    assert isinstance(found, Gap)
    assert (found.code, found.about) == ("cloudtrail.file_broken", "a file")


def test_a_flipped_bit_is_noticed() -> None:
    packed = bytearray(gzip.compress(CONTENT))
    packed[len(packed) // 2] ^= 1
    assert isinstance(open_log(bytes(packed), "a file"), Gap)


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 50_000_000))
    found = open_log(gzip.decompress(bomb), "bomb", 1_000_000)
    assert isinstance(found, Gap)
    assert found.code == "cloudtrail.file_too_large"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1, 2",
        b'{"Records": 7}',
        b'{"other": []}',
        b"7",
        b'"x"',
        b"\xff\xfe{}",
        b"[" * 100_000,
        b"9" * 5000,
    ],
)
@pytest.mark.parametrize("large", [False, True])
def test_what_is_no_log_is_refused(monkeypatch: pytest.MonkeyPatch, content: bytes, *, large: bool) -> None:
    if large:
        monkeypatch.setattr(cloudtrail_file, "_AT_ONCE", -1)
    with pytest.raises(BadInput):
        list(opened(content).records())


def test_a_large_log_that_breaks_off_says_so_after_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudtrail_file, "_AT_ONCE", 10)
    found = opened(CONTENT[:-200]).records()
    assert next(found) == RECORDS[0]
    with pytest.raises(BadInput, match=r"not UTF-8 from byte|not JSON from line 1, byte"):
        list(found)


@pytest.mark.parametrize("large", [False, True])
def test_records_on_lines_are_a_log_too(monkeypatch: pytest.MonkeyPatch, *, large: bool) -> None:
    if large:
        monkeypatch.setattr(cloudtrail_file, "_AT_ONCE", -1)
        monkeypatch.setattr(cloudtrail_file, "_STEP", 100)
    records = [{**each, "eventName": "X"} for each in RECORDS]
    lines = "\n".join(map(json.dumps, records)).encode()
    assert list(opened(gzip.compress(lines)).records()) == records
    assert list(opened(json.dumps(records[0], indent=1).encode()).records()) == records[:1]
    for wrong in (lines[:-3], lines + b"\n{}", lines + b"\n[]7"):
        with pytest.raises(BadInput):
            list(opened(wrong).records())
    empty = b'{"Records": []}'
    assert list(opened(empty).records()) == []


def test_what_the_aws_command_line_prints_is_read_too() -> None:
    printed = {"Events": [{"EventId": "e-0", "CloudTrailEvent": json.dumps(RECORDS[0])}, {"CloudTrailEvent": "{"}]}
    assert list(opened(json.dumps(printed).encode()).records()) == [RECORDS[0], {"CloudTrailEvent": "{"}]
    assert list(opened(b"\xef\xbb\xbf" + json.dumps(RECORDS[:2]).encode()).records()) == RECORDS[:2]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (
            "p/AWSLogs/x/2026/10/01/123456789012_CloudTrail_eu-west-1_20261001T1005Z_AbCdEf0123456789.json.gz",
            ("123456789012", "eu-west-1", "2026-10-01T10:05:00.000000Z", ""),
        ),
        (
            "AWSLogs/o-a1b2c3/123456789012_CloudTrail_us-gov-west-1_20261001T1005Z_AbCdEf0123456789.json",
            ("123456789012", "us-gov-west-1", "2026-10-01T10:05:00.000000Z", ""),
        ),
        (
            "AWSLogs/123456789012_CloudTrail-Digest_eu-west-1_my_trail_us-east-1_20261001T100512Z.json.gz",
            ("123456789012", "eu-west-1", "2026-10-01T10:05:12.000000Z", "my_trail_us-east-1"),
        ),
        (
            "123456789012_CloudTrail-Digest_ap-southeast-2_t_us-east-1_20261001T100512Z_backfill.json.gz",
            ("123456789012", "ap-southeast-2", "2026-10-01T10:05:12.000000Z", "t_us-east-1_backfill"),
        ),
    ],
)  # fmt: skip
def test_names_say_what_a_file_is(key: str, expected: tuple[str, ...]) -> None:
    found = read_name(key, 7)
    assert found is not None
    assert (found.account, found.region, found.stamp, found.trail) == expected


@pytest.mark.parametrize(
    "key",
    [
        "", "events.json.gz", "123456789012_CloudTrail-Insight_eu-west-1_20261001T1005Z_AbC.json.gz",
        "1234_CloudTrail_eu-west-1_20261001T1005Z_AbC.json.gz",
        "123456789012_Config_eu-west-1_ConfigHistory_x.json.gz",
        "123456789012_CloudTrail_eu-west-1_20269999T9999Z_AbC.json.gz",
        "123456789012_CloudTrail_eu-west-1_00000000T0000Z_AbC.json.gz",
        "123456789012_CloudTrail_eu-west-1_20260229T1005Z_AbC.json.gz",
        "123456789012_CloudTrail-Digest_eu-west-1_main_eu-west-1_20261001T240000Z.json.gz",
    ],
)  # fmt: skip
def test_other_names_say_nothing(key: str) -> None:
    assert read_name(key, 7) is None


def test_a_folder_gives_regular_files_in_their_order_and_gaps_for_what_it_cannot_read(tmp_path: Path) -> None:
    name = "123456789012_CloudTrail_eu-west-1_2026100{}T1005Z_AbCdEf0123456789.json"
    for day in (3, 1, 2):
        (tmp_path / str(day)).mkdir()
        (tmp_path / str(day) / name.format(day)).write_text('{"Records": []}')
    (tmp_path / "own.json").write_text("[]")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    place = Folder(tmp_path)
    files = [each for each in place.logs(lambda _account, _region: "2026-10-02") if isinstance(each, LogFile)]
    assert [each.name for each in files] == [name.format(2), name.format(3), "gone.json", "own.json"]
    fetched = {file.name: found for file, found in fetch_each(place, files)}
    gone = fetched["gone.json"]
    assert isinstance(gone, Gap)
    assert gone.code == "cloudtrail.file_unreadable"
    with pytest.raises(BadInput):
        Folder(tmp_path / "none")
