"""Rules held against an estate: a conclusion for every resource that a rule is about, and one where it met none."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import Any, Final

from lineal.change.rule import Rule
from lineal.change.rule_checks import Judged, all_of, every, truth
from lineal.change.rule_paths import MISSING, Unanswerable
from lineal.core import canonical
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT, NOT_APPLICABLE, Conclusion
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.digest import Digest

NOBODY: Final = "*"
_STATES: Final = {True: COMPLIANT, False: NON_COMPLIANT, None: INSUFFICIENT}
_MOST_NAMED: Final = 5


@dataclass(frozen=True)
class Estate:
    """The resources to hold rules against, and what was looked at to find them."""

    items: Mapping[str, ConfigItem]
    looks: Sequence[Look]
    whole: bool = True

    def of_types(self, patterns: tuple[str, ...]) -> Iterator[ConfigItem]:
        """Yield the items of types that one of `patterns` fits, in the order of their keys."""
        found = [item for kind, items in self._typed.items() if fits(kind, patterns) for item in items]
        yield from sorted(found, key=lambda each: each.resource.key)

    @cached_property
    def types_looked_at(self) -> frozenset[str]:
        """The types that somebody looked at by name."""
        return frozenset(look.type for look in self.looks) - {NOBODY}

    @cached_property
    def _typed(self) -> dict[str, list[ConfigItem]]:
        found: dict[str, list[ConfigItem]] = {}
        for item in self.items.values():
            found.setdefault(item.resource.type, []).append(item)
        return found


@lru_cache(maxsize=65536)
def fits(kind: str, patterns: tuple[str, ...]) -> bool:
    """Return whether the type `kind` is one of `patterns`."""
    return any(fnmatchcase(kind, each) for each in patterns)


def describe_for_rules(item: ConfigItem, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document that rules see of a resource; docs/rules.md tells of each field."""
    of = item.resource
    return {
        "configuration": item.configuration,
        "tags": item.tags,
        "relationships": [{"type": each.type, "key": each.key, "name": each.name} for each in item.relationships],
        "resource": of.key,
        "type": of.type,
        "account": of.account,
        "region": of.region,
        "name": of.name,
        "created": item.created,
        "modified": item.modified,
        "state": item.state,
        "shape": item.shape,
        "time": item.time,
        "supplementary": item.extra.get("supplementaryConfiguration", item.extra.get("supplementary", {})),
        "parameters": parameters,
    }


def evaluate(rule: Rule, item: ConfigItem, digest: str | None = None, asked: str | None = None) -> Conclusion:
    """Return what `rule` says of one resource; `digest` is that of the item, `asked` of the rule, where it is known."""
    document = describe_for_rules(item, {name: each.value for name, each in rule.parameters.items()})
    state, told = judge(rule, document)
    held = item.digest() if digest is None else digest
    explanation = "; ".join(told.facts)
    if state == NON_COMPLIANT:
        explanation = f"{rule.message}: {explanation}" if explanation else rule.message
    elif state == COMPLIANT:
        explanation = explanation or "holds"
    of = item.resource
    return Conclusion(
        rule=rule.id,
        resource=of.key,
        type=of.type,
        state=state,
        severity=rule.severity,
        explanation=explanation,
        account=of.account,
        region=of.region,
        remedy=rule.remedy if state == NON_COMPLIANT else "",
        evidence=(held, *told.paths),
        inputs=inputs_of(rule.digest if asked is None else asked, held),
        more={"name": of.name},
    )


def decide(rule: Rule, document: Mapping[str, Any]) -> str:
    """Return the state of a resource by `rule`; `document` is what rules see of the resource."""
    try:
        for paths in rule.needs:
            if all(path.find(document) is MISSING for path in paths):
                return INSUFFICIENT
        if rule.when is not None and not truth(rule.when.ask(document)):
            return NOT_APPLICABLE
    except Unanswerable:
        return INSUFFICIENT
    return _STATES[all_of(check.holds(document) for check in rule.checks)]


def judge(rule: Rule, document: Mapping[str, Any]) -> tuple[str, Judged]:
    """Return the state of a resource by `rule`, as `decide` does, and what decides it."""
    try:
        lacking = [paths[0].text for paths in rule.needs if all(path.find(document) is MISSING for path in paths)]
        if lacking:
            return INSUFFICIENT, Judged(None, tuple(f"the record has no {each}" for each in lacking), tuple(lacking))
        if rule.when is not None and not truth(rule.when.ask(document)):
            return NOT_APPLICABLE, Judged(None, (f"not asked of it: {rule.when.text}",), (rule.when.text,))
    except Unanswerable as error:
        return INSUFFICIENT, Judged(None, (str(error),))
    told = every([check.judge(document) for check in rule.checks])
    return _STATES[told.holds], told


def inputs_of(*parts: Any) -> str:
    """Return the digest of what a conclusion rests on."""
    return str(Digest.of(canonical.encode(list(parts))))


def evaluate_rules(
    rules: Iterable[Rule], estate: Estate, on_progress: Callable[[int], None] | None = None
) -> Iterator[Conclusion]:
    """Yield what each of `rules` says of each resource of `estate`; of a type nobody saw whole, that it is not known.

    A rule that met no resource gives one conclusion, about ``*``.
    """
    digests: dict[str, str] = {}
    done = 0
    for rule in rules:
        met: dict[str, int] = {}
        asked = rule.digest
        for item in estate.of_types(rule.resource_types):
            key = item.resource.key
            if key not in digests:
                digests[key] = item.digest()
            met[item.resource.type] = met.get(item.resource.type, 0) + 1
            yield evaluate(rule, item, digests[key], asked)
            done += 1
            if on_progress is not None and done % 500 == 0:
                on_progress(done)
        if estate.whole:
            yield from _conclude_on_types(rule, estate, met)
    if on_progress is not None:
        on_progress(done)


def _conclude_on_types(rule: Rule, estate: Estate, met: Mapping[str, int]) -> Iterator[Conclusion]:
    """Yield the conclusion about ``*``: types not seen whole, or no resource met."""
    unseen: list[str] = []
    types = dict.fromkeys(rule.resource_types)
    for pattern in rule.resource_types:
        if "*" in pattern or "?" in pattern:
            del types[pattern]
            found = sorted(kind for kind in {*met, *estate.types_looked_at} if fits(kind, (pattern,)))
            types |= dict.fromkeys(found)
            unseen += [] if found else not_observable(pattern, estate.looks, known=False)
    unseen += [why for kind in types for why in not_observable(kind, estate.looks, known=met.get(kind, 0) > 0)]
    if unseen:
        yield about_none(rule, INSUFFICIENT, _some(unseen))
    elif not met:
        yield about_none(rule, NOT_APPLICABLE, f"matched no resource: there is no {_some(list(rule.resource_types))}")


def about_none(rule: Rule, state: str, explanation: str) -> Conclusion:
    """Return a conclusion of `rule` about no resource in particular."""
    kind = rule.resource_types[0] if len(rule.resource_types) == 1 else NOBODY
    inputs = inputs_of(rule.digest, state, explanation)
    return Conclusion(
        rule=rule.id, resource=NOBODY, type=kind, state=state, severity=rule.severity, explanation=explanation,
        inputs=inputs,
    )  # fmt: skip


def not_observable(kind: str, looks: Sequence[Look], *, known: bool) -> list[str]:
    """Return why resources of a type may be there that nobody saw, a line for each place; nothing if all were seen.

    Of each account and region, the last look of each source counts; a look at everything counts for what its source
    can see. What lies outside AWS is known by being `known`.
    """
    last: dict[tuple[str, str], dict[str, Look]] = {}
    for look in sorted(looks, key=lambda each: each.ended):
        if look.type == kind or (look.type == NOBODY and look.source.startswith("aws") == kind.startswith("AWS::")):
            last.setdefault((look.account, look.region), {})[look.source] = look
    if not last:
        return [] if known and not kind.startswith("AWS::") else [f"nobody looked for {kind}"]
    return [
        f"{kind} could not be seen whole in {' '.join(filter(None, place)) or 'any place'}"
        for place, found in sorted(last.items())
        if not any(look.complete for look in found.values())
    ]


def _some(names: Collection[str]) -> str:
    shown = list(names)[:_MOST_NAMED]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
