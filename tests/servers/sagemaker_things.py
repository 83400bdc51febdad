"""What moto lacks of SageMaker, or has in part: inference components, monitoring, features, notebooks, cards, images.

Synthetic: nobody here has seen AWS itself answer so. Operations are added to moto's own server, which boto3 asks over
HTTP; what is asked and what is answered is held against botocore's model of the service, so that neither our client nor
this store invents a member. Lists come page by page, at most `PAGE` at a time.
"""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import botocore.session
import moto.core.utils
from botocore.parsers import create_parser
from botocore.validate import ParamValidator
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import camelcase_to_underscores
from moto.sagemaker.exceptions import ResourceInUseException, ResourceNotFound, ValidationError
from moto.sagemaker.responses import SageMakerResponse

from servers.sagemaker_nouns import NOUNS, Body, Noun

PAGE = 100
"""How many things a page holds at most, whatever is asked for."""
FEATURES = 100
"""How many features DescribeFeatureGroup tells at a time."""
_BY_PATH: Final = {each.path: each for each in NOUNS}
_TAGS: Final = {
    name: getattr(SageMakerResponse, camelcase_to_underscores(name)) for name in ("ListTags", "AddTags", "DeleteTags")
}


@dataclass
class Thing:
    """One thing: what Describe tells of it, and its tags."""

    told: Body
    tags: dict[str, str] = field(default_factory=dict)


Things = dict[tuple[str, str], Thing]  # by word and name
_kept: dict[tuple[str, str], Things] = {}


def things(account: str, region: str) -> Things:
    """Return what is kept of one account and region, by word and name, to change what no request changes."""
    return _kept.setdefault((account, region), {})


def forget() -> None:
    """Keep nothing any more."""
    _kept.clear()


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


def install() -> None:
    """Let moto's SageMaker know all operations on these things."""
    for noun in NOUNS:
        known = set(_model().operation_names)
        for name, answer in (
            (f"Create{noun.word}", _create),
            (f"Describe{noun.word}", _describe),
            (noun.listing, _list),
            (f"Update{noun.word}", _update),
            (f"Delete{noun.word}", _delete),
        ):
            if name in known:
                _add(name, noun, answer)
        for name in noun.moved:
            _add(name, noun, _move)
        if noun.word == "InferenceComponent":
            _add("UpdateInferenceComponentRuntimeConfig", noun, _update)
    for name in _TAGS:
        _add(name, None, _tags)


Answer = Callable[["_Asked"], Body | None]


@dataclass
class _Asked:
    operation: str
    noun: Noun | None
    given: Body
    held: Things
    account: str
    region: str

    @property
    def what(self) -> Noun:
        assert self.noun is not None
        return self.noun

    def arn(self, name: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{self.what.path}/{name}"

    def thing(self) -> Thing:
        noun = self.what
        name = self.given[noun.named]
        found = self.held.get((noun.word, name))
        if found is None:
            words = f"Could not find {noun.path} '{name}'."
            known = {each.name for each in _model().operation_model(self.operation).error_shapes}
            raise ResourceNotFound(words) if "ResourceNotFound" in known else ValidationError(words)
        return found


def _add(operation: str, noun: Noun | None, answer: Answer) -> None:
    model = _model().operation_model(operation)

    def method(self: SageMakerResponse) -> Any:
        given = json.loads(self.body or "{}")
        report = ParamValidator().validate(given, model.input_shape)
        if report.has_errors():
            raise ValidationError(message=report.generate_report())
        parsed = create_parser("json").parse(
            {"body": json.dumps(given).encode(), "headers": {}, "status_code": 200}, model.input_shape
        )
        parsed.pop("ResponseMetadata", None)
        held = things(self.current_account, self.region)
        asked = _Asked(operation, noun, parsed, held, self.current_account, self.region)
        if noun is None and _tagged(asked) is None:
            return _TAGS[operation](self)
        told = answer(asked)
        if told is None:
            return EmptyResult()
        _hold(told, model.output_shape, operation)
        return ActionResult(told)

    setattr(SageMakerResponse, camelcase_to_underscores(operation), method)


def _hold(value: Any, shape: Any, where: str) -> None:
    """Hold an answer against the shape that botocore has of it: no member that is not there, none missing."""
    if shape.type_name == "structure" and isinstance(value, dict):
        unknown = value.keys() - shape.members.keys()
        lacking = [name for name in shape.required_members if name not in value and name != "NextToken"]
        assert not unknown, f"{where}: {sorted(unknown)} is no member"
        assert not lacking, f"{where}: {lacking} is missing"
        for name, each in value.items():
            _hold(each, shape.members[name], f"{where}.{name}")
    elif shape.type_name == "list":
        for each in value:
            _hold(each, shape.member, where)


def _now() -> Any:
    return moto.core.utils.utcnow()


def _create(asked: _Asked) -> Body:
    noun = asked.what
    given = {name: value for name, value in asked.given.items() if name != "Tags"}
    tags = {each["Key"]: each["Value"] for each in asked.given.get("Tags", ())}
    if noun.word == "Domain":
        given["DomainId"] = "d-" + re.sub("[^a-z0-9]", "", given["DomainName"].lower())
    name = given[noun.named]
    if (noun.word, name) in asked.held:
        raise ResourceInUseException(f"{noun.path} {name} already exists")
    now = _now()
    told = {**deepcopy(given), noun.spelled: asked.arn(name), "CreationTime": now, "LastModifiedTime": now}
    if noun.state:
        told[noun.state] = noun.settled
    noun.made(told, given)
    asked.held[noun.word, name] = Thing(told, tags)
    said = _model().operation_model(asked.operation).output_shape.members
    found = {member: told[member] for member in said if member in told}
    return found or {f"{noun.word}Arn": told[noun.spelled]}


def _describe(asked: _Asked) -> Body:
    told = deepcopy(asked.thing().told)
    features = told.get("FeatureDefinitions")
    if features is not None:
        start = int(asked.given.get("NextToken") or 0)
        told["FeatureDefinitions"] = features[start : start + FEATURES]
        if start + FEATURES < len(features):
            told["NextToken"] = str(start + FEATURES)
    members = _model().operation_model(asked.operation).output_shape.members
    left = told.keys() - members.keys()
    assert left <= {"EndpointName", "LastModifiedTime"}, f"{asked.operation}: {sorted(left)}"
    return {name: value for name, value in told.items() if name in members}


def _list(asked: _Asked) -> Body:
    noun = asked.what
    members = _model().operation_model(asked.operation).output_shape.members[noun.key].member.members
    found = [
        {each: thing.told[told] for each in members if (told := noun.renamed.get(each, each)) in thing.told}
        for (word, _), thing in sorted(asked.held.items(), key=lambda pair: pair[0])
        if word == noun.word
    ]
    wanted = asked.given.get("EndpointNameEquals")
    found = [each for each in found if wanted in (None, each.get("EndpointName"))]
    size = min(PAGE, asked.given.get("MaxResults") or PAGE)
    start = int(asked.given.get("NextToken") or 0)
    more = {"NextToken": str(start + size)} if start + size < len(found) else {}
    return {noun.key: found[start : start + size], **more}


def _update(asked: _Asked) -> Body:
    noun, thing = asked.what, asked.thing()
    noun.changed(thing.told, deepcopy({name: each for name, each in asked.given.items() if name != noun.named}))
    thing.told["LastModifiedTime"] = _now()
    return _said(asked, thing)


def _move(asked: _Asked) -> Body | None:
    noun, thing = asked.what, asked.thing()
    thing.told[noun.state] = asked.given.get("DesiredState") or noun.moved[asked.operation]
    thing.told["LastModifiedTime"] = _now()
    return _said(asked, thing)


def _delete(asked: _Asked) -> Body | None:
    thing = asked.thing()
    del asked.held[asked.what.word, asked.given[asked.what.named]]
    return _said(asked, thing)


def _said(asked: _Asked, thing: Thing) -> Any:
    shape = _model().operation_model(asked.operation).output_shape
    if shape is None:
        return None
    known = {**thing.told, f"{asked.what.word}Arn": thing.told[asked.what.spelled]}
    return {name: known[name] for name in shape.members if name in known}


def _tagged(asked: _Asked) -> Thing | None:
    path, _, name = asked.given["ResourceArn"].rpartition(":")[2].partition("/")
    noun = _BY_PATH.get(path)
    return None if noun is None else asked.held.get((noun.word, name))


def _tags(asked: _Asked) -> Body:
    thing = _tagged(asked)
    assert thing is not None
    if asked.operation == "AddTags":
        thing.tags |= {each["Key"]: each["Value"] for each in asked.given["Tags"]}
    for key in asked.given.get("TagKeys", ()):
        thing.tags.pop(key, None)
    if asked.operation == "DeleteTags":
        return {}
    return {"Tags": [{"Key": key, "Value": value} for key, value in thing.tags.items()]}
