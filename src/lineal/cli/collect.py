"""`lineal collect SOURCE`: one command for each source, each in a file of its own."""

from collections.abc import Callable
from typing import Any, Final

import typer

from lineal.cli.collect_aws import collect_aws
from lineal.cli.collect_aws_config import collect_aws_config
from lineal.cli.collect_cloudtrail import collect_cloudtrail
from lineal.cli.collect_dvc import collect_dvc
from lineal.cli.collect_eventbridge import collect_eventbridge
from lineal.cli.collect_files import collect_files
from lineal.cli.collect_git import collect_git
from lineal.cli.collect_kubernetes_audit import collect_kubernetes_audit
from lineal.cli.collect_oci import collect_oci
from lineal.cli.collect_sagemaker import collect_sagemaker

COMMANDS: Final[dict[str, Callable[..., Any]]] = {
    "aws": collect_aws,
    "aws-config": collect_aws_config,
    "cloudtrail": collect_cloudtrail,
    "dvc": collect_dvc,
    "eventbridge": collect_eventbridge,
    "files": collect_files,
    "git": collect_git,
    "kubernetes-audit": collect_kubernetes_audit,
    "oci": collect_oci,
    "sagemaker": collect_sagemaker,
}

collect = typer.Typer(
    name="collect",
    no_args_is_help=True,
    help="Record what other systems know: commits, datasets, images, jobs, models. Looking again records what is new.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _function in COMMANDS.items():
    collect.command(_name)(_function)
