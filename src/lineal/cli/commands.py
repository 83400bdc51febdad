"""Every command, in the order of the help."""

from collections.abc import Callable
from typing import Any, Final

import typer

from lineal.cli import (
    add,
    approve,
    approve_change,
    check,
    demo,
    deploy,
    diff,
    erase,
    explain,
    impact,
    init,
    log,
    ls,
    rebuild,
    restore,
    retire,
    run,
    show,
    snapshot,
    tag,
    timeline,
    trace,
    verify,
    watch,
)
from lineal.cli import register as registration
from lineal.cli.collect import collect

_PANELS: Final[tuple[tuple[str, dict[str, Callable[..., Any]]], ...]] = (
    (
        "Record",
        {
            "init": init.init,
            "demo": demo.demo,
            "run": run.run,
            "snapshot": snapshot.snapshot,
            "add": add.add,
            "tag": tag.tag,
        },
    ),
    (
        "Release",
        {
            "register": registration.register,
            "approve": approve.approve,
            "approve change": approve_change.approve_change,
            "deploy": deploy.deploy,
            "retire": retire.retire,
        },
    ),
    ("Browse", {"restore": restore.restore, "ls": ls.ls, "show": show.show, "log": log.log}),
    (
        "Ask",
        {"trace": trace.trace, "impact": impact.impact, "diff": diff.diff, "timeline": timeline.timeline},
    ),
    (
        "Prove",
        {
            "explain": explain.explain,
            "check": check.check,
            "verify": verify.verify,
            "rebuild": rebuild.rebuild,
            "erase": erase.erase,
        },
    ),
)


def register(app: typer.Typer) -> None:
    """Add every command to `app`."""
    for panel, commands in _PANELS:
        for name, function in commands.items():
            # After the command to run, options are its own.
            settings = {"allow_interspersed_args": False} if name == "run" else {}
            kind = approve.ByFirstWord if name == "approve" else None
            app.command(name, cls=kind, rich_help_panel=panel, context_settings=settings)(function)
    app.add_typer(collect, rich_help_panel="Record")
    app.command("watch", rich_help_panel="Record")(watch.watch)
