"""Configuration of CodePipeline: pipelines, with what their actions use."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from lineal.core.config_item import ConfigItem, Relationship
from lineal.core.plain import plain
from lineal.core.resource import Resource
from lineal.sources.aws_session import Refusal
from lineal.sources.items_reading import Asker, Body, Kind, Lack, Seen, guarded, moment, pairs

PIPELINE: Final = "AWS::CodePipeline::Pipeline"
_SERVICE: Final = "codepipeline"
_TOKENS: Final = ("nextToken", "nextToken")
# What an action names in its configuration, by who provides it (CodePipeline, "Action structure reference").
_USES: Final = (
    ("CodeBuild", "ProjectName", "AWS::CodeBuild::Project", "builds"),
    ("CloudFormation", "StackName", "AWS::CloudFormation::Stack", "deploys"),
    ("CloudFormation", "RoleArn", "AWS::IAM::Role", "role"),
    ("CodeCommit", "RepositoryName", "AWS::CodeCommit::Repository", "source"),
    ("ECR", "RepositoryName", "AWS::ECR::Repository", "source"),
    ("Lambda", "FunctionName", "AWS::Lambda::Function", "calls"),
    ("S3", "S3Bucket", "AWS::S3::Bucket", "source"),
    ("S3", "BucketName", "AWS::S3::Bucket", "deploys"),
)


def _read(asker: Asker) -> Iterator[Seen]:
    lacks: list[Lack] = []

    def listed() -> Iterator[Body]:
        for page in asker.pages(_SERVICE, "ListPipelines", "pipelines", tokens=_TOKENS):
            if isinstance(page, Refusal):
                lacks.append(Lack(PIPELINE, page.gap(PIPELINE)))
                return
            yield from page

    def make(summary: Body) -> Iterator[Seen]:
        return guarded(PIPELINE, summary.get("name"), lambda: _describe(asker, summary), "GetPipeline")

    yield from asker.each(listed(), make)
    yield from lacks


def _describe(asker: Asker, summary: Body) -> Iterator[Seen]:
    name = str(summary["name"])
    resource = asker.resource(PIPELINE, name)
    known = asker.wishes.known(resource.key)
    if known is not None and _is_current(known, summary):
        tags = asker.need_list(_SERVICE, "ListTagsForResource", "tags", tokens=_TOKENS, resourceArn=resource.key)
        yield replace(known, time=asker.clock(), tags=plain(pairs(tags)), semantic=None)
        return
    answer = asker.need(_SERVICE, "GetPipeline", name=name)
    read = asker.clock()
    metadata = answer.get("metadata") or {}
    arn = str(metadata.get("pipelineArn") or resource.key)
    tags = asker.need_list(_SERVICE, "ListTagsForResource", "tags", tokens=_TOKENS, resourceArn=arn)
    yield asker.item(
        resource,
        {"pipeline": answer["pipeline"], "metadata": metadata},
        time=read,
        tags=pairs(tags),
        relationships=tuple(dict.fromkeys(_join(asker, answer["pipeline"]))),
        created=metadata.get("created"),
        modified=metadata.get("updated"),
    )


def _is_current(known: ConfigItem, summary: Body) -> bool:
    """Return whether a pipeline is listed as what is known of it: its version counts its updates (UpdatePipeline)."""
    made, changed, version = moment(summary.get("created")), moment(summary.get("updated")), summary.get("version")
    if None in (made, changed, version):
        return False
    told = known.configuration.get("pipeline") or {}
    return (known.created, known.modified, told.get("version")) == (made, changed, version)


def _join(asker: Asker, pipeline: Body) -> Iterator[Relationship]:
    yield from asker.join("role", "AWS::IAM::Role", pipeline.get("roleArn"))
    stores = [pipeline.get("artifactStore"), *(pipeline.get("artifactStores") or {}).values()]
    for store in (each for each in stores if each):
        yield from asker.join("artifacts", "AWS::S3::Bucket", store.get("location"))
        yield from asker.join("key", "AWS::KMS::Key", (store.get("encryptionKey") or {}).get("id"))
    for stage in pipeline.get("stages") or ():
        for action in stage.get("actions") or ():
            yield from asker.join("role", "AWS::IAM::Role", action.get("roleArn"))
            provider = (action.get("actionTypeId") or {}).get("provider")
            given = action.get("configuration") or {}
            for owner, member, kind, how in _USES:
                if owner == provider:
                    yield from asker.join(how, kind, given.get(member))


def _still(asker: Asker, resource: Resource) -> dict[str, Any] | Refusal:
    return asker.ask(_SERVICE, "GetPipeline", name=resource.name)


KINDS: Final = (Kind((PIPELINE,), _read, _still),)
