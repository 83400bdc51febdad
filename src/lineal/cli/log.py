"""`lineal log`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, moment, plain

if TYPE_CHECKING:
    from lineal.app.log import Logged, Proof


def log(
    ref: Annotated[
        str | None, typer.Argument(metavar="[REF]", help="Only entries that speak of it.", show_default=False)
    ] = None,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=1, help="At most N entries.")] = None,
    prove: Annotated[
        bool, typer.Option("--prove", help="Check and show the proof of each entry, also without REF.")
    ] = False,
    ledger: options.Ledger = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """The entries of the log, newest first; of one thing, with the proofs that the signed log holds them.

    Examples: `lineal log` · `lineal log -n 5` · `lineal log model:risk@1` · `lineal log --prove --json`
    """
    from lineal.app.log import log as read

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with opened(ledger) as session:
        found = read(session, ref, limit=limit, prove=prove or ref is not None)

    def render(out: Console) -> None:
        for item in found:
            event = item.event
            actor = plain(event["actor"] or "-")
            out.print(
                f"[bold]{event['idx']:>6}[/]  {event['type']:<24} {moment(event['time'])}  {actor}"
                f"  [dim]{event['basis']}[/]" + ("  [red]erased[/]" if event["erased"] else "")
            )
            if item.proof is not None:
                print_proof(out, item.proof)

    terminal.emit({"entries": [_describe(item) for item in found]}, render)


def print_proof(out: Console, proof: "Proof") -> None:
    """Print a proof that was checked: the leaf, the path to the signed root, and since when it is signed."""
    out.print(f"        leaf {proof.inclusion.leaf.hex()}", style="dim")
    for hashed in proof.inclusion.hashes:
        out.print(f"        path {hashed.hex()}", style="dim")
    size, root = proof.inclusion.note.decode().split("\n")[1:3]
    out.print(f"        in the signed log of {size} entries, root {root}: [green]holds[/]")
    first = proof.since.old.decode().split("\n")[1]
    if first != size:
        steps = f"path of {len(proof.since.hashes)}"
        out.print(
            f"        first signed in the log of {first} entries, which is its beginning ({steps}): [green]holds[/]"
        )


def _describe(item: "Logged") -> dict[str, Any]:
    event = item.event
    found = {
        "entry": event["idx"],
        "type": event["type"],
        "time": event["time"],
        "said": event["said"],
        "recorded": event["taken"],
        "actor": event["actor"],
        "basis": event["basis"],
        "producer": event["producer"],
        "seq": event["seq"],
        "id": event["id"],
        "erased": bool(event["erased"]),
    }
    if item.proof is not None:
        from lineal.wire.documents import describe_proof

        found["proof"] = describe_proof(item.proof)
    return found
