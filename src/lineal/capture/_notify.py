"""Tracing by seccomp user notification: the kernel stops each call of interest and asks us, we look and let it go on.

``seccomp_unotify(2)``. Needs Linux 5.9 (a listener that hangs up when its last process ends); unprivileged, and in
containers. Linux 5.19 adds a wait that signals do not restart, 6.6 wakes the tracer on the same processor.
"""

import ctypes
import errno
import mmap
import os
import select
import struct
from typing import Final

from lineal.capture import _bpf, _linux
from lineal.capture._gaps import Seen
from lineal.capture._guardian import TAKE_LISTENER, Guardian
from lineal.capture._spawn import Child, Setup, Unavailable
from lineal.capture._syscalls import machine
from lineal.capture._tracee import Tracee

_NEW_LISTENER: Final = 1 << 3
_SPEC_ALLOW: Final = 1 << 2
_WAIT_KILLABLE: Final = 1 << 5
_CONTINUE: Final = 1
_RECV: Final = 0xC0502100
_SEND: Final = 0xC0182101
_SET_FLAGS: Final = 0x40082104
_SYNC_WAKE_UP: Final = 1

_NOTICE: Final = struct.Struct("=QIIiIQ6Q")  # struct seccomp_notif
_REPLY: Final = struct.Struct("=QqiI")  # struct seccomp_notif_resp
_REPLY_AT: Final = 2048
_BLANK: Final = bytes(_NOTICE.size)

BUSY: Final = "the program is inside another traced run already"


def setup() -> Setup:
    """Return what a child does to put itself under the filter and hand over the listener."""
    table = machine()
    if table is None or tuple(int(x) for x in os.uname().release.split("-")[0].split(".")[:2]) < (5, 9):
        raise Unavailable("needs Linux 5.9 or later on x86_64 or aarch64")
    program = _linux.Filter(table, _bpf.assemble(table, _bpf.USER_NOTIF))

    def install() -> tuple[bytes, int]:
        for privileges in (b"p", b"n"):
            if privileges == b"n":
                _linux.prctl(_linux.PR_SET_NO_NEW_PRIVS, 1)
            for flags in (_SPEC_ALLOW | _WAIT_KILLABLE, _SPEC_ALLOW, 0):
                result = program.install(_NEW_LISTENER | flags)
                if result >= 0:
                    return privileges, result
                if result != -errno.EINVAL:
                    break
            if result != -errno.EACCES:
                break
        return b"%d" % -result, -1

    return install


class Notify:
    """The tracer's side of one listener."""

    patient = False

    def __init__(self, child: Child, tracee: Tracee) -> None:
        """Take the listener from `child`; raise `Unavailable` if there is none to have."""
        self._tracee = tracee
        report, self.fd = child.prepare()
        if self.fd < 0:
            number = int(report) if report.isdigit() else 0
            raise Unavailable(BUSY if number == errno.EBUSY else f"the kernel gave no listener: {os.strerror(number)}")
        if report == b"n":
            tracee.gaps.note("capture.no_new_privs")
        # Shared with the guardian, which so knows the call that was being looked at when the tracer died.
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)
        self._at = ctypes.addressof(ctypes.c_char.from_buffer(self._shared))
        _linux.ioctl(self.fd, _SET_FLAGS, _SYNC_WAKE_UP)  # refused before Linux 6.6: then it is only slower
        self._mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._guardian: Guardian | None = None

    def guarded(self, guardian: Guardian) -> None:
        """Name the guardian that serves in our place after a fault of ours."""
        self._guardian = guardian

    def sources(self) -> dict[int, int]:
        """Return the descriptors to poll, and for what."""
        return {self._mounts: select.POLLPRI, self.fd: select.POLLIN}

    def ready(self, fd: int) -> bool:
        """Handle what `fd` was polled for; return False when nothing more will come from it."""
        try:
            if fd == self.fd:
                return self._serve()
            self._tracee.note_mounts()
            return True
        except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the program
            self._tracee.gaps.note("capture.tracer_lost", f"{type(error).__name__}: {error}")
            if self._guardian is not None:
                self._guardian.tell(TAKE_LISTENER)
            return False

    def finish(self) -> Seen:
        """Stop looking and return what was seen."""
        os.close(self._mounts)
        os.close(self.fd)
        return self._tracee.seen()

    def rescue(self) -> None:
        """In the guardian: answer the call that the tracer was looking at when it ended, if there is one."""
        self._reply(_NOTICE.unpack_from(self._shared)[0])

    def answer(self) -> bool:
        """In the guardian: let one waiting call continue, unseen."""
        if _linux.ioctl(self.fd, _RECV, self._at) < 0:
            return self._anyone_left()
        self.rescue()
        return True

    def _serve(self) -> bool:
        if _linux.ioctl(self.fd, _RECV, self._at) < 0:
            return self._anyone_left()
        identity, thread, _, number, audit, _, *args = _NOTICE.unpack_from(self._shared)
        event = self._tracee.read(thread, audit, number, args)
        # That it is accepted proves that the thread had waited all along: its memory was its own, not a successor's.
        if self._reply(identity) and event is not None:
            self._tracee.apply(event)
        return True

    def _reply(self, identity: int) -> bool:
        _REPLY.pack_into(self._shared, _REPLY_AT, identity, 0, 0, _CONTINUE)
        accepted: bool = _linux.ioctl(self.fd, _SEND, self._at + _REPLY_AT) == 0
        self._shared[: _NOTICE.size] = _BLANK  # the kernel insists, and no call is being looked at any more
        return accepted

    def _anyone_left(self) -> bool:
        """A call whose thread was killed before we could look is no end; a listener that hung up is."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        return not any(events & select.POLLHUP for _, events in poll.poll(0))
