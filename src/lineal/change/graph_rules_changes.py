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
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.resource import read_arn

_BROKEN: Final = (UNEXPLAINED, UNAPPROVED)
_OPEN: Final = (PENDING, NOT_OBSERVABLE)
WITHDRAWN: Final = "withdrawn"  # the note of a judgement that takes the place of one which says nothing any more
_NUMBER: Final = re.compile(r"\d+")


def changes_explained(questions: Questions, parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield, for each resource that changed, whether every change was explained and approved."""
    begin = since(questions, parameters)
    held: dict[str, list[Judgement]] = defaultdict(list)
    known: set[str] = set()
    for judgement in questions.judgements():
        known.add(judgement.about)
        # What was concluded of an approval is about whatever it allowed, which may be no resource at all. The last word
        # on what is no change, or no event without one, any more is none about the resource: another judgement is.
        if (
            judgement.until > begin
            and judgement.resource
            and judgement.verdict != NOT_DONE
            and WITHDRAWN not in judgement.notes
        ):
            held[judgement.resource].append(judgement)
    open_ones: dict[str, list[Change]] = defaultdict(list)
    for change in _changes(questions, questions.history(None)):
        if change.until > begin and change.id not in known:
            open_ones[change.resource].append(change)
    estate = questions.estate()
    if not held and not open_ones and estate:
        yield about_nothing(INSUFFICIENT, "no change is judged: lineal explain")
    for key in sorted({*held, *open_ones}):
        item = estate.get(key)
        found = item.resource if item is not None else read_arn(key)
        kind, account, region = ("*", "", "") if found is None else (found.type, found.account, found.region)
        state, text, evidence, severity = _judge(held.get(key, ()), open_ones.get(key, ()))
        yield Found(
            resource=key, type=kind, state=state, explanation=text, account=account, region=region, severity=severity,
            evidence=evidence, more={} if found is None else {"name": found.name},
        )  # fmt: skip


def _changes(questions: Questions, histories: Mapping[str, Sequence[ConfigItem]]) -> Iterator[Change]:
    """Yield every change of some resources; of the looks, each resource is held against those that may bear on it."""
    looks: dict[tuple[str, str, str], list[Look]] = defaultdict(list)
    for look in questions.coverage()[0]:
        looks[look.account, look.region, look.type].append(look)
    for items in histories.values():
        if items:
            of = items[0].resource
            near = [each for kind in (of.type, "*") for each in looks.get((of.account, of.region, kind), ())]
            if len(items) > 1 or near:
                yield from list_changes(items, near)


def _judge(judgements: Sequence[Judgement], unjudged: Sequence[Change]) -> tuple[str, str, tuple[str, ...], str]:
    more = f"{len(unjudged)} not judged: lineal explain" if unjudged else ""
    for verdicts, state in ((_BROKEN, NON_COMPLIANT), (_OPEN, INSUFFICIENT)):
        chosen = [each for each in judgements if each.verdict in verdicts]
        if chosen:
            counts = Counter(each.verdict for each in chosen)
            told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in verdicts if counts[verdict])
            last = max(chosen, key=lambda each: (verdicts.index(each.verdict) * -1, each.until))
            text = f"changes: {told}; the last by {last.until}: {last.why}" + (f"; {more}" if more else "")
            severity = "critical" if counts[UNEXPLAINED] else ""
            return state, text, tuple(sorted(each.about for each in chosen)), severity
    counts = Counter(each.verdict for each in judgements)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    if unjudged:
        return INSUFFICIENT, f"changes: {', '.join(filter(None, (told, more)))}", (), ""
    return COMPLIANT, f"changes: {told}", (), ""


def schema_drift(questions: Questions, parameters: Mapping[str, Any]) -> Iterator[Found]:
    """Yield one finding for each field that most resources of a type gained or lost at once: the service changed."""
    begin = since(questions, parameters)
    estate = questions.estate()
    histories = questions.history(list(estate))
    grouped: dict[tuple[str, str, str, str], list[Change]] = defaultdict(list)
    members: Counter[str] = Counter(item.resource.type for item in estate.values())
    for change in _changes(questions, {key: items for key, items in histories.items() if len(items) > 1}):
        if (
            change.kind == "updated" and change.until > begin and change.type.startswith("AWS::")
        ):  # files have no service
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
