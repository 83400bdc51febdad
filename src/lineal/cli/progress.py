"""The bar on long work: what is done, how fast, and how long it will still take where the total is known."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lineal.cli.terminal import size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


class Move:
    """Called with what is done: the number of things, then their bytes.

    Of ``entries`` the second number is how many there are in all, of ``observations`` how many of them are new.
    Without a bar, calling it does nothing.
    """

    def __init__(self, bar: "Progress | None" = None, task: "TaskID | None" = None, unit: str = "files") -> None:
        self._bar, self._task, self._unit = bar, task, unit
        self._began = time.monotonic()
        self._total = 0

    def expect(self, _count: int, total: int) -> None:
        """Tell how many bytes there will be in all, as far as that is known."""
        self._total = total

    def __call__(self, done: int, more: int) -> None:
        """Move the bar."""
        if self._bar is None or self._task is None:
            return
        self._bar.start()
        if self._unit == "entries":
            self._bar.update(self._task, completed=done, total=more, state=f"{done:,} of {more:,} {self._unit}")
            return
        if self._unit == "observations":
            self._bar.update(self._task, state=f"{done:,} seen, {more:,} new")
            return
        passed = max(time.monotonic() - self._began, 0.1)
        state = f"{done:,} {self._unit}, {size(more)}, {done / passed:,.0f}/s, {size(int(more / passed))}/s"
        self._bar.update(self._task, completed=more, total=max(self._total, more) if self._total else None, state=state)


@contextmanager
def show_progress(console: "Console", label: str, unit: str, *, late: bool = False) -> Iterator[Move]:
    """Show a bar on `console` while the block runs, or, if `late`, from its first move on: drawing takes a thread."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, TextColumn("{task.fields[state]}"), *times, console=console, transient=True)
    try:
        if not late:
            bar.start()
        yield Move(bar, bar.add_task(label, total=None, state=""), unit)
    finally:
        if bar.live.is_started:
            bar.stop()
