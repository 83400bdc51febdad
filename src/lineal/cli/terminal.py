"""What commands print, and how: for a person, or with ``--json`` for a machine."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

_WIDE = 4000


class Terminal:
    """Standard output for results, standard error for progress and notes. Colours and bars only on a terminal."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.out = _console(sys.stdout)
        self.notes = _console(sys.stderr)

    def emit(self, document: Any, render: Callable[[Console], None]) -> None:
        """Print `document` as JSON, or let `render` print it for a person."""
        if self.as_json:
            json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
            sys.stdout.write("\n")
        else:
            render(self.out)

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


def _console(stream: TextIO) -> Console:
    # Off a terminal, lines are never cut or wrapped: they are somebody's input.
    terminal = stream.isatty()
    return Console(file=stream, soft_wrap=not terminal, width=None if terminal else _WIDE, highlight=False, emoji=False)


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
