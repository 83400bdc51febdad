"""A shell on a stage: prints each command as a person would type it, runs it for real, and holds it to its status."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape

from lineal.errors import DemoFailed

_OWN = ("LINEAL_LEDGER", "LINEAL_HOME", "LINEAL_ACTOR", "LINEAL_RUN")
_GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
_GIT_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")


@dataclass(slots=True)
class Shell:
    """Runs commands in the present folder and writes the story to `stream`; `steps` are the commands run so far."""

    stream: TextIO
    steps: list[dict[str, object]] = field(default_factory=list)

    @property
    def console(self) -> Console:
        """Where the story is printed."""
        return Console(file=self.stream, soft_wrap=not self.stream.isatty(), highlight=False, emoji=False)

    def say(self, text: str) -> None:
        """Print a paragraph of the story (Rich markup)."""
        self.console.print(f"\n{text}")

    def lineal(self, *words: str, expect: int | None = 0) -> None:
        """Print and run a command of Lineal; raise `DemoFailed` unless it exits with `expect` (None: with anything).

        It runs in this process, through the same door as from a shell: only the start of an interpreter is saved.
        """
        from lineal.cli.main import run

        self._show("lineal", *words)
        if words[0] == "run":  # what it starts must have a terminal, signals and descriptors of its own
            status = self._call([sys.executable, "-m", "lineal", *words])
        else:
            before = os.environ.get("LINEAL_LEDGER")
            with contextlib.redirect_stdout(self.stream), contextlib.redirect_stderr(self.stream):
                status = run(list(words))
            if before is None:
                os.environ.pop("LINEAL_LEDGER", None)
        self._hold(status, expect, words)

    def git(self, *words: str, shown: bool = False) -> None:
        """Run git with an identity of its own and nothing of the user's settings; `shown` prints it and its output."""
        if shown:
            self._show("git", *words)
        identity = ("-c", "user.name=Ana", "-c", "user.email=ana@demo.example", "-c", "init.defaultBranch=main")
        environment = {name: value for name, value in os.environ.items() if name not in _GIT_PLACES} | _GIT
        done = subprocess.run(["git", *identity, *words], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DemoFailed(f"git {words[0]} failed: {done.stderr.strip()}")
        if shown:
            self.stream.write(done.stdout)

    def _show(self, *words: str) -> None:
        self.console.print(f"\n[bold green]$[/] [bold]{escape(shlex.join(words))}[/]")
        self.stream.flush()

    def _call(self, command: Sequence[str]) -> int:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
        ) as child:
            try:
                self.stream.write(child.communicate()[0])
            except BaseException:
                child.send_signal(signal.SIGINT)  # it ends what it started, and records that it was stopped
                raise
        return child.returncode

    def _hold(self, status: int, expect: int | None, words: Sequence[str]) -> None:
        self.steps.append({"command": shlex.join(("lineal", *words)), "status": status})
        self.stream.flush()
        if status == 128 + signal.SIGINT:
            raise KeyboardInterrupt
        if expect is not None and status != expect:
            raise DemoFailed(f"`lineal {shlex.join(words)}` exited with {status}, not {expect}")


def python_word() -> str:
    """Return the word that starts this interpreter when its folder is first on the PATH."""
    own = Path(sys.executable)
    for name in ("python", "python3"):
        with contextlib.suppress(OSError):
            if own.with_name(name).samefile(own):
                return name
    return sys.executable


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[None]:
    """Stand in `folder`, with this interpreter first on the PATH and no setting of another ledger, while it lasts."""
    before, here = dict(os.environ), Path.cwd()
    for name in (*_OWN, *_GIT_PLACES):
        os.environ.pop(name, None)
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), before.get("PATH", os.defpath)))
    os.environ["PWD"] = str(folder)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)
