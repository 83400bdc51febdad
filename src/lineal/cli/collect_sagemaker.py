"""`lineal collect sagemaker`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal

if TYPE_CHECKING:
    from lineal.app.collect import Collected


def collect_sagemaker(
    region: Annotated[
        list[str] | None,
        typer.Option("--region", metavar="REGION", help="The region (repeatable). [default: that of the credentials]"),
    ] = None,
    profile: options.Profile = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Since then, not since the last collection: 2026-03-03, '2d ago'."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="KIND", help="Only this kind (repeatable): training-job, model-package, endpoint, …"
        ),
    ] = None,
    keep: Annotated[
        bool,
        typer.Option("--keep/--reference", help="Keep the bytes of registered models, or only what identifies them."),
    ] = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record jobs, models, approvals, endpoints, pipelines and lineage that SageMaker knows of.

    Examples: `lineal collect sagemaker` · `lineal collect sagemaker --region eu-west-1 --profile prod --only endpoint`
    """
    from lineal.app.aws_scopes import open_scope
    from lineal.app.collect_sagemaker import collect_sagemaker as collect
    from lineal.cli.collecting import emit_together
    from lineal.core import timestamp

    terminal = Terminal(as_json=as_json, quiet=quiet)
    moment = None if since is None else datetime.fromisoformat(timestamp.read(since, datetime.now(UTC)))
    regions: list[str | None] = list(dict.fromkeys(region)) if region else [None]
    done: list[Collected] = []
    with opened(ledger, actor) as session:
        for each in regions:
            scope = open_scope(each, profile)
            with terminal.progress(f"SageMaker, {scope.access.region}", unit="observations") as move:
                done.append(collect(session, scope, only=only or (), since=moment, keep=keep, on_progress=move))
    emit_together(terminal, done)
