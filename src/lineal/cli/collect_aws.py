"""`lineal collect aws`."""

from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal

if TYPE_CHECKING:
    from lineal.app.aws_scopes import AwsScope


_Region = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        metavar="REGION",
        help="The region (repeatable), `all`: those the account has enabled. [default: that of the credentials]",
    ),
]
_Role = Annotated[
    list[str] | None,
    typer.Option(
        "--assume-role",
        metavar="ARN",
        help="A role, of another account perhaps, in whose name to look (repeatable).",
    ),
]


def collect_aws(
    region: _Region = None,
    profile: Annotated[
        list[str] | None,
        typer.Option("--profile", metavar="NAME", help="A profile of the AWS configuration (repeatable)."),
    ] = None,
    role: _Role = None,
    external_id: Annotated[
        str | None, typer.Option("--external-id", metavar="TEXT", help="What those roles want to be told.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NUMBER", help="The account, where STS cannot be asked for it.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="TYPE", help="Only this type (repeatable): AWS::SageMaker::Endpoint, 'AWS::ECR::*'."
        ),
    ] = None,
    settled: Annotated[
        float,
        typer.Option(
            "--wait-settled", min=0, metavar="SECONDS", help="How long to wait for each resource that is changing."
        ),
    ] = 0,
    drift: Annotated[
        bool,
        typer.Option("--detect-drift", help="Let CloudFormation look for drift first. (This starts something there.)"),
    ] = False,
    list_types: Annotated[bool, typer.Option("--list-types", help="Print the types that are collected.")] = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record the configuration of what builds and serves models in AWS, and how it changes.

    Examples: `lineal collect aws` · `lineal collect aws --region eu-west-1 --region us-east-1 --profile prod` ·
    `lineal collect aws --region all --assume-role arn:aws:iam::123456789012:role/audit`
    """
    from lineal.app.aws_scopes import open_scopes
    from lineal.app.collect_aws import collect_aws as collect
    from lineal.cli.collecting import emit_collected
    from lineal.errors import SourceError
    from lineal.sources.aws_config_items import TYPES

    terminal = Terminal(as_json=as_json, quiet=quiet)
    if list_types:
        terminal.emit(list(TYPES), lambda out: out.print("\n".join(TYPES), markup=False))
        return
    with opened(ledger, actor) as session:
        scopes = open_scopes(region or (), profile or (), role or (), external_id=external_id, account=account)
        with terminal.progress(_label(scopes), unit="observations") as move:
            done = collect(session, scopes, only=only or (), settled=settled, drift=drift, on_progress=move)
    emit_collected(terminal, done, {"runs": list(done.runs), "lost": list(done.lost)})
    if done.lost:
        raise typer.Exit(SourceError.exit_status)


def _label(scopes: "list[AwsScope]") -> str:
    return f"AWS, {scopes[0].region}" if len(scopes) == 1 else f"AWS, {len(scopes)} accounts and regions"
