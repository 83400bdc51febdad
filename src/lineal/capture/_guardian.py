"""The guardian: a small process that takes over what the program needs of us when we are gone.

A call that the filter has stopped fails, or hangs, if nobody answers; a program whose output pipe nobody reads is
killed. So before the program starts, a process is forked that holds the listener and the pipes and waits. When the
tracer dies, or returns while processes of the run live on, it lets every call continue and passes the output on, until
no process of the run is left. Then it exits.
"""

import contextlib
import gc
import os
import select
import signal
import sys
from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable

from lineal.capture._spawn import Stream

TAKE_LISTENER: Final = b"L"
"""Written to the guardian: answer the listener from now on."""


@runtime_checkable
class Listener(Protocol):
    """The calls that wait for an answer."""

    fd: int

    def rescue(self) -> None:
        """Answer the call that the tracer was looking at when it ended, if there is one."""

    def answer(self) -> bool:
        """Let one waiting call continue; return False when no process is left that could make one."""


class Guardian:
    """Our hold on the guardian; closing it, by dying too, makes the guardian take over everything that is left."""

    def __init__(self, streams: Sequence[Stream], listener: Listener | None) -> None:
        watch, self._control = os.pipe()
        tracer = os.getpid()
        first = os.fork()
        if first == 0:
            try:
                if os.fork() == 0:  # the second fork is nobody's child: it leaves no zombie and ends unwaited for
                    _guard(tracer, watch, streams, listener)
            finally:
                os._exit(0)
        os.close(watch)
        os.waitpid(first, 0)

    def tell(self, what: bytes) -> None:
        """Say `TAKE_LISTENER`, or the number of a stream (``b"1"``, ``b"2"``) that nobody will read any more."""
        with contextlib.suppress(OSError):
            os.write(self._control, what)

    def release(self) -> None:
        """Let the guardian take over what is left, and end."""
        os.close(self._control)


def _guard(tracer: int, watch: int, streams: Sequence[Stream], listener: Listener | None) -> None:
    kept = {watch, *(fd for stream in streams for fd in (stream.fd, stream.source))}
    if listener is not None:
        kept.add(listener.fd)
    pidfd = settle_down(b"lineal-guardian", tracer, kept)
    sources = {stream.source: stream for stream in streams}
    poll = select.poll()
    for fd in (watch, pidfd):
        if fd >= 0:
            poll.register(fd, select.POLLIN)
    waiting = {*sources, *([listener.fd] if listener is not None else [])}
    watching = True
    while watching or waiting:
        for fd, _ in poll.poll():
            if watching and fd in (watch, pidfd):
                said = os.read(watch, 16) if fd == watch else b""
                for stream in streams:
                    if b"%d" % stream.fd in said and stream.source in waiting:
                        _let_go(stream)
                        waiting.discard(stream.source)
                watching = bool(said)
                if listener is not None and listener.fd in waiting and (not said or TAKE_LISTENER in said):
                    listener.rescue()
                    poll.register(listener.fd, select.POLLIN)
                if not said:
                    poll.unregister(watch)
                    if pidfd >= 0:
                        poll.unregister(pidfd)
                    for source in waiting & sources.keys():
                        poll.register(source, select.POLLIN)
                break
            more = listener.answer() if listener is not None and fd == listener.fd else sources[fd].pump(None)
            if not more:
                poll.unregister(fd)
                waiting.discard(fd)
                if fd in sources:
                    _let_go(sources[fd])
                else:
                    os.close(fd)


def _let_go(stream: Stream) -> None:
    # Where it leads goes, too: whoever reads our output waits for its end.
    os.close(stream.source)
    os.close(stream.fd)


def settle_down(name: bytes, tracer: int, kept: set[int]) -> int:
    """Be a process of its own, called `name`, after a fork; return a pidfd of `tracer`, or -1.

    It leaves the terminal, the working directory and all descriptors but `kept`, and never runs a finalizer of the
    program that it was forked from.
    """
    gc.disable()
    gc.freeze()
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    pidfd = -1
    if sys.platform == "linux":
        from lineal.capture import _linux

        _linux.name_process(name)
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(tracer)
    last = 0
    for fd in sorted(fd for fd in {*kept, pidfd} if fd >= 0):
        os.closerange(last, fd)
        last = fd + 1
    os.closerange(last, os.sysconf("SC_OPEN_MAX"))
    os.chdir("/")
    return pidfd
