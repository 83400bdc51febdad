"""What commands print, and how: for a person, or with ``--json`` for a machine."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment

_WIDE: Final = 4000
_GONE: Final = 128 + signal.SIGPIPE


class _Console(Console):
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        # What is recorded came from anywhere: none of it may move, colour or command the terminal.
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable() or text == "\n":
                yield segment
            else:
                yield Segment(_tame(text), segment.style)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # Rich would end the process with status 1: to us, that a check failed


class Terminal:
    """Standard output for results, standard error for progress and notes. Colours and bars only on a terminal."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.out = _console(sys.stdout)
        self.notes = _console(sys.stderr)

    def say(self, line: str) -> None:
        """Print a line of the result; where nobody reads it any more, that is no matter."""
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError:
            discard_output()

    def emit(self, document: Any, render: Callable[[Console], None]) -> None:
        """Print `document` as JSON, or let `render` print it for a person.

        Leaves with the status of SIGPIPE when whoever read our output has gone.
        """
        try:
            if self.as_json:
                sys.stdout.write(to_json(document, indent=2) + "\n")
            else:
                render(self.out)
            sys.stdout.flush()
        except BrokenPipeError as error:
            discard_output()
            raise typer.Exit(_GONE) from error

    def note(self, text: str) -> None:
        """Tell a person something beside the result (plain text)."""
        if not self.quiet and not self.as_json:
            self.notes.print(escape(text), highlight=False)

    @contextmanager
    def progress(self, label: str, *, unit: str = "files") -> Iterator[Callable[[int, int], None]]:
        """Give a function of (done, total or bytes) that moves a bar while the block runs, on a terminal only."""
        if self.quiet or self.as_json or not self.notes.is_terminal:
            yield lambda _done, _more: None
            return
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
        with Progress(*columns, TimeElapsedColumn(), console=self.notes, transient=True) as bar:
            task = bar.add_task(label, total=None, state="")

            def move(done: int, more: int) -> None:
                if unit == "entries":
                    bar.update(task, completed=done, total=more, state=f"{done:,} of {more:,} {unit}")
                else:
                    bar.update(task, state=f"{done:,} {unit}, {size(more)}")

            yield move


def to_json(document: Any, indent: int | None = None) -> str:
    """Return `document` as JSON that standard output can carry, whatever its encoding."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(document, indent=indent)
    return text


def discard_output() -> None:
    """Let what is left of standard output go nowhere: whoever read it has gone."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def plain(text: str) -> str:
    """Return recorded text as markup that shows it as it is, with whatever cannot be printed spelled out."""
    return escape(_tame(text))


def _tame(text: str) -> str:
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text
    )


def _console(stream: TextIO) -> Console:
    # Off a terminal, lines are never cut or wrapped: they are somebody's input.
    terminal = stream.isatty()
    return _Console(
        file=stream, soft_wrap=not terminal, width=None if terminal else _WIDE, highlight=False, emoji=False
    )


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def short(digest: str | None) -> str:
    """Return the first 12 digits of a digest for people; ``-`` for none."""
    return "-" if digest is None else digest.removeprefix("sha256:")[:12]


def moment(text: str | None) -> str:
    """Return a canonical moment to the second for people; ``-`` for none."""
    return "-" if text is None else f"{text[:10]} {text[11:19]}Z"


def shorten(version: str | None) -> str:
    """Return a version for people: a commit by its first 12 digits; ``-`` for none."""
    commit, plus, rest = (version or "-").partition("+")
    return f"{commit[:12]}{plus}{rest}"
