"""`lineal approve`: of a model version; `lineal approve change` stands in a file of its own."""

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal


class ByFirstWord(TyperCommand):
    """`lineal approve`, which hands over to `lineal approve change` where that is its first word."""

    # Typer has Click's classes under a name of its own in some versions, and not in others.
    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return the context of the command that is meant."""
        find = getattr(getattr(parent, "command", None), "get_command", None)
        other = find(parent, "approve change") if find is not None and args[:1] == ["change"] else None
        if other is not None:
            return other.make_context("approve change", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


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

    Changes of configuration are approved by `lineal approve change`, which has a help of its own.

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
