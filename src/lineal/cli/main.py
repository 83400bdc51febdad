"""The command `lineal`: its commands, and what becomes of errors."""

import json
import os
import signal
import sys
from typing import Annotated

import typer

from lineal import __version__
from lineal.cli import commands
from lineal.errors import LinealError

app = typer.Typer(
    name="lineal",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Proof of descent for every model in production: what made it, is it unaltered, what does it touch?",
    epilog="Exit status: 0 done, 1 a check failed, 2 usage, 10 integrity, 11 store, 12 source, "
    "13 reproduction differs; `run` exits with the command's own.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lineal {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    ledger: Annotated[str | None, typer.Option("--ledger", metavar="PATH|URL", help="The ledger to use.")] = None,
) -> None:
    if ledger is not None:
        os.environ["LINEAL_LEDGER"] = ledger


commands.register(app)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status; every error becomes a message, never a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        result = typer.main.get_command(app).main(args=given, prog_name="lineal", standalone_mode=False)
    except LinealError as error:
        _print_error(error, as_json=_wants_json(given))
        return error.exit_status
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("lineal: stopped; nothing is half-written, and the command can be run again\n")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read our output has gone: what is left of it has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception as error:  # noqa: BLE001  # the last boundary: no traceback reaches a person
        return _print_foreign(error)
    return result if isinstance(result, int) else 0


def _wants_json(arguments: list[str]) -> bool:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in own


def _print_error(error: LinealError, *, as_json: bool) -> None:
    if as_json:
        document = {"error": {"code": error.code, "message": error.message, "fix": error.hint}}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    sys.stderr.write(f"lineal: {error.message}\n  what to try: {error.hint} [{error.code}]\n")


def _print_foreign(error: Exception) -> int:
    show = getattr(error, "show", None)
    if callable(show):  # a usage error of the option parser
        show()
        return int(getattr(error, "exit_code", 2))
    if os.environ.get("LINEAL_DEBUG"):
        raise error
    sys.stderr.write(
        f"lineal: unexpected {type(error).__name__}: {error}\n"
        "  what to try: this is a bug of Lineal; run again with LINEAL_DEBUG=1 and report what it prints [bug]\n"
    )
    return 70
