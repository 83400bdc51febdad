"""Every command, in the order of the help."""

from collections.abc import Callable
from typing import Any, Final

import typer

from lineal.cli import check, impact, init, log, ls, rebuild, run, show, snapshot, trace, verify

_PANELS: Final[tuple[tuple[str, dict[str, Callable[..., Any]]], ...]] = (
    ("Record", {"init": init.init, "run": run.run, "snapshot": snapshot.snapshot}),
    ("Browse", {"ls": ls.ls, "show": show.show, "log": log.log}),
    ("Ask", {"trace": trace.trace, "impact": impact.impact}),
    ("Prove", {"check": check.check, "verify": verify.verify, "rebuild": rebuild.rebuild}),
)


def register(app: typer.Typer) -> None:
    """Add every command to `app`."""
    for panel, commands in _PANELS:
        for name, function in commands.items():
            # After the command to run, options are its own.
            settings = {"allow_interspersed_args": False} if name == "run" else {}
            app.command(name, rich_help_panel=panel, context_settings=settings)(function)
