"""Which event made a field what it is: by what the call asked for, else by what the operation is known to do."""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

from lineal.change.agreement import agrees, text_of
from lineal.change.difference import ORDER
from lineal.change.effects import Effect, effect_of, fits, patterns_of, roots_of, updates_whole
from lineal.change.semantic import read_text
from lineal.core.api_event import ApiEvent
from lineal.core.change import Change, Edit, Path
from lineal.core.redaction import MARK
from lineal.core.resource import key_of

# The members by which elements of lists are known, in requests of AWS and in manifests of Kubernetes.
_NAMES: Final = (
    "name", "variantName", "key", "parameterName", "parameterKey", "outputKey", "sid", "policyName", "policyArn",
    "logicalResourceId", "sourceIdentifier", "artifactIdentifier", "containerHostname", "instanceType", "featureName",
    "shadowModelVariantName", "alarmName", "id",
)  # fmt: skip
_SPELLED: Final = frozenset(_NAMES) | {each[:1].upper() + each[1:] for each in _NAMES}
_HIDDEN: Final = ("HIDDEN_DUE_TO_SECURITY_REASONS", "***", MARK)
# Members that say which resource is meant: calls with nothing else in their parameters say nothing of its fields.
_IDENTITY: Final = ("name", "arn", "id", "identifier")
_TOKENS: Final = ("token", "requestid")
_MOST_ORDERED: Final = 200
_NESTED: Final = (dict, list, Mapping)
_TABLES: Final = (dict, Mapping)  # nearly all are of the first, which is quick to tell


class Relation(IntEnum):
    """What a call has to do with the new value of a field."""

    NONE = 0
    """Nothing that is known."""
    TOUCHES = 1
    """It can have changed it."""
    CONTRADICTS = 2
    """It asked for another value."""
    SETS = 3
    """It asked for exactly that."""


class _Unsaid:
    """What a request does not name; `within` says that it names what the field stands in."""

    def __init__(self, *, within: bool) -> None:
        self.within = within


_ABSENT: Final = _Unsaid(within=False)
_OMITTED: Final = _Unsaid(within=True)


def relate(event: ApiEvent, change: Change, edit: Edit, after: Mapping[str, Any] | None = None) -> Relation:
    """Return what `event` has to do with `edit`, a field of the changed resource.

    `after` is the configuration that was seen then; a call whose outcome it denies has touched nothing.
    """
    effect = effect_of(event.service, event.name)
    asked = parameters_of(event)
    found = _relate_value(asked, edit.path, edit, effect)
    if found is not Relation.NONE:
        return found
    for path in _other_spellings(change.type, edit.path, effect):
        found = _relate_value(asked, path, edit, effect)
        if found is not Relation.NONE:
            return found
    if edit.op == "remove" and effect.adds:
        return Relation.NONE
    return Relation.TOUCHES if _touches(event, change, edit.path, effect, asked, after) else Relation.NONE


def parameters_of(event: ApiEvent) -> dict[str, Any]:
    """Return what a call asked for: its parameters, or the object that it sent to Kubernetes."""
    found = event.parameters
    if not found:
        sent = event.record.get("requestObject")
        return sent if isinstance(sent, dict) else {}
    return found


def holds(effect: Effect, asked: Mapping[str, Any], after: Mapping[str, Any] | None) -> bool:
    """Return whether what was seen afterwards agrees with what was asked for, in the fields that must show it."""
    for name, dotted in effect.holds.items() if after is not None else ():
        wanted, seen = asked.get(name), _walk(after, tuple(dotted.split(".")))
        if wanted is not None and not isinstance(seen, _Unsaid) and not agrees(wanted, seen):
            return False
    return True


def is_hidden(value: Any) -> bool:
    """Return whether a value of a request stands for one that the record does not show."""
    return isinstance(value, str) and (value in _HIDDEN or value.startswith("HIDDEN_"))


def _relate_value(asked: Mapping[str, Any], path: Path, edit: Edit, effect: Effect) -> Relation:
    for holder, name in effect.removes.items():
        prefix = tuple(holder.split("."))
        if path[: len(prefix)] == prefix and len(path) > len(prefix) and path[len(prefix)] in _texts(asked.get(name)):
            return Relation.SETS if edit.op == "remove" else Relation.CONTRADICTS
    if path[-1:] == (ORDER,):
        return _relate_order(_walk(asked, path[:-1]), edit.new)
    found = _walk(asked, path)
    if isinstance(found, _Unsaid):
        return Relation.SETS if found.within and edit.op == "remove" and not effect.adds else Relation.NONE
    if is_hidden(found):
        return Relation.TOUCHES
    if edit.op == "remove":
        return Relation.SETS if found in (None, "", [], {}) else Relation.CONTRADICTS
    return Relation.SETS if agrees(found, edit.new) else Relation.CONTRADICTS


def _relate_order(asked: Any, seen: Any) -> Relation:
    """Return what a list of a request has to do with the order in which the elements of a list were seen."""
    if not isinstance(asked, list):
        return Relation.NONE
    if not isinstance(seen, list) or not 0 < len(asked) == len(seen) <= _MOST_ORDERED:
        return Relation.TOUCHES
    rows = [[each for each in seen if not isinstance(_member([one], text_of(each)), _Unsaid)] for one in asked]
    if any(len(each) != 1 for each in rows):
        return Relation.TOUCHES  # other elements, or which is which cannot be told
    return Relation.SETS if [each[0] for each in rows] == seen else Relation.CONTRADICTS


def _touches(
    event: ApiEvent,
    change: Change,
    path: Path,
    effect: Effect,
    asked: Mapping[str, Any],
    after: Mapping[str, Any] | None,
) -> bool:
    patterns = patterns_of(effect, change.type)
    if patterns and holds(effect, asked, after):
        for name, held in effect.sets.items():
            prefix = tuple(held.split("."))
            if path[: len(prefix)] != prefix or not isinstance(asked.get(name), Mapping | list):
                continue
            # It names the elements that it changes: is this one of them?
            if isinstance(_walk(asked[name], path[len(prefix) : len(prefix) + 1]), _Unsaid):
                return False
        if any(fits(pattern, path, asked) for pattern in patterns):
            return True
    elif patterns:
        return False
    if not updates_whole(event, change.type, change.resource):
        return False
    # An Update or Put of this very type whose record shows nothing but whom it is about: it can have changed anything.
    return all(_is_identity(name.lower(), value, change.resource) for name, value in asked.items())


def _is_identity(name: str, value: Any, resource: str) -> bool:
    """Return whether a parameter says only which resource is meant, or which call this is: not a role it is to have."""
    if is_hidden(value) or name.endswith(_TOKENS):
        return True
    if not isinstance(value, str) or not name.endswith(_IDENTITY):
        return False
    key = key_of(value).casefold()
    return resource.casefold() == key or resource.casefold().endswith((f"/{key}", f":{key}"))


def _other_spellings(kind: str, path: Path, effect: Effect) -> Iterable[Path]:
    """Yield what else than the path of a field requests may call it."""
    for asked, held in effect.sets.items():
        prefix = tuple(held.split("."))
        if path[: len(prefix)] == prefix:
            yield (*asked.split("."), *path[len(prefix) :])
    if path and path[0] in roots_of(kind):
        yield path[1:]


def _walk(value: Any, path: Path) -> Any:
    """Return what stands at `path` in a request, or what is said of its absence."""
    for depth, key in enumerate(path):
        if type(value) is dict:  # as nearly everywhere: no call for that
            small = key[:1].lower() + key[1:]
            if small in value:
                value = value[small]
                continue
        elif isinstance(value, str):
            if is_hidden(value):
                return value
            value = read_text(value)
        found = _member(value, key)
        if isinstance(found, _Unsaid):
            # Omitted only where the request names what the last key stands in.
            return _OMITTED if depth and depth == len(path) - 1 and isinstance(value, _NESTED) else _ABSENT
        value = found
    return _value_of_pair(value)


def _member(value: Any, key: str) -> Any:
    if isinstance(value, _TABLES):
        small = key[:1].lower() + key[1:]
        if small in value:
            return value[small]
        if key in value:
            return value[key]
        lowered = key.lower()
        for name, held in value.items():
            if name.lower() == lowered:
                return held
    elif isinstance(value, list):
        for element in value:
            if isinstance(element, _TABLES):
                for name, held in element.items():
                    if held == key and name in _SPELLED:
                        return element
            elif not isinstance(element, list) and text_of(element) == key:
                return element
        if key.isdecimal() and int(key) < len(value) and not any(_has_name(each) for each in value):
            return value[int(key)]
    return _ABSENT


def _has_name(element: Any) -> bool:
    return isinstance(element, _TABLES) and any(
        isinstance(held, str) and name in _SPELLED for name, held in element.items()
    )


def _value_of_pair(value: Any) -> Any:
    """Return the value of a pair such as ``{"key": …, "value": …}``, anything else as it is."""
    if isinstance(value, _TABLES) and len(value) == 2:
        held = {name.lower(): each for name, each in value.items()}
        if "value" in held and ("key" in held or "name" in held):
            return held["value"]
    return value


def _texts(value: Any) -> Sequence[str]:
    return value if isinstance(value, list) else ()
