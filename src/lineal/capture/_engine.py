"""What every way to trace does for the run that it is at work on."""

from typing import Protocol

from lineal.capture._gaps import Seen
from lineal.capture._guardian import Guardian


class Engine(Protocol):
    """One mechanism at work on one run."""

    patient: bool
    """Whether its sources end by themselves soon after the program: no need to give up on them."""

    def guarded(self, guardian: Guardian) -> None:
        """Learn who stands in for us."""

    def sources(self) -> dict[int, int]:
        """Return the descriptors to poll, and for what."""

    def ready(self, fd: int) -> bool:
        """Handle a source; return False when nothing more will come from it."""

    def finish(self) -> Seen:
        """Stop and return what was seen."""


class Untraced:
    """No mechanism: nothing is seen, and a gap says so."""

    patient = False

    def guarded(self, guardian: Guardian) -> None:
        """There is nothing to stand in for."""

    def sources(self) -> dict[int, int]:
        """Return none."""
        return {}

    def ready(self, fd: int) -> bool:
        """Never called: there is no source."""
        return False

    def finish(self) -> Seen:
        """Return that nothing was seen."""
        seen = Seen()
        seen.gaps.note("capture.not_traced")
        return seen
