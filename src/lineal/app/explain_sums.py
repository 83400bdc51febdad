"""What the outcomes of all resources come to: an event that explains a change of one is not idle for another."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lineal.app.explain_work import Grounds, Outcome
from lineal.change.watermark import Coverage
from lineal.core.change import Judgement
from lineal.core.resource import Resource

Place = tuple[str, str]


@dataclass(slots=True)
class Sums:
    """Outcomes, added up in the order of resources.

    `effective` are events that explain a change (by their identifiers, with that judgement), `used` approvals that
    something on record used or was meant by, `watched` the resources with whatever trail they have, `places` the
    accounts and regions with what is known of their trail.
    """

    grounds: Grounds
    places: dict[Place, Coverage] = field(default_factory=dict)
    watched: list[tuple[Resource, Coverage]] = field(default_factory=list)
    effective: dict[str, Judgement] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    _idle: dict[str, Judgement] = field(default_factory=dict)

    def add(self, outcome: Outcome, *, watched: bool) -> None:
        """Add what was concluded of one resource, which was seen if it is `watched`."""
        of = outcome.resource
        coverage = self.grounds.trail.of(of.account, of.region, of.key)
        if watched:
            self.places[of.account, of.region] = coverage
            self.watched.append((of, coverage))
        else:
            self.places.setdefault((of.account, of.region), coverage)
        for event, place in outcome.effective.items():
            self.effective.setdefault(event, outcome.judgements[place])
        for root, judgement in outcome.idle.items():
            self._idle.setdefault(root, judgement)
        self.used |= outcome.used

    def judge_events(self) -> Iterator[Judgement]:
        """Yield what is concluded of the events that explain no change of any resource they are about."""
        for event, judgement in self._idle.items():
            if not self.effective.keys() & {event, *judgement.events}:
                self.used.update(judgement.approvals)
                yield judgement
