"""Watch: collect on a schedule, explain what changed, check the rules, and tell what is new; until asked to stop."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from lineal.app.collect import Collection
from lineal.app.session import Session
from lineal.app.watch_lock import Held
from lineal.app.watch_plan import Plan
from lineal.app.watch_round import SCOPE, SOURCE, Asked, Collect, Round, Stopping, Tell, run_round
from lineal.app.watch_schedule import Schedule
from lineal.errors import StoreError

_JUMP: Final = 30.0
_LATE: Final = 3
_LEDGER: Final = "the ledger"


class Clock(Protocol):
    """The time as a watcher needs it: one that only goes forward, that of the wall, and a way to wait."""

    def forward(self) -> float:
        """Return seconds that only grow, also while the machine sleeps."""

    def wall(self) -> float:
        """Return the seconds that the clock on the wall shows."""

    def wait(self, seconds: float) -> None:
        """Wait so long, or until asked to stop."""

    def stopped(self) -> bool:
        """Return whether somebody asked to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a watcher works with: how the ledger is opened, a source collected, somebody told, and chance."""

    opened: Callable[[], AbstractContextManager[Session]]
    collect_one: Collect
    tell: Tell
    chance: Callable[[], float]
    on_round: Callable[[Round, float | None], None]
    on_trouble: Callable[[StoreError, float], None]


def watch(plan: Plan, means: Means, clock: Clock, held: Held, *, once: bool = False) -> int:
    """Carry out rounds until asked to stop, or one with `once`; return how many were carried out to their end.

    Rounds never overlap. `means.on_round` gets each, with the seconds until the next; `means.on_trouble` an error of
    the ledger itself, with the seconds until it is tried again. Raises `IntegrityError` branches, `Refused` when
    somebody else became the watcher, and, with `once`, `StoreError` branches.
    """
    schedule = Schedule({each.name: each.every for each in plan.sources}, clock.forward(), means.chance)
    trouble = Schedule({_LEDGER: min(each.every for each in plan.sources)}, clock.forward(), means.chance)
    offset = clock.wall() - clock.forward()
    number = 0
    while not clock.stopped():
        due = set(schedule.due(clock.forward()))
        jump = clock.wall() - clock.forward() - offset
        offset += jump
        asked = Asked(
            number=number + 1,
            plan=plan,
            due=tuple(each for each in plan.sources if each.name in due),
            jump=jump if abs(jump) >= _JUMP else 0.0,
        )
        try:
            held.check()
            with means.opened() as session:
                done = run_round(session, asked, means.collect_one, means.tell, clock.stopped)
        except Stopping:
            break
        except StoreError as error:
            if once:
                raise
            again = trouble.failed(_LEDGER, clock.forward())
            means.on_trouble(error, again - clock.forward())
            clock.wait(again - clock.forward())
            continue
        number += 1
        trouble.done(_LEDGER, clock.forward())
        for source in done.sources:
            (schedule.done if source.error is None else schedule.failed)(source.name, clock.forward())
        pause = max(0.0, schedule.next() - clock.forward())
        means.on_round(done, None if once else pause)
        if once:
            break
        clock.wait(pause)
    return number


class SystemClock:
    """The clock of this machine; `stop` makes it wake whoever waits."""

    def __init__(self) -> None:
        import threading

        self._stop = threading.Event()

    def forward(self) -> float:
        """Return seconds since the machine was started, its sleep included where the system tells."""
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()

    def wall(self) -> float:
        """Return the seconds that the clock on the wall shows."""
        return time.time()

    def wait(self, seconds: float) -> None:
        """Wait so long, in short steps (a machine that slept is late otherwise), or until asked to stop."""
        end = self.forward() + seconds
        while (left := end - self.forward()) > 0 and not self._stop.wait(min(left, 30.0)):
            pass

    def stopped(self) -> bool:
        """Return whether somebody asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask whoever works by this clock to stop."""
        self._stop.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRound:
    """The last round on record: when it ended, how often there should be one, and whether the watcher seems dead."""

    ended: str
    every: int
    sources: dict[str, str]
    late: bool


def last_round(session: Session, now: str) -> LastRound | None:
    """Return the last round of any watcher of this ledger, None if there was none.

    It is late when more than three times the time between rounds has passed by `now`.
    """
    done = session.catalog.runs_starting(Collection(SOURCE, SCOPE).prefix)
    if not done:
        return None
    said = done[-1].detail
    covered = said.get("covered") or {}
    ended, every = str(said.get("ended") or done[-1].time), int(covered.get("every") or 0)
    due = datetime.fromisoformat(ended) + timedelta(seconds=_LATE * every)
    late = datetime.fromisoformat(now).astimezone(UTC) > due
    return LastRound(ended=ended, every=every, sources=dict(covered.get("sources") or {}), late=late)
