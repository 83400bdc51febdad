"""`lineal run`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal, to_json
from lineal.errors import LinealError

if TYPE_CHECKING:
    from lineal.app.run_options import RunOptions


def run(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[--] COMMAND [ARG]…", help="What to run, as you would without Lineal.", show_default=False
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What to call it. [default: the script]")] = None,
    activity: Annotated[
        str | None, typer.Option("--activity", help="'data processing', 'training', 'evaluation', … [default: guessed]")
    ] = None,
    inputs: Annotated[
        list[Path] | None, typer.Option("--input", help="An input that tracing cannot see (repeatable).")
    ] = None,
    outputs: Annotated[
        list[Path] | None, typer.Option("--output", help="An output that tracing cannot see (repeatable).")
    ] = None,
    parameters: Annotated[
        Path | None, typer.Option("--params", help="A YAML, JSON or TOML file of hyper-parameters.")
    ] = None,
    metrics: Annotated[Path | None, typer.Option("--metrics", help="The JSON file of metrics that it writes.")] = None,
    variables: Annotated[
        list[str] | None, typer.Option("--env", metavar="NAME", help="Record this variable, too (repeatable, MY_*).")
    ] = None,
    mechanism: Annotated[
        str, typer.Option("--trace", help="auto, seccomp-notify, ptrace, audit-hook or none.")
    ] = "auto",
    keep: Annotated[
        int, typer.Option("--keep", metavar="MIB", min=0, help="Keep the bytes of outputs up to this much together.")
    ] = 1024,
    ledger: options.Ledger = None,
    actor: options.Actor = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Run a command, unchanged, and record what it read, wrote and ran with.

    Exits with the command's own status. With `--json` the record's summary is the last line of standard output.

    Examples: `lineal run -- python train.py --lr 0.1` · `lineal run --name prepare python prepare.py` ·
    `lineal run --params conf/model.yaml --metrics out/metrics.json -- ./train.sh`
    """
    from lineal.app.run_options import RunOptions

    wanted = RunOptions(
        name=name,
        activity=activity,
        inputs=tuple(inputs or ()),
        outputs=tuple(outputs or ()),
        parameters=parameters,
        metrics=metrics,
        variables=tuple(variables or ()),
        mechanism=mechanism,
        keep_bytes=keep << 20,
    )
    terminal = Terminal(as_json=as_json, quiet=quiet)
    raise typer.Exit(_run(command or [], wanted, ledger, actor, terminal))


def _run(command: list[str], wanted: "RunOptions", ledger: str | None, actor: str | None, terminal: Terminal) -> int:
    from lineal.app.run import Tails, execute, finish, start

    status = finished = failure = None
    tails = Tails()
    try:
        with opened(ledger, actor) as session:
            started = start(session, command, wanted)
            outcome = execute(started, tails)
            status = outcome.exit_status
            try:
                finished = finish(session, started, outcome, tails)
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # said below, with the program's own status
                failure = error
    except (Exception, KeyboardInterrupt) as error:
        if status is None:
            raise
        failure = failure or error
    # The program has run: its own result stands, whatever became of the record.
    document: dict[str, Any] = {"run": f"run:{started.id}", "exit_status": status}
    if finished is not None:
        document |= finished.describe()
        said = f"lineal: recorded {finished.ref}  {finished.inputs} inputs, {finished.outputs} outputs"
        terminal.note(f"{said}, {len(finished.gaps)} gaps ({finished.mechanism})")
    if failure is not None:
        state = "NOT fully recorded" if finished is None else "recorded, but not signed yet"
        document["error"] = _explain(failure, state)
    if terminal.as_json:
        line_end = "" if tails.ends_line(1) else "\n"  # ours is a line of its own, whatever the program printed
        terminal.say(line_end + to_json(document))
    return status


def _explain(error: BaseException, state: str) -> dict[str, str]:
    """Say on standard error that the record of a run is `state`, and return that for machines."""
    known = error if isinstance(error, LinealError) else LinealError(str(error) or type(error).__name__)
    sys.stderr.write(f"lineal: the run is {state}: {known.message}\n  what to try: {known.hint} [{known.code}]\n")
    return {"code": known.code, "message": f"the run is {state}: {known.message}", "fix": known.hint}
