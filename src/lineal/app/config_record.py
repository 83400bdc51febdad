"""Recording configuration items: what differs from what is known goes on record, in batches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from lineal.app.batches import cut_batches
from lineal.app.session import Session
from lineal.core.config_item import OBSERVED, ConfigItem
from lineal.core.observation import Observation

_MOST: Final = 200
_RECORDED: Final = "aws-config"
_ASKED: Final = "aws"  # what AWS Config says where the state would be is a number of its own


def new_items(session: Session, items: Iterable[ConfigItem]) -> list[ConfigItem]:
    """Return those of `items` that say anything new: of each resource and shape, what differs from the one before.

    Items whose semantic digest and status are those of the item before them (in time) say nothing new; nor does one
    that is on record at the same moment. That the service, asked itself, says another state (Failed) is news, too; and
    so is that a recorder saw the same again: its records come late and in any order, and another may lie between.
    """
    given = sorted(items, key=lambda each: (each.resource.key, each.time))
    known = session.configuration.items([each.resource.key for each in given])
    held: dict[tuple[str, str], list[ConfigItem]] = {}
    for key, found in known.items():
        for each in found:
            held.setdefault((key, each.shape), []).append(each)
    new: list[ConfigItem] = []
    for item in given:
        before = held.setdefault((item.resource.key, item.shape), [])
        past = [each for each in before if each.time <= item.time]
        last = max(past, key=lambda each: each.time, default=None)
        if last is None or _told(last) != _told(item) or _is_in_another_state(item, past) or _is_again(item, last):
            new.append(item)
            before.append(item)
    return new


def _told(item: ConfigItem) -> tuple[str | None, ...]:
    return item.semantic, item.status, item.created


def _is_in_another_state(item: ConfigItem, past: Sequence[ConfigItem]) -> bool:
    """Return whether the service itself says another state than when it was asked last."""
    own = [each for each in past if each.source == _ASKED]
    return item.source == _ASKED and bool(own) and max(own, key=lambda each: each.time).state != item.state


def _is_again(item: ConfigItem, last: ConfigItem) -> bool:
    """Return whether AWS Config says, under another number, that a resource is as it was, or still gone."""
    return (
        item.source == last.source == _RECORDED
        and item.status == last.status
        and None not in (item.state, last.state)
        and item.state != last.state
        and item.time != last.time
    )


def observe_items(items: Sequence[ConfigItem], actor: str) -> Iterator[Observation]:
    """Yield observations that say `items`, some in each, at the time of the last of them."""
    told = sorted(items, key=lambda each: each.time)
    for batch in cut_batches((each.describe() for each in told), _MOST):
        yield Observation(type=OBSERVED, time=batch[-1]["time"], actor=actor, basis="observed", data={"items": batch})


def missing(
    session: Session, seen: Iterable[str], *, source: str, kind: str, account: str, region: str, at: str
) -> list[ConfigItem]:
    """Return deletions, at the moment `at`, of the resources that were there and a complete look did not see.

    `seen` are the keys of the resources that the look saw. Only resources that `source` has seen itself are said to be
    gone.
    """
    there = session.configuration.estate(kind=kind, account=account, region=region)
    there_still = set(seen)
    return [
        replace(
            item, time=at, status="deleted", configuration={}, tags={}, relationships=(), modified=None, state=None,
            semantic=None, extra={},
        )
        for key, item in there.items()
        if key not in there_still and item.source == source and item.time <= at
    ]  # fmt: skip
