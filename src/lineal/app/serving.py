"""Server processes: started in a session of their own, awaited, known again later, ended."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lineal.core.redaction import redact
from lineal.errors import BadInput, NotServing

_STEP: Final = 0.05
_PATIENCE: Final = 5.0
_TAIL: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process by its number and a mark that no later process of that number has."""

    pid: int
    mark: str


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(command: Sequence[str], output: Path) -> Process:
    """Start `command` detached from this process, terminal and session, its output going to the file `output`.

    Raises `BadInput` when there is no such program.
    """
    try:
        with output.open("wb") as stream:
            child = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
            )
    except OSError as error:
        raise BadInput(f"cannot start {command[0]}: {error.strerror}; nothing was recorded") from error
    child.returncode = 0  # it is meant to outlive us: nobody here waits for it
    return Process(pid=child.pid, mark=_mark(child.pid) or "")


def wait_until(ready: Callable[[float], bool], process: Process, output: Path, *, timeout: float) -> None:
    """Wait until `ready`, which may take the seconds it is given.

    Raises `NotServing` with the end of `output` when `process` ends or `timeout` seconds pass.
    """
    deadline = time.monotonic() + timeout
    while not ready(max(0.1, deadline - time.monotonic())):
        if not is_running(process):
            raise NotServing(f"the server ended before it answered; nothing was recorded{_tail(output)}")
        if time.monotonic() > deadline:
            raise NotServing(f"the server did not answer within {timeout:g} s; nothing was recorded{_tail(output)}")
        time.sleep(_STEP)


def is_running(process: Process) -> bool:
    """Return whether this very process runs, not another one that has its number now."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)  # our own child would stay as a zombie otherwise
    return bool(process.mark) and _mark(process.pid) == process.mark


def end(process: Process) -> bool:
    """End `process` and whatever it started in its session; return whether it was still running."""
    if not is_running(process):
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + _PATIENCE
        while is_running(process) and time.monotonic() < deadline:
            time.sleep(_STEP)
    return True


def _tail(output: Path) -> str:
    text = redact(output.read_bytes()[-_TAIL:].decode("utf-8", "replace").strip())[0]
    return f"; its last words:\n{text}" if text else " (it printed nothing)"


def _mark(pid: int) -> str | None:
    """Return the boot and the tick at which a process started, None if it is gone or has ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _mark_by_ps(pid)
    return None if status[0] in "ZX" else f"{boot}/{status[19]}"


def _mark_by_ps(pid: int) -> str | None:
    asked = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = asked.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()
