"""Commands of Lineal without the start of an interpreter: half a second of processor time each, hundreds of times.

A warm process has imported the whole command line. For each command it forks a process which takes over the arguments,
the variables, the folder, the umask and the standard streams of whoever asks, and then begins as the program does:
nothing of one command is left for the next. Who asks is a program that takes no time to start, gets the signals for
it, and ends as it does. What a warm process cannot do as a fresh one would (other variables were read when things were
imported; there is no ``/proc``), the program does itself.

Who tests signals, groups of processes, the start or the tracing starts the real program.
"""

import atexit
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from servers.warm_program import STARTUP

_HERE = Path(__file__).resolve().parent
_PROGRAM = Path(sys.executable).with_name("lineal")
_POSSIBLE = hasattr(os, "pidfd_open") and Path("/proc/self/environ").exists()
_started: dict[tuple[object, ...], str] = {}


def warm(environment: Mapping[str, str], *, modules: Sequence[str] = (), home: bool = False) -> str | None:
    """Return the socket of the warm process of this one for programs with `environment`; None where there can be none.

    It has also imported `modules`; with `home`, it is one for the home of `environment` only.
    """
    if not _POSSIBLE:
        return None
    awaited = {name: value for name, value in environment.items() if os.fsencode(name).startswith(STARTUP)}
    key = (os.getpid(), *sorted(awaited.items()), *modules, environment.get("HOME") if home else None)
    if key not in _started:
        _started[key] = _start(environment, modules)
    return _started[key]


def _start(environment: Mapping[str, str], modules: Sequence[str]) -> str:
    folder = tempfile.mkdtemp(prefix="lineal-warm-")
    at = os.path.join(folder, "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(at)
        listener.listen(64)
        process = subprocess.Popen(
            [sys.executable, "-P", _HERE / "warm_program.py", str(listener.fileno()), *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=dict(environment),
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
    owner = os.getpid()

    def end() -> None:
        if os.getpid() == owner:  # not in what is forked from it
            process.communicate()

    atexit.register(end)
    return at


def words(at: str | None, program: str = "lineal") -> list[str]:
    """Return the words that start `program` (``lineal``, or the path of one) by the warm process at `at`."""
    if at is None:
        return [sys.executable, *(["-P", "-m", "lineal"] if program == "lineal" else [program])]
    return [sys.executable, "-IS", str(_HERE / "warm_client.py"), at, program]


def make_command(folder: Path, at: str | None, program: str | None = None) -> Path:
    """Make the command ``lineal`` in a new `folder`; return the folder, which belongs first on the PATH."""
    folder.mkdir(parents=True)
    made = folder / "lineal"
    made.write_text(f'#!/bin/sh\nexec {shlex.join(words(at, program or str(_PROGRAM)))} "$@"\n')
    made.chmod(0o755)
    return folder
