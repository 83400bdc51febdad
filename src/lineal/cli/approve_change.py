"""`lineal approve change`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, moment
from lineal.errors import UsageError

if TYPE_CHECKING:
    from lineal.app.approve_change import Allowed


_SCOPE: Final = ("resources", "types", "fields", "actions", "principals")


_Resources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RESOURCE]...",
        help="Keys (ARNs), names or TYPE/NAME of resources; * and ? as in a shell.",
        show_default=False,
    ),
]
_Kind = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Only resources of this type (repeatable), 'AWS::SageMaker::*'."),
]
_Fields = Annotated[
    list[str] | None,
    typer.Option("--field", metavar="PATH", help="Only this field and what is below it (repeatable)."),
]
_Actions = Annotated[
    list[str] | None,
    typer.Option("--action", metavar="CALL", help="Only by this call (repeatable): UpdateEndpoint, 'sagemaker:*'."),
]
_Principals = Annotated[
    list[str] | None,
    typer.Option("--principal", metavar="WHO", help="Only by this role, user or session (repeatable)."),
]


def approve_change(
    resources: _Resources = None,
    ticket: Annotated[str | None, typer.Option("--ticket", metavar="T", help="The ticket or pull request.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why it is allowed.")] = None,
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="From then on: 2026-03-03T22:00:00Z, 'now'.")
    ] = "now",
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Until then.")] = None,
    kind: _Kind = None,
    fields: _Fields = None,
    actions: _Actions = None,
    principals: _Principals = None,
    requester: Annotated[
        str | None, typer.Option("--requested-by", metavar="WHO", help="Who asked; not who approves.")
    ] = None,
    retroactive: Annotated[
        bool, typer.Option("--retroactive", help="Also what was done before now: approved after the fact.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Approvals from an export of tickets: CSV or JSON.")
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="COLUMN", help="A column of that file which says nothing (repeatable)."),
    ] = None,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Allow changes before they are made: of which resources and fields, by whom, by which calls, from when to when.

    `lineal explain` holds every change against it. Who approves is neither who asked nor who makes the change: four
    eyes. With --import, approvals are those of an export of change tickets; importing it again records nothing new.

    Examples: `lineal approve change AWS::SageMaker::Endpoint/scorer --ticket CHG-7 --reason "release 7" --to
    2026-03-03T22:00:00Z --action UpdateEndpoint --as bo@bank.example` · `lineal approve change --import tickets.csv`
    """
    from lineal.wire.changes import describe_allowed

    terminal = Terminal(as_json=as_json, quiet=quiet)
    if file is not None:
        alone = (resources, ticket, reason, end, kind, fields, actions, principals, requester)
        if any(alone) or retroactive or begin != "now":
            raise UsageError("--import takes everything from the file", fix="Give the file alone.")
        found = _import(file, ignore or [], ledger, actor)
        line = f"{len(found.approvals):,} approvals in {file.name}, {len(found.new):,} new on record"
        line += f"; {found.passed:,} tickets are not approved ones" if found.passed else ""
    else:
        scope = (resources or [], kind or [], fields or [], actions or [], principals or [])
        found = _approve(scope, ticket, reason, (begin, end), requester or "", retroactive, ledger, actor)
        made = found.approvals[0]
        line = f"allowed by {made.approver} under {made.ticket}: {', '.join(made.resources or made.types)}, "
        line += f"{moment(made.not_before)} to {moment(made.not_after)}  {made.id}"
    terminal.emit(describe_allowed(found), lambda out: out.print(line, markup=False, highlight=False))
    for note in found.notes:
        terminal.note(note)


def _import(file: Path, ignore: list[str], ledger: str | None, actor: str | None) -> "Allowed":
    from lineal.app.approve_change import import_approvals
    from lineal.wiring import default_actor

    with opened(ledger, actor) as session:
        return import_approvals(session, file, ignore=ignore, os_user=default_actor())


def _approve(
    scope: tuple[list[str], ...],
    ticket: str | None,
    reason: str | None,
    window: tuple[str, str | None],
    requester: str,
    retroactive: bool,
    ledger: str | None,
    actor: str | None,
) -> "Allowed":
    from lineal.app.approve_change import Scope
    from lineal.app.approve_change import approve_change as allow
    from lineal.core import timestamp
    from lineal.wiring import default_actor

    begin, end = window
    if end is None:
        raise UsageError("an approval of a change ends at some moment", fix="Say when with --to 2026-03-03T22:00:00Z.")
    now = datetime.now(UTC)
    with opened(ledger, actor) as session:
        return allow(
            session,
            Scope(**{name: tuple(given) for name, given in zip(_SCOPE, scope, strict=True)}),
            ticket=ticket or "",
            reason=reason or "",
            not_before=timestamp.read(begin, now),
            not_after=timestamp.read(end, now),
            requester=requester,
            retroactive=retroactive,
            os_user=default_actor(),
        )
