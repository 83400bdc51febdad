"""`lineal collect cloudtrail`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal

if TYPE_CHECKING:
    from lineal.app.collect_cloudtrail import CollectedTrail


_Place = Annotated[
    str | None,
    typer.Argument(
        metavar="PLACE",
        help="s3://BUCKET[/PREFIX], a folder of log files, or one file.",
        show_default=False,
    ),
]
_Lookup = Annotated[
    bool, typer.Option("--lookup", help="Ask the service for the last 90 days in the place of log files.")
]
_Region = Annotated[
    list[str] | None,
    typer.Option("--region", metavar="REGION", help="Only this region (repeatable); of --lookup, the one to ask."),
]
_Account = Annotated[
    list[str] | None, typer.Option("--account", metavar="NUMBER", help="Only this account (repeatable).")
]
_Source = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="SERVICE",
        help="With --lookup: only calls of this service (repeatable): sagemaker.amazonaws.com.",
    ),
]
_Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="From then on, read before or not: 2026-03-03, '2d ago'."),
]
_PublicKeys = Annotated[
    Path | None,
    typer.Option(
        "--public-keys", metavar="FILE", help="Keys for digests, as `aws cloudtrail list-public-keys` prints them."
    ),
]


def collect_cloudtrail(
    place: _Place = None,
    lookup: _Lookup = False,
    region: _Region = None,
    account: _Account = None,
    source: _Source = None,
    since: _Since = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="What was delivered before then.")
    ] = None,
    digests: Annotated[
        bool, typer.Option("--digests/--no-digests", help="Check log files against signed digests where there are any.")
    ] = True,
    public_keys: _PublicKeys = None,
    reads: Annotated[
        bool, typer.Option("--reads", help="Keep calls that only read a resource whose configuration is on record.")
    ] = False,
    profile: options.Profile = None,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record who changed what through the API of AWS, and which spans of the trail are proven or missing.

    Examples: `lineal collect cloudtrail s3://acme-trail` · `lineal collect cloudtrail --lookup --region eu-west-1` ·
    `lineal collect cloudtrail ./logs --public-keys keys.json`
    """
    from datetime import UTC, datetime

    from lineal.app.collect_cloudtrail import TrailRequest, collect_trail
    from lineal.app.trail_lookup import collect_lookup
    from lineal.core import timestamp
    from lineal.errors import UsageError

    if (place is None) is not lookup:
        raise UsageError("name a place, or --lookup: one of them", fix="lineal collect cloudtrail s3://BUCKET")
    if source and not lookup:
        raise UsageError("--source narrows --lookup down: log files are read whole")
    terminal = Terminal(as_json=as_json, quiet=quiet)
    now = datetime.now(UTC)
    request = TrailRequest(
        accounts=tuple(dict.fromkeys(account or ())),
        regions=tuple(dict.fromkeys(region or ())),
        since="" if since is None else timestamp.read(since, now),
        until="" if until is None else timestamp.read(until, now),
        digests=digests,
        keys=public_keys,
        reads=reads,
        profile=profile,
    )
    with opened(ledger, actor) as session, terminal.progress("CloudTrail", unit="observations") as move:
        if place is None:
            found = collect_lookup(session, request, sources=tuple(source or ()), on_progress=move)
        else:
            found = [collect_trail(session, place, request, on_progress=move)]
    emit_trail(terminal, found)


def emit_trail(terminal: Terminal, found: "list[CollectedTrail]") -> None:
    """Print what collections of events did."""
    from lineal.app.collect import Collected
    from lineal.cli.collecting import MOST_SHOWN, emit_collected

    counts: dict[str, int] = {}
    for each in found:
        for name, count in each.counts.items():
            counts[name] = counts.get(name, 0) + count
    done = Collected(
        run=found[-1].collected.run,
        seen=counts.get("events", 0),
        recorded=counts.get("recorded", 0),
        gaps=tuple(gap for each in found for gap in each.collected.gaps),
    )
    spans = [span.describe() for each in found for span in each.trail]
    emit_collected(terminal, done, {"runs": [each.collected.run for each in found], "counts": counts, "trail": spans})
    for span in spans[:MOST_SHOWN]:
        how = f"missing ({span['why']})" if span["missing"] else f"covered ({span['proof']})"
        terminal.note(f"{span['account']} {span['region']}: {span['since'][:19]}Z to {span['until'][:19]}Z {how}")
    if len(spans) > MOST_SHOWN:
        terminal.note(f"and {len(spans) - MOST_SHOWN:,} more spans: --json lists them")
