"""`lineal register`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, short


def register(
    name: Annotated[str, typer.Argument(metavar="model:NAME", help="The model.", show_default=False)],
    path: options.PathArgument,
    intended_use: Annotated[str | None, typer.Option("--intended-use", help="What it may be used for.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who answers for it.")] = None,
    risk_tier: Annotated[str | None, typer.Option("--risk-tier", help="Your own scale: high, 2, …")] = None,
    restrictions: Annotated[str | None, typer.Option("--restrictions", help="What it must not be used for.")] = None,
    review_due: Annotated[str | None, typer.Option("--review-due", metavar="DATE", help="Review it by then.")] = None,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", help="A JSON file. [default: those of the run that made it]")
    ] = None,
    origin: Annotated[
        str | None, typer.Option("--from", metavar="run:ID", help="The run that made it, where tracing did not see it.")
    ] = None,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Register a file or folder as the next version of a model, and keep its bytes.

    Examples: `lineal register model:risk model.joblib --owner credit-risk --risk-tier high` ·
    `lineal register model:llm export/ --from run:finetune-1f0c --review-due 2027-03-31`
    """
    from lineal.app.register import Registration
    from lineal.app.register import register as make
    from lineal.wire.documents import describe_gap, describe_node
    from lineal.wiring import default_actor

    terminal = Terminal(as_json=as_json, quiet=quiet)
    registration = Registration(
        intended_use=intended_use,
        owner=owner,
        risk_tier=risk_tier,
        restrictions=restrictions,
        review_due=review_due,
        metrics=metrics,
        origin=origin,
    )
    with opened(ledger, actor) as session, terminal.progress(f"registering {path}") as move:
        made = make(session, name, path, registration, os_user=default_actor(), on_progress=move)
    document = {
        "version": describe_node(made.version),
        "runs": [run.ref for run in made.runs],
        "metrics": made.metrics,
        "gaps": [describe_gap(gap.code, gap.explanation, gap.about) for gap in made.gaps],
    }

    def render(out: Console) -> None:
        origin = ", ".join(run.ref for run in made.runs) or "an unknown origin"
        said = f"registered {made.version.ref}  {short(made.version.digest)}  from {origin}"
        out.print(said, markup=False)
        if made.metrics:
            out.print("  " + ", ".join(f"{key} {value}" for key, value in made.metrics.items()), markup=False)

    terminal.emit(document, render)
    for gap in made.gaps:
        terminal.note(f"gap: {gap.explanation} [{gap.code}]")
