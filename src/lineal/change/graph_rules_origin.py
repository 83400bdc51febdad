"""Rules about where what serves comes from: images, their tags, and the data that models were trained on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from lineal.change.graph_rules import Built, Data, EstateRule, Found, Questions, about
from lineal.change.graph_rules_served import (
    MODEL,
    Served,
    deployed_images,
    each_model,
    read_containers,
    read_served,
    when,
)
from lineal.change.rule import Parameter
from lineal.core.api_event import ApiEvent
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT
from lineal.core.config_item import ConfigItem
from lineal.core.resource import make_resource

_ECR: Final = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+/(?P<name>[^:@]+)"
)
_ORDER: Final = (NON_COMPLIANT, INSUFFICIENT, COMPLIANT)
_DATA_CALLS: Final = ("PutObject", "DeleteObject", "DeleteObjects", "CopyObject", "CompleteMultipartUpload")
Told = tuple[str, str, tuple[str, ...]]


class _Tags:
    """What the tags of repositories named, and when: by items of ECR, events, and what the graph has of registries."""

    def __init__(self, questions: Questions, uris: Sequence[str]) -> None:
        self._questions = questions
        keys = sorted({key for uri in uris if (key := self._key(uri)) is not None})
        self._items = questions.history(keys)
        self._events = questions.events(keys)

    @staticmethod
    def _key(uri: str) -> str | None:
        match = _ECR.match(uri)
        if match is None:
            return None
        return make_resource("AWS::ECR::Repository", match["account"], match["region"], match["name"]).key

    def history(self, uri: str) -> list[tuple[str, str | None, str]]:
        """Return when the tag of an image was seen to name which digest, oldest first, and what says so."""
        name, tag = split_image(uri)
        key = self._key(uri)
        found: list[tuple[str, str | None, str]] = []
        for item in self._items.get(key or "", ()):
            tags = item.configuration.get("imageTags")
            if item.status == "ok" and isinstance(tags, dict):
                found.append((item.time, tags.get(tag), item.digest()))
        for event in self._events.get(key or "", ()):
            pushed = _pushed(event, tag)
            if pushed is not None:
                found.append((event.time, pushed, event.id))
        found += [(time, digest, f"{name}:{tag}") for time, digest in self._questions.lineage.tag(name, tag)]
        return sorted(found, key=lambda each: each[0])


def _pushed(event: ApiEvent, tag: str) -> str | None:
    """Return the digest that a PutImage gave to a tag, None for any other event."""
    if event.name != "PutImage" or event.error or event.parameters.get("imageTag") != tag:
        return None
    image = event.response.get("image")
    identity = image.get("imageId") if isinstance(image, dict) else None
    digest = identity.get("imageDigest") if isinstance(identity, dict) else event.parameters.get("imageDigest")
    return digest if isinstance(digest, str) else None


def split_image(uri: str) -> tuple[str, str]:
    """Return the name and the tag of an image, ``latest`` where it has none."""
    bare = uri.partition("@")[0]
    name, colon, tag = bare.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (bare, "latest")


def _images(served: Sequence[Served]) -> list[str]:
    return [part.image for model, _ in each_model(served) for part in read_containers(model) if part.image]


def _conclude(model: ConfigItem, told: Sequence[Told], nothing: str) -> Found:
    state = min((one[0] for one in told), key=_ORDER.index, default=INSUFFICIENT)
    text = "; ".join(dict.fromkeys(one[1] for one in told if one[0] == state)) or nothing
    return about(model, state, text, *(ref for one in told for ref in one[2]))


def tag_not_moved(questions: Questions, _parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield, for each model that is served, whether the tags of its images still name what they did at deployment."""
    served = read_served(questions)
    tags = _Tags(questions, _images(served))
    for model, places in each_model(served):
        resolved = deployed_images(places)
        first = min(places, key=lambda each: each.until)
        told = [_judge_tag(part.image, tags, first, resolved) for part in read_containers(model) if part.image]
        yield _conclude(model, told, "it names no image")


def _judge_tag(uri: str, tags: _Tags, served: Served, resolved: Mapping[str, str]) -> Told:
    """Say whether a tag names what was deployed: what the endpoint resolved it to, else what it named then."""
    if "@sha256:" in uri:
        return COMPLIANT, f"{uri.partition('@')[0]} is named by its digest", ()
    seen = tags.history(uri)
    if not seen:
        return INSUFFICIENT, f"what {uri} named is not on record", ()
    before = [each for each in seen if each[0] <= served.since]
    between = [each for each in seen if served.since < each[0] <= served.until]
    after = [each for each in seen if each[0] > served.until]
    held = {resolved[uri]} if uri in resolved else {each[1] for each in (*before[-1:], *between)}
    evidence = tuple(dict.fromkeys(each[2] for each in (*before[-1:], *between, *after)))
    moved = next((each for each in after if held and each[1] not in held), None)
    if moved is not None:
        names, to = " or ".join(sorted(map(str, held))), moved[1] or "nothing"
        text = f"{uri} moved after the deployment, {when(served)}: from {names} to {to}, {moved[0]}"
        return NON_COMPLIANT, text, evidence
    if uri not in resolved and not before:
        text = f"{uri} was first seen at {seen[0][0]}, and deployed {when(served)}: it may have moved in between"
        return INSUFFICIENT, text, evidence
    if len(held) > 1 or seen[-1][1] not in held:
        return INSUFFICIENT, f"{uri} moved about when it was deployed, {when(served)}", evidence
    return COMPLIANT, f"{uri} names {seen[-1][1]}, as it did at the deployment", evidence


def image_from_recorded_pipeline(questions: Questions, parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield, for each model that is served, whether its images were built from a recorded commit."""
    served = read_served(questions)
    tags = _Tags(questions, _images(served))
    for model, places in each_model(served):
        resolved = deployed_images(places)
        begun = min(each.until for each in places)
        told: list[Told] = []
        for uri in (part.image for part in read_containers(model) if part.image):
            if any(fnmatchcase(uri, pattern) for pattern in parameters["exempt"] or ()):
                told.append((COMPLIANT, f"{uri} is exempt", ()))
            else:
                asked = _asked(uri, tags, begun, resolved)
                told.append(_judge_image(asked, questions, claims=bool(parameters["acceptClaims"])))
        yield _conclude(model, told, "it names no image")


def _asked(uri: str, tags: _Tags, begun: str, resolved: Mapping[str, str]) -> str:
    """Return the address by digest of the image that was deployed, `uri` itself where that is not known."""
    if "@sha256:" in uri:
        return uri
    before = [each[1] for each in tags.history(uri) if each[0] <= begun and each[1]]
    digest = resolved.get(uri) or (before[-1] if before else None)
    return f"{split_image(uri)[0]}@{digest}" if digest else uri


def _judge_image(asked: str, questions: Questions, *, claims: bool) -> Told:
    """Say where an image comes from."""
    built: Built | None = questions.lineage.image(asked)
    if built is None:
        return NON_COMPLIANT, f"nothing is on record of {asked}: lineal collect oci", ()
    if built.code is None:
        return NON_COMPLIANT, f"no commit is on record that {asked} was built from", (built.ref,)
    evidence = tuple(filter(None, (built.ref, built.code, built.run)))
    if built.claimed or built.run is None:
        text = f"{asked} was built from {built.code}: the image says so, no recorded run does"
        return (COMPLIANT if claims else NON_COMPLIANT), text, evidence
    return COMPLIANT, f"{asked} was built from {built.code} by {built.run}", evidence


def training_data_unchanged(questions: Questions, _parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield, for each model that is served, whether the data it was trained on is still what it was."""
    for model, _ in each_model(read_served(questions)):
        data = questions.lineage.training_data(model.resource.key)
        if data is None:
            yield about(model, INSUFFICIENT, "nothing is on record of its training: lineal collect sagemaker")
        elif not data:
            yield about(model, INSUFFICIENT, "no dataset is on record that it was trained on")
        else:
            told = [_judge_data(each, questions) for each in data]
            yield _conclude(model, told, "")


def _judge_data(data: Data, questions: Questions) -> Told:
    if data.changed is not None:
        return NON_COMPLIANT, f"{data.ref} changed after it was used at {data.used}: {data.changed}", (data.ref,)
    written = _writes(data, questions)
    if written:
        first = written[0]
        text = f"{data.ref} was written to after it was used at {data.used}: {first.name} at {first.time}"
        return NON_COMPLIANT, f"{text} by {first.principal or 'somebody'}", (data.ref, *(each.id for each in written))
    if data.seen is not None and data.seen > data.used:
        return COMPLIANT, f"{data.ref} is as it was used", (data.ref,)
    return INSUFFICIENT, f"nobody looked at {data.ref} since it was used: lineal check --deep", (data.ref,)


def _writes(data: Data, questions: Questions) -> list[ApiEvent]:
    """Return the events that wrote to the place of a dataset after it was used; trails have them if told to."""
    bucket, _, prefix = data.place.removeprefix("s3://").partition("/")
    if not data.place.startswith("s3://") or not bucket:
        return []
    key = make_resource("AWS::S3::Bucket", "", "", bucket).key
    found = []
    for event in questions.events([key]).get(key, ()):
        name = event.parameters.get("key")
        # One object has its key, a prefix what lies below it; a neighbour that begins with the same letters is neither.
        below = not prefix or str(name or "") == prefix or str(name or "").startswith(prefix.rstrip("/") + "/")
        hit = below if name is not None else event.name == "DeleteObjects"
        if event.name in _DATA_CALLS and not event.error and event.time > data.used and hit:
            found.append(event)
    return found


ORIGIN_RULES: Final = (
    EstateRule(
        id="IMAGE_FROM_RECORDED_PIPELINE",
        description="The images of what serves were built by a recorded run from a recorded commit.",
        resource_types=(MODEL,),
        severity="high",
        ask=image_from_recorded_pipeline,
        remedy="Build the image in the pipeline, and record it: lineal collect oci IMAGE, lineal collect git URL.",
        tags=("supply-chain", "containers"),
        parameters={
            "acceptClaims": Parameter(kind="boolean", value=True, description="Whether the image's own word will do."),
            "exempt": Parameter(kind="list", description="Patterns of images that need no origin of your own."),
        },
    ),
    EstateRule(
        id="TAG_NOT_MOVED_AFTER_DEPLOYMENT",
        description="The tags that name the images of what serves still name what they did when it was deployed.",
        resource_types=(MODEL,),
        severity="high",
        ask=tag_not_moved,
        remedy="Name images by digest, and make the tags of the repository immutable.",
        tags=("supply-chain", "containers"),
    ),
    EstateRule(
        id="TRAINING_DATA_UNCHANGED",
        description="The data that what serves was trained on is still there as it was used.",
        resource_types=(MODEL,),
        severity="high",
        ask=training_data_unchanged,
        remedy="lineal verify shows what differs; restore the version that was used, and lock the prefix.",
        tags=("data",),
    ),
)
"""Rules about origin."""
