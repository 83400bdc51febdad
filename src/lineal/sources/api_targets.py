"""Of which resources a call of AWS is about: by a table of the names in requests and answers, and by every ARN in it.

The table, ``api_targets.json``, is made by `scripts/make_api_targets.py` from botocore's service models and a remainder
written by hand. Only a quarter of the events of a real account say by themselves which resources they are about
(``resources``), and always in ARNs; most say a name, in a member that depends on the call.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from lineal.core.resource import make_resource, read_arn
from lineal.errors import BadInput

MOST_TARGETS: Final = 500
_DEEPEST: Final = 24
_SUFFIX: Final = re.compile(r"20[0-9]{6}(v[0-9]+)?$")  # UpdateFunctionCode20150331v2
_HOLE: Final = re.compile(r"\{([^{}]+)\}")
_ASKED, _ANSWERED = "requestParameters", "responseElements"
_WITH_ARNS: Final = ("resources", _ASKED, _ANSWERED, "serviceEventDetails", "additionalEventData")
# Application Auto Scaling calls itself by the name of its elder brother in some events.
_ALSO: Final = {"autoscaling": "application-autoscaling"}


@dataclass(frozen=True, slots=True)
class _Rule:
    """One way of a call to name a resource of the type `kind`: paths to parts of its name, and what is cut of it."""

    kind: str
    template: str
    paths: tuple[tuple[str, tuple[str, ...]], ...]
    cut: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class _Service:
    members: Mapping[str, str]
    operations: Mapping[str, tuple[_Rule, ...]]


def find_targets(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of the resources that a CloudTrail `record` is about, at most `MOST_TARGETS`.

    Those that the table names come first, then those whose ARN stands anywhere in the request, the answer or
    ``resources``.
    """
    found: dict[str, None] = {}
    for key in _named(record):
        found.setdefault(key)
    for name in _WITH_ARNS:
        part = record.get(name)
        if part:
            for text in find_arns(part):
                resource = read_arn(text)
                if resource is not None:
                    found.setdefault(resource.key)
            if len(found) > MOST_TARGETS:
                return tuple(found)[:MOST_TARGETS]
    return tuple(found)


def names_nothing(service: str, operation: str) -> bool:
    """Return whether calls of `operation` are known to be about no resource: about an account, a token, a comment."""
    return operation in _table()["nothing"].get(service, ())


def _named(record: Mapping[str, Any]) -> Iterator[str]:
    source, operation = str(record.get("eventSource") or ""), str(record.get("eventName") or "")
    service = _service(source.removesuffix(".amazonaws.com"))
    if service is None:
        return
    asked = record.get(_ASKED)
    asked = asked if isinstance(asked, dict) else {}
    account, region = _place(record, asked)
    for name, value in asked.items():
        if name in service.members:
            yield from _keys(service.members[name], account, region, value)
    bare = _SUFFIX.sub("", operation)
    for rule in (*service.operations.get(bare, ()), *service.operations.get("*", ())):
        for name in _names(rule, asked, record.get(_ANSWERED)):
            yield from _keys(rule.kind, account, region, name)


def _place(record: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[str, str]:
    """Return account and region of the resources: of the registry that is asked for, else of who got the event."""
    identity = record.get("userIdentity")
    caller = identity.get("accountId") if isinstance(identity, dict) else None
    account = asked.get("registryId") or record.get("recipientAccountId") or caller or ""
    return str(account), str(record.get("awsRegion") or "")


def _keys(kind: str, account: str, region: str, name: object) -> Iterator[str]:
    if isinstance(name, str) and name:
        key = _key(kind, account, region, name)
        if key is not None:
            yield key


@lru_cache(maxsize=65536)
def _key(kind: str, account: str, region: str, name: str) -> str | None:
    if name.startswith("arn:"):
        found = read_arn(name)
        return None if found is None else found.key
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
    try:
        return make_resource(kind, account, region, name, partition=partition).key
    except BadInput:
        return None


def _names(rule: _Rule, asked: object, answered: object) -> Iterator[str]:
    """Yield the names that `rule` makes; of several lists of values, one name for each of the longest."""
    values: list[list[str]] = []
    for side, path in rule.paths:
        found = [each for each in _walk(answered if side == ">" else asked, path) if isinstance(each, str) and each]
        if not found:
            return
        values.append(found)
    most = max(len(each) for each in values)
    for number in range(most):
        parts = iter([each[number] if len(each) > 1 and number < len(each) else each[0] for each in values])
        name = _HOLE.sub(lambda _: next(parts), rule.template)  # noqa: B023
        if rule.cut is not None:
            match = rule.cut.fullmatch(name)
            if match is None:
                continue
            name = match[1]
        yield name


def _walk(value: object, path: tuple[str, ...]) -> Iterator[object]:
    if not path:
        yield value
    elif path[0] == "[]":
        for each in value if isinstance(value, list) else ():
            yield from _walk(each, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from _walk(value[path[0]], path[1:])


def find_arns(value: object, depth: int = 0) -> Iterator[str]:
    """Yield every text in `value` that is an ARN by its look; not those inside of longer texts, such as policies."""
    if isinstance(value, str):
        if value.startswith("arn:"):
            yield value
    elif isinstance(value, dict | list) and depth < _DEEPEST:
        for each in value.values() if isinstance(value, dict) else value:
            if type(each) is str:
                if each.startswith("arn:"):
                    yield each
            elif each.__class__ in (dict, list):
                yield from find_arns(each, depth + 1)


@cache
def _table() -> dict[str, Any]:
    text = files("lineal.sources").joinpath("api_targets.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


@cache
def _service(name: str) -> _Service | None:
    found = _table()["services"].get(_ALSO.get(name, name))
    if found is None:
        return None
    operations = {
        operation: tuple(_compile(kind, template) for kind, template in rules)
        for operation, rules in found["operations"].items()
    }
    return _Service(found["members"], operations)


def _compile(kind: str, text: str) -> _Rule:
    template, _, cut = text.partition(" ~ ")
    template = template if "{" in template else f"{{{template}}}"
    paths = []
    for path in _HOLE.findall(template):
        side, bare = (">", path[1:]) if path.startswith(">") else ("", path)
        paths.append((side, tuple(part for part in bare.replace("[]", ".[]").split(".") if part)))
    return _Rule(kind, template, tuple(paths), re.compile(cut) if cut else None)
