"""Write the pages of docs/ that are made from the code: cli.md, errors.md, codes.md.

python scripts/make_docs.py           write them
python scripts/make_docs.py --check   change nothing; exit 1 if one of them is not up to date
"""

import enum
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from code_words import codes
from typer.models import ArgumentInfo, CommandInfo, OptionInfo

from lineal import errors
from lineal.cli.main import app

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
_MADE: Final = "<!-- Made by `make docs` from the code; do not edit. -->"
_EXAMPLES: Final = re.compile(r"\s*Examples?: (.*)", re.DOTALL)
_ENDINGS: Final = (
    (0, "done"),
    (1, "a check failed, or an error without a branch of its own"),
    (2, "usage: the request cannot be carried out as written"),
    (10, "integrity: a digest, signature or proof does not hold"),
    (11, "store: the database, disk or object store did not do what was asked"),
    (12, "source: a source of observations refused or failed"),
    (13, "a reproduction differs"),
    (70, "a bug of Lineal; `LINEAL_DEBUG=1` shows where"),
    (130, "stopped by Ctrl-C"),
)


def pages() -> dict[str, str]:
    """Return the text of every page that is made, by its name below docs/."""
    return {"cli.md": cli_page(), "errors.md": errors_page(), "codes.md": codes_page()}


_CLI: Final = """\
Every command takes `--json` (the documents are described in [json.md](json.md)), `--quiet` and `--ledger`, unless its
table says otherwise. Results go to standard output, notes and progress to standard error.

A reference (`REF`) is `kind:name` (its latest version), `kind:name@7`, `kind:name@sha256:…` or the beginning of the
digest, `run:ID` or the beginning of it, or any foreign name on record: a commit, a URI, an ARN, a bare digest. Kinds:
`code`, `dataset`, `container`, `environment`, `model`, `endpoint`, `file`.

`lineal --install-completion` adds completion to your shell."""


def cli_page() -> str:
    """Return the page of the command line: every command with its arguments, options and examples."""
    shown = dict(_commands())
    panels: dict[str, list[str]] = {}
    for name, command in shown.items():
        panels.setdefault(str(command.rich_help_panel or "Commands"), []).append(name)
    names = [f"| {panel} | {' · '.join(map(_link, found))} |" for panel, found in panels.items()]
    lines = ["# Command line", _MADE, _CLI, "\n".join(["| | |", "|---|---|", *names])]
    for name, command in shown.items():
        lines += _command(name, command)
    lines += ["## Environment variables", _variables(), "## Exit status", _statuses()]
    return "\n\n".join(lines) + "\n"


def _link(name: str) -> str:
    return f"[{name}](#lineal-{name.replace(' ', '-')})"


def _commands() -> Iterator[tuple[str, CommandInfo]]:
    """Yield every command that is shown, by its name; those of a group as ``GROUP COMMAND``, in a panel of its own."""
    for command in app.registered_commands:
        if not command.hidden:
            yield str(command.name), command
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            command.rich_help_panel = str(group.typer_instance.info.name).capitalize()
            yield f"{group.typer_instance.info.name} {command.name}", command


def _command(name: str, command: CommandInfo) -> Iterator[str]:
    function: Callable[..., Any] = command.callback  # type: ignore[assignment]
    text = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(command.help or function.__doc__ or ""))
    found = _EXAMPLES.search(text)
    arguments, options = _parameters(function)
    yield f"## lineal {name}"
    yield f"```\n{' '.join(['lineal', name, '[OPTIONS]', *(name for name, _ in arguments)])}\n```"
    yield text[: found.start()].strip() if found else text
    if found:
        yield "```\n" + "\n".join(re.findall(r"`([^`]+)`", found[1])) + "\n```"
    rows = [f"| {_cell(f'`{name}`')} | {_cell(text)} |" for name, text in (*arguments, *options) if text]
    yield "\n".join(["| | |", "|---|---|", *rows])


def _parameters(function: Callable[..., Any]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the arguments and the options of a command, each with its help."""
    arguments, options = [], []
    hints = typing.get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        bare, info = typing.get_args(hints[name])[:2]
        if isinstance(info, ArgumentInfo):
            arguments.append((info.metavar or name.upper(), info.help or ""))
        elif isinstance(info, OptionInfo) and not info.hidden:
            options.append((_spelling(name, info, bare), _help(info, parameter.default)))
    return arguments, options


def _spelling(name: str, info: OptionInfo, bare: Any) -> str:
    # In an annotation, typer keeps the first of the names given in the place of the default.
    spelled = [each for each in (info.default, *(info.param_decls or ())) if isinstance(each, str)]
    kinds = [kind for kind in (typing.get_args(bare) or (bare,)) if kind is not type(None)]
    kinds = [*(typing.get_args(kinds[0]) or kinds)]
    if kinds[0] is bool:
        value = ""
    elif inspect.isclass(kinds[0]) and issubclass(kinds[0], enum.Enum):
        value = "|".join(str(each.value) for each in kinds[0])
    else:
        value = info.metavar or str(getattr(kinds[0], "__name__", "text")).replace("str", "text").upper()
    return f"{', '.join(spelled or ['--' + name.replace('_', '-')])} {value}".strip()


def _help(info: OptionInfo, default: Any) -> str:
    text = " ".join(str(info.help or "").split())
    shown = getattr(default, "value", default)
    known = shown in (None, True, False, inspect.Parameter.empty) or "[default" in text
    return text if known else f"{text} [default: {shown}]"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _variables() -> str:
    rows = (
        ("LINEAL_LEDGER", "the ledger, where `--ledger` is not given"),
        ("LINEAL_ACTOR", "who speaks, where `--as` is not given"),
        ("LINEAL_HOME", "where a PostgreSQL ledger keeps its key, its published log and its objects"),
        ("LINEAL_TRACE", "the mechanism of `lineal run` to start from ([capture.md](capture.md))"),
        ("LINEAL_IMAGE_DIGEST", "the digest of the container image, set by whoever launches the container"),
        ("LINEAL_RUN", "set by `lineal run` for its command: the identifier of the run"),
        ("LINEAL_DEBUG", "show the traceback of an unexpected error"),
    )
    return "\n".join(["| | |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in rows)])


def _statuses() -> str:
    return "\n".join(
        [
            "| status | meaning |",
            "|---|---|",
            *(f"| {status} | {text} |" for status, text in _ENDINGS),
            "",
            "`lineal run` exits with the status of its command, and 128 plus the signal that ended it.",
        ]
    )


_ERRORS: Final = """\
Every error has a code that does not change, an exit status, and one thing to try. On the terminal it is one line, then
the fix with the code in brackets. With `--json`, standard output has the document
`{"error": {"code": …, "message": …, "fix": …}}`. In Python, errors are the classes of `lineal.errors`."""


def errors_page() -> str:
    """Return the page of every error: code, exit status, meaning and the fix to try."""
    lines = [
        "# Errors",
        _MADE,
        _ERRORS,
        "| code | exit | class | meaning | what to try |\n|---|---|---|---|---|\n"
        + "\n".join(map(_error, all_errors())),
        "## Exit status",
        _statuses(),
    ]
    return "\n\n".join(lines) + "\n"


def all_errors() -> list[type[errors.LinealError]]:
    """Return every class of error, branch by branch."""
    found: list[type[errors.LinealError]] = []
    waiting = [errors.LinealError]
    while waiting:
        kind = waiting.pop(0)
        found.append(kind)
        waiting = [*kind.__subclasses__(), *waiting]
    return found


def _error(kind: type[errors.LinealError]) -> str:
    meaning = _cell(" ".join((kind.__doc__ or "").split("\n\n")[0].split()))
    return f"| `{kind.code}` | {kind.exit_status} | `{kind.__name__}` | {meaning} | {_cell(kind.fix)} |"


_GAPS: Final = """\
A gap is recorded in the ledger: what a source could not see, and why. What those of `lineal run` mean is told in
[capture.md](capture.md) and [capture-record.md](capture-record.md)."""
_FINDINGS: Final = """\
A finding is what `verify` or `check` concluded. It fails the command unless its field `failed` is false. Beside these,
a finding can have the code of an [error](errors.md); `check` repeats the gaps of a model's life as `gap.CODE`,
which fail nothing."""


def codes_page() -> str:
    """Return the page of the codes of gaps and findings, with how their explanations read."""
    words = codes()
    lines = [
        "# Gaps and findings",
        _MADE,
        "Codes do not change; explanations may. `…` stands for a value that is put in.",
        "## Gaps",
        _GAPS,
        _table([(word.code, word.explanation) for word in words if word.kind == "gap"]),
        "## Findings",
        _FINDINGS,
        _table([(word.code, word.explanation) for word in words if word.kind == "finding"]),
    ]
    return "\n\n".join(lines) + "\n"


def _table(rows: list[tuple[str, str]]) -> str:
    plain = [(code, _cell(text.replace("<", "&lt;")) or "(told by the error that it met)") for code, text in rows]
    return "\n".join(["| code | explanation |", "|---|---|", *(f"| `{code}` | {text} |" for code, text in plain)])


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` say which are not up to date; return the exit status."""
    stale = []
    for name, text in pages().items():
        file = DOCS / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                file.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"docs/{name} {'is not up to date: run `make docs`' if '--check' in arguments else 'written'}")
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
