"""Pointers to container images: the keys that the image and its repository have as resources."""

import re
from typing import Final

from lineal.core.config_item import ConfigItem
from lineal.core.resource import make_resource
from lineal.errors import LinealError

TAGS: Final = "imageTags"
_KINDS: Final = frozenset({"Image", "AWS::ECR::Image"})
_ECR: Final = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[a-z0-9][a-z0-9._/-]*)(?::(?P<tag>[\w.-]{1,128}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)

Pointer = tuple[str, str, tuple[str, ...] | None]


def image_keys(kind: str, text: str) -> list[Pointer] | None:
    """Return the resources that a pointer to an image names, None if it is no pointer to one: key, type, part.

    An image of ECR by digest is a resource; by its tag, it is that tag of its repository.
    """
    if kind not in _KINDS or text.startswith("arn:"):
        return None
    found: list[Pointer] = [(text, "Image", None)]
    match = _ECR.fullmatch(text)
    if match is None:
        return found
    account, region, repository = match["account"], match["region"], match["repository"]
    try:
        if match["digest"]:
            name = f"{repository}@{match['digest']}"
            found.append((make_resource("AWS::ECR::Image", account, region, name).key, "AWS::ECR::Image", None))
        else:
            of = make_resource("AWS::ECR::Repository", account, region, repository)
            found.append((of.key, of.type, (TAGS, match["tag"] or "latest")))
    except LinealError:
        return found
    return found


def tag_in(repository: ConfigItem, part: tuple[str, ...]) -> str | None:
    """Return the key of the image that a tag names by the configuration of its `repository`, None if unknown."""
    tags = repository.configuration.get(TAGS)
    digest = tags.get(part[1]) if isinstance(tags, dict) and len(part) == 2 else None
    if not isinstance(digest, str):
        return None
    of = repository.resource
    try:
        return make_resource("AWS::ECR::Image", of.account, of.region, f"{of.name}@{digest}").key
    except LinealError:
        return None
