"""`lineal collect aws-config`."""

from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal

if TYPE_CHECKING:
    from lineal.app.collect import Collected


_Places = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PLACE…",
        help="Where AWS Config delivers to (s3://BUCKET/PREFIX), a copy of it (a folder), or a file.",
        show_default=False,
    ),
]


def collect_aws_config(
    places: _Places = None,
    api: Annotated[bool, typer.Option("--api", help="Ask AWS Config itself for the history of resources.")] = False,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", metavar="TYPE", help="With --api, of this type (repeatable): AWS::IAM::Role, …"),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="With --api, of all types that AWS Config knows resources of.")
    ] = False,
    region: Annotated[
        list[str] | None,
        typer.Option("--region", metavar="REGION", help="With --api, the region (repeatable). [default: yours]"),
    ] = None,
    profile: options.Profile = None,
    again: Annotated[bool, typer.Option("--again", help="Read what was read before, too.")] = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record the configuration that AWS Config recorded: from its history and snapshot files, or by asking it.

    What Lineal observed itself is not recorded twice. Looking again reads what is new.

    Examples: `lineal collect aws-config s3://audit/AWSLogs/` · `lineal collect aws-config ./AWSLogs` ·
    `lineal collect aws-config --api --type AWS::IAM::Role --region eu-west-1`
    """
    from lineal.cli.collecting import emit_together
    from lineal.errors import UsageError

    asked = bool(types or every or region or profile)
    if api and bool(types) == every:
        raise UsageError(
            "--api needs either --type or --all", fix="lineal collect aws-config --api --type AWS::IAM::Role"
        )
    if bool(places) == api or (asked and not api):
        raise UsageError("name places to read, or --api with --type or --all; nothing was read")
    terminal = Terminal(as_json=as_json, quiet=quiet)
    done: list[Collected] = []
    with opened(ledger, actor) as session:
        if api:
            from lineal.app.aws_config_history import collect_history
            from lineal.app.aws_scopes import open_scope

            named: list[str | None] = list(dict.fromkeys(region)) if region else [None]
            for each in named:
                scope = open_scope(each, profile)
                with terminal.progress(f"AWS Config, {scope.access.region}", unit="observations") as move:
                    done.append(collect_history(session, scope, types=types or (), again=again, on_progress=move))
        else:
            from lineal.app.collect_aws_config import collect_aws_config as collect

            for place in dict.fromkeys(places or ()):
                with terminal.progress(f"AWS Config, {place}", unit="observations") as move:
                    done.append(collect(session, place, again=again, on_progress=move))
    emit_together(terminal, done)
