"""Ask rules of the estate: what each concludes of each resource, and what is new of that on record."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lineal.app.batches import cut_batches
from lineal.app.rule_answers import LedgerAnswers
from lineal.app.rule_sets import RuleSet, load_rules
from lineal.app.session import Session
from lineal.catalog.graph import FOREVER, NOW, Moment
from lineal.change.graph_rules import evaluate_estate_rule
from lineal.change.rule import Rule
from lineal.change.rule_evaluation import NOBODY, Estate, evaluate_rules, inputs_of
from lineal.core.conclusion import CONCLUDED, INSUFFICIENT, NON_COMPLIANT, NOT_APPLICABLE, SEVERITIES, Conclusion
from lineal.core.observation import Observation
from lineal.errors import BadInput, ReadOnlyStore

_MOST: Final = 1000
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What rules concluded, sorted by rule and resource: what is at least as severe as was asked for.

    `milder` counts the broken rules that are less severe than that. `changed` pairs each conclusion that differs from
    the last on record in its state with that state (None: none); `recorded` counts those that went on record now, and
    `refused` says why none could. Of the past, nothing changed.
    """

    conclusions: tuple[Conclusion, ...]
    changed: tuple[tuple[Conclusion, str | None], ...]
    rules: RuleSet
    recorded: int
    milder: int = 0
    refused: str = ""

    @property
    def compliant(self) -> bool:
        """Whether no rule is broken."""
        return all(each.state != NON_COMPLIANT for each in self.conclusions)


def check_rules(
    session: Session,
    rules: RuleSet | None = None,
    *,
    moment: Moment = NOW,
    only: Collection[str] | None = None,
    severity: str = SEVERITIES[0],
    record: bool = True,
    deep: bool = False,
    on_progress: Progress | None = None,
) -> Checked:
    """Ask `rules` (by default those of `load_rules`) of the estate as of `moment`, or `only` of some resources (keys).

    Of the present, what differs from the last conclusion on record is recorded, unless `record` is false; what is less
    severe than `severity` as well, but it is left out of what is returned. With `deep`, rules about data look at the
    buckets where it lies. Raises what `Session.say_all` raises.
    """
    rules = load_rules() if rules is None else rules
    answers = LedgerAnswers(session, moment, look=deep)
    move = on_progress or (lambda _done, _all: None)
    found = sorted(_ask(answers, rules, only, lambda done: move(done, 0)), key=lambda each: (each.rule, each.resource))
    before = {(each.rule, each.resource): each for each in session.configuration.conclusions(moment)}
    is_now = moment.time == FOREVER and moment.known == FOREVER
    gone = list(_gone(found, before, rules)) if only is None and is_now else []
    new = [each for each in (*found, *gone) if _differs(each, before.get((each.rule, each.resource)))]
    refused = _record(session, new) if record and is_now and new else ""
    shown = [each for each in found if _is_severe(each, severity)]
    changed = [(each, _state(before.get((each.rule, each.resource)))) for each in new if _is_severe(each, severity)]
    return Checked(
        conclusions=tuple(shown),
        changed=tuple((each, state) for each, state in changed if is_now and state != each.state),
        rules=rules,
        recorded=len(new) if record and is_now and not refused else 0,
        refused=refused,
        milder=sum(each.state == NON_COMPLIANT and not _is_severe(each, severity) for each in found),
    )


def _record(session: Session, conclusions: Sequence[Conclusion]) -> str:
    """Put conclusions on record; return why that cannot be done where the ledger may only be read."""
    try:
        session.say_all(list(observe_conclusions(conclusions, session.clock(), session.actor)))
    except ReadOnlyStore as error:
        return f"nothing was put on record: {error.message}"
    return ""


def _is_severe(conclusion: Conclusion, severity: str) -> bool:
    return SEVERITIES.index(conclusion.severity) >= SEVERITIES.index(severity)


def _state(conclusion: Conclusion | None) -> str | None:
    return None if conclusion is None else conclusion.state


def has_configuration(session: Session, moment: Moment = NOW) -> bool:
    """Return whether anything is on record that rules could be asked of: items, looks, a trail."""
    configuration = session.configuration
    if configuration.looks(moment) or configuration.trail(moment):
        return True
    items = configuration.all_items(moment)
    try:
        return next(items, None) is not None
    finally:
        items.close()  # type: ignore[attr-defined]  # a generator, which holds a connection


def resources_of(session: Session, name: str, moment: Moment = NOW) -> list[str]:
    """Return the keys of the resources that a person may mean by `name`: an ARN, a key, ``TYPE/NAME``, a name."""
    from lineal.core.resource import key_of

    found = session.configuration.resources_named(key_of(name)) or session.configuration.resources_named(name)
    there = session.configuration.estate(moment)
    return [key for key in found if key in there]


def choose_rules(rules: RuleSet, ids: Collection[str]) -> RuleSet:
    """Return those of `rules` whose identifier is one of `ids`; raise `BadInput` for one that there is not."""
    if not ids:
        return rules
    known = {each.id for each in rules.rules} | {each.id for each in rules.unsupported}
    unknown = sorted(set(ids) - known)
    if unknown:
        raise BadInput(f"there is no rule {unknown[0]!r}", fix="`lineal check --list-rules` shows them all.")
    return RuleSet(
        tuple(each for each in rules.rules if each.id in ids),
        tuple(each for each in rules.unsupported if each.id in ids),
    )


def _ask(
    answers: LedgerAnswers, rules: RuleSet, only: Collection[str] | None, move: Callable[[int], None]
) -> Iterator[Conclusion]:
    there = answers.estate()
    items = there if only is None else {key: there[key] for key in only if key in there}
    estate = Estate(items, answers.coverage()[0], whole=only is None)
    yield from evaluate_rules([each for each in rules.rules if isinstance(each, Rule)], estate, move)
    for rule in rules.rules:
        if not isinstance(rule, Rule):
            for each in evaluate_estate_rule(rule, answers):
                if only is None or each.resource in only:
                    yield each
    if only is None:
        for lacking in rules.unsupported:
            yield _unsupported(lacking.id, lacking.name, lacking.why)


def _unsupported(rule: str, name: str, why: str) -> Conclusion:
    text = f"not asked: {why}" if name == rule else f"{name} was not asked: {why}"
    return Conclusion(
        rule=rule, resource=NOBODY, type=NOBODY, state=INSUFFICIENT, severity="medium", explanation=text,
        inputs=inputs_of(rule, text), more={"unsupported": True},
    )  # fmt: skip


def _differs(new: Conclusion, last: Conclusion | None) -> bool:
    return last is None or (new.state, new.inputs) != (last.state, last.inputs)


def _gone(
    found: Sequence[Conclusion], before: dict[tuple[str, str], Conclusion], rules: RuleSet
) -> Iterator[Conclusion]:
    """Yield conclusions that take back those of resources which the rules meet no more."""
    now = {(each.rule, each.resource) for each in found}
    asked = {each.id for each in rules.rules} | {each.id for each in rules.unsupported}
    for place, last in before.items():
        if place not in now and last.rule in asked and last.state != NOT_APPLICABLE:
            why = "nothing is left to say of the rule as a whole" if last.resource == NOBODY else "it is not there now"
            yield replace(
                last, state=NOT_APPLICABLE, explanation=why, remedy="", evidence=(), inputs=inputs_of(last.rule, why)
            )


def observe_conclusions(conclusions: Sequence[Conclusion], time: str, actor: str) -> Iterator[Observation]:
    """Yield observations that say `conclusions`, some in each."""
    for batch in cut_batches((each.describe() for each in conclusions), _MOST):
        yield Observation(type=CONCLUDED, time=time, actor=actor, basis="observed", data={"conclusions": batch})
