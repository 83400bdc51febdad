"""`lineal deploy`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, short

if TYPE_CHECKING:
    from lineal.app.deploy import Deployed


def deploy(
    endpoint: Annotated[str, typer.Argument(metavar="endpoint:NAME", help="Where.", show_default=False)],
    model: Annotated[str, typer.Argument(metavar="model:NAME@V", help="What.", show_default=False)],
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- COMMAND [ARG]…]",
            help="The server to start: {model} becomes the model's path, {port} a free port.",
            show_default=False,
        ),
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="The address of a server that runs already.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A JSON, YAML or TOML file to record.")] = None,
    probe: Annotated[
        Path | None, typer.Option("--probe", help='Requests to send and record: [{"path": …, "body": …}].')
    ] = None,
    container: Annotated[str | None, typer.Option("--container", metavar="REF", help="The image it runs in.")] = None,
    unapproved: Annotated[
        str | None, typer.Option("--unapproved", metavar="REASON", help="Deploy what nobody approved, on record.")
    ] = None,
    wait: Annotated[float, typer.Option("--wait", metavar="SECONDS", min=0.1, help="For the server to answer.")] = 60,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Put an approved model version into service, and record the revision with its evidence.

    The model comes from the ledger's objects by digest. A server that says (GET /, `model_digest`) that it loaded
    other bytes is refused. The revision before ends, and the process started for it.

    Examples: `lineal deploy endpoint:scorer model:risk@2 --probe probes.json -- python serve.py {model} {port}` ·
    `lineal deploy endpoint:scorer model:risk@2 --url https://scorer.bank.example --container container:scorer`
    """
    from lineal.app.deploy import DeployOptions
    from lineal.app.deploy import deploy as put
    from lineal.wiring import default_actor

    wanted = DeployOptions(
        command=tuple(command or ()),
        url=url,
        config=config,
        probes=probe,
        container=container,
        unapproved=unapproved,
        wait=wait,
    )
    terminal = Terminal(as_json=as_json, quiet=quiet)
    with opened(ledger, actor) as session:
        made = put(session, endpoint, model, wanted, os_user=default_actor())
    terminal.emit(_describe(made), lambda out: _render(made, out))
    for gap in made.gaps:
        terminal.note(f"gap: {gap.explanation} [{gap.code}]")


def _describe(made: "Deployed") -> dict[str, Any]:
    from lineal.wire.documents import describe_gap, describe_node

    return {
        "revision": describe_node(made.revision),
        "model": describe_node(made.model),
        "approved_by": None if made.approval is None or not made.approval.approved else made.approval.by,
        "url": made.url,
        "pid": made.pid,
        "model_check": made.model_check,
        "probes": list(made.probes),
        "replaced": None if made.replaced is None else made.replaced.ref,
        "ended": made.ended,
        "gaps": [describe_gap(gap.code, gap.explanation, gap.about) for gap in made.gaps],
    }


def _render(made: "Deployed", out: Console) -> None:
    approval = made.approval
    state = "NOT approved" if approval is None else f"{approval.decision} by {approval.by}"
    out.print(f"deployed {made.revision.ref}  {made.model.ref} ({state})", markup=False)
    if made.url is not None:
        process = "" if made.pid is None else f", process {made.pid}"
        out.print(f"  at {made.url}{process}", markup=False)
    if made.model_check == "match":
        out.print(f"  the server loaded {short(made.model.digest)}: match", markup=False)
    for each in made.probes:
        answer = " ".join(each["response"].split())[:60]
        out.print(f"  {each['method']} {each['path']} -> {each['status']} {answer}", markup=False)
    if made.replaced is not None:
        ended = ", its process ended" if made.ended else ""
        out.print(f"  in place of {made.replaced.ref}{ended}", markup=False)
