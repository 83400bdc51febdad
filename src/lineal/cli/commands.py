"""Every command, in the order of the help."""

from collections.abc import Callable
from typing import Any, Final

import typer

from lineal.cli import impact, init, log, ls, rebuild, show, snapshot, trace, verify

_PANELS: Final[tuple[tuple[str, dict[str, Callable[..., Any]]], ...]] = (
    ("Record", {"init": init.init, "snapshot": snapshot.snapshot}),
    ("Browse", {"ls": ls.ls, "show": show.show, "log": log.log}),
    ("Ask", {"trace": trace.trace, "impact": impact.impact}),
    ("Prove", {"verify": verify.verify, "rebuild": rebuild.rebuild}),
)


def register(app: typer.Typer) -> None:
    """Add every command to `app`."""
    for panel, commands in _PANELS:
        for name, function in commands.items():
            app.command(name, rich_help_panel=panel)(function)
