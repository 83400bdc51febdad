"""What the ledger answers to rules about the whole estate, as of a moment."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

from lineal.app.rule_lineage import LedgerLineage
from lineal.app.session import Session
from lineal.catalog.graph import FOREVER, Moment
from lineal.change.graph_rules import Lineage
from lineal.core.api_event import ApiEvent
from lineal.core.change import Judgement
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look, TrailSpan

ALL: Final = "*"


class LedgerAnswers:
    """Answers from one ledger; what was asked once is kept, since every rule asks for the estate.

    With `look`, what lies elsewhere is looked at now.
    """

    def __init__(self, session: Session, moment: Moment, *, look: bool = False) -> None:
        self._configuration = session.configuration
        self._moment = moment
        self._now = session.clock() if moment.time == FOREVER else moment.time
        self._lineage = LedgerLineage(session, moment, look=look)
        self._events: dict[str, Sequence[ApiEvent]] = {}

    @property
    def now(self) -> str:
        """The moment that is asked about."""
        return self._now

    @property
    def lineage(self) -> Lineage:
        """The graph of the ledger."""
        return self._lineage

    @cached_property
    def _estate(self) -> dict[str, ConfigItem]:
        return self._configuration.estate(self._moment)

    @cached_property
    def _coverage(self) -> tuple[list[Look], list[TrailSpan]]:
        return self._configuration.looks(self._moment), self._configuration.trail(self._moment)

    @cached_property
    def _judgements(self) -> list[Judgement]:
        return [judgement for judgement, _ in self._configuration.judgements(self._moment)]

    def estate(self) -> Mapping[str, ConfigItem]:
        """Return every resource that is there, by key."""
        return self._estate

    def history(self, resources: Sequence[str] | None) -> Mapping[str, Sequence[ConfigItem]]:
        """Return all items of some resources, oldest first; of all that there are or were for None."""
        if resources is None:
            return dict(self._configuration.all_items(self._moment))
        return self._configuration.items(resources, self._moment)

    def events(self, resources: Sequence[str] | None) -> Mapping[str, Sequence[ApiEvent]]:
        """Return the events that changed some resources; all of them, below ``*``, for None."""
        if resources is not None:
            return self._configuration.events(resources, moment=self._moment)
        if ALL not in self._events:
            self._events[ALL] = list(self._configuration.events_between(moment=self._moment))
        return self._events

    def coverage(self) -> tuple[Sequence[Look], Sequence[TrailSpan]]:
        """Return what was looked at, and the spans of trails."""
        return self._coverage

    def judgements(self) -> Sequence[Judgement]:
        """Return what was last concluded of each change."""
        return self._judgements
