"""Configuration of CloudTrail: the trails of a region, whether they log, and what."""

from collections.abc import Iterator
from typing import Any, Final

from lineal.core.config_item import Relationship
from lineal.core.resource import Resource
from lineal.sources.aws_session import Refusal
from lineal.sources.items_reading import Asker, Body, Kind, Lack, Seen, guarded, pairs, without

TRAIL: Final = "AWS::CloudTrail::Trail"
_SERVICE: Final = "cloudtrail"
_SELECTORS: Final = ("EventSelectors", "AdvancedEventSelectors")


def _read(asker: Asker) -> Iterator[Seen]:
    answer = asker.ask(_SERVICE, "DescribeTrails", includeShadowTrails=False)
    if isinstance(answer, Refusal):
        yield Lack(TRAIL, answer.gap(TRAIL))
        return
    # A trail of the organization belongs to another account, which alone can say all of it.
    own = [each for each in answer["trailList"] if f":{asker.account}:" in str(each.get("TrailARN"))]

    def make(trail: Body) -> Iterator[Seen]:
        return guarded(TRAIL, trail.get("TrailARN"), lambda: _describe(asker, trail), "GetTrailStatus")

    yield from asker.each(own, make)


def _describe(asker: Asker, trail: Body) -> Iterator[Seen]:
    arn = str(trail["TrailARN"])
    resource = asker.resource(TRAIL, arn)
    status = asker.need(_SERVICE, "GetTrailStatus", Name=arn)
    read = asker.clock()
    chosen = asker.need(_SERVICE, "GetEventSelectors", TrailName=arn)
    labels = asker.need_list(_SERVICE, "ListTags", "ResourceTagList", ResourceIdList=[arn])
    configuration: dict[str, Any] = {
        **trail,
        "IsLogging": status["IsLogging"],
        **{name: chosen[name] for name in _SELECTORS if chosen.get(name)},
    }
    yield asker.item(
        resource,
        configuration,
        time=read,
        tags=pairs([tag for each in labels for tag in each.get("TagsList") or ()]),
        relationships=tuple(dict.fromkeys(_join(asker, trail))),
        state="logging" if status["IsLogging"] else "stopped",
        # When it last delivered is no configuration, and differs at each look.
        extra={"status": without(status, "IsLogging")},
    )


def _join(asker: Asker, trail: Body) -> Iterator[Relationship]:
    yield from asker.join("delivers", "AWS::S3::Bucket", trail.get("S3BucketName"))
    yield from asker.join("key", "AWS::KMS::Key", trail.get("KmsKeyId"))
    yield from asker.join("role", "AWS::IAM::Role", trail.get("CloudWatchLogsRoleArn"))


def _still(asker: Asker, resource: Resource) -> dict[str, Any] | Refusal:
    return asker.ask(_SERVICE, "GetTrailStatus", Name=resource.key)


KINDS: Final = (Kind((TRAIL,), _read, _still),)
