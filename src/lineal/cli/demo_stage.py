"""The stage of the demo: a scratch folder with a project in git and real data, and the mark that says whose it is."""

import csv
import importlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lineal.cli.demo_shell import Shell
from lineal.errors import AlreadyExists, BadInput, ReadOnlyStore

MARK: Final = ".lineal-demo.json"
FIRST_ROWS: Final = 400
_PROJECT: Final = Path(__file__).parent / "demo-project"
_NAMES: Final = {"gitignore": ".gitignore"}


@dataclass(frozen=True, slots=True)
class Told:
    """A demo that was told to its end: the moment in it that `trace --at` asks about."""

    at: str


def look(folder: Path) -> Told | None:
    """Return the demo that `folder` holds, or None where one can be made.

    What an interrupted demo left is moved aside, never deleted. Raises `AlreadyExists` for a folder with anything
    else in it, `BadInput` for what is no folder.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder", fix="Name a new folder: lineal demo DIR.")
    mark = folder / MARK
    if mark.is_file():
        state = _read_mark(mark)
        if "at" in state:
            return Told(str(state["at"]))
        folder.rename(folder.with_name(f"{folder.name}.unfinished-{secrets.token_hex(3)}"))
        return None
    if any(folder.iterdir()):
        raise AlreadyExists(
            f"{folder} holds other files; nothing was changed", fix="Name a new folder: lineal demo DIR."
        )
    return None


def _read_mark(mark: Path) -> dict[str, Any]:
    try:
        found = json.loads(mark.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def write_mark(folder: Path, **state: str) -> None:
    """Say in `folder` that it belongs to the demo, and how far it came."""
    temp = folder / f"{MARK}.tmp"
    temp.write_text(json.dumps(state) + "\n", encoding="utf-8")
    temp.rename(folder / MARK)


def make_folder(folder: Path) -> None:
    """Make the demo's folder, with its mark in it first."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_mark(folder)
    except OSError as error:
        raise ReadOnlyStore(f"cannot write to {folder}: {error.strerror}", fix="Name another folder.") from error


def make_project(shell: Shell) -> None:
    """Write the project into the present folder and commit it to a git repository of its own."""
    for file in sorted(_PROJECT.iterdir()):
        if file.is_file():
            Path(_NAMES.get(file.name, file.name)).write_bytes(file.read_bytes())
    shell.git("init", "--quiet", ".")
    shell.git("add", ".")
    shell.git("commit", "--quiet", "--message", "Prepare, train and serve a classifier")


class Table:
    """The breast-cancer table of scikit-learn: 569 tumours, 30 measurements each, malignant (0) or benign (1)."""

    def __init__(self) -> None:
        try:
            datasets = importlib.import_module("sklearn.datasets")
        except ImportError as error:
            raise BadInput("the demo needs scikit-learn", fix="pip install 'lineal[demo]'") from error
        self._found = datasets.load_breast_cancer()

    def rows(self) -> Iterator[list[object]]:
        """Yield the measurements of each tumour, and its class."""
        for measured, target in zip(self._found.data, self._found.target, strict=True):
            yield [*map(float, measured), int(target)]

    def write(self, file: Path, count: int | None = None) -> int:
        """Write the first `count` rows (None: all) as CSV and return how many."""
        rows = list(self.rows())[:count]
        file.parent.mkdir(exist_ok=True)
        with file.open("w", newline="", encoding="ascii") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([*(str(name).replace(" ", "_") for name in self._found.feature_names), "benign"])
            writer.writerows(rows)
        return len(rows)

    def write_probes(self, file: Path) -> None:
        """Write a request that asks for the first two tumours."""
        rows = [row[:-1] for row in list(self.rows())[:2]]
        file.write_text(json.dumps([{"path": "/predict", "body": {"rows": rows}}]) + "\n", encoding="ascii")
