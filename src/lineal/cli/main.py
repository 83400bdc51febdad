"""The command `lineal`: its commands, and what becomes of errors."""

import importlib
import os
import signal
import sys
from typing import Annotated, Final

import typer

from lineal import __version__
from lineal.cli.terminal import discard_output, to_json
from lineal.errors import LinealError, StoreError, UsageError

_BUG: Final = 70
_STOPPED: Final = 128 + signal.SIGINT  # what Typer makes of Ctrl-C, too
_ALONE: Final = frozenset({"snapshot", "restore"})

_app = typer.Typer(
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


@_app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    ledger: Annotated[str | None, typer.Option("--ledger", metavar="PATH|URL", help="The ledger to use.")] = None,
) -> None:
    if ledger is not None:
        os.environ["LINEAL_LEDGER"] = ledger


def _alone(name: str) -> typer.Typer:
    """Return the command line with one command only: what all the others import takes longer than many a command."""
    lean = typer.Typer(
        name="lineal",
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    lean.callback()(_main)
    lean.command(name)(getattr(importlib.import_module(f"lineal.cli.{name}"), name))
    return lean


def __getattr__(name: str) -> typer.Typer:
    """Return the whole command line, ``app``, when it is asked for."""
    if name != "app":
        raise AttributeError(name)
    from lineal.cli import commands

    commands.register(_app)
    globals()["app"] = _app
    return _app


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status; every error becomes a message, never a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    _open_streams()
    try:
        return _run(given)
    except BrokenPipeError:
        discard_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        discard_output()  # what could not be written must not be tried again when the process ends
        refused = StoreError(f"the system refused: {error.strerror or error}{_about(error)}")
        _print_error(refused, as_json=False)
        return refused.exit_status


def _run(given: list[str]) -> int:
    try:
        result = typer.main.get_command(_commands(given)).main(args=given, prog_name="lineal", standalone_mode=False)
        sys.stdout.flush()
    except LinealError as error:
        _print_error(error, as_json=_wants_json(given))
        return error.exit_status
    except (KeyboardInterrupt, typer.Abort):
        return _tell_stopped()
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  # the last boundary: no traceback reaches a person
        return _print_foreign(error, as_json=_wants_json(given))
    if result == _STOPPED and _command_of(given) != "run":  # that one ends as its program does, and says so
        return _tell_stopped()
    return result if isinstance(result, int) else 0


def _tell_stopped() -> int:
    sys.stderr.write("lineal: stopped; nothing is half-written, and the command can be run again\n")
    return _STOPPED


def _command_of(given: list[str]) -> str:
    """Return the first word that is neither an option nor the ledger."""
    words = (word for before, word in zip(["", *given], given, strict=False) if before != "--ledger")
    return next((word for word in words if not word.startswith("-")), "")


def _commands(given: list[str]) -> typer.Typer:
    if given and given[0] in _ALONE:
        return _alone(given[0])
    whole: typer.Typer = getattr(sys.modules[__name__], "app")  # noqa: B009  # made when it is first asked for
    return whole


def _open_streams() -> None:
    """Give standard output and error a place to go where the caller closed them, and a spelling for every name."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # for as long as we run
        elif name == "stdout" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _about(error: OSError) -> str:
    return f": {os.fsdecode(error.filename)!r}" if isinstance(error.filename, str | bytes) else ""


def _wants_json(arguments: list[str]) -> bool:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in own


def _print_error(error: LinealError, *, as_json: bool) -> None:
    if as_json:
        document = {"error": {"code": error.code, "message": error.message, "fix": error.hint}}
        sys.stdout.write(to_json(document, indent=2) + "\n")
        sys.stdout.flush()
    sys.stderr.write(f"lineal: {error.message}\n  what to try: {error.hint} [{error.code}]\n")


def _print_foreign(error: Exception, *, as_json: bool) -> int:
    show = getattr(error, "show", None)
    if callable(show):  # a usage error of the option parser
        if as_json:
            said = error.format_message() if hasattr(error, "format_message") else str(error)
            _print_error(UsageError(said), as_json=True)
        else:
            show()
        return int(getattr(error, "exit_code", UsageError.exit_status))
    if os.environ.get("LINEAL_DEBUG"):
        raise error
    sys.stderr.write(
        f"lineal: unexpected {type(error).__name__}: {error}\n"
        "  what to try: this is a bug of Lineal; run again with LINEAL_DEBUG=1 and report what it prints [bug]\n"
    )
    return _BUG
