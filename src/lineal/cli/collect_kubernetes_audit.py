"""`lineal collect kubernetes-audit`."""

from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal


def collect_kubernetes_audit(
    place: Annotated[
        str, typer.Argument(metavar="PLACE", help="An audit log, or a folder of them; - is standard input.")
    ],
    cluster: Annotated[
        str,
        typer.Option(
            "--cluster", metavar="NAME", help="What the cluster is called, as in its collected configuration."
        ),
    ],
    reads: Annotated[
        bool, typer.Option("--reads", help="Keep calls that only read an object whose configuration is on record.")
    ] = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Record who changed which objects of a Kubernetes cluster, by its audit log.

    Examples: `lineal collect kubernetes-audit /var/log/kubernetes/audit.log --cluster prod`
    """
    from lineal.app.collect_events import collect_kubernetes_audit as collect
    from lineal.cli.collect_cloudtrail import emit_trail

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with opened(ledger, actor) as session, terminal.progress("Kubernetes", unit="observations") as move:
        found = collect(session, place, cluster, reads=reads, on_progress=move)
    emit_trail(terminal, [found])
