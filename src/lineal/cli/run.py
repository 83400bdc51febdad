"""`lineal run`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli import options
from lineal.cli.opening import opened
from lineal.cli.terminal import Terminal
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

    status = None
    try:
        with opened(ledger, actor) as session:
            started = start(session, command, wanted)
            tails = Tails()
            outcome = execute(started, tails)
            status = outcome.exit_status
            finished = finish(session, started, outcome, tails)
    except LinealError as error:
        if status is None:
            raise
        # The program has run: its own result stands, whatever became of the record.
        sys.stderr.write(f"lineal: the run is NOT fully recorded: {error.message}\n  what to try: {error.hint}\n")
        return status
    if terminal.as_json:
        document = {
            "run": finished.ref,
            "exit_status": finished.exit_status,
            "mechanism": finished.mechanism,
            "inputs": finished.inputs,
            "outputs": finished.outputs,
            "gaps": [gap.describe() for gap in finished.gaps],
        }
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    said = f"lineal: recorded {finished.ref}  {finished.inputs} inputs, {finished.outputs} outputs"
    terminal.note(f"{said}, {len(finished.gaps)} gaps ({finished.mechanism})")
    return status
