"""`lineal explain`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal
from lineal.core.change import UNAPPROVED, UNEXPLAINED, VERDICTS
from lineal.errors import UsageError

if TYPE_CHECKING:
    from lineal.app.explain import Explained
    from lineal.app.session import Session

_ALARMING: Final = (UNEXPLAINED, UNAPPROVED)
_NO_TRAIL: Final = "No trail is on record of any of it: lineal collect cloudtrail s3://BUCKET/PREFIX reads one."


_Ref = Annotated[
    str | None,
    typer.Argument(
        metavar="[REF]",
        help="An ARN, the key or name of a resource, TYPE/NAME. [default: everything that is watched]",
        show_default=False,
    ),
]
_Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only what was seen after that: 2026-03-03, '2d ago'."),
]
_Settle = Annotated[
    str,
    typer.Option("--settle", metavar="SPAN", help="How long events may take to arrive; nothing is judged before."),
]


def explain(
    ref: _Ref = None,
    since: _Since = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only what was seen by then.")] = None,
    settle: _Settle = "15m",
    skew: Annotated[
        str, typer.Option("--skew", metavar="SPAN", help="How much the clocks of trail and watcher may differ.")
    ] = "2m",
    verdict: Annotated[
        list[str] | None,
        typer.Option("--verdict", metavar="VERDICT", help="Show only these (repeatable): UNEXPLAINED, PENDING, …"),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record/--no-record", help="Put judgements that are new on record, or only show them.")
    ] = True,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 if anything is UNEXPLAINED or ATTRIBUTED_UNAPPROVED.")
    ] = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Join every configuration change to the API event that made it and the approval that allowed it.

    Each field gets a verdict: APPROVED, ATTRIBUTED_UNAPPROVED, UNEXPLAINED, SERVICE_MANAGED, PENDING (events may still
    arrive), NOT_OBSERVABLE (the trail has a hole there). Events without a change are EVENT_WITHOUT_EFFECT, approvals
    that nobody used APPROVED_NOT_DONE.

    Examples: `lineal explain` · `lineal explain AWS::SageMaker::Endpoint/scorer --since '7d ago'` ·
    `lineal explain --verdict UNEXPLAINED --verdict ATTRIBUTED_UNAPPROVED --exit-code`
    """
    from lineal.app.explain import explain as ask
    from lineal.cli.explain_picture import print_explained
    from lineal.core import timestamp
    from lineal.wire.changes import describe_explained

    terminal = Terminal(as_json=as_json, quiet=quiet)
    wanted = _read_verdicts(verdict)
    now = datetime.now(UTC)
    with opened(ledger, actor) as session:
        resources = None if ref is None else _find(session, ref)
        with terminal.progress("changes", unit="observations", late=True) as move:
            found = ask(
                session,
                resources=resources,
                since=None if since is None else timestamp.read(since, now),
                until=None if until is None else timestamp.read(until, now),
                settle_seconds=timestamp.read_length(settle, "--settle", least=0),
                skew_seconds=timestamp.read_length(skew, "--skew", least=0),
                record=record,
                on_progress=move,
            )
    shown = [each for each in found.judgements if each.verdict in wanted]
    terminal.emit(describe_explained(found, shown), lambda out: print_explained(found, shown, out))
    _advise(terminal, found)
    if exit_code and any(each.verdict in _ALARMING for each in found.judgements):
        raise typer.Exit(1)


def _read_verdicts(verdict: list[str] | None) -> frozenset[str]:
    wanted = frozenset(each.upper().replace("-", "_") for each in verdict or VERDICTS)
    unknown = sorted(wanted - set(VERDICTS))
    if unknown:
        raise UsageError(f"no such verdict: {', '.join(unknown)}", fix=f"One of {', '.join(VERDICTS)}.")
    return wanted


def _find(session: "Session", ref: str) -> list[str]:
    """Return the keys that `ref` means; raise `UnknownRef` where nothing on record does."""
    from lineal.core.resource import key_of
    from lineal.errors import UnknownRef

    found = session.configuration.resources_named(key_of(ref))
    if not found:
        raise UnknownRef(
            f"no configuration of {ref} is on record",
            fix="lineal collect aws records some; lineal show --at now lists it.",
        )
    return found


def _advise(terminal: Terminal, found: "Explained") -> None:
    if not found.resources:
        terminal.note("No configuration is on record: lineal collect aws, lineal collect files PATH")
    elif not any(each.watermark for each in found.trail.values()):
        terminal.note(_NO_TRAIL)
