"""Starting the program: one child held at a gate until tracing stands, its output passed through and copied."""

import contextlib
import errno
import fcntl
import gc
import os
import select
import signal
import socket
import termios
import tty
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lineal.errors import BadInput

Setup = Callable[[], tuple[bytes, int]]
"""Runs in the child before it executes anything: returns a report for the parent and a descriptor for it, or -1."""

Tee = Callable[[int, bytes], None]

GRACE: Final = 0.3
"""Seconds that processes which outlive the program are given to end: pools and trackers end just after it."""

_CHUNK: Final = 65536
_FAILED_EXEC: Final = 126
_NOT_FOUND: Final = 127


class Unavailable(Exception):
    """This way of tracing cannot be had here; the message says why. Nothing was run."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: the words, where each candidate program is, its environment and working directory."""

    argv: tuple[bytes, ...]
    programs: tuple[bytes, ...]
    env: dict[bytes, bytes]
    cwd: bytes | None


def command(argv: Sequence[str], env: Mapping[str, str] | None, cwd: bytes | None) -> Command:
    """Return the command that a shell would run for `argv`; raise `BadInput` for no words or no such directory."""
    if not argv:
        raise BadInput(
            "no program was named; nothing was run",
            fix="Write the program after the options: lineal run python train.py",
        )
    words = tuple(os.fsencode(word) for word in argv)
    variables = dict(os.environb) if env is None else {os.fsencode(k): os.fsencode(v) for k, v in env.items()}
    if any(b"\0" in word for word in (*words, *variables, *variables.values())):
        raise BadInput("a word of the command or its environment holds a NUL byte; nothing was run")
    if cwd is not None and not os.path.isdir(cwd):
        raise BadInput(f"not a directory: {os.fsdecode(cwd)}; nothing was run")
    if b"/" in words[0]:
        return Command(words, (words[0],), variables, cwd)
    folders = variables.get(b"PATH", os.defpath.encode()).split(b":")
    return Command(words, tuple(os.path.join(folder or b".", words[0]) for folder in folders), variables, cwd)


@dataclass(slots=True)
class Stream:
    """One output of the program: what it writes to `fd` is read from `source` and written on to our own `fd`.

    `inner` is the program's end, which we close once the program has it.
    """

    fd: int
    source: int
    inner: int

    def pump(self, tee: Tee | None) -> bool:
        """Pass on what is there; return False when the stream has ended or nobody takes what it carries."""
        try:
            chunk = os.read(self.source, _CHUNK)
        except BlockingIOError:
            return True
        except OSError:  # EIO: the last writer of a pseudo-terminal has gone
            return False
        if not chunk:
            return False
        if tee is not None:
            tee(self.fd, chunk)
        return write_all(self.fd, chunk)


def open_streams() -> list[Stream]:
    """Return the streams for outputs 1 and 2: a pseudo-terminal where ours is a terminal, else a pipe."""
    streams = []
    for fd in (1, 2):
        try:
            os.fstat(fd)
        except OSError:
            continue  # closed for us, closed for the program
        if os.isatty(fd):
            source, inner = os.openpty()
            tty.setraw(inner)  # the outer terminal makes the line ends
            copy_window(fd, inner)
        else:
            source, inner = os.pipe()
        os.set_blocking(source, False)
        streams.append(Stream(fd, source, inner))
    return streams


def copy_window(outer: int, inner: int) -> None:
    """Give the pseudo-terminal `inner` the window size of the terminal `outer`."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(inner, termios.TIOCSWINSZ, fcntl.ioctl(outer, termios.TIOCGWINSZ, bytes(8)))


def write_all(fd: int, data: bytes) -> bool:
    """Write all of `data` to `fd`, waiting as long as it takes; return False if nobody reads it any more."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])
        except OSError:
            return False
    return True


class Child:
    """The program's process, held before it has executed anything.

    Forked by hand because `subprocess` cannot hold a child between its setup and its exec while its parent serves it.
    """

    def __init__(self, what: Command, streams: Sequence[Stream], mask: set[int | signal.Signals], setup: Setup) -> None:
        self._gate, inner = socket.socketpair()
        self._said = False
        collecting = gc.isenabled()
        gc.disable()  # a finalizer of ours must not run in the child
        try:
            self.pid = os.fork()
            if self.pid == 0:
                try:
                    self._gate.close()
                    _become(what, streams, mask, setup, inner)
                finally:
                    os._exit(_NOT_FOUND)
        finally:
            if collecting:
                gc.enable()
        inner.close()

    def prepare(self) -> tuple[bytes, int]:
        """Let the child run its setup; return the report, and the descriptor sent with it or -1."""
        self._gate.send(b"s")
        report, found, _, _ = socket.recv_fds(self._gate, 64, 1, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
        return report, found[0] if found else -1

    def release(self) -> None:
        """Let the child execute the program."""
        with contextlib.suppress(OSError):
            self._gate.send(b"g")
        self._gate.close()

    def abandon(self) -> None:
        """End the child before it has executed anything."""
        self._gate.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _become(
    what: Command, streams: Sequence[Stream], mask: set[int | signal.Signals], setup: Setup, gate: socket.socket
) -> None:
    """In the child: take its place, run the setup, wait for the gate, execute. Opens no file, imports nothing."""
    for stream in streams:
        os.dup2(stream.inner, stream.fd)
    if what.cwd is not None:
        os.chdir(what.cwd)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores them; a program expects them
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if gate.recv(1) != b"s":
        return
    report, fd = setup()
    if fd >= 0:
        socket.send_fds(gate, [report], [fd])
        os.close(fd)
    else:
        gate.send(report)
    if gate.recv(1) == b"g":
        _execute(what)


def _execute(what: Command) -> None:
    """Execute the first candidate that will, as execvp(3) does; else say why, as a shell does, and exit 126 or 127."""
    status, reason = _NOT_FOUND, b"command not found"
    for program in what.programs:
        try:
            os.execve(program, what.argv, what.env)  # noqa: S606
        except (FileNotFoundError, NotADirectoryError) as error:
            if len(what.programs) == 1 and b"/" in what.argv[0]:
                reason = os.fsencode(error.strerror or "not found")
        except OSError as error:
            if error.errno == errno.ENOEXEC:  # a script without a #! line
                os.execve(b"/bin/sh", (b"sh", program, *what.argv[1:]), what.env)  # noqa: S606
            if b"/" not in what.argv[0] and not os.path.isfile(program):
                continue  # a folder on PATH that we may not search, or one of that name
            status, reason = _FAILED_EXEC, os.fsencode(error.strerror or "cannot be executed")
            if error.errno != errno.EACCES:
                break
    os.write(2, b"lineal: " + what.argv[0] + b": " + reason + b"\n")
    os._exit(status)
