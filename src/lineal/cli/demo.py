"""`lineal demo`."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from lineal.cli import options

if TYPE_CHECKING:
    from lineal.cli.demo_shell import Shell


def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The scratch folder to make.")] = Path("lineal-demo"),
    as_json: options.Json = False,
) -> None:
    """One model's whole life, recorded, proved and questioned, on real data in a scratch folder.

    Every command shown is run for real. Again in the same folder, it asks the questions again and records nothing.
    With `--json` the story goes to standard error.

    Examples: `lineal demo` · `lineal demo /tmp/scratch`
    """
    from lineal.cli.demo_shell import Shell, staged
    from lineal.cli.demo_stage import Table, look, make_folder, write_mark
    from lineal.cli.demo_story import ask, tell
    from lineal.cli.terminal import Terminal

    shell = Shell(sys.stderr if as_json else sys.stdout)
    folder = folder.absolute()
    told = look(folder)
    if told is None:
        table = Table()
        make_folder(folder)
        with staged(folder), _ending_servers(folder):
            at = tell(shell, table)
            ask(shell, at)
            write_mark(folder, at=at)
    else:
        at = told.at
        shell.say(f"The story is in {folder} already: here are its questions once more; nothing is recorded.")
        with staged(folder):
            ask(shell, at, again=True)
    document = {"folder": str(folder), "ledger": str(folder / ".lineal"), "at": at, "steps": shell.steps}
    Terminal(as_json=as_json).emit(document, lambda _: _close(shell, folder))


@contextmanager
def _ending_servers(folder: Path) -> Iterator[None]:
    """Leave no server of the demo behind, whatever ends it."""
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("lineal: the demo was stopped and its servers are ended; run it again to begin anew\n")
        raise
    finally:
        _end_servers(folder)
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end_servers(folder: Path) -> None:
    from lineal.app.endpoints import end_process
    from lineal.cli.opening import opened

    if (folder / ".lineal" / "format").is_file():
        with opened(str(folder)) as session:
            for revision in session.catalog.all_nodes("endpoint"):
                end_process(session.catalog, revision)


def _close(shell: "Shell", folder: Path) -> None:
    try:
        shown = folder.relative_to(Path.cwd())
    except ValueError:
        shown = folder
    shell.say(
        "[bold green]That byte did not pass.[/] The demo's server is stopped; the ledger stays: try\n\n"
        f"  cd {shown}\n"
        "  lineal ls\n"
        "  lineal show model:tumours@2\n"
        "  lineal log endpoint:scorer --prove\n"
        "  lineal trace endpoint:scorer --format mermaid\n"
        "  lineal retire endpoint:scorer --reason 'end of the demo'"
    )
