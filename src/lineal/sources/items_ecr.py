"""Configuration of ECR: repositories with their policies and tags, and the images in them."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from lineal.core.resource import Resource
from lineal.sources.aws_session import MISSING, Refusal
from lineal.sources.items_reading import (
    Asker,
    Body,
    Kind,
    Lack,
    Refused,
    Seen,
    found_in,
    guarded,
    pairs,
    parsed,
    without,
)

REPOSITORY: Final = "AWS::ECR::Repository"
IMAGE: Final = "AWS::ECR::Image"
_SERVICE: Final = "ecr"
_TOKENS: Final = ("nextToken", "nextToken")
_PAGE: Final = 1000
# Few at a time: what a page says of a repository shall not be long ago when its images have been read.
_REPOSITORIES: Final = 100
# Documents of a repository that it may lack: the answer says then that they are not there.
_DOCUMENTS: Final = (
    ("policy", "GetRepositoryPolicy", "policyText"),
    ("lifecyclePolicy", "GetLifecyclePolicy", "lifecyclePolicyText"),
)


def _read(asker: Asker) -> Iterator[Seen]:
    lacks: list[Lack] = []

    def listed() -> Iterator[Body]:
        for page in asker.pages(
            _SERVICE, "DescribeRepositories", "repositories", tokens=_TOKENS, maxResults=_REPOSITORIES
        ):
            if isinstance(page, Refusal):
                lacks.extend(Lack(kind, page.gap(kind)) for kind in (REPOSITORY, IMAGE))
                return
            yield from page

    yield from asker.each(listed(), partial(_repository, asker))
    yield from lacks


def _repository(asker: Asker, repository: Body) -> Iterator[Seen]:
    """Yield the images of a repository as far as they are told, then the repository, which needs all of them."""
    about = repository.get("repositoryArn")
    tags: dict[str, str] = {}
    for page in _pages(asker, str(repository.get("repositoryName"))):
        if isinstance(page, Refusal):
            if page.kind != MISSING:
                yield from (Lack(kind, page.gap(str(about))) for kind in (IMAGE, REPOSITORY))
            return
        for image in page:
            tags.update(dict.fromkeys(image.get("imageTags") or (), str(image.get("imageDigest"))))
            yield from guarded(IMAGE, image.get("imageDigest"), partial(_image, asker, repository, image))
    yield from guarded(REPOSITORY, about, partial(_describe, asker, repository, tags, asker.clock()))


def _pages(asker: Asker, name: str) -> Iterator[list[Any] | Refusal]:
    wanted = {"repositoryName": name, "maxResults": _PAGE}
    return asker.pages(_SERVICE, "DescribeImages", "imageDetails", tokens=_TOKENS, **wanted)


def _describe(asker: Asker, repository: Body, tags: dict[str, str], read: str) -> Iterator[Seen]:
    name = str(repository["repositoryName"])
    configuration: dict[str, Any] = {"repository": repository, "imageTags": tags}
    for word, operation, member in _DOCUMENTS:
        answer = asker.ask(_SERVICE, operation, repositoryName=name)
        if not isinstance(answer, Refusal):
            configuration[word] = parsed(answer.get(member))
        elif answer.kind != MISSING:
            raise Refused(answer)
    labels = asker.need(_SERVICE, "ListTagsForResource", resourceArn=str(repository["repositoryArn"]))
    yield asker.item(
        asker.resource(REPOSITORY, name),
        configuration,
        time=read,
        tags=pairs(labels.get("tags")),
        created=repository.get("createdAt"),
    )


def _image(asker: Asker, repository: Body, image: Body) -> Iterator[Seen]:
    name = str(repository["repositoryName"])
    # When it was last pulled is no configuration, and differs at each look.
    pulled = {"lastRecordedPullTime": image["lastRecordedPullTime"]} if "lastRecordedPullTime" in image else {}
    yield asker.item(
        asker.resource(IMAGE, f"{name}@{image['imageDigest']}"),
        without(image, "lastRecordedPullTime"),
        relationships=tuple(asker.join("repository", REPOSITORY, name)),
        created=image.get("imagePushedAt"),
        state=image.get("imageStatus"),
        extra=pulled,
    )


def _still(asker: Asker, resource: Resource) -> dict[str, Any] | Refusal:
    name, _, digest = resource.name.partition("@")
    if not digest:
        return found_in(asker.ask(_SERVICE, "DescribeRepositories", repositoryNames=[name]), "repositories")
    wanted: dict[str, Any] = {"repositoryName": name, "imageIds": [{"imageDigest": digest}]}
    return found_in(asker.ask(_SERVICE, "DescribeImages", **wanted), "imageDetails")


KINDS: Final = (Kind((REPOSITORY, IMAGE), _read, _still),)
