"""What AWS Config recorded, merged with what is on record: the same words by whomever are said once.

Items of one shape are compared, whoever observed them. A deletion has no words: it holds in every shape in which the
resource is there.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from lineal.app.collect import Progress
from lineal.app.config_record import new_items
from lineal.app.session import Session
from lineal.change.semantic import with_semantic
from lineal.core.config_item import ConfigItem

_HELD: Final = 100_000
_CLOSE_SECONDS: Final = 1.0


class Merge:
    """Says of items, in the order in which they come, which are new; remembers those that are not recorded yet."""

    def __init__(self, session: Session, on_progress: Progress | None = None) -> None:
        self.seen = self.recorded = 0
        self._session, self._on_progress = session, on_progress or (lambda _seen, _recorded: None)
        self._waiting: list[ConfigItem] = []

    def fresh(self, items: Iterable[ConfigItem]) -> list[ConfigItem]:
        """Return those of `items` that say anything new, with their semantic digests."""
        given = [with_semantic(each) if each.status == "ok" else each for each in items]
        keys = {each.resource.key for each in given}
        before = [each for each in self._waiting if each.resource.key in keys]
        known = self._known(given, before)
        settled = [
            shaped
            for each in given
            for shaped in (_shapes(each, known) if each.status == "deleted" else [_align(each, known)])
        ]
        own = set(map(id, before))
        found = [each for each in new_items(self._session, [*before, *settled]) if id(each) not in own]
        self._waiting = [*self._waiting, *found][-_HELD:]
        self.seen += len(given)
        self.recorded += len(found)
        self._on_progress(self.seen, self.recorded)
        return found

    def _known(self, given: list[ConfigItem], before: list[ConfigItem]) -> dict[str, list[ConfigItem]]:
        wanted = {each.resource.key for each in given if each.status == "deleted" or each.shape == "api"}
        held = {key: list(found) for key, found in self._session.configuration.items(sorted(wanted)).items()}
        for each in [*before, *given]:
            if each.resource.key in wanted:
                held.setdefault(each.resource.key, []).append(each)
        return {key: sorted(found, key=lambda each: each.time) for key, found in held.items()}


def _shapes(item: ConfigItem, known: dict[str, list[ConfigItem]]) -> list[ConfigItem]:
    """Return a deletion in each shape in which the resource was there just before it."""
    last: dict[str, ConfigItem] = {}
    for each in known.get(item.resource.key, []):
        if each.time < item.time and each.status != "unrecorded":
            last[each.shape] = each
    there = sorted(shape for shape, each in last.items() if each.status == "ok")
    gone = sorted(shape for shape, each in last.items() if each.status == "deleted")
    # In a shape in which it is gone already, that is no news; where nothing is known, the words are AWS Config's.
    return [
        replace(item, shape=shape, created=last[shape].created if shape in last else item.created)
        for shape in there or gone or ["config"]
    ]


def _align(item: ConfigItem, known: dict[str, list[ConfigItem]]) -> ConfigItem:
    """Return an item with the moment of creation that is on record, if it says none, or the same less exactly."""
    if item.shape != "api":
        return item
    created: str | None = None
    for each in known.get(item.resource.key, []):
        if each is not item and each.shape == "api" and each.time <= item.time:
            created = None if each.status == "deleted" else _join(created, each.created)
    return replace(item, created=_join(created, item.created))


def _join(known: str | None, said: str | None) -> str | None:
    """Return the moment of creation that is known, if what is said now is that, less exactly or not at all."""
    return known if known is not None and (said is None or _is_close(known, said)) else said


def _is_close(one: str, other: str) -> bool:
    apart = datetime.fromisoformat(one) - datetime.fromisoformat(other)
    return abs(apart.total_seconds()) < _CLOSE_SECONDS
