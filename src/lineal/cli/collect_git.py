"""`lineal collect git`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineal.cli import options
from lineal.cli.collecting import emit_collected
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, short

if TYPE_CHECKING:
    from collections.abc import Iterable


_Repository = Annotated[
    str, typer.Argument(metavar="REPO", help="A folder of a repository, or its URL.", show_default=False)
]
_Refs = Annotated[
    list[str] | None,
    typer.Option("--ref", metavar="REF", help="A branch or tag to make a version of (repeatable)."),
]
_Commits = Annotated[
    list[str] | None, typer.Option("--commit", metavar="C", help="A commit to make a version of (repeatable).")
]
_AllTags = Annotated[bool, typer.Option("--all-tags", help="Make a version of what each tag leads to.")]
_Verify = Annotated[
    bool | None,
    typer.Option(
        "--verify/--no-verify",
        help="Ask the host, check signatures and recompute trees. [default: if REPO is a URL]",
        show_default=False,
    ),
]
_Protected = Annotated[
    list[str] | None,
    typer.Option("--protected", metavar="PATTERN", help="Branches and tags that count as protected (repeatable)."),
]
_Remote = Annotated[
    str | None,
    typer.Option("--remote", metavar="NAME|URL", help="The host of a folder's repository. [default: origin]"),
]
_Forge = Annotated[
    str | None, typer.Option("--forge", metavar="KIND", help="Who serves it: github, gitlab, gitea, azure, …")
]
_Submodules = Annotated[bool, typer.Option("--submodules", help="Fetch submodules from other hosts and folders, too.")]
_AllowedSigners = Annotated[
    str | None,
    typer.Option("--allowed-signers", metavar="FILE", help="SSH keys that may sign. [default: git's own setting]"),
]
_Timeout = Annotated[float, typer.Option("--timeout", metavar="S", help="Seconds to wait for a host.")]


def collect_git(
    repository: _Repository,
    refs: _Refs = None,
    commits: _Commits = None,
    all_tags: _AllTags = False,
    verify: _Verify = None,
    protected: _Protected = None,
    remote: _Remote = None,
    forge: _Forge = None,
    submodules: _Submodules = False,
    allowed_signers: _AllowedSigners = None,
    timeout: _Timeout = 600.0,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record commits as versions of code, whole trees kept, and the history that they stand in.

    Without --ref, --commit and --all-tags: HEAD. Nothing is checked out, and nothing of the repository is run.

    Examples: `lineal collect git .` · `lineal collect git https://github.com/acme/risk --all-tags`
    · `lineal collect git . --ref v1.2 --verify --protected 'release/*'`
    """
    from lineal.app.collect_git import Wanted
    from lineal.app.collect_git import collect_git as collect
    from lineal.core.forge import FORGES
    from lineal.errors import BadInput

    if forge is not None and forge not in FORGES:
        raise BadInput(f"nobody serves repositories as {forge!r}", fix=f"One of {', '.join(FORGES)}.")
    terminal = Terminal(as_json=as_json, quiet=quiet)
    wanted = Wanted(
        refs=tuple(refs or ()),
        commits=tuple(commits or ()),
        all_tags=all_tags,
        verify=verify,
        protected=tuple(protected or ()),
        remote=remote,
        forge=forge,
        submodules=submodules,
        allowed_signers=allowed_signers,
        timeout=timeout,
    )
    with opened(ledger, actor) as session, terminal.progress(f"collect git {repository}", unit="observations") as move:
        found = collect(session, repository, wanted, on_progress=move)
    emit_collected(terminal, found.done, {"versions": list(found.versions)})
    for line in _lines(found.versions):
        terminal.note(line)


def _lines(versions: "Iterable[dict[str, Any]]") -> "Iterable[str]":
    """Yield what a person wants to know of each version: whether it is new, and what does not verify."""
    for each in versions:
        name, _, digest = each["ref"].partition("@")
        yield f"{name}  {each['commit'][:12]}  {short(digest)}  {'new' if each['new'] else 'on record'}"
        if (verdict := each.get("verification")) is not None:
            yield "  verified" if verdict["holds"] else "  not verified"
            for question in ("exists", "reachable", "signature", "tree"):
                answer = verdict[question]
                state = {True: "yes", False: "no", None: "not known"}[answer["holds"]]
                yield f"    {question:<10}{state}: {answer['how']}"
