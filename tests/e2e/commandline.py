"""The command `lineal` as a stranger meets it: real processes in a real folder, with a HOME of their own.

Those of `Place.lineal` and `Place.run` come from a warm process (see `servers.warm`); `LINEAL` starts the real program.
Where the process is not the point, `Place.within` runs the same command line in this one, for a tenth of the price.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lineal.cli.main import run
from servers import warm

PYTHON = sys.executable
LINEAL = (PYTHON, "-P", "-m", "lineal")  # -P: no module of the folder stands before those of Python
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR")


@dataclass(frozen=True)
class Done:
    """How a process ended and what it printed."""

    status: int
    out: bytes
    err: str

    def json(self) -> Any:
        """Return the document printed; it is all that was printed."""
        return json.loads(self.out)

    def last(self) -> Any:
        """Return the document on the last line printed."""
        assert self.out.endswith(b"\n")
        return json.loads(self.out.rstrip(b"\n").rpartition(b"\n")[2])


@dataclass(frozen=True)
class Place:
    """A folder with a ledger in it, and the environment of whoever works there."""

    folder: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        found = {name: os.environ[name] for name in _KEPT if name in os.environ}
        found.update(HOME=str(self.home), GIT_CONFIG_NOSYSTEM="1", LINEAL_ACTOR="tester", PYTHONDONTWRITEBYTECODE="1")
        return {**found, **self.variables, **(more or {})}

    def start(
        self, *command: str | bytes, env: Mapping[str, str] | None = None, **more: Any
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=self.folder, env=self.environment(env), **more)

    def do(self, *command: str | bytes, given: bytes = b"", env: Mapping[str, str] | None = None, **more: Any) -> Done:
        """Run a command to its end."""
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        process = self.start(*command, env=env, **streams)
        out, err = process.communicate(given, timeout=900)
        return Done(process.returncode, out or b"", (err or b"").decode("utf-8", "surrogateescape"))

    def warm(self, env: Mapping[str, str] | None = None) -> list[str]:
        """Return the words that start `lineal` by a warm process, instead of those of `LINEAL`."""
        return warm.words(warm.warm(self.environment(env)))

    def lineal(self, *arguments: str | bytes, env: Mapping[str, str] | None = None, **more: Any) -> Done:
        return self.do(*self.warm(env), *arguments, env=env, **more)

    def within(self, *arguments: str, given: bytes = b"", env: Mapping[str, str] | None = None) -> Done:
        """Run `lineal` in this process, with the folder, the variables and the streams that one of its own would have.

        Variables of this process are not seen, what is patched in it is.
        """
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape", write_through=True) for _ in range(2))
        with (
            patch.dict(os.environ, self.environment(env), clear=True),
            patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), "utf-8")),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = run(list(arguments))
        said, complained = (stream.buffer.getvalue() for stream in (out, err))  # type: ignore[attr-defined]
        return Done(status, said, complained.decode("utf-8", "surrogateescape"))

    def run(self, *command: str | bytes, options: Sequence[str] = (), **more: Any) -> Done:
        """Run a command with `lineal run --json`."""
        return self.lineal("run", "--json", *options, "--", *command, **more)

    def script(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def git(self, *arguments: str) -> str:
        done = self.do("git", "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments)
        assert done.status == 0, done.err
        return done.out.decode().strip()

    def repository(self) -> str:
        """Make the folder a git repository with all that is in it committed; return the commit."""
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-qm", "all", "--allow-empty")
        return self.git("rev-parse", "HEAD")


def make_place(folder: Path) -> Place:
    """Make a ledger in ``work`` below `folder`."""
    place = Place(folder / "work", folder / "home")
    place.folder.mkdir(parents=True)
    place.home.mkdir()
    done = place.within("init", "-q")
    assert done.status == 0, done.err
    return place


def killed_by(number: signal.Signals) -> int:
    return 128 + number
