"""How a resource stands, by what was recorded of it and by who looked: there, gone, or not seen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a resource stands: ``there``, ``gone`` or ``unseen``.

    `first_seen` and `last_seen` are the first and last moment that it was seen, `changed` when the configuration that
    holds was first seen, `gone` when it was found to be gone. `last_looked` is when somebody last looked completely at
    all resources of its type there: None where nobody ever did.
    """

    state: str
    first_seen: str | None = None
    changed: str | None = None
    last_seen: str | None = None
    gone: str | None = None
    last_looked: str | None = None


def looks_at(of: Resource, looks: Sequence[Look]) -> list[Look]:
    """Return those of `looks` that would have seen the resource `of`."""
    return [
        look
        for look in looks
        if look.account == of.account and look.region in (of.region, "") and look.type in (of.type, "*")
    ]


def standing(items: Sequence[ConfigItem]) -> ConfigItem | None:
    """Return what holds of one resource after `items` (oldest first): a deletion, if it is the last word.

    Of several shapes, what the service itself said goes before what a recorder said of it.
    """
    if not items:
        return None
    if items[-1].status == "deleted":
        return items[-1]
    gone = max((place for place, item in enumerate(items) if item.status == "deleted"), default=-1)
    last = {item.shape: item for item in items[gone + 1 :]}
    alive = [item for item in last.values() if item.status == "ok"]
    return next((item for item in alive if item.shape == "api"), alive[-1] if alive else items[-1])


def held_since(told: Iterable[tuple[str, str, str, str | None]], holds: ConfigItem) -> str:
    """Return when the configuration that holds was seen first, by shape, time, status and semantic digest of all items.

    They come in the order of time. What was seen again with nothing in it that counts changed is no other one.
    """
    since = ""
    for shape, time, status, semantic in told:
        if status == "deleted":
            since = ""
        elif shape == holds.shape and status == "ok" and time <= holds.time:
            same = semantic is not None and semantic == holds.semantic
            since = (since or time) if same else ""
    return since or holds.time


def state_of(items: Sequence[ConfigItem], looks: Sequence[Look], until: str) -> State:
    """Return how a resource with these `items` (oldest first) stands at `until`, given `looks` of all kinds."""
    holds = standing(items)
    if holds is None:
        return State(state="unseen")
    complete = sorted(look.ended for look in looks_at(holds.resource, looks) if look.complete and look.ended <= until)
    since = held_since([(item.shape, item.time, item.status, item.semantic) for item in items], holds)
    seen = [item for item in items if item.status == "ok"]
    first, last = (seen[0].time, seen[-1].time) if seen else (None, None)
    looked = complete[-1] if complete else None
    if holds.status == "ok":
        # A look that says nothing new is not recorded item by item: who was not missed was there.
        return State(
            state="there", first_seen=first, changed=since, last_seen=max(last or "", looked or "") or None,
            last_looked=looked,
        )  # fmt: skip
    if holds.status == "unrecorded":
        return State(state="unseen", first_seen=first, changed=holds.time, last_seen=last, last_looked=looked)
    gone = next((item.time for item in items if item.status == "deleted" and item.time > (last or "")), holds.time)
    there = [ended for ended in complete if ended < gone]
    return State(
        state="gone", first_seen=first, changed=gone, gone=gone, last_looked=looked,
        last_seen=max([last or "", *there[-1:]]) or None,
    )  # fmt: skip
