"""What tracing saw of one run, and what it could not see: one stable code and one explanation each."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from lineal.capture.accesses import Access

EXPLANATIONS: Final = {
    "capture.stat_only": "files that were only looked at (stat, exists, directory listings) are not recorded",
    "capture.io_uring": "a process set up io_uring; files opened through it are not seen",
    "capture.foreign_abi": "a process used another system call interface (32-bit); files it opened are not seen",
    "capture.by_handle": "a process opened a file by handle (open_by_handle_at); its name is not known",
    "capture.foreign_mounts": "a process with its own mounts or root used files that have no name outside of them",
    "capture.own_mounts": "files below a FUSE mount that the run made itself were seen, but not their state before",
    "capture.unreadable": "the memory of a process could not be read; some of its accesses are not recorded",
    "capture.stream": "a named pipe was opened; the bytes that passed through it are not kept",
    "capture.tracer_lost": "tracing stopped before the program ended; later accesses are not recorded",
    "capture.left_running": "processes went on when the program had ended; what they did afterwards is not recorded",
    "capture.no_new_privs": "setuid programs gained no rights inside this run (no_new_privs, needed to trace)",
    "capture.python_only": "only what Python code itself did was seen: not native readers, nor other programs",
    "capture.no_scan": "no workspace was named, so files written outside of Python code are not found",
    "capture.not_traced": "file accesses were not traced",
    "capture.fallback": "a better way to trace was not available",
}

_LOSING: Final = frozenset(
    {
        "capture.io_uring",
        "capture.foreign_abi",
        "capture.by_handle",
        "capture.foreign_mounts",
        "capture.own_mounts",
        "capture.unreadable",
        "capture.tracer_lost",
        "capture.left_running",
        "capture.python_only",
        "capture.not_traced",
    }
)


class Gaps:
    """The gaps of one run, each code once."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def note(self, code: str, detail: str = "") -> None:
        """Record the gap `code`; the `detail` of its first occurrence is kept."""
        if code not in self._found:
            self._found[code] = EXPLANATIONS[code] + (f": {detail}" if detail else "")

    def restore(self, listed: Iterable[tuple[str, str]]) -> None:
        """Take over what another process has `listed`."""
        self._found.update(listed)

    def listed(self) -> tuple[tuple[str, str], ...]:
        """Return (code, explanation) pairs, sorted."""
        return tuple(sorted(self._found.items()))

    def complete(self) -> bool:
        """Whether every access that the mechanism promises was seen."""
        return not _LOSING & self._found.keys()


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one run, and what was not."""

    accesses: tuple[Access, ...] = ()
    connections: tuple[str, ...] = ()
    gaps: Gaps = field(default_factory=Gaps)
