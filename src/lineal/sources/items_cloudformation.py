"""Configuration of CloudFormation: stacks with templates, parameters and resources, and drift where it is known."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lineal.core.config_item import Relationship
from lineal.core.observation import Gap
from lineal.core.resource import Resource
from lineal.sources.aws_session import FAILED, Refusal
from lineal.sources.items_reading import (
    Asker,
    Body,
    Kind,
    Lack,
    Present,
    Refused,
    Seen,
    found_in,
    guarded,
    pairs,
    parsed,
    without,
)
from lineal.sources.items_template import read_template

STACK: Final = "AWS::CloudFormation::Stack"
_SERVICE: Final = "cloudformation"
_LOOKED: Final = frozenset({"IN_SYNC", "DRIFTED"})
_PAUSE: Final = 2.0
_PATIENCE: Final = 300.0


def _read(asker: Asker) -> Iterator[Seen]:
    lacks: list[Lack] = []

    def listed() -> Iterator[Body]:
        for page in asker.pages(_SERVICE, "DescribeStacks", "Stacks"):
            if isinstance(page, Refusal):
                lacks.append(Lack(STACK, page.gap(STACK)))
                return
            yield from page

    def make(stack: Body) -> Iterator[Seen]:
        return guarded(STACK, stack.get("StackId"), lambda: _describe(asker, stack), "GetTemplate")

    yield from asker.each(listed(), make)
    yield from lacks


def _describe(asker: Asker, stack: Body) -> Iterator[Seen]:
    arn = str(stack["StackId"])
    resource = asker.resource(STACK, arn)
    state = str(stack["StackStatus"])
    if state.endswith("_IN_PROGRESS") and state != "REVIEW_IN_PROGRESS":
        # A stack in review waits for somebody to execute its change set, perhaps for ever.
        yield Present(resource)
        told = f"it is {state}: its configuration is taken once it has settled"
        yield Lack(STACK, Gap("aws.settling", told, resource.key), note=True)
        return
    answer = asker.need(_SERVICE, "GetTemplate", StackName=arn, TemplateStage="Original")
    read = asker.clock()
    template = read_template(answer.get("TemplateBody"))
    configuration = {"stack": without(stack, "Tags"), "template": template, **_parts(asker, arn)}
    status = (stack.get("DriftInformation") or {}).get("StackDriftStatus")
    if asker.wishes.drift:
        try:
            status = _detect(asker, arn)
        except Refused as refused:  # of some stacks it cannot be found: the rest of them is read all the same
            yield Lack(STACK, refused.refusal.gap(resource.key), note=True)
    if status in _LOOKED:
        configuration["drift"] = {"status": status, "resources": _drift(asker, arn) if status == "DRIFTED" else {}}
    yield asker.item(
        resource,
        configuration,
        time=read,
        tags=pairs(stack.get("Tags")),
        relationships=tuple(dict.fromkeys(_join(asker, stack, configuration["resources"]))),
        created=stack.get("CreationTime"),
        modified=stack.get("LastUpdatedTime"),
        state=state,
    )


def _parts(asker: Asker, arn: str) -> dict[str, Any]:
    """Return the members of a stack's configuration that have answers of their own."""
    found: dict[str, Any] = {}
    policy = asker.need(_SERVICE, "GetStackPolicy", StackName=arn).get("StackPolicyBody")
    if policy:
        found["policy"] = parsed(policy)
    resources = asker.need_list(_SERVICE, "ListStackResources", "StackResourceSummaries", StackName=arn)
    found["resources"] = {str(each["LogicalResourceId"]): each for each in resources}
    return found


def _detect(asker: Asker, arn: str) -> str:
    """Let CloudFormation look for drift of a stack, wait for it, and return what it found."""
    detection = asker.need(_SERVICE, "DetectStackDrift", StackName=arn)["StackDriftDetectionId"]
    end = time.monotonic() + _PATIENCE
    while True:
        told = asker.need(_SERVICE, "DescribeStackDriftDetectionStatus", StackDriftDetectionId=detection)
        if told["DetectionStatus"] == "DETECTION_COMPLETE":
            return str(told.get("StackDriftStatus"))
        failed = told["DetectionStatus"] == "DETECTION_FAILED"
        if failed or time.monotonic() > end or asker.stopped.wait(_PAUSE):
            why = str(told.get("DetectionStatusReason") or "no reason is given") if failed else "it did not end"
            raise Refused(Refusal(FAILED, "DetectStackDrift", why))


def _drift(asker: Asker, arn: str) -> dict[str, Any]:
    wanted: dict[str, Any] = {"StackName": arn, "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
    found: dict[str, Any] = {}
    for each in asker.need_list(_SERVICE, "DescribeStackResourceDrifts", "StackResourceDrifts", **wanted):
        told = {name: parsed(each[name]) for name in ("ExpectedProperties", "ActualProperties") if name in each}
        found[str(each["LogicalResourceId"])] = {**without(each, "StackId"), **told}
    return found


def _join(asker: Asker, stack: Body, resources: Mapping[str, Any]) -> Iterator[Relationship]:
    yield from asker.join("role", "AWS::IAM::Role", stack.get("RoleARN"))
    yield from asker.join("within", STACK, stack.get("ParentId"))
    for name, each in resources.items():
        kind, identity = str(each.get("ResourceType") or ""), each.get("PhysicalResourceId")
        if kind.startswith("AWS::"):
            yield from asker.join(f"made {name}", kind, identity)


def _still(asker: Asker, resource: Resource) -> dict[str, Any] | Refusal:
    return found_in(asker.ask(_SERVICE, "DescribeStacks", StackName=resource.name), "Stacks")


KINDS: Final = (Kind((STACK,), _read, _still),)
