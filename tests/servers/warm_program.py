"""A process that has imported the whole command line, and forks a process of its own for each command asked for.

Started by `warm.warm`; see there. Whatever such a process would find in a start of its own, it must find here, too: the
variables that were read while things were imported are compared, and who has others is sent away.
"""

import atexit
import contextlib
import gc
import importlib
import io
import marshal
import os
import pkgutil
import runpy
import selectors
import shutil
import signal
import socket
import sys
import sysconfig
import threading
import time
import urllib.request
from collections.abc import Sequence
from typing import Any, Final, NoReturn

DECLINED: Final = 1 << 20
# What the interpreter and the C libraries read when they start.
STARTUP: Final = (b"GLIBC_", b"LANG", b"LC_", b"LD_", b"MALLOC_", b"OPENSSL", b"PYTHON", b"TZ")
_PROXY: Final = b"_proxy"  # which of them there are, some remember from the moment of their import
_PROGRAMS: Final = ("lineal.__main__", "lineal.capture._probe")
_ALWAYS: Final = (
    "asyncio", "csv", "getpass", "http.client", "jmespath", "rich.markdown", "rich.progress", "rich.table", "rich.tree",
    "sqlalchemy.dialects.sqlite", "tarfile", "urllib.request", "urllib3", "yaml", "zipfile",
)  # fmt: skip


def _load(names: Sequence[str]) -> set[bytes]:
    """Import what commands import, and `names`; return the variables that were read meanwhile."""
    read: set[bytes] = set()
    sysconfig.get_config_vars()  # reads the home: made good in `_take_over`
    real, proxies = os._Environ.__getitem__, urllib.request.getproxies

    def noted(self: Any, key: Any) -> Any:
        read.add(os.fsencode(key))
        return real(self, key)

    def found() -> dict[str, str]:  # goes through all variables, but minds those with names of proxies
        before = set(read)
        try:
            return proxies()
        finally:
            read.intersection_update(before)

    os._Environ.__getitem__, urllib.request.getproxies = noted, found  # type: ignore[method-assign]
    try:
        import lineal
        from lineal.cli import main

        _ = main.app
        for module in pkgutil.walk_packages(lineal.__path__, "lineal."):
            if not module.name.startswith(_PROGRAMS):
                importlib.import_module(module.name)
        for name in (*_ALWAYS, *names):
            importlib.import_module(name)
    finally:
        os._Environ.__getitem__, urllib.request.getproxies = real, proxies  # type: ignore[method-assign]
    return read


def _block() -> dict[bytes, bytes]:
    with open("/proc/self/environ", "rb") as stream:
        return dict(each.split(b"=", 1) for each in stream.read().split(b"\0") if b"=" in each)


class Warm:
    """Takes orders until whoever started it has gone."""

    def __init__(self, listener: socket.socket, names: Sequence[str]) -> None:
        self.own = _block()
        self.added = {name: value for name, value in os.environb.items() if name not in self.own}  # PEP 538
        self.read = _load(names) - set(self.added)
        self.listener = listener
        self.selector = selectors.DefaultSelector()
        self.selector.register(listener, selectors.EVENT_READ, self._accept)
        self.selector.register(0, selectors.EVENT_READ, self._end)
        gc.collect()
        gc.freeze()

    def serve(self) -> NoReturn:
        while True:
            for key, _ in self.selector.select():
                key.data()

    def _end(self) -> NoReturn:
        shutil.rmtree(os.path.dirname(self.listener.getsockname()), ignore_errors=True)
        sys.exit(0)

    def _accept(self) -> None:
        line, _ = self.listener.accept()
        descriptors: list[int] = []
        try:
            head, descriptors, _, _ = socket.recv_fds(line, 8, 4)
            asked = bytearray()
            while len(asked) < int.from_bytes(head, "big"):
                more = line.recv(1 << 16)
                if not more:
                    raise EOFError
                asked += more
            self._begin(line, marshal.loads(bytes(asked)), descriptors)
        except (OSError, EOFError):
            line.close()
        finally:
            for each in descriptors:
                os.close(each)

    def _begin(self, line: socket.socket, order: tuple[Any, ...], descriptors: list[int]) -> None:
        variables = order[2]
        if any(variables.get(name) != self.own.get(name) for name in self._compared(variables)):
            line.sendall(DECLINED.to_bytes(4, "big"))
            line.close()
            return
        pid = os.fork()
        if pid == 0:
            _perform(*order, {**variables, **self.added}, descriptors)
        ended = os.pidfd_open(pid)

        over = False

        def pass_on() -> None:
            if over:  # in the same moment
                return
            try:
                sent = line.recv(1)
            except OSError:
                sent = b""
            os.kill(pid, sent[0] if sent else signal.SIGKILL)
            if not sent:
                self.selector.unregister(line)

        def reap() -> None:
            nonlocal over
            over = True
            _, status = os.waitpid(pid, 0)
            self.selector.unregister(ended)
            os.close(ended)
            if line in self.selector.get_map():
                self.selector.unregister(line)
            with contextlib.suppress(OSError):
                line.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
            line.close()

        self.selector.register(line, selectors.EVENT_READ, pass_on)
        self.selector.register(ended, selectors.EVENT_READ, reap)

    def _compared(self, variables: dict[bytes, bytes]) -> set[bytes]:
        return self.read | {
            name for name in (*variables, *self.own) if name.startswith(STARTUP) or name.lower().endswith(_PROXY)
        }


def _perform(
    program: str, arguments: list[bytes], _: Any, mask: int, ignored: list[int], variables: Any, descriptors: list[int]
) -> NoReturn:
    """Be the program."""
    status = 1
    try:
        _take_over(variables, mask, ignored, descriptors)
        sys.argv = [program, *map(os.fsdecode, arguments)]
        status = _status_of(program)
    finally:
        os._exit(status)


def _take_over(variables: dict[bytes, bytes], mask: int, ignored: list[int], descriptors: list[int]) -> None:
    os.setpgid(0, 0)
    folder, *streams = descriptors
    os.fchdir(folder)
    for number, each in enumerate(streams):
        os.dup2(each, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.umask(mask)
    os.environb.clear()
    os.environb.update(variables)
    sysconfig.get_config_vars()["userbase"] = sysconfig._getuserbase()  # type: ignore[attr-defined]
    time.tzset()
    for each in ignored:
        signal.signal(each, signal.SIG_IGN)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = _open(number, getattr(sys, f"__{name}__"))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _open(number: int, like: io.TextIOWrapper) -> io.TextIOWrapper:
    """Return a standard stream as the interpreter makes it when it starts."""
    bare = number > 0 and like.write_through
    mode = "wb" if number else "rb"
    below = open(number, mode, buffering=0 if bare else -1, closefd=False)  # noqa: SIM115  # for as long as it runs
    return io.TextIOWrapper(
        below, like.encoding, like.errors, newline="\n",
        line_buffering=not bare and (number == 2 or below.isatty()), write_through=bare,
    )  # fmt: skip


def _status_of(program: str) -> int:
    """Run the program as ``python -P -m lineal`` or ``python PROGRAM`` does; return its exit status."""
    status: Any = 0
    try:
        if program == "lineal":
            runpy.run_module("lineal", run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(program, run_name="__main__")
    except SystemExit as left:
        status = left.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    if status is not None and not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = 120
    return (status or 0) & 0xFF


if __name__ == "__main__":
    Warm(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:]).serve()
