"""Running a program while recording which files its process tree opens, writes, renames, removes and executes.

Nothing of the program changes but the environment variable ``LINEAL_TRACER``. The ways to trace, best first:
seccomp user notification, ptrace, Python audit hook. A failure of ours never changes what the program does: it shows
as a gap. `docs/capture.md` says what each way cannot see.
"""

import contextlib
import os
import resource  # noqa: F401 - os.wait4 needs it, and must not fail to find it when the program has ended
import select
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lineal.capture._audit import Audit
from lineal.capture._engine import Engine, Untraced
from lineal.capture._gaps import Seen
from lineal.capture._guardian import Guardian, Listener
from lineal.capture._signals import Forwarding
from lineal.capture._spawn import GRACE, Child, Command, Stream, Tee, Unavailable, command, open_streams
from lineal.capture.accesses import Access, Stat
from lineal.errors import BadInput

__all__ = ["MECHANISMS", "Access", "Outcome", "Stat", "Trace", "run"]

_ORDER: Final = ("seccomp-notify", "ptrace", "audit-hook", "none")
MECHANISMS: Final = ("auto", *_ORDER)
"""What a person may ask for: a way to trace, or the best that can be had."""

_BLIND_WAIT: Final = 10.0
"""Milliseconds between looks at the child where there is no pidfd to wait for."""

_LOST: Final = 255
"""The exit status of a program that somebody else has waited for: it cannot be known."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What was seen of one run, by which mechanism, and (code, explanation) of each gap.

    `connections` are the peers of connect(2): ``host:port`` or ``unix:PATH``. `complete` says that no access which the
    mechanism promises to see was missed.
    """

    mechanism: str
    complete: bool
    accesses: tuple[Access, ...]
    connections: tuple[str, ...]
    gaps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the program ended. Times are wall clock seconds; `exit_status` is 128 + N after signal N, as in a shell.

    CPU time and peak memory count the processes that the program waited for. `peak_memory_bytes` is at least what
    this process had when it forked: the kernel counts from the fork.
    """

    exit_status: int
    signal: int | None
    started: float
    ended: float
    user_seconds: float
    system_seconds: float
    peak_memory_bytes: int
    trace: Trace


def run(
    argv: Sequence[str],
    *,
    cwd: bytes | None = None,
    env: Mapping[str, str] | None = None,
    mechanism: str = "auto",
    tee: Callable[[int, bytes], None] | None = None,
    workspace: bytes | None = None,
) -> Outcome:
    """Run the program `argv` to its end and return how it ended and what it did to files.

    `mechanism` is ``auto`` (then the variable ``LINEAL_TRACE`` may name one), ``seccomp-notify``, ``ptrace``,
    ``audit-hook`` or ``none``; one that cannot be had gives way to the next, which the trace records. With `tee` the
    program's outputs 1 and 2 pass through us and each chunk is also given to ``tee(fd, chunk)``. `workspace` is the
    folder that the audit hook compares before and after. A program that cannot be found or executed ends with 127 or
    126 and a message on standard error. Raises `BadInput` if there is nothing to run, nowhere to run it, or no such
    mechanism.
    """
    what = command(argv, env, cwd)
    if mechanism == "auto":
        mechanism = os.environ.get("LINEAL_TRACE") or "auto"
    if mechanism not in MECHANISMS:
        raise BadInput(
            f"no such way to trace: {mechanism!r}; nothing was run",
            fix=f"One of {', '.join(MECHANISMS)}.",
        )
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()  # what we have said comes before what the program says
    refused: list[str] = []
    names = _ORDER if mechanism == "auto" else _ORDER[_ORDER.index(mechanism) :]
    with Forwarding() as forwarding:
        streams = open_streams() if tee is not None else []
        for name in names:
            try:
                child, engine = _start(name, what, streams, forwarding, workspace, refused)
            except Unavailable as why:
                refused.append(f"{name}: {why}")
                continue
            return _Session(child, engine, streams, forwarding, tee).outcome(name, refused)
    raise AssertionError("the last mechanism is always available")


def _start(
    name: str,
    what: Command,
    streams: list[Stream],
    forwarding: Forwarding,
    workspace: bytes | None,
    refused: list[str],
) -> tuple[Child, Engine]:
    """Fork the child and set up the mechanism `name`; raise `Unavailable`, with nothing left over, if it will not."""
    outer = os.environ.get("LINEAL_TRACER", "")
    marked = Command(what.argv, what.programs, {**what.env, b"LINEAL_TRACER": name.encode()}, what.cwd)

    def fork(command: Command, setup: Callable[[], tuple[bytes, int]]) -> Child:
        return Child(command, streams, forwarding.mask, setup)

    if name == "none":
        child = fork(what, _no_setup)
        child.prepare()
        return child, Untraced()
    if name == "audit-hook":
        hooked = Command(what.argv, what.programs, dict(what.env), what.cwd)
        audit = Audit(hooked.env, workspace)
        child = fork(hooked, _no_setup)
        child.prepare()
        return child, audit
    if sys.platform != "linux":
        raise Unavailable("needs Linux")
    from lineal.capture import _notify, _ptrace  # Linux only, and slow to import
    from lineal.capture._syscalls import machine
    from lineal.capture._tracee import Tracee

    if outer == "ptrace":
        raise Unavailable(_notify.BUSY)
    nested = outer == "seccomp-notify" or any(_notify.BUSY in reason for reason in refused)
    setup = _notify.setup() if name == "seccomp-notify" else _ptrace.setup(filtered=not nested)
    table = machine()
    if table is None:
        raise Unavailable("this machine's system calls are not known")
    tracee = Tracee(table)
    tracee.inherit()
    child = fork(marked, setup)
    try:
        engine: Engine = (_notify.Notify if name == "seccomp-notify" else _ptrace.Ptrace)(child, tracee)
    except Exception as error:
        child.abandon()
        if isinstance(error, Unavailable):
            raise
        raise Unavailable(f"{type(error).__name__}: {error}") from error
    return child, engine


def _no_setup() -> tuple[bytes, int]:
    return b"-", -1


class _Session:
    """One run from the opening of the gate to its outcome: one thread, one poll."""

    def __init__(
        self, child: Child, engine: Engine, streams: list[Stream], forwarding: Forwarding, tee: Tee | None
    ) -> None:
        self._child, self._engine, self._forwarding, self._tee = child, engine, forwarding, tee
        self._streams = {stream.source: stream for stream in streams}
        self._sources = engine.sources()
        for stream in streams:
            os.close(stream.inner)
        listener = engine if isinstance(engine, Listener) else None
        self._guardian = Guardian(streams, listener) if streams or listener else None
        if self._guardian:
            engine.guarded(self._guardian)
        forwarding.to(child.pid, streams)
        self._ended: float | None = None
        self._status = _LOST << 8
        self._usage = (0.0, 0.0, 0)

    def outcome(self, mechanism: str, refused: list[str]) -> Outcome:
        """Let the program go, attend to it until its end, and say how it was."""
        started = time.time()
        self._child.release()
        left = self._attend()
        seen = self._seen()
        if self._guardian:
            self._guardian.release()
        for source in self._streams:
            os.close(source)
        if left:
            seen.gaps.note("capture.left_running")
        if refused:
            seen.gaps.note("capture.fallback", "; ".join(refused))
        number = os.WTERMSIG(self._status) if os.WIFSIGNALED(self._status) else None
        return Outcome(
            exit_status=os.WEXITSTATUS(self._status) if number is None else 128 + number,
            signal=number,
            started=started,
            ended=self._ended or started,
            user_seconds=self._usage[0],
            system_seconds=self._usage[1],
            peak_memory_bytes=self._usage[2],
            trace=Trace(mechanism, seen.gaps.complete(), seen.accesses, seen.connections, seen.gaps.listed()),
        )

    def _seen(self) -> Seen:
        try:
            return self._engine.finish()
        except Exception as error:  # noqa: BLE001 - how the program ended is known whatever fails here
            seen = Seen()
            seen.gaps.note("capture.tracer_lost", f"{type(error).__name__}: {error}")
            return seen

    def _attend(self) -> bool:
        """Serve everything until the program has ended; return whether processes of the run live on."""
        handlers: dict[int, Callable[[int], bool]] = dict.fromkeys(self._sources, self._engine.ready)
        handlers |= dict.fromkeys(self._streams, self._pump)
        engine = {fd for fd, events in self._sources.items() if events & select.POLLIN}
        awaited = engine | self._streams.keys()
        pidfd = _open_pidfd(self._child.pid)
        if pidfd >= 0:
            handlers[pidfd] = self._reap
        if self._forwarding.fd >= 0:
            handlers[self._forwarding.fd] = self._forwarding.read
        poll = select.poll()
        for fd in handlers:
            poll.register(fd, self._sources.get(fd, select.POLLIN))
        timeout: float | None = None if pidfd >= 0 else _BLIND_WAIT
        deadline = 0.0
        while True:
            for fd, _ in poll.poll(timeout):
                if not handlers[fd](fd):
                    poll.unregister(fd)
                    awaited.discard(fd)
            if self._ended is None:
                if pidfd < 0:
                    self._reap(-1)
                continue
            deadline = deadline or time.monotonic() + GRACE
            left = deadline - time.monotonic()
            if not awaited or (left <= 0 and not (self._engine.patient and awaited & engine)):
                break
            timeout = left * 1000 + 1 if left > 0 else None
        if pidfd >= 0:
            os.close(pidfd)
        return bool(awaited)

    def _pump(self, source: int) -> bool:
        stream = self._streams[source]
        if stream.pump(self._copy if self._tee else None):
            return True
        if self._guardian:
            self._guardian.tell(b"%d" % stream.fd)
        os.close(self._streams.pop(source).source)
        return False

    def _copy(self, fd: int, chunk: bytes) -> None:
        try:
            if self._tee:
                self._tee(fd, chunk)
        except Exception:  # noqa: BLE001 - whoever listens must not stop the program
            self._tee = None

    def _reap(self, pidfd: int) -> bool:
        """Wait for the program; return False when it has ended (a pidfd says so, else we only ask)."""
        try:
            pid, status, usage = os.wait4(self._child.pid, 0 if pidfd >= 0 else os.WNOHANG)
            if pid == 0:
                return True
            unit = 1 if sys.platform == "darwin" else 1024
            self._status, self._usage = status, (usage.ru_utime, usage.ru_stime, usage.ru_maxrss * unit)
        except ChildProcessError:
            pass
        self._ended = time.time()
        self._forwarding.gone()
        return False


def _open_pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1
