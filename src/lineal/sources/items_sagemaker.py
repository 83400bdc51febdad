"""Configuration of what SageMaker has: models, endpoints and their configurations, the registry, pipelines, jobs, and
what serves and watches models beside them.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from lineal.core.observation import Gap
from lineal.core.plain import plain
from lineal.core.resource import Resource
from lineal.sources import items_sagemaker_served
from lineal.sources import sagemaker_reading as reading
from lineal.sources.aws_session import FAILED, MISSING, Refusal
from lineal.sources.items_reading import Asker, Body, Kind, Lack, Present, Refused, Seen, guarded, moment, pairs, parsed
from lineal.sources.items_sagemaker_entity import Entity
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
    Entity(type="AWS::SageMaker::Model", listed=reading.MODEL, join=join_model, fixed=True),
    Entity(type="AWS::SageMaker::EndpointConfig", listed=reading.CONFIG, join=join_config, fixed=True),
    Entity(
        type="AWS::SageMaker::Endpoint",
        listed=reading.ENDPOINT,
        join=join_endpoint,
        state="EndpointStatus",
        moving=frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}),
    ),
    Entity(
        type="AWS::SageMaker::ModelPackageGroup",
        listed=_GROUP,
        state="ModelPackageGroupStatus",
        moving=_UNDER_WAY,
        more=_policy,
    ),
    Entity(
        type="AWS::SageMaker::ModelPackage",
        listed=reading.PACKAGE,
        join=join_package,
        state="ModelPackageStatus",
        moving=_UNDER_WAY,
    ),
    Entity(
        type="AWS::SageMaker::Pipeline",
        listed=reading.PIPELINE,
        join=join_pipeline,
        state="PipelineStatus",
        moving=frozenset({"Deleting"}),
        documents=("PipelineDefinition",),
    ),
    *items_sagemaker_served.ENTITIES,
    Entity(
        type="AWS::SageMaker::TrainingJob",
        listed=reading.TRAINING,
        join=join_job,
        state="TrainingJobStatus",
        ended=_ENDED,
    ),
    Entity(
        type="AWS::SageMaker::ProcessingJob",
        listed=reading.PROCESSING,
        join=join_job,
        state="ProcessingJobStatus",
        ended=_ENDED,
    ),
    Entity(
        type="AWS::SageMaker::TransformJob",
        listed=reading.TRANSFORM,
        join=join_job,
        state="TransformJobStatus",
        ended=_ENDED,
    ),
)
ENDING: Final = frozenset(each.type for each in _ENTITIES if each.ended)
"""Types of things that end, and stay as they were: only those changed since the last look are listed."""


def _read(entity: Entity, asker: Asker) -> Iterator[Seen]:
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


def _thing(entity: Entity, asker: Asker, summary: Body) -> Iterator[Seen]:
    about = summary.get(entity.listed.arn) or summary.get(entity.listed.identity)
    return guarded(entity.type, about, lambda: _describe(entity, asker, summary), entity.listed.describing)


def _describe(entity: Entity, asker: Asker, summary: Body) -> Iterator[Seen]:
    arn, name = summary.get(entity.listed.arn), str(summary[entity.listed.identity])
    resource = asker.resource(entity.type, name)
    known = asker.wishes.known(resource.key) if entity.fixed else None
    if known is not None and known.created == moment(summary.get("CreationTime")):
        tags = plain(pairs(asker.need_list(_SERVICE, "ListTags", "Tags", ResourceArn=arn)))
        yield replace(known, time=asker.clock(), tags=tags, semantic=None)
        return
    body = _settled(entity, asker, name)
    read = asker.clock()
    if state := entity.moves(body):
        yield Present(resource)
        told = f"it is {state}: its configuration is taken once it has settled"
        yield Lack(entity.type, Gap("aws.settling", told, resource.key), note=True)
        return
    # A package of a group has the tags of its group, and none of its own (CreateModelPackage).
    grouped = "ModelPackageGroupName" in body and entity.type == "AWS::SageMaker::ModelPackage"
    own = arn or body[entity.listed.arn]  # the summary of an experiment has none
    tags = {} if grouped else pairs(asker.need_list(_SERVICE, "ListTags", "Tags", ResourceArn=own))
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
        state=entity.state_in(body) or None,
    )


def _settled(entity: Entity, asker: Asker, name: str) -> dict[str, Any]:
    """Return what Describe says, of a thing that is changing once it has settled, or when the time for it is over."""
    end = time.monotonic() + asker.wishes.settled
    while True:
        body = _whole(entity, asker, name)
        left = end - time.monotonic()
        if not entity.moves(body) or left <= 0 or asker.stopped.wait(min(_PAUSE, left)):
            return body


def _whole(entity: Entity, asker: Asker, name: str) -> dict[str, Any]:
    """Return what Describe says, with all of the list that it gives page by page."""
    about = {entity.listed.parameter: name}
    body = asker.need(_SERVICE, entity.listed.describing, **about)
    token = body.pop("NextToken", None) if entity.paged else None
    seen: set[str] = set()
    while token and entity.paged:
        if token in seen:
            raise Refused(Refusal(FAILED, entity.listed.describing, "the same page comes again and again"))
        seen.add(token)
        page = asker.need(_SERVICE, entity.listed.describing, **about, NextToken=token)
        body[entity.paged] = [*body[entity.paged], *page[entity.paged]]
        token = page.get("NextToken")
    return body


def _still(entity: Entity, asker: Asker, resource: Resource) -> dict[str, Any] | Refusal:
    named = resource.key if entity.listed.identity == entity.listed.arn else resource.name
    return asker.ask(_SERVICE, entity.listed.describing, **{entity.listed.parameter: named})


KINDS: Final = tuple(Kind((each.type,), partial(_read, each), partial(_still, each)) for each in _ENTITIES)
