"""Configuration of what SageMaker has: models, endpoints and their configurations, the registry, pipelines, jobs."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from lineal.core.config_item import Relationship
from lineal.core.observation import Gap
from lineal.core.plain import plain
from lineal.core.resource import Resource
from lineal.sources import sagemaker_reading as reading
from lineal.sources.aws_session import MISSING, Refusal
from lineal.sources.items_reading import Asker, Body, Kind, Lack, Present, Refused, Seen, guarded, moment, pairs, parsed
from lineal.sources.items_sagemaker_uses import (
    join_config,
    join_endpoint,
    join_job,
    join_model,
    join_package,
    join_pipeline,
)

_SERVICE: Final = "sagemaker"
_PAUSE: Final = 2.0
_GROUP: Final = reading.Kind(
    name="model-package-group",
    listing="ListModelPackageGroups",
    key="ModelPackageGroupSummaryList",
    since=None,
    identity="ModelPackageGroupName",
    arn="ModelPackageGroupArn",
    describing="DescribeModelPackageGroup",
    parameter="ModelPackageGroupName",
)

Join = Callable[[Asker, Body], Iterable[Relationship]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entity:
    """One type of thing: how it is listed and described, where its state stands, what it points to.

    A thing whose state is one of `moving` is changing; of jobs only those that have ended are read (`ended`). SageMaker
    has no operation that changes what is `fixed`, but for its tags.
    """

    type: str
    listed: reading.Kind
    join: Join | None = None
    state: str | None = None
    moving: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    documents: tuple[str, ...] = ()
    fixed: bool = False
    more: Callable[[Asker, str], Mapping[str, Any]] | None = None


def _policy(asker: Asker, name: str) -> Mapping[str, Any]:
    answer = asker.ask(_SERVICE, "GetModelPackageGroupPolicy", ModelPackageGroupName=name)
    if isinstance(answer, Refusal):
        if answer.kind == MISSING:  # in words only: the group has none
            return {}
        raise Refused(answer)
    return {"ResourcePolicy": parsed(answer.get("ResourcePolicy"))}


_ENDED: Final = frozenset({"Completed", "Failed", "Stopped"})
_UNDER_WAY: Final = frozenset({"Pending", "InProgress", "Deleting"})
_ENTITIES: Final = (
    _Entity(type="AWS::SageMaker::Model", listed=reading.MODEL, join=join_model, fixed=True),
    _Entity(type="AWS::SageMaker::EndpointConfig", listed=reading.CONFIG, join=join_config, fixed=True),
    _Entity(
        type="AWS::SageMaker::Endpoint",
        listed=reading.ENDPOINT,
        join=join_endpoint,
        state="EndpointStatus",
        moving=frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}),
    ),
    _Entity(
        type="AWS::SageMaker::ModelPackageGroup",
        listed=_GROUP,
        state="ModelPackageGroupStatus",
        moving=_UNDER_WAY,
        more=_policy,
    ),
    _Entity(
        type="AWS::SageMaker::ModelPackage",
        listed=reading.PACKAGE,
        join=join_package,
        state="ModelPackageStatus",
        moving=_UNDER_WAY,
    ),
    _Entity(
        type="AWS::SageMaker::Pipeline",
        listed=reading.PIPELINE,
        join=join_pipeline,
        state="PipelineStatus",
        moving=frozenset({"Deleting"}),
        documents=("PipelineDefinition",),
    ),
    _Entity(
        type="AWS::SageMaker::TrainingJob",
        listed=reading.TRAINING,
        join=join_job,
        state="TrainingJobStatus",
        ended=_ENDED,
    ),
    _Entity(
        type="AWS::SageMaker::ProcessingJob",
        listed=reading.PROCESSING,
        join=join_job,
        state="ProcessingJobStatus",
        ended=_ENDED,
    ),
    _Entity(
        type="AWS::SageMaker::TransformJob",
        listed=reading.TRANSFORM,
        join=join_job,
        state="TransformJobStatus",
        ended=_ENDED,
    ),
)
ENDING: Final = frozenset(each.type for each in _ENTITIES if each.ended)
"""Types of things that end, and stay as they were: only those changed since the last look are listed."""


def _read(entity: _Entity, asker: Asker) -> Iterator[Seen]:
    lacks: list[Lack] = []

    def listed() -> Iterator[Body]:
        since = asker.wishes.since.get(entity.type)
        more = {} if since is None or entity.listed.since is None else {entity.listed.since: since}
        limits = {"MaxResults": reading.PAGE, **entity.listed.filters, **more}
        for page in asker.pages(_SERVICE, entity.listed.listing, entity.listed.key, **limits):
            if isinstance(page, Refusal):
                lacks.append(Lack(entity.type, page.gap(entity.type)))
                return
            yield from (each for each in page if not entity.ended or each.get(entity.state) in entity.ended)

    yield from asker.each(listed(), partial(_thing, entity, asker))
    yield from lacks


def _thing(entity: _Entity, asker: Asker, summary: Body) -> Iterator[Seen]:
    about = summary.get(entity.listed.arn)
    return guarded(entity.type, about, lambda: _describe(entity, asker, summary), entity.listed.describing)


def _describe(entity: _Entity, asker: Asker, summary: Body) -> Iterator[Seen]:
    arn, name = str(summary[entity.listed.arn]), str(summary[entity.listed.identity])
    resource = asker.resource(entity.type, name)
    known = asker.wishes.known(resource.key) if entity.fixed else None
    if known is not None and known.created == moment(summary.get("CreationTime")):
        tags = plain(pairs(asker.need_list(_SERVICE, "ListTags", "Tags", ResourceArn=arn)))
        yield replace(known, time=asker.clock(), tags=tags, semantic=None)
        return
    body = _settled(entity, asker, name)
    read = asker.clock()
    state = str(body.get(entity.state) or "") if entity.state else ""
    if state in entity.moving:
        yield Present(resource)
        told = f"it is {state}: its configuration is taken once it has settled"
        yield Lack(entity.type, Gap("aws.settling", told, resource.key), note=True)
        return
    # A package of a group has the tags of its group, and none of its own (CreateModelPackage).
    grouped = "ModelPackageGroupName" in body and entity.type == "AWS::SageMaker::ModelPackage"
    tags = {} if grouped else pairs(asker.need_list(_SERVICE, "ListTags", "Tags", ResourceArn=arn))
    documents = {each: parsed(body[each]) for each in entity.documents if each in body}
    configuration = {**body, **documents, **(entity.more(asker, name) if entity.more else {})}
    yield asker.item(
        resource,
        configuration,
        time=read,
        tags=tags,
        relationships=tuple(dict.fromkeys(entity.join(asker, configuration))) if entity.join else (),
        created=body.get("CreationTime"),
        modified=body.get("LastModifiedTime"),
        state=state or None,
    )


def _settled(entity: _Entity, asker: Asker, name: str) -> dict[str, Any]:
    """Return what Describe says, of a thing that is changing once it has settled, or when the time for it is over."""
    end = time.monotonic() + asker.wishes.settled
    while True:
        body = asker.need(_SERVICE, entity.listed.describing, **{entity.listed.parameter: name})
        left = end - time.monotonic()
        if body.get(entity.state or "") not in entity.moving or left <= 0 or asker.stopped.wait(min(_PAUSE, left)):
            return body


def _still(entity: _Entity, asker: Asker, resource: Resource) -> dict[str, Any] | Refusal:
    named = resource.key if entity.listed.identity == entity.listed.arn else resource.name
    return asker.ask(_SERVICE, entity.listed.describing, **{entity.listed.parameter: named})


KINDS: Final = tuple(Kind((each.type,), partial(_read, each), partial(_still, each)) for each in _ENTITIES)
