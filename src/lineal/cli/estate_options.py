"""The options of commands that ask about the whole estate, spelled once."""

from typing import Annotated

import typer

Types = Annotated[
    list[str] | None,
    typer.Option(
        "--type",
        "--kind",
        metavar="TYPE",
        help="Only this type (repeatable): 'AWS::SageMaker::*', AWS::ECR::Repository, endpoint.",
    ),
]
Account = Annotated[str | None, typer.Option("--account", metavar="ACCOUNT", help="Only this account.")]
Region = Annotated[str | None, typer.Option("--region", metavar="REGION", help="Only this region.")]
