"""Hyper-parameters of a run: from the command line, a parameters file, and SageMaker; each with where it came from."""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lineal.capture.flat import flatten, read_document, spell_scalar
from lineal.core.observation import Gap
from lineal.core.redaction import clean, redact_value
from lineal.errors import BadInput

FOUND_NAMES: Final = ("params.yaml", "params.yml", "params.json", "params.toml")
LONGEST: Final = 4096

_PYTHON: Final = re.compile(r"(?:.*/)?(?:python|pypy)\d*(?:\.\d+)*")
_PYTHON_WITH_VALUE: Final = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_NUMBER: Final = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|-(?:inf|nan)")
_SHORT_NUMBER: Final = re.compile(r"-([A-Za-z])([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
_ASSIGNMENT: Final = re.compile(r"(?:\+{1,2})?([A-Za-z_][\w./-]*)=(.*)", re.DOTALL)

Value = str | list[str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """The value of one parameter as text (a list for one given several times), and its origin."""

    value: Value
    origin: str

    def describe(self) -> dict[str, Any]:
        """Return it as a plain document."""
        return {"value": self.value, "origin": self.origin}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """All parameters by name. `redactions` counts the secrets that were cut out of their values."""

    values: Mapping[str, Parameter]
    redactions: int = 0
    gaps: tuple[Gap, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return ``{name: {"value": …, "origin": …}}``, sorted by name."""
        return {name: self.values[name].describe() for name in sorted(self.values)}


def read_parameters(
    argv: Sequence[str],
    *,
    cwd: Path,
    file: Path | None = None,
    read: Collection[bytes] = (),
    sagemaker: Mapping[str, str] | None = None,
) -> Parameters:
    """Gather the parameters of the command `argv`.

    `file` is a parameters file given by name; without it, ``params.yaml`` (``.yml``, ``.json``, ``.toml``) in `cwd` is
    taken if it is among the absolute paths `read` by the run. `sagemaker` are the values of
    ``hyperparameters.json``. Where two name one parameter, the command line wins over the file, the file over
    SageMaker. Raises `BadInput` when `file` cannot be used; a file found and not usable is a gap.
    """
    gaps: list[Gap] = []
    layers: list[tuple[str, Mapping[str, Value]]] = [("sagemaker", sagemaker or {})]
    if file is not None:
        layers.append((clean(file.name), read_parameter_file(cwd / file)))
    else:
        for found in find_parameter_files(cwd, read):
            try:
                layers.append((found.name, read_parameter_file(found)))
            except BadInput as error:
                gaps.append(Gap("parameters.file", error.message, found.name))
    layers.append(("argv", read_arguments(argv)))
    values: dict[str, Parameter] = {}
    cuts = 0
    for origin, layer in layers:
        for name, value in layer.items():
            kept, count = _redact(name, value)
            values[name] = Parameter(kept, origin)
            cuts += count
    long = sorted(name for name, each in values.items() if _length(each.value) > LONGEST)
    for name in long:
        values[name] = Parameter(_shorten(values[name].value), values[name].origin)
        gaps.append(Gap("parameters.long", f"only the first {LONGEST} characters of the value are kept", name))
    return Parameters(values=values, redactions=cuts, gaps=tuple(gaps))


def find_parameter_files(cwd: Path, read: Collection[bytes]) -> list[Path]:
    """Return the parameters files in `cwd` that are among the paths `read`, first the one that counts least."""
    folders = dict.fromkeys((os.fsencode(cwd), os.path.realpath(os.fsencode(cwd))))
    return [
        cwd / name
        for name in reversed(FOUND_NAMES)
        if any(os.path.join(folder, name.encode()) in read for folder in folders)
    ]


def read_parameter_file(file: Path) -> dict[str, Value]:
    """Return the values of a YAML, JSON or TOML file by dotted name; raise `BadInput` if it has none to give."""
    document = read_document(file)
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise BadInput(f"{clean(file.name)} holds no names with values at its top")
    try:
        return {
            name: [spell_scalar(each) for each in value] if isinstance(value, list) else spell_scalar(value)
            for name, value in flatten(document)
        }
    except BadInput as error:
        raise BadInput(f"{clean(file.name)}: {error.message}") from error


def read_arguments(argv: Sequence[str]) -> dict[str, Value]:
    """Return the parameters that a command line gives.

    Takes ``--lr 0.1``, ``--lr=0.1``, ``-n 5``, ``-n5``, ``lr=0.1`` (Hydra); an option without a value is ``true``; one
    given again is a list. What belongs to Python itself is left out, up to the script or module. Other words, and all
    after ``--``, are the list ``args``. Which options take a value is not known: ``--verbose data.csv`` is read as one.
    """
    found: dict[str, list[str]] = {}
    words = [clean(each) for each in _own_arguments(argv)]
    place = 0
    while place < len(words):
        word = words[place]
        place += 1
        follows = words[place] if place < len(words) else None
        short = _SHORT_NUMBER.fullmatch(word)
        assignment = _ASSIGNMENT.fullmatch(word)
        if word == "--":
            found.setdefault("args", []).extend(words[place:])
            break
        if short is not None:
            name, value = short[1], short[2]
        elif _is_option(word):
            name, equals, value = word.lstrip("-").partition("=")
            if not equals and follows is not None and not _is_option(follows) and follows != "--":
                value = follows
                place += 1
            elif not equals:
                value = "true"
        elif assignment is not None:
            name, value = assignment[1], assignment[2]
        else:
            name, value = "args", word
        found.setdefault(name, []).append(value)
    return {name: values if name == "args" or len(values) > 1 else values[0] for name, values in found.items()}


def _own_arguments(argv: Sequence[str]) -> Iterable[str]:
    """Return what of `argv` the program itself is given: without the program, Python's options and the script."""
    if not argv or _PYTHON.fullmatch(argv[0]) is None:
        return argv[1:]
    place = 1
    while place < len(argv):
        word = argv[place]
        if word in ("-m", "-c"):
            return argv[place + 2 :]
        if word.startswith(("-m", "-c")) or word == "-" or not word.startswith("-"):
            return argv[place + 1 :]
        place += 2 if word in _PYTHON_WITH_VALUE else 1
    return ()


def _is_option(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and _NUMBER.fullmatch(word) is None and word.lstrip("-") != ""


def _redact(name: str, value: Value) -> tuple[Value, int]:
    if isinstance(value, str):
        return redact_value(name, value)
    pairs = [redact_value(name, each) for each in value]
    return [kept for kept, _ in pairs], sum(count for _, count in pairs)


def _length(value: Value) -> int:
    return len(value) if isinstance(value, str) else sum(len(each) + 1 for each in value)


def _shorten(value: Value) -> Value:
    if isinstance(value, str):
        return value[:LONGEST]
    kept: list[str] = []
    for each in value:
        left = LONGEST - _length(kept)
        if left <= 0:
            break
        kept.append(each[:left])
    return kept
