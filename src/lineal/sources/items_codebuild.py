"""Configuration of CodeBuild: projects, many in one answer."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from lineal.core.config_item import Relationship
from lineal.core.resource import Resource
from lineal.sources.aws_session import FAILED, Refusal
from lineal.sources.items_reading import Asker, Body, Kind, Lack, Seen, found_in, guarded, pairs, without
from lineal.sources.items_sagemaker_uses import image_of

PROJECT: Final = "AWS::CodeBuild::Project"
_SERVICE: Final = "codebuild"
_MOST: Final = 100  # BatchGetProjects takes no more names


def _read(asker: Asker) -> Iterator[Seen]:
    lacks: list[Lack] = []

    def listed() -> Iterator[list[str]]:
        for page in asker.pages(_SERVICE, "ListProjects", "projects", tokens=("nextToken", "nextToken")):
            if isinstance(page, Refusal):
                lacks.append(Lack(PROJECT, page.gap(PROJECT)))
                return
            names = [str(each) for each in page]
            yield from (names[start : start + _MOST] for start in range(0, len(names), _MOST))

    yield from asker.each(listed(), lambda names: _describe(asker, names))
    yield from lacks


def _describe(asker: Asker, names: list[str]) -> Iterator[Seen]:
    answer = asker.ask(_SERVICE, "BatchGetProjects", names=names)
    if isinstance(answer, Refusal):
        yield Lack(PROJECT, answer.gap(PROJECT))
        return
    told = {str(each.get("name")): each for each in answer.get("projects") or ()}
    gone = set(answer.get("projectsNotFound") or ())
    for name in names:
        if name in told:
            yield from guarded(PROJECT, name, partial(_items, asker, told[name]))
        elif name not in gone:
            yield Lack(PROJECT, Refusal(FAILED, "BatchGetProjects", "the answer says nothing of it").gap(name))


def _items(asker: Asker, body: Body) -> Iterator[Seen]:
    yield asker.item(
        asker.resource(PROJECT, str(body["name"])),
        without(body, "tags"),
        tags=pairs(body.get("tags")),
        relationships=tuple(dict.fromkeys(_join(asker, body))),
        created=body.get("created"),
        modified=body.get("lastModified"),
    )


def _join(asker: Asker, body: Body) -> Iterator[Relationship]:
    yield from asker.join("role", "AWS::IAM::Role", body.get("serviceRole"))
    yield from asker.join("key", "AWS::KMS::Key", body.get("encryptionKey"))
    yield from image_of("image", (body.get("environment") or {}).get("image"))
    for source in (body.get("source") or {}, *(body.get("secondarySources") or ())):
        if source.get("type") == "S3":
            yield from asker.join("source", "AWS::S3::Bucket", str(source.get("location") or "").partition("/")[0])
        elif source.get("location"):
            yield Relationship("Repository", str(source["location"]), "source")
    for artifacts in (body.get("artifacts") or {}, *(body.get("secondaryArtifacts") or ())):
        if artifacts.get("type") == "S3":
            yield from asker.join("artifacts", "AWS::S3::Bucket", artifacts.get("location"))


def _still(asker: Asker, resource: Resource) -> dict[str, Any] | Refusal:
    return found_in(asker.ask(_SERVICE, "BatchGetProjects", names=[resource.name]), "projects")


KINDS: Final = (Kind((PROJECT,), _read, _still),)
