"""A clock that stands until it is moved, and moto told to go by it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import moto.core.utils
import moto.ecr.models

from lineal.core import timestamp


@dataclass
class Clock:
    """The present moment of a test: `now` (aware), which only ever goes on; programs find it in the file `told`."""

    now: datetime
    told: Path | None = None

    def move_to(self, moment: datetime) -> None:
        """Go on to `moment`, if that is not past."""
        self.now = max(self.now, moment)
        if self.told is not None:
            self.told.write_text(self.spell(), encoding="ascii")

    def tell(self, file: Path) -> None:
        """Tell the present moment in a file from now on: see `cloud_program`."""
        self.told = file
        self.move_to(self.now)

    def spell(self) -> str:
        """Return the present moment as the ledger spells it: what a session takes for its clock."""
        return timestamp.spell(self.now)


@contextmanager
def moto_clock(clock: Clock) -> Iterator[None]:
    """Let moto date what it keeps by `clock`: creations, modifications, versions."""
    real = moto.core.utils.utcnow

    def at_clock() -> datetime:
        return clock.now.replace(tzinfo=None)

    class AtClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return clock.now if tz is not None else at_clock()

    _replace("utcnow", real, at_clock)
    moto.ecr.models.datetime = AtClock
    try:
        yield
    finally:
        _replace("utcnow", at_clock, real)
        moto.ecr.models.datetime = datetime


def _replace(name: str, old: Any, new: Any) -> None:
    """Put `new` in the place of `old` in every module of moto that has it, by that name; others take it from there."""
    for module in [each for key, each in sys.modules.items() if key.split(".")[0] == "moto"]:
        if getattr(module, name, None) is old:
            setattr(module, name, new)
