"""Configuration of Application Auto Scaling for SageMaker: what may be scaled how far, and by which policies."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from lineal.core.config_item import Relationship
from lineal.core.resource import Resource
from lineal.sources.aws_session import Refusal
from lineal.sources.items_reading import Asker, Body, Kind, Lack, Seen, found_in, guarded, without

TARGET: Final = "AWS::ApplicationAutoScaling::ScalableTarget"
_SERVICE: Final = "application-autoscaling"
_NAMESPACE: Final = "sagemaker"
_SCALED: Final = {"endpoint": "AWS::SageMaker::Endpoint", "inference-component": "AWS::SageMaker::InferenceComponent"}


def _read(asker: Asker) -> Iterator[Seen]:
    policies: dict[tuple[str, str], dict[str, Any]] = {}
    for page in asker.pages(_SERVICE, "DescribeScalingPolicies", "ScalingPolicies", ServiceNamespace=_NAMESPACE):
        if isinstance(page, Refusal):
            yield Lack(TARGET, page.gap(TARGET))
            return
        for each in page:
            held = policies.setdefault((str(each.get("ResourceId")), str(each.get("ScalableDimension"))), {})
            held[str(each.get("PolicyName"))] = each
    for page in asker.pages(_SERVICE, "DescribeScalableTargets", "ScalableTargets", ServiceNamespace=_NAMESPACE):
        if isinstance(page, Refusal):
            yield Lack(TARGET, page.gap(TARGET))
            return
        for each in page:
            yield from guarded(TARGET, each.get("ResourceId"), partial(_items, asker, each, policies))


def _items(asker: Asker, target: Body, policies: dict[tuple[str, str], dict[str, Any]]) -> Iterator[Seen]:
    of, dimension = str(target["ResourceId"]), str(target["ScalableDimension"])
    # The name is the identifier that CloudFormation gives: an endpoint has a target for each dimension.
    resource = asker.resource(TARGET, f"{of}|{dimension}|{target['ServiceNamespace']}")
    yield asker.item(
        resource,
        {**without(target, "PredictedCapacity"), "ScalingPolicies": policies.get((of, dimension), {})},
        relationships=tuple(dict.fromkeys(_join(asker, target))),
        created=target.get("CreationTime"),
    )


def _join(asker: Asker, target: Body) -> Iterator[Relationship]:
    yield from asker.join("role", "AWS::IAM::Role", target.get("RoleARN"))
    word, _, rest = str(target["ResourceId"]).partition("/")
    if word in _SCALED:
        yield from asker.join("scales", _SCALED[word], rest.partition("/")[0])


def _still(asker: Asker, resource: Resource) -> dict[str, Any] | Refusal:
    of, dimension, namespace = resource.name.split("|")
    wanted: dict[str, Any] = {"ServiceNamespace": namespace, "ResourceIds": [of], "ScalableDimension": dimension}
    return found_in(asker.ask(_SERVICE, "DescribeScalableTargets", **wanted), "ScalableTargets")


KINDS: Final = (Kind((TARGET,), _read, _still),)
