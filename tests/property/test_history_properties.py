"""Histories of one resource, played: each window holds what happened, and nothing that was seen is left out."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.change.history import CREATED, DELETED, UPDATED, list_changes
from lineal.change.semantic import with_semantic
from lineal.core.config_item import ConfigItem
from lineal.core.coverage import Look
from lineal.core.resource import make_resource

RESOURCE = make_resource("AWS::SageMaker::EndpointConfig", "123456789012", "eu-west-1", "scorer")


def at(second: int) -> str:
    return f"2026-11-02T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000000Z"


# What was there from which second on: nothing, or some value; and when somebody looked, for how long, how far into it.
HAPPENED = st.lists(
    st.tuples(st.integers(1, 400), st.none() | st.integers(1, 3)), max_size=12, unique_by=lambda x: x[0]
)
LOOKED = st.lists(
    st.tuples(st.integers(1, 400), st.integers(0, 20), st.floats(0, 1), st.booleans()),
    max_size=15,
    unique_by=lambda x: x[0],
)


class World:
    """What really was there, and what a collector that looks now and then says of it."""

    def __init__(self, happened: list[tuple[int, int | None]]) -> None:
        self.states: list[tuple[int, int | None, int]] = [(0, None, 0)]  # since, what, made
        for second, value in sorted(happened):
            _, before, made = self.states[-1]
            if value != before:
                self.states.append((second, value, second if before is None else made))
        self.items: list[ConfigItem] = []
        self.looks: list[Look] = []

    def state(self, second: float) -> tuple[int, int | None, int]:
        return [each for each in self.states if each[0] <= second][-1]

    def look(self, began: int, lasts: int, into: float, complete: bool) -> None:
        ended, moment = began + lasts, round(began + lasts * into)
        _, value, made = self.state(moment)
        last = self.items[-1] if self.items else None
        there = last is not None and last.status == "ok"
        if value is not None:
            item = with_semantic(
                ConfigItem(
                    resource=RESOURCE, time=at(moment), source="aws", shape="api", configuration={"KmsKeyId": value},
                    created=at(made),
                )
            )  # fmt: skip
            if last is None or (last.semantic, last.created) != (item.semantic, item.created):
                self.items.append(item)
        elif there and complete:
            self.items.append(
                ConfigItem(resource=RESOURCE, time=at(ended), source="aws", shape="api", status="deleted")
            )
        self.looks.append(
            Look(
                source="aws", account=RESOURCE.account, region=RESOURCE.region, type=RESOURCE.type, began=at(began),
                ended=at(ended), complete=complete,
            )
        )  # fmt: skip


@settings(max_examples=500)
@given(HAPPENED, LOOKED)
def test_what_happened_lies_in_the_window_of_its_change(
    happened: list[tuple[int, int | None]], looked: list[tuple[int, int, float, bool]]
) -> None:
    world = World(happened)
    end = 0
    for began, lasts, into, complete in sorted(looked):
        if began > end:  # one after the other
            world.look(began, lasts, into, complete)
            end = began + lasts
    changes = list_changes(world.items, world.looks)
    for change in changes:
        assert change.since is not None
        assert change.since < change.until
        acts = [
            now for before, now in zip(world.states, world.states[1:], strict=False) if _fits(change.kind, before, now)
        ]
        assert any(change.since < at(second) <= change.until for second, _, _ in acts), change
    told = [each.kind for each in changes]
    ok = [each for each in world.items if each.status == "ok"]
    pairs = list(zip(world.items, world.items[1:], strict=False))
    assert told.count(UPDATED) == sum(
        one.status == other.status == "ok" and one.created == other.created and one.semantic != other.semantic
        for one, other in pairs
    )
    anew = sum(one.status == other.status == "ok" and one.created != other.created for one, other in pairs)
    assert told.count(DELETED) == sum(each.status == "deleted" for each in world.items) + anew
    assert told.count(CREATED) - anew - sum(one.status == "deleted" for one, other in pairs) in ((0, 1) if ok else (0,))


def _fits(kind: str, before: tuple[int, int | None, int], now: tuple[int, int | None, int]) -> bool:
    if kind == CREATED:
        return before[1] is None
    return now[1] is None if kind == DELETED else now[1] is not None and before[1] is not None
