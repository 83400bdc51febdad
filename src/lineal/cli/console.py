"""The console that prints tables, trees and bars: nothing that was recorded anywhere can command the terminal."""

from collections.abc import Iterator
from typing import Final, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from lineal.cli.terminal import tame

_WIDE: Final = 4000


class _Console(Console):
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        # What is recorded came from anywhere: none of it may move, colour or command the terminal.
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable() or text == "\n":
                yield segment
            else:
                yield Segment(tame(text), segment.style)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # Rich would end the process with status 1: to us, that a check failed


def make_console(stream: TextIO) -> Console:
    """Return the console of a stream. Off a terminal, lines are never cut or wrapped: they are somebody's input."""
    terminal = stream.isatty()
    return _Console(
        file=stream, soft_wrap=not terminal, width=None if terminal else _WIDE, highlight=False, emoji=False
    )
