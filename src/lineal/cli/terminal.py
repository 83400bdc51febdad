"""What commands print, and how: for a person, or with ``--json`` for a machine."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from lineal.cli.progress import Move

_GONE: Final = 128 + signal.SIGPIPE


class Terminal:
    """Standard output for results, standard error for progress and notes. Colours and bars only on a terminal."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet

    @cached_property
    def out(self) -> "Console":
        """Standard output, for tables and trees."""
        from lineal.cli.console import make_console

        return make_console(sys.stdout)

    @cached_property
    def notes(self) -> "Console":
        """Standard error, for progress and notes."""
        from lineal.cli.console import make_console

        return make_console(sys.stderr)

    def say(self, line: str) -> None:
        """Print a line of the result; where nobody reads it any more, that is no matter."""
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError:
            discard_output()

    def emit_line(self, describe: Callable[[], Any], line: str) -> None:
        """Print as JSON what `describe` gives, or the plain text `line` for a person; else as `emit`."""
        if self.as_json:
            self.emit(describe(), lambda _out: None)
        elif sys.stdout.isatty():
            self.emit(None, lambda out: out.print(line, markup=False))
        else:  # nothing to colour or to wrap: what does that takes a while to import
            self._write(f"{tame(line)}\n")

    def emit(self, document: Any, render: "Callable[[Console], None]") -> None:
        """Print `document` as JSON, or let `render` print it for a person.

        Leaves with the status of SIGPIPE when whoever read our output has gone.
        """
        if self.as_json:
            self._write(to_json(document, indent=2) + "\n")
        else:
            self._write("", lambda: render(self.out))

    def _write(self, text: str, render: Callable[[], None] | None = None) -> None:
        try:
            if text:
                sys.stdout.write(text)
            if render is not None:
                render()
            sys.stdout.flush()
        except BrokenPipeError as error:
            discard_output()
            raise typer.Exit(_GONE) from error

    def note(self, text: str) -> None:
        """Tell a person something beside the result (plain text)."""
        if not self.quiet and not self.as_json:
            self.notes.print(text, markup=False, highlight=False)

    @contextmanager
    def progress(self, label: str, *, unit: str = "files", late: bool = False) -> "Iterator[Move]":
        """Give a function of (done, total or bytes) that moves a bar while the block runs, on a terminal only.

        With `late` it is shown, and a thread of its own begun, when it first moves.
        """
        from lineal.cli.progress import Move, show_progress

        if self.quiet or self.as_json or not sys.stderr.isatty() or not self.notes.is_terminal:
            yield Move()
            return
        with show_progress(self.notes, label, unit, late=late) as move:
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
    from rich.markup import escape

    return escape(tame(text))


def tame(text: str) -> str:
    """Return `text` with whatever cannot be printed spelled out: none of it may move, colour or command a terminal."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text
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
