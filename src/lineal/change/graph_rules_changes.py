"""Rules about changes: each is explained and approved; and fields that a service begins to give everywhere at once."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lineal.change.graph_rules import EstateRule, Found, Questions, about_nothing
from lineal.change.graph_rules_trail import DAYS, since
from lineal.change.history import list_changes
from lineal.change.kinds import Node, kind_of
from lineal.change.rule import Parameter
from lineal.change.semantic import TAGS
from lineal.core.change import NOT_DONE, NOT_OBSERVABLE, PENDING, UNAPPROVED, UNEXPLAINED, Change, Judgement, Path
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT
from lineal.core.resource import read_arn

_BROKEN: Final = (UNEXPLAINED, UNAPPROVED)
_OPEN: Final = (PENDING, NOT_OBSERVABLE)
_NUMBER: Final = re.compile(r"\d+")


def changes_explained(questions: Questions, parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield, for each resource that changed, whether every change was explained and approved."""
    begin = since(questions, parameters)
    held: dict[str, list[Judgement]] = defaultdict(list)
    for judgement in questions.judgements():
        # What was concluded of an approval is about whatever it allowed, which may be no resource at all.
        if judgement.until > begin and judgement.resource and judgement.verdict != NOT_DONE:
            held[judgement.resource].append(judgement)
    if not held and questions.estate():
        yield about_nothing(INSUFFICIENT, "no change is judged: lineal explain")
    estate = questions.estate()
    for key, own in held.items():
        item = estate.get(key)
        found = item.resource if item is not None else read_arn(key)
        kind, account, region = ("*", "", "") if found is None else (found.type, found.account, found.region)
        state, text, evidence, severity = _judge(own)
        yield Found(
            resource=key, type=kind, state=state, explanation=text, account=account, region=region, severity=severity,
            evidence=evidence, more={} if found is None else {"name": found.name},
        )  # fmt: skip


def _judge(judgements: Sequence[Judgement]) -> tuple[str, str, tuple[str, ...], str]:
    for verdicts, state in ((_BROKEN, NON_COMPLIANT), (_OPEN, INSUFFICIENT)):
        chosen = [each for each in judgements if each.verdict in verdicts]
        if chosen:
            counts = Counter(each.verdict for each in chosen)
            told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in verdicts if counts[verdict])
            last = max(chosen, key=lambda each: (verdicts.index(each.verdict) * -1, each.until))
            text = f"changes: {told}; the last by {last.until}: {last.why}"
            severity = "critical" if counts[UNEXPLAINED] else ""
            return state, text, tuple(sorted(each.about for each in chosen)), severity
    counts = Counter(each.verdict for each in judgements)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    return COMPLIANT, f"changes: {told}", (), ""


def schema_drift(questions: Questions, parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield one finding for each field that most resources of a type gained or lost at once: the service changed."""
    begin = since(questions, parameters)
    looks = questions.coverage()[0]
    estate = questions.estate()
    histories = questions.history(list(estate))
    grouped: dict[tuple[str, str, str, str], list[Change]] = defaultdict(list)
    members: Counter[str] = Counter(item.resource.type for item in estate.values())
    for items in histories.values():
        if len(items) < 2:
            continue
        for change in list_changes(items, looks):
            if change.kind == "updated" and change.until > begin:
                for edit in change.edits:
                    if edit.op in {"add", "remove"} and edit.path[0] != TAGS:  # tags are people's
                        path = _widen(edit.path, kind_of(change.type).root)
                        grouped[(change.type, edit.op, path, change.until[:13])].append(change)
    least = parameters["least"] or 3
    for (kind, op, path, hour), changes in sorted(grouped.items()):
        resources = sorted({each.resource for each in changes})
        if len(resources) >= least and 2 * len(resources) > members[kind]:
            word = "gained" if op == "add" else "lost"
            text = (
                f"{len(resources)} of {members[kind]} {word} the field {path} by {hour}h: the service changed, not they"
            )
            evidence = tuple(sorted({each.id for each in changes}))
            key = f"{kind}/schema/{op}/{path}"[:500]
            yield Found(resource=key, type=kind, state=NON_COMPLIANT, explanation=text, evidence=evidence)


def _widen(path: Path, node: Node) -> str:
    """Return a path of fields as people read it, with ``*`` for the number or, in keyed lists, name of an element."""
    said: list[str] = []
    for name in path:
        said.append("*" if node.keys is not None or _NUMBER.fullmatch(name) else name)
        node = node.children.get(name) or node.every or Node()
    return ".".join(said)


CHANGE_RULES: Final = (
    EstateRule(
        id="CHANGES_EXPLAINED",
        description="Every change of a resource has an event that made it, and an approval that allowed it.",
        resource_types=("*",),
        severity="high",
        ask=changes_explained,
        remedy="lineal explain RESOURCE shows each field; lineal approve change records what was allowed.",
        tags=("change", "approval"),
        parameters={"daysBack": DAYS},
    ),
    EstateRule(
        id="SCHEMA_DRIFT",
        description="No service began to give, or stopped giving, a field of most resources of a type at once.",
        resource_types=("*",),
        severity="informational",
        ask=schema_drift,
        remedy="Look at the field once; changes of it in each resource are one change of the service.",
        tags=("change",),
        parameters={
            "daysBack": DAYS,
            "least": Parameter(kind="integer", value=3, description="From how many resources on."),
        },
    ),
)
"""Rules about changes."""
