"""`lineal collect dvc`."""

from pathlib import Path
from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.collecting import emit_collected
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal


def collect_dvc(
    repository: Annotated[
        Path, typer.Argument(metavar="REPO", help="A folder in a git repository that uses DVC.", show_default=False)
    ],
    rev: Annotated[
        list[str] | None,
        typer.Option("--rev", metavar="REV", help="This commit, tag or branch (repeatable). [default: HEAD]"),
    ] = None,
    all_tags: Annotated[bool, typer.Option("--all-tags", help="Every tag.")] = False,
    all_branches: Annotated[bool, typer.Option("--all-branches", help="Every local branch.")] = False,
    all_commits: Annotated[bool, typer.Option("--all-commits", help="Every commit of every branch and tag.")] = False,
    remote: Annotated[
        bool,
        typer.Option("--remote/--cache-only", help="Ask the DVC remote for lists of files that the cache has not."),
    ] = True,
    user_config: Annotated[
        bool,
        typer.Option("--user-config", help="Use .dvc/config.local, and the user's and system's configuration, too."),
    ] = False,
    hash_bytes: Annotated[
        bool, typer.Option("--hash", help="Read the files in the cache and record their SHA-256, too.")
    ] = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record what DVC tracks, and the stages that it executed, from git's history. DVC need not be installed.

    Looking again records what is new.

    Examples: `lineal collect dvc .` · `lineal collect dvc ~/risk --all-commits` ·
    `lineal collect dvc . --rev v1.2 --hash`
    """
    from lineal.app.collect_dvc import Options
    from lineal.app.collect_dvc import collect_dvc as collect
    from lineal.sources.dvc_git import Selection

    terminal = Terminal(as_json=as_json, quiet=quiet)
    selection = Selection(revs=tuple(rev or ()), tags=all_tags, branches=all_branches, commits=all_commits)
    how = Options(use_remote=remote, user_config=user_config, hash_bytes=hash_bytes)
    with opened(ledger, actor) as session, terminal.progress(f"collect dvc {repository}", unit="observations") as move:
        done = collect(session, repository, selection, how, move)
    emit_collected(terminal, done)
