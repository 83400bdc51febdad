"""Configuration of ECR: repositories with their policies and tags, and the images in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
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

    for found in asker.ahead(listed(), partial(_ask, asker)):
        yield from _repository(asker, found)
    yield from lacks


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked of a repository: its documents and tags, and its images page by page, the first one at hand."""

    repository: Body
    documents: dict[str, Any] | Refusal
    tags: dict[str, str]
    first: list[Any] | Refusal
    rest: Iterator[list[Any] | Refusal]


def _ask(asker: Asker, repository: Body) -> _Asked:
    """Ask all but the further pages: a repository may have more images than can be held at once."""
    name, labels = str(repository.get("repositoryName")), {}
    wanted = {"repositoryName": name, "maxResults": _PAGE}
    rest = asker.pages(_SERVICE, "DescribeImages", "imageDetails", tokens=_TOKENS, **wanted)
    first = next(rest)
    documents: dict[str, Any] | Refusal
    try:
        documents = _documents(asker, name)
        told = asker.need(_SERVICE, "ListTagsForResource", resourceArn=str(repository.get("repositoryArn")))
        labels = pairs(told.get("tags"))
    except Refused as refused:
        documents = refused.refusal
    return _Asked(repository, documents, labels, first, rest)


def _documents(asker: Asker, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word, operation, member in _DOCUMENTS:
        answer = asker.ask(_SERVICE, operation, repositoryName=name)
        if not isinstance(answer, Refusal):
            found[word] = parsed(answer.get(member))
        elif answer.kind != MISSING:
            raise Refused(answer)
    return found


def _repository(asker: Asker, asked: _Asked) -> Iterator[Seen]:
    """Yield the images of a repository as they are told, then the repository, which has the tags of all of them."""
    about = str(asked.repository.get("repositoryArn"))
    tags: dict[str, str] = {}
    for page in chain([asked.first], asked.rest):
        if isinstance(page, Refusal):
            if page.kind != MISSING:
                yield from (Lack(kind, page.gap(about)) for kind in (IMAGE, REPOSITORY))
            return
        for image in page:
            tags.update(dict.fromkeys(image.get("imageTags") or (), str(image.get("imageDigest"))))
            yield from guarded(IMAGE, image.get("imageDigest"), partial(_image, asker, asked.repository, image))
    yield from guarded(REPOSITORY, about, partial(_describe, asker, asked, tags))


def _describe(asker: Asker, asked: _Asked, tags: dict[str, str]) -> Iterator[Seen]:
    if isinstance(asked.documents, Refusal):
        raise Refused(asked.documents)
    yield asker.item(
        asker.resource(REPOSITORY, str(asked.repository["repositoryName"])),
        {"repository": asked.repository, "imageTags": tags, **asked.documents},
        tags=asked.tags,
        created=asked.repository.get("createdAt"),
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
