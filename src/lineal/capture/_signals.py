"""Signals to us belong to the program: they are passed on, unless the keyboard has sent them to it already."""

import contextlib
import os
import signal
import struct
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, Final, Self

from lineal.capture._spawn import Stream, copy_window

_FORWARDED: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_KEYBOARD: Final = frozenset({signal.SIGINT, signal.SIGQUIT})
_SI_KERNEL: Final = 0x80
_SIGNALFD_INFO: Final = 128


class Forwarding:
    """While entered, signals are passed to the child named by `to`; those that we ignore stay ignored.

    On Linux they are read from a signalfd, which tells a key press (the kernel sends it to the whole foreground group,
    child included) from a kill. Elsewhere, and for signals that another thread receives, a key press is assumed if
    we are the terminal's foreground group. Signal handlers are the main thread's: elsewhere nothing is changed.
    """

    def __init__(self) -> None:
        self.fd = -1
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._child = 0
        self._streams: list[Stream] = []
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in [getattr(signal, name) for name in _FORWARDED] + [signal.SIGWINCH]:
            former = signal.getsignal(number)
            if former is not signal.SIG_IGN and former is not None:
                self._former[number] = former
                signal.signal(number, self._handle)
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                from lineal.capture import _linux

                self.fd = _linux.signalfd(frozenset(self._former))
                signal.pthread_sigmask(signal.SIG_BLOCK, self._former.keys())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.fd >= 0:
            self.read(0)
            os.close(self.fd)
            signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
        for number, former in self._former.items():
            signal.signal(number, former)

    def to(self, child: int, streams: list[Stream]) -> None:
        """Name the child that signals go to, and the streams whose terminal's size it follows."""
        self._child, self._streams = child, streams

    def gone(self) -> None:
        """The child has been waited for: its number may be another's now."""
        self._child = 0

    def read(self, _events: int) -> bool:
        """Pass on what the signalfd holds."""
        with contextlib.suppress(BlockingIOError):
            while info := os.read(self.fd, _SIGNALFD_INFO):
                number, _, code = struct.unpack_from("=Iii", info)
                self._pass(number, from_keyboard=code == _SI_KERNEL)
        return True

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._pass(number, from_keyboard=number in _KEYBOARD and _in_foreground())

    def _pass(self, number: int, *, from_keyboard: bool) -> None:
        if number == signal.SIGWINCH:
            for stream in self._streams:
                if os.isatty(stream.fd):
                    copy_window(stream.fd, stream.source)
        elif self._child and not from_keyboard:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, number)


def _in_foreground() -> bool:
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
