"""The rule that what serves was approved when it was deployed: endpoint, configuration, model, package, decision."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lineal.change.graph_rules import EstateRule, Found, Questions, about
from lineal.change.graph_rules_served import ENDPOINT, Served, package_key, read_containers, read_served, when
from lineal.core.api_event import ApiEvent
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT
from lineal.core.config_item import ConfigItem

APPROVED: Final = "Approved"
_UNKNOWN: Final = "not known"
_DECIDES: Final = frozenset({"UpdateModelPackage", "CreateModelPackage"})
# What a decision on a package changes, and what every change of it does.
_OF_DECISIONS: Final = frozenset({"ModelApprovalStatus", "ApprovalDescription", "LastModifiedTime", "LastModifiedBy"})
_ORDER: Final = (NON_COMPLIANT, INSUFFICIENT, COMPLIANT)

Told = tuple[str, str, tuple[str, ...]]


def endpoint_model_approved(questions: Questions, _parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield, for each endpoint, whether the packages of its models were approved when it began to serve them."""
    served = read_served(questions)
    wanted = {
        package_key(model, part.package)
        for each in served
        for model in each.models.values()
        if model is not None
        for part in read_containers(model)
        if part.package
    }
    packages, events = questions.history(sorted(wanted)), questions.events(sorted(wanted))
    for each in served:
        told: list[Told] = [(INSUFFICIENT, why, ()) for why in each.lacking]
        for name, model in each.models.items():
            told += _judge_model(each, name, model, packages, events)
        state = min((one[0] for one in told), key=_ORDER.index, default=INSUFFICIENT)
        text = "; ".join(dict.fromkeys(one[1] for one in told if one[0] == state)) or "it names no model"
        evidence = [*each.events, *(ref for one in told for ref in one[2])]
        yield about(each.endpoint, state, text, *evidence)


def _judge_model(
    served: Served,
    name: str,
    model: ConfigItem | None,
    packages: Mapping[str, Sequence[ConfigItem]],
    events: Mapping[str, Sequence[ApiEvent]],
) -> list[Told]:
    if model is None:
        return [(INSUFFICIENT, f"model {name} is not on record", ())]
    found: list[Told] = []
    for part in read_containers(model):
        if part.package is None:
            text = f"model {name} comes from no model package, so nobody approved it in the registry"
            found.append((NON_COMPLIANT, text, (model.digest(),)))
        else:
            key = package_key(model, part.package)
            found.append(_judge_package(served, key, packages.get(key, ()), events.get(key, ())))
    return found or [(INSUFFICIENT, f"model {name} has no container", (model.digest(),))]


def _judge_package(served: Served, key: str, items: Sequence[ConfigItem], events: Sequence[ApiEvent]) -> Told:
    package = key.rpartition("model-package/")[2] or key
    points = sorted(_points(items, events))
    if not points:
        return INSUFFICIENT, f"package {package} is not on record", ()
    evidence = tuple(dict.fromkeys(ref for _, _, ref in points))
    states = [_at(points, served.since), *(s for t, s, _ in points if served.since < t <= served.until)]
    at = when(served)
    last = points[-1][1]
    if all(state == APPROVED for state in states):
        if last == APPROVED:
            return COMPLIANT, f"package {package} was approved when it was deployed, {at}", evidence
        text = f"package {package} was approved when it was deployed, {at}, and is {last} since {points[-1][0]}"
        return NON_COMPLIANT, text, evidence
    if APPROVED not in states and _UNKNOWN not in states:
        since = next((time for time, state, _ in points if state == APPROVED and time > served.until), None)
        later = f"; it was approved at {since}, afterwards" if since is not None else ""
        return NON_COMPLIANT, f"package {package} was {states[-1]} when it was deployed, {at}{later}", evidence
    text = f"whether package {package} was approved when it was deployed, {at}, is not known"
    return INSUFFICIENT, text, evidence


def _points(items: Sequence[ConfigItem], events: Sequence[ApiEvent]) -> Iterator[tuple[str, str, str]]:
    """Yield from which moment on a package had which status, and what says so.

    A package that was seen at some time has had its status since it was changed last, which it states itself. Where
    something else changed as well, that may have been later than the decision: since it was seen before, it is not
    known.
    """
    before: ConfigItem | None = None
    for item in items:
        status = item.configuration.get("ModelApprovalStatus")
        if item.status == "ok" and isinstance(status, str):
            stated = item.modified or item.created
            since = stated if stated is not None and stated <= item.time else item.time
            yield since, status, item.digest()
            if before is not None and since > before.time and _is_more_than_decided(before, item):
                yield before.time, _UNKNOWN, item.digest()
            before = item
    for event in events:
        status = event.parameters.get("modelApprovalStatus")
        if event.name in _DECIDES and not event.error and isinstance(status, str):
            yield event.time, status, event.id


def _is_more_than_decided(before: ConfigItem, item: ConfigItem) -> bool:
    """Return whether a decision on a package and something else of it changed between two looks."""
    old, new = before.configuration, item.configuration
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    return "ModelApprovalStatus" in changed and not changed <= _OF_DECISIONS


def _at(points: Sequence[tuple[str, str, str]], moment: str) -> str:
    """Return the status at a moment; not known before the first that is known."""
    return next((status for time, status, _ in reversed(points) if time <= moment), _UNKNOWN)


APPROVAL_RULES: Final = (
    EstateRule(
        id="ENDPOINT_MODEL_APPROVED",
        description="An endpoint serves models whose packages were approved when it was deployed, and still are.",
        resource_types=(ENDPOINT,),
        severity="critical",
        ask=endpoint_model_approved,
        remedy="Deploy an approved package, or have this one approved by somebody who may; say why it was deployed.",
        tags=("sagemaker", "release", "approval"),
    ),
)
"""Rules about approvals."""
