"""Rules in Python about the whole estate: for what depends on time, on other resources, or on lineage.

Rules are pure: they ask questions, and who runs them answers from the ledger. So they can be asked of any moment.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from lineal.change.rule import Parameter
from lineal.change.rule_evaluation import NOBODY, inputs_of
from lineal.core.api_event import ApiEvent
from lineal.core.change import Judgement
from lineal.core.conclusion import COMPLIANT, INSUFFICIENT, NON_COMPLIANT, NOT_APPLICABLE, Conclusion
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look, TrailSpan
from lineal.core.resource import make_resource
from lineal.errors import LinealError

ACCOUNT: Final = "AWS::::Account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What is on record of how an image came to be: its `digest`, the `code` it was made from, the `run` that made it.

    `claimed` says that only the image itself, or whoever pushed it, says so.
    """

    ref: str
    digest: str | None = None
    code: str | None = None
    run: str | None = None
    claimed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """One dataset version that a model was trained on, and what was found at its `place` after it was used.

    `changed` says what was found that differs, `seen` when its place was last seen to hold it, None if never again.
    """

    ref: str
    used: str
    place: str = ""
    changed: str | None = None
    seen: str | None = None


class Lineage(Protocol):
    """What the graph of the ledger says of images, tags and training data."""

    def image(self, uri: str) -> Built | None:
        """Return what is on record of an image, None if nothing is."""
        ...

    def tag(self, repository: str, tag: str) -> Sequence[tuple[str, str | None]]:
        """Return when the tag of a repository was seen to name which digest (None: none), oldest first."""
        ...

    def training_data(self, resource: str) -> Sequence[Data] | None:
        """Return the datasets that the model of a resource was trained on, None if nothing is on record of it."""
        ...


class Questions(Protocol):
    """What rules about the whole estate may ask; every answer is as of one moment."""

    @property
    def now(self) -> str:
        """The moment that is asked about."""
        ...

    @property
    def lineage(self) -> Lineage:
        """The graph of the ledger."""
        ...

    def estate(self) -> Mapping[str, ConfigItem]:
        """Return every resource that is there, by key."""
        ...

    def history(self, resources: Sequence[str] | None) -> Mapping[str, Sequence[ConfigItem]]:
        """Return all items of some resources (keys), oldest first; of all that there are or were for None."""
        ...

    def events(self, resources: Sequence[str] | None) -> Mapping[str, Sequence[ApiEvent]]:
        """Return the events that changed some resources (keys), oldest first; of all there is (None) below ``*``."""
        ...

    def coverage(self) -> tuple[Sequence[Look], Sequence[TrailSpan]]:
        """Return what was looked at, and the spans of trails."""
        ...

    def judgements(self) -> Sequence[Judgement]:
        """Return what was last concluded of each change."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a rule about the whole estate says of one resource (its key, or a name that stands for several)."""

    resource: str
    type: str
    state: str
    explanation: str
    account: str = ""
    region: str = ""
    severity: str = ""
    evidence: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EstateRule:
    """A rule about the whole estate: `ask` takes the questions and the values of the parameters."""

    id: str
    description: str
    resource_types: tuple[str, ...]
    severity: str
    ask: Callable[[Questions, Mapping[str, Any]], Iterable[Found]]
    remedy: str = ""
    tags: tuple[str, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    source: str = "lineal"


def evaluate_estate_rule(rule: EstateRule, questions: Questions) -> Iterator[Conclusion]:
    """Yield what `rule` says; a rule that says nothing gives one conclusion, that it met no resource.

    One that fails (others write rules, too) gives one conclusion that says so, and takes no other rule with it.
    """
    values = {name: each.value for name, each in rule.parameters.items()}
    try:
        told = sorted(rule.ask(questions, values), key=lambda each: each.resource)
        concluded = [_conclude(rule, found, values) for found in told]
    except LinealError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever somebody's rule raises
        text = f"the rule itself failed: {type(error).__name__}: {error}"
        concluded = [_conclude(rule, about_nothing(INSUFFICIENT, text), values)]
    yield from concluded
    if not concluded:
        types = ", ".join(rule.resource_types)
        nothing = Found(resource=NOBODY, type=NOBODY, state=NOT_APPLICABLE, explanation=f"matched no resource: {types}")
        yield _conclude(rule, nothing, values)


def _conclude(rule: EstateRule, found: Found, values: Mapping[str, Any]) -> Conclusion:
    return Conclusion(
        rule=rule.id,
        resource=found.resource,
        type=found.type,
        state=found.state,
        severity=found.severity or rule.severity,
        explanation=found.explanation,
        account=found.account,
        region=found.region,
        remedy=rule.remedy if found.state == NON_COMPLIANT else "",
        evidence=found.evidence[:50],
        inputs=inputs_of(rule.id, dict(values), found.state, found.explanation, list(found.evidence)),
        more=dict(found.more),
    )


def about(item: ConfigItem, state: str, explanation: str, *evidence: str, severity: str = "") -> Found:
    """Return what a rule says of the resource of an item, of which the item itself is evidence."""
    of = item.resource
    return Found(
        resource=of.key, type=of.type, state=state, explanation=explanation, account=of.account, region=of.region,
        severity=severity, evidence=tuple(dict.fromkeys((item.digest(), *evidence))), more={"name": of.name},
    )  # fmt: skip


def about_account(account: str, region: str, state: str, explanation: str, *evidence: str) -> Found:
    """Return what a rule says of an account as a whole, or of one region of it."""
    of = make_resource(ACCOUNT, account or "unknown", region, account or "unknown")
    return Found(
        resource=of.key, type=ACCOUNT, state=state, explanation=explanation, account=account, region=region,
        evidence=evidence,
    )  # fmt: skip


def about_nothing(state: str, explanation: str) -> Found:
    """Return what a rule says where there is no resource to say it of."""
    return Found(resource=NOBODY, type=NOBODY, state=state, explanation=explanation)


__all__ = [
    "ACCOUNT", "COMPLIANT", "INSUFFICIENT", "NON_COMPLIANT", "NOT_APPLICABLE", "Built", "Data", "EstateRule", "Found",
    "Lineage", "Questions", "about", "about_account", "about_nothing", "evaluate_estate_rule",
]  # fmt: skip
