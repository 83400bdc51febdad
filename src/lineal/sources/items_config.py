"""Configuration of AWS Config itself: its recorders, whether they record, what, and where they deliver."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from lineal.core.config_item import Relationship
from lineal.core.resource import Resource
from lineal.sources.aws_session import Refusal
from lineal.sources.items_reading import Asker, Body, Kind, Lack, Refused, Seen, found_in, guarded, without

RECORDER: Final = "AWS::Config::ConfigurationRecorder"
_SERVICE: Final = "config"
_ASKED: Final = (
    ("DescribeConfigurationRecorders", "ConfigurationRecorders"),
    ("DescribeConfigurationRecorderStatus", "ConfigurationRecordersStatus"),
    ("DescribeDeliveryChannels", "DeliveryChannels"),
)


def _read(asker: Asker) -> Iterator[Seen]:
    try:
        recorders, states, channels = (asker.need(_SERVICE, operation)[key] for operation, key in _ASKED)
    except Refused as refused:
        yield Lack(RECORDER, refused.refusal.gap(RECORDER))
        return
    by_name = {each.get("name"): each for each in states}
    for recorder in recorders:
        name = recorder.get("name")
        status = by_name.get(name, {})
        yield from guarded(RECORDER, name, partial(_items, asker, recorder, status, channels))


def _items(asker: Asker, recorder: Body, status: Body, channels: list[dict[str, Any]]) -> Iterator[Seen]:
    recording = status["recording"]
    yield asker.item(
        asker.resource(RECORDER, str(recorder["name"])),
        {**recorder, "recording": recording, "deliveryChannels": channels},
        relationships=tuple(dict.fromkeys(_join(asker, recorder, channels))),
        state="recording" if recording else "stopped",
        # When it last delivered is no configuration, and differs at each look.
        extra={"status": without(status, "name", "recording")},
    )


def _join(asker: Asker, recorder: Body, channels: list[dict[str, Any]]) -> Iterator[Relationship]:
    yield from asker.join("role", "AWS::IAM::Role", recorder.get("roleARN"))
    for channel in channels:
        yield from asker.join("delivers", "AWS::S3::Bucket", channel.get("s3BucketName"))


def _still(asker: Asker, resource: Resource) -> dict[str, Any] | Refusal:
    answer = asker.ask(_SERVICE, "DescribeConfigurationRecorders", ConfigurationRecorderNames=[resource.name])
    return found_in(answer, "ConfigurationRecorders")


KINDS: Final = (Kind((RECORDER,), _read, _still),)
