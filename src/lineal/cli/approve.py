"""`lineal approve`."""

from typing import Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal


def approve(
    ref: Annotated[str, typer.Argument(metavar="model:NAME@V", help="The model version.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="Why: what was examined, and found.", show_default=False)],
    meaning: Annotated[
        str | None, typer.Option("--meaning", help="What the decision means. [default: approved for production use]")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Reject it instead.")] = False,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Approve or reject a model version. Whoever made or registered it is refused: four eyes.

    Examples: `lineal approve model:risk@2 --as bo@bank.example --reason "validated on the holdout of March"` ·
    `lineal approve model:risk@2 --reject --reason "unstable for thin files"`
    """
    from lineal.app.approve import approve as decide
    from lineal.wire.documents import describe_gap, describe_node
    from lineal.wiring import default_actor

    terminal = Terminal(as_json=as_json, quiet=quiet)
    with opened(ledger, actor) as session:
        made = decide(session, ref, reason=reason, meaning=meaning, reject=reject, os_user=default_actor())
    approval = made.approval
    document = {
        "model": describe_node(made.model),
        "decision": approval.decision,
        "meaning": approval.meaning,
        "reason": approval.reason,
        "by": approval.by,
        "time": approval.time,
        "run": made.run,
        "gaps": [describe_gap(gap.code, gap.explanation, gap.about) for gap in made.gaps],
    }
    line = f"{approval.decision} {made.model.ref} by {approval.by}: {approval.meaning}"
    terminal.emit(document, lambda out: out.print(line, markup=False))
    for gap in made.gaps:
        terminal.note(f"gap: {gap.explanation} [{gap.code}]")
