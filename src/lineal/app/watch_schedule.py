"""When each source is due: at the ticks of its own clock, or, after a failure, ever later by chance."""

from collections.abc import Callable, Mapping
from typing import Final

_FIRST_RETRY: Final = 60.0
_LONGEST_RETRY: Final = 3600.0


class Schedule:
    """The due times of sources, in seconds of a clock that only goes forward (not that of the wall, which is set).

    A source is due when it begins, and at every multiple of its `periods` after that: however long a round takes, the
    ticks stay where they are. Those that a long round missed are left out. `chance` gives a number from 0 to 1.
    """

    def __init__(self, periods: Mapping[str, float], begun: float, chance: Callable[[], float]) -> None:
        self._periods = dict(periods)
        self._begun = begun
        self._chance = chance
        self._due = dict.fromkeys(self._periods, begun)
        self._failures = dict.fromkeys(self._periods, 0)

    def due(self, now: float) -> list[str]:
        """Return the names of the sources that are due at `now`."""
        return [name for name, moment in self._due.items() if moment <= now]

    def next(self) -> float:
        """Return when the next source is due."""
        return min(self._due.values())

    def done(self, name: str, now: float) -> None:
        """Note that a source was collected by `now`: it is due at its next tick."""
        self._failures[name] = 0
        self._due[name] = self._tick(name, now)

    def failed(self, name: str, now: float) -> float:
        """Note that a source failed by `now`, and return when it is due again: sooner at first, ever later then.

        Between half and all of the pause is waited, by chance: many watchers must not come back at one time.
        """
        self._failures[name] += 1
        period = self._periods[name]
        longest = max(period, _LONGEST_RETRY)
        pause = min(min(period, _FIRST_RETRY) * 2.0 ** min(self._failures[name] - 1, 30), longest)
        self._due[name] = now + pause * (0.5 + self._chance() / 2)
        return self._due[name]

    def _tick(self, name: str, now: float) -> float:
        period = self._periods[name]
        return self._begun + (max(now - self._begun, 0.0) // period + 1) * period
