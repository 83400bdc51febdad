"""`lineal timeline`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened, read_moment
from lineal.cli.terminal import Terminal

_Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only what happened then or later: 2026-03-03, '2d ago'.")
]
_Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only what happened by then.")]
_Depth = Annotated[int, typer.Option("--depth", min=0, metavar="N", help="Follow at most N pointers.")]

_Thing = Annotated[
    str,
    typer.Argument(
        metavar="REF",
        help="endpoint:NAME, model:NAME, any reference, an ARN, the key or name of a resource, TYPE/NAME.",
        show_default=False,
        autocompletion=options.complete_ref,
    ),
]
_Diff = Annotated[bool, typer.Option("--diff", help="Show every field that changed, old and new.")]
_Kind = Annotated[
    list[str] | None,
    typer.Option(
        "--kind", metavar="KIND", help="Only such rows (repeatable): deployment, decision, change, event, gap, …"
    ),
]
_Follow = Annotated[
    bool, typer.Option("--follow/--no-follow", help="Also what it points to, while it does; or it alone.")
]
_Limit = Annotated[int, typer.Option("--limit", "-n", min=0, metavar="N", help="The newest N rows; 0 for all of them.")]
_Reverse = Annotated[bool, typer.Option("--reverse", help="Newest first.")]


def timeline(
    ref: _Thing,
    since: _Since = None,
    until: _Until = None,
    at: options.At = None,
    known: options.Known = None,
    diff: _Diff = False,
    kind: _Kind = None,
    follow: _Follow = True,
    depth: _Depth = 6,
    limit: _Limit = 500,
    reverse: _Reverse = False,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Deployments, configuration changes, API events, approvals and verdicts of a thing and of what it points to.

    In one order: endpoint, configuration, model, package, image, each while it was pointed to. What nobody saw is
    shown as a gap.

    Examples: `lineal timeline endpoint:scorer` · `lineal timeline endpoint:scorer --since '7d ago' --diff` ·
    `lineal timeline arn:aws:sagemaker:eu-west-1:123456789012:endpoint/scorer --kind change --kind event --json` ·
    `lineal timeline AWS::CodePipeline::Pipeline/release --no-follow --at 2026-03-03`
    """
    from lineal.app.timeline import Window
    from lineal.app.timeline import timeline as ask
    from lineal.cli.timeline_picture import print_timeline
    from lineal.core import timestamp
    from lineal.wire.timeline import describe_timeline

    terminal = Terminal(as_json=as_json, quiet=quiet)
    now = datetime.now(UTC)
    window = Window(
        since="" if since is None else timestamp.read(since, now),
        **({} if until is None else {"until": timestamp.read(until, now)}),
        kinds=tuple(kind or ()),
        limit=limit or None,
        reverse=reverse,
    )
    with opened(ledger) as session:
        found = ask(session, ref, window=window, moment=read_moment(at, known), depth=depth if follow else 0)
    terminal.emit(describe_timeline(found), lambda out: print_timeline(found, out, fields=diff))
    if found.left_out:
        terminal.note(f"{found.left_out:,} older rows are left out: --limit 0 shows them, --since and --kind choose")
    if found.full:
        terminal.note("it points to more things than are followed: --depth or --no-follow shows fewer")
