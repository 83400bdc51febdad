"""Tracing by ptrace(2), where seccomp cannot notify us: the same filter, the same events, two more context switches.

The tracer is a process of its own, forked from us: a traced program must not lose its tracer, whose filter would then
refuse every call of interest. So it stays until the last process of the run has ended, whatever becomes of us. Inside
another run's filter, which would hide the calls from ours, it goes without: it then stops at every call, slow but
whole.
"""

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import struct
import time
from dataclasses import astuple
from typing import Final

from lineal.capture import _bpf, _linux
from lineal.capture._gaps import Seen
from lineal.capture._guardian import Guardian, settle_down
from lineal.capture._spawn import GRACE, Child, Setup, Unavailable
from lineal.capture._syscalls import Machine, machine
from lineal.capture._tracee import Tracee
from lineal.capture.accesses import Access, Stat

_CONT, _SYSCALL, _SEIZE, _INTERRUPT, _LISTEN = 7, 24, 0x4206, 0x4207, 0x4208
_GETREGSET, _SYSCALL_INFO = 0x4204, 0x420E
# TRACESYSGOOD | TRACEFORK | TRACEVFORK | TRACECLONE | TRACEEXEC | TRACESECCOMP
_OPTIONS: Final = 1 | 2 | 4 | 8 | 16 | 128
_EVENT_SECCOMP, _EVENT_STOP = 7, 128
_ENTRY: Final = 1
_WALL: Final = 0x40000000
_GROUP_STOPS: Final = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_INFO: Final = struct.Struct("=B3xIQQ7Q")  # struct ptrace_syscall_info up to the arguments

_ptrace = _linux.library.ptrace
_ptrace.restype = ctypes.c_long
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def setup(*, filtered: bool) -> Setup:
    """Return what a child does to let itself be traced: with a filter of its own, or stopping at every call."""
    table = machine()
    if table is None:
        raise Unavailable("needs Linux on x86_64 or aarch64")
    if filtered and not _linux.action_available(table, _bpf.TRACE):
        filtered = False
    program = _linux.Filter(table, _bpf.assemble(table, _bpf.TRACE))

    def permit() -> tuple[bytes, int]:
        _linux.prctl(_linux.PR_SET_PTRACER, _linux.PR_SET_PTRACER_ANY)
        if not filtered:
            return b"u", -1
        result = program.install(0)
        if result == -errno.EACCES:
            _linux.prctl(_linux.PR_SET_NO_NEW_PRIVS, 1)
            return (b"n", -1) if program.install(0) == 0 else (b"u", -1)
        return (b"p", -1) if result == 0 else (b"u", -1)

    return permit


class Ptrace:
    """Our hold on the tracing process."""

    patient = True

    def __init__(self, child: Child, tracee: Tracee) -> None:
        """Start the tracing process on `child`; raise `Unavailable` if it may not trace it."""
        table = machine()
        report, _ = child.prepare()
        if table is None or report not in (b"p", b"n", b"u"):
            raise Unavailable("the program could not be prepared")
        if report == b"n":
            tracee.gaps.note("capture.no_new_privs")
        self._tracee = tracee
        self._result, ours = os.pipe()
        self._data = bytearray()
        caller = os.getpid()
        first = os.fork()
        if first == 0:
            try:
                if os.fork() == 0:
                    settle_down(b"lineal-tracer", caller, {ours})
                    _Tracer(child.pid, tracee, table, report != b"u", ours).run()
            finally:
                os._exit(0)
        os.close(ours)
        os.waitpid(first, 0)
        said = os.read(self._result, 1)
        if said != b"\0":
            os.close(self._result)
            raise Unavailable(f"ptrace: {os.strerror(said[0]) if said else 'the tracing process died'}")

    def guarded(self, guardian: Guardian) -> None:
        """The tracing process needs no guardian."""

    def sources(self) -> dict[int, int]:
        """Return the descriptors to poll, and for what."""
        return {self._result: select.POLLIN}

    def ready(self, fd: int) -> bool:
        """Take a part of the result; return False when it is whole."""
        part = os.read(fd, 1 << 20)
        self._data += part
        return bool(part)

    def finish(self) -> Seen:
        """Return what the tracing process has seen."""
        os.close(self._result)
        try:
            rows, connections, gaps = json.loads(self._data)
        except ValueError:
            self._tracee.gaps.note("capture.tracer_lost")
            return self._tracee.seen()
        self._tracee.gaps.restore(gaps)
        accesses = (
            Access(path.encode("latin-1"), read, written, first, Stat(*before) if before else None, removed, executed)
            for path, read, written, first, before, removed, executed in rows
        )
        return Seen(tuple(accesses), tuple(connections), self._tracee.gaps)


class _Tracer:
    """The tracing process."""

    def __init__(self, program: int, tracee: Tracee, table: Machine, filtered: bool, result: int) -> None:
        self._program = program
        self._tracee = tracee
        self._table = table
        self._resume = _CONT if filtered else _SYSCALL
        self._result = result
        self._ends: float | None = None
        self._watching = True
        self._info = ctypes.create_string_buffer(512)
        self._info_at = ctypes.addressof(self._info)
        self._vector = ctypes.create_string_buffer(16)

    def run(self) -> None:
        """Trace until no process of the run is left; the result is sent when the program itself has ended."""
        if _ptrace(_SEIZE, self._program, None, _OPTIONS) < 0:
            os.write(self._result, bytes([ctypes.get_errno()]))
            return
        if self._resume == _SYSCALL:
            _ptrace(_INTERRUPT, self._program, None, None)  # it stops at each call only once it has been resumed so
        os.write(self._result, b"\0")
        with contextlib.suppress(ChildProcessError):
            self._trace()
        if self._watching:
            self._send()

    def _trace(self) -> None:
        while True:
            thread, status = os.waitpid(-1, _WALL | (os.WNOHANG if self._ends and self._watching else 0))
            if thread and os.WIFSTOPPED(status):
                self._stopped(thread, status >> 8 & 0xFF, status >> 16)
            elif thread == self._program:
                self._ends = time.monotonic() + GRACE
            if self._ends and self._watching and not thread:
                if time.monotonic() > self._ends:
                    self._tracee.gaps.note("capture.left_running")
                    self._send()
                else:
                    time.sleep(0.001)

    def _stopped(self, thread: int, number: int, event: int) -> None:
        seen = None
        action, passed = self._resume, 0
        if event == _EVENT_SECCOMP or number == signal.SIGTRAP | 0x80:
            call = self._call(thread) if self._watching else None
            if call is not None:
                seen = self._tracee.read(thread, *call)
        elif event == _EVENT_STOP:
            action = _LISTEN if number in _GROUP_STOPS else self._resume
        elif event == 0:
            passed = number
        if _ptrace(action, thread, None, passed) == 0 and seen is not None:
            self._tracee.apply(seen)

    def _call(self, thread: int) -> tuple[int, int, tuple[int, ...]] | None:
        """Return the audit number, call number and arguments of a call about to be made."""
        if _ptrace(_SYSCALL_INFO, thread, len(self._info), self._info_at) > 0:
            kind, audit, _, _, number, *args = _INFO.unpack_from(self._info)
            if kind == _ENTRY and number not in self._tracee.calls and audit == self._table.audit:
                return None
            return None if kind == 2 else (audit, number, tuple(args))
        if self._resume == _SYSCALL:
            return None
        struct.pack_into("=QQ", self._vector, 0, self._info_at, len(self._info))
        if _ptrace(_GETREGSET, thread, 1, ctypes.addressof(self._vector)) < 0:
            return None
        size = struct.unpack_from("=Q", self._vector, 8)[0]
        words = struct.unpack_from(f"={size // 8}Q", self._info)
        if size == 27 * 8:  # x86_64: struct user_regs_struct
            return self._table.audit, words[15], tuple(words[at] for at in (14, 13, 12, 7, 9, 8))
        if size == 34 * 8:  # aarch64: struct user_pt_regs
            return self._table.audit, words[8], words[:6]
        return 0, 0, ()

    def _send(self) -> None:
        self._watching = False
        self._resume = _CONT
        seen = self._tracee.seen()
        rows = [(access.path.decode("latin-1"), *astuple(access)[1:]) for access in seen.accesses]
        data = memoryview(json.dumps((rows, seen.connections, seen.gaps.listed())).encode())
        try:
            while data:
                data = data[os.write(self._result, data) :]
        except BrokenPipeError:
            pass  # whoever asked has gone; the processes still need their tracer
        os.close(self._result)
