"""The few kernel calls that Python has no name for, through ctypes. Nothing is compiled; only imported on Linux."""

import ctypes
import os
from typing import Final

from lineal.capture._syscalls import Machine

PR_SET_NAME: Final = 15
PR_SET_NO_NEW_PRIVS: Final = 38
PR_SET_PTRACER: Final = 0x59616D61
PR_SET_PTRACER_ANY: Final = ctypes.c_ulong(-1).value

_SECCOMP_SET_MODE_FILTER: Final = 1
_SECCOMP_GET_ACTION_AVAIL: Final = 2
_PAGE: Final = 4096

library: Final = ctypes.CDLL(None, use_errno=True)
_syscall = library.syscall
_syscall.restype = ctypes.c_long
_prctl = library.prctl
_prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
ioctl = library.ioctl
ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]
_vm_readv = library.process_vm_readv
_vm_readv.restype = ctypes.c_ssize_t
_vm_readv.argtypes = [
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_ulong,
]
_signalfd = library.signalfd
_signalfd.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]


class _Iovec(ctypes.Structure):
    base: int
    length: int
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


class Filter:
    """A seccomp filter, laid out in memory beforehand so that a freshly forked child only makes the call."""

    def __init__(self, machine: Machine, code: bytes) -> None:
        self._number = machine.seccomp
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = _Program(len(code) // 8, ctypes.addressof(self._code))
        self._address = ctypes.c_void_p(ctypes.addressof(self._program))

    def install(self, flags: int) -> int:
        """Put the filter on this thread; return the call's result or, if it failed, minus its errno."""
        result = int(_syscall(self._number, _SECCOMP_SET_MODE_FILTER, ctypes.c_ulong(flags), self._address))
        return result if result >= 0 else -ctypes.get_errno()


def action_available(machine: Machine, action: int) -> bool:
    """Whether this kernel's seccomp knows the filter action `action`."""
    value = ctypes.c_uint32(action)
    return int(_syscall(machine.seccomp, _SECCOMP_GET_ACTION_AVAIL, ctypes.c_ulong(0), ctypes.byref(value))) == 0


def prctl(option: int, value: int = 0) -> int:
    """Call prctl(2); return its result or, if it failed, minus the errno."""
    result = int(_prctl(option, value, 0, 0, 0))
    return result if result >= 0 else -ctypes.get_errno()


def name_process(name: bytes) -> None:
    """Give this process the name (at most 15 bytes) under which ``ps`` lists it."""
    text = ctypes.create_string_buffer(name)
    _prctl(PR_SET_NAME, ctypes.addressof(text), 0, 0, 0)


def signalfd(signals: frozenset[int]) -> int:
    """Return a descriptor from which the blocked `signals` are read (``signalfd(2)``), or raise OSError."""
    mask = sum(1 << (number - 1) for number in signals)
    bits = ctypes.create_string_buffer(mask.to_bytes(128, "little"), 128)  # sizeof(sigset_t) in the C library
    fd = int(_signalfd(-1, bits, os.O_CLOEXEC | os.O_NONBLOCK))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "signalfd")
    return fd


class Memory:
    """Reads the memory of other processes: process_vm_readv, else ``/proc/PID/mem``, opened anew for each read.

    It is opened anew because the descriptor of a process that has executed another program reads as empty.
    """

    def __init__(self) -> None:
        self._buffer = (ctypes.c_char * _PAGE)()
        self._local = _Iovec(ctypes.addressof(self._buffer), _PAGE)
        self._remote = _Iovec()
        self._local_at = ctypes.c_void_p(ctypes.addressof(self._local))
        self._remote_at = ctypes.c_void_p(ctypes.addressof(self._remote))

    def text(self, thread: int, address: int) -> bytes:
        """Return the NUL-terminated string at `address`; raise OSError if it cannot be read, or is too long a path."""
        remote = self._remote
        remote.base = address
        remote.length = room = _PAGE - address % _PAGE  # the next page may not be mapped
        got = _vm_readv(thread, self._local_at, 1, self._remote_at, 1, 0)
        if got == room:
            text: bytes = self._buffer.value
            if len(text) < got:
                return text
        text = b""
        while len(text) <= _PAGE:
            part = self.block(thread, address, _PAGE - address % _PAGE)
            text += part.split(b"\0", 1)[0]
            if b"\0" in part:
                return text
            address += len(part)
        raise OSError("no path is this long")

    def block(self, thread: int, address: int, size: int) -> bytes:
        """Return `size` bytes (at most 4096) at `address`; raise OSError if they cannot be read."""
        self._remote.base = address
        self._remote.length = min(size, _PAGE)
        if _vm_readv(thread, self._local_at, 1, self._remote_at, 1, 0) == size:
            return self._buffer.raw[:size]
        fd = os.open(f"/proc/{thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(fd, size, address)
        finally:
            os.close(fd)
        if len(data) != size:
            raise OSError("short read of a process's memory")
        return data
