"""The script of the month as a list of acts, and how it is played."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from month import (
    Month,
    key,
)

BUILD: Final = key("project", "risk-build")
RELEASE: Final = key("pipeline", "risk-release")
SERVING: Final = key("endpoint", "risk-prod")
FRAUD: Final = key("endpoint", "fraud-prod")


@dataclass(frozen=True)
class Act:
    """What is done on a day from nine in the morning on; Lineal looks at eleven, and judges at eight in the evening."""

    day: int
    do: Callable[[Month], None]

    @property
    def name(self) -> str:
        """Return what happens, in words."""
        return self.do.__name__.replace("_", " ")


ACTS: list[Act] = []


def on(day: int) -> Callable[[Callable[[Month], None]], Callable[[Month], None]]:
    """Put a function into the script."""

    def put(do: Callable[[Month], None]) -> Callable[[Month], None]:
        ACTS.append(Act(day, do))
        return do

    return put


def play(month: Month) -> None:
    """Play the whole script."""
    month.at(1, 7)
    month.poll(everywhere=True)
    for day, acts in groupby(sorted(ACTS, key=lambda each: each.day), key=lambda each: each.day):
        month.at(day)
        for act in acts:
            month.act = act.name
            act.do(month)
        month.at(day, 11)
        month.poll(everywhere=day in {1, 13, 22})
        month.at(day, 20)
        month.listen()
        month.judge()
    month.at(31)
    month.poll(everywhere=True)
    month.at(31, 20)
    month.listen()
    month.judge()
