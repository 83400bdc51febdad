"""Conditions of managed rules that no expression can say; each takes the document that rules see."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from lineal.change.rule_checks import Judged
from lineal.core.redaction import MARK

_USERINFO: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s]*@")
_STAGES: Final = "configuration.pipeline.stages"


def _stages(document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the stages of a pipeline that deploy, None where the document is not that of a pipeline."""
    pipeline = document["configuration"].get("pipeline")
    stages = pipeline.get("stages") if isinstance(pipeline, dict) else None
    if not isinstance(stages, list) or not all(isinstance(each, dict) for each in stages):
        return None
    return [each for each in stages if _deployments(each)]


def _deployments(stage: Mapping[str, Any]) -> list[dict[str, Any]]:
    actions = stage.get("actions")
    if not isinstance(actions, list):
        return []
    return [
        each
        for each in actions
        if isinstance(each, dict)
        and isinstance(each.get("actionTypeId"), dict)
        and each["actionTypeId"].get("category") == "Deploy"
    ]


def deployment_count(document: Mapping[str, Any]) -> Judged:
    """Say whether the first stage that deploys makes one deployment, and later ones no more than the limit."""
    stages = _stages(document)
    if stages is None:
        return Judged(None, (f"{_STAGES} is no list of stages",), (_STAGES,))
    limit = document["parameters"].get("deploymentLimit")
    found = []
    for number, stage in enumerate(stages):
        most = 1 if number == 0 else limit
        count = len(_deployments(stage))
        if most is not None and count > most:
            found.append(f"stage {stage.get('name')} makes {count} deployments (at most {most})")
    told = tuple(found) or (f"{len(stages)} stages deploy",)
    return Judged(not found, told, (_STAGES,))


def region_fanout(document: Mapping[str, Any]) -> Judged:
    """Say whether no stage deploys to more regions than those before it together, times the factor."""
    stages = _stages(document)
    if stages is None:
        return Judged(None, (f"{_STAGES} is no list of stages",), (_STAGES,))
    factor = document["parameters"].get("regionFanoutFactor") or 3
    found, before = [], 0
    for number, stage in enumerate(stages):
        regions = {str(each.get("region") or document["region"]) for each in _deployments(stage)}
        most = 1 if number == 0 else before * factor
        if len(regions) > most:
            found.append(f"stage {stage.get('name')} deploys to {len(regions)} regions (at most {most})")
        before += len(regions)
    return Judged(not found, tuple(found) or (f"{len(stages)} stages deploy",), (_STAGES,))


def source_without_credentials(document: Mapping[str, Any]) -> Judged:
    """Say whether the addresses of Bitbucket hold no credentials.

    Credentials never reach the ledger: of an address that may have had some, it is only known that there are none where
    the project says that it connects in another way.
    """
    configuration = document["configuration"]
    secondary = configuration.get("secondarySources")
    sources = [configuration.get("source"), *(secondary if isinstance(secondary, list) else ())]
    answers: list[Judged] = []
    for source in sources:
        if not isinstance(source, dict) or source.get("type") != "BITBUCKET":
            continue
        location, auth = str(source.get("location", "")), source.get("auth")
        if MARK in location or _USERINFO.match(location):
            answers.append(Judged(False, ("the address holds credentials",), ("configuration.source.location",)))
        elif isinstance(auth, dict) and auth.get("type"):
            answers.append(Judged(True, (f"it connects by {auth['type']}",), ("configuration.source.auth",)))
        else:
            why = (
                "credentials in addresses are cut out before anything is recorded: whether there were some is not known"
            )
            answers.append(Judged(None, (why,), ("configuration.source.location",)))
    for holds in (False, None, True):
        for each in answers:
            if each.holds is holds:
                return each
    return Judged(True, ("no source is of Bitbucket",))


def stack_notifications(document: Mapping[str, Any]) -> Judged:
    """Say whether a stack tells a topic what happens to it: one of those given, where some are."""
    configuration = document["configuration"]
    stack = configuration.get("stack")
    places = [stack if isinstance(stack, dict) else {}, configuration]
    names = ("NotificationARNs", "notificationARNs")
    found = next((place[name] for place in places for name in names if isinstance(place.get(name), list)), None)
    if found is None:
        return Judged(None, ("NotificationARNs is no list",), ("configuration.stack.NotificationARNs",))
    wanted = [value for name, value in sorted(document["parameters"].items()) if name.startswith("snsTopic") and value]
    told = f"it tells {', '.join(map(str, found)) or 'nobody'}"
    holds = any(each in wanted for each in found) if wanted else bool(found)
    more = f", and should tell one of {', '.join(wanted)}" if wanted and not holds else ""
    return Judged(holds, (told + more,), ("configuration.stack.NotificationARNs",))


CONDITIONS: Final[dict[str, Callable[[Mapping[str, Any]], Judged]]] = {
    "deployment_count": deployment_count,
    "region_fanout": region_fanout,
    "source_without_credentials": source_without_credentials,
    "stack_notifications": stack_notifications,
}
"""What ``python`` may name in the rules of this package."""
